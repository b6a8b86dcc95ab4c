"""Fixtures for tests of strategies and plugins.

pytest loads this module wherever the runner is installed, so it imports nothing that
its fixtures do not ask for.
"""

# ruff: noqa: PLC0415 - the fixtures import late, see above

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from runner.core.account import Account
    from runner.core.market import SymbolSpec
    from runner.core.settings import TradeConfig
    from runner.testing.doubles import FakeClock, MemoryState


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
