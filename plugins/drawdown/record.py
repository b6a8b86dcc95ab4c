"""What is remembered, as a JSON value and back; strict, since money hangs on it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

import attrs

from plugins.drawdown.days import day_end
from plugins.drawdown.marks import Latch, Marks
from runner import DailyReset

FORMAT = 2
_FIGURES = (
    "day_balance",
    "day_equity",
    "day_peak_equity",
    "peak_balance",
    "peak_equity",
    "peak_day_balance",
    "initial_shift",
)


class RecordError(ValueError):
    """A record that stands for no marks, and which part of it."""

    def __init__(self, path: str, expected: str, got: object) -> None:
        super().__init__(f"{path}: expected {expected}, got {got!r}")


def to_record(marks: Marks) -> dict[str, Any]:
    """Return *marks* as a JSON value; the day's end follows from the settings."""
    return {
        "format": FORMAT,
        "day_start": marks.day_start.isoformat(),
        "is_estimated": marks.is_estimated,
        **{name: getattr(marks, name) for name in _FIGURES},
        "last_deal": marks.last_deal,
        "initial_balance": marks.initial_balance,
        "daily": _latch_record(marks.daily),
        "maximum": _latch_record(marks.maximum),
    }


def from_record(record: Any, reset: DailyReset) -> Marks:
    """Read what `to_record` wrote.

    Args:
        record: A JSON value.
        reset: When days begin now; may differ from when the record was written.

    Raises:
        RecordError: If anything in it is missing or of another kind.
    """
    fields = _object("$", record)
    if fields.get("format") != FORMAT:
        raise RecordError("$.format", f"{FORMAT}", fields.get("format"))
    for name in ("daily", "maximum"):
        if name not in fields:
            raise RecordError(f"$.{name}", "a latch or null", None)
    is_estimated = fields.get("is_estimated")
    if not isinstance(is_estimated, bool):
        raise RecordError("$.is_estimated", "true or false", is_estimated)
    day_start = _time("$.day_start", fields.get("day_start"))
    if "initial_balance" not in fields:
        raise RecordError("$.initial_balance", "a number or null", None)
    initial = fields["initial_balance"]
    return Marks(
        day_start=day_start,
        day_end=day_end(day_start, reset),
        is_estimated=is_estimated,
        **{name: _figure(f"$.{name}", fields.get(name)) for name in _FIGURES},
        last_deal=_version("$.last_deal", fields.get("last_deal")),
        initial_balance=(
            None if initial is None else _figure("$.initial_balance", initial)
        ),
        daily=_latch("$.daily", fields.get("daily")),
        maximum=_latch("$.maximum", fields.get("maximum")),
    )


def _latch_record(latch: Latch | None) -> dict[str, Any] | None:
    if latch is None:
        return None
    return attrs.asdict(latch) | {"at": latch.at.isoformat()}


def _latch(path: str, value: Any) -> Latch | None:
    if value is None:
        return None
    fields = _object(path, value)
    told = fields.get("told_version")
    is_unfinished = fields.get("is_unfinished")
    if not isinstance(is_unfinished, bool):
        raise RecordError(f"{path}.is_unfinished", "true or false", is_unfinished)
    return Latch(
        code=_text(f"{path}.code", fields.get("code")),
        detail=_text(f"{path}.detail", fields.get("detail")),
        at=_time(f"{path}.at", fields.get("at")),
        config_version=_version(f"{path}.config_version", fields.get("config_version")),
        told_version=None if told is None else _version(f"{path}.told_version", told),
        is_unfinished=is_unfinished,
    )


def _object(path: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise RecordError(path, "an object", value)
    return cast("Mapping[str, Any]", value)


def _figure(path: str, value: Any) -> float:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not math.isfinite(value)
    ):
        raise RecordError(path, "a finite number", value)
    return float(value)


def _version(path: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise RecordError(path, "a whole number", value)
    return value


def _text(path: str, value: Any) -> str:
    if not isinstance(value, str):
        raise RecordError(path, "a text", value)
    return value


def _time(path: str, value: Any) -> datetime:
    try:
        time = datetime.fromisoformat(_text(path, value))
    except ValueError:
        raise RecordError(path, "a time", value) from None
    if time.utcoffset() is None:
        raise RecordError(path, "a time with an offset", value)
    return time
