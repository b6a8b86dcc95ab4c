"""In place of the MetaTrader5 package: a simulated account in today's market."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from runner.adapters.mt5_simulator.faults import Fault, Run
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal


class LiveTerminal(SimulatedTerminal):
    """A terminal whose quotes are of now.

    Args:
        symbol: What it quotes.
        **options: Of `SimulatedTerminal`.

    Attributes:
        asked: What `initialize` was called with, each time.
        asked_bars: Every symbol and timeframe of which bars were asked for.
    """

    def __init__(self, symbol: str = "EURUSD", **options: Any) -> None:
        self._quoted = symbol
        self.asked: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        self.asked_bars: set[tuple[str, int]] = set()
        super().__init__(faults=self, **options)
        self.quote_now()

    def initialize(self, *words: Any, **named: Any) -> bool:
        """Note what is asked for."""
        self.asked.append((words, named))
        return bool(super().initialize(*words, **named))

    def copy_rates_from_pos(self, *words: Any, **named: Any) -> Any:
        """Note what is asked for."""
        self.asked_bars.add(words[:2])
        return super().copy_rates_from_pos(*words, **named)

    def next(self, function: str) -> Fault | None:
        """Let a quote come before each look at the quotes; fulfils `Faults`."""
        return Run(self.quote_now) if function == "symbol_info_tick" else None

    def quote_now(self) -> None:
        """Let a quote come."""
        self.quote(self._quoted, 1.1, 1.1001, datetime.now(UTC))
