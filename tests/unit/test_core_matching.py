"""The fill rules: what is filled, at which price, and what never is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.matching import (
    Exit,
    Levels,
    Trigger,
    ask_price,
    exit_at_quote,
    exit_inside_bar,
    fill_at_quote,
    fill_inside_bar,
    levels_from_distances,
    market_price,
    round_to_tick,
)
from runner.core.orders import ExitReason, Side

POINT = 0.00001
MIDDLE = 2 * 120_000
"""Prices are whole points below; mirroring turns p into MIDDLE - p."""

points = st.integers(100_000, 140_000)
sides = st.sampled_from(Side)
triggers = st.sampled_from(Trigger)


def price(count: int) -> float:
    """Return *count* points as a price."""
    return round(count * POINT, 5)


def exit_on_bar(
    side: Side,
    stop_loss: float,
    take_profit: float,
    *,
    open_: float,
    low: float,
    high: float,
    spread: float,
    slippage: float = 0.0,
) -> Exit | None:
    """Put the two phases of a bar together, as the simulated terminal plays them."""
    ask = ask_price(open_, round(spread / POINT), POINT)
    return exit_at_quote(
        side, stop_loss, take_profit, open_, ask, slippage
    ) or exit_inside_bar(side, stop_loss, take_profit, low, high, spread, slippage)


@st.composite
def bars(draw: st.DrawFn) -> tuple[int, int, int, int]:
    """Open, low, high and spread of a bar, in points."""
    open_ = draw(points)
    low = open_ - draw(st.integers(0, 500))
    high = open_ + draw(st.integers(0, 500))
    return open_, low, high, draw(st.integers(0, 100))


@st.composite
def protected(draw: st.DrawFn) -> tuple[Side, int, int]:
    """A position's side, stop and target in points; 0 for none; stop on its side."""
    side = draw(sides)
    entry = draw(points)
    away = draw(st.integers(0, 800))
    toward = draw(st.integers(0, 800))
    sign = 1 if side is Side.BUY else -1
    return (
        side,
        entry - sign * away if away else 0,
        entry + sign * toward if toward else 0,
    )


@pytest.mark.parametrize(
    ("side", "expected"),
    [(Side.BUY, 1.10013), (Side.SELL, 1.09999)],
)
def test_market_order_pays_the_spread_and_the_slippage(
    side: Side, expected: float
) -> None:
    """A buy is done at the ask, a sell at the bid, slippage always against it."""
    assert expected == market_price(side, 1.10001, 1.10011, slippage=2 * POINT)


def test_ask_is_the_bid_plus_the_bars_spread() -> None:
    """The spread is counted in points and leaves no binary noise."""
    assert 1.1001 == ask_price(1.1, 10, POINT)


def test_distances_count_from_the_ask_for_a_buy() -> None:
    """A buy's stop and target are that many points from the ask."""
    levels = levels_from_distances(
        Side.BUY,
        bid=2000.0,
        ask=2000.3,
        point=0.01,
        tick_size=0.01,
        stop_loss=100,
        take_profit=200,
    )

    assert Levels(1999.3, 2002.3) == levels


def test_distances_count_from_the_bid_for_a_sell() -> None:
    """A sell's stop and target are that many points from the bid."""
    levels = levels_from_distances(
        Side.SELL,
        bid=2000.0,
        ask=2000.3,
        point=0.01,
        tick_size=0.25,
        stop_loss=110,
        take_profit=None,
    )

    assert Levels(2001.0, 0.0) == levels


@given(points)
def test_rounding_keeps_a_price_that_is_on_the_grid(count: int) -> None:
    """No price with five decimals moves, where flooring would lower every sixth."""
    value = float(f"{count // 100_000}.{count % 100_000:05d}")

    assert value == round_to_tick(value, POINT)


@given(
    st.floats(0.0001, 200_000.0),
    st.sampled_from([0.00001, 0.001, 0.01, 0.25, 0.5, 1.0, 5.0]),
)
def test_rounding_goes_to_the_nearest_tick(value: float, tick_size: float) -> None:
    """The rounded price is at most half a tick away and stays where it is."""
    rounded = round_to_tick(value, tick_size)

    assert abs(rounded - value) <= tick_size / 2 + 1e-8
    assert rounded == round_to_tick(rounded, tick_size)


def test_long_is_stopped_on_the_bid() -> None:
    """The ask may be under a long's stop level: only the bid counts."""
    assert exit_inside_bar(Side.BUY, 1.1, 0.0, 1.10001, 1.2, 0.001) is None
    assert Exit(1.1, ExitReason.STOP_LOSS) == exit_inside_bar(
        Side.BUY, 1.1, 0.0, 1.1, 1.2, 0.001
    )


def test_short_is_stopped_on_the_ask() -> None:
    """A short's stop is reached by the bid plus that bar's spread."""
    assert Exit(1.2, ExitReason.STOP_LOSS) == exit_inside_bar(
        Side.SELL, 1.2, 0.0, 1.1, 1.1999, 0.0001
    )
    assert exit_inside_bar(Side.SELL, 1.2, 0.0, 1.1, 1.1998, 0.0001) is None


def test_short_reaches_its_target_on_the_ask() -> None:
    """The bid alone at a short's target fills nothing: the ask has to come there."""
    assert exit_inside_bar(Side.SELL, 0.0, 1.1, 1.1, 1.2, 0.0001) is None
    assert Exit(1.1, ExitReason.TAKE_PROFIT) == exit_inside_bar(
        Side.SELL, 0.0, 1.1, 1.0999, 1.2, 0.0001
    )


def test_both_levels_in_one_bar_count_as_the_stop() -> None:
    """Which of the two came first cannot be known, so it is the loss."""
    assert Exit(1.1, ExitReason.STOP_LOSS) == exit_on_bar(
        Side.BUY, 1.1, 1.2, open_=1.15, low=1.05, high=1.25, spread=0.0
    )


def test_gap_through_the_stop_fills_at_the_open() -> None:
    """A long whose stop the market jumped over gets the open, not its level."""
    assert Exit(1.08, ExitReason.STOP_LOSS) == exit_on_bar(
        Side.BUY, 1.1, 1.2, open_=1.08, low=1.07, high=1.25, spread=0.0
    )


def test_gap_through_the_target_fills_at_the_open() -> None:
    """A long whose target the market jumped over gets the better open."""
    assert Exit(1.22, ExitReason.TAKE_PROFIT) == exit_on_bar(
        Side.BUY, 1.1, 1.2, open_=1.22, low=1.0, high=1.25, spread=0.0
    )


def test_short_gaps_to_the_open_with_the_spread() -> None:
    """A short that gaps over its stop is bought back at the open's ask."""
    assert Exit(1.2201, ExitReason.STOP_LOSS) == exit_on_bar(
        Side.SELL, 1.2, 1.1, open_=1.22, low=1.0, high=1.25, spread=0.0001
    )


def test_slippage_worsens_a_stop_and_never_a_target() -> None:
    """Slippage is taken from stops; a target is a limit and fills at its level."""
    stop = exit_inside_bar(Side.BUY, 1.1, 0.0, 1.0, 1.2, 0.0, slippage=0.0002)
    target = exit_inside_bar(Side.BUY, 0.0, 1.15, 1.12, 1.2, 0.0, slippage=0.0002)

    assert Exit(1.0998, ExitReason.STOP_LOSS) == stop
    assert Exit(1.15, ExitReason.TAKE_PROFIT) == target


@given(protected(), bars())
def test_exit_is_inside_the_bar(
    position: tuple[Side, int, int], bar: tuple[int, int, int, int]
) -> None:
    """No exit is at a price that the bar did not show on the side that closes."""
    side, stop, target = position
    open_, low, high, spread = bar
    offset = 0 if side is Side.BUY else spread

    done = exit_on_bar(
        side,
        price(stop),
        price(target),
        open_=price(open_),
        low=price(low),
        high=price(high),
        spread=price(spread),
    )

    if done is not None:
        assert price(low + offset) <= done.price <= price(high + offset)


@given(protected(), bars(), st.integers(0, 50))
def test_stop_is_never_better_and_target_never_worse_than_its_level(
    position: tuple[Side, int, int], bar: tuple[int, int, int, int], slippage: int
) -> None:
    """A stop pays its level or less, a target its level or more; only gaps differ."""
    side, stop, target = position
    open_, low, high, spread = bar
    sign = 1 if side is Side.BUY else -1

    done = exit_on_bar(
        side,
        price(stop),
        price(target),
        open_=price(open_),
        low=price(low),
        high=price(high),
        spread=price(spread),
        slippage=price(slippage),
    )

    if done is not None and done.reason is ExitReason.STOP_LOSS:
        assert sign * done.price <= sign * price(stop)
    elif done is not None:
        assert sign * done.price >= sign * price(target)


@given(protected(), bars())
def test_untouched_levels_keep_the_position_open(
    position: tuple[Side, int, int], bar: tuple[int, int, int, int]
) -> None:
    """A position stays open when, and only when, the bar reached neither level."""
    side, stop, target = position
    open_, low, high, spread = bar
    if side is Side.BUY:
        reached = (stop and low <= stop) or (target and high >= target)
    else:
        reached = (stop and high + spread >= stop) or (
            target and low + spread <= target
        )

    done = exit_on_bar(
        side,
        price(stop),
        price(target),
        open_=price(open_),
        low=price(low),
        high=price(high),
        spread=price(spread),
    )

    assert bool(reached) == (done is not None)


@given(protected(), bars(), st.integers(0, 50))
def test_long_and_short_are_mirror_images(
    position: tuple[Side, int, int], bar: tuple[int, int, int, int], slippage: int
) -> None:
    """Turning the market upside down turns a long's exit into the short's."""
    side, stop, target = position
    open_, low, high, spread = bar

    done = exit_on_bar(
        side,
        price(stop),
        price(target),
        open_=price(open_),
        low=price(low),
        high=price(high),
        spread=price(spread),
        slippage=price(slippage),
    )
    mirrored = exit_on_bar(
        side.opposite,
        price(MIDDLE - stop) if stop else 0.0,
        price(MIDDLE - target) if target else 0.0,
        open_=price(MIDDLE - open_ - spread),
        low=price(MIDDLE - high - spread),
        high=price(MIDDLE - low - spread),
        spread=price(spread),
        slippage=price(slippage),
    )

    if done is None:
        assert mirrored is None
    else:
        assert mirrored is not None
        assert done.reason is mirrored.reason
        assert done.price == pytest.approx(price(MIDDLE) - mirrored.price, abs=1e-9)


@given(sides, triggers, points, points, st.integers(0, 100))
def test_quote_fills_a_level_at_the_quote(
    side: Side, trigger: Trigger, level: int, bid: int, spread: int
) -> None:
    """A quote at or beyond a level fills at that quote, on the side that trades."""
    quote = bid + spread if side is Side.BUY else bid
    beyond = (side is Side.BUY) == (trigger is Trigger.STOP)
    reached = quote >= level if beyond else quote <= level

    filled = fill_at_quote(side, trigger, price(level), price(bid), price(bid + spread))

    assert (price(quote) if reached else None) == filled


@given(sides, triggers, points, bars())
def test_bar_fills_a_waiting_level_at_the_level(
    side: Side, trigger: Trigger, level: int, bar: tuple[int, int, int, int]
) -> None:
    """Inside a bar a level is filled at itself, or not at all."""
    _, low, high, spread = bar

    filled = fill_inside_bar(
        side, trigger, price(level), price(low), price(high), price(spread)
    )

    assert filled in (None, price(level))


@given(protected(), bars())
def test_quote_exits_agree_with_a_bar_of_one_price(
    position: tuple[Side, int, int], bar: tuple[int, int, int, int]
) -> None:
    """A bar that never moved decides as its only quote does."""
    side, stop, target = position
    open_, _, _, spread = bar
    ask = price(open_ + spread)

    at_quote = exit_at_quote(side, price(stop), price(target), price(open_), ask)
    on_bar = exit_on_bar(
        side,
        price(stop),
        price(target),
        open_=price(open_),
        low=price(open_),
        high=price(open_),
        spread=price(spread),
    )

    assert at_quote == on_bar
