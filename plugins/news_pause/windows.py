"""The windows of one symbol: merged, in order, quick to look into."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import attrs

from plugins.news_pause.events import EVERY_CURRENCY
from plugins.news_pause.settings import IMPACTS, NewsPauseSettings, Widths
from runner import NewsEvent


@attrs.frozen(slots=True)
class Window:
    """A time around news: from *start* on, no longer at *end*.

    Attributes:
        start: UTC-aware.
        end: UTC-aware.
        events: What it is about, in order of time.
    """

    start: datetime
    end: datetime
    events: tuple[NewsEvent, ...]

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
    """All windows of one kind in one symbol.

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

    def coming(self, now: datetime, most: int) -> Sequence[Window]:
        """Return the window that *now* is in and those after it, *most* in all."""
        index = bisect_right(self.starts, now) - (self.at(now) is not None)
        return self.windows[index : index + most]


@attrs.frozen(slots=True)
class Periods:
    """What holds when in one symbol.

    Attributes:
        entries: Entries stop.
        closing: Positions are closed or protected, unless *holding* holds too.
        cancelling: Pending orders are removed.
        holding: Nothing may be closed but by a risk exit.
    """

    entries: Windows
    closing: Windows
    cancelling: Windows
    holding: Windows


def periods_for(
    events: Iterable[NewsEvent], currencies: frozenset[str], settings: NewsPauseSettings
) -> Periods:
    """Return the periods that *events* make in a symbol.

    Args:
        events: Of the whole calendar.
        currencies: Whose news the symbol minds.
        settings: Widths, what happens, and which events count.
    """
    chosen = [
        (event, width)
        for event in _chosen(events, currencies, settings)
        if (width := _width(event.impact, settings.widths)) is not None
    ]
    acts = settings.closes or settings.cancel_pendings

    def windows(wanted: bool, before: _Minutes, after: _Minutes) -> Windows:
        return Windows.of(
            Window(start, end, (event,))
            for event, width in chosen
            if wanted
            if (start := event.at - timedelta(minutes=before(width)))
            < (end := event.ends_at + timedelta(minutes=after(width)))
        )

    def widest(width: Widths) -> float:
        # What is closed before entries stop would be opened again.
        return max(width.block_before, width.lead if acts else 0.0)

    def after(width: Widths) -> float:
        return width.block_after

    return Periods(
        entries=windows(True, widest, after),
        closing=windows(settings.closes, lambda width: width.lead, after),
        cancelling=windows(settings.cancel_pendings, widest, after),
        holding=windows(
            settings.rules.block_exits, lambda width: width.block_before, after
        ),
    )


_Minutes = Callable[[Widths], float]


def _chosen(
    events: Iterable[NewsEvent], currencies: frozenset[str], settings: NewsPauseSettings
) -> Iterator[NewsEvent]:
    include = [re.compile(text, re.IGNORECASE) for text in settings.include]
    exclude = [re.compile(text, re.IGNORECASE) for text in settings.exclude]
    # A word that the source did not use before counts as the worst.
    too_low = IMPACTS[IMPACTS.index(settings.all_events) + 1 :]
    for event in events:
        if event.currency == EVERY_CURRENCY:
            is_minded = event.impact not in too_low
        else:
            is_minded = EVERY_CURRENCY in currencies or event.currency in currencies
        if not is_minded or any(one.search(event.title) for one in exclude):
            continue
        if not include or any(one.search(event.title) for one in include):
            yield event


def _width(impact: str, widths: Mapping[str, Widths]) -> Widths | None:
    if impact in widths:
        return widths[impact]
    if impact in IMPACTS or not widths:
        return None
    # A word that the source did not use before is as bad as the worst known one.
    known = widths.values()
    return Widths(
        block_before=max(width.block_before for width in known),
        block_after=max(width.block_after for width in known),
        close_before=max(width.lead for width in known),
    )
