"""Every hook, in the order of a run.

The kind of a hook is its prefix, and fixes what it returns and what happens when an
implementation raises:

``register_*``
    returns records; an error stops the start.
``on_*``
    observers return None; an error is contained and counted.
``check_*``
    guards return `Deny` or None; all are asked, and an error counts as a denial.
``choose_*``
    deciders return a value or None; the first value wins; an error skips the step.
``describe_*``
    returns heartbeat fields; an error leaves that plugin's fields out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from runner.core.account import Account
from runner.core.market import Bar, SymbolSpec, Tick
from runner.core.orders import (
    Deal,
    Denial,
    Deny,
    OrderIntent,
    OrderRequest,
    OrderResult,
    Position,
)
from runner.core.settings import StrategyConfig, TradeConfig
from runner.core.status import PauseReason, RunnerStatus, TradingState
from runner.host.markers import hookspec
from runner.strategy import Strategy


# -- start -----------------------------------------------------------------------------
@hookspec
def register_strategies() -> Iterable[type[Strategy]]:
    """Return strategy classes that the server may name."""
    return ()


@hookspec
def on_started(account: Account, now: datetime) -> None:
    """React to the start of the runner on a verified account."""


# -- configuration ---------------------------------------------------------------------
@hookspec
def on_trade_config_applied(config: TradeConfig, now: datetime) -> None:
    """React to a trade config that is in force from now on."""


@hookspec
def on_strategy_config_applied(
    config: StrategyConfig, changes: Sequence[str], now: datetime
) -> None:
    """React to a strategy config that is in force from now on."""


@hookspec
def on_config_refused(
    scope: str, version: int | None, errors: Sequence[str], now: datetime
) -> None:
    """React to a configuration that was refused as a whole."""


# -- market and account ----------------------------------------------------------------
@hookspec
def on_account(
    account: Account,
    positions: Sequence[Position],
    config: TradeConfig,
    now: datetime,
) -> None:
    """React to a new reading of the account."""


@hookspec
def on_bar_closed(bar: Bar) -> None:
    """React to a closed bar, after the strategies have."""


# -- guards ----------------------------------------------------------------------------
@hookspec
def check_trading(account: Account, config: TradeConfig, now: datetime) -> Deny | None:
    """Say whether the whole account must not increase exposure now."""


@hookspec
def check_symbol(symbol: SymbolSpec, config: TradeConfig, now: datetime) -> Deny | None:
    """Say whether exposure in one symbol must not increase now."""


@hookspec
def check_order(
    intent: OrderIntent,
    account: Account,
    positions: Sequence[Position],
    symbol: SymbolSpec,
    tick: Tick,
    config: TradeConfig,
    now: datetime,
) -> Deny | None:
    """Say whether one intent must not be carried out."""


# -- an order's life -------------------------------------------------------------------
@hookspec(firstresult=True)
def choose_volume(
    intent: OrderIntent,
    account: Account,
    symbol: SymbolSpec,
    tick: Tick,
    config: TradeConfig,
) -> float | None:
    """Choose the size of an opening intent that names none."""


@hookspec
def on_order_denied(
    intent: OrderIntent, denials: Sequence[Denial], now: datetime
) -> None:
    """React to an intent that guards denied."""


@hookspec
def on_order_sent(request: OrderRequest, now: datetime) -> None:
    """React to an order that is about to be sent; it is already on disk."""


@hookspec
def on_order_result(request: OrderRequest, result: OrderResult, now: datetime) -> None:
    """React to what became of an order."""


@hookspec
def on_position_closed(deal: Deal, now: datetime) -> None:
    """React to a deal that closed a position, by order, stop or target."""


# -- state and heartbeat ---------------------------------------------------------------
@hookspec
def on_trading_state_changed(
    state: TradingState, reasons: Sequence[PauseReason], now: datetime
) -> None:
    """React to a change of the trading state or of its reasons."""


@hookspec
def on_plugin_error(plugin: str, hook: str, error: str, now: datetime) -> None:
    """React to a plugin or strategy that raised."""


@hookspec
def describe_status(account: Account, now: datetime) -> Mapping[str, str] | None:
    """Return fields that this plugin adds to the heartbeat."""


@hookspec(firstresult=True)
def choose_heartbeat(status: RunnerStatus, now: datetime) -> Mapping[str, str] | None:
    """Compose the heartbeat's hash fields, or None when none is due."""


# -- end -------------------------------------------------------------------------------
@hookspec
def on_stopping(reason: str, now: datetime) -> None:
    """React to the clean stop of the runner, before the last heartbeat."""
