"""What must hold at a terminal, measured there and not in the runner."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import attrs

from runner.adapters.mt5_simulator.terminal import SimulatedTerminal

ENTRY = 0
"""DEAL_ENTRY_IN."""


@attrs.frozen(slots=True)
class Truth:
    """What stands at the terminal, and what ever happened there.

    Attributes:
        positions: Ticket to comment, magic, volume and stop.
        orders: Pending orders: ticket to magic.
        deals: Comment of the opening order, entry and volume of every deal.
        phases: How often the market moved.
    """

    positions: Mapping[int, tuple[str, int, float, float]]
    orders: Mapping[int, int]
    deals: tuple[tuple[str, int, float], ...]
    phases: int


def truth_of(terminal: SimulatedTerminal, phases: int = 0) -> Truth:
    """Return what stands at *terminal*."""
    account = terminal.account
    return Truth(
        positions={
            held.ticket: (held.comment, held.magic, held.volume, held.sl)
            for held in account.positions.values()
        },
        orders={order.ticket: order.magic for order in account.orders.values()},
        deals=tuple(
            (deal.comment, deal.entry, deal.volume)
            for deal in account.history.deals.between(0, 2**31)
            if deal.type in {0, 1}
        ),
        phases=phases,
    )


def check(truth: Truth, *, bare_allowed: bool = False) -> None:
    """Assert what must hold at the terminal at every instant.

    What a person holds there is left alone, so it is that person's business. Where
    the broker itself fills without the stop, it stands a moment later.
    """
    entries = Counter(
        comment for comment, entry, _ in truth.deals if entry == ENTRY and comment
    )
    assert [] == [token for token, count in entries.items() if count > 1], "sent twice"
    assert len(own_of(truth)) <= 1, "two positions or orders of one strategy"
    bare = [
        ticket for ticket, held in truth.positions.items() if held[1] and not held[3]
    ]
    assert bare_allowed or not bare, "a position without its stop"


def own_of(truth: Truth) -> list[int]:
    """Return the tickets of what is not a person's: positions, then orders."""
    held = [ticket for ticket, one in truth.positions.items() if one[1]]
    return [*held, *(ticket for ticket, magic in truth.orders.items() if magic)]


def agree(found: dict[str, Any], truth: Truth) -> None:
    """Assert that what a runner believes is what stands at the terminal."""
    positions = {
        str(ticket): [held[2], held[3]] for ticket, held in truth.positions.items()
    }
    assert positions == found["positions"]
    assert [] == found["unresolved"]
    assert str(len(positions)) == found["heartbeat"]
