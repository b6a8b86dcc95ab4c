"""Remembers in which strategy the runner froze, so that it does not at every start.

A call that never comes back to Python cannot be broken off (`runner.host.watch`): the
process is ended from outside, and what was in flight is found at the next start.
"""

from __future__ import annotations

import logging
from typing import Any

import attrs

from runner.ports import StateError, StateStore

log = logging.getLogger("mt5runner.host")

_NAMESPACE = "freezes"


@attrs.frozen(slots=True)
class Freeze:
    """In what the runner froze.

    Attributes:
        where: The call, such as ``on_bar EURUSD``.
        count: How often in a row, at least 1.
    """

    where: str
    count: int


class Freezes:
    """The freezes that were not followed by a success.

    Args:
        store: Durable state of the account.
    """

    def __init__(self, store: StateStore) -> None:
        self._store = store

    def note(self, name: str, where: str) -> Freeze:
        """Count one more freeze in *where* of *name*."""
        before = self.of(name)
        freeze = Freeze(where, 1 if before is None else before.count + 1)
        self._store.put(_NAMESPACE, name, attrs.asdict(freeze))
        return freeze

    def of(self, name: str) -> Freeze | None:
        """Return the last freeze of *name*, or None."""
        record: Any = self._store.get(_NAMESPACE, name)
        if record is None:
            return None
        try:
            return Freeze(str(record["where"]), max(1, int(record["count"])))
        except (KeyError, TypeError, ValueError):
            return Freeze("an unreadable record", 1)

    def forget(self, name: str) -> None:
        """Drop what is known of *name*."""
        try:
            self._store.delete(_NAMESPACE, name)
        except StateError as error:
            # The next start pauses it once more, which does no harm.
            log.warning("the freezes of %s stay on disk: %s", name, error)
