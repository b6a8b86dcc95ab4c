"""Asking a guard as the host would: with the arguments that it names, and no others."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from runner.core.account import Account
from runner.core.market import SymbolSpec, Tick
from runner.core.orders import (
    Deny,
    OrderIntent,
    OrderRequest,
    PendingOrder,
    Position,
)
from runner.core.settings import TradeConfig
from runner.testing.values import START, make_account, make_symbol, make_trade_config


def check_order(
    plugin: Any,
    intent: OrderIntent,
    *,
    account: Account | None = None,
    magic: int = 1,
    positions: Sequence[Position] = (),
    orders: Sequence[PendingOrder] = (),
    unresolved: Sequence[OrderRequest] = (),
    symbol: SymbolSpec | None = None,
    symbols: Mapping[str, SymbolSpec] | None = None,
    tick: Tick | None = None,
    config: TradeConfig | None = None,
    now: datetime = START,
) -> Deny | None:
    """Ask a guard about one intent.

    Args:
        plugin: A plugin, a strategy, or a module with marked functions.
        intent: What a strategy wants.
        account: A made one of 10,000 USD if None.
        magic: The number of the strategy.
        positions: Everything open on the account.
        orders: Everything pending on the account.
        unresolved: Orders whose outcome is unknown.
        symbol: Made for the intent's symbol if None.
        symbols: Made for every symbol with a position or an order if None.
        tick: A made quote at 1.0 if None.
        config: A made one that lets everything trade if None.
        now: The market's time, UTC-aware.

    Returns:
        The guard's answer.

    Raises:
        TypeError: If it answers with anything but a `Deny` or None.
    """
    held = {one.symbol for one in positions} | {one.symbol for one in orders}
    spec = symbol or make_symbol(intent.symbol)
    made = {name: make_symbol(name) for name in held} | {spec.name: spec}
    return _ask(
        plugin,
        "check_order",
        intent=intent,
        magic=magic,
        account=account or make_account(),
        positions=positions,
        orders=orders,
        unresolved=unresolved,
        symbol=spec,
        symbols=made if symbols is None else symbols,
        tick=tick or Tick(intent.symbol, now, 1.0, 1.0),
        config=config or make_trade_config(),
        now=now,
    )


def check_symbol(
    plugin: Any,
    symbol: SymbolSpec,
    *,
    config: TradeConfig | None = None,
    now: datetime = START,
) -> Deny | None:
    """Ask a guard about one symbol; arguments and errors as for `check_order`."""
    return _ask(
        plugin,
        "check_symbol",
        symbol=symbol,
        config=config or make_trade_config(),
        now=now,
    )


def check_trading(
    plugin: Any,
    account: Account,
    *,
    config: TradeConfig | None = None,
    now: datetime = START,
) -> Deny | None:
    """Ask a guard about the account; arguments and errors as for `check_order`."""
    return _ask(
        plugin,
        "check_trading",
        account=account,
        config=config or make_trade_config(),
        now=now,
    )


def _ask(plugin: Any, hook: str, **arguments: Any) -> Deny | None:
    function = getattr(plugin, hook)
    named = inspect.signature(function).parameters
    answer = function(**{name: arguments[name] for name in named})
    if answer is not None and not isinstance(answer, Deny):
        raise TypeError(f"{hook}: expected Deny or None, got {answer!r}")
    return answer
