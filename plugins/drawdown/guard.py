"""The drawdown guard: measures on every reading, remembers on disk, denies entries."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import attrs

from plugins.drawdown.latches import hear_server, latch
from plugins.drawdown.limits import Limit, daily_limit, max_limit
from plugins.drawdown.marks import Marks, advance, first_marks
from plugins.drawdown.record import RecordError, from_record, to_record
from plugins.drawdown.settings import (
    DailyReference,
    DailyReset,
    DrawdownSettings,
    MaxMode,
)
from runner import (
    Account,
    Deny,
    Plugin,
    PluginState,
    RiskConfig,
    TradeConfig,
    hookimpl,
)

log = logging.getLogger("mt5runner.plugins.drawdown")

_PEAKS_EVERY = timedelta(seconds=60)
_NO_QUOTE_BEFORE = datetime(1980, 1, 1, tzinfo=UTC)

_NO_TIME = Deny("MARKET_TIME_UNKNOWN", "no quote has come yet")


class Drawdown(Plugin):
    """Stops entries at a daily and at a maximum loss, measured on equity."""

    Settings = DrawdownSettings
    settings: DrawdownSettings

    def __init__(self, settings: DrawdownSettings, state: PluginState) -> None:
        super().__init__(settings, state)
        self._rules = settings.rules
        self._reset = DailyReset.parse(self._rules.daily_reset)
        self._has_equity_peaks = (
            self._rules.daily_reference is DailyReference.INTRADAY_PEAK_EQUITY
            or self._rules.max_mode is MaxMode.TRAILING_EQUITY
        )
        self._key = ""
        self._marks: Marks | None = None
        self._stored: Marks | None = None
        self._stored_at: datetime | None = None
        self._is_stored = False
        self._before: Account | None = None
        self._config: TradeConfig | None = None
        self._now: datetime | None = None
        self._limits_of: tuple[Marks, TradeConfig, Limit, Limit] | None = None
        self._is_measured = False
        self._verdict: Deny | None = None

    @hookimpl
    def on_account(self, account: Account, config: TradeConfig, now: datetime) -> None:
        """Measure the account."""
        self._measure(account, config, now)

    @hookimpl
    def check_trading(
        self, account: Account, config: TradeConfig, now: datetime
    ) -> Deny | None:
        """Deny entries while a limit is latched, or while it cannot be told."""
        self._measure(account, config, now)
        return self._verdict

    @hookimpl
    def describe_status(self, account: Account, now: datetime) -> Mapping[str, str]:
        """Report both losses in percent, the block and its reason, peak and reset."""
        verdict = self._verdict
        if not self._is_measured or verdict is _NO_TIME:
            # Before the first quote nothing is measured: entries are denied, but to
            # call that a drawdown block would raise an alarm at every start.
            return {}
        fields = {
            "dd_blocked": "false" if verdict is None else "true",
            "dd_block_reason": "" if verdict is None else str(verdict),
        }
        if self._marks is None or self._config is None or not _is_readable(account):
            return fields
        daily, maximum = self._limits(self._marks, self._config)
        return fields | {
            "daily_dd_percent": f"{daily.used(account.equity):.4f}",
            "max_dd_percent": f"{maximum.used(account.equity):.4f}",
            "peak_balance": f"{self._marks.peak_balance:.4f}",
            "dd_reset_at": f"{self._marks.day_end:%Y-%m-%dT%H:%M:%SZ}",
            "dd_estimated": "true" if self._marks.is_estimated else "false",
        }

    @hookimpl
    def on_stopping(self, reason: str, now: datetime) -> None:
        """Put the newest peaks on disk."""
        if self._marks is not None:
            self._store(self._marks, now)

    def _measure(self, account: Account, config: TradeConfig, now: datetime) -> None:
        is_same = account is self._before and config is self._config
        if self._is_measured and is_same and now == self._now:
            return
        self._is_measured = False
        verdict = self._judge(account, config, now)
        self._config, self._now = config, now
        self._verdict = verdict if _has_limit(config.risk_config) else None
        self._is_measured = True

    def _judge(
        self, account: Account, config: TradeConfig, now: datetime
    ) -> Deny | None:
        if now < _NO_QUOTE_BEFORE:
            return _NO_TIME
        if not _is_readable(account):
            figures = f"balance={account.balance!r} equity={account.equity!r}"
            return Deny("ACCOUNT_UNREADABLE", figures)
        try:
            marks = self._known_marks(account, config, now)
        except RecordError as error:
            return Deny(
                "DRAWDOWN_STATE",
                f"what is on disk about {self._key} cannot be read: {error}; restore "
                "the state directory, or remove it to begin anew",
            )
        marks = advance(marks, account, now, self._reset, self._before)
        marks = hear_server(marks, account, config.version, config.dd_blocked)
        daily, maximum = self._limits(marks, config)
        marks = latch(marks, daily, maximum, account.equity, now, config.version)
        self._before = account
        if marks is not self._marks:
            self._tell(self._marks, marks)
            self._marks, self._is_stored = marks, False
        if not self._is_stored:
            self._remember(marks, now)
        if marks.maximum is not None and maximum.percent is not None:
            return Deny(marks.maximum.code, marks.maximum.detail)
        if marks.daily is not None and daily.percent is not None:
            return Deny(marks.daily.code, marks.daily.detail)
        return None

    def _known_marks(
        self, account: Account, config: TradeConfig, now: datetime
    ) -> Marks:
        key = f"{account.login}@{account.server}"
        if self._marks is not None and key == self._key:
            return self._marks
        self._key, self._marks, self._stored, self._before = key, None, None, None
        record = self.state.get(key)
        if record is not None:
            self._stored = from_record(record, self._reset)
            return self._stored
        log.warning(
            "%s: nothing is known about this account; day and peak count from now", key
        )
        server_peak = config.peak_balance if self.settings.server_peak else None
        return first_marks(account, server_peak, now, self._reset)

    def _limits(self, marks: Marks, config: TradeConfig) -> tuple[Limit, Limit]:
        if self._limits_of is not None:
            of_marks, of_config, daily, maximum = self._limits_of
            if marks is of_marks and config is of_config:
                return daily, maximum
        risk = config.risk_config
        is_on = risk.dd_protection_enabled
        daily_percent = risk.daily_dd_limit_percent if is_on else None
        max_percent = risk.max_account_dd_percent if is_on else None
        daily = daily_limit(self._rules, marks, daily_percent)
        maximum = max_limit(self._rules, marks, max_percent)
        self._limits_of = marks, config, daily, maximum
        return daily, maximum

    def _remember(self, marks: Marks, now: datetime) -> None:
        stored = self._stored
        if stored is not None and stored == attrs.evolve(
            marks,
            day_peak_equity=stored.day_peak_equity,
            peak_equity=stored.peak_equity,
        ):
            # Peaks of equity may rise with every quote. A crash loses a minute of them
            # at most, and nothing where no rule counts from them.
            if not self._has_equity_peaks:
                self._is_stored = True
                return
            if self._stored_at and abs(now - self._stored_at) < _PEAKS_EVERY:
                return
        self._store(marks, now)

    def _store(self, marks: Marks, now: datetime) -> None:
        self.state.put(self._key, to_record(marks))
        self._stored, self._stored_at, self._is_stored = marks, now, True

    def _tell(self, old: Marks | None, new: Marks) -> None:
        if old is None:
            # After a start what is latched is told again, and a missed reset is told.
            old = attrs.evolve(self._stored or new, daily=None, maximum=None)
        if new.daily is not None and new.daily != old.daily:
            log.error("entries stop: %s: %s", new.daily.code, new.daily.detail)
        if old.daily is not None and new.daily is None:
            log.warning("the daily limit counts from a new day, entries may go on")
        if new.maximum is not None and old.maximum is None:
            log.error("entries stop: %s: %s", new.maximum.code, new.maximum.detail)
        if old.maximum is not None and new.maximum is None:
            log.warning("the server released the maximum limit; peaks begin anew")
        if new.day_start != old.day_start and new.is_estimated:
            log.warning(
                "nobody looked at the account when the day began at %s: its reference "
                "is estimated",
                f"{new.day_start:%Y-%m-%dT%H:%MZ}",
            )


def _is_readable(account: Account) -> bool:
    return 0 < account.balance < math.inf and 0 < account.equity < math.inf


def _has_limit(risk: RiskConfig) -> bool:
    return risk.dd_protection_enabled and not (
        risk.daily_dd_limit_percent is None and risk.max_account_dd_percent is None
    )
