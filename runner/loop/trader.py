"""Carries out what strategies want: sized, asked about, then sent or denied."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence

import attrs

from runner.core.account import Account
from runner.core.market import SymbolSpec, Tick
from runner.core.orders import Action, Denial, Deny, OrderIntent
from runner.core.risk import HOST, judge, taken, widens
from runner.core.settings import TradeConfig
from runner.host.manager import PluginHost
from runner.loop.configs import Configs
from runner.loop.desk import OrderDesk
from runner.loop.gate import Gate
from runner.loop.member import Member
from runner.loop.view import View
from runner.ports import UnavailableError

log = logging.getLogger("mt5runner.loop")


@attrs.frozen(slots=True, kw_only=True)
class _Known:
    """Everything that must be known before an intent can be judged."""

    account: Account
    config: TradeConfig
    tick: Tick
    spec: SymbolSpec


class Trader:
    """The only way from an intent to an order.

    Args:
        view: Readings.
        host: Sizes intents and asks the plugins' guards.
        configs: What the server lets the account do.
        gate: Knows why exposure must not increase.
        desk: Sends orders.
    """

    def __init__(
        self,
        *,
        view: View,
        host: PluginHost,
        configs: Configs,
        gate: Gate,
        desk: OrderDesk,
    ) -> None:
        self._view = view
        self._host = host
        self._configs = configs
        self._gate = gate
        self._desk = desk
        self._told: dict[tuple[str, str, Action], tuple[str, ...]] = {}

    def carry_out(
        self, member: Member, intent: OrderIntent, *, is_stale: bool = False
    ) -> None:
        """Send what *intent* asks for, or deny it and say why.

        Args:
            member: Whose intent it is.
            intent: What it wants.
            is_stale: Whether it was decided on a bar that was missed while away.
        """
        try:
            known = self._known(intent)
        except UnavailableError as error:
            self._deny(intent, [Denial(HOST, Deny("UNKNOWN", str(error)))])
            return
        own: list[Deny] = []
        guards: list[Denial] = []
        held = self._view.positions or ()
        is_widening = widens(
            intent,
            [one for one in held if one.magic == member.context.magic],
            known.spec.point,
        )
        if intent.increases_exposure or is_widening:
            if self._gate.is_old:
                own.append(Deny("OLD_VERDICT", "the account was judged too long ago"))
            own += member.against_entry(intent.symbol, known.config)
            guards += self._host.check_symbol(
                symbol=known.spec, config=known.config, now=self._view.now
            )
        if intent.increases_exposure:
            own += self._by_account(member, intent.symbol, known, is_stale=is_stale)
            intent = self._sized(intent, known)
            if intent.volume is None:
                own.append(Deny("NO_VOLUME", "no size fits the symbol's rules"))
        guards += self._host.check_order(
            intent=intent,
            magic=member.context.magic,
            account=known.account,
            positions=held,
            orders=self._view.orders or (),
            unresolved=self._desk.unresolved,
            symbol=known.spec,
            symbols=self._specs(known.spec),
            tick=known.tick,
            config=known.config,
            now=self._view.now,
        )
        denials = judge(
            intent,
            reasons=self._gate.reasons,
            host=own,
            guards=guards,
            is_widening=is_widening,
        )
        if denials:
            self._deny(intent, denials)
            return
        self._told.pop(_topic(intent), None)
        self._send(member, intent)

    def _known(self, intent: OrderIntent) -> _Known:
        account, config = self._view.account, self._configs.trade
        tick = self._view.ticks.get(intent.symbol)
        if account is None:
            raise UnavailableError(f"account: {self._view.error}")
        if config is None:
            raise UnavailableError("no trade config was ever applied")
        if tick is None:
            raise UnavailableError(f"{intent.symbol}: no quote can be read")
        try:
            spec = self._view.spec(intent.symbol)
        except KeyError as error:
            raise UnavailableError(f"{intent.symbol}: {error}") from None
        return _Known(account=account, config=config, tick=tick, spec=spec)

    def _specs(self, own: SymbolSpec) -> dict[str, SymbolSpec]:
        found = {own.name: own}
        held = {position.symbol for position in self._view.positions or ()}
        held |= {order.symbol for order in self._view.orders or ()}
        held |= {request.symbol for request in self._desk.unresolved}
        for name in held - {own.name}:
            with contextlib.suppress(UnavailableError, KeyError):
                found[name] = self._view.spec(name)
        return found

    def _by_account(
        self, member: Member, symbol: str, known: _Known, *, is_stale: bool
    ) -> list[Deny]:
        """List what the account's and the market's state says against an opening."""
        found: list[Deny] = []
        magic = member.context.magic
        # On a netting account another's order would be part of the same position.
        if any(
            one.symbol == symbol
            and (one.magic == magic or not known.account.is_hedging)
            for one in self._desk.unresolved
        ):
            found.append(Deny("ORDER_UNRESOLVED", symbol))
        if self._view.positions is None:
            found.append(Deny("POSITIONS_UNKNOWN", self._view.error))
        elif taken(
            self._view.positions,
            symbol,
            magic,
            is_hedging=known.account.is_hedging,
        ):
            found.append(Deny("SYMBOL_TAKEN", f"{symbol} is held by another"))
        if is_stale:
            found.append(Deny("STALE_BAR", "the bar closed while the runner was away"))
        if not known.spec.entries_allowed:
            found.append(Deny("SYMBOL_CLOSED", "the broker takes no new positions"))
        return found

    def _sized(self, intent: OrderIntent, known: _Known) -> OrderIntent:
        if intent.volume is not None:
            return intent
        volume = self._host.choose_volume(
            intent=intent,
            account=known.account,
            symbol=known.spec,
            tick=known.tick,
            config=known.config,
        )
        return attrs.evolve(intent, volume=volume)

    def _send(self, member: Member, intent: OrderIntent) -> None:
        if intent.increases_exposure:
            self._desk.enter(intent, magic=member.context.magic)
            return
        if intent.action is Action.CANCEL:
            for order in member.context.orders(intent.symbol):
                if intent.ticket in (None, order.ticket):
                    self._desk.cancel(order, strategy=intent.strategy)
            return
        for position in member.context.positions(intent.symbol):
            if intent.ticket is not None and position.ticket != intent.ticket:
                continue
            if intent.action is Action.CLOSE:
                self._desk.close(
                    position, strategy=intent.strategy, volume=intent.volume
                )
            else:
                self._desk.protect(
                    position,
                    strategy=intent.strategy,
                    stop_loss=intent.stop_loss_price,
                    take_profit=intent.take_profit_price,
                )

    def _deny(self, intent: OrderIntent, denials: Sequence[Denial]) -> None:
        codes = tuple(denial.deny.code for denial in denials)
        key = _topic(intent)
        if self._told.get(key) != codes:
            self._told[key] = codes
            log.info(
                "denied %s %s: %s",
                intent.action.value,
                intent.symbol,
                "; ".join(map(str, denials)),
            )
        self._host.on_order_denied(intent=intent, denials=denials, now=self._view.now)


def _topic(intent: OrderIntent) -> tuple[str, str, Action]:
    return intent.strategy, intent.symbol, intent.action
