"""Texts of hash fields and the values they stand for.

Writing is exact, reading is liberal where the protocol says so, and whatever else comes
raises :class:`WireError`. None is the empty text.
"""

from __future__ import annotations

import json
import math
import re
from decimal import Context, Decimal, InvalidOperation
from typing import Any, cast

_FOUR_PLACES = Decimal("0.0001")
_CONTEXT = Context(prec=28)
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
# Eighteen digits fit every database's 64-bit integer.
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,3})?")
_SHOWN = 80


class WireError(ValueError):
    """A text from the wire that stands for no value of its field.

    Attributes:
        field: The field's name, or its path in a JSON text.
        expected: What would have been right.
        got: What came.
    """

    def __init__(self, field: str, expected: str, got: object) -> None:
        self.field = field
        self.expected = expected
        self.got = got
        shown = "nothing" if got is None else repr(got)
        if len(shown) > _SHOWN:
            shown = f"{shown[:_SHOWN]}..."
        super().__init__(f"{field}: expected {expected}, got {shown}")

    def __reduce__(self) -> tuple[type[WireError], tuple[str, str, object]]:
        """Pickle by the three parts; the default would pass the message alone."""
        return WireError, (self.field, self.expected, self.got)


def write_text(value: str | None) -> str:
    """Return *value*; the empty text for None."""
    return value or ""


def read_text(text: str | None) -> str | None:
    """Return *text*; None for a missing field and for the empty text."""
    return text or None


def write_bool(value: bool) -> str:
    """Return ``true`` or ``false``."""
    return "true" if value else "false"


def read_bool(field: str, text: str | None) -> bool:
    """Read ``true``, ``false``, ``1`` or ``0``, in any case.

    Raises:
        WireError: For anything else.
    """
    value = None if text is None else _BOOLEANS.get(text.strip().lower())
    if value is None:
        raise WireError(field, "true, false, 1 or 0", text)
    return value


def write_int(value: int | None) -> str:
    """Return the decimal digits; the empty text for None."""
    return "" if value is None else str(int(value))


def read_int(field: str, text: str | None, *, minimum: int | None = None) -> int:
    """Read a whole number of at most 18 digits.

    Args:
        field: Name for the error.
        text: The field's text.
        minimum: The smallest value allowed; None for no limit.

    Raises:
        WireError: If it is none, or below *minimum*.
    """
    expected = "a whole number" if minimum is None else f"a whole number >= {minimum}"
    stripped = "" if text is None else text.strip()
    if not _INTEGER.fullmatch(stripped):
        raise WireError(field, expected, text)
    value = int(stripped)
    if minimum is not None and value < minimum:
        raise WireError(field, expected, text)
    return value


def money(value: Decimal | float | str) -> Decimal:
    """Round *value* to the wire's four decimal places.

    Args:
        value: An amount in account currency, or a percentage.

    Raises:
        WireError: If it is not a finite number below 10 to the 24th.
    """
    try:
        rounded = Decimal(str(value)).quantize(_FOUR_PLACES, context=_CONTEXT)
    except InvalidOperation:
        rounded = Decimal("NaN")
    if not rounded.is_finite():
        raise WireError("money", "a finite number", value)
    return rounded


def optional_money(value: Decimal | float | str | None) -> Decimal | None:
    """Round as :func:`money` does; None stays None."""
    return None if value is None else money(value)


def write_money(value: Decimal | float | None) -> str:
    """Return *value* with four decimal places; the empty text for None.

    Raises:
        WireError: If it is not a finite number.
    """
    return "" if value is None else f"{money(value):f}"


def read_money(field: str, text: str | None) -> Decimal:
    """Read a decimal number, rounded to four places.

    Raises:
        WireError: If it is none, or too large to be money.
    """
    stripped = "" if text is None else text.strip()
    if not _DECIMAL.fullmatch(stripped):
        raise WireError(field, "a decimal number", text)
    try:
        return money(stripped)
    except WireError:
        raise WireError(field, "a decimal number", text) from None


def write_json(value: Any) -> str:
    """Return *value* as compact JSON text, one line.

    Raises:
        WireError: If it holds NaN or an infinity, which JSON has no words for.
    """
    try:
        return json.dumps(
            value, ensure_ascii=False, separators=(",", ":"), allow_nan=False
        )
    except ValueError as error:
        raise WireError("json", "a JSON value", value) from error


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no number that can be kept")
    return value


def read_json(field: str, text: str | bytes | None) -> Any:
    """Read a JSON text.

    NaN, infinities and numbers such as 1e999 are refused; Python's reader takes them.

    Raises:
        WireError: If it is not JSON.
    """
    try:
        return json.loads(
            text or "", parse_constant=_refuse_constant, parse_float=_finite
        )
    except (ValueError, RecursionError):
        raise WireError(field, "JSON", text) from None


def read_json_object(field: str, text: str | bytes | None) -> dict[str, Any]:
    """Read a JSON text that holds an object.

    Raises:
        WireError: If it is not JSON, or not an object.
    """
    return as_object(field, read_json(field, text))


def read_json_texts(field: str, text: str | None) -> tuple[str, ...]:
    """Read a JSON text that holds a list of texts.

    Raises:
        WireError: If it holds anything else.
    """
    return as_texts(field, read_json(field, text))


def as_object(field: str, value: Any) -> dict[str, Any]:
    """Return *value* if it is a JSON object; WireError otherwise."""
    if not isinstance(value, dict):
        raise WireError(field, "a JSON object", value)
    return cast("dict[str, Any]", value)


def as_text(field: str, value: Any) -> str:
    """Return *value* if it is a JSON string; WireError otherwise."""
    if not isinstance(value, str):
        raise WireError(field, "a text", value)
    return value


def as_int(field: str, value: Any, *, minimum: int = 0) -> int:
    """Return *value* if it is a whole JSON number >= *minimum*; WireError otherwise."""
    if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
        raise WireError(field, f"a whole number >= {minimum}", value)
    return value


def as_texts(field: str, value: Any) -> tuple[str, ...]:
    """Return *value* if it is a JSON list of strings; WireError otherwise."""
    items = cast("list[object]", value) if isinstance(value, list) else [None]
    texts = tuple(item for item in items if isinstance(item, str))
    if len(texts) != len(items):
        raise WireError(field, "a JSON list of texts", cast("object", value))
    return texts
