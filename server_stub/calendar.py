"""The calendar of scheduled news: what it may hold, all errors at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

from runner.wire.times import write_time
from server_stub.changes import RefusedError
from server_stub.checks import Check, fields, got, one_of, text

IMPACTS = ("High", "Medium", "Low", "Holiday")
MOST_EVENTS = 20_000
_FORMER = ("forecast", "previous")  # of the weekly feed's rows; nobody needs them here


def _moment(path: str, value: Any) -> Iterator[str]:
    try:
        aware = datetime.fromisoformat(value).utcoffset() is not None
    except (TypeError, ValueError):
        aware = False
    if not aware:
        yield (
            f"{path}: must be an ISO 8601 time with an offset, such as "
            f"2025-04-04T08:30:00-04:00, got {got(value)}"
        )


_EVENT: Check = fields(
    {
        "date": _moment,
        "country": text(length=3, empty=False),
        "impact": one_of(*IMPACTS),
        "title": text(empty=False),
    }
)


def read_events(value: Any, path: str) -> list[dict[str, str]]:
    """Return the events to store, in order of time, their times in UTC.

    Args:
        value: A list of objects with ``date``, ``country``, ``impact``, ``title``; the
            weekly feed's ``forecast`` and ``previous`` may stand there and are dropped.
        path: Where the list stands.

    Raises:
        RefusedError: With everything wrong in it.
    """
    if not isinstance(value, list):
        raise RefusedError([f"{path}: must be a list of events, got {got(value)}"])
    sent = cast("list[object]", value)
    if len(sent) > MOST_EVENTS:
        raise RefusedError([f"{path}: must have at most {MOST_EVENTS} events"])
    kept = [_without_former(one) for one in sent]
    errors = [
        line
        for index, one in enumerate(kept)
        for line in _EVENT(f"{path}[{index}]", one)
    ]
    if errors:
        raise RefusedError(errors)
    return sorted(
        (
            {
                **one,
                "date": write_time(datetime.fromisoformat(one["date"]).astimezone(UTC)),
            }
            for one in kept
        ),
        key=lambda one: one["date"],
    )


def _without_former(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    members = cast("dict[str, Any]", value)
    return {name: inner for name, inner in members.items() if name not in _FORMER}
