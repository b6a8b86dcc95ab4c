"""Measures an account: what a reading makes of what is remembered; the verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import attrs

from plugins.drawdown.days import advance, day_end, first_marks
from plugins.drawdown.history import cash_of, count_cash, in_order
from plugins.drawdown.latches import hear_server, latch, settle
from plugins.drawdown.limits import Limit, daily_limit, max_limit
from plugins.drawdown.marks import Latch, Marks
from plugins.drawdown.memory import Memory, log
from plugins.drawdown.record import RecordError
from plugins.drawdown.rules import Rules, rules_of
from plugins.drawdown.settings import DrawdownSettings
from runner import (
    Account,
    BreachAction,
    DailyReference,
    DailyReset,
    Deal,
    Deny,
    MaxMode,
    PluginState,
    RiskConfig,
    TradeConfig,
    TradingState,
)

_NO_QUOTE_BEFORE = datetime(1980, 1, 1, tzinfo=UTC)
_LONGEST_DAY = timedelta(hours=25)
NO_TIME = Deny("MARKET_TIME_UNKNOWN", "no quote has come yet")


class Meter:
    """Holds the account against its limits.

    Args:
        settings: The choices of the settings file.
        state: Durable values.

    Attributes:
        memory: What is remembered about the account.
        rules: The choices in force.
        looked: What the last measurement was of; None if it failed.
        verdict: What speaks against entries; None for nothing.
    """

    def __init__(self, settings: DrawdownSettings, state: PluginState) -> None:
        self._settings = settings
        self.memory = Memory(state)
        self.rules: Rules = rules_of(settings)
        self.looked: tuple[Account, TradeConfig, datetime] | None = None
        self.verdict: Deny | None = None
        self._reset = self._reset_by(self.rules)
        self._risk: RiskConfig | None = None
        self._deals: list[Deal] = []
        self._new: list[Deal] = []
        self._before: Account | None = None
        self._limits_of: tuple[Marks, TradeConfig, Limit, Limit] | None = None
        self._is_settled = False

    def hear_deals(self, deals: Sequence[Deal]) -> None:
        """Keep deals for the reading that follows."""
        self._new += in_order(deals)

    def measure(self, account: Account, config: TradeConfig, now: datetime) -> None:
        """Take a reading: move what is remembered, latch, and judge anew.

        Args:
            account: The reading.
            config: The trade config in force.
            now: The market's time, UTC-aware.
        """
        looked = self.looked
        if (
            looked is not None
            and not self._is_settled
            and account is looked[0]
            and config is looked[1]
            and now == looked[2]
        ):
            return
        self.looked, self._is_settled = None, False
        self._choose(config.risk_config)
        verdict = self._judge(account, config, now)
        self.verdict = verdict if has_limit(config.risk_config) else None
        self.looked = account, config, now

    def _choose(self, risk: RiskConfig) -> None:
        """Put the choices in force that settings and server make together."""
        if risk is self._risk:
            return
        rules = rules_of(self._settings, risk)
        reset = self._reset_by(rules)
        if reset != self._reset:
            self._before = None  # what equity was at the new reset nobody knows
            if self.memory.marks is not None:
                marks = self.memory.marks
                self.memory.take(
                    attrs.evolve(marks, day_end=day_end(marks.day_start, reset))
                )
        if self._risk is not None and rules != self.rules:
            log.warning("the limits are counted anew: %s", rules)
        self._risk, self.rules, self._reset = risk, rules, reset

    def _reset_by(self, rules: Rules) -> DailyReset:
        text = rules.daily_reset
        return DailyReset.parse(self._settings.broker_day if text == "broker" else text)

    def _judge(
        self, account: Account, config: TradeConfig, now: datetime
    ) -> Deny | None:
        if now < _NO_QUOTE_BEFORE:
            return NO_TIME
        if not is_readable(account):
            figures = f"balance={account.balance!r} equity={account.equity!r}"
            return Deny("ACCOUNT_UNREADABLE", figures)
        own = own_money(account)
        try:
            marks = self._moved(own, config, now)
        except RecordError as error:
            return Deny(
                "DRAWDOWN_STATE",
                f"what is on disk about {self.memory.key} cannot be read: {error}; "
                "restore the state directory, or remove it to begin anew",
            )
        marks = hear_server(marks, own, config.version, config.dd_blocked)
        missing = self.rules.missing
        if missing is None:
            daily, maximum = self.limits(marks, config)
            marks = latch(
                marks,
                daily,
                maximum,
                own.equity,
                now,
                config.version,
                closes=self.rules.on_breach is BreachAction.FLATTEN,
            )
        deals = (*self._deals, *self._new)
        # The server may move the reset: by a day at most, back from where it was.
        since = min(marks.day_start, now - _LONGEST_DAY)
        self._deals = [deal for deal in deals if deal.time >= since]
        self._before, self._new = own, []
        self.memory.take(marks)
        self.memory.write(now, has_equity_peaks=self._has_equity_peaks)
        for held in self.held(config.risk_config):
            return Deny(held.code, held.detail, TradingState.LATCHED)
        if missing is not None:
            return Deny("INITIAL_BALANCE_UNKNOWN", missing)
        return self._near(marks, config, own.equity)

    def _moved(self, own: Account, config: TradeConfig, now: datetime) -> Marks:
        """Return the marks, moved by this reading and the deals behind it."""
        key = f"{own.login}@{own.server}"
        is_known = self.memory.marks is not None and key == self.memory.key
        marks = self.memory.turn_to(key, self._reset)
        new, before = self._new, self._before if is_known else None
        deals = [*self._deals, *new]
        if marks is None:
            log.warning(
                "%s: nothing is known about this account; peaks of balance are what "
                "its deals and the server say, others count from now",
                key,
            )
            peak = config.peak_balance if self._settings.server_peak else None
            marks = first_marks(own, peak, now, self._reset, deals)
        # What is told after a start is history, counted before or not.
        new = [deal for deal in new if deal.ticket > marks.last_deal]
        marks = count_cash(marks, own.balance, new, marks.initial_balance)
        initial = self.rules.initial_balance
        # One that is missing for a while does not make the payments undone.
        if initial is not None and initial != marks.initial_balance:
            marks = attrs.evolve(marks, initial_balance=initial, initial_shift=0.0)
        if before is not None and (cash := cash_of(new)):
            before = attrs.evolve(
                before, balance=before.balance + cash, equity=before.equity + cash
            )
        return advance(marks, own, now, self._reset, before, deals=deals, new=new)

    def held(self, risk: RiskConfig) -> list[Latch]:
        """Return the breaches whose limit is on, the gravest first."""
        marks = self.memory.marks
        if marks is None or not risk.dd_protection_enabled:
            return []
        return [
            latched
            for latched, percent in (
                (marks.maximum, risk.max_account_dd_percent),
                (marks.daily, risk.daily_dd_limit_percent),
            )
            if latched is not None and percent is not None
        ]

    def _near(self, marks: Marks, config: TradeConfig, equity: float) -> Deny | None:
        daily, maximum = self.limits(marks, config)
        fraction = self.rules.soft_limit_fraction
        if maximum.is_near(equity, fraction):
            return Deny("MAX_SOFT_LIMIT", maximum.figures(equity))
        if daily.is_near(equity, fraction):
            return Deny("DAILY_SOFT_LIMIT", daily.figures(equity))
        return None

    def limits(self, marks: Marks, config: TradeConfig) -> tuple[Limit, Limit]:
        """Return the daily and the maximum limit as they are now."""
        if self._limits_of is not None:
            of_marks, of_config, daily, maximum = self._limits_of
            if marks is of_marks and config is of_config:
                return daily, maximum
        risk, rules = config.risk_config, self.rules
        is_on = risk.dd_protection_enabled
        daily = daily_limit(
            rules, marks, risk.daily_dd_limit_percent if is_on else None
        )
        maximum = max_limit(
            rules, marks, risk.max_account_dd_percent if is_on else None
        )
        self._limits_of = marks, config, daily, maximum
        return daily, maximum

    def settle(self, *, is_left: bool) -> None:
        """Note whether a breach has anything left to close."""
        marks = self.memory.marks
        if marks is None:
            return
        settled = settle(marks, is_left=is_left)
        if settled is not marks:
            self.memory.take(settled)
            self._is_settled = True  # to be written and judged anew

    @property
    def _has_equity_peaks(self) -> bool:
        rules: Rules = self.rules
        return (
            rules.daily_reference is DailyReference.INTRADAY_PEAK_EQUITY
            or rules.max_mode is MaxMode.TRAILING_EQUITY
        )


def own_money(account: Account) -> Account:
    """Return the reading without credit, which is the broker's money."""
    if not account.credit:
        return account
    return attrs.evolve(account, equity=account.equity - account.credit, credit=0.0)


def is_readable(account: Account) -> bool:
    """Say whether balance and equity can be right.

    A terminal that is connecting says 0. An equity below 0 is no such thing: a gap has
    lost more than there was.
    """
    is_known = math.isfinite(account.equity) and account.equity != 0
    return is_known and 0 < account.balance < math.inf


def has_limit(risk: RiskConfig) -> bool:
    """Say whether any limit is to be kept."""
    return risk.dd_protection_enabled and not (
        risk.daily_dd_limit_percent is None and risk.max_account_dd_percent is None
    )
