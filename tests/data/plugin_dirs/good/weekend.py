"""A module whose marked functions are the plugin."""

from __future__ import annotations

from datetime import datetime

from runner import Deny, hookimpl

from .max_positions import MaxPositions  # noqa: F401 - imported, not defined here


@hookimpl
def check_trading(now: datetime) -> Deny | None:
    return Deny("WEEKEND") if now.weekday() > 4 else None
