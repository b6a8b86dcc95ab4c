"""The terminal's times as UTC, and a check that the server's zone is set rightly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from runner.core.server_time import ServerZone

_BLOCK = 900
"""Seconds; no zone changes its offset inside a quarter of an hour."""
_MS = timedelta(milliseconds=1)

_WIDEST = timedelta(hours=14)
_GRID = timedelta(minutes=30)
_RESIDUE = timedelta(minutes=5)
_AGREEING = 3
"""Readings in a row that make a wrong zone certain: one may be a late quote."""


class ServerTime:
    """Converts the server's wall clock, quickly for times close together.

    Args:
        zone: The server's zone and shift.
    """

    def __init__(self, zone: ServerZone) -> None:
        self.zone = zone
        self._block = -1
        self._offset = 0

    def utc(self, wall: int) -> datetime:
        """Return the moment at which the server's clock shows *wall* seconds."""
        block = wall // _BLOCK
        if block != self._block:
            self._offset = wall - self.zone.to_utc(wall)
            self._block = block
        return datetime.fromtimestamp(wall - self._offset, UTC)

    def utc_ms(self, wall_ms: int) -> datetime:
        """Return the moment at which the server's clock shows *wall_ms*."""
        seconds, rest = divmod(wall_ms, 1000)
        moment = self.utc(seconds)
        return moment + rest * _MS if rest else moment

    def wall(self, moment: datetime) -> int:
        """Return what the server's clock shows at *moment*, in whole seconds."""
        return self.zone.to_wall(int(moment.timestamp()))


def measured_offset(wall_ms: int, now: datetime) -> timedelta | None:
    """Tell how far the server's clock is ahead of UTC.

    Args:
        wall_ms: Time of a quote that has only just arrived, server's clock.
        now: This machine's time, UTC-aware.

    Returns:
        A multiple of half an hour; None if the two clocks do not fit any: a stale
        quote (more than 14 hours) or a wrong clock (more than 5 minutes beside it).
    """
    ahead = datetime.fromtimestamp(0, UTC) + wall_ms * _MS - now
    offset = round(ahead / _GRID) * _GRID
    if abs(offset) > _WIDEST or abs(ahead - offset) > _RESIDUE:
        return None
    return offset


def from_the_future(at: datetime, now: datetime) -> str:
    """Say what is wrong with a quote that is dated after it arrived.

    A quote may be old, but not yet to come. Taken for the market's time it would end
    the day, and with it a day's block, before its time. Less than half of the grid on
    which zones differ is a clock that is a little wrong.

    Args:
        at: When it was made, UTC-aware.
        now: This machine's time, UTC-aware.

    Returns:
        What is wrong and what to do; empty if nothing is.
    """
    if at - now <= _GRID / 2:
        return ""
    ahead = timedelta(seconds=round((at - now).total_seconds()))
    return (
        f"dated {ahead} after this machine's clock, so it is not taken: set the "
        "server timezone, or this machine's clock"
    )


class OffsetWatch:
    """Compares fresh quotes with this machine's clock.

    A wrong zone shifts news windows and the day's reset by hours, so it must stop
    the reading of times rather than be guessed right.

    Args:
        time: The conversion in use.
    """

    def __init__(self, time: ServerTime) -> None:
        self._time = time
        self._wrong: timedelta | None = None
        self._seen = 0
        self.complaint = ""
        """What is wrong and what to do; empty while nothing is known to be."""

    def see(self, wall_ms: int, now: datetime) -> None:
        """Take in a quote that has only just arrived.

        Args:
            wall_ms: Its time on the server's clock.
            now: This machine's time, UTC-aware.
        """
        measured = measured_offset(wall_ms, now)
        if measured is None:
            return
        expected = timedelta(seconds=self._time.zone.offset_at(int(now.timestamp())))
        if measured == expected:
            self._wrong, self._seen, self.complaint = None, 0, ""
            return
        self._seen = self._seen + 1 if measured == self._wrong else 1
        self._wrong = measured
        if self._seen >= _AGREEING:
            self.complaint = (
                f"the trade server's clock is UTC{_signed(measured)}, but its zone is "
                f"set to {self._time.zone} which is UTC{_signed(expected)} now: set "
                f"the server timezone, or this machine's clock"
            )


def _signed(offset: timedelta) -> str:
    minutes = round(offset / timedelta(minutes=1))
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours}" + (f":{rest:02d}" if rest else "")
