"""The connection to Redis: short time-outs, one log line per change of state."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

_log = logging.getLogger("mt5runner.config_server")

TIMEOUT = 2.0
"""Seconds to connect, and to wait for an answer."""


class Pipeline(Protocol):
    """The commands used, queued until :meth:`execute`."""

    def delete(self, name: str, /) -> Any:
        """Queue DEL."""
        ...

    def exists(self, name: str, /) -> Any:
        """Queue EXISTS."""
        ...

    def hset(self, name: str, *, mapping: dict[str, str]) -> Any:
        """Queue HSET of several fields."""
        ...

    def hincrby(self, name: str, key: str, amount: int, /) -> Any:
        """Queue HINCRBY."""
        ...

    def hgetall(self, name: str, /) -> Any:
        """Queue HGETALL."""
        ...

    def expire(self, name: str, seconds: int, /) -> Any:
        """Queue EXPIRE."""
        ...

    def publish(self, channel: str, message: str, /) -> Any:
        """Queue PUBLISH."""
        ...

    def execute(self, raise_on_error: bool = ...) -> list[Any]:
        """Send what is queued and return the answers, in order."""
        ...


class RedisClient(Protocol):
    """What is used of ``redis.Redis``; every ``redis.Redis`` is one."""

    def pipeline(self, transaction: bool = ...) -> Any:
        """Return a pipeline of commands, in a MULTI if *transaction*."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


def connect(url: str) -> RedisClient:
    """Return a client for *url*; nothing is sent yet.

    Args:
        url: As in the seed's ``REDIS_URL``.

    Raises:
        ValueError: If *url* is none of Redis.
    """
    # redis-py's own defaults wait up to a minute on a server that never answers.
    # One retry replaces a connection that died while idle; every write is idempotent.
    # from_url's types are unknown in one redis-py and absent in the next.
    make = cast("Any", redis.Redis)
    client: RedisClient = make.from_url(
        url,
        socket_timeout=TIMEOUT,
        socket_connect_timeout=TIMEOUT,
        retry=Retry(NoBackoff(), 1),
        protocol=2,  # understood by every Redis, and by those that only speak like one
        decode_responses=True,
        encoding_errors="replace",  # one bot's garbage must not hide the others
    )
    return client


class RedisLink:
    """Runs operations on Redis and knows whether it is there.

    Args:
        client: The connection.
    """

    def __init__(self, client: RedisClient) -> None:
        self._client = client
        self.up = True

    def run(
        self,
        operation: Callable[[Pipeline], None],
        *,
        transaction: bool,
    ) -> list[Any] | None:
        """Send the commands that *operation* queues.

        Args:
            operation: Queues them.
            transaction: Whether all are carried out in one MULTI, or refused. Without
                it a command refused for itself has its error for an answer.

        Returns:
            Their answers; None if Redis failed, which is logged once until it is back.
        """
        try:
            with self._client.pipeline(transaction=transaction) as pipeline:
                operation(pipeline)
                answers: list[Any] = pipeline.execute(raise_on_error=transaction)
        except (redis.RedisError, OSError) as error:
            if self.up:
                self.up = False
                _log.warning("Redis is unavailable, REST goes on without it: %s", error)
            return None
        if not self.up:
            self.up = True
            _log.warning("Redis is back")
        return answers


def texts(answer: Any) -> dict[str, str]:
    """Return HGETALL's answer as texts, whether the client decodes or not.

    An error, as for a key that is no hash, counts as no hash.
    """
    if not isinstance(answer, dict):
        return {}
    fields = cast("dict[object, object]", answer)
    return {_text(key): _text(value) for key, value in fields.items()}


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def queue_hash(
    pipeline: Pipeline, key: str, fields: Mapping[str, str], ttl: int
) -> None:
    """Queue the replacement of a whole hash with its expiry.

    Inside a MULTI a reader sees the old hash or the new one, never one without a TTL.
    The DEL clears fields of before, and a key that somebody made another type.

    Args:
        pipeline: One with a transaction.
        key: The key.
        fields: Every field of the hash.
        ttl: Seconds.
    """
    pipeline.delete(key)
    pipeline.hset(key, mapping=dict(fields))
    pipeline.expire(key, ttl)
