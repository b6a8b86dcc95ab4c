"""The one gate: what guards, server and host say against exposure, by source."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import attrs

from runner.core.account import Account
from runner.core.market import SymbolSpec
from runner.core.orders import Demand, Denial, PendingOrder, Position
from runner.core.risk import Situation, pause_reasons, trading_state
from runner.core.settings import EMPTY, TradeConfig
from runner.core.status import PauseReason
from runner.core.trading_state import TradingState
from runner.host.manager import PluginHost
from runner.loop.flatten import sources
from runner.loop.settings import LoopSettings
from runner.loop.view import View
from runner.ports import Clock, UnavailableError
from runner.wire.commands import Command
from runner.wire.heartbeat import ServerHeartbeat

log = logging.getLogger("mt5runner.loop")

_GOOD_FOR = 20.0
"""Seconds. A lease lapses thirty after it is given up; until then nobody else opens."""


class Gate:
    """Keeps what speaks against entries; every opening asks it.

    Args:
        view: Readings of the account.
        host: Asks the plugins' guards.
        clock: Wall-clock time.
        settings: How old a configuration may be; whether there is a lease.

    Attributes:
        reasons: Why exposure must not increase; empty when it may.
        demands: What guards want closed, cancelled or protected, by guard.
        state: What the account may do; None before the first look.
        server: The last server heartbeat, what it did not say as it was before.
        is_lease_held: Whether this runner owns the account; None without a lease.
        confirmed_at: When the server last confirmed the configuration.
        memory: Figures while the process holds too much memory; empty otherwise.
    """

    def __init__(
        self, *, view: View, host: PluginHost, clock: Clock, settings: LoopSettings
    ) -> None:
        self._view = view
        self._host = host
        self._clock = clock
        self._max_age = settings.max_config_age
        self._was_readable = True
        self._looked_at: float | None = None
        self.reasons: tuple[PauseReason, ...] = ()
        self.demands: dict[str, tuple[Demand, ...]] = {}
        self.state: TradingState | None = None
        self.server: ServerHeartbeat | None = None
        self.is_lease_held = None if settings.epoch is None else True
        self.confirmed_at: datetime | None = None
        self.memory = ""

    @property
    def is_old(self) -> bool:
        """Whether the last look was so long ago that it allows nothing any more.

        A call of the terminal has no time limit and a machine may sleep, both in the
        middle of a cycle.
        """
        looked_at = self._looked_at
        return looked_at is None or self._clock.monotonic() - looked_at > _GOOD_FOR

    def hear_server(self, heartbeat: ServerHeartbeat | None) -> None:
        """Take a server heartbeat; None says nothing and lifts nothing."""
        self.server = _sticky(self.server, heartbeat)

    def confirm(self, at: datetime | None) -> None:
        """Note that the configuration was right at *at*, UTC-aware."""
        if at is not None and (self.confirmed_at is None or at > self.confirmed_at):
            self.confirmed_at = at

    def look(
        self,
        config: TradeConfig | None,
        command: Command | None,
        *,
        magics: Collection[int] = (),
        is_closing: bool = False,
        denials: Sequence[Denial] = (),
        demands: Mapping[str, Sequence[Demand]] = EMPTY,
    ) -> bool:
        """Collect every reason and demand anew.

        Args:
            config: The applied trade config.
            command: The command in force.
            magics: Numbers of the runner's own strategies.
            is_closing: Whether the command is still being carried out.
            denials: What the host itself says against entries.
            demands: What the host itself wants closed or cancelled, by source.

        Returns:
            Whether the state or any reason changed.
        """
        self._looked_at = self._clock.monotonic()
        account = self._view.account
        self._tell_readable(is_readable=account is not None)
        guards: Sequence[Denial] = ()
        if account is not None and config is not None:
            guards = self._ask(account, config, magics)
        return self._set(
            pause_reasons(
                Situation(
                    wall=self._clock.now(),
                    config=config,
                    server=self.server,
                    command=command,
                    lease_held=self.is_lease_held,
                    account=account,
                    config_confirmed_at=self.confirmed_at,
                    max_config_age=self._max_age,
                    memory=self.memory,
                    guards=[*denials, *guards],
                )
            ),
            sources({**self.demands, **demands}, is_closing=is_closing),
        )

    def _ask(
        self, account: Account, config: TradeConfig, magics: Collection[int]
    ) -> Sequence[Denial]:
        now, view = self._view.now, self._view
        positions, orders = view.positions or (), view.orders or ()
        self._host.on_account(
            account=account,
            positions=positions,
            orders=orders,
            config=config,
            now=now,
        )
        guards = self._host.check_trading(account=account, config=config, now=now)
        if view.is_current:
            demanded = self._host.demand_exits(
                account=account,
                positions=positions,
                orders=orders,
                magics=magics,
                symbols=self._rules(magics),
                config=config,
                now=now,
            )
            self._take_demands(demanded)
        return guards

    def _rules(self, magics: Collection[int]) -> dict[str, SymbolSpec]:
        found: dict[str, SymbolSpec] = {}
        open_or_pending: list[Position | PendingOrder] = [
            *(self._view.positions or ()),
            *(self._view.orders or ()),
        ]
        # In this order, not a set's: a replay asks for them as the run did.
        for name in dict.fromkeys(
            one.symbol for one in open_or_pending if one.magic in magics
        ):
            try:
                found[name] = self._view.spec(name)
            except (KeyError, UnavailableError):
                continue
        return found

    def _take_demands(self, demanded: Mapping[str, tuple[Demand, ...] | None]) -> None:
        before = {name: _codes(several) for name, several in self.demands.items()}
        # What a guard demanded stands while it is broken.
        self.demands = {
            name: self.demands.get(name, ()) if several is None else several
            for name, several in demanded.items()
        }
        for name, several in self.demands.items():
            for demand in several:
                if demand.code not in before.get(name, ()):
                    log.warning("%s demands exits: %s", name, demand)

    def _tell_readable(self, *, is_readable: bool) -> None:
        if is_readable == self._was_readable:
            return
        self._was_readable = is_readable
        if is_readable:
            log.info("the account is readable again")
        else:
            log.error("the account is unknown: %s", self._view.error)

    def _set(
        self, reasons: tuple[PauseReason, ...], flattening: Collection[str]
    ) -> bool:
        state = trading_state(reasons, flattening)
        # Figures in a reason move with every quote; what changes is who says what.
        before = [(reason.source, reason.code) for reason in self.reasons]
        after = [(reason.source, reason.code) for reason in reasons]
        changed = state is not self.state or before != after
        self.reasons, self.state = reasons, state
        if not changed:
            return False
        if reasons:
            log.warning("%s, no entries: %s", state.value, "; ".join(map(str, reasons)))
        else:
            log.info("ACTIVE: entries and exits")
        self._host.on_trading_state_changed(
            state=state, reasons=reasons, now=self._view.now
        )
        return True


def _codes(demands: Sequence[Demand]) -> set[str]:
    return {demand.code for demand in demands}


def _sticky(
    old: ServerHeartbeat | None, new: ServerHeartbeat | None
) -> ServerHeartbeat | None:
    if new is None or old is None:
        return new or old
    said = {
        field.name: value
        for field in attrs.fields(ServerHeartbeat)
        if (value := getattr(new, field.name)) is not None
    }
    return attrs.evolve(old, **said)
