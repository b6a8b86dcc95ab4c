"""The drawdown guard: measures on every reading, remembers on disk, denies, closes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from plugins.drawdown.exits import wanted_exits
from plugins.drawdown.exposure import (
    Exposure,
    entry_exposure,
    open_exposure,
    sent_exposure,
)
from plugins.drawdown.meter import NO_TIME, Meter, has_limit, is_readable, own_money
from plugins.drawdown.room import check_room, new_stops
from plugins.drawdown.settings import DrawdownSettings
from runner import (
    Account,
    BreachAction,
    Deal,
    Demand,
    Deny,
    OrderIntent,
    OrderRequest,
    PendingOrder,
    Plugin,
    PluginState,
    Position,
    SymbolSpec,
    Tick,
    TradeConfig,
    hookimpl,
)

_UNMEASURED = Deny("DRAWDOWN_UNKNOWN", "the account could not be measured")


class Drawdown(Plugin):
    """Keeps a daily and a maximum loss, measured on equity."""

    Settings = DrawdownSettings
    settings: DrawdownSettings

    def __init__(self, settings: DrawdownSettings, state: PluginState) -> None:
        super().__init__(settings, state)
        self._meter = Meter(settings, state)

    # -- what comes in -----------------------------------------------------------------
    @hookimpl
    def on_deals(self, deals: Sequence[Deal], now: datetime) -> None:
        """Keep the deals for the reading that follows."""
        self._meter.hear_deals(deals)

    @hookimpl
    def on_account(self, account: Account, config: TradeConfig, now: datetime) -> None:
        """Measure the account."""
        self._meter.measure(account, config, now)

    @hookimpl
    def on_stopping(self, reason: str, now: datetime) -> None:
        """Put the newest peaks on disk."""
        self._meter.memory.write_all(now)

    # -- what it says ------------------------------------------------------------------
    @hookimpl
    def check_trading(
        self, account: Account, config: TradeConfig, now: datetime
    ) -> Deny | None:
        """Deny entries while a limit is latched or near, or while it cannot be told."""
        self._meter.measure(account, config, now)
        return self._meter.verdict

    @hookimpl
    def check_order(
        self,
        intent: OrderIntent,
        account: Account,
        positions: Sequence[Position],
        orders: Sequence[PendingOrder],
        unresolved: Sequence[OrderRequest],
        symbols: Mapping[str, SymbolSpec],
        tick: Tick,
        config: TradeConfig,
    ) -> Deny | None:
        """Deny what could cost more than the limits leave, if every stop were hit."""
        stops = new_stops(
            intent, positions, symbols, tick, is_hedging=account.is_hedging
        )
        entry = Exposure()
        if intent.increases_exposure:
            entry = entry_exposure(intent, symbols[intent.symbol], tick)
        elif not stops:
            return None  # it closes, cancels, or moves a stop nearer
        if not has_limit(config.risk_config):
            return None
        marks = self._meter.memory.marks
        if marks is None or self._meter.looked is None or self._meter.rules.missing:
            return self._meter.verdict or _UNMEASURED
        held = open_exposure(positions, orders, symbols, stops)
        return check_room(
            self._meter.limits(marks, config),
            own_money(account).equity,
            held + sent_exposure(unresolved, symbols) + entry,
            self._meter.rules,
        )

    @hookimpl
    def demand_exits(
        self,
        positions: Sequence[Position],
        orders: Sequence[PendingOrder],
        magics: Collection[int],
        config: TradeConfig,
    ) -> Demand | None:
        """Demand that all is closed and cancelled after a breach, if so chosen."""
        demand = None
        if self._meter.rules.on_breach is BreachAction.FLATTEN:
            in_force = self._meter.held(config.risk_config)
            scope = self._meter.rules.flatten_scope
            demand = wanted_exits(in_force, positions, orders, magics, scope)
        self._meter.settle(is_left=demand is not None)
        return demand

    @hookimpl
    def describe_status(self, account: Account, now: datetime) -> Mapping[str, str]:
        """Report losses, what they use of the limits, the block, peak and reset."""
        verdict, looked = self._meter.verdict, self._meter.looked
        marks = self._meter.memory.marks
        if looked is None or verdict is NO_TIME:
            # Before the first quote nothing is measured: entries are denied, but to
            # call that a drawdown block would raise an alarm at every start.
            return {}
        is_block = verdict is not None and not verdict.code.endswith("_SOFT_LIMIT")
        fields = {
            "dd_blocked": "true" if is_block else "false",
            "dd_block_reason": str(verdict) if is_block else "",
        }
        if marks is None or self._meter.rules.missing or not is_readable(account):
            return fields
        daily, maximum = self._meter.limits(marks, looked[1])
        equity = own_money(account).equity
        return fields | {
            "daily_dd_percent": f"{daily.used(equity):.4f}",
            "max_dd_percent": f"{maximum.used(equity):.4f}",
            "daily_dd_limit_used": _figure(daily.share(equity)),
            "max_dd_limit_used": _figure(maximum.share(equity)),
            "daily_dd_floor": _figure(daily.floor),
            "max_dd_floor": _figure(maximum.floor),
            "peak_balance": f"{marks.peak_balance:.4f}",
            "dd_reset_at": f"{marks.day_end:%Y-%m-%dT%H:%M:%SZ}",
            "dd_estimated": "true" if marks.is_estimated else "false",
        }


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
