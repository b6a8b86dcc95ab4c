"""What a worker is told by its supervisor, and how it shows that it is at work."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import attrs

from runner.exit_codes import ExitCode

_SEAL = 160
"""Added to what a worker says; hardly anything else ends a process with such a code."""


@attrs.frozen
class Seat:
    """A worker's place under a supervisor.

    Attributes:
        account: The worker's account id.
        mark: The same for every worker that this supervisor starts for the account;
            there is never more than one at a time, so a lease that bears the mark is
            a dead predecessor's.
        among: Accounts that the supervisor runs.
    """

    account: str
    mark: str
    among: int

    @classmethod
    def parse(cls, words: Sequence[str]) -> Seat:
        """Read the three words that follow ``--worker``."""
        account, mark, among = words
        return cls(account, mark, int(among))


def worker_command(words: Sequence[str], seat: Seat) -> list[str]:
    """Turn a supervisor's command line into one worker's.

    Args:
        words: The command line after the program's name.
        seat: The worker's place; it goes before any account that *words* name.

    Returns:
        Program and arguments.
    """
    place = ["--worker", seat.account, seat.mark, str(seat.among)]
    return [sys.executable, "-P", "-m", "runner", *words, *place]


def seal(code: int) -> int:
    """Return the exit code with which a worker tells its supervisor *code*.

    A process can end with 0 or 3 without any wish of the runner's: a strategy calls
    `os._exit`, a library aborts (which is 3 on Windows). Such an account must be
    started again, so what the runner itself says is told apart.
    """
    return _SEAL + code


def unseal(code: int) -> ExitCode | None:
    """Return what a worker said with its exit code; None if the runner did not end it.

    Args:
        code: As the operating system gives it.
    """
    try:
        return ExitCode(code - _SEAL)
    except ValueError:
        return None


def sign_of_life_file(state_dir: Path, account: str) -> Path:
    """Return the file that a worker touches while its loop is at work."""
    return state_dir / f"{account}.alive"


def in_flight_file(state_dir: Path, account: str) -> Path:
    """Return the file in which a worker shows what of an author's it is calling."""
    return state_dir / f"{account}.in-flight"
