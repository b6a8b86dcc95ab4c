"""Which documents the server stores: types and ranges, all errors at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from runner.wire.documents import AccountStatus, BotStatus, SubscriptionStatus
from runner.wire.drawdown import (
    BreachAction,
    DailyPercentOf,
    DailyReference,
    DrawdownPreset,
    FlattenScope,
    MaxMode,
    MaxPercentOf,
    WithoutStop,
)
from runner.wire.encoding import write_money
from runner.wire.times import read_time, write_time
from server_stub.checks import (
    Check,
    amount,
    anything,
    boolean,
    fields,
    integer,
    nullable,
    number,
    one_of,
    reset,
    symbols,
    text,
    time,
)
from server_stub.schemas import parameter_errors

_PERCENT = number(above=0, high=100)
_WANTED_STATUS = one_of(BotStatus.ACTIVE, BotStatus.PAUSED)

RISK_CONFIG: Mapping[str, Check] = {
    "dd_protection_enabled": boolean,
    "daily_dd_limit_percent": _PERCENT,
    "max_account_dd_percent": _PERCENT,
}
RISK_CHOICES: Mapping[str, Check] = {
    name: nullable(check)
    for name, check in {
        "preset": one_of(*DrawdownPreset),
        "daily_reference": one_of(*DailyReference),
        "daily_percent_of": one_of(*DailyPercentOf),
        "daily_reset": reset,
        "max_mode": one_of(*MaxMode),
        "max_percent_of": one_of(*MaxPercentOf),
        "trail_lock_at_initial": boolean,
        "touch_breaches": boolean,
        "initial_balance": number(above=0),
        "soft_limit_fraction": number(above=0, high=1),
        "buffer_percent": number(low=0, high=99),
        "on_breach": one_of(*BreachAction),
        "flatten_scope": one_of(*FlattenScope),
        "positions_without_stop": one_of(*WithoutStop),
    }.items()
}
"""Fields that ``risk_config`` may have beside the seed's (protocol, Drawdown choices);
null takes one away."""
TRADE_SETTINGS: Mapping[str, Check] = {
    "enabled_symbols": symbols,
    "lot_size": number(above=0, high=1000),
    "auto_pause_on_news": boolean,
    "dynamic_position_sizing_enabled": boolean,
}
ACCOUNT: Mapping[str, Check] = {
    "bot_status": _WANTED_STATUS,
    "account_status": one_of(*AccountStatus),
    "subscription_status": one_of(*SubscriptionStatus),
    "subscription_expiry": nullable(time),
    "current_balance": amount,
    "peak_balance": amount,
    "dd_blocked": boolean,
    "dd_block_reason": nullable(text(length=500)),
    "risk_config": fields(RISK_CONFIG, RISK_CHOICES),
    "trade_config": fields(TRADE_SETTINGS),
    "active_bot_id": nullable(integer(above=0)),
    "active_bot_name": nullable(text()),
}
"""Fields of an account's document, in the order of the trade config's body."""

STRATEGY: Mapping[str, Check] = {
    "bot_strategy_name": text(),
    "bot_status": _WANTED_STATUS,
    "bot_strategy_class": text(empty=False),
    "is_pair_trading": boolean,
    "allowed_symbols": symbols,
    "parameters_by_symbol": anything,
    "optimization_config": nullable(anything),
    "last_optimization_date": nullable(time),
}
"""Fields of a strategy's document, in the order of the strategy config's body."""


def account_errors(document: Mapping[str, Any]) -> list[str]:
    """Return everything wrong with an account's document."""
    return list(fields(ACCOUNT)("$", document))


def strategy_errors(document: Mapping[str, Any], stored: Any) -> list[str]:
    """Return everything wrong with a strategy's document.

    Args:
        document: What is to be stored.
        stored: The ``parameters_by_symbol`` stored now; None for a new strategy.
    """
    return [
        *fields(STRATEGY)("$", document),
        *parameter_errors(
            "$.parameters_by_symbol",
            document.get("bot_strategy_class"),
            document.get("parameters_by_symbol", {}),
            stored,
        ),
    ]


def canonical_account(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a valid account document in the order and spelling of the seed's body."""
    ordered = {name: document[name] for name in ACCOUNT}
    for name in ("current_balance", "peak_balance"):
        ordered[name] = write_money(ordered[name])
    ordered["subscription_expiry"] = _canonical_time(ordered["subscription_expiry"])
    for name, members in (
        ("risk_config", (*RISK_CONFIG, *RISK_CHOICES)),
        ("trade_config", tuple(TRADE_SETTINGS)),
    ):
        inner = cast("dict[str, Any]", ordered[name])
        ordered[name] = {
            member: inner[member]
            for member in members
            if member in TRADE_SETTINGS or inner.get(member) is not None
        }
    return ordered


def canonical_strategy(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a valid strategy document in the order and spelling of the seed's body."""
    ordered = {name: document[name] for name in STRATEGY}
    date = ordered["last_optimization_date"]
    return ordered | {"last_optimization_date": _canonical_time(date)}


def _canonical_time(value: str | None) -> str | None:
    return None if value is None else write_time(read_time("time", value))
