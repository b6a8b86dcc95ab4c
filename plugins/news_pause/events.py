"""A calendar's text into events; strict, since an empty calendar looks like no news."""

from __future__ import annotations

import csv
import io
import json
import zoneinfo
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any, cast

import attrs

EVERY_CURRENCY = "ALL"
_COLUMNS = ("date", "country", "impact", "title")
# The weekly feed's week goes from Sunday to Saturday in New York.
_NEW_YORK = zoneinfo.ZoneInfo("America/New_York")


class CalendarError(ValueError):
    """A text that is no calendar; says where and why."""


@attrs.frozen(slots=True)
class Event:
    """One scheduled piece of news.

    Attributes:
        at: UTC-aware.
        currency: Three capitals; `EVERY_CURRENCY` for all of them.
        impact: As the source states it.
        title: As the source states it.
    """

    at: datetime
    currency: str
    impact: str
    title: str


@attrs.frozen(slots=True)
class Calendar:
    """What is known about scheduled news.

    Attributes:
        events: In order of time, at least one.
        since: Start of the first event's week, UTC-aware.
        until: End of the last event's week, UTC-aware. Outside of both, no event
            means that nobody knows.
    """

    events: tuple[Event, ...]
    since: datetime
    until: datetime

    @classmethod
    def of(cls, events: Iterable[Event]) -> Calendar:
        """Make a calendar of *events*.

        Raises:
            CalendarError: If there are none.
        """
        ordered = tuple(sorted(events, key=lambda event: event.at))
        if not ordered:
            raise CalendarError("holds no events")
        return cls(ordered, _sunday(ordered[0].at, 0), _sunday(ordered[-1].at, 1))


def _sunday(at: datetime, weeks: int) -> datetime:
    day = at.astimezone(_NEW_YORK).date()
    sunday = day - timedelta(days=(day.weekday() + 1) % 7 - 7 * weeks)
    return datetime.combine(sunday, time(), _NEW_YORK).astimezone(UTC)


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
        return Calendar.of(_event(f"$[{i}]", row) for i, row in _json_rows(text))
    if name.lower().endswith(".csv"):
        return Calendar.of(_event(f"line {i}", row) for i, row in _csv_rows(text))
    raise CalendarError("its name must end in .json, .csv, .json.gz or .csv.gz")


def _json_rows(text: str) -> Iterable[tuple[int, Mapping[str, Any]]]:
    try:
        rows: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise CalendarError(f"expected JSON, got {text[:40]!r}") from None
    if not isinstance(rows, list):
        raise CalendarError(f"expected a list of events, got {text[:40]!r}")
    for index, row in enumerate(cast("list[object]", rows)):
        if not isinstance(row, dict):
            raise CalendarError(f"$[{index}]: expected an event, got {row!r}")
        yield index, cast("Mapping[str, Any]", row)


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


def _event(where: str, row: Mapping[str, Any]) -> Event:
    texts: dict[str, str] = {}
    for column in _COLUMNS:
        value = row.get(column)
        if not isinstance(value, str) or not value.strip():
            raise CalendarError(f"{where}.{column}: expected a text, got {value!r}")
        texts[column] = value.strip()
    try:
        at = datetime.fromisoformat(texts["date"])
    except ValueError:
        at = None
    if at is None or at.utcoffset() is None:
        raise CalendarError(
            f"{where}.date: expected an ISO 8601 time with an offset, "
            f"got {texts['date']!r}"
        )
    return Event(
        at.astimezone(UTC), texts["country"].upper(), texts["impact"], texts["title"]
    )
