"""Notices positions that were closed, by order, stop, target or by hand."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from datetime import datetime, timedelta

from runner.core.orders import Deal, Position
from runner.loop.view import View
from runner.ports import Broker, UnavailableError

log = logging.getLogger("mt5runner.orders")

_LOOK_BACK = timedelta(days=4)  # a stop may be hit over a weekend


class Ledger:
    """Compares readings of the positions and fetches the deals behind what vanished.

    Args:
        broker: Where deals come from.
        view: The readings.
    """

    def __init__(self, broker: Broker, view: View) -> None:
        self._broker = broker
        self._view = view
        self._open: dict[int, Position] = {}
        self._told: set[int] = set()
        self._missing: dict[int, Position] = {}
        self.closed: Counter[str] = Counter()
        self.profit: dict[str, float] = defaultdict(float)

    def closed_deals(self, now: datetime) -> list[Deal]:
        """Return the closing deals that were not told before, oldest first."""
        positions = self._view.positions
        if positions is None:
            return []
        shown = {position.ticket: position for position in positions}
        for ticket, before in self._open.items():
            after = shown.get(ticket)
            if after is None or after.volume < before.volume:
                self._missing[ticket] = before
        self._open = shown
        if not self._missing:
            return []
        return self._fetch(now)

    def _fetch(self, now: datetime) -> list[Deal]:
        try:
            deals = self._broker.deals(now - _LOOK_BACK)
        except UnavailableError:
            return []  # they stay missing and are asked for again
        found = [
            deal
            for deal in deals
            if not deal.is_entry
            and deal.position_id in self._missing
            and deal.ticket not in self._told
        ]
        for deal in found:
            position = self._missing.pop(deal.position_id, None)
            self._told.add(deal.ticket)
            self._count(deal, position)
        return found

    def _count(self, deal: Deal, position: Position | None) -> None:
        self.closed[deal.symbol] += 1
        self.profit[deal.symbol] += deal.profit + deal.costs
        reason = deal.exit_reason.value if deal.exit_reason else "?"
        log.info(
            "closed %s %.2f %s at %s by %s: %+.2f",
            "long" if position is None or position.side.value == "buy" else "short",
            deal.volume,
            deal.symbol,
            deal.price,
            reason,
            deal.profit + deal.costs,
        )
