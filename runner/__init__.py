"""mt5runner: what the author of a strategy or plugin imports.

Everything here may be built upon; anything else may change without notice.
"""

from __future__ import annotations

from runner.core.account import Account
from runner.core.market import Bar, SymbolSpec, Tick, Timeframe
from runner.core.orders import (
    Action,
    Deal,
    Denial,
    Deny,
    ExitReason,
    OrderIntent,
    OrderRequest,
    OrderResult,
    Outcome,
    Position,
    Side,
)
from runner.core.series import BarSeries
from runner.core.settings import RiskConfig, StrategyConfig, TradeConfig, TradeSettings
from runner.core.status import PauseReason, RunnerStatus, TradingState
from runner.host.markers import hookimpl
from runner.plugin import Plugin, PluginSettings, PluginState
from runner.strategy import Intents, Parameters, Strategy, StrategyContext
from runner.wire.heartbeat import BotHeartbeat

__all__ = [
    "Account",
    "Action",
    "Bar",
    "BarSeries",
    "BotHeartbeat",
    "Deal",
    "Denial",
    "Deny",
    "ExitReason",
    "Intents",
    "OrderIntent",
    "OrderRequest",
    "OrderResult",
    "Outcome",
    "Parameters",
    "PauseReason",
    "Plugin",
    "PluginSettings",
    "PluginState",
    "Position",
    "RiskConfig",
    "RunnerStatus",
    "Side",
    "Strategy",
    "StrategyConfig",
    "StrategyContext",
    "SymbolSpec",
    "Tick",
    "Timeframe",
    "TradeConfig",
    "TradeSettings",
    "TradingState",
    "hookimpl",
]
__version__ = "0.1.0"
