"""The drawdown guard: measures on every reading, remembers on disk, denies, closes."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

import attrs

from plugins.drawdown.days import advance, first_marks
from plugins.drawdown.exits import wanted_exits
from plugins.drawdown.exposure import Exposure, entry_exposure, open_exposure
from plugins.drawdown.history import cash_of, count_cash, in_order
from plugins.drawdown.in_flight import InFlight
from plugins.drawdown.latches import hear_server, latch, settle
from plugins.drawdown.limits import Limit, daily_limit, max_limit
from plugins.drawdown.marks import Marks
from plugins.drawdown.memory import Memory, log
from plugins.drawdown.record import RecordError
from plugins.drawdown.room import check_room, new_stops
from plugins.drawdown.rules import Rules, rules_of
from plugins.drawdown.settings import DrawdownSettings
from runner import (
    Account,
    Action,
    BreachAction,
    DailyReference,
    DailyReset,
    Deal,
    Demand,
    Deny,
    MaxMode,
    OrderIntent,
    OrderRequest,
    OrderResult,
    PendingOrder,
    Plugin,
    PluginState,
    Position,
    RiskConfig,
    SymbolSpec,
    TradeConfig,
    TradingState,
    hookimpl,
)

_NO_QUOTE_BEFORE = datetime(1980, 1, 1, tzinfo=UTC)
_NO_TIME = Deny("MARKET_TIME_UNKNOWN", "no quote has come yet")
_UNMEASURED = Deny("DRAWDOWN_UNKNOWN", "the account could not be measured")


class Drawdown(Plugin):
    """Keeps a daily and a maximum loss, measured on equity."""

    Settings = DrawdownSettings
    settings: DrawdownSettings

    def __init__(self, settings: DrawdownSettings, state: PluginState) -> None:
        super().__init__(settings, state)
        self._memory = Memory(state)
        self._in_flight = InFlight()
        self._rules = rules_of(settings)
        self._reset: DailyReset = DailyReset.parse(self._rules.daily_reset)
        self._risk: RiskConfig | None = None
        self._deals: list[Deal] = []
        self._new: list[Deal] = []
        self._before: Account | None = None
        self._looked: tuple[Account, TradeConfig, datetime] | None = None
        self._limits_of: tuple[Marks, TradeConfig, Limit, Limit] | None = None
        self._entry: Exposure = Exposure()
        self._verdict: Deny | None = None
        self._is_settled = False

    # -- what comes in -----------------------------------------------------------------
    @hookimpl
    def on_deals(self, deals: Sequence[Deal], now: datetime) -> None:
        """Keep the deals for the reading that follows."""
        self._new += in_order(deals)

    @hookimpl
    def on_account(
        self,
        account: Account,
        positions: Sequence[Position],
        config: TradeConfig,
        now: datetime,
    ) -> None:
        """Measure the account."""
        self._in_flight.look({position.ticket for position in positions}, now)
        self._measure(account, config, now)

    @hookimpl
    def on_order_sent(self, request: OrderRequest, now: datetime) -> None:
        """Count what an entry risks from before it is sent."""
        if request.action is Action.OPEN:
            self._in_flight.send(request, self._entry)

    @hookimpl
    def on_order_result(
        self, request: OrderRequest, result: OrderResult, now: datetime
    ) -> None:
        """Take it back if it came to nothing."""
        self._in_flight.hear(result, now)

    @hookimpl
    def on_stopping(self, reason: str, now: datetime) -> None:
        """Put the newest peaks on disk."""
        self._memory.write_all(now)

    # -- what it says ------------------------------------------------------------------
    @hookimpl
    def check_trading(
        self, account: Account, config: TradeConfig, now: datetime
    ) -> Deny | None:
        """Deny entries while a limit is latched or near, or while it cannot be told."""
        self._measure(account, config, now)
        return self._verdict

    @hookimpl
    def check_order(
        self,
        intent: OrderIntent,
        account: Account,
        positions: Sequence[Position],
        orders: Sequence[PendingOrder],
        symbols: Mapping[str, SymbolSpec],
        config: TradeConfig,
        now: datetime,
    ) -> Deny | None:
        """Deny what could cost more than the limits leave, if every stop were hit."""
        stops = new_stops(intent, positions, symbols)
        self._entry = Exposure()
        if intent.action is Action.OPEN:
            self._entry = entry_exposure(intent, symbols[intent.symbol])
        elif not stops:
            return None  # it closes, cancels, or moves a stop nearer
        if not _has_limit(config.risk_config):
            return None
        self._in_flight.look({position.ticket for position in positions}, now)
        marks = self._memory.marks
        if marks is None or self._looked is None or self._rules.missing:
            return self._verdict or _UNMEASURED
        held = open_exposure(positions, orders, symbols, stops)
        return check_room(
            self._limits(marks, config),
            _own_money(account).equity,
            held + self._in_flight.exposure + self._entry,
            self._rules,
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
        marks = self._memory.marks
        if marks is None or self._rules.missing:
            return None
        demand = None
        if self._rules.on_breach is BreachAction.FLATTEN:
            daily, maximum = self._limits(marks, config)
            in_force = [
                latched
                for latched, limit in ((marks.maximum, maximum), (marks.daily, daily))
                if latched is not None and limit.percent is not None
            ]
            scope = self._rules.flatten_scope
            demand = wanted_exits(in_force, positions, orders, magics, scope)
        settled = settle(marks, is_left=demand is not None)
        if settled is not marks:
            self._memory.take(settled)
            self._is_settled = True  # to be written and judged anew
        return demand

    @hookimpl
    def describe_status(self, account: Account, now: datetime) -> Mapping[str, str]:
        """Report losses, what they use of the limits, the block, peak and reset."""
        verdict, looked, marks = self._verdict, self._looked, self._memory.marks
        if looked is None or verdict is _NO_TIME:
            # Before the first quote nothing is measured: entries are denied, but to
            # call that a drawdown block would raise an alarm at every start.
            return {}
        is_block = verdict is not None and not verdict.code.endswith("_SOFT_LIMIT")
        fields = {
            "dd_blocked": "true" if is_block else "false",
            "dd_block_reason": str(verdict) if is_block else "",
        }
        if marks is None or self._rules.missing or not _is_readable(account):
            return fields
        daily, maximum = self._limits(marks, looked[1])
        equity = _own_money(account).equity
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

    # -- measuring ---------------------------------------------------------------------
    def _measure(self, account: Account, config: TradeConfig, now: datetime) -> None:
        looked = self._looked
        if (
            looked is not None
            and not self._is_settled
            and account is looked[0]
            and config is looked[1]
            and now == looked[2]
        ):
            return
        self._looked, self._is_settled = None, False
        self._choose(config.risk_config)
        verdict = self._judge(account, config, now)
        self._verdict = verdict if _has_limit(config.risk_config) else None
        self._looked = account, config, now

    def _choose(self, risk: RiskConfig) -> None:
        """Put the choices in force that settings and server make together."""
        if risk is self._risk:
            return
        rules = rules_of(self.settings, risk)
        reset = DailyReset.parse(rules.daily_reset)
        if reset != self._reset:
            self._before = None  # what equity was at the new reset nobody knows
            if self._memory.marks is not None:
                marks = self._memory.marks
                self._memory.take(
                    attrs.evolve(marks, day_end=reset.following(marks.day_start))
                )
        if self._risk is not None and rules != self._rules:
            log.warning("the limits are counted anew: %s", rules)
        self._risk, self._rules, self._reset = risk, rules, reset

    def _judge(
        self, account: Account, config: TradeConfig, now: datetime
    ) -> Deny | None:
        if now < _NO_QUOTE_BEFORE:
            return _NO_TIME
        if not _is_readable(account):
            figures = f"balance={account.balance!r} equity={account.equity!r}"
            return Deny("ACCOUNT_UNREADABLE", figures)
        own = _own_money(account)
        try:
            marks = self._moved(own, config, now)
        except RecordError as error:
            return Deny(
                "DRAWDOWN_STATE",
                f"what is on disk about {self._memory.key} cannot be read: {error}; "
                "restore the state directory, or remove it to begin anew",
            )
        marks = hear_server(marks, own, config.version, config.dd_blocked)
        missing = self._rules.missing
        if missing is None:
            daily, maximum = self._limits(marks, config)
            marks = latch(
                marks,
                daily,
                maximum,
                own.equity,
                now,
                config.version,
                closes=self._rules.on_breach is BreachAction.FLATTEN,
            )
        deals = (*self._deals, *self._new)
        self._deals = [deal for deal in deals if deal.time >= marks.day_start]
        self._before, self._new = own, []
        self._memory.take(marks)
        self._memory.write(now, has_equity_peaks=self._has_equity_peaks)
        if missing is not None:
            return Deny("INITIAL_BALANCE_UNKNOWN", missing)
        return self._verdict_on(marks, config, own.equity)

    def _moved(self, own: Account, config: TradeConfig, now: datetime) -> Marks:
        """Return the marks, moved by this reading and the deals behind it."""
        key = f"{own.login}@{own.server}"
        is_known = self._memory.marks is not None and key == self._memory.key
        marks = self._memory.turn_to(key, self._reset)
        new, before = self._new, self._before if is_known else None
        deals = [*self._deals, *new]
        if marks is None:
            log.warning(
                "%s: nothing is known about this account; peaks count from now", key
            )
            peak = config.peak_balance if self.settings.server_peak else None
            marks = first_marks(own, peak, now, self._reset, deals)
        if not is_known:
            # What is told after a start is history, counted before or not.
            new = [deal for deal in new if deal.ticket > marks.last_deal]
        marks = count_cash(marks, own.balance, new, marks.initial_balance)
        initial = self._rules.initial_balance
        if initial != marks.initial_balance:
            marks = attrs.evolve(marks, initial_balance=initial, initial_shift=0.0)
        if before is not None and (cash := cash_of(new)):
            before = attrs.evolve(
                before, balance=before.balance + cash, equity=before.equity + cash
            )
        return advance(marks, own, now, self._reset, before, deals=deals, new=new)

    def _verdict_on(
        self, marks: Marks, config: TradeConfig, equity: float
    ) -> Deny | None:
        daily, maximum = self._limits(marks, config)
        for held, limit in ((marks.maximum, maximum), (marks.daily, daily)):
            if held is not None and limit.percent is not None:
                return Deny(held.code, held.detail, TradingState.LATCHED)
        fraction = self._rules.soft_limit_fraction
        if maximum.is_near(equity, fraction):
            return Deny("MAX_SOFT_LIMIT", maximum.figures(equity))
        if daily.is_near(equity, fraction):
            return Deny("DAILY_SOFT_LIMIT", daily.figures(equity))
        return None

    def _limits(self, marks: Marks, config: TradeConfig) -> tuple[Limit, Limit]:
        if self._limits_of is not None:
            of_marks, of_config, daily, maximum = self._limits_of
            if marks is of_marks and config is of_config:
                return daily, maximum
        risk, rules = config.risk_config, self._rules
        is_on = risk.dd_protection_enabled
        daily = daily_limit(
            rules, marks, risk.daily_dd_limit_percent if is_on else None
        )
        maximum = max_limit(
            rules, marks, risk.max_account_dd_percent if is_on else None
        )
        self._limits_of = marks, config, daily, maximum
        return daily, maximum

    @property
    def _has_equity_peaks(self) -> bool:
        rules: Rules = self._rules
        return (
            rules.daily_reference is DailyReference.INTRADAY_PEAK_EQUITY
            or rules.max_mode is MaxMode.TRAILING_EQUITY
        )


def _own_money(account: Account) -> Account:
    """Return the reading without credit, which is the broker's money."""
    if not account.credit:
        return account
    return attrs.evolve(account, equity=account.equity - account.credit, credit=0.0)


def _is_readable(account: Account) -> bool:
    return 0 < account.balance < math.inf and 0 < account.equity < math.inf


def _has_limit(risk: RiskConfig) -> bool:
    return risk.dd_protection_enabled and not (
        risk.daily_dd_limit_percent is None and risk.max_account_dd_percent is None
    )


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
