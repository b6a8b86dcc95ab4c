"""Shows a supervisor in another process that this one is at work."""

from __future__ import annotations

import logging
from pathlib import Path

from runner.ports import Clock

log = logging.getLogger("mt5runner.app")

_EVERY = 1.0  # seconds between two signs


class SignOfLife:
    """Touches a file; whoever waits for the terminal or hangs in it cannot.

    Args:
        file: The file that the supervisor looks at.
        clock: For the time between two signs.
    """

    def __init__(self, file: Path, clock: Clock) -> None:
        self._file = file
        self._clock = clock
        self._due_at = float("-inf")
        self._failed = False

    def show(self) -> None:
        """Show it, at most once a second; a file that cannot be written is told."""
        now = self._clock.monotonic()
        if now < self._due_at:
            return
        self._due_at = now + _EVERY
        try:
            self._file.touch()
            self._failed = False
        except OSError as error:
            if not self._failed:
                log.error("no sign of life can be shown: %s", error)  # noqa: TRY400 - the message says it all
            self._failed = True
