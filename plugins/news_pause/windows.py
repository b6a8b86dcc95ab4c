"""The windows of one symbol: merged, in order, quick to look into."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import attrs

from plugins.news_pause.events import EVERY_CURRENCY, Event
from plugins.news_pause.settings import IMPACTS, NewsPauseSettings


@attrs.frozen(slots=True)
class Window:
    """A time in which entries stop: from *start* on, no longer at *end*.

    Attributes:
        start: UTC-aware.
        end: UTC-aware.
        events: What it is about, in order of time.
    """

    start: datetime
    end: datetime
    events: tuple[Event, ...]

    def __str__(self) -> str:
        """Return the first event and until when, on one line."""
        event, more = self.events[0], len(self.events) - 1
        others = f" and {more} more" if more else ""
        return (
            f"event={event.currency} {event.title}{others} "
            f"at={event.at:%Y-%m-%dT%H:%MZ} until={self.end:%Y-%m-%dT%H:%MZ}"
        )


@attrs.frozen(slots=True)
class Windows:
    """All windows of one symbol.

    Attributes:
        windows: In order of time, none overlapping another.
        starts: Their starts.
    """

    windows: tuple[Window, ...]
    starts: tuple[datetime, ...]

    @classmethod
    def of(cls, windows: Iterable[Window]) -> Windows:
        """Merge *windows* that overlap or touch."""
        merged: list[Window] = []
        for window in sorted(windows, key=lambda one: one.start):
            last = merged[-1] if merged else None
            if last is None or window.start > last.end:
                merged.append(window)
            else:
                end = max(last.end, window.end)
                merged[-1] = Window(last.start, end, last.events + window.events)
        return cls(tuple(merged), tuple(window.start for window in merged))

    def at(self, now: datetime) -> Window | None:
        """Return the window that *now* is in, or None."""
        index = bisect_right(self.starts, now) - 1
        if index >= 0 and now < self.windows[index].end:
            return self.windows[index]
        return None

    def following(self, now: datetime) -> Window | None:
        """Return the first window that starts after *now*, or None."""
        index = bisect_right(self.starts, now)
        return self.windows[index] if index < len(self.windows) else None


def windows_for(
    events: Iterable[Event], currencies: frozenset[str], settings: NewsPauseSettings
) -> Windows:
    """Return the windows that *events* make in a symbol.

    Args:
        events: Of the whole calendar.
        currencies: Whose news the symbol minds.
        settings: Widths, and titles that count or do not.
    """
    include = [re.compile(text, re.IGNORECASE) for text in settings.include]
    exclude = [re.compile(text, re.IGNORECASE) for text in settings.exclude]
    minds_all = EVERY_CURRENCY in currencies
    return Windows.of(
        Window(event.at - before, event.at + after, (event,))
        for event in events
        if minds_all or event.currency in currencies or event.currency == EVERY_CURRENCY
        if (width := _width(event.impact, settings.windows)) is not None
        if not include or any(pattern.search(event.title) for pattern in include)
        if not any(pattern.search(event.title) for pattern in exclude)
        for before, after in [width]
    )


def summary(windows: Mapping[str, Windows], now: datetime) -> dict[str, Any]:
    """Say what holds now, or what comes next, for the heartbeat.

    Args:
        windows: Symbol to its windows.
        now: The market's time, UTC-aware.

    Returns:
        A JSON value whose ``state`` is BLOCKED or CLEAR.
    """
    held = {
        name: window
        for name, of_symbol in windows.items()
        if (window := of_symbol.at(now)) is not None
    }
    if held:
        first = min(held.values(), key=lambda window: window.end)
        return {
            "state": "BLOCKED",
            "event": f"{first.events[0].currency} {first.events[0].title}",
            "until": f"{first.end:%Y-%m-%dT%H:%M:%SZ}",
            "symbols": sorted(held),
        }
    coming = [
        window
        for of_symbol in windows.values()
        if (window := of_symbol.following(now)) is not None
    ]
    if not coming:
        return {"state": "CLEAR"}
    first = min(coming, key=lambda window: window.start)
    return {
        "state": "CLEAR",
        "next_event": f"{first.events[0].currency} {first.events[0].title}",
        "next_from": f"{first.start:%Y-%m-%dT%H:%M:%SZ}",
    }


def _width(
    impact: str, windows: Mapping[str, tuple[float, float]]
) -> tuple[timedelta, timedelta] | None:
    if impact in windows:
        minutes = windows[impact]
    elif impact in IMPACTS or not windows:
        return None
    else:
        # A word that the source did not use before is as bad as the worst known one.
        minutes = (
            max(before for before, _ in windows.values()),
            max(after for _, after in windows.values()),
        )
    return timedelta(minutes=minutes[0]), timedelta(minutes=minutes[1])
