"""The seed's server-side functions, under their own names, for any Python server.

They need nothing of this package but the wire; a Django server imports them as they
are. The connection is that of the environment variable ``REDIS_URL`` (seed, Setup),
opened for the call, or the *client* given. Redis being away is logged and answered by
False or None, never raised (seed, Error Handling): the save that triggered the call
must not fail for it.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Generator
from typing import Any, Protocol

import redis

from runner.wire import keys
from runner.wire.heartbeat import ServerHeartbeat
from runner.wire.versions import version_hash
from server_stub import clock
from server_stub.redis_link import Pipeline, RedisClient, connect, queue_hash

_log = logging.getLogger("mt5runner.config_server")


class TradeAccount(Protocol):
    """What is read of a trade account, such as a Django model's instance."""

    @property
    def mt5_account_id(self) -> str | int:
        """The account."""
        ...

    @property
    def bot_status(self) -> str:
        """ACTIVE or PAUSED."""
        ...

    @property
    def account_status(self) -> str:
        """ACTIVE or INACTIVE."""
        ...

    @property
    def subscription_status(self) -> str:
        """ACTIVE, EXPIRED or CANCELLED."""
        ...

    @property
    def dd_blocked(self) -> bool:
        """Whether the server blocks entries for drawdown."""
        ...

    @property
    def dd_block_reason(self) -> str | None:
        """Why; None if it does not."""
        ...


def update_server_heartbeat_in_redis(
    trade_account: TradeAccount, *, client: RedisClient | None = None
) -> bool:
    """Write the server's heartbeat for the bot to read (seed, key 2).

    Args:
        trade_account: The account; its attributes have the seed's names.
        client: Connection to use; None opens one by ``REDIS_URL``.

    Returns:
        Whether it was written.

    Raises:
        RuntimeError: If there is no *client* and no ``REDIS_URL``.
    """
    heartbeat = ServerHeartbeat(
        bot_status=trade_account.bot_status,
        account_status=trade_account.account_status,
        subscription_status=trade_account.subscription_status,
        dd_blocked=trade_account.dd_blocked,
        dd_block_reason=trade_account.dd_block_reason,
        last_update=clock.now(),
    )
    key = keys.server_heartbeat(trade_account.mt5_account_id)

    def queue(pipeline: Pipeline) -> None:
        queue_hash(pipeline, key, heartbeat.to_hash(), keys.SERVER_HEARTBEAT_TTL)

    return _run(key, queue, client) is not None


def update_trade_config_version_in_redis(
    mt5_account_id: str | int,
    version: int | None = None,
    *,
    client: RedisClient | None = None,
) -> int | None:
    """Announce the trade config's version (seed, key 3).

    Args:
        mt5_account_id: The account.
        version: The version that the REST body carries. None raises the announced one
            by 1; a bot then waits until the body's version has caught up, so give it.
        client: Connection to use; None opens one by ``REDIS_URL``.

    Returns:
        The version announced; None if Redis failed.

    Raises:
        RuntimeError: If there is no *client* and no ``REDIS_URL``.
    """
    return _announce(keys.trade_config(mt5_account_id), version, client)


def update_strategy_config_version_in_redis(
    mt5_account_id: str | int,
    strategy_id: int,
    version: int | None = None,
    *,
    client: RedisClient | None = None,
) -> int | None:
    """Announce a strategy config's version (seed, key 4).

    Args:
        mt5_account_id: The account whose bot runs the strategy.
        strategy_id: The strategy.
        version: As for :func:`update_trade_config_version_in_redis`.
        client: Connection to use; None opens one by ``REDIS_URL``.

    Returns:
        The version announced; None if Redis failed.

    Raises:
        RuntimeError: If there is no *client* and no ``REDIS_URL``.
    """
    return _announce(keys.strategy_config(mt5_account_id, strategy_id), version, client)


def _announce(key: str, version: int | None, client: RedisClient | None) -> int | None:
    def queue(pipeline: Pipeline) -> None:
        if version is None:
            pipeline.hincrby(key, keys.VERSION_FIELD, 1)
            pipeline.expire(key, keys.CONFIG_VERSION_TTL)
        else:
            queue_hash(pipeline, key, version_hash(version), keys.CONFIG_VERSION_TTL)

    answers = _run(key, queue, client)
    if answers is None:
        return None
    return int(answers[0]) if version is None else version


def _run(
    key: str, queue: Callable[[Pipeline], None], client: RedisClient | None
) -> list[Any] | None:
    with _connection(client) as connection:
        try:
            with connection.pipeline(transaction=True) as pipeline:
                queue(pipeline)
                answers: list[Any] = pipeline.execute()
        except (redis.RedisError, OSError) as error:
            _log.warning("Redis is unavailable, %s was not written: %s", key, error)
            return None
    return answers


@contextlib.contextmanager
def _connection(client: RedisClient | None) -> Generator[RedisClient]:
    if client is not None:
        yield client
        return
    url = os.environ.get("REDIS_URL")
    if not url:
        raise RuntimeError("REDIS_URL is not set; give the client, or set it")
    own = connect(url)
    try:
        yield own
    finally:
        own.close()
