"""Stand-ins for what the host gives to strategies and plugins."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from runner.core.account import Account
from runner.core.market import Bar, SymbolSpec, Tick, Timeframe
from runner.core.orders import PendingOrder, Position
from runner.core.series import BarSeries


class FakeClock:
    """A clock that goes on only when it is told to; fulfils `runner.ports.Clock`.

    Args:
        now: Where it starts, UTC-aware.
    """

    def __init__(self, now: datetime = datetime(2024, 1, 1, tzinfo=UTC)) -> None:
        self._now = now
        self._monotonic = 0.0

    def now(self) -> datetime:
        """Return the present time, UTC-aware."""
        return self._now

    def monotonic(self) -> float:
        """Return seconds from the start."""
        return self._monotonic

    def wait(self, seconds: float) -> None:
        """Go on by *seconds* at once."""
        self._monotonic += seconds
        self._now += timedelta(seconds=seconds)

    def set(self, now: datetime) -> None:
        """Set the wall clock, forward or back; monotonic time does not notice."""
        self._now = now


class MemoryState:
    """Durable values in memory; fulfils `runner.PluginState` and `StrategyState`.

    Values go through JSON, as on disk: a tuple comes back as a list, and what JSON
    cannot say raises.
    """

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    def get(self, key: str) -> Any | None:
        """Return the value last put under *key*, or None."""
        return json.loads(self._values.get(key, "null"))

    def put(self, key: str, value: Any) -> None:
        """Store a JSON value."""
        self._values[key] = json.dumps(value, allow_nan=False)

    def items(self) -> Mapping[str, Any]:
        """Return every stored value by key."""
        return {key: json.loads(text) for key, text in self._values.items()}

    def learn(self, what: str, read: Callable[[], Any]) -> Any:
        """Return what *read* returns, through JSON."""
        return json.loads(json.dumps(read(), allow_nan=False))


class FakeContext:
    """What a strategy sees, set by hand; fulfils `runner.StrategyContext`.

    Attributes:
        now: The market's time, UTC-aware.
        account: What the strategy reads as its account.
        parameters: Symbol to parameters.
        symbols: Symbol to its rules.
        ticks: Symbol to its latest quote.
        open_positions: What the strategy holds.
        pending_orders: What it has waiting.
        strategy_id: The server's id.
        state: What the strategy remembers.
    """

    def __init__(
        self,
        *,
        account: Account,
        symbols: Iterable[SymbolSpec],
        parameters: Mapping[str, Any],
        now: datetime = datetime(2024, 1, 1, tzinfo=UTC),
    ) -> None:
        self.now = now
        self.account = account
        self.parameters = parameters
        self.symbols = {symbol.name: symbol for symbol in symbols}
        self.ticks: dict[str, Tick] = {}
        self.open_positions: list[Position] = []
        self.pending_orders: list[PendingOrder] = []
        self.strategy_id: int | None = 1
        self.state = MemoryState()
        self._of_position: dict[int, MemoryState] = {}
        self._series: dict[str, BarSeries] = {}

    def keep_bars(self, symbol: str, timeframe: Timeframe, capacity: int) -> None:
        """Begin an empty series for *symbol* that keeps *capacity* bars."""
        self._series[symbol] = BarSeries(symbol, timeframe, capacity)

    def add_bar(self, bar: Bar) -> None:
        """Append a closed bar, newer than those before it, to its symbol's series."""
        if bar.symbol not in self._series:
            self.keep_bars(bar.symbol, bar.timeframe, 1000)
        self._series[bar.symbol].append(bar)

    def bars(self, symbol: str) -> BarSeries:
        """Return the closed bars; KeyError if none was added."""
        return self._series[symbol].read_only()

    def tick(self, symbol: str) -> Tick | None:
        """Return the latest quote, or None."""
        return self.ticks.get(symbol)

    def symbol(self, name: str) -> SymbolSpec:
        """Return the rules of a symbol."""
        return self.symbols[name]

    def positions(self, symbol: str | None = None) -> Sequence[Position]:
        """Return what the strategy holds, in *symbol* or in all."""
        return [one for one in self.open_positions if symbol in (None, one.symbol)]

    def orders(self, symbol: str | None = None) -> Sequence[PendingOrder]:
        """Return what the strategy has waiting, in *symbol* or in all."""
        return [one for one in self.pending_orders if symbol in (None, one.symbol)]

    def state_of(self, ticket: int) -> MemoryState:
        """Return what the strategy remembers of a position."""
        return self._of_position.setdefault(ticket, MemoryState())

    def is_flat(self, symbol: str) -> bool:
        """Say whether the strategy holds nothing in *symbol*."""
        return not self.positions(symbol)
