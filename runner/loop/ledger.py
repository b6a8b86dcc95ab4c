"""Notices positions that were closed, by order, stop, target or by hand."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta

import attrs

from runner.core.orders import Deal, Position
from runner.loop.view import View
from runner.ports import Broker, UnavailableError

log = logging.getLogger("mt5runner.orders")

_LOOK_BACK = timedelta(days=4)  # a stop may be hit over a weekend
_FIRST_DATE = datetime(2000, 1, 1, tzinfo=UTC)
_NOISE = 1e-8  # lots; less than any step of volume


@attrs.define
class _Loss:
    """A position that lost volume whose deals were not all found yet."""

    position: Position
    volume: float


class Ledger:
    """Compares readings of the positions and fetches the deals behind what vanished.

    Args:
        broker: Where deals come from.
        view: The readings.

    Attributes:
        closed: Symbol to the number of positions that were closed wholly.
        profit: Symbol to the profit of every closing deal, account currency.
    """

    def __init__(self, broker: Broker, view: View) -> None:
        self._broker = broker
        self._view = view
        self._open: dict[int, Position] = {}
        self._told: set[int] = set()
        self._losses: dict[int, _Loss] = {}
        self.closed: Counter[str] = Counter()
        self.profit: dict[str, float] = defaultdict(float)

    def closed_deals(self, now: datetime) -> list[Deal]:
        """Return the closing deals that were not told before, oldest first.

        Args:
            now: The market's time, UTC-aware.
        """
        positions = self._view.positions
        if positions is None:
            return []
        shown = {position.ticket: position for position in positions}
        for ticket, before in self._open.items():
            after = shown.get(ticket)
            lost = before.volume - (0.0 if after is None else after.volume)
            if lost > _NOISE:
                loss = self._losses.setdefault(ticket, _Loss(before, 0.0))
                loss.volume += lost
            if after is None:
                self.closed[before.symbol] += 1
        self._open = shown
        return self._fetch(now) if self._losses else []

    def _fetch(self, now: datetime) -> list[Deal]:
        try:
            # Before the first quote the market's time is the least there is.
            deals = self._broker.deals(max(now, _FIRST_DATE) - _LOOK_BACK)
        except UnavailableError:
            return []  # they stay missing and are asked for again
        found: list[Deal] = []
        for deal in deals:
            loss = self._losses.get(deal.position_id)
            if loss is None or deal.is_entry or deal.ticket in self._told:
                continue
            self._told.add(deal.ticket)
            self._note(deal, loss.position)
            found.append(deal)
            loss.volume -= deal.volume
            if loss.volume <= _NOISE:
                del self._losses[deal.position_id]
        return found

    def _note(self, deal: Deal, position: Position) -> None:
        self.profit[deal.symbol] += deal.profit + deal.costs
        reason = deal.exit_reason.value if deal.exit_reason else "?"
        log.info(
            "closed %s %.2f %s at %s by %s: %+.2f",
            "long" if position.side.value == "buy" else "short",
            deal.volume,
            deal.symbol,
            deal.price,
            reason,
            deal.profit + deal.costs,
        )
