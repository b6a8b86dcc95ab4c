"""What the server configures: the two documents of the protocol as values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

import attrs

from runner.wire.drawdown import DrawdownChoices

EMPTY: Mapping[Any, Any] = MappingProxyType({})


@attrs.frozen(slots=True, kw_only=True)
class RiskConfig(DrawdownChoices):
    """``risk_config`` of the trade config; the seed's three, and choices of ours.

    A choice that the server leaves out is None and left to the settings file.

    Attributes:
        dd_protection_enabled: Whether the limits below are kept.
        daily_dd_limit_percent: Loss since the day's reference that stops entries.
        max_account_dd_percent: Loss since the account's reference that stops entries.
    """

    dd_protection_enabled: bool = True
    daily_dd_limit_percent: float | None = None
    max_account_dd_percent: float | None = None


@attrs.frozen(slots=True, kw_only=True)
class TradeSettings:
    """``trade_config`` of the trade config.

    Attributes:
        enabled_symbols: Symbols in which positions may be opened.
        lot_size: Fixed size of an order, in lots.
        auto_pause_on_news: Whether entries pause around news.
        dynamic_position_sizing_enabled: Whether size follows the risk to the stop.
    """

    enabled_symbols: tuple[str, ...] = ()
    lot_size: float = 0.01
    auto_pause_on_news: bool = False
    dynamic_position_sizing_enabled: bool = False


@attrs.frozen(slots=True, kw_only=True)
class TradeConfig:
    """The account's trade config (seed, API endpoint 1).

    Attributes:
        version: The body's own version.
        bot_status: ACTIVE or PAUSED.
        account_status: ACTIVE or INACTIVE.
        subscription_status: ACTIVE, EXPIRED or CANCELLED.
        subscription_expiry: UTC-aware; None for no end.
        current_balance: As the server knows it, account currency.
        peak_balance: As the server knows it, account currency.
        dd_blocked: Whether the server blocks entries for drawdown.
        dd_block_reason: Why; None if it does not.
        risk_config: Drawdown limits.
        trade_config: Symbols, size, news pause.
        active_bot_id: The strategy that trades; None for none.
        active_bot_name: Its display name.
    """

    version: int
    bot_status: str
    account_status: str
    subscription_status: str
    subscription_expiry: datetime | None = None
    current_balance: float | None = None
    peak_balance: float | None = None
    dd_blocked: bool = False
    dd_block_reason: str | None = None
    risk_config: RiskConfig = attrs.field(factory=RiskConfig)
    trade_config: TradeSettings = attrs.field(factory=TradeSettings)
    active_bot_id: int | None = None
    active_bot_name: str | None = None


@attrs.frozen(slots=True, kw_only=True)
class StrategyConfig:
    """A strategy's config (seed, API endpoint 2).

    *parameters_by_symbol* is already structured into the strategy's own parameter
    class by the time it stands here.

    Attributes:
        version: The body's own version.
        bot_strategy_id: The server's id.
        bot_strategy_name: Display name.
        bot_status: ACTIVE or PAUSED, this strategy's own.
        bot_strategy_class: Class name by which the host finds the strategy.
        is_pair_trading: Whether it trades two legs as one.
        allowed_symbols: Symbols that it may trade.
        parameters_by_symbol: Symbol to that strategy's parameters.
        optimization_config: Search space for the optimiser; None if absent.
        last_optimization_date: UTC-aware; None if never.
    """

    version: int
    bot_strategy_id: int
    bot_strategy_class: str
    bot_status: str
    bot_strategy_name: str = ""
    is_pair_trading: bool = False
    allowed_symbols: tuple[str, ...] = ()
    parameters_by_symbol: Mapping[str, Any] = EMPTY
    optimization_config: Mapping[str, Any] | None = None
    last_optimization_date: datetime | None = None
