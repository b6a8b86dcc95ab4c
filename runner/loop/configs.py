"""What the server configured: staged when it comes, applied at the safe point."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import attrs

from runner.core.reload import Change, changes, must_wait, refusals
from runner.core.settings import StrategyConfig, TradeConfig
from runner.host.manager import PluginHost
from runner.host.records import PluginError, StrategyRecord
from runner.host.strategies import bars_needed
from runner.link import Link, StrategyConfigStaged, TradeConfigStaged
from runner.loop.roster import Roster
from runner.loop.view import View
from runner.ports import UnavailableError
from runner.wire.acks import TRADE_FIELD, strategy_field

log = logging.getLogger("mt5runner.config")


class Configs:
    """Applies configs whole or not at all, and says which, and why not.

    Args:
        view: Readings of the terminal.
        host: Tells observers.
        link: Where configs come from and acknowledgements go.
        roster: The strategies.
        find_strategy: Class name to strategy; raises PluginError with a remedy.

    Attributes:
        trade: The trade config in force; None before the first.
        unmanaged: What no strategy manages, one line each.
    """

    def __init__(
        self,
        *,
        view: View,
        host: PluginHost,
        link: Link,
        roster: Roster,
        find_strategy: Callable[[str], StrategyRecord],
    ) -> None:
        self._view = view
        self._host = host
        self._link = link
        self._roster = roster
        self._find_strategy = find_strategy
        self._staged_trade: TradeConfigStaged | None = None
        self._staged: dict[int, StrategyConfigStaged] = {}
        self._waiting: dict[int, int] = {}
        self._shortcomings: dict[str, tuple[str, ...]] = {}
        self._refusals: dict[str, tuple[str, ...]] = {}
        self.trade: TradeConfig | None = None
        self.unmanaged: tuple[str, ...] = ()

    # -- what the link brings ----------------------------------------------------------
    def stage_trade(self, staged: TradeConfigStaged) -> None:
        """Keep a trade config for the next safe point."""
        self._staged_trade = staged

    def stage_strategy(self, staged: StrategyConfigStaged) -> None:
        """Keep a strategy config for the next safe point; a newer one replaces it."""
        self._staged[staged.strategy_id] = staged

    def report(self, scope: str, errors: Sequence[str]) -> None:
        """Keep for the heartbeat why a scope's newest config is not applied."""
        self._refusals[scope] = tuple(errors)

    def confirm(self, scope: str) -> None:
        """Take that the server has what we have: what it refused or missed is over."""
        self._refusals.pop(scope, None)

    @property
    def errors(self) -> tuple[str, ...]:
        """Every problem with the newest configs, one line each."""
        problems = [
            *self._refusals.values(),
            *self._shortcomings.values(),
            self.unmanaged,
        ]
        return tuple(line for lines in problems for line in lines)

    # -- the safe point ----------------------------------------------------------------
    def apply_staged(self, now: datetime) -> None:
        """Apply what is staged. Called by the loop's safe point and nowhere else."""
        if self._staged_trade is not None:
            staged, self._staged_trade = self._staged_trade, None
            self._apply_trade(staged, now)
        for strategy_id, config in list(self._staged.items()):
            if not self._is_wanted(strategy_id) or self._apply_strategy(config, now):
                del self._staged[strategy_id]
                self._waiting.pop(strategy_id, None)
        self._roster.release(now)

    def _is_wanted(self, strategy_id: int) -> bool:
        return self.trade is not None and self.trade.active_bot_id == strategy_id

    def _apply_trade(self, staged: TradeConfigStaged, now: datetime) -> None:
        old, new = self.trade, staged.config
        self.trade = new
        for warning in staged.warnings:
            log.warning("trade config %d: %s", new.version, warning)
        differences = _differences(old, new)
        active = new.active_bot_id
        self._roster.choose(active)
        watched = () if active is None else (active,)
        wanted = {TRADE_FIELD, *map(strategy_field, watched)}
        for lines in (self._refusals, self._shortcomings):
            for scope in set(lines) - wanted:
                del lines[scope]
        self.confirm(TRADE_FIELD)
        self._link.applied(TRADE_FIELD, new.version, differences)
        log.info(
            "trade config %d applied%s: %s",
            new.version,
            _origin(staged),
            ", ".join(differences) or ", ".join(new.trade_config.enabled_symbols),
        )
        self._link.watch(watched)
        self._host.on_trade_config_applied(config=new, now=now)

    def _apply_strategy(self, staged: StrategyConfigStaged, now: datetime) -> bool:
        """Apply one strategy config; return False when it has to wait."""
        config = staged.config
        scope = strategy_field(staged.strategy_id)
        try:
            record = self._find_strategy(config.bot_strategy_class)
        except PluginError as error:
            return self._refuse(scope, config, [f"$.bot_strategy_class: {error}"], now)
        if collision := self._roster.collision(config.bot_strategy_id):
            reason = f"$.bot_strategy_id: {collision}"
            return self._refuse(scope, config, [reason], now)
        if config.is_pair_trading:
            reason = "$.is_pair_trading: this version trades single symbols only"
            return self._refuse(scope, config, [reason], now)
        found, waiting = self._compare(record, config)
        if errors := refusals(found):
            return self._refuse(scope, config, errors, now)
        if waiting:
            return self._wait(scope, config, waiting)
        try:
            warm_up, shortcomings = self._prepare(record, config)
        except UnavailableError:
            # The terminal does not answer: the next safe point tries again.
            return False
        except PluginError as error:
            return self._refuse(scope, config, [str(error)], now)
        self._roster.put_in_force(record, config, warm_up, now)
        self.confirm(scope)
        self._shortcomings[scope] = tuple(shortcomings)
        lines = [str(change) for change in found]
        self._announce(scope, staged, lines, [*staged.warnings, *shortcomings])
        self._host.on_strategy_config_applied(config=config, changes=lines, now=now)
        return True

    def resume(self, config: StrategyConfig, now: datetime) -> None:
        """Let a strategy that may not open go on managing what it still holds.

        Args:
            config: Its last known good config.
            now: The market's time, UTC-aware.

        Raises:
            PluginError: If its class is not to be had, or cannot say what it needs.
            UnavailableError: If the terminal does not answer.
        """
        record = self._find_strategy(config.bot_strategy_class)
        warm_up, _ = self._prepare(record, config)
        self._roster.put_in_force(record, config, warm_up, now)

    def _compare(
        self, record: StrategyRecord, config: StrategyConfig
    ) -> tuple[tuple[Change, ...], Sequence[str]]:
        """Return what changes, and the symbols that must be flat before it may."""
        member = self._roster.members.get(config.bot_strategy_id)
        if member is None:
            return (), ()
        if member.hosted.record.cls is not record.cls:
            return (), member.held
        old = member.config.parameters_by_symbol
        found = changes(old, config.parameters_by_symbol)
        held = member.held
        flat = [name for name in member.symbols if name not in held]
        return found, must_wait(found, flat)

    def _prepare(
        self, record: StrategyRecord, config: StrategyConfig
    ) -> tuple[dict[str, int], list[str]]:
        """Fetch the bars that each symbol needs; name those the broker does not have.

        Returns:
            Symbol to the bars it needs, and a line for each symbol that is not traded.
        """
        warm_up: dict[str, int] = {}
        shortcomings: list[str] = []
        timeframe = self._roster.timeframe(record)
        for name, parameters in config.parameters_by_symbol.items():
            needed = bars_needed(record, parameters, self._host.watch)
            try:
                self._view.spec(name)
                self._view.keep_bars(name, timeframe, needed)
            except KeyError as error:
                reason = error.args[0] if error.args else name
                shortcomings.append(
                    f"$.parameters_by_symbol.{name}: not traded: {reason}"
                )
                continue
            warm_up[name] = needed
        return warm_up, shortcomings

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


def _origin(staged: TradeConfigStaged | StrategyConfigStaged) -> str:
    if staged.origin == "server":
        return ""
    return f" (last known good, saved {staged.saved_at})"


def _differences(
    old: attrs.AttrsInstance | None, new: attrs.AttrsInstance, place: str = ""
) -> list[str]:
    """Return what differs between two configs, one line each with its place."""
    lines: list[str] = []
    for field in attrs.fields(type(new)) if old is not None else ():
        name = f"{place}{field.name}"
        was: Any = getattr(old, field.name)
        becomes: Any = getattr(new, field.name)
        if name == "version" or was == becomes:
            continue
        if was is not None and attrs.has(becomes.__class__):
            lines += _differences(was, becomes, f"{name}.")
        else:
            lines.append(f"{name}: {was!r} -> {becomes!r}")
    return lines
