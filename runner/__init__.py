"""mt5runner: what the author of a strategy or plugin imports.

Everything here may be built upon; anything else may change without notice.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.core.account import Account
    from runner.core.market import Bar, SymbolSpec, Tick, Timeframe
    from runner.core.news import NewsEvent
    from runner.core.orders import (
        Action,
        Deal,
        Demand,
        Denial,
        Deny,
        ExitReason,
        OrderIntent,
        OrderRequest,
        OrderResult,
        Outcome,
        PendingKind,
        PendingOrder,
        Position,
        Side,
    )
    from runner.core.series import BarSeries
    from runner.core.settings import (
        RiskConfig,
        StrategyConfig,
        TradeConfig,
        TradeSettings,
    )
    from runner.core.status import PauseReason, RunnerStatus
    from runner.core.trading_state import TradingState
    from runner.host.markers import hookimpl
    from runner.plugin import ApiAccess, Plugin, PluginSettings, PluginState
    from runner.strategy import (
        Intents,
        Parameters,
        Strategy,
        StrategyContext,
        StrategyState,
    )
    from runner.wire.documents import BotStatus
    from runner.wire.drawdown import (
        BreachAction,
        DailyPercentOf,
        DailyReference,
        DailyReset,
        DrawdownChoices,
        DrawdownPreset,
        FlattenScope,
        MaxMode,
        MaxPercentOf,
        WithoutStop,
    )
    from runner.wire.heartbeat import BotHeartbeat

__version__ = "0.1.0"

_HOMES = {
    "Account": "runner.core.account",
    "Action": "runner.core.orders",
    "ApiAccess": "runner.plugin",
    "Bar": "runner.core.market",
    "BarSeries": "runner.core.series",
    "BotHeartbeat": "runner.wire.heartbeat",
    "BotStatus": "runner.wire.documents",
    "BreachAction": "runner.wire.drawdown",
    "DailyPercentOf": "runner.wire.drawdown",
    "DailyReference": "runner.wire.drawdown",
    "DailyReset": "runner.wire.drawdown",
    "Deal": "runner.core.orders",
    "Demand": "runner.core.orders",
    "Denial": "runner.core.orders",
    "Deny": "runner.core.orders",
    "DrawdownChoices": "runner.wire.drawdown",
    "DrawdownPreset": "runner.wire.drawdown",
    "ExitReason": "runner.core.orders",
    "FlattenScope": "runner.wire.drawdown",
    "Intents": "runner.strategy",
    "MaxMode": "runner.wire.drawdown",
    "MaxPercentOf": "runner.wire.drawdown",
    "NewsEvent": "runner.core.news",
    "OrderIntent": "runner.core.orders",
    "OrderRequest": "runner.core.orders",
    "OrderResult": "runner.core.orders",
    "Outcome": "runner.core.orders",
    "Parameters": "runner.strategy",
    "PauseReason": "runner.core.status",
    "PendingKind": "runner.core.orders",
    "PendingOrder": "runner.core.orders",
    "Plugin": "runner.plugin",
    "PluginSettings": "runner.plugin",
    "PluginState": "runner.plugin",
    "Position": "runner.core.orders",
    "RiskConfig": "runner.core.settings",
    "RunnerStatus": "runner.core.status",
    "Side": "runner.core.orders",
    "Strategy": "runner.strategy",
    "StrategyConfig": "runner.core.settings",
    "StrategyContext": "runner.strategy",
    "StrategyState": "runner.strategy",
    "SymbolSpec": "runner.core.market",
    "Tick": "runner.core.market",
    "Timeframe": "runner.core.market",
    "TradeConfig": "runner.core.settings",
    "TradeSettings": "runner.core.settings",
    "TradingState": "runner.core.trading_state",
    "WithoutStop": "runner.wire.drawdown",
    "hookimpl": "runner.host.markers",
}
"""Where each public name lives. They are imported when first asked for, so that a
command which needs none of them (`runner --help`) does not wait for numpy."""

__all__ = [
    "Account",
    "Action",
    "ApiAccess",
    "Bar",
    "BarSeries",
    "BotHeartbeat",
    "BotStatus",
    "BreachAction",
    "DailyPercentOf",
    "DailyReference",
    "DailyReset",
    "Deal",
    "Demand",
    "Denial",
    "Deny",
    "DrawdownChoices",
    "DrawdownPreset",
    "ExitReason",
    "FlattenScope",
    "Intents",
    "MaxMode",
    "MaxPercentOf",
    "NewsEvent",
    "OrderIntent",
    "OrderRequest",
    "OrderResult",
    "Outcome",
    "Parameters",
    "PauseReason",
    "PendingKind",
    "PendingOrder",
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
    "StrategyState",
    "SymbolSpec",
    "Tick",
    "Timeframe",
    "TradeConfig",
    "TradeSettings",
    "TradingState",
    "WithoutStop",
    "hookimpl",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
