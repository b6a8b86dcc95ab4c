"""Bodies and settings into values, strictly; the only importer of cattrs.

Strict means: ``"false"`` is not true, ``1.9`` is not 1, ``"1"`` is not 1, a boolean is
not a number, NaN is no number at all. Every error is collected, each on one line with
its path: ``$.parameters_by_symbol.XAUUSD.stop_loss: must be > 0, got -5``.
"""

from __future__ import annotations

from runner.serde.bodies import (
    ForeignBodyError,
    structure_strategy_config,
    structure_trade_config,
)
from runner.serde.settings import (
    ConfigErrors,
    structure_parameters,
    structure_settings,
    unstructure,
)

__all__ = [
    "ConfigErrors",
    "ForeignBodyError",
    "structure_parameters",
    "structure_settings",
    "structure_strategy_config",
    "structure_trade_config",
    "unstructure",
]
