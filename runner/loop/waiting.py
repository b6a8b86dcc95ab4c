"""Pending orders that must not wait any longer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runner.core.orders import Demand, Deny, PendingOrder
from runner.core.risk import against_waiting, taken
from runner.core.settings import EMPTY
from runner.host.manager import PluginHost
from runner.loop.configs import Configs
from runner.loop.gate import Gate
from runner.loop.roster import Roster
from runner.loop.view import View
from runner.ports import Clock, UnavailableError

SOURCE = "pending"
_STARTS_WITHIN = 60.0  # seconds that configs may take to come after a start


class WaitingOrders:
    """Watches the runner's own pending orders; those of others are left alone.

    A pending order is an entry that comes later, at a moment when nobody is asked. So
    what would deny an opening now ends it: no own order survives a pause.

    Args:
        view: Readings.
        host: Asks the plugins' guards.
        configs: What the server lets the account do.
        gate: Knows why exposure must not increase.
        roster: Knows whose an order is.
        clock: For the time that a start takes.
    """

    def __init__(
        self,
        *,
        view: View,
        host: PluginHost,
        configs: Configs,
        gate: Gate,
        roster: Roster,
        clock: Clock,
    ) -> None:
        self._view = view
        self._host = host
        self._configs = configs
        self._gate = gate
        self._roster = roster
        self._clock = clock
        self._began = clock.monotonic()
        self._left_to_us: frozenset[int] | None = None

    @property
    def demands(self) -> Mapping[str, Sequence[Demand]]:
        """What has to be cancelled now."""
        own = self._own()
        if not own:
            return EMPTY
        is_starting = self._is_starting()
        found: dict[str, list[int]] = {}
        for order in own:
            code = against_waiting(
                self._gate.reasons,
                self._against(order, is_starting=is_starting),
                is_starting=is_starting,
            )
            if code:
                found.setdefault(code, []).append(order.ticket)
        demands = [
            Demand(code=code, cancel=tuple(tickets)) for code, tickets in found.items()
        ]
        return {SOURCE: demands} if demands else EMPTY

    def _own(self) -> list[PendingOrder]:
        """Return the runner's own orders, but for those of one that has our lease.

        That runner has the same numbers. What stood when the lease was lost may have
        nobody else who watches it; what appears later is placed by another.
        """
        orders = self._view.orders
        if orders is None:
            return []
        own = [one for one in orders if one.magic in self._roster.owners]
        if self._gate.is_lease_held is not False:
            self._left_to_us = None
            return own
        if self._left_to_us is None:
            self._left_to_us = frozenset(one.ticket for one in own)
        return [one for one in own if one.ticket in self._left_to_us]

    def _is_starting(self) -> bool:
        if self._clock.monotonic() - self._began >= _STARTS_WITHIN:
            return False
        trade = self._configs.trade
        return trade is None or trade.active_bot_id not in self._roster.members

    def _against(self, order: PendingOrder, *, is_starting: bool) -> Sequence[Deny]:
        config = self._configs.trade
        member = self._roster.members.get(self._roster.owners[order.magic])
        if config is None or member is None:
            if is_starting:
                return []
            return [Deny("STRATEGY_NOT_ACTIVE", "the strategy does not run")]
        found = member.against_entry(order.symbol, config)
        account, positions = self._view.account, self._view.positions or ()
        is_hedging = account is None or account.is_hedging
        if taken(positions, order.symbol, order.magic, is_hedging=is_hedging):
            found.append(Deny("SYMBOL_TAKEN", f"{order.symbol} is held by another"))
        try:
            spec = self._view.spec(order.symbol)
        except (KeyError, UnavailableError):
            return [*found, Deny("UNKNOWN", f"{order.symbol}: no rules can be read")]
        said = self._host.check_symbol(symbol=spec, config=config, now=self._view.now)
        return [*found, *(denial.deny for denial in said)]
