"""Keeps one worker per account alive, and lets none of them trouble the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import attrs

from runner.exit_codes import ExitCode
from runner.ports import Clock
from runner.supervisor.policy import (
    FINAL,
    HEALTHY_AFTER,
    HELD_BACK_FROM,
    Bounds,
    Pulse,
    crashes_in_a_row,
    delay_after,
    exit_code_of_all,
)
from runner.supervisor.process import WorkerProcess
from runner.supervisor.seat import unseal

log = logging.getLogger("mt5runner.supervisor")

_LOOK_EVERY = 0.2  # seconds
_LAST_LINES_WITHIN = 2.0  # seconds for what an ended worker had printed


@attrs.define
class Worker:
    """One account's worker.

    Attributes:
        account: The account id that the server knows.
        process: The running process; None between two starts.
        pulse: What is known of its life.
        due_at: Monotonic seconds of the next start.
        crashes: Crashes in a row.
        code: With which it ended for good; None while it is wanted.
    """

    account: str
    process: WorkerProcess | None = None
    pulse: Pulse = Pulse(0.0)  # noqa: RUF009 - frozen
    due_at: float = float("-inf")
    crashes: int = 0
    code: ExitCode | None = None


class Supervisor:
    """Keeps one worker per account alive.

    Args:
        accounts: Account ids.
        command: Makes a worker's command from its account.
        clock: Time and waiting.
        sign_of_life: Returns a number that changes while the worker of an account
            is at work; None before the first.
        in_flight: Returns name and call of the author's code that the worker of an
            account is in, or was in when it ended; None for none.
        on_line: Takes an account and a line that its worker printed.
        bounds: How long it waits for a worker.
    """

    def __init__(
        self,
        accounts: Sequence[str],
        *,
        command: Callable[[str], Sequence[str]],
        clock: Clock,
        sign_of_life: Callable[[str], float | None],
        in_flight: Callable[[str], tuple[str, str] | None] = lambda _: None,
        on_line: Callable[[str, bytes], None],
        bounds: Bounds,
    ) -> None:
        self._command = command
        self._clock = clock
        self._sign_of_life = sign_of_life
        self._in_flight = in_flight
        self._on_line = on_line
        self._bounds = bounds
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
        try:
            while not self._stopping and any(one.code is None for one in self.workers):
                for worker in self.workers:
                    if worker.code is None:
                        self._watch(worker, self._clock.monotonic())
                self._clock.wait(_LOOK_EVERY)
            self._stop_all()
        finally:
            # After a second Ctrl-C, or an error of this process's own: nobody is left
            # behind unwatched.
            for worker in self._running():
                log.critical("%s: killed", worker.account)
                self._kill(worker)
                worker.code = ExitCode.CRASHED
        codes = (one.code for one in self.workers)
        return exit_code_of_all(code for code in codes if code is not None)

    def _running(self) -> list[Worker]:
        return [one for one in self.workers if one.process is not None]

    def _watch(self, worker: Worker, now: float) -> None:
        if worker.process is None:
            if now >= worker.due_at:
                self._start(worker, now)
            return
        code = worker.process.poll()
        if code is None:
            worker.pulse = worker.pulse.see(self._sign_of_life(worker.account), now)
            silent = worker.pulse.silent_too_long(now, self._bounds)
            if silent is None:
                return
            log.critical(
                "%s: FROZEN: no sign of life for %.0f s%s; killed",
                worker.account,
                silent,
                self._inside(worker),
            )
            self._kill(worker)
            self._count_crash(worker, now, f"it was frozen{self._inside(worker)}")
            return
        self._let_go(worker)
        said = unseal(code)
        if said is None:
            where = self._inside(worker)
            self._count_crash(worker, now, f"it died with exit code {code}{where}")
            return
        if said not in FINAL:
            self._count_crash(worker, now, f"it ended with exit code {said}")
            return
        worker.code = said
        level = logging.INFO if said is ExitCode.DONE else logging.CRITICAL
        others = sum(one.code is None for one in self.workers)
        log.log(
            level,
            "%s: ended for good with exit code %d (%s); accounts that go on: %d",
            worker.account,
            said,
            said.name,
            others,
        )

    def _inside(self, worker: Worker) -> str:
        """Say in whose code a worker is, or was; nothing if it is in nobody's."""
        # Before its first sign of life it has not made its predecessor's mark its own.
        is_own = worker.pulse.changed_at is not None
        found = self._in_flight(worker.account) if is_own else None
        return "" if found is None else f" inside {found[1]} of {found[0]}"

    def _start(self, worker: Worker, now: float) -> None:
        account = worker.account
        worker.pulse = Pulse(now, self._sign_of_life(account))
        try:
            worker.process = WorkerProcess(
                self._command(account), lambda line: self._on_line(account, line)
            )
        except OSError as error:
            self._count_crash(worker, now, f"it could not be started: {error}")
            return
        log.info(
            "%s: started, pid %d, try %d",
            account,
            worker.process.pid,
            worker.crashes + 1,
        )

    def _kill(self, worker: Worker) -> None:
        if worker.process is not None:
            worker.process.kill()
        self._let_go(worker)

    def _let_go(self, worker: Worker) -> None:
        """Forget a process that has ended, once its last lines are in the log."""
        process, worker.process = worker.process, None
        if process is not None:
            process.last_lines(_LAST_LINES_WITHIN)

    def _count_crash(self, worker: Worker, now: float, what: str) -> None:
        lived = now - worker.pulse.started_at
        worker.crashes = crashes_in_a_row(worker.crashes, lived)
        delay = delay_after(worker.crashes)
        worker.due_at = now + delay
        if worker.crashes < HELD_BACK_FROM:
            log.error(
                "%s: %s; %d in a row, again in %.0f s",
                worker.account,
                what,
                worker.crashes,
                delay,
            )
        else:
            log.critical(
                "%s: HELD BACK for %.0f s: %s, for the %d. time in a row, each within "
                "%.0f s; nothing is traded meanwhile, and positions have only the "
                "stops that lie with the broker",
                worker.account,
                delay,
                what,
                worker.crashes,
                HEALTHY_AFTER,
            )

    def _stop_all(self) -> None:
        """Ask all at once, wait, kill those that do not stop."""
        for worker in self._running():
            if worker.process is not None:
                worker.process.ask_to_stop()
        deadline = self._clock.monotonic() + self._bounds.stop_within
        while self._running():
            for worker in self._running():
                self._look_whether_stopped(worker)
            if self._clock.monotonic() < deadline:
                # Not the process's own wait: on Windows no Ctrl-C would end that.
                self._clock.wait(_LOOK_EVERY)
                continue
            for worker in self._running():
                seconds = self._bounds.stop_within
                log.critical("%s: no stop in %.0f s; killed", worker.account, seconds)
                self._kill(worker)
                worker.code = ExitCode.CRASHED

    def _look_whether_stopped(self, worker: Worker) -> None:
        code = None if worker.process is None else worker.process.poll()
        if code is not None:
            said = unseal(code)
            worker.code = ExitCode.CRASHED if said is None else said
            self._let_go(worker)
            told = code if said is None else said
            log.info("%s: stopped, exit code %d", worker.account, told)
