"""The heartbeat: when one is due, and what it says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import attrs

from runner import (
    BotHeartbeat,
    Deny,
    Plugin,
    PluginSettings,
    RunnerStatus,
    TradingState,
    hookimpl,
)

_MINIMUM_GAP = timedelta(seconds=1)
_GUARD = "drawdown"
_BEYOND_REASON = 10**15
_BOT_STATUS = dict.fromkeys(TradingState, "PAUSED") | {
    TradingState.ACTIVE: "ACTIVE",
    TradingState.STOPPED: "DOWN",
}


@attrs.frozen(kw_only=True)
class HeartbeatSettings(PluginSettings):
    """Settings of the heartbeat.

    Attributes:
        interval: Seconds between two heartbeats when nothing changes. The hash lives
            60 s (seed, key 1), so that one heartbeat may be lost on the way.
    """

    interval: float = attrs.field(
        default=30.0,
        validator=[attrs.validators.gt(0), attrs.validators.le(50)],
    )


@attrs.frozen(slots=True)
class Notable:
    """What is told at once: a change in any of these makes a heartbeat due."""

    trading_state: TradingState
    pause_reasons: frozenset[tuple[str, str]]
    trade_config_version: int | None
    strategy_versions: tuple[tuple[int, int], ...]
    config_errors: tuple[str, ...]

    @classmethod
    def of(cls, status: RunnerStatus) -> Notable:
        """Take from *status* what is told at once.

        A reason's figures are left out: they may change with every quote.
        """
        return cls(
            status.trading_state,
            frozenset((reason.source, reason.code) for reason in status.pause_reasons),
            status.trade_config_version,
            tuple(sorted(status.strategy_versions.items())),
            status.config_errors,
        )


@attrs.frozen(slots=True)
class Sent:
    """The last heartbeat: when, and what it told."""

    at: datetime
    notable: Notable


def is_due(
    status: RunnerStatus, now: datetime, last: Sent | None, interval: timedelta
) -> bool:
    """Say whether a heartbeat is due.

    Args:
        status: The present picture.
        now: Wall-clock time, UTC-aware.
        last: The last heartbeat; None before the first.
        interval: Between two heartbeats when nothing changes.

    Returns:
        True for the first and for the stop; after *interval*; one second after the
        last for a change. A clock that was set back makes one due too.
    """
    if last is None or now < last.at:
        return True
    if now - last.at >= interval:
        return True
    if Notable.of(status) == last.notable:
        return False
    has_stopped = status.trading_state is TradingState.STOPPED
    return has_stopped or now - last.at >= _MINIMUM_GAP


def compose(status: RunnerStatus, now: datetime) -> dict[str, str]:
    """Write the heartbeat's hash fields (seed, key 1; protocol, Extensions).

    Reports of other plugins stand beside the runner's own fields and never replace
    them. Figures that are not finite are written as unknown, since a heartbeat that
    cannot be written would make a living bot look dead.

    Args:
        status: The present picture.
        now: Wall-clock time, UTC-aware.

    Returns:
        Field to text; the seed's fields first.
    """
    account = status.account
    reports = status.reports
    blocked, reason = _drawdown(status)
    fields = BotHeartbeat(
        mt5_account_id=status.account_id,
        timestamp=now,
        bot_status=_BOT_STATUS[status.trading_state],
        current_balance=_finite(account.balance if account else None),
        peak_balance=_decimal(reports.get("peak_balance"))
        or _finite(status.peak_balance),
        dd_blocked=blocked,
        dd_block_reason=reason,
        last_seen=status.now,
        session=status.session,
        epoch=status.epoch,
        host=status.host,
        pid=status.pid,
        runner_version=status.runner_version,
        trading_state=status.trading_state.value,
        pause_reasons=tuple(str(reason) for reason in status.pause_reasons),
        equity=_finite(account.equity if account else None),
        open_positions=status.open_positions,
        foreign_positions=status.foreign_positions,
        daily_dd_percent=_decimal(reports.get("daily_dd_percent")),
        max_dd_percent=_decimal(reports.get("max_dd_percent")),
        trade_config_version=status.trade_config_version,
        strategy_versions=status.strategy_versions,
        config_errors=status.config_errors,
        config_age_s=_whole(status.config_age_s),
        last_tick=status.last_tick,
        loop_lag_ms=_whole(status.loop_lag_ms),
        news=_json(reports.get("news")),
    ).to_hash()
    fields["failing"] = json.dumps(dict(status.failing), sort_keys=True)
    return fields | {name: reports[name] for name in reports if name not in fields}


def _drawdown(status: RunnerStatus) -> tuple[bool, str | None]:
    # The server's own block is not echoed: a server that copies this field from the
    # heartbeat would then hold its block for ever, each side waiting for the other.
    reported = status.reports.get("dd_blocked")
    if reported is not None:
        return reported == "true", status.reports.get("dd_block_reason") or None
    for reason in status.pause_reasons:
        if reason.source == _GUARD:
            return True, str(Deny(reason.code, reason.detail))
    return False, None


def _finite(value: float | None) -> Decimal | None:
    return None if value is None else _decimal(str(value))


def _decimal(text: str | None) -> Decimal | None:
    if not text:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() and abs(value) < _BEYOND_REASON else None


def _whole(value: float | None) -> int | None:
    known = _finite(value)
    return None if known is None else round(known)


def _json(text: str | None) -> Any | None:
    if not text:
        return None
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return text


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


class Heartbeat(Plugin):
    """Composes the heartbeat on time, and at once when something changed."""

    Settings = HeartbeatSettings
    settings: HeartbeatSettings
    _last: Sent | None = None

    @hookimpl
    def choose_heartbeat(
        self, status: RunnerStatus, now: datetime
    ) -> Mapping[str, str] | None:
        """Return the heartbeat's fields when one is due."""
        interval = timedelta(seconds=self.settings.interval)
        if not is_due(status, now, self._last, interval):
            return None
        fields = compose(status, now)
        self._last = Sent(now, Notable.of(status))
        return fields
