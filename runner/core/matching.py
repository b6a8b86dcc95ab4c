"""The fill rules, once, for the simulated terminal and for authors' tests alike.

Everything reduces to two kinds of level. A *stop* is passed in the direction that
costs (stop loss, stop order); a *limit* is reached in the direction that pays (take
profit, limit order). A buy is done at the ask, a sell at the bid, so a long position
is closed on the bid and a short one on the ask.

========================  ==========================================================
what happens              price
========================  ==========================================================
market order              ask for a buy, bid for a sell, slippage against it
a quote beyond a level    that quote (a gap gives what the market gives), slippage
                          against a stop
a bar reaching a level    the level itself, slippage against a stop
both levels in one bar    the stop: which came first cannot be known
========================  ==========================================================

Bars hold bids; the ask of a bar is its bid plus the bar's spread. Slippage and
spread arrive here as price differences, never as points.
"""

from __future__ import annotations

import enum

import attrs

from runner.core.orders import ExitReason, Side

_DECIMALS = 8
"""More than any price has; rounding to them only removes binary noise."""


class Trigger(enum.Enum):
    """How a waiting level is executed."""

    STOP = "stop"
    """Once the market is at the level or worse; slippage applies."""
    LIMIT = "limit"
    """Once the market is at the level or better; never worse than the level."""


@attrs.frozen(slots=True)
class Levels:
    """Protection of one position, as prices; 0.0 stands for none."""

    stop_loss: float = 0.0
    take_profit: float = 0.0


@attrs.frozen(slots=True)
class Exit:
    """A position's end by one of its levels.

    Attributes:
        price: Executed price.
        reason: STOP_LOSS or TAKE_PROFIT.
    """

    price: float
    reason: ExitReason


def round_to_tick(price: float, tick_size: float) -> float:
    """Return the multiple of *tick_size* nearest to *price*.

    Nearest, not floored: a floored price is one point low for every sixth price or
    so, since most decimals have no exact binary form.

    Args:
        price: Any price.
        tick_size: The symbol's grid of prices, > 0.
    """
    return round(round(price / tick_size) * tick_size, _DECIMALS)


def ask_price(bid: float, spread: float, point: float) -> float:
    """Return the ask that stands *spread* points above *bid*.

    Args:
        bid: Price.
        spread: In points.
        point: Price of one point.
    """
    return round(bid + spread * point, _DECIMALS)


def market_price(side: Side, bid: float, ask: float, slippage: float = 0.0) -> float:
    """Return the price at which a market order is done.

    Args:
        side: Direction of the deal: a long position is closed by SELL.
        bid: Price.
        ask: Price.
        slippage: Price difference against the order, >= 0.
    """
    if side is Side.BUY:
        return _noiseless(ask, slippage)
    return _noiseless(bid, -slippage)


def levels_from_distances(
    side: Side,
    *,
    bid: float,
    ask: float,
    point: float,
    tick_size: float,
    stop_loss: float | None,
    take_profit: float | None,
) -> Levels:
    """Return stop and target from distances in points off the quote.

    Counted from the ask for a buy, from the bid for a sell (architecture, decision
    10), rounded to the tick.

    Args:
        side: Direction of the position.
        bid: Price of the quote at which the order is sent.
        ask: Price of the same quote.
        point: Price of one point.
        tick_size: The symbol's grid of prices.
        stop_loss: Distance in points; None for no stop.
        take_profit: Distance in points; None for no target.
    """
    base, away = (ask, point) if side is Side.BUY else (bid, -point)
    return Levels(
        0.0 if stop_loss is None else round_to_tick(base - stop_loss * away, tick_size),
        0.0
        if take_profit is None
        else round_to_tick(base + take_profit * away, tick_size),
    )


def fill_at_quote(
    side: Side,
    trigger: Trigger,
    level: float,
    bid: float,
    ask: float,
    slippage: float = 0.0,
) -> float | None:
    """Return the price that a waiting level gets from one quote; None if none.

    Args:
        side: Direction of the deal that the level causes.
        trigger: STOP or LIMIT.
        level: Price.
        bid: Price of the quote.
        ask: Price of the quote.
        slippage: Price difference against a STOP.
    """
    if side is Side.BUY:
        if trigger is Trigger.STOP:
            return _noiseless(ask, slippage) if ask >= level else None
        return ask if ask <= level else None
    if trigger is Trigger.STOP:
        return _noiseless(bid, -slippage) if bid <= level else None
    return bid if bid >= level else None


def fill_inside_bar(
    side: Side,
    trigger: Trigger,
    level: float,
    low: float,
    high: float,
    spread: float,
    slippage: float = 0.0,
) -> float | None:
    """Return the price that a waiting level gets inside a bar; None if none.

    The bar's open is no part of it: a level that the open is already beyond is
    :func:`fill_at_quote`'s, with the open as the quote.

    Args:
        side: Direction of the deal that the level causes.
        trigger: STOP or LIMIT.
        level: Price.
        low: The bar's lowest bid.
        high: The bar's highest bid.
        spread: Price difference between ask and bid in this bar.
        slippage: Price difference against a STOP.
    """
    if side is Side.BUY:
        if trigger is Trigger.STOP:
            reached = _noiseless(high, spread) >= level
            return _noiseless(level, slippage) if reached else None
        return level if _noiseless(low, spread) <= level else None
    if trigger is Trigger.STOP:
        return _noiseless(level, -slippage) if low <= level else None
    return level if high >= level else None


def exit_at_quote(
    side: Side,
    stop_loss: float,
    take_profit: float,
    bid: float,
    ask: float,
    slippage: float = 0.0,
) -> Exit | None:
    """Return how a position ends at one quote, such as a bar's open; None if not.

    Args:
        side: Direction of the position.
        stop_loss: Price; 0.0 for none.
        take_profit: Price; 0.0 for none.
        bid: Price of the quote.
        ask: Price of the quote.
        slippage: Price difference against a stop.
    """
    closing = side.opposite
    if stop_loss:
        price = fill_at_quote(closing, Trigger.STOP, stop_loss, bid, ask, slippage)
        if price is not None:
            return Exit(price, ExitReason.STOP_LOSS)
    if take_profit:
        price = fill_at_quote(closing, Trigger.LIMIT, take_profit, bid, ask)
        if price is not None:
            return Exit(price, ExitReason.TAKE_PROFIT)
    return None


def exit_inside_bar(
    side: Side,
    stop_loss: float,
    take_profit: float,
    low: float,
    high: float,
    spread: float,
    slippage: float = 0.0,
) -> Exit | None:
    """Return how a position ends inside a bar, the stop first; None if it does not.

    Args:
        side: Direction of the position.
        stop_loss: Price; 0.0 for none.
        take_profit: Price; 0.0 for none.
        low: The bar's lowest bid.
        high: The bar's highest bid.
        spread: Price difference between ask and bid in this bar.
        slippage: Price difference against a stop.
    """
    closing = side.opposite
    if stop_loss:
        price = fill_inside_bar(
            closing, Trigger.STOP, stop_loss, low, high, spread, slippage
        )
        if price is not None:
            return Exit(price, ExitReason.STOP_LOSS)
    if take_profit:
        price = fill_inside_bar(closing, Trigger.LIMIT, take_profit, low, high, spread)
        if price is not None:
            return Exit(price, ExitReason.TAKE_PROFIT)
    return None


def _noiseless(price: float, difference: float) -> float:
    # 1.1 + 0.0001 is 1.1001000000000003, which would miss a level at 1.1001.
    return round(price + difference, _DECIMALS) if difference else price
