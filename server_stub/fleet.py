"""The fleet as an administrator sees it: what was asked, and what bots report."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any

from runner.wire.acks import (
    TRADE_FIELD,
    ConfigAck,
    ConfigState,
    command_field,
    strategy_field,
)
from runner.wire.commands import Command
from runner.wire.encoding import (
    WireError,
    read_json,
    read_json_object,
    read_json_texts,
)
from runner.wire.times import write_time
from runner.wire.versions import read_version
from server_stub.observation import Observation, Snapshot
from server_stub.records import AccountRecord, StrategyRecord


def fleet_document(
    accounts: Iterable[AccountRecord],
    strategies: Iterable[StrategyRecord],
    commands: Mapping[str | None, Command],
    snapshot: Snapshot,
) -> dict[str, Any]:
    """Return the body of ``GET /api/admin/fleet/``."""
    fleet_command = commands.get(None)
    versions = {str(record.strategy_id): record.version for record in strategies}
    return {
        "status": "success",
        "redis": snapshot.redis,
        "fleet_command": fleet_command and fleet_command.to_document(),
        "accounts": [
            _account(
                record,
                versions,
                commands.get(record.mt5_account_id),
                fleet_command,
                snapshot.of(record.mt5_account_id),
            )
            for record in accounts
        ],
    }


def _account(
    record: AccountRecord,
    versions: Mapping[str, int],
    command: Command | None,
    fleet_command: Command | None,
    bot: Observation,
) -> dict[str, Any]:
    acks = _config_acks(bot)
    asked = ("bot_status", "account_status", "subscription_status")
    return {
        "mt5_account_id": record.mt5_account_id,
        "observed_status": bot.status.value,
        "observed_since": write_time(bot.since) or None,
        "last_seen": write_time(bot.last_seen) or None,
        **{name: record.document[name] for name in asked},
        "dd_blocked": record.document["dd_blocked"],
        "active_bot_id": record.document["active_bot_id"],
        "trade_config_version": record.version,
        "strategy_versions": dict(versions),
        "applied_trade_config_version": _applied_trade(bot, acks),
        "applied_strategy_versions": _applied_strategies(bot, acks),
        "config_errors": _config_errors(bot, acks),
        "heartbeat": dict(bot.heartbeat),
        "config_acks": {
            field: _parsed(text) for field, text in bot.config_acks.items()
        },
        "command": command and command.to_document(),
        "command_acks": {
            field: _parsed(text) for field, text in bot.command_acks.items()
        },
        "command_acknowledged": _acknowledged(command, bot),
        "fleet_command_acknowledged": _acknowledged(fleet_command, bot),
    }


def _acknowledged(command: Command | None, bot: Observation) -> bool | None:
    return None if command is None else command_field(command.seq) in bot.command_acks


def _parsed(text: str) -> Any:
    try:
        return read_json("ack", text)
    except WireError:
        return text  # shown as it came: what a bot of tomorrow says is for people


def _config_acks(bot: Observation) -> dict[str, ConfigAck]:
    acks: dict[str, ConfigAck] = {}
    for field, text in bot.config_acks.items():
        with contextlib.suppress(WireError):
            acks[field] = ConfigAck.from_json(text)
    return acks


def _applied_trade(bot: Observation, acks: Mapping[str, ConfigAck]) -> int | None:
    with contextlib.suppress(WireError):
        said = read_version(bot.heartbeat.get("trade_config_version"))
        if said is not None:
            return said
    ack = acks.get(TRADE_FIELD)
    return ack.version if ack and ack.state is ConfigState.APPLIED else None


def _applied_strategies(
    bot: Observation, acks: Mapping[str, ConfigAck]
) -> dict[str, Any]:
    prefix = strategy_field(0)[:-1]
    versions: dict[str, Any] = {
        field.removeprefix(prefix): ack.version
        for field, ack in acks.items()
        if field.startswith(prefix) and ack.state is ConfigState.APPLIED
    }
    with contextlib.suppress(WireError):
        text = bot.heartbeat.get("strategy_versions")
        versions |= read_json_object("strategy_versions", text)
    return versions


def _config_errors(bot: Observation, acks: Mapping[str, ConfigAck]) -> list[str]:
    with contextlib.suppress(WireError):
        text = bot.heartbeat.get("config_errors")
        return list(read_json_texts("config_errors", text))
    return [error for ack in acks.values() for error in ack.errors]
