"""What the simulated server verifies before it executes a trade request.

Each check raises :class:`RefusedError` with the return code that a real server
answers. Distances are counted in whole points, so that binary noise refuses nothing.
"""

from __future__ import annotations

from typing import Final

from runner.adapters.mt5_simulator import constants as mt5
from runner.adapters.mt5_simulator.errors import RefusedError
from runner.adapters.mt5_simulator.records import BUYS, LIMITS, STOP_LIMITS
from runner.adapters.mt5_simulator.structs import TradeRequest
from runner.adapters.mt5_simulator.symbols import Symbol
from runner.core.orders import Side

FILLING_FOK: Final = 1
FILLING_IOC: Final = 2
FILLING_BOC: Final = 4
ORDER_MARKET: Final = 1
ORDER_CLOSE_BY: Final = 64
_ORDER_FLAGS: Final = {
    mt5.ORDER_TYPE_BUY_LIMIT: 2,
    mt5.ORDER_TYPE_SELL_LIMIT: 2,
    mt5.ORDER_TYPE_BUY_STOP: 4,
    mt5.ORDER_TYPE_SELL_STOP: 4,
    mt5.ORDER_TYPE_BUY_STOP_LIMIT: 8,
    mt5.ORDER_TYPE_SELL_STOP_LIMIT: 8,
}
_STOP_LOSS_FLAG: Final = 16
_TAKE_PROFIT_FLAG: Final = 32
_EXPIRATION_FLAGS: Final = {
    mt5.ORDER_TIME_GTC: 1,
    mt5.ORDER_TIME_DAY: 2,
    mt5.ORDER_TIME_SPECIFIED: 4,
    mt5.ORDER_TIME_SPECIFIED_DAY: 8,
}
_DAY: Final = 86_400
_STEP_TOLERANCE: Final = 1e-6
_SOME: Final = 0.001
"""Points: a level at the market itself has no room, less than a point is some."""


def points_between(symbol: Symbol, higher: float, lower: float) -> float:
    """Return how far *higher* is above *lower*, in points without binary noise."""
    return round((higher - lower) / symbol.point, 3)


def check_market(symbol: Symbol, is_open: bool) -> None:
    """Refuse a symbol without quotes (10021) or without a market (10018)."""
    if not symbol.selected or not symbol.time_msc:
        raise RefusedError(mt5.TRADE_RETCODE_PRICE_OFF)
    if not is_open:
        raise RefusedError(mt5.TRADE_RETCODE_MARKET_CLOSED)


def check_direction(symbol: Symbol, side: Side, is_opening: bool) -> None:
    """Refuse what the symbol's trade mode does not allow."""
    mode = symbol.fields["trade_mode"]
    if mode == mt5.SYMBOL_TRADE_MODE_DISABLED:
        raise RefusedError(mt5.TRADE_RETCODE_TRADE_DISABLED)
    if not is_opening:
        return
    if mode == mt5.SYMBOL_TRADE_MODE_CLOSEONLY:
        raise RefusedError(mt5.TRADE_RETCODE_CLOSE_ONLY)
    if mode == mt5.SYMBOL_TRADE_MODE_LONGONLY and side is Side.SELL:
        raise RefusedError(mt5.TRADE_RETCODE_LONG_ONLY)
    if mode == mt5.SYMBOL_TRADE_MODE_SHORTONLY and side is Side.BUY:
        raise RefusedError(mt5.TRADE_RETCODE_SHORT_ONLY)


def check_order_mode(symbol: Symbol, order_type: int, sl: float, tp: float) -> None:
    """Refuse an order type, or protection, that the symbol does not take (10035)."""
    needed = _ORDER_FLAGS.get(order_type, ORDER_MARKET)
    if sl:
        needed |= _STOP_LOSS_FLAG
    if tp:
        needed |= _TAKE_PROFIT_FLAG
    if needed & ~symbol.fields["order_mode"]:
        raise RefusedError(mt5.TRADE_RETCODE_INVALID_ORDER)


def check_filling(symbol: Symbol, filling: int, is_pending: bool) -> None:
    """Refuse a filling mode that the symbol's execution does not allow (10030) [D].

    Market execution: FOK and IOC as in the mask, RETURN never. Exchange: RETURN
    always. Instant and request: all three whatever the mask. A pending order may
    always be RETURN.
    """
    execution = symbol.fields["trade_exemode"]
    mask = symbol.fields["filling_mode"]
    in_mask = {
        mt5.ORDER_FILLING_FOK: mask & FILLING_FOK,
        mt5.ORDER_FILLING_IOC: mask & FILLING_IOC,
        mt5.ORDER_FILLING_BOC: mask & FILLING_BOC and is_pending,
    }
    if filling == mt5.ORDER_FILLING_RETURN:
        allowed = is_pending or execution != mt5.SYMBOL_TRADE_EXECUTION_MARKET
    elif filling in (mt5.ORDER_FILLING_FOK, mt5.ORDER_FILLING_IOC) and execution in (
        mt5.SYMBOL_TRADE_EXECUTION_INSTANT,
        mt5.SYMBOL_TRADE_EXECUTION_REQUEST,
    ):
        allowed = True
    else:
        allowed = bool(in_mask.get(filling, 0))
    if not allowed:
        raise RefusedError(mt5.TRADE_RETCODE_INVALID_FILL)


def check_volume(symbol: Symbol, volume: float) -> None:
    """Refuse a volume outside the symbol's limits or off its step (10014)."""
    fields = symbol.fields
    steps = volume / fields["volume_step"]
    if (
        not fields["volume_min"] - _STEP_TOLERANCE <= volume
        or not volume <= fields["volume_max"] + _STEP_TOLERANCE
        or abs(steps - round(steps)) > _STEP_TOLERANCE * max(1.0, steps)
    ):
        raise RefusedError(mt5.TRADE_RETCODE_INVALID_VOLUME)


def check_deviation(symbol: Symbol, request: TradeRequest, price: float) -> None:
    """Compare a market order's price with what it gets, where execution asks for one.

    Instant and request execution: no price is 10015, one farther from the market
    than the deviation is 10004. Market and exchange execution ignore both [K].
    """
    if symbol.fields["trade_exemode"] not in (
        mt5.SYMBOL_TRADE_EXECUTION_INSTANT,
        mt5.SYMBOL_TRADE_EXECUTION_REQUEST,
    ):
        return
    if request.price <= 0:
        raise RefusedError(mt5.TRADE_RETCODE_INVALID_PRICE)
    if abs(points_between(symbol, price, request.price)) > request.deviation:
        raise RefusedError(mt5.TRADE_RETCODE_REQUOTE)


def check_stops(
    symbol: Symbol, side: Side, sl: float, tp: float, bid: float, ask: float
) -> None:
    """Refuse stops on the wrong side or nearer than the stops level (10016) [D].

    A long's are measured from *bid*, a short's from *ask*: the quote that would
    trigger them. For a pending order both are its price.
    """
    for level in (sl, tp):
        if level < 0:
            raise RefusedError(mt5.TRADE_RETCODE_INVALID_STOPS)
    if side is Side.BUY:
        room = points_between(symbol, bid, sl), points_between(symbol, tp, bid)
    else:
        room = points_between(symbol, sl, ask), points_between(symbol, ask, tp)
    nearest = max(symbol.stops_level, _SOME)
    if (sl and room[0] < nearest) or (tp and room[1] < nearest):
        raise RefusedError(mt5.TRADE_RETCODE_INVALID_STOPS)


def check_pending_price(
    symbol: Symbol, order_type: int, price: float, stoplimit: float
) -> None:
    """Refuse a pending order's price on the wrong side or too near (10015)."""
    is_buy = order_type in BUYS
    market = symbol.ask if is_buy else symbol.bid
    is_below = is_buy == (order_type in LIMITS)
    distance = points_between(symbol, market, price)
    if price <= 0 or (distance if is_below else -distance) < max(
        symbol.stops_level, _SOME
    ):
        raise RefusedError(mt5.TRADE_RETCODE_INVALID_PRICE)
    if order_type in STOP_LIMITS:
        # The limit order must be a limit order once the stop is reached.
        room = points_between(symbol, price, stoplimit)
        if stoplimit <= 0 or (room if is_buy else -room) < symbol.stops_level:
            raise RefusedError(mt5.TRADE_RETCODE_INVALID_PRICE)


def check_frozen_position(symbol: Symbol, side: Side, sl: float, tp: float) -> None:
    """Refuse to touch a position whose stop or target is about to fill (10029)."""
    if not symbol.freeze_level:
        return
    market = symbol.bid if side is Side.BUY else symbol.ask
    for level in (sl, tp):
        if level and abs(points_between(symbol, market, level)) <= symbol.freeze_level:
            raise RefusedError(mt5.TRADE_RETCODE_FROZEN)


def check_frozen_order(symbol: Symbol, order_type: int, price: float) -> None:
    """Refuse to touch a pending order that is about to be executed (10029)."""
    if not symbol.freeze_level:
        return
    market = symbol.ask if order_type in BUYS else symbol.bid
    if abs(points_between(symbol, market, price)) <= symbol.freeze_level:
        raise RefusedError(mt5.TRADE_RETCODE_FROZEN)


def expiry_of(symbol: Symbol, request: TradeRequest, now: int) -> int:
    """Return when a pending order lapses, in server seconds; 0 for never.

    Raises:
        RefusedError: 10022 for a kind of expiration that the symbol does not take,
            or a time that has passed.
    """
    flag = _EXPIRATION_FLAGS.get(request.type_time, 0)
    if not flag & symbol.fields["expiration_mode"]:
        raise RefusedError(mt5.TRADE_RETCODE_INVALID_EXPIRATION)
    if request.type_time == mt5.ORDER_TIME_GTC:
        return 0
    if request.type_time == mt5.ORDER_TIME_DAY:
        return now - now % _DAY + _DAY
    if request.expiration <= now:
        raise RefusedError(mt5.TRADE_RETCODE_INVALID_EXPIRATION)
    if request.type_time == mt5.ORDER_TIME_SPECIFIED:
        return request.expiration
    return request.expiration - request.expiration % _DAY + _DAY
