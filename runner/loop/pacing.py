"""Lets a recorded market go on at a multiple of wall time, or as fast as it can."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from runner.ports import Clock


class Tape(Protocol):
    """A feed that is played into the simulated terminal, phase by phase."""

    @property
    def next_at(self) -> datetime | None:
        """Market time of the next phase, UTC-aware; None when the feed has ended."""
        ...

    def advance(self) -> bool:
        """Play the next phase; False when the feed has ended."""
        ...


class Pacer:
    """Plays a tape; fulfils `runner.loop.settings.Player`.

    One phase a call: what follows from a phase is decided before the next one comes,
    however fast the market is played.

    Args:
        tape: What is played.
        clock: Wall time.
        speed: Market seconds per second; 0 for as fast as it can.
    """

    def __init__(self, tape: Tape, clock: Clock, speed: float) -> None:
        self._tape = tape
        self._clock = clock
        self._speed = speed
        self._began: tuple[float, datetime] | None = None

    def play(self) -> bool:
        """Play the next phase if it is due; False when the feed has ended."""
        if self.pause() > 0:
            return True
        return self._tape.advance()

    def pause(self) -> float:
        """Return the seconds until the next phase is due; 0.0 if it is."""
        next_at = self._tape.next_at
        if self._speed == 0 or next_at is None:
            return 0.0
        if self._began is None:
            self._began = (self._clock.monotonic(), next_at)
        began, first = self._began
        due = began + (next_at - first).total_seconds() / self._speed
        return max(0.0, due - self._clock.monotonic())
