"""Workers that are killed, and the terminal that goes on living without them."""

from __future__ import annotations

import os

import pytest
from memory_store import MemoryStore
from whole_runner import WholeRunner
from worker import Busy, BusyParameters

from runner.adapters.mt5_simulator.terminal import SimulatedTerminal
from runner.testing import FakeClock


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Workers are forked, which only POSIX can; what they run needs none of it."""
    if not hasattr(os, "fork"):
        for item in items:
            item.add_marker(pytest.mark.skip(reason="workers are forked"))


@pytest.fixture(scope="session", autouse=True)
def warm() -> None:
    """Import everything once, so that a forked worker starts at once."""
    runner = WholeRunner(SimulatedTerminal(), MemoryStore(), FakeClock(), (Busy,))
    runner.begin()
    runner.trade()
    runner.strategy("Busy", {"EURUSD": BusyParameters()})
    runner.cycle(3)
