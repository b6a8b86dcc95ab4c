"""What parameters a strategy class takes, as data.

The stub imports no strategy. It knows the classes listed here exactly; for any other
class it keeps to rules of thumb, and the runner has the last word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, cast

from server_stub.checks import Check, got, integer, number, suggestion, symbol

_MOST = 1_000_000_000

SCHEMAS: Mapping[str, Mapping[str, Check]] = MappingProxyType(
    {
        "TrendFollowingBot": {
            "threshold_points": integer(low=0, high=_MOST),
            "stop_loss": integer(above=0, high=_MOST),
            "take_profit": integer(above=0, high=_MOST),
            "lookback_period": integer(low=2, high=_MOST),
        },
    }
)
"""Strategy class to its parameters; distances in points, periods in bars."""

RULES_OF_THUMB: Mapping[str, Check] = MappingProxyType(
    {
        "stop_loss": number(above=0),
        "take_profit": number(above=0),
        "lookback_period": number(above=0),
    }
)
"""Parameters that every class understands alike."""


def parameter_errors(
    path: str, strategy_class: Any, parameters: Any, stored: Any
) -> Iterator[str]:
    """Check ``parameters_by_symbol``.

    Args:
        path: Where it stands.
        strategy_class: ``bot_strategy_class`` of the same document.
        parameters: What is to be stored.
        stored: What is stored now; its keys are taken to be spelt right.
    """
    if not isinstance(parameters, dict):
        yield f"{path}: must be an object by symbol, got {got(parameters)}"
        return
    by_symbol = cast("dict[str, Any]", parameters)
    schema = SCHEMAS.get(strategy_class) if isinstance(strategy_class, str) else None
    for name, values in by_symbol.items():
        here = f"{path}.{name}"
        yield from symbol(here, name)
        if not isinstance(values, dict):
            yield f"{here}: must be an object of parameters, got {got(values)}"
            continue
        members = cast("dict[str, Any]", values)
        if schema is not None:
            yield from _by_schema(here, members, schema)
        else:
            others = {key: value for key, value in by_symbol.items() if key != name}
            yield from _by_thumb(here, members, _names(stored) | _names(others))


def _by_schema(
    path: str, values: Mapping[str, Any], schema: Mapping[str, Check]
) -> Iterator[str]:
    for name, value in values.items():
        if name in schema:
            yield from schema[name](f"{path}.{name}", value)
        else:
            yield f"{path}.{name}: unknown parameter; {suggestion(name, schema)}"


def _by_thumb(path: str, values: Mapping[str, Any], known: set[str]) -> Iterator[str]:
    for name, value in values.items():
        here = f"{path}.{name}"
        if isinstance(value, dict | list):
            yield f"{here}: must be a number, text, true, false or null"
        elif name in RULES_OF_THUMB:
            yield from RULES_OF_THUMB[name](here, value)
        elif name not in known and (meant := _meant(name, known)):
            yield (
                f"{here}: unknown parameter; did you mean {meant}? "
                f"(a new one is taken when two symbols have it)"
            )


def _meant(name: str, known: set[str]) -> str | None:
    # tp_1 beside tp_2 is a family, not a slip of the keyboard.
    candidates = {
        other
        for other in known | set(RULES_OF_THUMB)
        if _without_digits(other) != _without_digits(name)
    }
    advice = suggestion(name, candidates)
    prefix = "did you mean "
    return advice[len(prefix) : -1] if advice.startswith(prefix) else None


def _without_digits(name: str) -> str:
    return "".join(c for c in name if not c.isdigit()).strip("_")


def _names(parameters: Any) -> set[str]:
    if not isinstance(parameters, dict):
        return set()
    return {
        name
        for values in cast("dict[str, Any]", parameters).values()
        if isinstance(values, dict)
        for name in cast("dict[str, Any]", values)
    }
