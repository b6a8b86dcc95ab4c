"""The two heartbeats as values, to and from their hashes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from runner.wire.documents import BotStatus
from runner.wire.encoding import (
    WireError,
    as_int,
    optional_money,
    read_bool,
    read_int,
    read_json,
    read_json_object,
    read_json_texts,
    read_money,
    read_text,
    write_bool,
    write_int,
    write_json,
    write_money,
    write_text,
)
from runner.wire.times import read_optional_time, read_time, write_time

BOT_FIELDS = (
    "mt5_account_id",
    "timestamp",
    "bot_status",
    "current_balance",
    "peak_balance",
    "dd_blocked",
    "dd_block_reason",
    "last_seen",
)
"""The fields that every bot writes (seed, key 1)."""

SERVER_FIELDS = (
    "bot_status",
    "account_status",
    "subscription_status",
    "dd_blocked",
    "dd_block_reason",
    "last_update",
)
"""The fields that every server writes (seed, key 2)."""


def _write_json_or_empty(value: Any) -> str:
    return "" if value is None else write_json(value)


def _write_versions(value: Mapping[int, int] | None) -> str:
    if value is None:
        return ""
    return write_json({str(strategy): value[strategy] for strategy in sorted(value)})


def _read_versions(field: str, text: str | None) -> Mapping[int, int]:
    return {
        read_int(field, strategy, minimum=0): as_int(f"{field}.{strategy}", version)
        for strategy, version in read_json_object(field, text).items()
    }


def _read_text(field: str, text: str | None) -> str | None:
    return read_text(text)


_Writer = Callable[[Any], str]
_Reader = Callable[[str, str | None], Any]

# Field -> how it is written and read; the order is the order in the hash.
_EXTENSIONS: Mapping[str, tuple[_Writer, _Reader]] = {
    "session": (write_text, _read_text),
    "epoch": (write_int, read_int),
    "host": (write_text, _read_text),
    "pid": (write_int, read_int),
    "runner_version": (write_text, _read_text),
    "trading_state": (write_text, _read_text),
    "pause_reasons": (_write_json_or_empty, read_json_texts),
    "equity": (write_money, read_money),
    "open_positions": (write_int, read_int),
    "foreign_positions": (write_int, read_int),
    "daily_dd_percent": (write_money, read_money),
    "max_dd_percent": (write_money, read_money),
    "trade_config_version": (write_int, read_int),
    "strategy_versions": (_write_versions, _read_versions),
    "config_errors": (_write_json_or_empty, read_json_texts),
    "config_age_s": (write_int, read_int),
    "last_tick": (write_time, read_time),
    "loop_lag_ms": (write_int, read_int),
    "news": (_write_json_or_empty, read_json),
}

BOT_EXTENSION_FIELDS = tuple(_EXTENSIONS)
"""The further fields that a bot may write (protocol, Extensions)."""


@attrs.frozen(slots=True, kw_only=True)
class BotHeartbeat:
    """What a bot says about itself (seed, key 1). Money is in account currency.

    A bot that speaks only the seed has None in every field after *last_seen*.

    Attributes:
        mt5_account_id: The account.
        timestamp: When it was written, UTC-aware.
        bot_status: ACTIVE only while entries are allowed.
        current_balance: Closed profit only; None while the account is unknown.
        peak_balance: Highest balance, for the drawdown; None while unknown.
        dd_blocked: Whether drawdown protection blocks entries.
        dd_block_reason: Why; None if it does not.
        last_seen: When the trading loop was last seen at work, UTC-aware.
        session: Identity of this start of the runner.
        epoch: The session's fencing number.
        host: Machine that it runs on.
        pid: Process id there.
        runner_version: The runner's own version.
        trading_state: ACTIVE, REDUCING or HALTED.
        pause_reasons: Every reason that holds, each ``source: text``.
        equity: Balance and floating profit.
        open_positions: Number of open positions.
        foreign_positions: Of these, how many no strategy of the bot opened.
        daily_dd_percent: Loss since the day's reference, percent of it.
        max_dd_percent: Loss since the account's reference, percent of it.
        trade_config_version: The version applied.
        strategy_versions: Strategy id to the version applied.
        config_errors: Why configs were refused, one line each; empty when clean.
        config_age_s: Seconds since the server last confirmed the config.
        last_tick: The newest quote's time, UTC-aware.
        loop_lag_ms: How late the loop is.
        news: What the news guard knows, any JSON value.
    """

    mt5_account_id: str = attrs.field(converter=str)
    timestamp: datetime
    bot_status: BotStatus = attrs.field(converter=BotStatus)
    current_balance: Decimal | None = attrs.field(converter=optional_money)
    peak_balance: Decimal | None = attrs.field(converter=optional_money)
    dd_blocked: bool = False
    dd_block_reason: str | None = None
    last_seen: datetime
    session: str | None = None
    epoch: int | None = None
    host: str | None = None
    pid: int | None = None
    runner_version: str | None = None
    trading_state: str | None = None
    pause_reasons: tuple[str, ...] | None = None
    equity: Decimal | None = attrs.field(default=None, converter=optional_money)
    open_positions: int | None = None
    foreign_positions: int | None = None
    daily_dd_percent: Decimal | None = attrs.field(
        default=None, converter=optional_money
    )
    max_dd_percent: Decimal | None = attrs.field(default=None, converter=optional_money)
    trade_config_version: int | None = None
    strategy_versions: Mapping[int, int] | None = None
    config_errors: tuple[str, ...] | None = None
    config_age_s: int | None = None
    last_tick: datetime | None = None
    loop_lag_ms: int | None = None
    news: Any | None = None

    def to_hash(self) -> dict[str, str]:
        """Return the hash fields.

        The seed's are always there. A heartbeat with any extension field has them all,
        empty where unknown, so that no value of an earlier heartbeat is left standing.
        """
        fields = {
            "mt5_account_id": self.mt5_account_id,
            "timestamp": write_time(self.timestamp),
            "bot_status": self.bot_status.value,
            "current_balance": write_money(self.current_balance),
            "peak_balance": write_money(self.peak_balance),
            "dd_blocked": write_bool(self.dd_blocked),
            "dd_block_reason": write_text(self.dd_block_reason),
            "last_seen": write_time(self.last_seen),
        }
        extensions = {
            name: write(getattr(self, name)) for name, (write, _) in _EXTENSIONS.items()
        }
        return fields | extensions if any(extensions.values()) else fields

    @classmethod
    def from_hash(cls, fields: Mapping[str, str]) -> BotHeartbeat:
        """Read the hash; unknown fields are ignored.

        Raises:
            WireError: If a field of the seed is missing or a value is unreadable.
        """
        extensions = {
            name: read(name, fields[name])
            for name, (_, read) in _EXTENSIONS.items()
            if fields.get(name)
        }
        return cls(
            mt5_account_id=_required(fields, "mt5_account_id"),
            timestamp=read_time("timestamp", fields.get("timestamp")),
            bot_status=_bot_status(fields),
            current_balance=_known_money(fields, "current_balance"),
            peak_balance=_known_money(fields, "peak_balance"),
            dd_blocked=read_bool("dd_blocked", fields.get("dd_blocked")),
            dd_block_reason=read_text(fields.get("dd_block_reason")),
            last_seen=read_time("last_seen", fields.get("last_seen")),
            **extensions,
        )


@attrs.frozen(slots=True, kw_only=True)
class ServerHeartbeat:
    """What the server says about an account (seed, key 2).

    A field that is missing or empty says nothing: None. Statuses are texts, not a
    closed set: whatever is not ``ACTIVE`` restricts, a word of tomorrow too.

    Attributes:
        bot_status: ACTIVE or PAUSED, as the server wants it.
        account_status: ACTIVE or INACTIVE.
        subscription_status: ACTIVE, EXPIRED or CANCELLED.
        dd_blocked: Whether the server blocks entries for drawdown.
        dd_block_reason: Why; None if it does not.
        last_update: When the server wrote it, UTC-aware.
    """

    bot_status: str | None = None
    account_status: str | None = None
    subscription_status: str | None = None
    dd_blocked: bool | None = None
    dd_block_reason: str | None = None
    last_update: datetime | None = None

    def to_hash(self) -> dict[str, str]:
        """Return the seed's six hash fields."""
        return {
            "bot_status": write_text(self.bot_status),
            "account_status": write_text(self.account_status),
            "subscription_status": write_text(self.subscription_status),
            "dd_blocked": (
                "" if self.dd_blocked is None else write_bool(self.dd_blocked)
            ),
            "dd_block_reason": write_text(self.dd_block_reason),
            "last_update": write_time(self.last_update),
        }

    @classmethod
    def from_hash(cls, fields: Mapping[str, str]) -> ServerHeartbeat:
        """Read the hash; unknown fields are ignored.

        Raises:
            WireError: If ``dd_blocked`` or ``last_update`` is unreadable.
        """
        blocked = fields.get("dd_blocked")
        return cls(
            bot_status=read_text(fields.get("bot_status")),
            account_status=read_text(fields.get("account_status")),
            subscription_status=read_text(fields.get("subscription_status")),
            dd_blocked=read_bool("dd_blocked", blocked) if blocked else None,
            dd_block_reason=read_text(fields.get("dd_block_reason")),
            last_update=read_optional_time("last_update", fields.get("last_update")),
        )


def _required(fields: Mapping[str, str], name: str) -> str:
    text = fields.get(name)
    if not text:
        raise WireError(name, "a text", text)
    return text


def _known_money(fields: Mapping[str, str], name: str) -> Decimal | None:
    text = fields.get(name)
    return None if text == "" else read_money(name, text)


def _bot_status(fields: Mapping[str, str]) -> BotStatus:
    text = fields.get("bot_status")
    try:
        return BotStatus(text or "")
    except ValueError:
        raise WireError("bot_status", "ACTIVE, PAUSED or DOWN", text) from None
