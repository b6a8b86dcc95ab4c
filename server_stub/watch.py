"""Reads the bots' keys from Redis, again and again, and keeps what they report.

By reading, not by keyspace events: Redis sends those late or, under load, not at all.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from runner.wire import keys
from server_stub.observation import (
    NEVER_SEEN,
    Observation,
    ObservedStatus,
    Reading,
    Snapshot,
    observed,
)
from server_stub.redis_link import Pipeline, RedisLink, texts
from server_stub.store import Store

_log = logging.getLogger("mt5runner.config_server")
_ACCOUNTS_PER_PIPELINE = 500
_ANSWERS_PER_ACCOUNT = 4
_GRACE = timedelta(seconds=keys.BOT_HEARTBEAT_TTL)


class Watch:
    """What the bots report, as of the last look.

    Attributes:
        has_lost_keys: Whether the last look found that Redis had been away or emptied,
            so that what the server writes has to be written again.

    Args:
        store: Where what was observed outlives a restart.
        link: The connection.
        now: The server's clock.
    """

    def __init__(
        self, *, store: Store, link: RedisLink, now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._link = link
        self._now = now
        self._lock = threading.Lock()
        self._bots = {
            account: Observation.from_document(document)
            for account, document in store.observed().items()
        }
        self._grace_until: dict[str, datetime] = {}
        self.has_lost_keys = False

    def snapshot(self) -> Snapshot:
        """Return what was seen last, without looking again."""
        return Snapshot(redis="up" if self._link.up else "down", bots=dict(self._bots))

    def latest(self) -> Snapshot:
        """Look again, unless Redis is known to be away: nobody shall wait for that."""
        return self.look() if self._link.up else self.snapshot()

    def look(self) -> Snapshot:
        """Read every bot's keys and return what is known now."""
        with self._lock:
            was_up = self._link.up
            self.has_lost_keys = False
            accounts = self._store.account_ids()
            changed: dict[str, Observation] = {}
            for start in range(0, len(accounts), _ACCOUNTS_PER_PIPELINE):
                chunk = accounts[start : start + _ACCOUNTS_PER_PIPELINE]
                answers = self._read(chunk)
                if answers is None:
                    break
                for account, answer in zip(chunk, answers, strict=True):
                    self._conclude(account, answer, was_up, changed)
            if changed:
                self._store.set_observed(
                    {account: bot.to_document() for account, bot in changed.items()}
                )
            return self.snapshot()

    def _read(self, accounts: Sequence[str]) -> list[list[Any]] | None:
        def queue(pipeline: Pipeline) -> None:
            for account in accounts:
                pipeline.hgetall(keys.bot_heartbeat(account))
                pipeline.hgetall(keys.config_ack(account))
                pipeline.hgetall(keys.command_ack(account))
                pipeline.exists(keys.server_heartbeat(account))

        answers = self._link.run(queue, transaction=False)
        if answers is None:
            return None
        step = _ANSWERS_PER_ACCOUNT
        return [answers[i : i + step] for i in range(0, len(answers), step)]

    def _conclude(
        self,
        account: str,
        answer: Sequence[Any],
        was_up: bool,
        changed: dict[str, Observation],
    ) -> None:
        now = self._now()
        reading = Reading(
            heartbeat=texts(answer[0]),
            config_acks=texts(answer[1]),
            command_acks=texts(answer[2]),
        )
        own = answer[3]
        if not was_up or not own:
            # Redis was away, or has lost our own key too: bots need the time of one
            # heartbeat's life to be seen again before their absence means anything.
            self._grace_until[account] = now + _GRACE
            self.has_lost_keys = True
        elif reading.heartbeat:
            self._grace_until.pop(account, None)
        grace = now < self._grace_until.get(account, now)
        known = self._bots.get(account, NEVER_SEEN)
        bot = observed(known, reading, now=now, grace=grace)
        self._bots[account] = bot
        if bot.status is not known.status:
            changed[account] = bot
            level = (
                logging.WARNING if bot.status is ObservedStatus.DOWN else logging.INFO
            )
            _log.log(level, "the bot of account %s is %s", account, bot.status.value)
