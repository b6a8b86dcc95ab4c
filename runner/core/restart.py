"""What a start does with what an earlier start left open.

========= ================== ============================================ ==========
policy    something is open  nothing is open, magic numbers complete      else
========= ================== ============================================ ==========
adopt     go on              go on                                        go on
flatten   close it first     go on                                        wait
refuse    do not start       go on                                        wait
========= ================== ============================================ ==========

Nothing can be opened before the decision to go on, so whatever is open until then was
left by an earlier start. It is taken once; later positions are this start's own.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

import attrs

from runner.core.orders import OrderRequest, PendingOrder, Position


class RestartPolicy(enum.Enum):
    """What becomes of positions and pending orders that an earlier start left."""

    ADOPT = "adopt"
    """The strategies that own them go on managing them."""
    FLATTEN = "flatten"
    """They are closed and cancelled before anything is opened."""
    REFUSE = "refuse"
    """The runner does not start."""


class Step(enum.Enum):
    """What follows for the start."""

    WAIT = "wait"
    """It is not known yet what is open: nothing may be opened."""
    CLOSE = "close"
    """Close what is open; nothing may be opened until it is."""
    STOP = "stop"
    """Stop, with a message for a person."""
    GO_ON = "go on"
    """Trade."""


@attrs.frozen(slots=True, kw_only=True)
class Standing:
    """What the runner's own strategies have standing on the account.

    Attributes:
        positions: Open positions.
        orders: Pending orders.
        unresolved: Orders whose outcome is unknown.
    """

    positions: tuple[Position, ...] = ()
    orders: tuple[PendingOrder, ...] = ()
    unresolved: int = 0

    def __str__(self) -> str:
        """Return it on one line, for a person."""
        parts = [
            *(
                f"position {one.ticket} {one.side.value} {one.volume:g} {one.symbol}"
                for one in self.positions
            ),
            *(
                f"pending order {one.ticket} {one.side.value} {one.volume:g} "
                f"{one.symbol}"
                for one in self.orders
            ),
        ]
        if self.unresolved:
            parts.append(f"{self.unresolved} order(s) of unknown outcome")
        return ", ".join(parts) or "nothing"


def decide(
    policy: RestartPolicy, standing: Standing | None, *, are_magics_known: bool
) -> Step:
    """Return what follows for a start.

    Args:
        policy: What was set.
        standing: What stands open; None while that cannot be read.
        are_magics_known: Whether every strategy's number is known: those on disk and,
            in case the disk was lost, the one that the server lets trade.
    """
    if policy is RestartPolicy.ADOPT:
        return Step.GO_ON
    if standing is None:
        return Step.WAIT
    if standing.positions or standing.orders:
        return Step.CLOSE if policy is RestartPolicy.FLATTEN else Step.STOP
    if standing.unresolved or not are_magics_known:
        return Step.WAIT
    return Step.GO_ON


def holdings(
    positions: Iterable[Position],
    orders: Iterable[PendingOrder],
    unresolved: Iterable[OrderRequest],
    owners: Mapping[int, int],
) -> Mapping[int, tuple[str, ...]]:
    """Return the strategies that hold something, to the symbols of it.

    Args:
        positions: Of the account.
        orders: Pending ones of the account.
        unresolved: Orders whose outcome is unknown.
        owners: Magic number to strategy id.

    Returns:
        Strategy id to symbols, each once.
    """
    found: dict[int, dict[str, None]] = {}
    held = [
        *((one.magic, one.symbol) for one in positions),
        *((one.magic, one.symbol) for one in orders),
        *((one.magic, one.symbol) for one in unresolved),
    ]
    for magic, symbol in held:
        owner = owners.get(magic)
        if owner is not None:
            found.setdefault(owner, {})[symbol] = None
    return {owner: tuple(symbols) for owner, symbols in found.items()}


def foreign(positions: Sequence[Position], magics: Collection[int]) -> list[Position]:
    """Return the positions that no strategy of this runner opened.

    Args:
        positions: Of the account.
        magics: Of every strategy that ever ran on it.
    """
    return [position for position in positions if position.magic not in magics]


def counted(positions: Iterable[Position]) -> str:
    """Return how many positions there are in each symbol, for a person."""
    counts = Counter(position.symbol for position in positions)
    return ", ".join(f"{symbol} {counts[symbol]}" for symbol in sorted(counts))
