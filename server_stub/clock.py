"""The server's own clock; everything else is told the time."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """Return the present time, UTC-aware."""
    return datetime.now(UTC)  # noqa: TID251 - the stub may not import the runner's clock
