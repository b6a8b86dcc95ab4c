"""Reads what every bot says of itself, for an operator's eyes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import redis
from redis.exceptions import NoPermissionError

from runner.ports import UnavailableError
from runner.wire import keys
from runner.wire.encoding import WireError
from runner.wire.versions import read_version

_TIMEOUT = 2.0  # seconds


def read_fleet(url: str, accounts: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Read the heartbeats, versions and acknowledgements in Redis.

    Args:
        url: Redis.
        accounts: Only these; empty for every account that Redis knows.

    Returns:
        One JSON-like object per account, in order of account.

    Raises:
        UnavailableError: If Redis cannot be read.
    """
    try:
        with _connect(url) as client:
            names = accounts or _known_accounts(client)
            return [_read_account(client, name) for name in names]
    except NoPermissionError as error:
        raise UnavailableError(
            f"{error}; a bot's own Redis user reads its own account only: name it with "
            "--account, or connect as the server's user"
        ) from error
    except (redis.RedisError, ValueError) as error:
        raise UnavailableError(str(error)) from error


def _connect(url: str) -> Any:
    # from_url's types are unknown in one redis-py and absent in the next.
    make = cast("Any", redis.Redis)
    return make.from_url(
        url,
        protocol=2,
        decode_responses=True,
        socket_timeout=_TIMEOUT,
        socket_connect_timeout=_TIMEOUT,
    )


def _known_accounts(client: Any) -> list[str]:
    found: set[str] = set()
    for pattern in (keys.bot_heartbeat("*"), keys.server_heartbeat("*")):
        matches: Iterable[str] = client.scan_iter(match=pattern, count=500)
        found |= {key.rpartition(":")[2] for key in matches}
    return sorted(found)


def _read_account(client: Any, account: str) -> dict[str, Any]:
    pipeline = client.pipeline(transaction=False)
    pipeline.hgetall(keys.bot_heartbeat(account))
    pipeline.hgetall(keys.server_heartbeat(account))
    pipeline.hgetall(keys.trade_config(account))
    pipeline.hgetall(keys.config_ack(account))
    beat, server, announced, acks = map(_hash, pipeline.execute(raise_on_error=False))
    return {
        "mt5_account_id": account,
        "observed_status": beat.get("bot_status", "DOWN") if beat else "DOWN",
        "heartbeat": beat,
        "server_heartbeat": server,
        "trade_config_version": _as_version(announced.get(keys.VERSION_FIELD)),
        "config_acks": {field: _as_json(text) for field, text in acks.items()},
    }


def _hash(reply: Any) -> dict[str, str]:
    """Return what a hash holds; nothing for a key of another kind."""
    if isinstance(reply, NoPermissionError):
        raise reply
    return cast("dict[str, str]", reply) if isinstance(reply, dict) else {}


def _as_version(text: str | None) -> int | None:
    try:
        return read_version(text)
    except WireError:  # written by another program; the rest of the fleet goes on
        return None


def _as_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def read_time(url: str) -> datetime:
    """Return Redis' own time, UTC-aware.

    Raises:
        UnavailableError: If Redis cannot be read.
    """
    try:
        with _connect(url) as client:
            seconds, microseconds = client.time()
    except (redis.RedisError, ValueError) as error:
        raise UnavailableError(str(error)) from error
    return datetime.fromtimestamp(seconds + microseconds / 1e6, UTC)
