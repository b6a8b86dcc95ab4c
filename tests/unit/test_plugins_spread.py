"""Entries wait for a spread that is not wide."""

from __future__ import annotations

from typing import Any

import pytest

from plugins.spread import Spread
from runner import Action, Deny, OrderIntent, Side, Tick
from runner.testing import START, MemoryState, check_order, make_bars, make_plugin

ENTRY = OrderIntent(strategy="A", symbol="EURUSD", action=Action.OPEN, side=Side.BUY)
EXIT = OrderIntent(strategy="A", symbol="EURUSD", action=Action.CLOSE)


def guard(state: MemoryState | None = None, **settings: Any) -> Spread:
    """Return a guard."""
    return make_plugin(Spread, state, **settings)


def quote(points: float) -> Tick:
    """Return a quote with that spread."""
    return Tick("EURUSD", START, 1.1, 1.1 + points * 0.00001)


def teach(spread: Spread, points: int, bars: int, symbol: str = "EURUSD") -> None:
    """Let bars close that had that spread."""
    for bar in make_bars([1.1] * bars, symbol=symbol, spread=points):
        spread.on_bar_closed(bar)


@pytest.mark.parametrize(
    ("points", "denied"),
    [(20, None), (20.1, Deny("SPREAD_WIDE", "spread=20.1 limit=20"))],
)
def test_a_spread_beyond_the_limit_is_denied(
    points: float, denied: Deny | None
) -> None:
    """The limit itself is allowed, whatever binary fractions say."""
    assert denied == check_order(guard(points=20.0), ENTRY, tick=quote(points))


def test_an_exit_takes_any_spread() -> None:
    """To wait would keep the risk."""
    spread = guard(points=1.0, times_usual=2.0)

    assert check_order(spread, EXIT, tick=quote(500)) is None


def test_a_spread_far_above_the_usual_one_is_denied() -> None:
    """Usual is the median, which one wild bar does not move."""
    spread = guard(times_usual=2.0)
    teach(spread, 10, 11)
    teach(spread, 900, 1)

    assert check_order(spread, ENTRY, tick=quote(20)) is None
    assert Deny("SPREAD_WIDE", "spread=21.0 usual limit=20.0") == check_order(
        spread, ENTRY, tick=quote(21)
    )


def test_each_symbol_has_its_own_usual_spread() -> None:
    """What gold costs says nothing about the euro."""
    spread = guard(times_usual=2.0)
    teach(spread, 30, 10, "XAUUSD")

    assert Deny("SPREAD_UNKNOWN", "bars=0 needed=10") == check_order(
        spread, ENTRY, tick=quote(1)
    )


def test_until_it_is_known_what_is_usual_entries_are_denied() -> None:
    """A source without spreads never tells; unknown is a reason to deny."""
    spread = guard(times_usual=2.0)
    teach(spread, 0, 50)
    teach(spread, 10, 9)
    before = check_order(spread, ENTRY, tick=quote(1))
    teach(spread, 10, 1)

    assert Deny("SPREAD_UNKNOWN", "bars=9 needed=10") == before
    assert check_order(spread, ENTRY, tick=quote(1)) is None


def test_what_is_usual_is_known_after_a_restart() -> None:
    """It does not have to be learned again with each start."""
    state = MemoryState()
    teach(guard(state, times_usual=2.0), 10, 20)

    again = guard(state, times_usual=2.0)

    assert check_order(again, ENTRY, tick=quote(20)) is None
    assert check_order(again, ENTRY, tick=quote(21)) is not None


def test_only_the_last_bars_count() -> None:
    """A broker that changed its spreads is judged by the new ones."""
    spread = guard(times_usual=2.0)
    teach(spread, 100, 500)
    teach(spread, 10, 500)

    assert check_order(spread, ENTRY, tick=quote(21)) is not None


def test_without_settings_it_says_nothing() -> None:
    """Each limit is off until it is set."""
    assert check_order(guard(), ENTRY, tick=quote(5000)) is None
