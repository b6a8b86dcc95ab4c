"""Watches how much memory the process holds."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from runner.core.memory import MemoryState, megabytes, memory_state
from runner.ports import Clock

log = logging.getLogger("mt5runner.loop")

_EVERY = 1.0  # seconds between two readings


class MemoryWatch:
    """Reads the memory in use once a second and says when it is too much.

    Args:
        resident: Returns the bytes in use; None where the system does not tell.
        limit_mb: Megabytes from which on entries stop.
        clock: For the time between two readings.

    Attributes:
        state: What follows from the last reading.
        problem: Figures for a person while it is too much; empty otherwise.
    """

    def __init__(
        self, resident: Callable[[], int | None], limit_mb: int, clock: Clock
    ) -> None:
        self._resident = resident
        self._limit_mb = limit_mb
        self._clock = clock
        self._due_at = float("-inf")
        self.state = MemoryState.FINE
        self.problem = ""

    def look(self, running: Iterable[str]) -> None:
        """Read again when that is due.

        Args:
            running: Names of the strategies and plugins that run. Memory is the
                process's: whose it is cannot be told, so all are named.
        """
        now = self._clock.monotonic()
        if now < self._due_at:
            return
        self._due_at = now + _EVERY
        resident = self._resident()
        before, self.state = self.state, memory_state(resident, self._limit_mb)
        if resident is None or self.state is MemoryState.FINE:
            self.problem = ""
        else:
            self.problem = f"used={megabytes(resident)}MB limit={self._limit_mb}MB"
        if self.state is before:
            return
        if self.state is MemoryState.FINE:
            log.info("memory is below the limit again")
        else:
            names = ", ".join(running) or "no strategy"
            log.error("too much memory is in use: %s; running: %s", self.problem, names)
