"""How much memory is too much: first entries stop, then the process is made anew."""

from __future__ import annotations

import enum

_MEGABYTE = 1 << 20
_FAR = 1.5  # times the limit


class MemoryState(enum.Enum):
    """What follows from the memory in use."""

    FINE = "fine"
    """Nothing."""
    OVER = "over"
    """Entries stop: whoever takes memory without end takes positions along."""
    FAR_OVER = "far over"
    """The process ends cleanly, to be started again, before the system kills it."""


def memory_state(resident: int | None, limit_mb: int) -> MemoryState:
    """Judge the memory in use.

    Args:
        resident: Bytes; None where the system does not tell.
        limit_mb: Megabytes (of 2**20 bytes) from which on entries stop.

    Returns:
        FINE where nothing is known: a runner that stopped trading on a system that
        tells nothing would never trade there.
    """
    if resident is None or resident < limit_mb * _MEGABYTE:
        return MemoryState.FINE
    if resident < limit_mb * _MEGABYTE * _FAR:
        return MemoryState.OVER
    return MemoryState.FAR_OVER


def megabytes(resident: int) -> int:
    """Return bytes as whole megabytes, for people."""
    return resident // _MEGABYTE
