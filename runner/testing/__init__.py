"""For tests of strategies and plugins: made values, doubles, and bars to run over.

pytest loads this module wherever the runner is installed, so it imports nothing that
its fixtures do not ask for.
"""

# ruff: noqa: PLC0415 - the fixtures import late, see above

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from runner.core.account import Account
    from runner.core.market import SymbolSpec
    from runner.core.settings import TradeConfig
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


@pytest.fixture
def mt5runner_clock() -> FakeClock:
    """A clock that goes on only when it is told to."""
    from runner.testing.doubles import FakeClock

    return FakeClock()


@pytest.fixture
def mt5runner_state() -> MemoryState:
    """A plugin's durable values, in memory."""
    from runner.testing.doubles import MemoryState

    return MemoryState()


@pytest.fixture
def mt5runner_account() -> Account:
    """An account of 10,000 USD without positions."""
    from runner.testing.values import make_account

    return make_account()


@pytest.fixture
def mt5runner_symbol() -> SymbolSpec:
    """The rules of EURUSD, as brokers usually state them."""
    from runner.testing.values import make_symbol

    return make_symbol()


@pytest.fixture
def mt5runner_trade_config() -> TradeConfig:
    """A trade config that lets everything trade."""
    from runner.testing.values import make_trade_config

    return make_trade_config()
