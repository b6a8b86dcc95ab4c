"""When positions may be opened, and that none is held over the weekend."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, time
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

from runner import (
    Demand,
    Deny,
    PendingOrder,
    Plugin,
    PluginSettings,
    Position,
    SymbolSpec,
    hookimpl,
)

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_ANY = "*"  # instead of a symbol: those that are not named
_DAY = 24 * 60  # minutes
_WEEK = 7 * _DAY
_FRIDAY, _SUNDAY = 4, 6
_NO_HOURS: Mapping[str, tuple[str, ...]] = MappingProxyType({})
_TIME = r"([01]\d|2[0-4]):([0-5]\d)"
_HOURS = re.compile(rf"({'|'.join(DAYS)})(?:-({'|'.join(DAYS)}))? {_TIME}-{_TIME}")


@attrs.frozen(slots=True)
class Span:
    """A part of the week, in minutes from Monday 00:00; the end is not included.

    Attributes:
        begin: From 0 on.
        end: May lie in the next week.
    """

    begin: int
    end: int

    def has(self, minute: int) -> bool:
        """Say whether a minute of the week lies in it."""
        return self.begin <= minute < self.end or minute + _WEEK < self.end


def parse_hours(text: str) -> list[Span]:
    """Read ``Mon-Fri 08:00-17:00``: these hours on each of these days.

    Hours that end at or before they begin end on the next day; days that end before
    they begin go over the weekend.

    Raises:
        ValueError: If it is written otherwise.
    """
    found = _HOURS.fullmatch(text)
    if found is None:
        raise ValueError(
            f"expected days and hours as in 'Mon-Fri 08:00-17:00': {text!r}"
        )
    first, last = DAYS.index(found[1]), DAYS.index(found[2] or found[1])
    begin, end = (60 * int(found[n]) + int(found[n + 1]) for n in (3, 5))
    if begin >= _DAY or end > _DAY:
        raise ValueError(f"expected hours up to 24:00, got {text!r}")
    length = (end - begin) % _DAY or _DAY
    days = range(first, first + (last - first) % len(DAYS) + 1)
    begins = (day % len(DAYS) * _DAY + begin for day in days)
    return [Span(minute, minute + length) for minute in begins]


def _are_hours(
    settings: TradingHoursSettings,
    attribute: attrs.Attribute[Any],
    value: Mapping[str, tuple[str, ...]],
) -> None:
    for symbol, hours in value.items():
        for text in hours:
            try:
                parse_hours(text)
            except ValueError as error:
                raise ValueError(f"{attribute.name}.{symbol}: {error}") from None


def _is_zone(settings: object, attribute: attrs.Attribute[Any], value: str) -> None:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"{attribute.name}: expected an IANA zone such as Europe/London, "
            f"got {value!r}"
        ) from None


def _is_time(
    settings: object, attribute: attrs.Attribute[Any], value: str | None
) -> None:
    if value is not None and not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
        raise ValueError(
            f"{attribute.name}: expected a time as in 16:30, got {value!r}"
        )


@attrs.frozen(kw_only=True)
class TradingHoursSettings(PluginSettings):
    """Settings of the trading hours.

    Attributes:
        zone: IANA zone of every time here.
        hours: Symbol, or ``*`` for the others, to the hours in which positions may be
            opened. A symbol without hours may always be.
        friday_stop: Time on Friday from which nothing is opened; None for no end.
        friday_close: Time on Friday from which the runner's positions are closed and
            its pending orders cancelled; None leaves them.
        sunday_start: Time on Sunday at which the weekend is over.
        no_weekend: Symbols that trade through the weekend.
    """

    zone: str = attrs.field(default="America/New_York", validator=_is_zone)
    hours: Mapping[str, tuple[str, ...]] = attrs.field(
        default=_NO_HOURS, validator=_are_hours
    )
    friday_stop: str | None = attrs.field(default=None, validator=_is_time)
    friday_close: str | None = attrs.field(default=None, validator=_is_time)
    sunday_start: str = attrs.field(default="17:00", validator=_is_time)
    no_weekend: tuple[str, ...] = ()


def minute_of_week(local: datetime) -> int:
    """Return the minutes from Monday 00:00 on a wall clock."""
    return local.weekday() * _DAY + local.hour * 60 + local.minute


def weekend(friday: str, sunday: str) -> Span:
    """Return the span from a time on Friday to one on Sunday."""
    begin, end = time.fromisoformat(friday), time.fromisoformat(sunday)
    return Span(
        _FRIDAY * _DAY + begin.hour * 60 + begin.minute,
        _SUNDAY * _DAY + end.hour * 60 + end.minute,
    )


def is_inside(spans: Iterable[Span], local: datetime) -> bool:
    """Say whether a wall-clock time lies in any of *spans*."""
    minute = minute_of_week(local)
    return any(span.has(minute) for span in spans)


class TradingHours(Plugin):
    """Denies entries outside of the hours; ends the week in time."""

    Settings = TradingHoursSettings
    settings: TradingHoursSettings

    @hookimpl
    def check_symbol(self, symbol: SymbolSpec, now: datetime) -> Deny | None:
        """Deny entries at the weekend and outside of the symbol's hours."""
        local = self._local(now)
        stops = [self.settings.friday_stop, self.settings.friday_close]
        begins = min((one for one in stops if one is not None), default=None)
        if self._is_weekend(symbol.name, begins, local):
            return Deny("WEEKEND", f"{local:%a %H:%M} until={self._until}")
        named = self.settings.hours
        hours = named.get(symbol.name, named.get(_ANY))
        if hours is None:
            return None
        spans = [span for text in hours for span in parse_hours(text)]
        if is_inside(spans, local):
            return None
        return Deny("OUTSIDE_HOURS", f"{local:%a %H:%M} hours={', '.join(hours)}")

    @hookimpl
    def demand_exits(
        self,
        positions: Sequence[Position],
        orders: Sequence[PendingOrder],
        magics: Collection[int],
        now: datetime,
    ) -> Demand | None:
        """Close what the runner opened before the market does."""
        begins, local = self.settings.friday_close, self._local(now)
        if begins is None:
            return None
        close, cancel = (
            tuple(
                one.ticket
                for one in some
                if one.magic in magics and self._is_weekend(one.symbol, begins, local)
            )
            for some in (positions, orders)
        )
        if not close and not cancel:
            return None
        return Demand(
            code="WEEKEND", detail=f"{local:%a %H:%M}", close=close, cancel=cancel
        )

    @property
    def _until(self) -> str:
        return f"Sun {self.settings.sunday_start}"

    def _local(self, now: datetime) -> datetime:
        return now.astimezone(ZoneInfo(self.settings.zone))

    def _is_weekend(self, symbol: str, begins: str | None, local: datetime) -> bool:
        if begins is None or symbol in self.settings.no_weekend:
            return False
        return is_inside([weekend(begins, self.settings.sunday_start)], local)
