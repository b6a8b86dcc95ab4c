"""When a symbol is traded: a week of sessions on the server's wall clock.

The real module shows no sessions to Python; what a bot sees of them is the answer
10018 outside of them. The tables that brokers keep for currencies and for metals are
here; a symbols file may give others.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable, Mapping
from typing import Final, cast

import attrs

DAYS: Final = (
    "sunday",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
)
"""Names of the days, in MetaTrader's order of the week."""

_DAY: Final = 86_400
_WEEK: Final = 7 * _DAY
_FIRST_SUNDAY: Final = 3 * _DAY
"""1970-01-04."""
_TIME: Final = r"([01]\d|2[0-4]):([0-5]\d)"
_SESSION: Final = re.compile(f"{_TIME}-{_TIME}")


@attrs.frozen(slots=True)
class Sessions:
    """The times of a week at which a symbol is traded.

    Attributes:
        starts: When each session begins, in seconds since Sunday 00:00, in order.
        ends: When each of them is over; that second belongs to it no more.
    """

    starts: tuple[int, ...]
    ends: tuple[int, ...]

    @classmethod
    def of(cls, spans: Iterable[tuple[int, int]]) -> Sessions:
        """Make them of beginnings and ends; those that touch become one."""
        joined: list[tuple[int, int]] = []
        for start, end in sorted(spans):
            if joined and start <= joined[-1][1]:
                first, last = joined.pop()
                joined.append((first, max(last, end)))
            else:
                joined.append((start, end))
        return cls(tuple(start for start, _ in joined), tuple(end for _, end in joined))

    def are_open(self, time: int) -> bool:
        """Say whether the symbol is traded.

        Args:
            time: Seconds of the server's wall clock.
        """
        since = (time - _FIRST_SUNDAY) % _WEEK
        index = bisect.bisect_right(self.starts, since) - 1
        return index >= 0 and since < self.ends[index]

    def are_open_between(self, first: int, last: int) -> bool:
        """Say whether the symbol is traded at any time from *first* to *last*.

        Args:
            first: Seconds of the server's wall clock.
            last: Seconds of the server's wall clock, not before *first*; included.
        """
        if self.are_open(first):
            return True
        since = (first - _FIRST_SUNDAY) % _WEEK
        return any((start - since) % _WEEK <= last - first for start in self.starts)


def read_sessions(path: str, value: object, faults: list[str]) -> Sessions:
    """Read sessions a day, such as ``{"monday": ["01:00-23:55"]}``.

    A day that is missing has none; ``24:00`` is the day's end.

    Args:
        path: Where in the symbols file they are.
        value: What is there.
        faults: Takes what is wrong with them.
    """
    if not isinstance(value, Mapping):
        faults.append(f"{path}: expected days with their sessions, got {value!r}")
        return Sessions.of(())
    spans: list[tuple[int, int]] = []
    for day, texts in cast("Mapping[str, object]", value).items():
        if day not in DAYS:
            faults.append(f"{path}.{day}: expected one of {', '.join(DAYS)}")
        elif not isinstance(texts, list):
            faults.append(f"{path}.{day}: expected a list of sessions, got {texts!r}")
        else:
            begins = DAYS.index(day) * _DAY
            for number, text in enumerate(cast("list[object]", texts)):
                span = _span(text)
                if span is None:
                    faults.append(
                        f"{path}.{day}[{number}]: expected a session such as "
                        f"01:00-23:55, got {text!r}"
                    )
                else:
                    spans.append((begins + span[0], begins + span[1]))
    return Sessions.of(spans)


def _span(text: object) -> tuple[int, int] | None:
    match = _SESSION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    hours, minutes, last_hours, last_minutes = map(int, match.groups())
    start, end = (hours * 60 + minutes) * 60, (last_hours * 60 + last_minutes) * 60
    return (start, end) if start < end <= _DAY else None


def _working_days(first: int) -> Sessions:
    return Sessions.of((day * _DAY + first, (day + 1) * _DAY) for day in range(1, 6))


USUAL: Final[Mapping[str, Sessions]] = {
    "Forex": _working_days(0),
    "Metals": _working_days(3600),
    "Indices": _working_days(3600),
}
"""Sessions by the folder of a symbol's path, where the server's midnight is 17:00 in
New York: pairs from Monday 00:00 to Friday 24:00; metals and indices not in the first
hour of a day. Symbols of other folders are always traded."""
