"""Pending orders of a run over bars: filled by the rules of the simulated terminal."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from runner import Bar, Intents, OrderIntent, Strategy
from runner.testing import START, make_bars, run_bars

HOUR = timedelta(hours=1)


class Once(Strategy):
    """Returns what it is told to on the first bar, and on a later one cancels."""

    wish: Any = None
    cancels_at: Any = None

    def on_bar(self, bar: Bar) -> Intents:
        if bar.opens_at == self.cancels_at:
            return self.cancel(bar.symbol)
        return self.wish(self) if bar.opens_at == START + HOUR else None


def run(wish, prices, *, cancels_at=None, spread=10):
    """Run over bars of which the second is decided on."""
    Once.wish, Once.cancels_at = staticmethod(wish), cancels_at
    return run_bars(Once, make_bars([1.1, 1.1, *prices], spread=spread))


def buy_limit(strategy: Strategy) -> OrderIntent:
    """Want to buy 100 points below, stopped after 50, done after 200."""
    return strategy.buy_limit("EURUSD", 1.099, stop_loss=50, take_profit=200)


def only(result):
    """Return the one trade."""
    (trade,) = result.trades
    return trade


def test_a_limit_is_filled_inside_a_bar_at_its_own_price():
    """The ask has to reach it, and the target counts from its price."""
    trade = only(run(buy_limit, [1.1, (1.1, 1.1005, 1.0988, 1.1002), 1.1012]))

    assert (1.099, 1.0985, 1.101, "take_profit") == (
        trade.open_price,
        trade.stop_loss,
        trade.close_price,
        trade.exit_reason.value,
    )


def test_a_limit_that_the_ask_does_not_reach_waits():
    """A bid at the price is not enough for a buy."""
    assert () == run(buy_limit, [1.1, (1.1, 1.1, 1.099, 1.1), 1.1]).trades


def test_a_gap_beyond_a_stop_order_fills_at_the_open():
    """A buy stop pays what the market asks."""
    result = run(lambda one: one.buy_stop("EURUSD", 1.102), [1.1, (1.11,) * 4])

    assert 1.1101 == only(result).open_price


def test_an_order_that_is_filled_and_stopped_inside_one_bar_ends_at_its_stop():
    """The worse of what could have happened is taken."""
    trade = only(run(buy_limit, [1.1, (1.1, 1.103, 1.098, 1.1)]))

    assert (1.099, 1.0985, "stop_loss") == (
        trade.open_price,
        trade.close_price,
        trade.exit_reason.value,
    )


@pytest.mark.parametrize(
    ("wish", "price"),
    [
        (lambda one: one.sell_limit("EURUSD", 1.101), 1.101),
        (lambda one: one.sell_stop("EURUSD", 1.099), 1.099),
    ],
)
def test_a_sell_is_filled_on_the_bid(wish, price):
    """Both kinds meet the bar's own prices."""
    trade = only(run(wish, [1.1, (1.1, 1.101, 1.099, 1.1)]))

    assert (price, "sell") == (trade.open_price, trade.side.value)


def test_an_order_on_the_wrong_side_is_refused():
    """A buy limit above the market would be no limit."""
    result = run(lambda one: one.buy_limit("EURUSD", 1.2), [1.1, 1.1, 1.3])

    assert (1, ()) == (len(result.intents), result.trades)


def test_a_cancelled_order_and_one_that_lapsed_are_never_filled():
    """Both are gone before the price comes."""
    prices = [1.1, 1.1, 1.1, (1.1, 1.1, 1.09, 1.1)]
    cancelled = run(buy_limit, prices, cancels_at=START + 3 * HOUR)
    lapsed = run(
        lambda one: one.buy_limit("EURUSD", 1.099, expires_at=START + 4 * HOUR), prices
    )

    assert ((), ()) == (cancelled.trades, lapsed.trades)
    assert 1 == len(run(buy_limit, prices).trades)
