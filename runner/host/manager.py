"""The typed facade over all plugins of an account: one method per hook."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from runner.core.account import Account
from runner.core.market import Bar, SymbolSpec, Tick
from runner.core.news import NewsEvent
from runner.core.orders import (
    Deal,
    Demand,
    Denial,
    Deny,
    OrderIntent,
    OrderRequest,
    OrderResult,
    PendingOrder,
    Position,
)
from runner.core.settings import StrategyConfig, TradeConfig
from runner.core.status import PauseReason, RunnerStatus
from runner.core.trading_state import TradingState
from runner.host import answers
from runner.host.calls import IsolatedCalls
from runner.host.containment import Raised
from runner.host.records import PluginError, PluginRecord, Source
from runner.host.watch import Watch
from runner.plugin import Plugin, PluginSettings, PluginState

T = TypeVar("T")

GUARD_FAILED = "GUARD_FAILED"
"""The code of a denial by a guard that raised or returned something else."""

MakeSettings = Callable[[str, type[PluginSettings]], PluginSettings]
"""Fills the settings class of the plugin with that name."""

StateFor = Callable[[str], PluginState]
"""Returns the durable values of the plugin with that name."""

_log = logging.getLogger("mt5runner.host")


class PluginHost:
    """All plugins of one account, and every call to them.

    Args:
        watch: Bounds the time of each call; None only contains what it raises.

    Attributes:
        watch: For calls of authors' code that are no hooks.
    """

    def __init__(self, watch: Watch | None = None) -> None:
        self.watch = watch or Watch()
        self._calls = IsolatedCalls(self.watch)
        self._clashes: set[tuple[str, str]] = set()

    def load(
        self,
        records: Iterable[PluginRecord],
        *,
        make_settings: MakeSettings,
        state_for: StateFor,
    ) -> None:
        """Make the instances of this account and register them.

        Args:
            records: What discovery selected.
            make_settings: Fills a plugin's settings; what it raises goes through.
            state_for: Gives a plugin its durable values.

        Raises:
            PluginError: If a plugin cannot be made or registered.
        """
        for record in records:
            plugin: object = record.obj
            if isinstance(record.obj, type) and issubclass(record.obj, Plugin):
                settings = make_settings(record.name, record.obj.Settings)
                made = self.watch.attempt(
                    record.name,
                    "__init__",
                    record.obj,
                    settings,
                    state_for(record.name),
                )
                if isinstance(made, Raised):
                    raise PluginError(
                        record.name,
                        record.source,
                        f"making it from settings and state raised {made}",
                        "correct its __init__ or its settings",
                    ) from made.error
                plugin = made
            self.attach(record.name, plugin, record.source)

    def attach(
        self, name: str, obj: object, source: Source, *, required: bool = True
    ) -> None:
        """Check a plugin and register it.

        Args:
            name: Under which its errors are reported.
            obj: An instance or a module.
            source: Where it came from.
            required: Whether it must implement a hook; a strategy need not.

        Raises:
            PluginError: At the first check that fails; nothing is registered then.
        """
        self._calls.attach(name, obj, source, required=required)

    def detach(self, name: str, *, keeps_failures: bool = False) -> None:
        """Let a plugin go; nothing happens if there is none of that name.

        Args:
            name: Under which it is registered.
            keeps_failures: Whether its failures count on, since it will be back.
        """
        self._calls.detach(name, keeps_failures=keeps_failures)

    @property
    def plugins(self) -> Mapping[str, Source]:
        """Name to source of everything registered, in order of registration."""
        return self._calls.plugins

    @property
    def failures(self) -> Mapping[str, str]:
        """Plugin or strategy that fails now, to its last error."""
        return self._calls.ledger.summary()

    def report_failure(
        self, plugin: str, hook: str, error: Raised, now: datetime, *, state: str = ""
    ) -> None:
        """Record a failure and tell the observers of errors.

        Args:
            plugin: The plugin's or strategy's name.
            hook: What was called.
            error: What it raised, or what is wrong with what it returned.
            now: UTC-aware.
            state: What follows for a strategy, such as ``disabled``.
        """
        self._calls.report_failure(plugin, hook, error, now, state=state)

    def report_success(self, plugin: str, hook: str) -> None:
        """Record that *hook* of *plugin* works: ends its row of failures."""
        self._calls.ledger.succeeded(plugin, hook)

    def forget_failures(self, plugin: str) -> None:
        """Drop what is known of the failures of *plugin*."""
        self._calls.ledger.forget(plugin)

    # -- one method per hook, in the order of a run ------------------------------------
    def on_started(self, account: Account, now: datetime) -> None:
        """Tell that the runner has started on a verified account."""
        self._observe("on_started", now, account=account, now=now)

    def on_trade_config_applied(self, config: TradeConfig, now: datetime) -> None:
        """Tell that a trade config is in force."""
        self._observe("on_trade_config_applied", now, config=config, now=now)

    def on_strategy_config_applied(
        self, config: StrategyConfig, changes: Sequence[str], now: datetime
    ) -> None:
        """Tell that a strategy config is in force, and what changed."""
        self._observe(
            "on_strategy_config_applied",
            now,
            config=config,
            changes=tuple(changes),
            now=now,
        )

    def on_config_refused(
        self, scope: str, version: int | None, errors: Sequence[str], now: datetime
    ) -> None:
        """Tell that a configuration was refused as a whole."""
        self._observe(
            "on_config_refused",
            now,
            scope=scope,
            version=version,
            errors=tuple(errors),
            now=now,
        )

    def on_deals(self, deals: Sequence[Deal], now: datetime) -> None:
        """Tell deals that were not told before."""
        self._observe("on_deals", now, deals=tuple(deals), now=now)

    def on_account(
        self,
        account: Account,
        positions: Sequence[Position],
        orders: Sequence[PendingOrder],
        config: TradeConfig,
        now: datetime,
    ) -> None:
        """Tell a new reading of the account."""
        self._observe(
            "on_account",
            now,
            account=account,
            positions=tuple(positions),
            orders=tuple(orders),
            config=config,
            now=now,
        )

    def on_bar_closed(self, bar: Bar) -> None:
        """Tell a closed bar, after the strategies have seen it."""
        if self._calls.has("on_bar_closed"):  # the time is worth a look: it is hot
            self._observe("on_bar_closed", bar.closes_at, bar=bar)

    def choose_calendar(self, now: datetime) -> tuple[NewsEvent, ...] | None:
        """Return the events that the first plugin with an opinion knows."""
        return self._choose("choose_calendar", now, answers.events, now=now)

    def on_calendar_changed(self, events: Sequence[NewsEvent], now: datetime) -> None:
        """Tell the events that a plugin chose."""
        self._observe("on_calendar_changed", now, events=tuple(events), now=now)

    def check_trading(
        self, account: Account, config: TradeConfig, now: datetime
    ) -> list[Denial]:
        """Ask every guard whether the account may increase its exposure."""
        return self._guard(
            "check_trading", now, account=account, config=config, now=now
        )

    def check_symbol(
        self, symbol: SymbolSpec, config: TradeConfig, now: datetime
    ) -> list[Denial]:
        """Ask every guard whether exposure in *symbol* may increase."""
        return self._guard("check_symbol", now, symbol=symbol, config=config, now=now)

    def check_order(
        self,
        intent: OrderIntent,
        magic: int,
        account: Account,
        positions: Sequence[Position],
        orders: Sequence[PendingOrder],
        unresolved: Sequence[OrderRequest],
        symbol: SymbolSpec,
        symbols: Mapping[str, SymbolSpec],
        tick: Tick,
        config: TradeConfig,
        now: datetime,
    ) -> list[Denial]:
        """Ask every guard whether *intent* may be carried out."""
        return self._guard(
            "check_order",
            now,
            intent=intent,
            magic=magic,
            account=account,
            positions=tuple(positions),
            orders=tuple(orders),
            unresolved=tuple(unresolved),
            symbol=symbol,
            symbols=symbols,
            tick=tick,
            config=config,
            now=now,
        )

    def demand_exits(
        self,
        account: Account,
        positions: Sequence[Position],
        orders: Sequence[PendingOrder],
        magics: Collection[int],
        symbols: Mapping[str, SymbolSpec],
        config: TradeConfig,
        now: datetime,
    ) -> dict[str, tuple[Demand, ...] | None]:
        """Ask every guard what must be closed, cancelled or protected.

        Returns:
            Guard to its demands; None for a guard that failed.
        """
        if not self._calls.has("demand_exits"):
            return {}
        arguments = {
            "account": account,
            "positions": tuple(positions),
            "orders": tuple(orders),
            "magics": frozenset(magics),
            "symbols": dict(symbols),
            "config": config,
            "now": now,
        }
        return {
            plugin: None if isinstance(answer, Raised) else answer or ()
            for plugin, answer in self._calls.answers(
                "demand_exits", now, answers.demands, arguments
            )
        }

    def choose_volume(
        self,
        intent: OrderIntent,
        account: Account,
        symbol: SymbolSpec,
        tick: Tick,
        config: TradeConfig,
    ) -> float | None:
        """Return the size that the first plugin with an opinion chooses, in lots.

        None if none has one, or one failed: then there is no size, and no order.
        """
        return self._choose(
            "choose_volume",
            tick.time,
            answers.volume,
            intent=intent,
            account=account,
            symbol=symbol,
            tick=tick,
            config=config,
        )

    def on_order_denied(
        self, intent: OrderIntent, denials: Sequence[Denial], now: datetime
    ) -> None:
        """Tell that guards denied an intent."""
        self._observe(
            "on_order_denied", now, intent=intent, denials=tuple(denials), now=now
        )

    def on_order_sent(self, request: OrderRequest, now: datetime) -> None:
        """Tell that an order is about to be sent."""
        self._observe("on_order_sent", now, request=request, now=now)

    def on_order_result(
        self, request: OrderRequest, result: OrderResult, now: datetime
    ) -> None:
        """Tell what became of an order."""
        self._observe("on_order_result", now, request=request, result=result, now=now)

    def on_position_closed(self, deal: Deal, now: datetime) -> None:
        """Tell a deal that closed a position."""
        self._observe("on_position_closed", now, deal=deal, now=now)

    def on_trading_state_changed(
        self, state: TradingState, reasons: Sequence[PauseReason], now: datetime
    ) -> None:
        """Tell that the trading state or its reasons changed."""
        self._observe(
            "on_trading_state_changed",
            now,
            state=state,
            reasons=tuple(reasons),
            now=now,
        )

    def describe_status(self, account: Account, now: datetime) -> dict[str, str]:
        """Return the heartbeat fields of all plugins.

        A field that two plugins name is the first one's; the clash is logged once.
        """
        fields: dict[str, str] = {}
        owners: dict[str, str] = {}
        arguments = {"account": account, "now": now}
        given = self._calls.answers("describe_status", now, answers.fields, arguments)
        for plugin, answer in given:
            if answer is None or isinstance(answer, Raised):
                continue
            for field, value in answer.items():
                if owners.setdefault(field, plugin) == plugin:
                    fields[field] = value
                elif (plugin, field) not in self._clashes:
                    self._clashes.add((plugin, field))
                    _log.warning(
                        "heartbeat field %s of %s is left out: %s has it already",
                        field,
                        plugin,
                        owners[field],
                    )
        return fields

    def choose_heartbeat(
        self, status: RunnerStatus, now: datetime
    ) -> dict[str, str] | None:
        """Return the heartbeat that the first plugin with an opinion composes.

        None if none is due, or the one that composes it failed.
        """
        fields = self._choose(
            "choose_heartbeat", now, answers.fields, status=status, now=now
        )
        return None if fields is None else dict(fields)

    def on_stopping(self, reason: str, now: datetime) -> None:
        """Tell that the runner stops, before the last heartbeat."""
        self._observe("on_stopping", now, reason=reason, now=now)

    # -- the kinds of hooks ------------------------------------------------------------
    def _observe(self, hook: str, at: datetime, /, **arguments: object) -> None:
        if self._calls.has(hook):
            for _ in self._calls.answers(hook, at, answers.ignored, arguments):
                pass

    def _guard(self, hook: str, at: datetime, /, **arguments: object) -> list[Denial]:
        if not self._calls.has(hook):
            return []
        return [
            Denial(
                plugin,
                Deny(GUARD_FAILED, str(answer))
                if isinstance(answer, Raised)
                else answer,
            )
            for plugin, answer in self._calls.answers(hook, at, answers.deny, arguments)
            if answer is not None
        ]

    def _choose(
        self,
        hook: str,
        at: datetime,
        accept: Callable[[object], T],
        /,
        **arguments: object,
    ) -> T | None:
        for _, answer in self._calls.answers(hook, at, accept, arguments):
            if answer is not None:
                return None if isinstance(answer, Raised) else answer
        return None
