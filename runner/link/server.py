"""What the server says in its heartbeat, kept over silence and restarts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from runner.link.events import LinkEvent, ServerSeen
from runner.link.memory import Memory
from runner.ports import Clock
from runner.wire.encoding import WireError
from runner.wire.heartbeat import ServerHeartbeat


class ServerWords:
    """The server's heartbeat as it last stood, field by field.

    Args:
        memory: What outlives a restart.
        clock: Time.
        emit: Tells the loop.
    """

    def __init__(
        self, *, memory: Memory, clock: Clock, emit: Callable[[LinkEvent], None]
    ) -> None:
        self._memory = memory
        self._clock = clock
        self._emit = emit
        self._known: ServerHeartbeat | None = None

    def recall(self) -> None:
        """Tell what was known before the restart."""
        stored = self._memory.server()
        if stored is not None:
            self._known, at = stored
            self._emit(ServerSeen(heartbeat=self._known, at=at))

    def see(self, fields: Mapping[str, str] | None) -> None:
        """Take the hash; None if it was not there."""
        now = self._clock.now()
        if fields is None:
            self._emit(ServerSeen(heartbeat=None, at=now))
            return
        seen = _merge(self._known, _read(fields))
        if _without_time(seen) != _without_time(self._known):
            self._memory.keep_server(seen, now)
        self._known = seen
        self._emit(ServerSeen(heartbeat=seen, at=now))


def _read(fields: Mapping[str, str]) -> ServerHeartbeat:
    """Read what can be read: one bad field must not hide a PAUSED in another."""
    readable = dict(fields)
    while True:
        try:
            return ServerHeartbeat.from_hash(readable)
        except WireError as error:
            del readable[error.field]


def _merge(known: ServerHeartbeat | None, seen: ServerHeartbeat) -> ServerHeartbeat:
    """Let what *seen* does not say stand as it was: silence lifts nothing."""
    if known is None:
        return seen
    return ServerHeartbeat(
        bot_status=seen.bot_status or known.bot_status,
        account_status=seen.account_status or known.account_status,
        subscription_status=seen.subscription_status or known.subscription_status,
        dd_blocked=known.dd_blocked if seen.dd_blocked is None else seen.dd_blocked,
        dd_block_reason=(
            known.dd_block_reason
            if seen.dd_blocked is None and seen.dd_block_reason is None
            else seen.dd_block_reason
        ),
        last_update=seen.last_update or known.last_update,
    )


def _without_time(heartbeat: ServerHeartbeat | None) -> ServerHeartbeat | None:
    return None if heartbeat is None else attrs.evolve(heartbeat, last_update=None)
