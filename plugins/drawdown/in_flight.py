"""Entries that were sent and are not shown yet: they are at risk already."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

import attrs

from plugins.drawdown.exposure import Exposure, total
from runner import OrderRequest, OrderResult, Outcome

_SHOWN_WITHIN = timedelta(seconds=60)
"""After which a filled order that nobody sees was closed again."""


@attrs.frozen
class _Sent:
    exposure: Exposure
    ticket: int = 0
    filled_at: datetime | None = None


class InFlight:
    """Remembers what each entry risks until its position shows, or it came to nothing.

    A terminal answers before it shows, and a lost answer may have been a fill. Until
    that is known, the next entry must not be judged as if the last one were not there.
    """

    def __init__(self) -> None:
        self._sent: dict[str, _Sent] = {}

    def send(self, request: OrderRequest, exposure: Exposure) -> None:
        """Note an entry that is about to be sent."""
        self._sent[request.token] = _Sent(exposure)

    def hear(self, result: OrderResult, now: datetime) -> None:
        """Note what became of an order."""
        sent = self._sent.get(result.token)
        if sent is None:
            return
        if result.outcome in {Outcome.FILLED, Outcome.PLACED}:
            self._sent[result.token] = attrs.evolve(
                sent, ticket=result.ticket, filled_at=now
            )
        elif result.outcome is not Outcome.UNKNOWN:
            del self._sent[result.token]

    def look(self, tickets: Collection[int], now: datetime) -> None:
        """Forget what shows among positions and orders by now, or cannot any more."""
        self._sent = {
            token: sent
            for token, sent in self._sent.items()
            if sent.filled_at is None
            or (sent.ticket not in tickets and now - sent.filled_at < _SHOWN_WITHIN)
        }

    @property
    def exposure(self) -> Exposure:
        """What all of it risks."""
        return total(sent.exposure for sent in self._sent.values())
