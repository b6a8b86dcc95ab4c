"""Entries in their hours, and nothing held over the weekend."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from plugins.trading_hours import Span, TradingHours, parse_hours
from runner import Demand, Deny, PendingKind, PendingOrder, Position, Side
from runner.serde import ConfigErrors, structure_settings
from runner.testing import START, check_symbol, make_plugin, make_symbol

EURUSD = make_symbol()
BTCUSD = make_symbol("BTCUSD")
DAY = 24 * 60


def guard(**settings: Any) -> TradingHours:
    """Return a guard."""
    return make_plugin(TradingHours, **settings)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """Return a time of the week of Monday, 4 March 2024, in UTC (New York + 5 h)."""
    return datetime(2024, 3, 4 + day, hour, minute, tzinfo=UTC)


def held(ticket: int, symbol: str = "EURUSD", magic: int = 7) -> Position:
    """Return a position."""
    return Position(
        ticket=ticket,
        symbol=symbol,
        side=Side.BUY,
        volume=0.1,
        opened_at=START,
        open_price=1.1,
        magic=magic,
    )


def waiting(ticket: int, magic: int = 7) -> PendingOrder:
    """Return a pending order."""
    return PendingOrder(
        ticket=ticket,
        symbol="EURUSD",
        side=Side.BUY,
        kind=PendingKind.STOP,
        volume=0.1,
        price=1.2,
        placed_at=START,
        magic=magic,
    )


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("Mon 08:00-17:00", [(480, 1020)]),
        ("Mon-Tue 08:00-17:00", [(480, 1020), (DAY + 480, DAY + 1020)]),
        ("Sun 22:00-06:00", [(6 * DAY + 1320, 7 * DAY + 360)]),
        ("Sat 00:00-24:00", [(5 * DAY, 6 * DAY)]),
        ("Wed 09:00-09:00", [(2 * DAY + 540, 3 * DAY + 540)]),
        ("Sun-Mon 01:00-02:00", [(6 * DAY + 60, 6 * DAY + 120), (60, 120)]),
    ],
)
def test_hours_are_read(text: str, spans: list[tuple[int, int]]) -> None:
    """Over midnight, over the weekend, a whole day."""
    assert [Span(*span) for span in spans] == parse_hours(text)


@pytest.mark.parametrize(
    "settings",
    [
        {"hours": {"*": ["Mo 08:00-17:00"]}},
        {"hours": {"*": ["Mon 8:00-17:00"]}},
        {"hours": {"*": ["Mon 24:00-25:00"]}},
        {"hours": {"*": ["Mon 08:00-24:30"]}},
        {"hours": {"*": ["08:00-17:00"]}},
        {"zone": "Europe/Nowhere"},
        {"zone": "../etc"},
        {"friday_stop": "24:00"},
        {"friday_close": "5pm"},
        {"sunday_start": "17"},
    ],
)
def test_what_cannot_be_read_stops_the_start(settings: dict[str, Any]) -> None:
    """With the path of the value."""
    with pytest.raises(ConfigErrors) as raised:
        structure_settings(settings, TradingHours.Settings, "plugins.trading_hours")

    [error] = raised.value.errors
    assert error.startswith(f"plugins.trading_hours.{next(iter(settings))}")


@pytest.mark.parametrize(
    ("now", "allowed"),
    [
        (at(0, 12, 59), False),
        (at(0, 13), True),
        (at(0, 21, 59), True),
        (at(0, 22), False),
        (at(5, 14), False),
    ],
)
def test_entries_wait_for_the_hours_of_the_zone(
    now: datetime, *, allowed: bool
) -> None:
    """08:00 in New York is 13:00 in UTC, in winter."""
    hours = guard(hours={"EURUSD": ("Mon-Fri 08:00-17:00",)})

    assert allowed == (check_symbol(hours, EURUSD, now=now) is None)


def test_the_hours_follow_summer_time() -> None:
    """In July the same hour of New York is an hour earlier."""
    hours = guard(hours={"*": ("Mon-Fri 08:00-17:00",)})
    july = datetime(2024, 7, 1, 12, tzinfo=UTC)

    assert check_symbol(hours, EURUSD, now=july) is None
    assert check_symbol(hours, EURUSD, now=at(0, 12)) is not None


def test_another_zone_has_other_hours() -> None:
    """London is at UTC in winter."""
    hours = guard(hours={"*": ("Mon 08:00-17:00",)}, zone="Europe/London")

    assert check_symbol(hours, EURUSD, now=at(0, 8)) is None
    assert Deny("OUTSIDE_HOURS", "Mon 07:59 hours=Mon 08:00-17:00") == check_symbol(
        hours, EURUSD, now=at(0, 7, 59)
    )


def test_a_symbol_has_its_own_hours_the_others_the_common_ones() -> None:
    """And all of them the whole week where nothing is said."""
    hours = guard(hours={"EURUSD": ("Mon 00:00-24:00",), "*": ("Tue 00:00-24:00",)})

    assert check_symbol(hours, EURUSD, now=at(0, 12)) is None
    assert check_symbol(hours, BTCUSD, now=at(0, 12)) is not None
    assert check_symbol(guard(), BTCUSD, now=at(0, 12)) is None


def test_hours_over_midnight_reach_into_the_next_week() -> None:
    """Sunday evening goes on on Monday morning."""
    hours = guard(hours={"*": ("Sun 22:00-06:00",)}, zone="UTC")

    assert check_symbol(hours, EURUSD, now=at(0, 5, 59)) is None
    assert check_symbol(hours, EURUSD, now=at(0, 6)) is not None


@pytest.mark.parametrize(
    ("now", "allowed"),
    [
        (at(4, 20, 59), True),
        (at(4, 21), False),
        (at(5, 12), False),
        (at(6, 20, 59), False),  # summer time began in the night: 16:59
        (at(6, 21), True),
    ],
)
def test_before_the_weekend_entries_stop(now: datetime, *, allowed: bool) -> None:
    """Until Sunday's start; a symbol that knows no weekend goes on."""
    hours = guard(friday_stop="16:00", no_weekend=("BTCUSD",))

    denied = check_symbol(hours, EURUSD, now=now)

    assert allowed == (denied is None)
    assert denied is None or ("WEEKEND", True) == (
        denied.code,
        denied.detail.endswith("until=Sun 17:00"),
    )
    assert check_symbol(hours, BTCUSD, now=now) is None


def test_the_weekend_ends_when_it_is_set_to() -> None:
    """Brokers open at different hours."""
    hours = guard(friday_stop="16:00", sunday_start="18:05")

    assert check_symbol(hours, EURUSD, now=at(6, 22, 4)) is not None
    assert check_symbol(hours, EURUSD, now=at(6, 22, 5)) is None


def test_before_the_close_the_runners_own_positions_are_closed() -> None:
    """And its pending orders cancelled; nobody else's, and no weekend symbol's."""
    hours = guard(friday_close="16:45", no_weekend=("BTCUSD",))
    given: dict[str, Any] = {
        "positions": [held(1), held(2, magic=0), held(3, "BTCUSD")],
        "orders": [waiting(4), waiting(5, magic=8)],
        "magics": {7},
    }

    assert hours.demand_exits(**given, now=at(4, 21, 44)) is None
    assert Demand(code="WEEKEND", detail="Fri 16:45", close=(1,), cancel=(4,)) == (
        hours.demand_exits(**given, now=at(4, 21, 45))
    )
    assert check_symbol(hours, EURUSD, now=at(4, 21, 45)) is not None
    assert hours.demand_exits([], [], {7}, at(4, 21, 45)) is None


def test_a_stop_alone_closes_nothing() -> None:
    """Entries end; what is held is held."""
    hours = guard(friday_stop="16:00")

    assert hours.demand_exits([held(1)], [], {7}, at(5, 12)) is None


def test_of_stop_and_close_the_earlier_one_ends_entries() -> None:
    """Nothing is opened that would be closed at once."""
    hours = guard(friday_stop="16:50", friday_close="16:30")

    assert check_symbol(hours, EURUSD, now=at(4, 21, 30)) is not None


def test_every_setting_is_known_here() -> None:
    """A new one needs its test."""
    assert {
        "zone",
        "hours",
        "friday_stop",
        "friday_close",
        "sunday_start",
        "no_weekend",
    } == {field.name for field in attrs.fields(TradingHours.Settings)}
