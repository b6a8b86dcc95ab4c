"""Single values, strictly: nothing is coerced."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from runner.serde.errors import InvalidError, expected
from runner.wire.encoding import WireError, read_money
from runner.wire.times import read_time

_Day = TypeVar("_Day", date, time)


def read_bool(value: object) -> bool:
    """Take true and false, nothing else."""
    if isinstance(value, bool):
        return value
    raise expected("true or false", value)


def read_int(value: object) -> int:
    """Take a whole number; a boolean is none, and 1.0 is not written as one."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise expected("a whole number", value)


def read_float(value: object) -> float:
    """Take a finite number, whole ones too."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
    raise expected("a number", value)


def read_decimal(value: object) -> Decimal:
    """Take a finite number, or a text that is one."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = Decimal(str(value))
        if number.is_finite():
            return number
    elif isinstance(value, str):
        try:
            return read_money("", value)
        except WireError:
            pass
    raise expected("a decimal number", value)


def read_str(value: object) -> str:
    """Take a text."""
    if isinstance(value, str):
        return value
    raise expected("a text", value)


def read_none(value: object) -> None:
    """Take null."""
    if value is not None:
        raise expected("null", value)


def read_path(value: object) -> Path:
    """Take a text as a file's path."""
    return Path(read_str(value))


def read_datetime(value: object) -> datetime:
    """Take a time of TOML or an ISO 8601 text; without an offset it is UTC."""
    text = value.isoformat() if isinstance(value, datetime) else value
    try:
        return read_time("", text if isinstance(text, str) else repr(text))
    except WireError as error:
        raise expected(error.expected, value) from None


def read_date(value: object) -> date:
    """Take a date of TOML or an ISO 8601 text."""
    return _read_day(date, "a date such as 2025-01-25", value)


def read_time_of_day(value: object) -> time:
    """Take a time of day of TOML or an ISO 8601 text."""
    return _read_day(time, "a time of day such as 21:30", value)


def _read_day(kind: type[_Day], what: str, value: object) -> _Day:
    # A datetime is a date by inheritance; it is not meant as one.
    if type(value) is kind:
        return value
    try:
        return kind.fromisoformat(read_str(value))
    except (InvalidError, ValueError):
        raise expected(what, value) from None


def read_enum(value: object, kind: type[enum.Enum]) -> enum.Enum:
    """Take a member by its value, or by its name."""
    for member in kind:
        if value == member.value and type(value) is type(member.value):
            return member
        if value == member.name:
            return member
    texts = [
        member.value if isinstance(member.value, str) else member.name
        for member in kind
    ]
    raise expected(" or ".join(texts), value)


READERS: Mapping[type, Callable[[object], Any]] = {
    bool: read_bool,
    int: read_int,
    float: read_float,
    Decimal: read_decimal,
    str: read_str,
    type(None): read_none,
    Path: read_path,
    datetime: read_datetime,
    date: read_date,
    time: read_time_of_day,
}
"""Type to how a value of it is read."""

WRITERS: Mapping[type, Callable[[Any], str]] = {
    datetime: datetime.isoformat,
    date: date.isoformat,
    time: time.isoformat,
    Decimal: str,
    Path: str,
}
"""Type to how a value of it is written where JSON has no words for it."""
