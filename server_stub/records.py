"""What the server keeps, as values, and the bodies that it serves from them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from runner.wire.documents import SUCCESS, AccountStatus, BotStatus, SubscriptionStatus
from runner.wire.heartbeat import ServerHeartbeat

ACCOUNT_DEFAULTS: Mapping[str, Any] = {
    "bot_status": BotStatus.ACTIVE.value,
    "account_status": AccountStatus.ACTIVE.value,
    "subscription_status": SubscriptionStatus.ACTIVE.value,
    "subscription_expiry": None,
    "current_balance": "0.0000",
    "peak_balance": "0.0000",
    "dd_blocked": False,
    "dd_block_reason": None,
    "risk_config": {
        "dd_protection_enabled": True,
        "daily_dd_limit_percent": 5.0,
        "max_account_dd_percent": 10.0,
    },
    "trade_config": {
        "enabled_symbols": [],
        "lot_size": 0.01,
        "auto_pause_on_news": True,
        "dynamic_position_sizing_enabled": False,
    },
    "active_bot_id": None,
    "active_bot_name": None,
}
"""A new account's document before what its creator says."""

STRATEGY_DEFAULTS: Mapping[str, Any] = {
    "bot_status": BotStatus.ACTIVE.value,
    "is_pair_trading": False,
    "parameters_by_symbol": {},
    "optimization_config": None,
    "last_optimization_date": None,
}
"""A new strategy's document before what its creator says."""


@attrs.frozen(slots=True, kw_only=True)
class AccountRecord:
    """One trade account.

    Attributes:
        mt5_account_id: The account.
        version: The trade config's version.
        document: The fields of the trade config's body, but status and version.
    """

    mt5_account_id: str
    version: int
    document: Mapping[str, Any]

    def body(self) -> dict[str, Any]:
        """Return the trade config's body (seed, endpoint 1)."""
        return {"status": SUCCESS, "version": self.version, **self.document}

    def heartbeat(self, now: datetime) -> ServerHeartbeat:
        """Return what the server's heartbeat says at *now* (seed, key 2)."""
        return ServerHeartbeat(
            bot_status=self.document["bot_status"],
            account_status=self.document["account_status"],
            subscription_status=self.document["subscription_status"],
            dd_blocked=self.document["dd_blocked"],
            dd_block_reason=self.document["dd_block_reason"],
            last_update=now,
        )


@attrs.frozen(slots=True, kw_only=True)
class StrategyRecord:
    """One strategy; every account may run it.

    Attributes:
        strategy_id: The server's id.
        version: The strategy config's version.
        document: The fields of its body, but status, version and id.
    """

    strategy_id: int
    version: int
    document: Mapping[str, Any]

    def body(self) -> dict[str, Any]:
        """Return the strategy config's body (seed, endpoint 2)."""
        return {
            "status": SUCCESS,
            "version": self.version,
            "bot_strategy_id": self.strategy_id,
            **self.document,
        }
