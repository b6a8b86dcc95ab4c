"""The strategies that run on the account, and the safe point where configs change."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from runner.core.identity import magic_number
from runner.core.market import Bar, Timeframe
from runner.core.orders import Deny, OrderIntent
from runner.core.reload import Change, changes, must_wait, refusals
from runner.core.settings import StrategyConfig, TradeConfig
from runner.host.manager import PluginHost
from runner.host.records import PluginError, StrategyRecord
from runner.host.strategies import HostedStrategy, bars_needed
from runner.link import Link, StrategyConfigStaged, TradeConfigStaged
from runner.loop.context import Context
from runner.loop.desk import OrderDesk
from runner.loop.view import View
from runner.ports import StateStore, UnavailableError
from runner.strategy import Strategy
from runner.wire.acks import TRADE_FIELD, strategy_field

log = logging.getLogger("mt5runner.config")

_MAGICS = "magics"


@attrs.define(kw_only=True)
class Member:
    """One strategy on the account.

    Attributes:
        strategy_id: The server's id.
        hosted: The instance, isolated.
        context: What it sees.
        config: The config that it runs on.
        warm_up: Symbol to the closed bars that must be known before it decides.
        is_leaving: Whether it only manages what it still holds.
    """

    strategy_id: int
    hosted: HostedStrategy
    context: Context
    config: StrategyConfig
    warm_up: dict[str, int] = attrs.field(factory=dict)
    is_leaving: bool = False

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every symbol that it gets bars and quotes of."""
        return tuple(self.context.parameters)

    def may_enter(self, symbol: str) -> bool:
        """Whether its config lets it open positions in *symbol*."""
        config = self.config
        return (
            symbol in config.allowed_symbols and symbol in config.parameters_by_symbol
        )


class Roster:
    """Keeps the members in step with the server's configs.

    Args:
        account: The account id that the server knows.
        view: Readings of the terminal.
        host: Tells observers.
        desk: Knows which orders have no outcome.
        link: Where configs come from and acknowledgements go.
        store: Remembers the magic numbers that were ever used here.
        find_strategy: Class name to strategy; raises PluginError with a remedy.
        default_timeframe: Bars for strategies that name none.
    """

    def __init__(
        self,
        *,
        account: str,
        view: View,
        host: PluginHost,
        desk: OrderDesk,
        link: Link,
        store: StateStore,
        find_strategy: Callable[[str], StrategyRecord],
        default_timeframe: Timeframe,
    ) -> None:
        self._account = account
        self._view = view
        self._host = host
        self._desk = desk
        self._link = link
        self._store = store
        self._find_strategy = find_strategy
        self._default_timeframe = default_timeframe
        self._staged_trade: TradeConfigStaged | None = None
        self._staged: dict[int, StrategyConfigStaged] = {}
        self._waiting: dict[int, int] = {}
        self.trade: TradeConfig | None = None
        self.members: dict[int, Member] = {}
        self.problems: dict[str, tuple[str, ...]] = {}
        self.magics: set[int] = set(store.items(_MAGICS).values())

    # -- what the link brings ----------------------------------------------------------
    def stage_trade(self, staged: TradeConfigStaged) -> None:
        """Keep a trade config for the next safe point."""
        self._staged_trade = staged

    def stage_strategy(self, staged: StrategyConfigStaged) -> None:
        """Keep a strategy config for the next safe point; a newer one replaces it."""
        self._staged[staged.strategy_id] = staged

    def report(self, scope: str, problems: Sequence[str]) -> None:
        """Keep what is wrong with a scope's newest config for the heartbeat."""
        if problems:
            self.problems[scope] = tuple(problems)
        else:
            self.problems.pop(scope, None)

    # -- what the loop needs to know ---------------------------------------------------
    @property
    def symbols(self) -> list[str]:
        """Every symbol that any member gets quotes of."""
        members = self.members.values()
        return list(dict.fromkeys(name for one in members for name in one.symbols))

    @property
    def series(self) -> list[tuple[str, Timeframe]]:
        """Every symbol and timeframe that any member gets bars of."""
        keys = (
            (symbol, member.context.timeframe)
            for member in self.members.values()
            for symbol in member.symbols
        )
        return list(dict.fromkeys(keys))

    def members_on(self, bar: Bar) -> list[Member]:
        """Return the members that decide on *bar*."""
        return [
            member
            for member in self.members.values()
            if member.context.timeframe is bar.timeframe
            and bar.symbol in member.context.parameters
        ]

    # -- the safe point ----------------------------------------------------------------
    def apply_staged(self, now: datetime) -> None:
        """Apply what is staged. Called by the loop's safe point and nowhere else."""
        if self._staged_trade is not None:
            staged, self._staged_trade = self._staged_trade, None
            self._apply_trade(staged, now)
        for strategy_id, config in list(self._staged.items()):
            is_wanted = (
                self.trade is not None and self.trade.active_bot_id == strategy_id
            )
            if not is_wanted or self._apply_strategy(config, now):
                del self._staged[strategy_id]
        self._dismiss(now)

    def _apply_trade(self, staged: TradeConfigStaged, now: datetime) -> None:
        old, new = self.trade, staged.config
        self.trade = new
        differences = _differences(old, new)
        self.report(TRADE_FIELD, ())
        for warning in staged.warnings:
            log.warning("trade config %d: %s", new.version, warning)
        self._link.applied(TRADE_FIELD, new.version, differences)
        log.info(
            "trade config %d applied%s: %s",
            new.version,
            _origin(staged),
            ", ".join(differences) or "no change",
        )
        for member in self.members.values():
            member.is_leaving = member.strategy_id != new.active_bot_id
        self._link.watch(() if new.active_bot_id is None else (new.active_bot_id,))
        self._host.on_trade_config_applied(config=new, now=now)

    def _apply_strategy(self, staged: StrategyConfigStaged, now: datetime) -> bool:
        """Apply one strategy config; return False when it has to wait."""
        config = staged.config
        scope = strategy_field(staged.strategy_id)
        member = self.members.get(staged.strategy_id)
        try:
            record = self._find_strategy(config.bot_strategy_class)
        except PluginError as error:
            return self._refuse(scope, config, [f"$.bot_strategy_class: {error}"], now)
        if config.is_pair_trading:
            reason = "$.is_pair_trading: this version trades single symbols only"
            return self._refuse(scope, config, [reason], now)
        found: tuple[Change, ...] = ()
        waiting: Sequence[str] = ()
        if member is not None and member.hosted.record.cls is not record.cls:
            waiting = self._held(member)
        elif member is not None:
            old, new = member.config, config
            found = changes(old.parameters_by_symbol, new.parameters_by_symbol)
            if errors := refusals(found):
                return self._refuse(scope, config, errors, now)
            held = self._held(member)
            flat = [name for name in member.symbols if name not in held]
            waiting = must_wait(found, flat)
        if waiting:
            return self._wait(scope, config, waiting)
        try:
            warm_up, problems = self._prepare(record, config)
        except UnavailableError:
            # The terminal does not answer: the next safe point tries again.
            return False
        except PluginError as error:
            return self._refuse(scope, config, [str(error)], now)
        self._put_in_force(record, staged, warm_up, now)
        lines = [str(change) for change in found]
        self.report(scope, problems)
        self._announce(scope, staged, lines, [*staged.warnings, *problems])
        self._host.on_strategy_config_applied(config=config, changes=lines, now=now)
        return True

    def _put_in_force(
        self,
        record: StrategyRecord,
        staged: StrategyConfigStaged,
        warm_up: dict[str, int],
        now: datetime,
    ) -> None:
        config = staged.config
        member = self.members.get(staged.strategy_id)
        if member is not None and member.hosted.record.cls is not record.cls:
            self._dismiss_member(member, now)
            member = None
        is_new = member is None
        member = member or self._engage(record, config, staged.strategy_id)
        parameters = {name: config.parameters_by_symbol[name] for name in warm_up}
        self._set_parameters(member, parameters)
        member.warm_up |= warm_up
        member.config = config
        self._waiting.pop(staged.strategy_id, None)
        if is_new:
            member.hosted.start(now)
        else:
            member.hosted.renew()

    def _announce(
        self,
        scope: str,
        staged: StrategyConfigStaged,
        lines: Sequence[str],
        warnings: Sequence[str],
    ) -> None:
        config = staged.config
        for warning in warnings:
            log.warning("strategy config %d: %s", config.version, warning)
        self._link.applied(scope, config.version, lines)
        log.info(
            "%s config %d applied%s: %s",
            config.bot_strategy_class,
            config.version,
            _origin(staged),
            ", ".join(lines) or ", ".join(sorted(config.parameters_by_symbol)),
        )

    def _prepare(
        self, record: StrategyRecord, config: StrategyConfig
    ) -> tuple[dict[str, int], list[str]]:
        """Fetch the bars that each symbol needs; name those the broker does not have.

        Returns:
            Symbol to the bars it needs, and a line for each symbol that is not traded.
        """
        warm_up: dict[str, int] = {}
        problems: list[str] = []
        timeframe = self._timeframe(record.cls)
        for name, parameters in config.parameters_by_symbol.items():
            try:
                self._view.spec(name)
            except KeyError as error:
                reason = error.args[0] if error.args else name
                problems.append(f"$.parameters_by_symbol.{name}: not traded: {reason}")
                continue
            needed = bars_needed(record, parameters)
            self._view.keep_bars(name, timeframe, needed)
            warm_up[name] = needed
        return warm_up, problems

    def _timeframe(self, cls: type[Strategy]) -> Timeframe:
        return cls.timeframe or self._default_timeframe

    def _set_parameters(self, member: Member, parameters: dict[str, Any]) -> None:
        # A symbol that vanished keeps its last parameters while a position is open in
        # it, so that the strategy can go on managing that position.
        kept = {
            name: value
            for name, value in member.context.parameters.items()
            if name not in parameters and not member.context.is_flat(name)
        }
        member.context.parameters = kept | parameters

    def _engage(
        self, record: StrategyRecord, config: StrategyConfig, strategy_id: int
    ) -> Member:
        magic = magic_number(self._account, strategy_id)
        if magic not in self.magics:
            self._store.put(_MAGICS, str(strategy_id), magic)
            self.magics.add(magic)
        context = Context(
            self._view,
            strategy_id=strategy_id,
            magic=magic,
            timeframe=self._timeframe(record.cls),
            is_unresolved=self._desk.is_unresolved,
        )
        hosted = HostedStrategy(record, context, self._host)
        member = Member(
            strategy_id=strategy_id, hosted=hosted, context=context, config=config
        )
        self.members[strategy_id] = member
        return member

    def _refuse(
        self,
        scope: str,
        config: StrategyConfig,
        errors: Sequence[str],
        now: datetime,
    ) -> bool:
        for error in errors:
            log.error("%s config %d refused: %s", scope, config.version, error)
        self.report(scope, errors)
        self._link.refused(scope, config.version, errors)
        self._host.on_config_refused(
            scope=scope, version=config.version, errors=errors, now=now
        )
        return True

    def _wait(self, scope: str, config: StrategyConfig, symbols: Sequence[str]) -> bool:
        if self._waiting.get(config.bot_strategy_id) != config.version:
            self._waiting[config.bot_strategy_id] = config.version
            log.info(
                "%s config %d waits until flat in %s",
                scope,
                config.version,
                ", ".join(symbols),
            )
            self._link.staged(scope, config.version)
        return False

    # -- members that leave ------------------------------------------------------------
    def _dismiss(self, now: datetime) -> None:
        for member in list(self.members.values()):
            if member.is_leaving and not self._held(member):
                self._dismiss_member(member, now)

    def _dismiss_member(self, member: Member, now: datetime) -> None:
        member.hosted.stop(now)
        del self.members[member.strategy_id]
        log.info("%s holds nothing any more and stopped", member.hosted.name)

    @staticmethod
    def _held(member: Member) -> list[str]:
        return [name for name in member.symbols if not member.context.is_flat(name)]

    def stop(self, now: datetime) -> None:
        """Stop every strategy."""
        for member in self.members.values():
            member.hosted.stop(now)

    # -- what the host itself says to an intent ----------------------------------------
    def denials(self, member: Member, intent: OrderIntent) -> list[Deny]:
        """List the host's own reasons against an opening intent.

        Args:
            member: Whose intent it is.
            intent: The intent; exits are never denied here.

        Returns:
            Denials; empty for none.
        """
        if not intent.increases_exposure:
            return []
        found: list[Deny] = []
        symbol = intent.symbol
        if member.is_leaving:
            found.append(Deny("STRATEGY_NOT_ACTIVE", "the server chose another one"))
        if member.config.bot_status != "ACTIVE":
            found.append(Deny("STRATEGY_PAUSED", member.config.bot_status))
        if self.trade is None or symbol not in self.trade.trade_config.enabled_symbols:
            found.append(Deny("SYMBOL_NOT_ENABLED", symbol))
        if not member.may_enter(symbol):
            found.append(Deny("SYMBOL_NOT_ALLOWED", symbol))
        if self._desk.is_unresolved(member.context.magic, symbol):
            found.append(Deny("ORDER_UNRESOLVED", symbol))
        if self._view.positions is None:
            found.append(Deny("POSITIONS_UNKNOWN", self._view.error))
        return found

    @property
    def versions(self) -> Mapping[int, int]:
        """Strategy id to the version that it runs on."""
        return {
            member.strategy_id: member.config.version
            for member in self.members.values()
        }

    @property
    def config_errors(self) -> tuple[str, ...]:
        """Every problem with the newest configs, one line each."""
        return tuple(line for lines in self.problems.values() for line in lines)


def _origin(staged: TradeConfigStaged | StrategyConfigStaged) -> str:
    if staged.origin == "server":
        return ""
    return f" (last known good, saved {staged.saved_at})"


def _differences(old: TradeConfig | None, new: TradeConfig) -> list[str]:
    if old is None:
        return []
    lines: list[str] = []
    for field in attrs.fields(TradeConfig):
        was, becomes = getattr(old, field.name), getattr(new, field.name)
        if field.name != "version" and was != becomes:
            lines.append(f"{field.name}: {was!r} -> {becomes!r}")
    return lines
