"""What the account could lose before every stop is hit: its worst case."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import attrs

from runner import (
    Action,
    OrderIntent,
    OrderRequest,
    PendingOrder,
    Position,
    Side,
    SymbolSpec,
    Tick,
)

ENTRIES = frozenset({Action.OPEN, Action.PLACE})


@attrs.frozen
class Exposure:
    """What is at risk.

    Attributes:
        risk: From the present equity to every stop, account currency, >= 0.
        without_stop: What no stop bounds, named for a person.
        unknown: What cannot be valued, since its symbol's rules are not known.
    """

    risk: float = 0.0
    without_stop: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    def __add__(self, other: Exposure) -> Exposure:
        """Return what both together risk."""
        return Exposure(
            self.risk + other.risk,
            self.without_stop + other.without_stop,
            self.unknown + other.unknown,
        )


def open_exposure(
    positions: Sequence[Position],
    orders: Sequence[PendingOrder],
    symbols: Mapping[str, SymbolSpec],
    stops: Mapping[int, float] | None = None,
) -> Exposure:
    """Return what is at risk in everything that is open or pending.

    Opposite positions do not cancel each other: each may be stopped by itself.

    Args:
        positions: Every open position of the account.
        orders: Every pending order; each counts as if it were filled at its price.
        symbols: The rules of their symbols.
        stops: Position ticket to the price where its stop shall stand, if elsewhere.
    """
    moved = stops or {}
    held = (
        _position(each, symbols.get(each.symbol), moved.get(each.ticket))
        for each in positions
    )
    pending = (_order(each, symbols.get(each.symbol)) for each in orders)
    return total((*held, *pending))


def total(parts: Iterable[Exposure]) -> Exposure:
    """Return what all *parts* together risk."""
    return sum(parts, Exposure())


def sent_exposure(
    requests: Sequence[OrderRequest], symbols: Mapping[str, SymbolSpec]
) -> Exposure:
    """Return what is at risk in entries that may be open and do not show.

    Args:
        requests: Orders that were sent.
        symbols: The rules of their symbols.
    """
    return total(
        entry_exposure(each, symbols.get(each.symbol))
        for each in requests
        if each.action in ENTRIES
    )


def entry_exposure(
    entry: OrderIntent | OrderRequest,
    spec: SymbolSpec | None,
    tick: Tick | None = None,
) -> Exposure:
    """Return what an entry risks, counted from where it is filled.

    Args:
        entry: What is to be sent, or was.
        spec: The rules of its symbol; None if they cannot be read.
        tick: The quote at which it is sent; None for one that was sent before.
    """
    name = f"the entry in {entry.symbol}"
    if entry.stop_loss is None:
        return Exposure(without_stop=(name,))
    if spec is None:
        return Exposure(unknown=(name,))
    is_market = entry.action is Action.OPEN and tick is not None
    spread = tick.ask - tick.bid if tick is not None and is_market else 0.0
    distance = spec.stop_distance(entry.stop_loss, spread)
    return _money(name, (entry.volume or 0.0) * distance, spec)


def _position(
    position: Position, spec: SymbolSpec | None, stop: float | None
) -> Exposure:
    name = f"position {position.ticket} ({position.symbol})"
    stop = stop or position.stop_loss
    if not stop:
        return Exposure(without_stop=(name,))
    sign = 1 if position.side is Side.BUY else -1
    distance = (position.open_price - stop) * sign * position.volume
    # To the stop from the open price, and back to where the position is now.
    return _money(name, distance, spec, gone=position.profit)


def _order(order: PendingOrder, spec: SymbolSpec | None) -> Exposure:
    name = f"order {order.ticket} ({order.symbol})"
    if not order.stop_loss:
        return Exposure(without_stop=(name,))
    return _money(name, abs(order.price - order.stop_loss) * order.volume, spec)


def _money(
    name: str, distance: float, spec: SymbolSpec | None, gone: float = 0.0
) -> Exposure:
    """Turn lots times price into money; *gone* is floating already."""
    if spec is None or not spec.tick_size > 0 or not spec.tick_value > 0:
        return Exposure(unknown=(name,))
    money = distance / spec.tick_size * spec.tick_value + gone
    if not math.isfinite(money):
        return Exposure(unknown=(name,))
    return Exposure(max(0.0, money))
