"""What a strategy remembers, by itself and by position, across restarts."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from runner.ports import StateError, StateStore

_OWN = "own"
_POSITION = "position."
_GONE_AFTER = timedelta(minutes=1)
"""Market time without a position after which it is closed and no gap in a reading."""


class Values:
    """JSON values under one key of the store; fulfils `runner.StrategyState`.

    Args:
        store: The account's store.
        namespace: The strategy's corner of it.
        key: Under which all of these values are kept, as one record.
    """

    def __init__(self, store: StateStore, namespace: str, key: str) -> None:
        self._store = store
        self._namespace = namespace
        self._key = key
        self._texts: dict[str, str] | None = None

    def get(self, key: str) -> Any | None:
        """Return the value last put under *key*, or None."""
        return json.loads(self._known().get(key, "null"))

    def put(self, key: str, value: Any) -> None:
        """Store a JSON value; it is on disk when this returns.

        Raises:
            TypeError: If it is nothing that JSON can say.
            ValueError: If it holds a number that is not finite.
            StateError: If it cannot be written; the value before stands then.
        """
        known, text = self._known(), json.dumps(value, allow_nan=False)
        if known.get(key) == text:
            return
        changed = {**known, key: text}
        record = {name: json.loads(one) for name, one in changed.items()}
        self._store.put(self._namespace, self._key, record)
        self._texts = changed

    def items(self) -> Mapping[str, Any]:
        """Return every stored value by key."""
        return {key: json.loads(text) for key, text in self._known().items()}

    def _known(self) -> dict[str, str]:
        if self._texts is None:
            record: dict[str, Any]
            record = self._store.get(self._namespace, self._key) or {}
            self._texts = {key: json.dumps(value) for key, value in record.items()}
        return self._texts


class StrategyMemory:
    """The durable values of one strategy on one account.

    Args:
        store: The account's store.
        strategy_id: The server's id of the strategy.

    Attributes:
        own: Its own values.
    """

    def __init__(self, store: StateStore, strategy_id: int) -> None:
        self._store = store
        self._namespace = f"strategy.{strategy_id}"
        self._positions: dict[int, Values] = {}
        self._gone_since: dict[int, datetime] = {}
        self._kept: set[int] | None = None
        self.own = Values(store, self._namespace, _OWN)

    def of(self, ticket: int) -> Values:
        """Return the values that belong to a position."""
        if ticket not in self._positions:
            key = f"{_POSITION}{ticket}"
            self._positions[ticket] = Values(self._store, self._namespace, key)
        return self._positions[ticket]

    def forget_closed(self, tickets: Collection[int], now: datetime) -> None:
        """Drop what belongs to positions that are closed.

        Args:
            tickets: Of the positions that are open.
            now: The market's time, UTC-aware.
        """
        with suppress(
            StateError
        ):  # the strategy's own calls tell, and fail, themselves
            gone = self._tickets() - set(tickets)
            self._gone_since = {
                ticket: self._gone_since.get(ticket, now) for ticket in gone
            }
            for ticket, since in list(self._gone_since.items()):
                if now - since >= _GONE_AFTER:
                    self._store.delete(self._namespace, f"{_POSITION}{ticket}")
                    self._positions.pop(ticket, None)
                    self._found().discard(ticket)
                    del self._gone_since[ticket]

    def _tickets(self) -> set[int]:
        return self._found() | self._positions.keys()

    def _found(self) -> set[int]:
        """Return the positions that an earlier start kept something of."""
        if self._kept is None:
            self._kept = {
                int(key.removeprefix(_POSITION))
                for key in self._store.items(self._namespace)
                if key.startswith(_POSITION)
            }
        return self._kept
