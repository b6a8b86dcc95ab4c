"""The trade server's wall clock, in which MetaTrader writes every time.

MetaTrader counts its times in seconds since 1970 as if the server's wall clock were
UTC. Most servers follow New York shifted by 7 hours, so that the trading day ends at
17:00 in New York: GMT+2 in winter and GMT+3 in summer, changing on American dates.
Therefore a zone and a shift are kept, never a number of hours.
"""

from __future__ import annotations

import functools
import re
import zoneinfo
from datetime import UTC, datetime, timedelta

import attrs

_DAY = 86_400
_BLOCK = 900
"""Seconds; no zone changes its offset inside a quarter of an hour."""
_SHIFTED = re.compile(
    r"(?P<zone>.+?)(?P<sign>[+-])(?P<hours>\d{1,2})(:(?P<minutes>\d\d))?"
)


@attrs.frozen(slots=True)
class ServerZone:
    """An IANA zone and a shift of its wall clock.

    Attributes:
        zone: Such as ``America/New_York``.
        shift: Added to the zone's wall clock.
    """

    zone: zoneinfo.ZoneInfo
    shift: timedelta = timedelta(0)

    @classmethod
    def parse(cls, text: str) -> ServerZone:
        """Read ``America/New_York+7``, ``Europe/Athens``, ``UTC+3``, ``UTC-3:30``.

        Args:
            text: An IANA name, with hours (and minutes) to add to its wall clock.

        Raises:
            ValueError: If there is no such zone, or it does not read like one.
        """
        zone = _zone(text)
        if zone is not None:
            return cls(zone)
        match = _SHIFTED.fullmatch(text)
        zone = _zone(match["zone"]) if match else None
        if match is None or zone is None:
            raise ValueError(
                f"server timezone: expected an IANA name with hours to add, such as "
                f"America/New_York+7 or UTC+3, got {text!r}"
            )
        shift = timedelta(hours=int(match["hours"]), minutes=int(match["minutes"] or 0))
        return cls(zone, -shift if match["sign"] == "-" else shift)

    def offset_at(self, utc: int) -> int:
        """Return how many seconds the wall clock is ahead of UTC.

        Args:
            utc: Seconds since 1970, UTC.
        """
        return _offset(self.zone, self.shift, utc // _BLOCK)

    def to_wall(self, utc: int) -> int:
        """Return the server's wall clock at *utc*, both in seconds since 1970."""
        return utc + _offset(self.zone, self.shift, utc // _BLOCK)

    def to_utc(self, wall: int) -> int:
        """Return when the server's wall clock shows *wall*, in seconds since 1970.

        An hour that comes twice, in autumn, is read as the first one.
        """
        before, after = self.offset_at(wall - _DAY), self.offset_at(wall + _DAY)
        if before != after and self.offset_at(wall - before) != before:
            return wall - after
        return wall - before

    def to_datetime(self, wall: int, milliseconds: int = 0) -> datetime:
        """Return the moment of a wall-clock time, UTC-aware.

        Args:
            wall: Seconds since 1970 on the server's wall clock.
            milliseconds: Added.
        """
        moment = datetime.fromtimestamp(self.to_utc(wall), UTC)
        return moment + timedelta(milliseconds=milliseconds)

    @property
    def midnight(self) -> str:
        """When the server's day begins: time and zone, such as ``21:00 UTC``."""
        minutes = -round(self.shift.total_seconds() / 60) % (_DAY // 60)
        return f"{minutes // 60:02d}:{minutes % 60:02d} {self.zone.key}"

    def __str__(self) -> str:
        """Return the text that `parse` reads."""
        minutes = round(self.shift.total_seconds() / 60)
        if not minutes:
            return self.zone.key
        hours, rest = divmod(abs(minutes), 60)
        sign = "-" if minutes < 0 else "+"
        return f"{self.zone.key}{sign}{hours}" + (f":{rest:02d}" if rest else "")


@functools.lru_cache(maxsize=4096)
def _offset(zone: zoneinfo.ZoneInfo, shift: timedelta, block: int) -> int:
    here = datetime.fromtimestamp(block * _BLOCK, zone).utcoffset() or timedelta(0)
    return round((here + shift).total_seconds())


def _zone(name: str) -> zoneinfo.ZoneInfo | None:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None


NEW_YORK_CLOSE = ServerZone.parse("America/New_York+7")
"""The commonest server clock: midnight is 17:00 in New York."""
