"""A PATCH as a pure function: a stored document and the sent fields to a new document.

A sent field replaces the stored one whole. Two kinds of exception:

- ``trade_config`` and ``risk_config`` have a fixed set of members, so those sent are
  merged into the stored ones.
- A dotted key reaches inside: ``"parameters_by_symbol.XAUUSD.stop_loss": 120`` sets one
  parameter, ``"parameters_by_symbol.XAUUSD": {...}`` one symbol; null removes either.
  ``"trade_config.lot_size": 0.02`` works alike.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, cast

from server_stub.checks import got, suggestion

_MERGED = ("trade_config", "risk_config")
_BY_SYMBOL = "parameters_by_symbol"


def patched(
    document: Mapping[str, Any], sent: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Return the document that *sent* makes of *document*, and what was wrong with it.

    Whole fields come first, dotted keys after them in the order sent. Neither argument
    is changed; values are not validated here.
    """
    new = copy.deepcopy(dict(document))
    errors: list[str] = []
    for name, value in sent.items():
        if "." not in name:
            _set_field(new, name, copy.deepcopy(value))
    for name, value in sent.items():
        if "." in name:
            errors += _set_inside(new, name, copy.deepcopy(value))
    return new, errors


def _set_field(document: dict[str, Any], name: str, value: Any) -> None:
    stored = document.get(name)
    if name in _MERGED and isinstance(stored, dict) and isinstance(value, dict):
        document[name] = {**stored, **value}
    else:
        document[name] = value


def _set_inside(document: dict[str, Any], path: str, value: Any) -> list[str]:
    name, rest = path.split(".", 1)
    inside = document.get(name)
    if name not in (*_MERGED, _BY_SYMBOL) or not isinstance(inside, dict):
        known = ", ".join((_BY_SYMBOL, *_MERGED))
        return [f"$.{path}: a dotted key reaches into {known} only"]
    members = cast("dict[str, Any]", inside)
    if name in _MERGED:
        members[rest] = value
        return []
    return _set_parameter(members, rest, value)


def _set_parameter(parameters: dict[str, Any], path: str, value: Any) -> list[str]:
    # Symbols may hold dots themselves (XAUUSD.m), so what is stored decides.
    if isinstance(value, dict):
        parameters[path] = value
        return []
    if path in parameters and value is None:
        del parameters[path]
        return []
    symbol, _, name = path.rpartition(".")
    here = f"$.{_BY_SYMBOL}"
    if path in parameters or not symbol:
        return [f"{here}.{path}: must be an object of parameters, got {got(value)}"]
    values = parameters.get(symbol)
    if not isinstance(values, dict):
        advice = suggestion(symbol, parameters)
        add = "to add it, send an object of parameters"
        return [f"{here}.{symbol}: no such symbol; {add}; {advice}"]
    if value is None:
        cast("dict[str, Any]", values).pop(name, None)
    else:
        values[name] = value
    return []
