"""What the runner is doing, as plugins see it and heartbeats tell it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import attrs

from runner.core.account import Account
from runner.core.settings import EMPTY
from runner.core.trading_state import PAUSING, TradingState


@attrs.frozen(slots=True)
class PauseReason:
    """One reason why entries are not allowed; each is kept by its source.

    Attributes:
        source: Who says so, such as ``server.bot_status`` or a guard's name.
        code: ``UPPER_SNAKE`` reason code.
        detail: For a person.
        state: What the account is in while it holds.
    """

    source: str
    code: str
    detail: str = ""
    state: TradingState = attrs.field(
        default=TradingState.REDUCING, validator=attrs.validators.in_(PAUSING)
    )

    def __str__(self) -> str:
        """Return source, code and detail on one line."""
        text = f"{self.source} {self.code}"
        return f"{text}: {self.detail}" if self.detail else text


@attrs.frozen(slots=True, kw_only=True)
class RunnerStatus:
    """One consistent picture of the runner, taken by the loop between two bars.

    Attributes:
        account_id: The account id that the server knows.
        now: Wall-clock time, UTC-aware.
        session: Unique mark of this runner process.
        epoch: Fencing number of the lease; None without a lease.
        host: Host name.
        pid: Process id.
        runner_version: The runner's own version.
        trading_state: What the account may do.
        pause_reasons: Why entries are not allowed; empty when they are.
        account: Latest reading; None while the account is unknown.
        peak_balance: Highest balance seen, account currency; None while unknown.
        open_positions: Number of open positions; None while unknown.
        foreign_positions: Of these, how many are not the runner's own; None while
            unknown.
        trade_config_version: Applied version; None before the first.
        strategy_versions: Strategy id to its applied version.
        config_errors: One line per refused value.
        config_age_s: Seconds since the server last confirmed the configuration.
        last_tick: Time of the newest quote, UTC-aware.
        loop_lag_ms: How long the last cycle took beyond its plan, in milliseconds.
        failing: Plugins and strategies that fail, with their last error.
        reports: Fields that plugins add to the heartbeat.
    """

    account_id: str
    now: datetime
    session: str
    host: str
    pid: int
    runner_version: str
    trading_state: TradingState
    epoch: int | None = None
    pause_reasons: tuple[PauseReason, ...] = ()
    account: Account | None = None
    peak_balance: float | None = None
    open_positions: int | None = None
    foreign_positions: int | None = None
    trade_config_version: int | None = None
    strategy_versions: Mapping[int, int] = EMPTY
    config_errors: tuple[str, ...] = ()
    config_age_s: float | None = None
    last_tick: datetime | None = None
    loop_lag_ms: float = 0.0
    failing: Mapping[str, str] = EMPTY
    reports: Mapping[str, str] = EMPTY
