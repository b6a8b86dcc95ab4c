"""The base classes of a strategy and of its parameters."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Protocol, cast

import attrs

from runner.core.account import Account
from runner.core.market import Bar, SymbolSpec, Tick, Timeframe
from runner.core.orders import (
    Action,
    OrderIntent,
    PendingKind,
    PendingOrder,
    Position,
    Side,
)
from runner.core.series import BarSeries

Intents = OrderIntent | Iterable[OrderIntent] | None
"""What `on_bar` and `on_tick` may return."""


@attrs.frozen
class Parameters:
    """The parameters of a strategy in one symbol; subclass it with attrs.

    Every field has a type, a default and, where not every value makes sense, a
    validator. How a field may change while the strategy runs is said in its
    metadata: ``attrs.field(default=10, metadata={"reload": "flat_only"})``.

    ``live`` (the default) applies between two bars; ``flat_only`` waits until the
    strategy holds nothing in that symbol; ``restart`` is refused while it runs.
    """


@attrs.frozen
class _Pending:
    kind: PendingKind
    price: float
    expires_at: datetime | None


class StrategyState(Protocol):
    """Durable JSON values of a strategy, or of one of its positions."""

    def get(self, key: str) -> Any | None:
        """Return the value last put under *key*, or None."""
        ...

    def put(self, key: str, value: Any) -> None:
        """Store a JSON value; it is on disk when this returns."""
        ...

    def items(self) -> Mapping[str, Any]:
        """Return every stored value by key."""
        ...


class StrategyContext(Protocol):
    """What a running strategy can ask of its host."""

    @property
    def now(self) -> datetime:
        """The market's time, UTC-aware."""
        ...

    @property
    def account(self) -> Account:
        """The latest reading of the account."""
        ...

    @property
    def strategy_id(self) -> int | None:
        """The server's id of this strategy."""
        ...

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Symbol to the parameters in force."""
        ...

    @property
    def state(self) -> StrategyState:
        """What this strategy remembers across restarts."""
        ...

    def state_of(self, ticket: int) -> StrategyState:
        """What it remembers of one position, until that is closed."""
        ...

    def bars(self, symbol: str) -> BarSeries:
        """The closed bars before the one being handled."""
        ...

    def tick(self, symbol: str) -> Tick | None:
        """The latest quote."""
        ...

    def symbol(self, name: str) -> SymbolSpec:
        """The rules of a symbol."""
        ...

    def positions(self, symbol: str | None = None) -> Sequence[Position]:
        """This strategy's own open positions."""
        ...

    def orders(self, symbol: str | None = None) -> Sequence[PendingOrder]:
        """This strategy's own pending orders."""
        ...

    def is_flat(self, symbol: str) -> bool:
        """Whether this strategy certainly holds nothing in *symbol*."""
        ...


class Strategy:
    """A strategy: one instance runs on all of its symbols.

    Subclass it, set `Parameters` and implement `on_bar` or `on_tick` (or both). Each
    returns nothing, one intent or several. Intents are wishes: guards may deny them.

    Attributes:
        Parameters: The class of its parameters.
        timeframe: The bars it wants; None takes the runner's setting.
        log: A logger of its own.
    """

    Parameters: ClassVar[type[Parameters]] = Parameters
    timeframe: ClassVar[Timeframe | None] = None

    def __init__(self, context: StrategyContext) -> None:
        self._context = context
        self.log = logging.getLogger(f"mt5runner.strategies.{type(self).__name__}")

    @classmethod
    def bars_needed(cls, parameters: Any) -> int:
        """Say how many closed bars must be known before `on_bar` is called.

        The default is the largest of the whole-number parameters whose names end in
        ``_period`` or ``_bars``, and at least 1.

        Args:
            parameters: The parameters of one symbol.

        Returns:
            A number of bars, the bar being handled not counted.
        """
        kind = cast("type[attrs.AttrsInstance]", type(parameters))
        wanted = [
            value
            for field in attrs.fields(kind)
            if field.name.endswith(("_period", "_bars"))
            and isinstance(value := getattr(parameters, field.name), int)
        ]
        return max([1, *wanted])

    def on_start(self) -> None:
        """Prepare; called once, before the first bar or tick."""

    def on_stop(self) -> None:
        """Clean up; called once, after the last bar or tick."""

    def on_bar(self, bar: Bar) -> Intents:
        """Decide on a closed bar.

        Args:
            bar: The bar that has just closed; `bars` holds those before it.

        Returns:
            None, one intent, or several.
        """
        return None

    def on_tick(self, tick: Tick) -> Intents:
        """Decide on a quote.

        Args:
            tick: The latest quote; quotes may be skipped when they come faster than
                the runner's cycle.

        Returns:
            None, one intent, or several.
        """
        return None

    @property
    def now(self) -> datetime:
        """The market's time, UTC-aware."""
        return self._context.now

    @property
    def account(self) -> Account:
        """The latest reading of the account."""
        return self._context.account

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Symbol to the parameters in force."""
        return self._context.parameters

    @property
    def state(self) -> StrategyState:
        """Its own durable JSON values on this account; there from `on_start` on."""
        return self._context.state

    def state_of(self, position: Position) -> StrategyState:
        """Return the durable values of one position; dropped when it is closed.

        Args:
            position: One of `positions`.
        """
        return self._context.state_of(position.ticket)

    def bars(self, symbol: str) -> BarSeries:
        """Return the closed bars before the one being handled, oldest first."""
        return self._context.bars(symbol)

    def tick(self, symbol: str) -> Tick | None:
        """Return the latest quote, or None before the first one."""
        return self._context.tick(symbol)

    def symbol(self, name: str) -> SymbolSpec:
        """Return the rules of symbol *name*."""
        return self._context.symbol(name)

    def positions(self, symbol: str | None = None) -> Sequence[Position]:
        """Return this strategy's own open positions, in *symbol* or in all."""
        return self._context.positions(symbol)

    def orders(self, symbol: str | None = None) -> Sequence[PendingOrder]:
        """Return this strategy's own pending orders, in *symbol* or in all."""
        return self._context.orders(symbol)

    def is_flat(self, symbol: str) -> bool:
        """Say whether this strategy certainly holds nothing in *symbol*.

        Unknown is not flat: it is False while an order's outcome is unknown. It is
        about positions: a pending order holds nothing yet, see `orders`.
        """
        return self._context.is_flat(symbol)

    def buy(
        self,
        symbol: str,
        *,
        stop_loss: float | None = None,
        take_profit: float | None = None,
        volume: float | None = None,
        reason: str = "",
    ) -> OrderIntent:
        """Make an intent to buy at market.

        Args:
            symbol: The broker's spelling.
            stop_loss: Distance from the ask in points; None for no stop.
            take_profit: Distance from the ask in points; None for no target.
            volume: In lots; None leaves the size to the runner's sizing.
            reason: A few words for logs and reports.

        Returns:
            The intent; return it from `on_bar` or `on_tick`.

        Raises:
            ValueError: If a distance or the volume is not positive.
        """
        return self._open(Side.BUY, symbol, stop_loss, take_profit, volume, reason)

    def sell(
        self,
        symbol: str,
        *,
        stop_loss: float | None = None,
        take_profit: float | None = None,
        volume: float | None = None,
        reason: str = "",
    ) -> OrderIntent:
        """Make an intent to sell at market; distances count from the bid.

        Args:
            symbol: The broker's spelling.
            stop_loss: Distance from the bid in points; None for no stop.
            take_profit: Distance from the bid in points; None for no target.
            volume: In lots; None leaves the size to the runner's sizing.
            reason: A few words for logs and reports.

        Returns:
            The intent; return it from `on_bar` or `on_tick`.

        Raises:
            ValueError: If a distance or the volume is not positive.
        """
        return self._open(Side.SELL, symbol, stop_loss, take_profit, volume, reason)

    def buy_limit(
        self,
        symbol: str,
        price: float,
        *,
        stop_loss: float | None = None,
        take_profit: float | None = None,
        volume: float | None = None,
        expires_at: datetime | None = None,
        reason: str = "",
    ) -> OrderIntent:
        """Make an intent to buy once the ask has fallen to *price*.

        The runner cancels a pending order as soon as an opening would be denied.

        Args:
            symbol: The broker's spelling.
            price: Below the ask, at least the symbol's ``stops_level`` away.
            stop_loss: Distance from *price* in points; None for no stop.
            take_profit: Distance from *price* in points; None for no target.
            volume: In lots; None leaves the size to the runner's sizing.
            expires_at: When it lapses, UTC-aware; None for never.
            reason: A few words for logs and reports.

        Returns:
            The intent; return it from `on_bar` or `on_tick`.

        Raises:
            ValueError: If a price, a distance or the volume is not positive.
        """
        return self._open(
            Side.BUY,
            symbol,
            stop_loss,
            take_profit,
            volume,
            reason,
            _Pending(PendingKind.LIMIT, price, expires_at),
        )

    def buy_stop(
        self,
        symbol: str,
        price: float,
        *,
        stop_loss: float | None = None,
        take_profit: float | None = None,
        volume: float | None = None,
        expires_at: datetime | None = None,
        reason: str = "",
    ) -> OrderIntent:
        """Make an intent to buy once the ask is up at *price*; see `buy_limit`."""
        return self._open(
            Side.BUY,
            symbol,
            stop_loss,
            take_profit,
            volume,
            reason,
            _Pending(PendingKind.STOP, price, expires_at),
        )

    def sell_limit(
        self,
        symbol: str,
        price: float,
        *,
        stop_loss: float | None = None,
        take_profit: float | None = None,
        volume: float | None = None,
        expires_at: datetime | None = None,
        reason: str = "",
    ) -> OrderIntent:
        """Make an intent to sell once the bid is up at *price*; see `buy_limit`."""
        return self._open(
            Side.SELL,
            symbol,
            stop_loss,
            take_profit,
            volume,
            reason,
            _Pending(PendingKind.LIMIT, price, expires_at),
        )

    def sell_stop(
        self,
        symbol: str,
        price: float,
        *,
        stop_loss: float | None = None,
        take_profit: float | None = None,
        volume: float | None = None,
        expires_at: datetime | None = None,
        reason: str = "",
    ) -> OrderIntent:
        """Make an intent to sell once the bid is down at *price*; see `buy_limit`."""
        return self._open(
            Side.SELL,
            symbol,
            stop_loss,
            take_profit,
            volume,
            reason,
            _Pending(PendingKind.STOP, price, expires_at),
        )

    def cancel(
        self, symbol: str, *, ticket: int | None = None, reason: str = ""
    ) -> OrderIntent:
        """Make an intent to remove one pending order, or all of these in *symbol*.

        Args:
            symbol: The broker's spelling.
            ticket: The order; None for all of this strategy's in *symbol*.
            reason: A few words for logs and reports.

        Returns:
            The intent; return it from `on_bar` or `on_tick`.
        """
        return OrderIntent(
            strategy=type(self).__name__,
            strategy_id=self._context.strategy_id,
            symbol=symbol,
            action=Action.CANCEL,
            ticket=ticket,
            reason=reason,
        )

    def close(
        self,
        symbol: str,
        *,
        ticket: int | None = None,
        volume: float | None = None,
        reason: str = "",
    ) -> OrderIntent:
        """Make an intent to close one position, or all of this strategy's in *symbol*.

        Args:
            symbol: The broker's spelling.
            ticket: The position; None for all of this strategy's in *symbol*.
            volume: In lots; None closes wholly.
            reason: A few words for logs and reports.

        Returns:
            The intent; return it from `on_bar` or `on_tick`.
        """
        return OrderIntent(
            strategy=type(self).__name__,
            strategy_id=self._context.strategy_id,
            symbol=symbol,
            action=Action.CLOSE,
            ticket=ticket,
            volume=volume,
            reason=reason,
        )

    def protect(
        self,
        position: Position,
        *,
        stop_loss: float | None = None,
        take_profit: float | None = None,
        reason: str = "",
    ) -> OrderIntent:
        """Make an intent to move a position's stop loss or take profit.

        Args:
            position: One of `positions`.
            stop_loss: New stop as a price; None keeps the present one.
            take_profit: New target as a price; None keeps the present one.
            reason: A few words for logs and reports.

        Returns:
            The intent; return it from `on_bar` or `on_tick`.
        """
        return OrderIntent(
            strategy=type(self).__name__,
            strategy_id=self._context.strategy_id,
            symbol=position.symbol,
            action=Action.PROTECT,
            ticket=position.ticket,
            stop_loss_price=stop_loss,
            take_profit_price=take_profit,
            reason=reason,
        )

    def _open(
        self,
        side: Side,
        symbol: str,
        stop_loss: float | None,
        take_profit: float | None,
        volume: float | None,
        reason: str,
        pending: _Pending | None = None,
    ) -> OrderIntent:
        return OrderIntent(
            strategy=type(self).__name__,
            strategy_id=self._context.strategy_id,
            symbol=symbol,
            action=Action.PLACE if pending else Action.OPEN,
            kind=pending.kind if pending else None,
            price=pending.price if pending else None,
            expires_at=pending.expires_at if pending else None,
            side=side,
            volume=volume,
            stop_loss=stop_loss,
            take_profit=take_profit,
            reason=reason,
        )
