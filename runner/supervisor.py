"""One worker process per account, restarted with back-off, stopped in order.

The MetaTrader5 module holds one terminal per process and never lets go of the
interpreter during a call, so accounts cannot share a process.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

import attrs

from runner.exit_codes import ExitCode
from runner.ports import Clock

log = logging.getLogger("mt5runner.supervisor")

_FIRST_DELAY = 1.0  # seconds
_LONGEST_DELAY = 60.0
_HEALTHY_AFTER = 60.0  # seconds of life after which the back-off starts anew
_GRACE = 15.0  # seconds that a worker gets to stop cleanly
_LOOK_EVERY = 0.2
_FROZEN_AFTER = 120.0  # seconds without a sign of life; to reconnect may take 100
_START_WITHIN = 180.0  # seconds to the first sign; a terminal alone takes up to 100

_FINAL = frozenset({ExitCode.DONE, ExitCode.USAGE, ExitCode.PLUGIN, ExitCode.OWNED})
"""Codes after which a restart would only repeat the same answer."""


@attrs.define
class Worker:
    """One account's process.

    Attributes:
        account: The account id that the server knows.
        process: The running process; None between two starts.
        started_at: Monotonic seconds of the last start.
        due_at: Monotonic seconds of the next start.
        failures: Crashes in a row.
        sign: The last sign of life that was seen.
        sign_at: Monotonic seconds at which it was new.
        code: Exit code with which it ended for good; None while it is wanted.
    """

    account: str
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    due_at: float = 0.0
    failures: int = 0
    sign: float | None = None
    sign_at: float = 0.0
    code: int | None = None


def delay_after(failures: int) -> float:
    """Return the seconds to wait before a restart.

    Args:
        failures: Crashes in a row, at least 1.
    """
    return min(_LONGEST_DELAY, _FIRST_DELAY * 2.0 ** (failures - 1))


def worker_command(words: Sequence[str], account: str) -> list[str]:
    """Turn the words of a many-account command line into one worker's command.

    Args:
        words: The command line after the program's name.
        account: The worker's account.

    Returns:
        Program and arguments.
    """
    kept: list[str] = []
    skip = False
    for word in words:
        if skip or word.startswith("--account="):
            skip = False
            continue
        if word == "--account":
            skip = True
            continue
        kept.append(word)
    return [sys.executable, "-P", "-m", "runner", *kept, "--account", account]


class Supervisor:
    """Keeps one worker per account alive.

    Args:
        accounts: Account ids.
        command: Makes a worker's command from its account.
        clock: Time and waiting.
        sign_of_life: Returns a number that changes while the worker of an account
            is at work; None before the first.
        frozen_after: Seconds without a change after which a worker is killed.
        start_within: Seconds that a worker has for its first sign of life.
    """

    def __init__(
        self,
        accounts: Sequence[str],
        command: Callable[[str], Sequence[str]],
        clock: Clock,
        sign_of_life: Callable[[str], float | None],
        frozen_after: float = _FROZEN_AFTER,
        start_within: float = _START_WITHIN,
    ) -> None:
        self._command = command
        self._clock = clock
        self._sign_of_life = sign_of_life
        self._frozen_after = frozen_after
        self._start_within = start_within
        self._stopping = False
        self.workers = [Worker(account) for account in accounts]

    def stop(self) -> None:
        """Ask for a clean stop; safe from a signal handler."""
        self._stopping = True

    def run(self) -> int:
        """Watch the workers until all ended for good or `stop` was called.

        Returns:
            0 if every worker ended well, else the highest code of any.
        """
        while not self._stopping and any(one.code is None for one in self.workers):
            for worker in self.workers:
                self._watch(worker)
            self._clock.wait(_LOOK_EVERY)
        self._stop_all()
        return max((one.code or 0 for one in self.workers), default=0)

    def _watch(self, worker: Worker) -> None:
        if worker.code is not None:
            return
        now = self._clock.monotonic()
        if worker.process is None:
            if now >= worker.due_at:
                self._start(worker, now)
            return
        code = worker.process.poll()
        silent = self._silent_for(worker, now) if code is None else 0.0
        if code is None and not silent:
            return
        if code is None:
            log.error("%s: no sign of life for %.0f s: killed", worker.account, silent)
            worker.process.kill()
            code = worker.process.wait()
        worker.process = None
        if code in _FINAL:
            worker.code = code
            log.info("%s: ended with exit code %d", worker.account, code)
            return
        if now - worker.started_at >= _HEALTHY_AFTER:
            worker.failures = 0
        worker.failures += 1
        delay = delay_after(worker.failures)
        worker.due_at = now + delay
        log.error(
            "%s: the worker died (exit code %d, %d in a row); again in %.0f s",
            worker.account,
            code,
            worker.failures,
            delay,
        )

    def _silent_for(self, worker: Worker, now: float) -> float:
        """Return the seconds of a silence that is too long; 0.0 while it is not."""
        # Only that the sign changes is looked at, on this process's own clock: a clock
        # that is set, or a machine that slept, is no reason to kill anybody.
        sign = self._sign_of_life(worker.account)
        if sign != worker.sign:
            worker.sign, worker.sign_at = sign, now
        has_begun = worker.sign_at > worker.started_at
        limit = self._frozen_after if has_begun else self._start_within
        silent = now - max(worker.sign_at, worker.started_at)
        return silent if silent >= limit else 0.0

    def _start(self, worker: Worker, now: float) -> None:
        flags = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
        command = list(self._command(worker.account))
        worker.process = subprocess.Popen(command, creationflags=flags)  # noqa: S603 - our own program
        worker.started_at = now
        worker.sign = self._sign_of_life(worker.account)
        log.info("%s: started, pid %d", worker.account, worker.process.pid)

    def _stop_all(self) -> None:
        running = [one for one in self.workers if one.process is not None]
        for worker in running:
            if worker.process is not None:
                _ask_to_stop(worker.process)
        deadline = self._clock.monotonic() + _GRACE
        for worker in running:
            if worker.process is None:
                continue
            try:
                left = max(0.0, deadline - self._clock.monotonic())
                worker.code = worker.process.wait(timeout=left)
            except subprocess.TimeoutExpired:
                log.warning("%s: no stop in %.0f s: killed", worker.account, _GRACE)
                worker.process.kill()
                worker.code = worker.process.wait()
            worker.process = None


def _ask_to_stop(process: subprocess.Popen[bytes]) -> None:
    if os.name == "nt":
        # A process group of its own gets Ctrl-Break; there is no SIGTERM on Windows.
        process.send_signal(signal.CTRL_BREAK_EVENT)  # type: ignore[attr-defined,unused-ignore]  # only on Windows
    else:
        process.terminate()


def on_stop_signals(stop: Callable[[str], None]) -> None:
    """Call *stop* with the signal's name on Ctrl-C, SIGTERM and Ctrl-Break.

    The handlers are set once: a second Ctrl-C interrupts at once.
    """

    def handle(number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        stop(signal.Signals(number).name)

    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, handle)


def sign_of_life_file(state_dir: Path, account: str) -> Path:
    """Return the file that a worker touches while its loop is at work."""
    return state_dir / f"{account}.alive"


def supervise(
    accounts: Sequence[str], words: Sequence[str], clock: Clock, state_dir: Path
) -> int:
    """Run several accounts, each in a process of its own.

    Args:
        accounts: Account ids.
        words: The command line after the program's name.
        clock: Time and waiting.
        state_dir: Where workers keep their state, and show signs of life.

    Returns:
        The exit code.
    """

    def look(account: str) -> float | None:
        try:
            return sign_of_life_file(state_dir, account).stat().st_mtime
        except OSError:
            return None

    supervisor = Supervisor(
        accounts, lambda account: worker_command(words, account), clock, look
    )
    on_stop_signals(lambda _name: supervisor.stop())
    return supervisor.run()
