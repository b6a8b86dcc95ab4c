"""For tests of strategies and plugins: made values, doubles, and bars to run over.

The pytest fixtures are in `runner.testing.fixtures`, so that the rest needs no pytest.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.testing.book import Trade
    from runner.testing.doubles import FakeClock, FakeContext, MemoryState
    from runner.testing.guards import check_order, check_symbol, check_trading
    from runner.testing.run import RunResult, run_bars
    from runner.testing.values import (
        START,
        make_account,
        make_bars,
        make_plugin,
        make_symbol,
        make_trade_config,
    )

_HOMES = {
    "START": "values",
    "FakeClock": "doubles",
    "FakeContext": "doubles",
    "MemoryState": "doubles",
    "RunResult": "run",
    "Trade": "book",
    "check_order": "guards",
    "check_symbol": "guards",
    "check_trading": "guards",
    "make_account": "values",
    "make_bars": "values",
    "make_plugin": "values",
    "make_symbol": "values",
    "make_trade_config": "values",
    "run_bars": "run",
}

__all__ = [
    "START",
    "FakeClock",
    "FakeContext",
    "MemoryState",
    "RunResult",
    "Trade",
    "check_order",
    "check_symbol",
    "check_trading",
    "make_account",
    "make_bars",
    "make_plugin",
    "make_symbol",
    "make_trade_config",
    "run_bars",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
