"""When a heartbeat is due, and what it says."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.heartbeat import (
    Heartbeat,
    HeartbeatSettings,
    Notable,
    Sent,
    compose,
    is_due,
)
from runner import BotHeartbeat, PauseReason, RunnerStatus, TradingState
from runner.testing import make_account, make_plugin

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
INTERVAL = timedelta(seconds=30)
SEED_FIELDS = [
    "mt5_account_id",
    "timestamp",
    "bot_status",
    "current_balance",
    "peak_balance",
    "dd_blocked",
    "dd_block_reason",
    "last_seen",
]
PAUSED = PauseReason("config.bot_status", "PAUSED")
BLOCKED = PauseReason("drawdown", "DAILY_DRAWDOWN", "used=5.10% limit=5%")


def make_status(**changes: Any) -> RunnerStatus:
    """Return the picture of a healthy runner, changed."""
    fields: dict[str, Any] = {
        "account_id": "123456",
        "now": NOW,
        "session": "host:1:abc",
        "epoch": 7,
        "host": "host",
        "pid": 1,
        "runner_version": "0.1.0",
        "trading_state": TradingState.ACTIVE,
        "account": make_account(10_000.0, equity=9_900.5),
        "peak_balance": 12_000.0,
        "open_positions": 2,
        "foreign_positions": 1,
        "trade_config_version": 5,
        "strategy_versions": {1: 3},
        "config_age_s": 12.4,
        "last_tick": NOW - SECOND,
        "loop_lag_ms": 3.7,
    }
    return RunnerStatus(**fields | changes)


def sent(at: datetime = NOW, **changes: Any) -> Sent:
    """Return a heartbeat of that time and picture."""
    return Sent(at, Notable.of(make_status(**changes)))


def test_the_first_heartbeat_is_due_at_once() -> None:
    """A runner shows itself as soon as it has something to say."""
    assert is_due(make_status(), NOW, None, INTERVAL)


@pytest.mark.parametrize(("seconds", "due"), [(0, False), (29.9, False), (30, True)])
def test_without_a_change_the_interval_counts(seconds: float, due: bool) -> None:
    """Nothing new is said again after the interval, not before."""
    now = NOW + timedelta(seconds=seconds)

    assert due == is_due(make_status(), now, sent(), INTERVAL)


@pytest.mark.parametrize(
    "changes",
    [
        {"trading_state": TradingState.REDUCING},
        {"pause_reasons": (PAUSED,)},
        {"trade_config_version": 6},
        {"strategy_versions": {1: 4}},
        {"config_errors": ("$.lot_size: must be > 0, got -1",)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_change_is_told_after_a_second(changes: dict[str, Any]) -> None:
    """What an operator waits for does not wait for the interval, nor flood the wire."""
    status = make_status(**changes)

    assert not is_due(status, NOW + 0.9 * SECOND, sent(), INTERVAL)
    assert is_due(status, NOW + SECOND, sent(), INTERVAL)


@pytest.mark.parametrize(
    "changes",
    [
        {"account": make_account(1.0)},
        {"open_positions": 9},
        {"loop_lag_ms": 99.0},
        {"last_tick": NOW},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_figures_wait_for_the_interval(changes: dict[str, Any]) -> None:
    """Balances and lags change all the time; they are no reason for a heartbeat."""
    assert not is_due(make_status(**changes), NOW + SECOND, sent(), INTERVAL)


def test_the_figures_of_a_reason_are_no_change() -> None:
    """A reason whose detail counts seconds would otherwise flood the wire."""
    before = sent(pause_reasons=(BLOCKED,))
    status = make_status(pause_reasons=(attrs.evolve(BLOCKED, detail="used=5.20%"),))

    assert not is_due(status, NOW + SECOND, before, INTERVAL)


def test_the_stop_is_told_within_the_second() -> None:
    """The last heartbeat of a clean stop must not fall to the rate limit."""
    status = make_status(trading_state=TradingState.STOPPED)

    assert is_due(status, NOW + 0.1 * SECOND, sent(), INTERVAL)


def test_a_clock_that_was_set_back_makes_one_due() -> None:
    """Otherwise the bot would be silent until the clock had caught up."""
    assert is_due(make_status(), NOW - timedelta(hours=1), sent(), INTERVAL)


def test_the_seed_fields_come_first_and_complete() -> None:
    """A server that speaks only the seed finds all of its fields."""
    fields = compose(make_status(pause_reasons=(PAUSED,)), NOW)

    assert SEED_FIELDS == list(fields)[:8]
    assert {
        "mt5_account_id": "123456",
        "timestamp": "2026-03-02T12:00:00Z",
        "bot_status": "ACTIVE",
        "current_balance": "10000.0000",
        "peak_balance": "12000.0000",
        "dd_blocked": "false",
        "dd_block_reason": "",
        "last_seen": "2026-03-02T12:00:00Z",
    } == {name: fields[name] for name in SEED_FIELDS}


def test_the_further_fields_say_what_the_bot_does() -> None:
    """Every extension that the protocol names is there, in its encoding."""
    status = make_status(
        pause_reasons=(PAUSED,),
        config_errors=("bad",),
        failing={"metrics": "OSError: disk full"},
        reports={
            "daily_dd_percent": "1.2500",
            "max_dd_percent": "2.5000",
            "news": '{"state": "CLEAR"}',
            "dd_reset_at": "2026-03-02T22:00:00Z",
        },
    )

    fields = compose(status, NOW)

    expected = {
        "session": "host:1:abc",
        "epoch": "7",
        "host": "host",
        "pid": "1",
        "runner_version": "0.1.0",
        "trading_state": "ACTIVE",
        "pause_reasons": '["config.bot_status PAUSED"]',
        "equity": "9900.5000",
        "open_positions": "2",
        "foreign_positions": "1",
        "daily_dd_percent": "1.2500",
        "max_dd_percent": "2.5000",
        "trade_config_version": "5",
        "strategy_versions": '{"1":3}',
        "config_errors": '["bad"]',
        "config_age_s": "12",
        "last_tick": "2026-03-02T11:59:59Z",
        "loop_lag_ms": "4",
        "news": '{"state":"CLEAR"}',
        "failing": '{"metrics": "OSError: disk full"}',
        "dd_reset_at": "2026-03-02T22:00:00Z",
    }
    assert expected == {name: fields[name] for name in expected}
    assert len(SEED_FIELDS) + len(expected) == len(fields)


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (TradingState.ACTIVE, "ACTIVE"),
        (TradingState.REDUCING, "PAUSED"),
        (TradingState.STOPPED, "DOWN"),
    ],
)
def test_the_bot_status_follows_the_trading_state(
    state: TradingState, word: str
) -> None:
    """ACTIVE only while entries are allowed, DOWN only in the last one."""
    assert word == compose(make_status(trading_state=state), NOW)["bot_status"]


def test_an_unknown_account_has_empty_figures() -> None:
    """No figure is made up while the terminal does not answer."""
    status = make_status(account=None, peak_balance=None, open_positions=None)

    fields = compose(status, NOW)

    figures = ["current_balance", "peak_balance", "equity", "open_positions"]
    assert [""] * 4 == [fields[name] for name in figures]
    assert BotHeartbeat.from_hash(fields).current_balance is None


def test_the_drawdown_guard_fills_the_seeds_block() -> None:
    """Block, reason and peak are the guard's, who remembers them."""
    reports = {
        "dd_blocked": "true",
        "dd_block_reason": "DAILY_DRAWDOWN: used=5.10%",
        "peak_balance": "12500.0000",
    }

    fields = compose(make_status(reports=reports), NOW)

    assert reports == {name: fields[name] for name in reports}


def test_a_failing_drawdown_guard_counts_as_a_block() -> None:
    """It denies every entry, so the server is told that drawdown blocks."""
    failed = PauseReason("drawdown", "GUARD_FAILED", "OSError: disk full")

    fields = compose(make_status(pause_reasons=(PAUSED, failed)), NOW)

    assert "true" == fields["dd_blocked"]
    assert "GUARD_FAILED: OSError: disk full" == fields["dd_block_reason"]


def test_the_servers_own_block_is_not_echoed() -> None:
    """A server that copies the field would never lift its block."""
    server = PauseReason("config.dd_blocked", "DD_BLOCKED", "by hand")
    status = make_status(pause_reasons=(server,), reports={"dd_blocked": "false"})

    fields = compose(status, NOW)

    assert "false" == fields["dd_blocked"]
    assert '["config.dd_blocked DD_BLOCKED: by hand"]' == fields["pause_reasons"]


def test_a_report_replaces_no_field_of_the_runner() -> None:
    """A plugin cannot say of itself that the bot is alive, or who it is."""
    reports = {"bot_status": "ACTIVE", "session": "mine", "equity": "1", "pid": "2"}
    status = make_status(trading_state=TradingState.REDUCING, reports=reports)

    fields = compose(status, NOW)

    assert ["PAUSED", "host:1:abc", "9900.5000", "1"] == [fields[n] for n in reports]


@pytest.mark.parametrize(
    "reports",
    [
        {"daily_dd_percent": "much"},
        {"daily_dd_percent": "NaN"},
        {"max_dd_percent": "1e400"},
        {"peak_balance": "Infinity"},
        {"news": "not { JSON"},
        {"news": "NaN"},
        {"news": "[" * 100_000},
    ],
    ids=lambda reports: next(iter(reports)),
)
def test_a_plugins_garbage_does_not_silence_the_heartbeat(
    reports: dict[str, str],
) -> None:
    """The server still reads the whole hash; only that figure is unknown or a text."""
    fields = compose(make_status(reports=reports), NOW)

    heartbeat = BotHeartbeat.from_hash(fields)
    assert heartbeat.daily_dd_percent is None
    assert heartbeat.max_dd_percent is None
    assert Decimal("12000.0000") == heartbeat.peak_balance
    assert heartbeat.news in (None, reports.get("news"))


any_float = st.floats(allow_nan=True, allow_infinity=True)


@given(any_float, any_float, any_float, any_float)
def test_no_figure_silences_the_heartbeat(
    balance: float, equity: float, lag: float, age: float
) -> None:
    """Whatever the terminal says, the bot goes on showing that it lives."""
    status = make_status(
        account=make_account(balance, equity=equity),
        loop_lag_ms=lag,
        config_age_s=age,
        peak_balance=balance,
    )

    heartbeat = BotHeartbeat.from_hash(compose(status, NOW))

    assert "123456" == heartbeat.mt5_account_id


def test_the_plugin_sends_on_time_and_remembers_it() -> None:
    """The hook returns fields when one is due, and None until the next."""
    plugin = make_plugin(Heartbeat, interval=10.0)

    assert plugin.choose_heartbeat(make_status(), NOW) is not None
    assert plugin.choose_heartbeat(make_status(), NOW + 9 * SECOND) is None
    fields = plugin.choose_heartbeat(make_status(), NOW + 10 * SECOND)
    assert fields is not None
    assert "2026-03-02T12:00:10Z" == fields["timestamp"]
    assert json.loads(fields["failing"]) == {}


@pytest.mark.parametrize("interval", [0, -1, 50.1, 60])
def test_an_interval_that_outlives_the_hash_is_refused(interval: float) -> None:
    """The hash lives 60 s; a slower heartbeat would show a bot that is DOWN."""
    with pytest.raises(ValueError, match="'interval' must be"):
        HeartbeatSettings(interval=interval)
