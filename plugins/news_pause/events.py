"""A calendar's text into events; strict, since an empty calendar looks like no news."""

from __future__ import annotations

import csv
import io
import json
import re
import zoneinfo
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any, cast

import attrs

from runner import NewsEvent

EVERY_CURRENCY = "ALL"
_COLUMNS = ("date", "country", "impact", "title")
# The weekly feed's week goes from Sunday to Saturday in New York.
_NEW_YORK = zoneinfo.ZoneInfo("America/New_York")
_DAY_ALONE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class CalendarError(ValueError):
    """A text that is no calendar; says where and why."""


@attrs.frozen(slots=True)
class Calendar:
    """What is known about scheduled news.

    Attributes:
        events: In order of time, at least one.
        since: Start of the first event's week, UTC-aware.
        until: End of the last event's week, UTC-aware. Outside of both, no event
            means that nobody knows.
    """

    events: tuple[NewsEvent, ...]
    since: datetime
    until: datetime

    @classmethod
    def of(cls, events: Iterable[NewsEvent]) -> Calendar:
        """Make a calendar of *events*.

        Raises:
            CalendarError: If there are none.
        """
        ordered = tuple(sorted(events, key=lambda event: event.at))
        if not ordered:
            raise CalendarError("holds no events")
        return cls(ordered, _sunday(ordered[0].at, 0), _sunday(ordered[-1].at, 1))

    def knows(
        self,
        now: datetime,
        before: timedelta = timedelta(),
        after: timedelta = timedelta(),
    ) -> bool:
        """Say whether no event at *now* (UTC-aware) means that there is none.

        Args:
            now: The time in question.
            before: How long before an event it counts: what comes within that time
                has to be known, too.
            after: How long after it.
        """
        return self.since + after <= now < self.until - before

    def following(self, former: Calendar) -> Calendar:
        """Return this calendar with the week before it, which *former* may know.

        Where the two do not adjoin, nobody knows what was between them, and this one
        stays alone.
        """
        if former.until != self.since:
            return self
        return Calendar.of([*former.events, *self.events])

    def reach(self) -> str:
        """Return the days that it covers, the last one not included."""
        return f"{self.since:%Y-%m-%d} to {self.until:%Y-%m-%d}"

    def rows(self) -> list[dict[str, str]]:
        """Return the events as JSON rows that `from_rows` reads."""
        return [
            {
                "date": _date(event),
                "country": event.currency,
                "impact": event.impact,
                "title": event.title,
            }
            for event in self.events
        ]


def _sunday(at: datetime, weeks: int) -> datetime:
    day = at.astimezone(_NEW_YORK).date()
    sunday = day - timedelta(days=(day.weekday() + 1) % 7 - 7 * weeks)
    return datetime.combine(sunday, time(), _NEW_YORK).astimezone(UTC)


def _date(event: NewsEvent) -> str:
    if event.lasts:
        return f"{event.at.astimezone(_NEW_YORK):%Y-%m-%d}"
    return event.at.isoformat()


def parse(name: str, text: str) -> Calendar:
    """Read a calendar.

    Args:
        name: The file's name without ``.gz``; ``.json`` or ``.csv`` says the format.
        text: Its content.

    Raises:
        CalendarError: If any of it cannot be read, or there is nothing in it. One bad
            row refuses all: which events it hides cannot be known.
    """
    if name.lower().endswith(".json"):
        try:
            rows: Any = json.loads(text)
        except (ValueError, RecursionError):
            raise CalendarError(f"expected JSON, got {text[:40]!r}") from None
        return from_rows(rows)
    if name.lower().endswith(".csv"):
        return Calendar.of(_event(f"line {i}", row) for i, row in _csv_rows(text))
    raise CalendarError("its name must end in .json, .csv, .json.gz or .csv.gz")


def from_rows(rows: object, path: str = "$") -> Calendar:
    """Read a calendar from the rows of the weekly feed's JSON.

    Args:
        rows: What the JSON text stands for.
        path: Where that stood, for errors.

    Raises:
        CalendarError: As `parse` does.
    """
    if not isinstance(rows, list):
        raise CalendarError(f"{path}: expected a list of events, got {_shown(rows)}")
    events: list[NewsEvent] = []
    for index, row in enumerate(cast("list[object]", rows)):
        if not isinstance(row, dict):
            raise CalendarError(
                f"{path}[{index}]: expected an event, got {_shown(row)}"
            )
        events.append(_event(f"{path}[{index}]", cast("Mapping[str, Any]", row)))
    return Calendar.of(events)


def _shown(value: object) -> str:
    return repr(value)[:40]


def _csv_rows(text: str) -> Iterable[tuple[int, Mapping[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text), strict=True)
    try:
        missing = set(_COLUMNS) - set(reader.fieldnames or ())
        if missing:
            raise CalendarError(
                f"expected the columns {', '.join(_COLUMNS)}; "
                f"{', '.join(sorted(missing))} not found in {text[:40]!r}"
            )
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise CalendarError(f"line {reader.line_num}: {error}") from None


def _event(where: str, row: Mapping[str, Any]) -> NewsEvent:
    texts: dict[str, str] = {}
    for column in _COLUMNS:
        value = row.get(column)
        if not isinstance(value, str) or not value.strip():
            raise CalendarError(f"{where}.{column}: expected a text, got {value!r}")
        texts[column] = value.strip()
    at, lasts = _when(where, texts["date"])
    return NewsEvent(
        at, texts["country"].upper(), texts["impact"], texts["title"], lasts
    )


def _when(where: str, text: str) -> tuple[datetime, timedelta]:
    try:
        at = datetime.fromisoformat(text)
        if _DAY_ALONE.fullmatch(text):
            # "All Day" and "Tentative": nobody knows when, so the whole day counts.
            begin = at.replace(tzinfo=_NEW_YORK)
            end = begin + timedelta(days=1)
            return begin.astimezone(UTC), end.astimezone(UTC) - begin.astimezone(UTC)
        if at.utcoffset() is not None:
            return at.astimezone(UTC), timedelta()
    except (ValueError, OverflowError):
        pass
    raise CalendarError(
        f"{where}.date: expected an ISO 8601 time with an offset, or a day alone, "
        f"got {text!r}"
    )
