"""Tells bots by Redis: heartbeats, versions, commands as hashes, wake-ups as messages.

What is written is always the store's present state, never a change's own value, so the
order in which two changes get here does not matter.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import attrs

from runner.wire import keys
from runner.wire.acks import command_field
from runner.wire.commands import Command
from runner.wire.events import MAX_SPREAD_MS, WakeUp, WakeUpType
from runner.wire.versions import version_hash
from server_stub.observation import Snapshot
from server_stub.records import AccountRecord, StrategyRecord
from server_stub.redis_link import Pipeline, RedisLink, queue_hash
from server_stub.store import Store

_HASHES_PER_TRANSACTION = 500
_FETCHES_PER_SECOND = 500
_TOLD_AT_ONCE = 100


@attrs.frozen(slots=True)
class Hash:
    """A hash to be written.

    Attributes:
        key: Its key.
        fields: All its fields.
        ttl: Seconds.
    """

    key: str
    fields: Mapping[str, str]
    ttl: int


def account_hashes(
    account: AccountRecord,
    strategies: Iterable[StrategyRecord],
    command: Command | None,
    now: datetime,
) -> Iterator[Hash]:
    """Return everything that one account's bot reads (seed, keys 2 to 4; command)."""
    account_id = account.mt5_account_id
    yield Hash(
        keys.server_heartbeat(account_id),
        account.heartbeat(now).to_hash(),
        keys.SERVER_HEARTBEAT_TTL,
    )
    yield Hash(
        keys.trade_config(account_id),
        version_hash(account.version),
        keys.CONFIG_VERSION_TTL,
    )
    for strategy in strategies:
        yield Hash(
            keys.strategy_config(account_id, strategy.strategy_id),
            version_hash(strategy.version),
            keys.CONFIG_VERSION_TTL,
        )
    if command is not None:
        yield Hash(keys.command(account_id), command.to_hash(), keys.COMMAND_TTL)


def spread_ms(accounts: int) -> int:
    """Return over how many milliseconds that many bots shall fetch a config."""
    if accounts <= _TOLD_AT_ONCE:
        return 0
    return min(accounts * 1000 // _FETCHES_PER_SECOND, MAX_SPREAD_MS)


class Publisher:
    """Writes the store's state to Redis.

    Args:
        store: The truth.
        link: The connection.
        now: The server's clock.
        extensions: Whether commands and wake-ups are sent, beyond the seed's keys.
    """

    def __init__(
        self,
        *,
        store: Store,
        link: RedisLink,
        now: Callable[[], datetime],
        extensions: bool = True,
    ) -> None:
        self._store = store
        self._link = link
        self._now = now
        self._extensions = extensions
        self._lock = threading.Lock()
        self._owed: dict[WakeUp, None] = {}

    @property
    def owes(self) -> bool:
        """Whether a change could not be announced yet."""
        return bool(self._owed)

    def announce(self, wake_ups: Sequence[WakeUp]) -> None:
        """Write what changed and wake the bots; owed to the next sweep if it fails."""
        if not wake_ups:
            return
        with self._lock:
            if self._owed or not self._link.up or not self._tell(wake_ups):
                self._owed |= dict.fromkeys(wake_ups)

    def sweep(self, snapshot: Snapshot) -> None:
        """Write everything again, so that no TTL lapses, and what is still owed.

        Nothing is tried while Redis is known to be away: looking finds its return.

        Args:
            snapshot: What the bots report; a bot that has not acknowledged its command
                is woken again.
        """
        with self._lock:
            if not self._link.up:
                return
            accounts = self._store.accounts()
            commands = self._store.commands() if self._extensions else {}
            owed = [*self._owed, *_unacknowledged(accounts, commands, snapshot)]
            if self._write(self._hashes(accounts, commands)) and self._wake(owed):
                self._owed.clear()

    def _tell(self, wake_ups: Sequence[WakeUp]) -> bool:
        named = {w.account for w in wake_ups}
        if None in named:
            told = self._store.accounts()
        else:
            found = (self._store.account(name) for name in named if name)
            told = [account for account in found if account is not None]
        commands = self._store.commands() if self._extensions else {}
        return self._write(self._hashes(told, commands)) and self._wake(wake_ups)

    def _hashes(
        self, accounts: Iterable[AccountRecord], commands: Mapping[str | None, Command]
    ) -> list[Hash]:
        strategies = self._store.strategies()
        now = self._now()
        hashes = [
            item
            for account in accounts
            for item in account_hashes(
                account, strategies, commands.get(account.mt5_account_id), now
            )
        ]
        if (fleet := commands.get(None)) is not None:
            hashes.append(Hash(keys.COMMAND_ALL, fleet.to_hash(), keys.COMMAND_TTL))
        return hashes

    def _write(self, hashes: Sequence[Hash]) -> bool:
        for start in range(0, len(hashes), _HASHES_PER_TRANSACTION):
            chunk = hashes[start : start + _HASHES_PER_TRANSACTION]

            def queue(pipeline: Pipeline, chunk: Sequence[Hash] = chunk) -> None:
                for item in chunk:
                    queue_hash(pipeline, item.key, item.fields, item.ttl)

            if self._link.run(queue, transaction=True) is None:
                return False
        return True

    def _wake(self, wake_ups: Sequence[WakeUp]) -> bool:
        if not self._extensions or not wake_ups:
            return True
        spread = spread_ms(len(self._store.account_ids()))

        def queue(pipeline: Pipeline) -> None:
            for wake_up in wake_ups:
                if wake_up.account is not None:
                    pipeline.publish(keys.events(wake_up.account), wake_up.to_json())
                    continue
                # A command is read from Redis and is urgent; a config is fetched.
                urgent = wake_up.type is WakeUpType.COMMAND
                message = attrs.evolve(wake_up, spread_ms=0 if urgent else spread)
                pipeline.publish(keys.EVENTS_ALL, message.to_json())

        return self._link.run(queue, transaction=False) is not None


def _unacknowledged(
    accounts: Iterable[AccountRecord],
    commands: Mapping[str | None, Command],
    snapshot: Snapshot,
) -> Iterator[WakeUp]:
    fleet = commands.get(None)
    for account in accounts:
        acks = snapshot.of(account.mt5_account_id).command_acks
        levels = (commands.get(account.mt5_account_id), fleet)
        if any(c is not None and command_field(c.seq) not in acks for c in levels):
            yield WakeUp(type=WakeUpType.COMMAND, account=account.mt5_account_id)
