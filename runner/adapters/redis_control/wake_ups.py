"""The subscriber: passes on wake-ups, notices a dead link, comes back."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import attrs
import redis

from runner.core.config_flow import RETRY, Backoff, Regime
from runner.wire import keys
from runner.wire.events import WakeUp

log = logging.getLogger("mt5runner.redis")

_SLICE = 0.5  # seconds between two looks at the stop flag
_PINGS_UNANSWERED = 2
_PONGS_FORGIVE = 2


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


class WakeUps:
    """Listens on an account's channel and the fleet's.

    Args:
        client: redis-py's client.
        account: The account.
        on_wake_up: Is told each wake-up, and a plain *look* after each subscription.
        random: Random numbers in [0, 1).
        timing: Time-outs and delays.
    """

    def __init__(
        self,
        client: Any,
        *,
        account: str,
        on_wake_up: Callable[[WakeUp], None],
        random: Callable[[], float],
        timing: RedisTiming,
    ) -> None:
        self._client = client
        self._channels = (keys.events(account), keys.EVENTS_ALL)
        self._on_wake_up = on_wake_up
        self._random = random
        self._timing = timing
        self._backoff = Backoff(timing.retry)
        self._is_lost = False

    def listen(self, stop: threading.Event) -> None:
        """Listen until *stop* is set; blocks, and outlives every outage."""
        while not stop.is_set():
            try:
                self._follow(stop)
            except (redis.RedisError, OSError, ValueError) as error:
                if not self._is_lost:
                    reason = str(error) or type(error).__name__
                    log.warning("no wake-ups, polling goes on: %s", reason)
                self._is_lost = True
                self._backoff = self._backoff.failed(self._timing.retry)
                stop.wait(self._backoff.delay(self._random()))

    def _follow(self, stop: threading.Event) -> None:
        # redis-py never notices a half-open link of a subscription, with or without
        # its own health check: we ping, and count what is not answered.
        piece = min(_SLICE, self._timing.ping / 2)
        quiet, unanswered, answered = 0.0, 0, 0
        with self._client.pubsub() as subscription:
            subscription.subscribe(*self._channels)
            while not stop.is_set():
                message = subscription.get_message(timeout=piece)
                if message is not None:
                    quiet, unanswered = 0.0, 0
                    answered += message["type"] == "pong"
                    if answered == _PONGS_FORGIVE:
                        self._backoff = Backoff(self._timing.retry)
                    self._take(message)
                    continue
                quiet += piece
                if quiet < self._timing.ping:
                    continue
                if unanswered >= _PINGS_UNANSWERED:
                    raise redis.ConnectionError(f"{unanswered} pings unanswered")
                subscription.ping()
                quiet, unanswered = 0.0, unanswered + 1

    def _take(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "subscribe":
                if self._is_lost:
                    log.info("wake-ups are back")
                self._is_lost = False
                self._on_wake_up(WakeUp())
            case "message":
                self._on_wake_up(WakeUp.from_json(message["data"]))
            case _:
                pass
