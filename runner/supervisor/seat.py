"""What a worker is told by its supervisor, and how it shows that it is at work."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import attrs


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


def sign_of_life_file(state_dir: Path, account: str) -> Path:
    """Return the file that a worker touches while its loop is at work."""
    return state_dir / f"{account}.alive"
