"""The server's clock as UTC, and the check of its zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.adapters.mt5.server_time import OffsetWatch, ServerTime, measured_offset
from runner.core.server_time import NEW_YORK_CLOSE, ServerZone

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 1, 14, 10, 0, tzinfo=UTC)


def wall_ms(moment: datetime) -> int:
    """Return *moment*'s own digits as milliseconds since 1970, as MetaTrader counts."""
    return round((moment.replace(tzinfo=UTC) - EPOCH) / timedelta(milliseconds=1))


@pytest.mark.parametrize(
    ("day", "hour"),
    [
        ("2026-01-15", 1),
        ("2026-03-10", 2),
        ("2026-03-31", 1),
        ("2026-07-01", 1),
        ("2026-10-27", 2),
        ("2026-11-03", 1),
    ],
)
def test_prague_midnight_on_the_server(day: str, hour: int) -> None:
    """Prague's midnight is 01:00 there, 02:00 between the two changes of clocks."""
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("Europe/Prague"))
    time = ServerTime(NEW_YORK_CLOSE)

    wall = time.wall(midnight)

    assert wall_ms(datetime.fromisoformat(day)) // 1000 + hour * 3600 == wall
    assert midnight == time.utc(wall)


zones = st.sampled_from(
    ["America/New_York+7", "Europe/Prague", "UTC", "UTC+3", "Asia/Kolkata"]
)
weeks = st.sampled_from(
    [datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 10, 20, tzinfo=UTC)]
)


@given(zones, weeks, st.lists(st.integers(0, 35 * 86_400_000), min_size=1, max_size=20))
def test_quick_conversion_is_the_slow_one(
    zone: str, start: datetime, moments: list[int]
) -> None:
    """What is remembered between calls never changes a result, in any order."""
    server = ServerZone.parse(zone)
    time = ServerTime(server)
    for milliseconds in moments:
        moment = start + timedelta(milliseconds=milliseconds)
        wall = server.to_wall(int(moment.timestamp()))

        found = time.utc_ms(wall * 1000 + milliseconds % 1000)

        assert server.to_datetime(wall, milliseconds % 1000) == found
        assert found in {moment, moment - timedelta(hours=1)}


@given(st.integers(-28, 28), st.integers(-299, 299))
def test_offset_is_measured_in_half_hours(halves: int, lag: int) -> None:
    """A fresh quote tells the offset although clocks differ by minutes."""
    offset = timedelta(minutes=30 * halves)

    found = measured_offset(wall_ms(NOW + offset + timedelta(seconds=lag)), NOW)

    assert offset == found


@pytest.mark.parametrize(
    "ahead",
    [
        timedelta(hours=-33),
        timedelta(hours=14, minutes=30),
        timedelta(hours=2, minutes=6),
        timedelta(hours=2, minutes=-6),
    ],
)
def test_stale_quote_or_wrong_clock_measures_nothing(ahead: timedelta) -> None:
    """A weekend's quote once gave an offset of -33 hours: it gives none."""
    assert measured_offset(wall_ms(NOW + ahead), NOW) is None


def test_right_zone_has_no_complaint() -> None:
    """The server is two hours ahead in January, as its zone says."""
    watch = OffsetWatch(ServerTime(NEW_YORK_CLOSE))
    for _ in range(5):
        watch.see(wall_ms(NOW + timedelta(hours=2)), NOW)

    assert not watch.complaint


def test_wrong_zone_is_told_after_three_fresh_quotes() -> None:
    """One late quote proves nothing; three that agree do."""
    watch = OffsetWatch(ServerTime(NEW_YORK_CLOSE))
    complaints: list[str] = []
    for _ in range(3):
        watch.see(wall_ms(NOW + timedelta(hours=3)), NOW)
        complaints.append(watch.complaint)

    told = (
        "the trade server's clock is UTC+3, but its zone is set to America/New_York+7 "
        "which is UTC+2 now: set the server timezone, or this machine's clock"
    )
    assert ["", "", told] == complaints


def test_different_wrong_offsets_do_not_add_up() -> None:
    """Late quotes of different age are no agreement."""
    watch = OffsetWatch(ServerTime(NEW_YORK_CLOSE))
    for hours in (3, 1, 3, 1, 3):
        watch.see(wall_ms(NOW + timedelta(hours=hours)), NOW)

    assert not watch.complaint


def test_complaint_ends_when_the_clocks_agree() -> None:
    """A server that changes its clocks late is refused only meanwhile."""
    watch = OffsetWatch(ServerTime(NEW_YORK_CLOSE))
    for _ in range(3):
        watch.see(wall_ms(NOW - timedelta(hours=3, minutes=30)), NOW)
    assert "UTC-3:30" in watch.complaint

    watch.see(wall_ms(NOW + timedelta(hours=2)), NOW)

    assert not watch.complaint
