"""Trade requests of pending orders as pure code."""

from __future__ import annotations

from typing import Any

import attrs

from runner.adapters.mt5 import terminal as mt5
from runner.adapters.mt5.orders import Draft, deal_fields, moved, refuse_no_level
from runner.adapters.mt5.rounding import (
    OrderError,
    keep_clear,
    on_grid,
    to_price,
    to_volume,
)
from runner.adapters.mt5.structs import TickInfo
from runner.adapters.mt5.symbols import SymbolRules
from runner.core.market import SymbolSpec
from runner.core.matching import levels_from_distances
from runner.core.orders import OrderRequest, PendingKind, Side

_HALF = 0.5
PENDING_TYPES = {
    (PendingKind.LIMIT, Side.BUY): mt5.ORDER_TYPE_BUY_LIMIT,
    (PendingKind.LIMIT, Side.SELL): mt5.ORDER_TYPE_SELL_LIMIT,
    (PendingKind.STOP, Side.BUY): mt5.ORDER_TYPE_BUY_STOP,
    (PendingKind.STOP, Side.SELL): mt5.ORDER_TYPE_SELL_STOP,
}
"""Kind and side of a pending order to its type."""
_PENDING_BITS = {PendingKind.LIMIT: 2, PendingKind.STOP: 4}
"""Bits of `SYMBOL_ORDER_MODE`; the module has no names for them."""
_UNTIL_CANCELLED, _THE_DAY, _UNTIL_A_MOMENT = 1, 2, 4
"""Bits of `SYMBOL_EXPIRATION_MODE`."""


@attrs.frozen(slots=True)
class _At:
    """The price that a pending order is filled at, as the quote it then meets."""

    bid: float
    ask: float


def place_draft(
    request: OrderRequest,
    spelling: str,
    rules: SymbolRules,
    quote: TickInfo,
    *,
    expiration: int | None,
) -> Draft:
    """Return the request that places a pending order.

    Its price is never moved: at another price the strategy may not want it. Stop and
    target count from that price, and are moved where they are too near to it.

    Args:
        request: Direction, kind, volume, price and distances.
        spelling: The broker's name of the symbol.
        rules: The symbol's.
        quote: The present one, to which the price keeps the stops level.
        expiration: Server's clock in seconds; None for an order without an end.

    Raises:
        OrderError: If it cannot be sent.
    """
    spec, kind = rules.spec, request.kind
    if kind is None or request.price is None or kind not in _PENDING_BITS:
        raise OrderError("kind, price: a pending order is a limit or a stop at a price")
    if not rules.order_mask & _PENDING_BITS[kind]:
        raise OrderError(f"kind: {spec.name} takes no {kind.value} orders")
    price = to_price(request.price, spec)
    _check_distance(request, price, spec, quote)
    at = _At(price, price)
    asked = levels_from_distances(
        request.side,
        bid=price,
        ask=price,
        point=spec.point,
        tick_size=spec.tick_size,
        stop_loss=request.stop_loss,
        take_profit=request.take_profit,
    )
    levels = on_grid(asked, spec)
    refuse_no_level(request, levels, spec)
    room = max(spec.stops_level * spec.point, spec.tick_size)
    kept = keep_clear(request.side, levels, spec, at, room)
    fields = deal_fields(
        request,
        spelling,
        request.side,
        spec,
        quote,
        # "Pending orders: RETURN always" (MQL5 reference, "Filling Policy").
        mt5.ORDER_FILLING_RETURN,
        0,
    )
    fields |= {
        "action": mt5.TRADE_ACTION_PENDING,
        "type": PENDING_TYPES[kind, request.side],
        "price": price,
        "volume": to_volume(request.volume, spec),
        "sl": kept.stop_loss,
        "tp": kept.take_profit,
    }
    return Draft(fields | _life(rules, expiration), moved(levels, kept))


def _check_distance(
    request: OrderRequest, price: float, spec: SymbolSpec, quote: TickInfo
) -> None:
    is_buy = request.side is Side.BUY
    is_below = is_buy == (request.kind is PendingKind.LIMIT)
    market = quote.ask if is_buy else quote.bid
    room = max(spec.stops_level * spec.point, spec.tick_size)
    distance = market - price if is_below else price - market
    if price <= 0 or distance < room - spec.point * _HALF:
        kind = request.kind.value if request.kind else ""
        raise OrderError(
            f"price: a {request.side.value} {kind} of {spec.name} needs to be at least "
            f"{room / spec.point:.0f} points {'below' if is_below else 'above'} "
            f"{market}, got {price}"
        )


def _life(rules: SymbolRules, expiration: int | None) -> dict[str, Any]:
    name = rules.spec.name
    if expiration is not None:
        if not rules.expiration_mask & _UNTIL_A_MOMENT:
            raise OrderError(f"expires_at: {name} takes no orders with an end")
        return {"type_time": mt5.ORDER_TIME_SPECIFIED, "expiration": expiration}
    if rules.expiration_mask & _UNTIL_CANCELLED:
        return {"type_time": mt5.ORDER_TIME_GTC}
    if rules.expiration_mask & _THE_DAY:
        return {"type_time": mt5.ORDER_TIME_DAY}
    raise OrderError(f"expires_at: {name} takes no orders without an end")
