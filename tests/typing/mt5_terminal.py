"""Checked by the type checkers, never run: who fulfils which protocol."""

from __future__ import annotations

from runner.adapters import mt5_simulator
from runner.adapters.mt5 import MT5Adapter, Terminal
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal
from runner.ports import Broker, Clock, MarketData


def simulated_terminal_is_a_terminal(simulated: SimulatedTerminal) -> Terminal:
    """The twin fulfils what the adapter asks for."""
    return simulated


def stand_in_module_is_a_terminal() -> Terminal:
    """So does a module object, as the real one is."""
    return mt5_simulator


def adapter_is_market_and_broker(
    terminal: Terminal, clock: Clock
) -> tuple[MarketData, Broker]:
    """The adapter fulfils both ports."""
    adapter = MT5Adapter(terminal, clock)
    return adapter, adapter
