"""The trade server's wall clock."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.server_time import NEW_YORK_CLOSE, ServerZone


def seconds(text: str) -> int:
    """Return an ISO time, read as if it were UTC, in seconds since 1970."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("utc", "wall"),
    [
        ("2026-01-15T12:00", "2026-01-15T14:00"),
        ("2026-07-01T12:00", "2026-07-01T15:00"),
        # America changes three weeks before Europe: already GMT+3.
        ("2026-03-10T22:00", "2026-03-11T01:00"),
        # Europe changes a week before America: still GMT+3.
        ("2026-10-27T23:00", "2026-10-28T02:00"),
    ],
)
def test_default_server_follows_new_york(utc: str, wall: str) -> None:
    """The usual server is GMT+2, and GMT+3 while New York has summer time [D]."""
    assert seconds(wall) == NEW_YORK_CLOSE.to_wall(seconds(utc))
    assert seconds(utc) == NEW_YORK_CLOSE.to_utc(seconds(wall))


def test_midnight_of_the_server_is_five_in_new_york() -> None:
    """The trading day ends at 17:00 in New York, in winter as in summer."""
    for month in (1, 7):
        close = datetime(2026, month, 15, 17, tzinfo=NEW_YORK_CLOSE.zone)
        assert NEW_YORK_CLOSE.to_wall(round(close.timestamp())) % 86_400 == 0


@pytest.mark.parametrize(
    ("zone", "midnight"),
    [
        ("America/New_York+7", "17:00 America/New_York"),
        ("Europe/Athens", "00:00 Europe/Athens"),
        ("UTC+3", "21:00 UTC"),
        ("UTC-3:30", "03:30 UTC"),
    ],
)
def test_midnight_is_a_time_of_the_zone(zone: str, midnight: str) -> None:
    """The shift says how long before or after the zone's own it is."""
    assert midnight == ServerZone.parse(zone).midnight


@pytest.mark.parametrize(
    ("text", "hours"),
    [("UTC", 0), ("UTC+3", 3), ("Etc/GMT-3", 3), ("UTC-3:30", -3.5)],
)
def test_zone_is_read_with_its_shift(text: str, hours: float) -> None:
    """An IANA name may carry hours to add; a name that looks so stays a name."""
    assert hours * 3600 == ServerZone.parse(text).offset_at(seconds("2026-07-01"))
    assert text == str(ServerZone.parse(text))


@pytest.mark.parametrize("text", ["", "Mars", "Mars+3", "+3", "UTC+", "../UTC"])
def test_unknown_zone_is_refused(text: str) -> None:
    """What is no zone is named together with what is expected."""
    with pytest.raises(ValueError, match=r"America/New_York\+7"):
        ServerZone.parse(text)


@given(st.integers(seconds("1990-01-01"), seconds("2037-12-31")))
def test_wall_time_comes_back_except_in_the_hour_that_comes_twice(utc: int) -> None:
    """UTC to wall and back is the same moment, or the earlier of two equal ones."""
    back = NEW_YORK_CLOSE.to_utc(NEW_YORK_CLOSE.to_wall(utc))

    assert back in (utc, utc - 3600)
    assert NEW_YORK_CLOSE.to_wall(back) == NEW_YORK_CLOSE.to_wall(utc)


def test_moment_carries_milliseconds() -> None:
    """A wall-clock time becomes an aware moment."""
    assert datetime(
        2026, 1, 15, 11, 59, 59, 999_000, tzinfo=UTC
    ) == NEW_YORK_CLOSE.to_datetime(seconds("2026-01-15T13:59:59"), 999)
