"""A symbol whose orders are filled badly rests for a while."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from plugins.slippage import Slippage, slippage
from runner import (
    Action,
    Deny,
    OrderIntent,
    OrderRequest,
    OrderResult,
    Outcome,
    Side,
    Tick,
)
from runner.testing import (
    START,
    MemoryState,
    check_order,
    check_symbol,
    make_plugin,
    make_symbol,
)

EURUSD = make_symbol()
QUOTE = Tick("EURUSD", START, 1.10000, 1.10010)


def guard(state: MemoryState | None = None, **settings: Any) -> Slippage:
    """Return a guard."""
    return make_plugin(Slippage, state, **settings)


def fill(
    guard: Slippage,
    points: float,
    *,
    side: Side = Side.BUY,
    action: Action = Action.OPEN,
    outcome: Outcome = Outcome.FILLED,
    symbol: str = "EURUSD",
) -> None:
    """Let an order be decided on a quote and filled so many points worse."""
    opens = action is Action.OPEN
    intent = OrderIntent(
        strategy="A", symbol=symbol, action=action, side=side if opens else None
    )
    check_order(guard, intent, tick=QUOTE)
    request = OrderRequest(
        token="T",
        magic=1,
        symbol=symbol,
        action=action,
        side=side,
        volume=0.1,
        strategy="A",
    )
    worse = points * 0.00001
    price = QUOTE.ask + worse if side is Side.BUY else QUOTE.bid - worse
    guard.on_order_result(
        request, OrderResult(token="T", outcome=outcome, price=price), START
    )


@pytest.mark.parametrize(
    ("side", "price", "points"),
    [
        (Side.BUY, 1.10010, 0.0),
        (Side.BUY, 1.10015, 5.0),
        (Side.BUY, 1.10000, -10.0),
        (Side.SELL, 1.10000, 0.0),
        (Side.SELL, 1.09995, 5.0),
        (Side.SELL, 1.10002, -2.0),
    ],
)
def test_slippage_is_what_a_fill_was_worse_than_its_quote(
    side: Side, price: float, points: float
) -> None:
    """A buyer counts from the ask, a seller from the bid."""
    assert pytest.approx(points) == slippage(side, price, QUOTE, 0.00001)


@pytest.mark.parametrize("action", [Action.OPEN, Action.CLOSE])
@pytest.mark.parametrize("side", list(Side))
def test_one_fill_far_off_pauses_its_symbol_for_the_time_set(
    side: Side, action: Action
) -> None:
    """Not the other symbols, and not longer."""
    slow = guard(points=5.0, pause_minutes=30.0)
    fill(slow, 5.0, side=side, action=action)
    before = check_symbol(slow, EURUSD, now=START)
    fill(slow, 6.0, side=side, action=action)

    until = START + timedelta(minutes=30)
    assert before is None
    assert Deny("SLIPPAGE", f"slipped=6.0 limit=5 until={until.isoformat()}") == (
        check_symbol(slow, EURUSD, now=until - timedelta(seconds=1))
    )
    assert check_symbol(slow, EURUSD, now=until) is None
    assert check_symbol(slow, make_symbol("XAUUSD"), now=START) is None


def test_an_average_of_the_last_fills_pauses_too() -> None:
    """Only when there are that many, better ones counted; then it begins anew."""
    slow = guard(average_points=2.0, fills=3)
    fill(slow, -3.0)
    fill(slow, 4.0)
    fill(slow, 4.0)
    before = check_symbol(slow, EURUSD, now=START)
    fill(slow, 4.0)
    paused = check_symbol(slow, EURUSD, now=START)
    after = START + timedelta(minutes=60)
    fill(slow, 4.0)

    assert before is None
    assert paused is not None
    assert paused.detail.startswith("average=4.0 limit=2 ")
    assert check_symbol(slow, EURUSD, now=after) is None


def test_the_pause_survives_a_restart() -> None:
    """It is on disk."""
    state = MemoryState()
    fill(guard(state, points=5.0), 6.0)

    assert check_symbol(guard(state, points=5.0), EURUSD, now=START) is not None


@pytest.mark.parametrize(
    "outcome", [one for one in Outcome if one is not Outcome.FILLED]
)
def test_only_fills_count(outcome: Outcome) -> None:
    """A refused order has no price; a lost one has none yet."""
    slow = guard(points=5.0)
    fill(slow, 50.0, outcome=outcome)

    assert check_symbol(slow, EURUSD, now=START) is None


def test_an_order_that_no_quote_was_seen_of_does_not_count() -> None:
    """A flatten is no strategy's decision on a quote."""
    slow = guard(points=5.0)
    request = OrderRequest(
        token="T",
        magic=1,
        symbol="EURUSD",
        action=Action.CLOSE,
        side=Side.SELL,
        volume=0.1,
        strategy="FLATTEN",
    )
    slow.on_order_result(
        request, OrderResult(token="T", outcome=Outcome.FILLED, price=1.0), START
    )

    assert check_symbol(slow, EURUSD, now=START) is None


def test_without_settings_it_says_nothing() -> None:
    """Each limit is off until it is set."""
    slow = guard()
    fill(slow, 900.0)

    assert check_symbol(slow, EURUSD, now=START) is None
