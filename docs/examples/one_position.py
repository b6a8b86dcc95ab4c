"""The smallest guard: never more than one open position on the account."""

from __future__ import annotations

from collections.abc import Sequence

from runner import Deny, OrderIntent, Position, hookimpl


@hookimpl
def check_order(intent: OrderIntent, positions: Sequence[Position]) -> Deny | None:
    """Deny an entry while anything is open; exits are none of its business."""
    if intent.increases_exposure and positions:
        return Deny("ONE_POSITION", f"open={len(positions)}")
    return None
