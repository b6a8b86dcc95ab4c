"""An order under way as it is on disk."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs

from runner.core.orders import Action, OrderRequest, PendingKind, Side
from runner.ports import StateError


def to_record(request: OrderRequest) -> dict[str, Any]:
    """Return *request* as a store keeps it."""
    placed_at, expires_at = request.placed_at, request.expires_at
    return attrs.asdict(request) | {
        "action": request.action.value,
        "side": request.side.value,
        "kind": request.kind and request.kind.value,
        "expires_at": expires_at and expires_at.isoformat(),
        "placed_at": placed_at and placed_at.isoformat(),
    }


def from_record(token: str, record: Any) -> OrderRequest:
    """Return the request that a record of *token* is of.

    Raises:
        StateError: If it is none: what is open is not known then.
    """
    try:
        # Orders that an earlier version wrote have no kind and no times.
        kind, placed_at = record.get("kind"), record.get("placed_at")
        expires_at = record.get("expires_at")
        fields: dict[str, Any] = {
            **record,
            "action": Action(record["action"]),
            "side": Side(record["side"]),
            "kind": PendingKind(kind) if kind else None,
            "expires_at": datetime.fromisoformat(expires_at) if expires_at else None,
            "placed_at": datetime.fromisoformat(placed_at) if placed_at else None,
        }
        return OrderRequest(**fields)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise StateError(
            f"order {token} on disk is damaged ({error!r}), so what is open is not "
            "known. Check the account by hand, then move the state file away"
        ) from error
