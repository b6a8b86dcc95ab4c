"""Times on the wire: ISO 8601 in UTC, written with ``Z`` as the seed's bodies are."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from runner.wire.encoding import WireError

_EXPECTED = "an ISO 8601 time such as 2025-01-25T00:00:00Z"
# fromisoformat also takes digits alone, so that 1735082800000 (an epoch) is a date.
_CALENDAR_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def write_time(value: datetime | None) -> str:
    """Return *value* in UTC; the empty text for None.

    Args:
        value: An aware time.

    Raises:
        WireError: If it is naive: whose time it is must be known before it is sent.
    """
    if value is None:
        return ""
    if value.utcoffset() is None:
        raise WireError("time", "a time with an offset", value.isoformat())
    return f"{value.astimezone(UTC).replace(tzinfo=None).isoformat()}Z"


def read_time(field: str, text: str | None) -> datetime:
    """Read an ISO 8601 time into UTC; one without an offset is read as UTC.

    Raises:
        WireError: If it is none.
    """
    stripped = "" if text is None else text.strip()
    if not _CALENDAR_DATE.match(stripped):
        raise WireError(field, _EXPECTED, text)
    try:
        value = datetime.fromisoformat(stripped)
        if value.utcoffset() is None:
            return value.replace(tzinfo=UTC)
        return value.astimezone(UTC)
    except (ValueError, OverflowError):
        raise WireError(field, _EXPECTED, text) from None


def read_optional_time(field: str, text: str | None) -> datetime | None:
    """Read as :func:`read_time`; None for a missing field and for the empty text."""
    return read_time(field, text) if text else None
