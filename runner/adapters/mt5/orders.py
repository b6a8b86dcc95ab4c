"""Trade requests as pure code: what is sent, in the types that the module takes.

Prices and volumes are floats and everything else is an int or text, or the module
refuses the request. Rounding is done in decimals: 1.1 + 0.00015 is no price.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Any

import attrs

from runner.adapters.mt5 import terminal as mt5
from runner.adapters.mt5.structs import TickInfo, TradePosition
from runner.adapters.mt5.symbols import SymbolRules
from runner.core.market import SymbolSpec
from runner.core.matching import Levels, levels_from_distances, market_price
from runner.core.orders import OrderRequest, Side

_LONGEST_COMMENT = 29
"""UTF-16 units; the module refuses more without sending anything."""
_LARGEST_MAGIC = 2**63 - 1
_NOISELESS = 8
"""Decimals of a volume; what lies behind them is binary noise."""


class OrderError(ValueError):
    """The request cannot be sent: it breaks a rule that is known beforehand."""


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


def to_price(value: float, spec: SymbolSpec, rounding: str = ROUND_HALF_EVEN) -> float:
    """Return *value* on the symbol's grid of prices, without binary noise.

    Args:
        value: Any price.
        spec: Tick size and digits.
        rounding: A rounding mode of `decimal`.
    """
    tick = Decimal(repr(spec.tick_size))
    steps = (Decimal(repr(value)) / tick).to_integral_value(rounding)
    return float((steps * tick).quantize(Decimal(1).scaleb(-spec.digits)))


def to_volume(value: float, spec: SymbolSpec) -> float:
    """Return *value* floored to the symbol's step.

    Args:
        value: In lots.
        spec: Step, smallest and largest volume.

    Raises:
        OrderError: If it is then outside the symbol's limits. It is never rounded
            up: that would risk more than was asked for.
    """
    step = Decimal(repr(spec.volume_step))
    if step <= 0:
        raise OrderError(f"volume: {spec.name} states a step of {spec.volume_step}")
    asked = Decimal(repr(round(value, _NOISELESS)))
    volume = float((asked / step).to_integral_value(ROUND_FLOOR) * step)
    if not spec.volume_min <= volume <= spec.volume_max:
        raise OrderError(
            f"volume: expected {spec.volume_min:g} to {spec.volume_max:g} lots of "
            f"{spec.name}, got {value:g}"
        )
    return volume


def room_for_stops(spec: SymbolSpec, quote: TickInfo, *, generous: bool) -> float:
    """Return how near to the quote a stop or target may be, as a price difference.

    Args:
        spec: The stops level. 0 often stands for a level that moves with the market.
        quote: The present one.
        generous: After a refusal: at least the spread, and one tick more.
    """
    room = max(spec.stops_level * spec.point, spec.tick_size)
    if not generous:
        return room
    return max(room, quote.ask - quote.bid) + spec.tick_size


def keep_clear(
    side: Side, levels: Levels, spec: SymbolSpec, quote: TickInfo, room: float
) -> Levels:
    """Move stop and target away from the quote where they are too near.

    A position is closed at the other side of the quote, so a long one's levels keep
    clear of the bid and a short one's of the ask (MQL5 reference, "Requirements and
    Limitations in Making Trade Operations").

    Args:
        side: Direction of the position.
        levels: Prices; 0.0 for none, which stays.
        spec: The grid of prices.
        quote: The present one.
        room: Price difference to keep.

    Raises:
        OrderError: If no stop can be that far away.
    """
    if side is Side.BUY:
        below = to_price(quote.bid - room, spec, ROUND_FLOOR)
        above = to_price(quote.bid + room, spec, ROUND_CEILING)
        stop = min(levels.stop_loss, below)
        target = max(levels.take_profit, above)
    else:
        below = to_price(quote.ask - room, spec, ROUND_FLOOR)
        above = to_price(quote.ask + room, spec, ROUND_CEILING)
        stop = max(levels.stop_loss, above)
        target = min(levels.take_profit, below)
    kept = Levels(
        stop if levels.stop_loss else 0.0, target if levels.take_profit else 0.0
    )
    for asked, level in (
        (levels.stop_loss, kept.stop_loss),
        (levels.take_profit, kept.take_profit),
    ):
        if asked and level <= 0:
            raise OrderError(f"{spec.name}: no stop or target fits below {quote.bid}")
    return kept


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
    levels = _on_grid(asked, spec)
    for name, distance, level in (
        ("stop loss", request.stop_loss, levels.stop_loss),
        ("take profit", request.take_profit, levels.take_profit),
    ):
        # A level of zero would be none at all.
        if distance is not None and level <= 0:
            raise OrderError(
                f"{name}: {distance:g} points are more than the price of {spec.name}"
            )
    room = room_for_stops(spec, quote, generous=generous)
    kept = keep_clear(request.side, levels, spec, quote, room)
    fields = _deal(request, spelling, request.side, spec, quote, filling, deviation)
    fields["volume"] = to_volume(request.volume, spec)
    fields["sl"] = kept.stop_loss
    fields["tp"] = kept.take_profit
    return Draft(fields, _moved(levels, kept))


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
        request: The volume.
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
    fields = _deal(request, position.symbol, side, spec, quote, filling, deviation)
    fields["position"] = position.ticket
    # The whole of a position is always a volume that it can be closed with.
    is_whole = round(request.volume - position.volume, _NOISELESS) >= 0
    fields["volume"] = (
        float(position.volume) if is_whole else to_volume(request.volume, spec)
    )
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
    wanted = kept = _on_grid(levels, spec)
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
    return Draft(fields, _moved(wanted, kept))


def _deal(
    request: OrderRequest,
    spelling: str,
    side: Side,
    spec: SymbolSpec,
    quote: TickInfo,
    filling: int,
    deviation: int,
) -> dict[str, Any]:
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


def _on_grid(levels: Levels, spec: SymbolSpec) -> Levels:
    return Levels(to_price(levels.stop_loss, spec), to_price(levels.take_profit, spec))


def _moved(wanted: Levels, kept: Levels) -> str:
    parts = [
        f"{name} moved from {old} to {new}, the nearest that the broker allows"
        for name, old, new in (
            ("stop loss", wanted.stop_loss, kept.stop_loss),
            ("take profit", wanted.take_profit, kept.take_profit),
        )
        if old != new
    ]
    return "; ".join(parts)
