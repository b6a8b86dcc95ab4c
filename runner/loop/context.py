"""What one running strategy may see: its own positions, parameters and bars."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from runner.core.account import Account
from runner.core.market import SymbolSpec, Tick, Timeframe
from runner.core.orders import PendingOrder, Position
from runner.core.series import BarSeries
from runner.loop.strategy_state import StrategyMemory, Values
from runner.loop.view import View
from runner.ports import UnavailableError


class Context:
    """A strategy's window on the view; fulfils `runner.strategy.StrategyContext`.

    Args:
        view: The loop's readings.
        strategy_id: The server's id of the strategy.
        magic: Number that marks its positions.
        timeframe: The bars that it gets.
        memory: What it remembers across restarts.
        is_unresolved: Whether an order of it in a symbol has an unknown outcome.
    """

    def __init__(
        self,
        view: View,
        *,
        strategy_id: int,
        magic: int,
        timeframe: Timeframe,
        memory: StrategyMemory,
        is_unresolved: Callable[[int, str], bool],
    ) -> None:
        self._view = view
        self._strategy_id = strategy_id
        self._is_unresolved = is_unresolved
        self.memory = memory
        self.magic = magic
        self.timeframe = timeframe
        self._parameters: Mapping[str, Any] = MappingProxyType({})

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Symbol to the parameters in force; read-only, as the loop goes by it too."""
        return self._parameters

    @parameters.setter
    def parameters(self, parameters: Mapping[str, Any]) -> None:
        self._parameters = MappingProxyType(dict(parameters))

    @property
    def strategy_id(self) -> int | None:
        """The server's id of this strategy."""
        return self._strategy_id

    @property
    def now(self) -> datetime:
        """The market's time, UTC-aware."""
        return self._view.now

    @property
    def account(self) -> Account:
        """The latest reading of the account.

        Raises:
            UnavailableError: If it was never read.
        """
        account = self._view.last_account
        if account is None:
            raise UnavailableError("the account was not read yet")
        return account

    @property
    def state(self) -> Values:
        """What it remembers across restarts."""
        return self.memory.own

    def state_of(self, ticket: int) -> Values:
        """What it remembers of one position."""
        return self.memory.of(ticket)

    def bars(self, symbol: str) -> BarSeries:
        """The closed bars before the one being handled.

        Raises:
            KeyError: If the strategy does not trade *symbol*.
        """
        series = self._view.series(symbol, self.timeframe)
        if series is None:
            raise KeyError(f"{symbol}: this strategy gets no bars of it")
        return series.read_only()

    def tick(self, symbol: str) -> Tick | None:
        """The latest quote."""
        return self._view.ticks.get(symbol)

    def symbol(self, name: str) -> SymbolSpec:
        """The rules of a symbol."""
        return self._view.spec(name)

    def positions(self, symbol: str | None = None) -> Sequence[Position]:
        """This strategy's own open positions.

        Raises:
            UnavailableError: If they are unknown.
        """
        positions = self._view.positions
        if positions is None:
            raise UnavailableError(f"positions are unknown: {self._view.error}")
        return [
            position
            for position in positions
            if position.magic == self.magic
            and (symbol is None or position.symbol == symbol)
        ]

    def orders(self, symbol: str | None = None) -> Sequence[PendingOrder]:
        """This strategy's own pending orders.

        Raises:
            UnavailableError: If they are unknown.
        """
        orders = self._view.orders
        if orders is None:
            raise UnavailableError(f"pending orders are unknown: {self._view.error}")
        return [
            order
            for order in orders
            if order.magic == self.magic and symbol in (None, order.symbol)
        ]

    def is_flat(self, symbol: str) -> bool:
        """Whether this strategy certainly holds nothing in *symbol*."""
        positions = self._view.positions
        if positions is None or not self._view.is_current:
            return False
        if self._is_unresolved(self.magic, symbol):
            return False
        return not any(
            position.magic == self.magic and position.symbol == symbol
            for position in positions
        )

    def held(self, symbols: Iterable[str]) -> list[str]:
        """List where this strategy may hold something.

        Args:
            symbols: Where to look, beside the symbols that it has positions in.
        """
        positions = self._view.positions or ()
        own = [each.symbol for each in positions if each.magic == self.magic]
        return list(
            dict.fromkeys([*(name for name in symbols if not self.is_flat(name)), *own])
        )
