"""The machine's own clock: the only place that reads it."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class SystemClock:
    """Wall-clock time, monotonic time and waiting."""

    def now(self) -> datetime:
        """Return the present time, UTC-aware."""
        return datetime.now(UTC)  # noqa: TID251 - this is the clock

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start; never goes back."""
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """Wait *seconds*; not at all for zero and less."""
        # Not an event's wait: on Windows, Ctrl-C ends a sleep but not that.
        if seconds > 0:
            time.sleep(seconds)  # noqa: TID251 - this is the clock
