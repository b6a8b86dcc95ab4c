"""Trade requests as pure code: what is sent, in the types that the module takes.

Prices and volumes are floats and everything else is an int or text, or the module
refuses the request.
"""

from __future__ import annotations

from typing import Any

import attrs

from runner.adapters.mt5 import terminal as mt5
from runner.adapters.mt5.rounding import (
    OrderError,
    keep_clear,
    on_grid,
    room_for_stops,
    to_price,
    to_volume,
)
from runner.adapters.mt5.structs import TickInfo, TradePosition
from runner.adapters.mt5.symbols import SymbolRules
from runner.core.market import SymbolSpec
from runner.core.matching import Levels, levels_from_distances, market_price
from runner.core.orders import OrderRequest, Side

_LONGEST_COMMENT = 29
"""UTF-16 units; the module refuses more without sending anything."""
_LARGEST_MAGIC = 2**63 - 1
_NOISE = 1e-8
"""Lots; less than any step of volume."""


@attrs.frozen(slots=True)
class Draft:
    """A request for `order_send`, and what was changed in making it.

    Attributes:
        request: The fields.
        note: For a person; empty if everything is as it was asked for.
    """

    request: dict[str, Any]
    note: str = ""

    @property
    def levels(self) -> Levels:
        """Stop and target that the request carries."""
        return Levels(self.request.get("sl", 0.0), self.request.get("tp", 0.0))


def filling_modes(rules: SymbolRules) -> tuple[int, ...]:
    """Return the filling modes of a market order, the one to try first in front.

    IOC comes before FOK, for a part is better than a refusal; RETURN is last, since
    it leaves the rest of a partial fill waiting in the market. The mask binds only
    where execution is by market or exchange (MQL5 reference, "Filling Policy").

    Args:
        rules: Execution and filling mask of the symbol.
    """
    if rules.execution < mt5.SYMBOL_TRADE_EXECUTION_MARKET:
        return (
            mt5.ORDER_FILLING_FOK,
            mt5.ORDER_FILLING_IOC,
            mt5.ORDER_FILLING_RETURN,
        )
    modes: list[int] = []
    if rules.filling_mask & mt5.SYMBOL_FILLING_IOC:
        modes.append(mt5.ORDER_FILLING_IOC)
    if rules.filling_mask & mt5.SYMBOL_FILLING_FOK:
        modes.append(mt5.ORDER_FILLING_FOK)
    if rules.execution == mt5.SYMBOL_TRADE_EXECUTION_EXCHANGE:
        modes.append(mt5.ORDER_FILLING_RETURN)
    # A symbol that names none still takes one; the server says which.
    return tuple(modes) or (mt5.ORDER_FILLING_FOK, mt5.ORDER_FILLING_IOC)


def open_draft(
    request: OrderRequest,
    spelling: str,
    rules: SymbolRules,
    quote: TickInfo,
    *,
    filling: int,
    deviation: int,
    generous: bool = False,
) -> Draft:
    """Return the request that opens a position at the market.

    Args:
        request: Direction, volume and distances (architecture, decision 10).
        spelling: The broker's name of the symbol.
        rules: The symbol's.
        quote: From which the distances count.
        filling: ``ORDER_FILLING_*``.
        deviation: Largest slippage, in points.
        generous: Whether stops were refused before.

    Raises:
        OrderError: If it cannot be sent.
    """
    spec = rules.spec
    asked = levels_from_distances(
        request.side,
        bid=quote.bid,
        ask=quote.ask,
        point=spec.point,
        tick_size=spec.tick_size,
        stop_loss=request.stop_loss,
        take_profit=request.take_profit,
    )
    levels = on_grid(asked, spec)
    refuse_no_level(request, levels, spec)
    room = room_for_stops(spec, quote, generous=generous)
    kept = keep_clear(request.side, levels, spec, quote, room)
    fields = deal_fields(
        request, spelling, request.side, spec, quote, filling, deviation
    )
    fields["volume"] = to_volume(request.volume, spec)
    fields["sl"] = kept.stop_loss
    fields["tp"] = kept.take_profit
    return Draft(fields, moved(levels, kept))


def refuse_no_level(request: OrderRequest, levels: Levels, spec: SymbolSpec) -> None:
    """Raise OrderError if a level that was asked for would be none at all."""
    for name, distance, level in (
        ("stop loss", request.stop_loss, levels.stop_loss),
        ("take profit", request.take_profit, levels.take_profit),
    ):
        # A level of zero would be none at all.
        if distance is not None and level <= 0:
            raise OrderError(
                f"{name}: {distance:g} points are more than the price of {spec.name}"
            )


def close_draft(
    request: OrderRequest,
    position: TradePosition,
    side: Side,
    rules: SymbolRules,
    quote: TickInfo,
    *,
    filling: int,
    deviation: int,
) -> Draft:
    """Return the request that closes *position*, wholly or in part.

    It names the position: without, a hedging account would open an opposite one.

    Args:
        request: The volume; of more than the largest order, that much is closed.
        position: As the terminal shows it now.
        side: Direction of the closing deal.
        rules: The symbol's.
        quote: The present one.
        filling: ``ORDER_FILLING_*``.
        deviation: Largest slippage, in points.

    Raises:
        OrderError: If it cannot be sent.
    """
    spec = rules.spec
    fields = deal_fields(
        request, position.symbol, side, spec, quote, filling, deviation
    )
    fields["position"] = position.ticket
    # The whole of a position is always a volume that it can be closed with; but orders
    # that add to it can make it larger than any order may be.
    wanted = min(request.volume, spec.volume_max)
    is_whole = wanted > position.volume - _NOISE
    fields["volume"] = float(position.volume) if is_whole else to_volume(wanted, spec)
    return Draft(fields)


def protect_draft(
    position: TradePosition,
    side: Side,
    levels: Levels,
    rules: SymbolRules,
    quote: TickInfo,
    *,
    generous: bool = False,
) -> Draft:
    """Return the request that sets stop and target, both: an omitted one is removed.

    Args:
        position: As the terminal shows it now.
        side: Direction of the position.
        levels: Prices that shall stand; 0.0 for none.
        rules: The symbol's.
        quote: The present one.
        generous: Whether these levels were refused as too near: they are moved away,
            but a stop never to a worse price than the one that stands.

    Raises:
        OrderError: If it cannot be sent.
    """
    spec = rules.spec
    wanted = kept = on_grid(levels, spec)
    if generous:
        room = room_for_stops(spec, quote, generous=True)
        kept = keep_clear(side, wanted, spec, quote, room)
        present = position.sl
        is_moved = kept.stop_loss != wanted.stop_loss
        away = -1 if side is Side.BUY else 1
        if present and is_moved and (kept.stop_loss - present) * away > 0:
            raise OrderError(
                f"stop loss {wanted.stop_loss} is too near to the quote, and the "
                f"nearest that is allowed, {kept.stop_loss}, is worse than the present "
                f"{present}, which stays"
            )
    fields: dict[str, Any] = {
        "action": mt5.TRADE_ACTION_SLTP,
        "position": position.ticket,
        "symbol": position.symbol,
        "sl": kept.stop_loss,
        "tp": kept.take_profit,
    }
    return Draft(fields, moved(wanted, kept))


def deal_fields(
    request: OrderRequest,
    spelling: str,
    side: Side,
    spec: SymbolSpec,
    quote: TickInfo,
    filling: int,
    deviation: int,
) -> dict[str, Any]:
    """Return what the requests of market and pending orders have in common.

    Args:
        request: Magic and token.
        spelling: The broker's name of the symbol.
        side: Direction of the deal.
        spec: The grid of prices.
        quote: The present one, for the price.
        filling: ``ORDER_FILLING_*``.
        deviation: Largest slippage, in points.

    Raises:
        OrderError: If the module would refuse magic or token.
    """
    if not 0 <= request.magic <= _LARGEST_MAGIC:
        raise OrderError(f"magic: expected 0 to {_LARGEST_MAGIC}, got {request.magic}")
    units = len(request.token.encode("utf-16-le")) // 2
    if not 0 < units <= _LONGEST_COMMENT:
        raise OrderError(
            f"token: expected 1 to {_LONGEST_COMMENT} characters, got {request.token!r}"
        )
    return {
        "action": mt5.TRADE_ACTION_DEAL,
        "magic": request.magic,
        "symbol": spelling,
        "price": to_price(market_price(side, quote.bid, quote.ask), spec),
        "deviation": deviation,
        "type": mt5.ORDER_TYPE_BUY if side is Side.BUY else mt5.ORDER_TYPE_SELL,
        "type_filling": filling,
        "type_time": mt5.ORDER_TIME_GTC,
        "comment": request.token,
    }


def moved(wanted: Levels, kept: Levels) -> str:
    """Say to a person which levels were moved; empty for none."""
    parts = [
        f"{name} moved from {old} to {new}, the nearest that the broker allows"
        for name, old, new in (
            ("stop loss", wanted.stop_loss, kept.stop_loss),
            ("take profit", wanted.take_profit, kept.take_profit),
        )
        if old != new
    ]
    return "; ".join(parts)
