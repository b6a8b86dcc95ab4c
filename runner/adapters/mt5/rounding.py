"""Prices, volumes and levels as the symbol's rules allow them, without binary noise.

Rounding is done in decimals: 1.1 + 0.00015 is no price.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Protocol

from runner.adapters.mt5.structs import TickInfo
from runner.core.market import SymbolSpec
from runner.core.matching import Levels
from runner.core.orders import Side

_NOISELESS = 8
"""Decimals of a volume; what lies behind them is binary noise."""


class Prices(Protocol):
    """A bid and an ask: those of a quote, or the price of a pending order twice."""

    @property
    def bid(self) -> float:
        """Price at which is sold."""
        ...

    @property
    def ask(self) -> float:
        """Price at which is bought."""
        ...


class OrderError(ValueError):
    """The request cannot be sent: it breaks a rule that is known beforehand."""


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
    side: Side, levels: Levels, spec: SymbolSpec, quote: Prices, room: float
) -> Levels:
    """Move stop and target away from the quote where they are too near.

    A position is closed at the other side of the quote, so a long one's levels keep
    clear of the bid and a short one's of the ask (MQL5 reference, "Requirements and
    Limitations in Making Trade Operations").

    Args:
        side: Direction of the position.
        levels: Prices; 0.0 for none, which stays.
        spec: The grid of prices.
        quote: The present one, or what a position would be opened at.
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


def on_grid(levels: Levels, spec: SymbolSpec) -> Levels:
    """Return stop and target on the symbol's grid of prices."""
    return Levels(to_price(levels.stop_loss, spec), to_price(levels.take_profit, spec))
