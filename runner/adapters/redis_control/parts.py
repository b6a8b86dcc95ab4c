"""One cycle as commands, and its replies as a view. No connection here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import attrs

from runner.adapters.redis_control import lease
from runner.ports import Exchange
from runner.wire import keys

Command = tuple[str | int, ...]
Reply = Any

HEARTBEAT = "heartbeat"
SERVER_HEARTBEAT = "server heartbeat"
TRADE_VERSION = "trade version"
COMMAND = "command"
FLEET_COMMAND = "fleet command"
LEASE = "lease"


def strategy_version(strategy_id: int) -> str:
    """Name the part that reads a strategy's version."""
    return f"version of strategy {strategy_id}"


@attrs.frozen
class Part:
    """Commands of one concern; with a transaction, all of them or none.

    Attributes:
        name: What it is about, for logs.
        commands: What is sent.
        is_transaction: Whether they stand between MULTI and EXEC.
    """

    name: str
    commands: tuple[Command, ...]
    is_transaction: bool = False

    @property
    def wire(self) -> tuple[Command, ...]:
        """What goes over the wire."""
        if self.is_transaction:
            return (("MULTI",), *self.commands, ("EXEC",))
        return self.commands

    def failure(self, replies: Sequence[Reply]) -> Exception | None:
        """Return the first error among the replies."""
        executed = replies[-1] if self.is_transaction else None
        inner = cast("Sequence[Reply]", executed) if isinstance(executed, list) else ()
        return next((r for r in [*replies, *inner] if isinstance(r, Exception)), None)


def parts_of(
    exchange: Exchange, *, session: str, epoch: int, may_delete: bool
) -> list[Part]:
    """Return what one cycle sends; the heartbeat, if any, comes first.

    Args:
        exchange: What to write and to ask for.
        session: Whose lease is renewed.
        epoch: Its fencing number.
        may_delete: Whether Redis lets us delete keys.
    """
    account = exchange.account
    parts: list[Part] = []

    def replace(name: str, key: str, fields: Mapping[str, str], ttl: int) -> None:
        # Deleted first, so that no field of an earlier runner is left standing.
        first: tuple[Command, ...] = (("DEL", key),) if may_delete else ()
        parts.append(Part(name, (*first, *_write(key, fields, ttl)), True))

    def read_hash(name: str, key: str) -> None:
        parts.append(Part(name, (("HGETALL", key),)))

    def read_version(name: str, key: str) -> None:
        parts.append(Part(name, (("HGET", key, keys.VERSION_FIELD),)))

    if exchange.heartbeat is not None:
        key = keys.bot_heartbeat(account)
        replace(HEARTBEAT, key, exchange.heartbeat, keys.BOT_HEARTBEAT_TTL)
    read_hash(SERVER_HEARTBEAT, keys.server_heartbeat(account))
    read_version(TRADE_VERSION, keys.trade_config(account))
    for one in exchange.strategy_ids:
        read_version(strategy_version(one), keys.strategy_config(account, one))
    read_hash(COMMAND, keys.command(account))
    read_hash(FLEET_COMMAND, keys.COMMAND_ALL)
    if exchange.config_acks:
        key = keys.config_ack(account)
        replace("config_ack", key, exchange.config_acks, keys.CONFIG_ACK_TTL)
    if exchange.command_acks:
        key = keys.command_ack(account)
        acks = _write(key, exchange.command_acks, keys.COMMAND_ACK_TTL)
        parts.append(Part("command_ack", acks, True))
    if exchange.renew_lease:
        command = lease.script(lease.RENEW, account, session, epoch)
        parts.append(Part(LEASE, (command,)))
    return parts


def deal(parts: Sequence[Part], replies: Sequence[Reply]) -> list[Sequence[Reply]]:
    """Deal the replies of a pipeline out to the parts that asked."""
    answers: list[Sequence[Reply]] = []
    for part in parts:
        size = len(part.wire)
        answers.append(replies[:size])
        replies = replies[size:]
    return answers


def as_text(value: object) -> str:
    """Decode what Redis holds; what is no UTF-8 is shown as such."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def as_hash(replies: Sequence[Reply] | None) -> dict[str, str] | None:
    """Decode a hash; None for one that is not there."""
    if not replies or not replies[0]:
        return None
    return {as_text(name): as_text(value) for name, value in replies[0].items()}


def _write(key: str, fields: Mapping[str, str], ttl: int) -> tuple[Command, ...]:
    flat = [text for pair in fields.items() for text in pair]
    return ("HSET", key, *flat), ("EXPIRE", key, ttl)
