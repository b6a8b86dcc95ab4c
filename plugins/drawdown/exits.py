"""What a breach closes, where closing is the choice."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from plugins.drawdown.marks import Latch
from runner import Demand, FlattenScope, PendingOrder, Position


def wanted_exits(
    latches: Sequence[Latch],
    positions: Sequence[Position],
    orders: Sequence[PendingOrder],
    magics: Collection[int],
    scope: FlattenScope,
) -> Demand | None:
    """Return what has to be closed and cancelled while anything is latched.

    Args:
        latches: The breaches in force, the gravest first.
        positions: Every open position of the account.
        orders: Every pending order of the account.
        magics: Numbers of the runner's own strategies.
        scope: Whose positions and orders.

    Returns:
        None if nothing is latched, or nothing is left.
    """
    is_all = scope is FlattenScope.ACCOUNT
    close = tuple(one.ticket for one in positions if is_all or one.magic in magics)
    cancel = tuple(one.ticket for one in orders if is_all or one.magic in magics)
    if not latches or not (close or cancel):
        return None
    gravest = latches[0]
    return Demand(code=gravest.code, detail=gravest.detail, close=close, cancel=cancel)
