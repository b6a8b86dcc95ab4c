"""The connection to Redis: sends a cycle, asks for the lease, listens."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import redis
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError, ReadOnlyError
from redis.retry import Retry

from runner.adapters.redis_control import lease, parts
from runner.adapters.redis_control.parts import Command, Part, Reply, as_hash, as_text
from runner.adapters.redis_control.wake_ups import RedisTiming, WakeUps
from runner.ports import Exchange, LeaseHolder, ServerView, UnavailableError
from runner.wire.encoding import WireError
from runner.wire.events import WakeUp
from runner.wire.versions import read_version

log = logging.getLogger("mt5runner.redis")

_TRIES = 2


class RedisControl:
    """The control plane of one account's runner.

    Args:
        url: ``redis://`` or ``rediss://`` address.
        session: Unique mark of this start of the runner. One that reads
            ``HOST:PID:MARK`` tells others who holds the lease.
        random: Random numbers in [0, 1), for delays.
        timing: Time-outs and delays; None for the usual ones.

    Raises:
        ValueError: If *url* is no Redis address.
    """

    def __init__(
        self,
        url: str,
        *,
        session: str,
        random: Callable[[], float],
        timing: RedisTiming | None = None,
    ) -> None:
        timing = timing or RedisTiming()
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
        asked = parts.parts_of(
            exchange,
            session=self._session,
            epoch=self._epoch,
            may_delete=self._may_delete,
        )
        commands = [command for part in asked for command in part.wire]
        answers = parts.deal(asked, self._try(lambda: self._pipeline(commands)))
        if exchange.heartbeat is not None and self._learn(asked[0], answers[0]):
            return self.exchange(exchange)
        seen: dict[str, Sequence[Reply]] = {}
        for part, answer in zip(asked, answers, strict=True):
            failure = part.failure(answer)
            if isinstance(failure, ReadOnlyError):
                # A replica: the next connection may find the new master.
                self._client.connection_pool.disconnect()
                raise UnavailableError(str(failure))
            self._note(part.name, failure)
            if failure is None:
                seen[part.name] = answer
        return self._view(exchange, seen)

    def _learn(self, part: Part, replies: Sequence[Reply]) -> bool:
        """Say whether to try again without DEL, which a strict server may forbid."""
        failure = part.failure(replies)
        if not self._may_delete or not isinstance(replies[1], NoPermissionError):
            return False
        log.info("Redis does not let us delete (%s): fields are overwritten", failure)
        self._may_delete = False
        return True

    def _view(
        self, exchange: Exchange, seen: Mapping[str, Sequence[Reply]]
    ) -> ServerView:
        held: bool | None = None
        if parts.LEASE in seen:
            held = seen[parts.LEASE][0] == 1
        return ServerView(
            server_heartbeat=as_hash(seen.get(parts.SERVER_HEARTBEAT)),
            trade_version=self._version(parts.TRADE_VERSION, seen),
            strategy_versions={
                one: self._version(parts.strategy_version(one), seen)
                for one in exchange.strategy_ids
            },
            command=as_hash(seen.get(parts.COMMAND)),
            fleet_command=as_hash(seen.get(parts.FLEET_COMMAND)),
            lease_held=held,
            heartbeat_written=parts.HEARTBEAT in seen,
        )

    def _version(self, name: str, seen: Mapping[str, Sequence[Reply]]) -> int | None:
        value = seen[name][0] if name in seen else None
        version: int | None = None
        failure: WireError | None = None
        try:
            version = read_version(None if value is None else as_text(value))
        except WireError as error:
            failure = error
        self._note(f"{name}, its value", failure)
        return version

    def _pipeline(self, commands: Sequence[Command]) -> list[Reply]:
        with self._client.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            replies: list[Reply] = pipeline.execute(raise_on_error=False)
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
        try:
            taken, told = self._run(lease.ACQUIRE, account)
            held = "" if taken else as_text(told)
            if lease.is_of_predecessor(held, self._session):
                log.info("the lease of a dead predecessor is taken over: %s", held)
                self._run(lease.RELEASE, account, held)
                taken, told = self._run(lease.ACQUIRE, account)
        except NoPermissionError as error:
            log.warning("no lease: Redis does not permit it (%s)", error)
            return None
        except redis.ResponseError as error:
            raise UnavailableError(str(error)) from error
        if taken:
            self._epoch = int(told)
            return self._epoch
        return lease.holder(as_text(told))

    def release_lease(self, account: str) -> None:
        """Release the lease if it is ours; UnavailableError if Redis is away."""
        try:
            self._run(lease.RELEASE, account)
        except redis.ResponseError as error:
            raise UnavailableError(str(error)) from error

    def _run(self, text: str, account: str, session: str | None = None) -> Any:
        session = session or self._session
        command = lease.script(text, account, session, self._epoch)
        return self._try(lambda: self._client.execute_command(*command))

    # -- wake-ups ----------------------------------------------------------------------
    def listen(
        self,
        account: str,
        on_wake_up: Callable[[WakeUp], None],
        stop: threading.Event,
    ) -> None:
        """Pass on wake-ups until *stop* is set; blocks, and outlives every outage."""
        wake_ups = WakeUps(
            self._client,
            account=account,
            on_wake_up=on_wake_up,
            random=self._random,
            timing=self._timing,
        )
        wake_ups.listen(stop)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        self._client.connection_pool.disconnect()
