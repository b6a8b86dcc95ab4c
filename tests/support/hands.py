"""A person who trades by hand on the account that a runner trades on."""

from __future__ import annotations

from typing import Any

from runner.adapters.mt5_simulator.terminal import SimulatedTerminal

HANDS = ("close", "close a part", "open", "place", "tidy up")
"""What a person does: with the runner's positions, or for himself."""


def by_hand(terminal: SimulatedTerminal, deed: str) -> None:
    """Let a person do one of `HANDS`, if there is anything to do it with.

    On a netting account a person only takes from the runner's position: what he adds
    would be the same position, and its size nobody's.
    """
    # By another device: what fails here does not fail there.
    kept = terminal.faults, terminal.down
    terminal.faults, terminal.down = None, None
    is_hedging = terminal.account.rules.is_hedging
    for held in list(terminal.account.positions.values()):
        is_own = not held.magic
        whole, part = deed == "close", deed == "close a part"
        if (deed == "tidy up") if is_own else whole or (part and held.volume > 0.1):
            volume = 0.1 if part else held.volume
            ticket = held.ticket if is_hedging else 0
            _send(terminal, volume, ticket, is_sale=held.is_buy)
    for order in list(terminal.account.orders.values()):
        if deed == "tidy up" and not order.magic:
            terminal.order_send({"action": 8, "order": order.ticket})
    if is_hedging and deed == "open":
        _send(terminal, 0.1, is_sale=False)
    if is_hedging and deed == "place":
        _send(terminal, 0.1, is_sale=False, action=5, type=2, price=0.9, type_filling=2)
    terminal.faults, terminal.down = kept


def _send(
    terminal: SimulatedTerminal,
    volume: float,
    position: int = 0,
    *,
    is_sale: bool,
    **fields: Any,
) -> None:
    usual: dict[str, Any] = {
        "action": 1,
        "symbol": "EURUSD",
        "volume": volume,
        "type": int(is_sale),
        "type_filling": 1,
    }
    if position:
        usual["position"] = position
    answer = terminal.order_send({**usual, **fields})
    assert answer is not None
    assert 10009 == answer.retcode, answer.comment
