"""Asks plugins for scheduled news, and tells all plugins what is new."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from runner.core.news import NewsEvent
from runner.host.manager import PluginHost
from runner.ports import Clock

_EVERY = 10.0  # seconds between two questions


class Calendars:
    """Keeps what plugins know about scheduled news.

    Args:
        host: Asks and tells the plugins.
        clock: For the time between questions.
    """

    def __init__(self, host: PluginHost, clock: Clock) -> None:
        self._host = host
        self._clock = clock
        self._due = clock.monotonic()
        self._told: Sequence[NewsEvent] | None = None

    def look(self, now: datetime) -> None:
        """Ask if it is time to; tell what differs from what was told before.

        Args:
            now: The market's time, UTC-aware.
        """
        if self._clock.monotonic() < self._due:
            return
        self._due = self._clock.monotonic() + _EVERY
        events = self._host.choose_calendar(now=now)
        # None is no opinion: it takes nothing back.
        if events is not None and events != self._told:
            self._told = events
            self._host.on_calendar_changed(events=events, now=now)
