"""Reads a plan of failures from a JSON file, for a terminal in a process of its own.

::

    {"seed": 7, "weather": {"order_send": [{"fault": "LoseReply", "probability": 0.1}]}}

or ``{"schedule": {"positions_get": {"200": {"fault": "Hang"}}}}``: the faults of
:mod:`runner.adapters.mt5_simulator.faults` by name, with their attributes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from runner.adapters.mt5_simulator import faults
from runner.adapters.mt5_simulator.faults import Fault, Faults, Schedule, Weather
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal

_KINDS: Final[Mapping[str, type[Any]]] = {
    kind.__name__: kind
    for kind in (
        faults.Fail,
        faults.LoseReply,
        faults.Disconnect,
        faults.Hang,
        faults.Refuse,
        faults.Answer,
        faults.Late,
        faults.Lag,
        faults.FillPart,
        faults.FillBare,
        faults.Slip,
        faults.Delay,
    )
}
"""Every fault that a file can name; to run code is for a test alone."""


class FaultFileError(ValueError):
    """A plan that cannot be used; the text says where, what was expected, and got."""


def read_faults(path: Path) -> Faults:
    """Return the plan in *path*.

    Args:
        path: A JSON file with either ``weather`` (and a ``seed``) or ``schedule``.

    Raises:
        FaultFileError: If it cannot be read, or is no plan.
    """
    try:
        plan: Any = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise FaultFileError(f"{path}: {error}") from None
    try:
        return _plan(plan)
    except (TypeError, ValueError) as error:
        raise FaultFileError(f"{path}: {error}") from None


def _plan(plan: Any) -> Faults:
    match plan:
        case {"schedule": dict(), **rest} if not rest:
            calls: dict[str, Any] = plan["schedule"]
            return Schedule(
                {
                    _function(name): {
                        _number(name, number): _fault(f"{name}.{number}", fault)
                        for number, fault in _table(name, planned).items()
                    }
                    for name, planned in calls.items()
                }
            )
        case {"weather": dict(), "seed": int(seed), **rest} if not rest:
            calls = plan["weather"]
            return Weather(
                seed,
                {
                    _function(name): dict(
                        _chance(f"{name}.{index}", drawn)
                        for index, drawn in enumerate(_list(name, planned))
                    )
                    for name, planned in calls.items()
                },
            )
        case _:
            raise ValueError(
                'expected {"schedule": {...}} or {"seed": N, "weather": {...}}, got '
                f"{json.dumps(plan)[:80]}"
            )


def _function(name: str) -> str:
    if not hasattr(getattr(SimulatedTerminal, name, None), "failed"):
        raise ValueError(f"{name}: the terminal has no such function that can fail")
    return name


def _number(name: str, text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{name}: expected the number of a call from 1, got {text!r}")
    return int(text)


def _table(name: str, planned: Any) -> dict[str, Any]:
    if not isinstance(planned, dict):
        raise TypeError(f"{name}: expected numbers of calls with faults")
    return planned  # pyright: ignore[reportUnknownVariableType] - of JSON


def _list(name: str, planned: Any) -> list[Any]:
    if not isinstance(planned, list):
        raise TypeError(f"{name}: expected a list of faults with probabilities")
    return planned  # pyright: ignore[reportUnknownVariableType] - of JSON


def _chance(where: str, drawn: Any) -> tuple[Fault, float]:
    match drawn:
        case {"probability": int() | float() as chance, **fault} if 0 <= chance <= 1:
            return _fault(where, fault), float(chance)
        case _:
            raise ValueError(f"{where}: expected a fault and a probability from 0 to 1")


def _fault(where: str, fault: Any) -> Fault:
    match fault:
        case {"fault": str(name), **fields} if name in _KINDS:
            try:
                made: Fault = _KINDS[name](**{str(k): v for k, v in fields.items()})
            except (TypeError, ValueError) as error:
                raise ValueError(f"{where}: {name}: {error}") from None
            if isinstance(made, faults.TradeFault) and not where.startswith(
                "order_send."
            ):
                raise ValueError(f"{where}: {name} is a fault of order_send only")
            reading = where.partition(".")[0]
            if isinstance(made, faults.Lag) and reading not in faults.LAGGING:
                several = ", ".join(sorted(faults.LAGGING))
                raise ValueError(f"{where}: {name} is a fault of {several} only")
            return made
        case _:
            raise ValueError(
                f'{where}: expected "fault" to be one of {", ".join(_KINDS)}, got '
                f"{json.dumps(fault)[:80]}"
            )
