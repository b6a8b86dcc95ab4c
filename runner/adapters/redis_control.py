"""The control plane over Redis: one round trip a cycle, and a subscriber.

redis-py's defaults retry ten times with time-outs of five seconds, which takes a minute
on a server that accepts and never answers, and send a write twice when the reply is
lost. Here a request has two seconds, one more try, and every write may be repeated.
Works with Redis 5 and later, with the seed's four keys alone, and with fakeredis.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import attrs
import redis
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError, ReadOnlyError
from redis.retry import Retry

from runner.core.config_flow import RETRY, Backoff, Regime
from runner.ports import Exchange, LeaseHolder, ServerView, UnavailableError
from runner.wire import keys
from runner.wire.encoding import WireError
from runner.wire.events import WakeUp
from runner.wire.versions import read_version

log = logging.getLogger("mt5runner.redis")

_TRIES = 2
_SLICE = 0.5  # seconds between two looks at the stop flag
_PINGS_UNANSWERED = 2
_PONGS_FORGIVE = 2

_ACQUIRE = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return {0, holder} end
local epoch = holder and redis.call('GET', KEYS[2])
if not epoch then epoch = redis.call('INCR', KEYS[2]) end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[3])
return {1, tostring(epoch)}
"""
# A lease that has vanished is taken again only if nobody had it in between.
_RENEW = """
local holder = redis.call('GET', KEYS[1])
local epoch = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[1] then return 0 end
if not holder and epoch and epoch ~= ARGV[4] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SET', KEYS[2], ARGV[4], 'EX', ARGV[3])
return 1
"""
_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""

_Command = tuple[str | int, ...]
_Reply = Any


@attrs.frozen(kw_only=True)
class RedisTiming:
    """Time-outs and delays, in seconds.

    Attributes:
        timeout: To connect, and for a reply.
        ping: Between two pings on a silent subscription.
        retry: Between two tries to subscribe.
    """

    timeout: float = 2.0
    ping: float = 5.0
    retry: Regime = RETRY


@attrs.frozen
class _Part:
    """Commands of one concern; with a transaction, all of them or none."""

    name: str
    commands: tuple[_Command, ...]
    is_transaction: bool = False

    @property
    def wire(self) -> tuple[_Command, ...]:
        if self.is_transaction:
            return (("MULTI",), *self.commands, ("EXEC",))
        return self.commands

    def failure(self, replies: Sequence[_Reply]) -> Exception | None:
        executed = replies[-1] if self.is_transaction else None
        inner = cast("Sequence[_Reply]", executed) if isinstance(executed, list) else ()
        return next((r for r in [*replies, *inner] if isinstance(r, Exception)), None)


class RedisControl:
    """The control plane of one account's runner.

    Args:
        url: ``redis://`` or ``rediss://`` address.
        session: Unique mark of this start of the runner. One that reads
            ``HOST:PID:MARK`` tells others who holds the lease.
        random: Random numbers in [0, 1), for delays.
        timing: Time-outs and delays.

    Raises:
        ValueError: If *url* is no Redis address.
    """

    def __init__(
        self,
        url: str,
        *,
        session: str,
        random: Callable[[], float],
        timing: RedisTiming = RedisTiming(),
    ) -> None:
        options: dict[str, Any] = {
            "protocol": 2,
            "socket_timeout": timing.timeout,
            "socket_connect_timeout": timing.timeout,
            "retry": Retry(NoBackoff(), 0),
        }
        # from_url's types are unknown in one redis-py and absent in the next.
        make = cast("Any", redis.Redis)
        self._client: Any = make.from_url(url, **options)
        self._session = session
        self._random = random
        self._timing = timing
        self._epoch = 0
        self._may_delete = True
        self._troubles: dict[str, str] = {}

    # -- one cycle ---------------------------------------------------------------------
    def exchange(self, exchange: Exchange) -> ServerView:
        """Do one control cycle in one round trip; UnavailableError if it failed.

        A part that Redis refuses (no permission, a key of another type) is no
        information and does not spoil the rest; it is logged once.
        """
        parts = self._parts(exchange)
        replies = self._send(parts)
        if exchange.heartbeat is not None and self._learn(parts[0], replies[0]):
            return self.exchange(exchange)
        seen: dict[str, list[_Reply]] = {}
        for part, answer in zip(parts, replies, strict=True):
            failure = part.failure(answer)
            if isinstance(failure, ReadOnlyError):
                # A replica: the next connection may find the new master.
                self._client.connection_pool.disconnect()
                raise UnavailableError(str(failure))
            self._note(part.name, failure)
            if failure is None:
                seen[part.name] = list(answer)
        return self._view(exchange, seen)

    def _parts(self, exchange: Exchange) -> list[_Part]:
        account = exchange.account
        parts: list[_Part] = []
        if exchange.heartbeat is not None:
            key = keys.bot_heartbeat(account)
            parts.append(
                self._write(
                    "heartbeat", key, exchange.heartbeat, keys.BOT_HEARTBEAT_TTL
                )
            )
        parts.append(_read_hash("server heartbeat", keys.server_heartbeat(account)))
        parts.append(_read_version("trade version", keys.trade_config(account)))
        parts += [
            _read_version(
                f"version of strategy {one}", keys.strategy_config(account, one)
            )
            for one in exchange.strategy_ids
        ]
        parts.append(_read_hash("command", keys.command(account)))
        parts.append(_read_hash("fleet command", keys.COMMAND_ALL))
        if exchange.config_acks:
            key = keys.config_ack(account)
            parts.append(
                self._write(
                    "config_ack", key, exchange.config_acks, keys.CONFIG_ACK_TTL
                )
            )
        if exchange.command_acks:
            key = keys.command_ack(account)
            acks = exchange.command_acks
            part = _Part(
                "command_ack",
                (("HSET", key, *_flat(acks)), ("EXPIRE", key, keys.COMMAND_ACK_TTL)),
                is_transaction=True,
            )
            parts.append(part)
        if exchange.renew_lease:
            parts.append(_Part("lease", (self._lease(_RENEW, account),)))
        return parts

    def _write(self, name: str, key: str, fields: Mapping[str, str], ttl: int) -> _Part:
        # Deleted first, so that no field of an earlier runner is left standing.
        delete: tuple[_Command, ...] = (("DEL", key),) if self._may_delete else ()
        write: _Command = ("HSET", key, *_flat(fields))
        return _Part(name, (*delete, write, ("EXPIRE", key, ttl)), is_transaction=True)

    def _learn(self, part: _Part, replies: Sequence[_Reply]) -> bool:
        """Say whether to try again without DEL, which a strict server may forbid."""
        failure = part.failure(replies)
        if not self._may_delete or not _is_permission(replies[1]):
            return False
        log.info("Redis does not let us delete (%s): fields are overwritten", failure)
        self._may_delete = False
        return True

    def _view(
        self, exchange: Exchange, seen: Mapping[str, Sequence[_Reply]]
    ) -> ServerView:
        held: bool | None = None
        if exchange.renew_lease and "lease" in seen:
            held = seen["lease"][0] == 1
        return ServerView(
            server_heartbeat=_as_hash(seen.get("server heartbeat")),
            trade_version=self._as_version("trade version", seen),
            strategy_versions={
                one: self._as_version(f"version of strategy {one}", seen)
                for one in exchange.strategy_ids
            },
            command=_as_hash(seen.get("command")),
            fleet_command=_as_hash(seen.get("fleet command")),
            lease_held=held,
            heartbeat_written="heartbeat" in seen,
        )

    def _as_version(
        self, name: str, seen: Mapping[str, Sequence[_Reply]]
    ) -> int | None:
        value = seen[name][0] if name in seen else None
        version: int | None = None
        failure: WireError | None = None
        try:
            version = read_version(None if value is None else _text(value))
        except WireError as error:
            failure = error
        self._note(f"{name}, its value", failure)
        return version

    def _send(self, parts: Sequence[_Part]) -> list[list[_Reply]]:
        commands = [command for part in parts for command in part.wire]
        replies = self._try(lambda: self._pipeline(commands))
        answers: list[list[_Reply]] = []
        for part in parts:
            size = len(part.wire)
            answers.append(replies[:size])
            replies = replies[size:]
        return answers

    def _pipeline(self, commands: Sequence[_Command]) -> list[_Reply]:
        with self._client.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            replies: list[_Reply] = pipeline.execute(raise_on_error=False)
        return replies

    def _try(self, action: Callable[[], Any]) -> Any:
        for attempt in range(1, _TRIES + 1):
            try:
                return action()
            except redis.ResponseError:
                raise
            except (redis.RedisError, OSError) as error:
                if attempt == _TRIES or isinstance(error, redis.AuthenticationError):
                    reason = str(error) or type(error).__name__
                    raise UnavailableError(reason) from error
        raise AssertionError  # pragma: no cover - the last try returns or raises

    def _note(self, name: str, failure: Exception | None) -> None:
        reason = "" if failure is None else str(failure)
        if reason == self._troubles.get(name, ""):
            return
        self._troubles[name] = reason
        if reason:
            log.warning("%s: nothing from Redis: %s", name, reason)
        else:
            log.info("%s: Redis answers again", name)

    # -- the lease ---------------------------------------------------------------------
    def acquire_lease(self, account: str) -> LeaseHolder | int | None:
        """Take the account's lease.

        Returns:
            The fencing number if it is ours now; who holds it, if another runner
            does; None if this Redis does not let us have leases at all.

        Raises:
            UnavailableError: If Redis cannot be asked.
        """
        command = self._lease(_ACQUIRE, account)
        try:
            taken, told = self._try(lambda: self._client.execute_command(*command))
        except redis.ResponseError as error:
            if _is_permission(error):
                log.warning("no lease: Redis does not permit it (%s)", error)
                return None
            raise UnavailableError(str(error)) from error
        if taken:
            self._epoch = int(told)
            return self._epoch
        return _holder(_text(told))

    def release_lease(self, account: str) -> None:
        """Release the lease if it is ours; UnavailableError if Redis is away."""
        command = self._lease(_RELEASE, account)
        try:
            self._try(lambda: self._client.execute_command(*command))
        except redis.ResponseError as error:
            raise UnavailableError(str(error)) from error

    def _lease(self, script: str, account: str) -> _Command:
        return (
            "EVAL",
            script,
            2,
            keys.lease(account),
            keys.epoch(account),
            self._session,
            keys.LEASE_TTL * 1000,
            keys.EPOCH_TTL,
            self._epoch,
        )

    # -- wake-ups ----------------------------------------------------------------------
    def listen(
        self,
        account: str,
        on_wake_up: Callable[[WakeUp], None],
        stop: threading.Event,
    ) -> None:
        """Pass on wake-ups until *stop* is set; blocks, and outlives every outage."""
        backoff = Backoff(self._timing.retry)
        is_lost = False

        def on_alive() -> None:
            nonlocal backoff
            backoff = Backoff(self._timing.retry)

        def on_subscribed() -> None:
            nonlocal is_lost
            if is_lost:
                log.info("wake-ups are back")
            is_lost = False

        while not stop.is_set():
            try:
                self._follow(account, on_wake_up, stop, on_subscribed, on_alive)
            except (redis.RedisError, OSError, ValueError) as error:
                if not is_lost:
                    reason = str(error) or type(error).__name__
                    log.warning("no wake-ups, polling goes on: %s", reason)
                is_lost = True
                backoff = backoff.failed(self._timing.retry)
                stop.wait(backoff.delay(self._random()))

    def _follow(
        self,
        account: str,
        on_wake_up: Callable[[WakeUp], None],
        stop: threading.Event,
        on_subscribed: Callable[[], None],
        on_alive: Callable[[], None],
    ) -> None:
        # redis-py never notices a half-open link of a subscription, with or without
        # its own health check: we ping, and count what is not answered.
        piece = min(_SLICE, self._timing.ping / 2)
        quiet, unanswered, answered = 0.0, 0, 0
        with self._client.pubsub() as subscription:
            subscription.subscribe(keys.events(account), keys.EVENTS_ALL)
            while not stop.is_set():
                message = subscription.get_message(timeout=piece)
                if message is not None:
                    quiet, unanswered = 0.0, 0
                    if message["type"] == "subscribe":
                        on_subscribed()
                        on_wake_up(WakeUp())
                    elif message["type"] == "message":
                        on_wake_up(WakeUp.from_json(message["data"]))
                    elif message["type"] == "pong":
                        answered += 1
                        if answered == _PONGS_FORGIVE:
                            on_alive()
                    continue
                quiet += piece
                if quiet < self._timing.ping:
                    continue
                if unanswered >= _PINGS_UNANSWERED:
                    raise redis.ConnectionError(f"{unanswered} pings unanswered")
                subscription.ping()
                quiet, unanswered = 0.0, unanswered + 1

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        self._client.connection_pool.disconnect()


def _read_hash(name: str, key: str) -> _Part:
    return _Part(name, (("HGETALL", key),))


def _read_version(name: str, key: str) -> _Part:
    return _Part(name, (("HGET", key, keys.VERSION_FIELD),))


def _flat(fields: Mapping[str, str]) -> list[str]:
    return [text for pair in fields.items() for text in pair]


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _as_hash(replies: Sequence[_Reply] | None) -> dict[str, str] | None:
    # A hash without fields does not exist: no information.
    if not replies or not replies[0]:
        return None
    return {_text(name): _text(value) for name, value in replies[0].items()}


def _is_permission(reply: object) -> bool:
    return isinstance(reply, NoPermissionError) or (
        isinstance(reply, redis.ResponseError) and str(reply).startswith("NOPERM")
    )


def _holder(session: str) -> LeaseHolder:
    host, _, rest = session.partition(":")
    pid = rest.partition(":")[0]
    if pid.isdigit():
        return LeaseHolder(session=session, host=host, pid=int(pid))
    return LeaseHolder(session=session)
