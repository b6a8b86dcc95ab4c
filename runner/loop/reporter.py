"""Takes pictures of the runner for the heartbeat; work reported is the loop's own."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from runner.core.account import Account
from runner.core.restart import foreign
from runner.core.settings import TradeConfig
from runner.core.status import RunnerStatus
from runner.core.trading_state import TradingState
from runner.host.manager import PluginHost
from runner.loop.configs import Configs
from runner.loop.gate import Gate
from runner.loop.roster import Roster
from runner.loop.settings import LoopSettings
from runner.loop.view import View
from runner.ports import Clock, StateError, StateStore

log = logging.getLogger("mt5runner.loop")

_EVERY = 0.25  # seconds between two pictures
_PEAK_SAVED_EVERY = 60.0  # seconds between two writes of a rising peak balance
_ACCOUNT = "account"
_PEAK = "peak_balance"


class Reporter:
    """Knows what the runner is doing and says so.

    Args:
        view: Readings.
        host: Composes the heartbeat.
        roster: The strategies.
        configs: What the server configured.
        gate: The trading state and its reasons.
        store: Remembers the peak balance.
        clock: Wall-clock and monotonic time.
        settings: Who is reporting.

    Attributes:
        epoch: Fencing number of the lease; None without one.
        lag_ms: How long the last cycle took beyond its plan, in milliseconds.
    """

    def __init__(
        self,
        *,
        view: View,
        host: PluginHost,
        roster: Roster,
        configs: Configs,
        gate: Gate,
        store: StateStore,
        clock: Clock,
        settings: LoopSettings,
    ) -> None:
        self._view = view
        self._host = host
        self._roster = roster
        self._configs = configs
        self._gate = gate
        self._store = store
        self._clock = clock
        self._settings = settings
        self._peak: float | None = store.get(_ACCOUNT, _PEAK)
        self._peak_on_disk = self._peak
        self._peak_due_at = 0.0
        self._due_at = 0.0
        self.epoch = settings.epoch
        self.lag_ms = 0.0

    def hurry(self) -> None:
        """Take the next picture at once: something changed."""
        self._due_at = 0.0

    def heartbeat(self) -> Mapping[str, str] | None:
        """Return the heartbeat's fields if one is due."""
        now = self._clock.monotonic()
        if now < self._due_at:
            return None
        self._due_at = now + _EVERY
        return self._compose(self._gate.state or TradingState.REDUCING)

    def last_heartbeat(self) -> Mapping[str, str] | None:
        """Return the heartbeat that says that the runner has stopped."""
        self._save_peak()
        return self._compose(TradingState.STOPPED)

    def note_balance(self, account: Account, config: TradeConfig | None) -> None:
        """Keep the highest balance seen, here or by the server."""
        counts = config is not None and self._settings.server_peak
        told = config.peak_balance if config is not None and counts else None
        known = (account.balance, told, self._peak)
        self._peak = max(value for value in known if value is not None)
        now = self._clock.monotonic()
        if self._peak != self._peak_on_disk and now >= self._peak_due_at:
            self._peak_due_at = now + _PEAK_SAVED_EVERY
            self._save_peak()

    def _save_peak(self) -> None:
        if self._peak is None or self._peak == self._peak_on_disk:
            return
        try:
            self._store.put(_ACCOUNT, _PEAK, self._peak)
            self._peak_on_disk = self._peak
        except StateError as error:
            log.warning("the peak balance was not saved: %s", error)

    def _compose(self, state: TradingState) -> Mapping[str, str] | None:
        status = self._status(state)
        return self._host.choose_heartbeat(status=status, now=status.now)

    def _status(self, state: TradingState) -> RunnerStatus:
        settings, view, configs = self._settings, self._view, self._configs
        wall, account, trade = self._clock.now(), view.account, configs.trade
        confirmed = self._gate.confirmed_at
        age = None if confirmed is None else (wall - confirmed).total_seconds()
        reports: Mapping[str, str] = {}
        positions = view.positions if view.is_current else None
        if account is not None:
            reports = self._host.describe_status(account=account, now=view.now)
        return RunnerStatus(
            account_id=settings.account,
            now=wall,
            session=settings.session,
            epoch=self.epoch,
            host=settings.host,
            pid=settings.pid,
            runner_version=settings.version,
            trading_state=state,
            pause_reasons=self._gate.reasons,
            account=account,
            peak_balance=self._peak,
            open_positions=None if positions is None else len(positions),
            foreign_positions=(
                None
                if positions is None
                else len(foreign(positions, self._roster.magics))
            ),
            trade_config_version=None if trade is None else trade.version,
            strategy_versions=self._roster.versions,
            config_errors=configs.errors,
            config_age_s=age,
            last_tick=view.newest_tick_at,
            loop_lag_ms=self.lag_ms,
            failing=dict(self._host.failures),
            reports=reports,
        )
