"""Owns an account before anything of it is read: its state here, its lease in Redis."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from runner.adapters.lock_file import LockFile
from runner.exit_codes import ExitCode
from runner.link import Link
from runner.loop.stop import StopRequest
from runner.ports import Clock, LeaseHolder, UnavailableError
from runner.settings import RunnerSettings, SettingsError

log = logging.getLogger("mt5runner.app")

_LOOK_EVERY = 0.2  # seconds between two looks at the wish to stop
_STANDBY_EVERY = 5.0  # seconds between tries to own the account
_Own = TypeVar("_Own", int | None, None)


class NotReadyError(Exception):
    """Something needed for the start is not to be had.

    Attributes:
        code: The exit code.
    """

    def __init__(self, code: ExitCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def take_state(
    settings: RunnerSettings,
    lock: LockFile,
    clock: Clock,
    stop: StopRequest,
    alive: Callable[[], None],
) -> None:
    """Be the only one of this machine that uses the account's state.

    Before anything of it is read: what another runner still changes would be old by the
    time at which the account is ours. It holds without Redis, too.

    Raises:
        NotReadyError: If another process uses it and is not to be waited for.
        SettingsError: If the state directory cannot be used.
    """
    folder = Path(settings.state_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _own(lock.take, settings, clock, stop, alive)
    except OSError as error:
        raise SettingsError(
            f"state_dir {folder}: {error.strerror}; name a folder that can be written "
            "to: --state-dir DIR"
        ) from None


def take_lease(
    settings: RunnerSettings,
    link: Link,
    clock: Clock,
    stop: StopRequest,
    alive: Callable[[], None],
) -> int | None:
    """Own the account wherever it is run from; without Redis nobody can be asked.

    Returns:
        The fencing number; None where there is no lease.

    Raises:
        NotReadyError: If another runner owns it and is not to be waited for.
    """
    try:
        return _own(link.acquire_lease, settings, clock, stop, alive)
    except UnavailableError as error:
        log.warning("nobody can be asked who owns the account: %s", error)
        return None


def _own(
    take: Callable[[], _Own | LeaseHolder],
    settings: RunnerSettings,
    clock: Clock,
    stop: StopRequest,
    alive: Callable[[], None],
) -> _Own:
    """Return what *take* gives as soon as nobody else has it, or give up."""
    told = False
    while isinstance(answer := take(), LeaseHolder):
        holder = f"{answer.host}, pid {answer.pid}" if answer.host else answer.session
        if not settings.standby:
            raise NotReadyError(
                ExitCode.OWNED,
                f"account {settings.accounts[0]} is owned by another runner "
                f"({holder}); stop that one, or wait for it with --standby",
            )
        if not told:
            log.info("standing by: the account is owned by %s", holder)
            told = True
        wait(clock, _STANDBY_EVERY, stop, alive)
    return answer


def wait(
    clock: Clock, seconds: float, stop: StopRequest, alive: Callable[[], None]
) -> None:
    """Wait *seconds*, at work all the while.

    Raises:
        NotReadyError: If the runner is told to stop meanwhile.
    """
    until = clock.monotonic() + seconds
    while clock.monotonic() < until:
        if stop.reason:
            raise NotReadyError(ExitCode.DONE, f"stopped while waiting: {stop.reason}")
        alive()
        clock.wait(_LOOK_EVERY)
