"""What the built-in strategies do over bars and quotes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner import Action, OrderIntent, Position, Side, Tick
from runner.testing import (
    START,
    FakeContext,
    make_account,
    make_bars,
    make_symbol,
    run_bars,
)
from strategies.hooks import register_strategies
from strategies.indicators import deviation, highest, lowest, mean
from strategies.mean_reversion import (
    MeanReversionBot,
    MeanReversionParameters,
    is_back,
)
from strategies.trend_following import TrendFollowingBot, TrendFollowingParameters

POINT = 0.00001
TREND = TrendFollowingParameters(
    threshold_points=50, stop_loss=100, take_profit=200, lookback_period=3
)
REVERSION = MeanReversionParameters(lookback_period=4, stop_loss=500)


# -- trend following -------------------------------------------------------------------
def sides(intents: tuple[OrderIntent, ...]) -> list[Side | None]:
    """Return the directions of the intents."""
    return [intent.side for intent in intents]


def channel(close: float) -> list[Any]:
    """Return three bars between 1.1000 and 1.1010, one that closes there, and one."""
    inside = (1.1005, 1.1010, 1.1000, 1.1005)
    wide = (1.1005, max(close, 1.1010), min(close, 1.1000), close)
    return [*[inside] * 3, wide, (close, close, close, close)]


@pytest.mark.parametrize(
    ("close", "expected"),
    [
        (1.10151, [Side.BUY]),
        (1.10150, []),  # the threshold itself is not beyond it
        (1.1005, []),
        (1.09950, []),
        (1.09949, [Side.SELL]),
    ],
)
def test_a_close_beyond_channel_and_threshold_opens(
    close: float, expected: list[Side]
) -> None:
    """Above the highest high by more than the threshold, or below the lowest low."""
    result = run_bars(TrendFollowingBot, make_bars(channel(close)), TREND)

    assert expected == sides(result.intents)


def test_the_intent_carries_stop_and_target_in_points() -> None:
    """Size is left to the runner's sizing."""
    (intent,) = run_bars(TrendFollowingBot, make_bars(channel(1.102)), TREND).intents

    assert OrderIntent(
        strategy="TrendFollowingBot",
        strategy_id=1,
        symbol="EURUSD",
        action=Action.OPEN,
        side=Side.BUY,
        stop_loss=100,
        take_profit=200,
        reason="breakout",
    ) == (intent)


def test_the_bar_itself_is_no_part_of_its_channel() -> None:
    """Otherwise no close could ever be above its own high."""
    bars = make_bars([(1.1, 1.1, 1.1, 1.1)] * 3 + [(1.1, 1.2, 1.1, 1.101)])

    assert [Side.BUY] == sides(run_bars(TrendFollowingBot, bars, TREND).intents)


def test_only_the_lookback_counts() -> None:
    """A high that is older than the lookback is forgotten."""
    old = (1.2, 1.2, 1.2, 1.2)
    bars = make_bars([old, *channel(1.102)])

    assert [Side.BUY] == sides(run_bars(TrendFollowingBot, bars, TREND).intents)
    longer = TrendFollowingParameters(lookback_period=4)
    assert [] == sides(run_bars(TrendFollowingBot, bars, longer).intents)


def test_too_few_bars_decide_nothing() -> None:
    """The channel is complete before the first decision."""
    assert 3 == TrendFollowingBot.bars_needed(TREND)
    bars = make_bars([(1.1, 1.1, 1.1, 1.1)] * 2 + [(1.1, 1.2, 1.1, 1.2)])

    assert () == run_bars(TrendFollowingBot, bars, TREND).intents


def test_one_position_a_symbol() -> None:
    """While it is open nothing is asked for, however far the trend goes."""
    rising = [1.1 + 0.001 * step for step in range(20)]
    wide = TrendFollowingParameters(
        stop_loss=9000, take_profit=9000, lookback_period=3, threshold_points=0
    )

    result = run_bars(TrendFollowingBot, make_bars(rising), wide)

    assert [Side.BUY] == sides(result.intents)


def test_each_symbol_has_its_own_parameters_and_point() -> None:
    """Fifty points of gold are fifty cents, of the euro half a pip."""
    gold = make_bars(
        [(2000.0, 2000.1, 1999.9, 2000.0)] * 3 + [(2000, 2000.6, 2000, 2000.61)],
        symbol="XAUUSD",
    )
    euro = make_bars(channel(1.10149)[:-1])
    loose = TrendFollowingParameters(threshold_points=0, lookback_period=3)
    bars = sorted([*gold, *euro], key=lambda bar: bar.opens_at)

    result = run_bars(TrendFollowingBot, bars, {"XAUUSD": TREND, "EURUSD": loose})

    assert {"XAUUSD", "EURUSD"} == {intent.symbol for intent in result.intents}


@pytest.mark.parametrize(
    "wrong",
    [
        {"threshold_points": -1},
        {"stop_loss": 0},
        {"take_profit": -5},
        {"lookback_period": 0},
    ],
    ids=str,
)
def test_senseless_parameters_are_refused(wrong: dict[str, int]) -> None:
    """The error names the parameter."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TrendFollowingParameters(**wrong)


def test_the_seeds_own_parameters_fit() -> None:
    """The example body of the protocol's original document."""
    body = {
        "threshold_points": 50,
        "stop_loss": 100,
        "take_profit": 200,
        "lookback_period": 100,
    }

    assert TrendFollowingParameters() == TrendFollowingParameters(**body)


prices = st.lists(st.integers(109_000, 111_000), min_size=5, max_size=40)


@given(prices, st.integers(0, 300), st.integers(1, 6))
def test_every_entry_was_a_breakout(
    closes: list[int], threshold: int, lookback: int
) -> None:
    """Checked against the definition, in whole points, at every bar.

    A bar opens at the close before it, so its range reaches one close further back.
    """
    bars = make_bars([close * POINT for close in closes])
    parameters = TrendFollowingParameters(
        threshold_points=threshold,
        lookback_period=lookback,
        stop_loss=1,
        take_profit=1,
    )
    context = FakeContext(
        account=make_account(),
        symbols=[make_symbol()],
        parameters={"EURUSD": parameters},
    )
    strategy = TrendFollowingBot(context)
    for index, bar in enumerate(bars):
        if index >= lookback:
            before = closes[max(0, index - lookback - 1) : index]
            expected = None
            if closes[index] > max(before) + threshold:
                expected = Side.BUY
            elif closes[index] < min(before) - threshold:
                expected = Side.SELL
            intent = strategy.on_bar(bar)
            assert expected is (None if intent is None else intent.side)
        context.add_bar(bar)


# -- mean reversion --------------------------------------------------------------------
def reverting(held: Position | None = None) -> tuple[MeanReversionBot, FakeContext]:
    """Return a strategy that has seen four bars around 1.1000, and its context."""
    context = FakeContext(
        account=make_account(),
        symbols=[make_symbol()],
        parameters={"EURUSD": REVERSION},
        now=START + timedelta(hours=4),
    )
    for bar in make_bars([1.1010, 1.0990, 1.1010, 1.0990]):
        context.add_bar(bar)
    if held is not None:
        context.open_positions.append(held)
    return MeanReversionBot(context), context


def position(side: Side, ticket: int = 1, hours_ago: float = 1.0) -> Position:
    """Return a position opened that many hours before the fifth bar."""
    return Position(
        ticket=ticket,
        symbol="EURUSD",
        side=side,
        volume=0.1,
        opened_at=START + timedelta(hours=4 - hours_ago),
        open_price=1.1,
    )


def quote(bid: float, spread: float = 0.0) -> Tick:
    """Return a quote of the fifth bar."""
    return Tick("EURUSD", START + timedelta(hours=4), bid, bid + spread)


@pytest.mark.parametrize(
    ("close", "side"),
    [(1.1021, Side.SELL), (1.1019, None), (1.0981, None), (1.0979, Side.BUY)],
)
def test_a_close_two_deviations_away_is_faded(close: float, side: Side | None) -> None:
    """The mean of the four bars is 1.1000, their deviation 0.0010."""
    strategy, _ = reverting()
    (bar,) = make_bars([close], start=START + timedelta(hours=4))

    intent = strategy.on_bar(bar)

    if side is None:
        assert intent is None
    else:
        assert isinstance(intent, OrderIntent)
        assert (side, 500, None) == (intent.side, intent.stop_loss, intent.take_profit)


def test_a_market_that_stands_still_is_not_traded() -> None:
    """Without any deviation every price would be far away."""
    assert () == run_bars(MeanReversionBot, make_bars([1.1] * 20), REVERSION).intents


@pytest.mark.parametrize(
    ("side", "bid", "spread", "closes"),
    [
        (Side.BUY, 1.0999, 0.0, False),
        (Side.BUY, 1.1000, 0.0, True),
        (Side.SELL, 1.1001, 0.0, False),
        (Side.SELL, 1.1000, 0.0, True),
        (Side.SELL, 1.0999, 0.0003, False),  # a short is closed at the ask
        (Side.BUY, 1.0999, 0.0003, False),  # a long at the bid
    ],
)
def test_a_quote_at_the_mean_closes(
    side: Side, bid: float, spread: float, closes: bool
) -> None:
    """Between two bars, by signal, at the price at which it would be closed."""
    strategy, _ = reverting(position(side, ticket=7))

    intents = strategy.on_tick(quote(bid, spread))

    expected = [(Action.CLOSE, 7, "back at the mean")] if closes else []
    assert isinstance(intents, list)
    assert expected == [(one.action, one.ticket, one.reason) for one in intents]


def test_a_position_that_was_held_long_enough_is_closed() -> None:
    """Wherever the price is."""
    strategy, _ = reverting(position(Side.BUY, hours_ago=48))

    intents = strategy.on_tick(quote(1.09))

    assert isinstance(intents, list)
    assert ["held long enough"] == [one.reason for one in intents]


def test_an_exit_is_asked_for_once_a_bar() -> None:
    """A broker that refuses is not asked again with every quote."""
    strategy, _ = reverting(position(Side.BUY))
    (bar,) = make_bars([1.1005], start=START + timedelta(hours=4))

    asked = [strategy.on_tick(quote(1.1005)) for _ in range(3)]
    asked.append(strategy.on_bar(bar))

    assert [1, 0, 0, 1] == [len(one) for one in asked if isinstance(one, list)]


def test_without_a_position_a_quote_means_nothing() -> None:
    """Entries are decided on closed bars only."""
    strategy, _ = reverting()

    assert strategy.on_tick(quote(1.0)) is None


def test_unknown_is_not_flat() -> None:
    """While an order's outcome is unknown nothing is opened."""
    strategy, context = reverting()
    context.is_flat = lambda symbol: False  # type: ignore[method-assign]  # a fake
    (bar,) = make_bars([1.2], start=START + timedelta(hours=4))

    assert strategy.on_bar(bar) is None


def test_it_trades_both_ways_and_exits_by_signal_over_bars() -> None:
    """A wave around 1.1000: bought low, sold high, closed on the way back."""
    wave = [1.1 + 0.01 * float(np.sin(step / 3.0)) for step in range(300)]
    parameters = MeanReversionParameters(
        lookback_period=20, entry_deviations=1.2, stop_loss=3000
    )

    result = run_bars(MeanReversionBot, make_bars(wave), parameters)

    assert {"signal", "end"} >= {trade.exit_reason.value for trade in result.trades}
    assert {Side.BUY, Side.SELL} == {trade.side for trade in result.trades}
    assert 10 < len(result.trades)


@pytest.mark.parametrize(
    "wrong",
    [
        {"lookback_period": 1},
        {"entry_deviations": 0.0},
        {"exit_deviations": -0.1},
        {"exit_deviations": 2.0},
        {"stop_loss": 0},
        {"holding_minutes": 0},
    ],
    ids=str,
)
def test_senseless_reversion_parameters_are_refused(wrong: dict[str, Any]) -> None:
    """An exit outside of the entry would close at once what was opened."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MeanReversionParameters(**wrong)


@given(st.floats(0.5, 2.0), st.floats(0.5, 2.0), st.floats(0.0, 0.5))
def test_both_sides_come_back_alike(price: float, center: float, band: float) -> None:
    """Mirrored at the mean, a long and a short end at the same distance."""
    mirrored = 2 * center - price
    if abs(price - center + band) > 1e-9:
        assert is_back(Side.BUY, price, center, band) == is_back(
            Side.SELL, mirrored, center, band
        )


# -- indicators ------------------------------------------------------------------------
columns = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50)


@given(columns, st.data())
def test_indicators_look_at_the_last_period_values(
    values: list[float], data: st.DataObject
) -> None:
    """Checked against the plain definitions."""
    period = data.draw(st.integers(1, len(values)))
    column, last = np.array(values), values[-period:]

    assert max(last) == highest(column, period)
    assert min(last) == lowest(column, period)
    average = sum(last) / period
    assert average == pytest.approx(mean(column, period), abs=1e-6)
    variance = sum((value - average) ** 2 for value in last) / period
    assert variance**0.5 == pytest.approx(deviation(column, period), abs=1e-3)


@pytest.mark.parametrize("period", [0, -1, 4])
@pytest.mark.parametrize("indicator", [highest, lowest, mean, deviation])
def test_too_few_values_are_an_error(indicator: Any, period: int) -> None:
    """Three values have no highest of four, and none have none."""
    with pytest.raises(ValueError, match="values are needed, there are 3"):
        indicator(np.array([1.0, 2.0, 3.0]), period)


def test_the_host_gets_both_classes() -> None:
    """By the names that the server uses."""
    assert ["TrendFollowingBot", "MeanReversionBot"] == [
        cls.__name__ for cls in register_strategies()
    ]
