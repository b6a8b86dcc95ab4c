"""What the MetaTrader5 module accepts as arguments, and how it refuses the rest.

The rules are those of the compiled module [W]: a price must be a float, a number an
int (numpy's are none), text at most 29 UTF-16 units, None is never accepted. Most
refusals are (-2, '...') with None or False as the result; what the module parses by
``PyArg_ParseTuple`` surfaces as a SystemError instead [W+T].

One rule cannot be imitated in Python: the real `order_send` refuses a dictionary
that comes along with an empty mapping of keywords (``f(request, **{})``).
"""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, cast

from runner.adapters.mt5_simulator import constants as mt5
from runner.adapters.mt5_simulator.errors import CallFailedError
from runner.adapters.mt5_simulator.structs import TradeRequest

_TEXT_LIMIT: Final = 29
_U32: Final = 2**32
_U64: Final = 2**64
_I63: Final = 2**63

_REQUEST_FIELDS: Final[Mapping[str, str]] = {
    "action": "u32",
    "magic": "u64",
    "order": "u64",
    "symbol": "text",
    "volume": "float",
    "price": "float",
    "stoplimit": "float",
    "sl": "float",
    "tp": "float",
    "deviation": "u64",
    "type": "u32",
    "type_filling": "u32",
    "type_time": "u32",
    "expiration": "i64",
    "comment": "text",
    "position": "u64",
    "position_by": "u64",
}
_DEFAULTS: Final[Mapping[str, Any]] = {"text": "", "float": 0.0}


def invalid(name: str) -> CallFailedError:
    """Return the refusal of argument *name*."""
    return _refusal(f'Invalid "{name}" argument')


def _refusal(text: str) -> CallFailedError:
    return CallFailedError(mt5.RES_E_INVALID_PARAMS, text)


def _broken(function: str, cause: Exception) -> SystemError:
    error = SystemError(
        f"<built-in function {function}> returned a result with an exception set"
    )
    error.__cause__ = cause
    return error


def utf16_length(text: str) -> int:
    """Return how many UTF-16 units *text* takes: an emoji takes two."""
    return len(text) + sum(character > "\uffff" for character in text)


def text_argument(name: str, value: object, limit: int = _TEXT_LIMIT) -> str:
    """Return *value* if it is text of at most *limit* UTF-16 units."""
    if not isinstance(value, str):
        raise invalid(name)
    # Twice the characters is the most that it can take: no need to count.
    if 2 * len(value) > limit and utf16_length(value) > limit:
        raise invalid(name)
    return value


def unsigned(function: str, name: str, value: object, limit: int = _U64) -> int:
    """Return *value* if it is an int; one out of range is a SystemError [W+T]."""
    if not isinstance(value, int):
        raise invalid(name)
    if value < 0:
        raise _broken(function, OverflowError("can't convert negative int to unsigned"))
    if value >= limit:
        raise _broken(function, OverflowError("int too big to convert"))
    return int(value)


def trade_request(
    function: str, args: tuple[Any, ...], fields: Mapping[str, Any]
) -> TradeRequest:
    """Read one dictionary, or the same fields as keywords.

    Unknown keys are ignored, missing ones are 0 or empty [W].
    """
    if args or not fields:
        if fields:
            raise _refusal("Unnamed arguments not allowed")
        if len(args) != 1:
            raise _refusal("Invalid number of arguments")
        if not isinstance(args[0], dict):
            raise _refusal("Invalid 1st unnamed argument")
        fields = cast("dict[str, Any]", args[0])
    return TradeRequest(
        _field(function, name, kind, fields[name])
        if name in fields
        else _DEFAULTS.get(kind, 0)
        for name, kind in _REQUEST_FIELDS.items()
    )


def _field(function: str, name: str, kind: str, value: object) -> object:
    if kind == "float":
        if not isinstance(value, float):
            raise invalid(name)
        return float(value)
    if kind == "text":
        return text_argument(name, value)
    if kind == "i64":
        if not isinstance(value, int):
            raise invalid(name)
        if not -_I63 <= value < _I63:
            raise _broken(function, OverflowError("int too big to convert"))
        return int(value)
    return unsigned(function, name, value, _U32 if kind == "u32" else _U64)


def parsed_int(function: str, value: object) -> int:
    """Return what `PyArg_ParseTuple` takes for an int: anything with __index__."""
    try:
        return operator.index(value)  # type: ignore[arg-type]  # it may have no __index__
    except TypeError as error:
        raise _broken(function, error) from error


def parsed_float(function: str, value: object) -> float:
    """Return what `PyArg_ParseTuple` takes for a double: anything with __float__."""
    if isinstance(value, str):
        raise _broken(function, TypeError("must be real number, not str"))
    try:
        return float(value)  # type: ignore[arg-type]  # it may have no __float__
    except TypeError as error:
        raise _broken(function, error) from error


def date(name: str, value: object) -> int:
    """Return a date as the module stores it: signed seconds in 32 bits [W].

    A naive datetime is read in the time zone of this machine, as there.
    """
    if isinstance(value, datetime):
        value = value.timestamp()
    if not isinstance(value, int | float):
        raise invalid(name)
    try:
        seconds = int(value)
    except (ValueError, OverflowError) as error:
        raise invalid(name) from error
    return (seconds + 2**31) % _U32 - 2**31


def selection(
    function: str, args: tuple[Any, ...], named: Mapping[str, Any]
) -> Callable[[Any], bool] | None:
    """Read ``ticket=``, ``symbol=`` or ``group=``, the first of these that is there.

    Returns:
        Which positions or orders are meant; None for all of them.
    """
    if args:
        raise _refusal("Unnamed arguments not allowed")
    if "ticket" in named:
        ticket = unsigned(function, "ticket", named["ticket"])
        return lambda record: record.ticket == ticket
    if "symbol" in named:
        symbol = text_argument("symbol", named["symbol"])
        return lambda record: record.symbol == symbol
    if "group" in named:
        group = text_argument("group", named["group"], limit=_I63)
        return lambda record: in_group(group, record.symbol)
    return None


def in_group(group: str, symbol: str) -> bool:
    """Say whether *symbol* is in *group*, a list of masks with commas [W].

    A mask is an exact name, unless it has a ``*``; case counts. A mask after ``!``
    that matches decides at once, so something must have included before.
    """
    included = False
    for mask in group.split(","):
        if mask.startswith("!"):
            if _mask(mask[1:]).fullmatch(symbol):
                return False
        elif _mask(mask).fullmatch(symbol):
            included = True
    return included


@functools.lru_cache(maxsize=256)
def _mask(mask: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, mask.split("*"))), re.DOTALL)
