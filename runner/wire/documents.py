"""The two REST bodies: their fields, their closed sets of values, what bumps a version.

Source: seed, API Endpoints and Automatic Version Incrementing. Where the seed's server
has another name for a field than its body, the body's name is used here and
:data:`SERVER_NAMES` maps the other one to it.
"""

from __future__ import annotations

import enum
from types import MappingProxyType


class BotStatus(enum.StrEnum):
    """Status of a bot; a server asks for the first two only."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    DOWN = "DOWN"


class AccountStatus(enum.StrEnum):
    """Status of a trade account."""

    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"


class SubscriptionStatus(enum.StrEnum):
    """Status of the account's subscription."""

    ACTIVE = "ACTIVE"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"


SUCCESS = "success"
"""``status`` of a body that carries what was asked for."""
ERROR = "error"
"""``status`` of every other body; ``detail`` says why."""

TRADE_CONFIG_FIELDS = (
    "status",
    "version",
    "bot_status",
    "account_status",
    "subscription_status",
    "subscription_expiry",
    "current_balance",
    "peak_balance",
    "dd_blocked",
    "dd_block_reason",
    "risk_config",
    "trade_config",
    "active_bot_id",
    "active_bot_name",
)
"""Fields of the trade config's body, in the seed's order."""

RISK_CONFIG_FIELDS = (
    "dd_protection_enabled",
    "daily_dd_limit_percent",
    "max_account_dd_percent",
)
"""Fields of ``risk_config``."""

TRADE_SETTINGS_FIELDS = (
    "enabled_symbols",
    "lot_size",
    "auto_pause_on_news",
    "dynamic_position_sizing_enabled",
)
"""Fields of ``trade_config``."""

STRATEGY_CONFIG_FIELDS = (
    "status",
    "version",
    "bot_strategy_id",
    "bot_strategy_name",
    "bot_status",
    "bot_strategy_class",
    "is_pair_trading",
    "allowed_symbols",
    "parameters_by_symbol",
    "optimization_config",
    "last_optimization_date",
)
"""Fields of a strategy config's body, in the seed's order."""

TRADE_VERSION_FIELDS = frozenset(
    {"trade_config", "bot_status", "subscription_status", "dd_blocked", "active_bot_id"}
)
"""Fields whose change raises the trade config's version; no other field does."""

STRATEGY_VERSION_FIELDS = frozenset(
    {"parameters_by_symbol", "bot_status", "allowed_symbols"}
)
"""Fields whose change raises a strategy config's version; no other field does."""

SERVER_NAMES = MappingProxyType(
    {
        "active_bot": "active_bot_id",
        "current_parameters": "parameters_by_symbol",
        "status": "bot_status",
    }
)
"""The seed's server-side names of fields, and the body's names of the same."""
