"""Every limit and every setting that exists has a test that fails when it is not wired.

A limit that nothing calls is worse than none: somebody relies on it. Each table names,
for each field of what users or the server write, the test that puts it through: from
the file or the body to what then happens at the terminal. A new field without its test
fails here.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs
import pytest

from runner import Plugin, StrategyConfig, TradeConfig
from runner.core.command_flow import CommandFlow
from runner.core.settings import TradeSettings
from runner.host.discovery import discover
from runner.settings import RunnerSettings
from runner.wire.commands import CommandAction
from runner.wire.heartbeat import ServerHeartbeat

TESTS = Path(__file__).parents[1]
TOLD_ONLY = ""
"""In place of a test: what is for people, and decides nothing here."""


def _in(file: str, **tests: str) -> dict[str, str]:
    return {field: f"{file}::{test}" for field, test in tests.items()}


FILE, MANY = "whole/test_whole_runner_settings.py", "acceptance/test_many_accounts.py"
SERVER, DRAWDOWN = "whole/test_server_settings.py", "whole/test_drawdown_settings.py"
LIMITS, GUARDS = "whole/test_guard_limits.py", "whole/test_guard_settings.py"

RUNNER: Mapping[str, str] = {
    **_in(
        MANY,
        accounts="test_accounts_of_one_file_run_each_with_its_own_and_stop_in_order",
        frozen_after="test_a_frozen_worker_is_killed_and_started_again_and_it_is_said",
    ),
    **_in(
        FILE,
        api_url="test_the_key_is_sent_as_the_server_wants_it",
        api_key_header="test_the_key_is_sent_as_the_server_wants_it",
        api_key_prefix="test_the_key_is_sent_as_the_server_wants_it",
        redis_url="test_heartbeats_are_sent_so_often",
        plugin_dirs="test_a_folder_of_plugins_that_is_not_named_is_not_used",
        terminal="test_the_terminal_is_the_named_one",
        feed="test_times_are_of_the_brokers_clock",
        speed="test_a_feed_that_is_not_to_end_the_run_does_not",
        state_dir="test_state_and_journal_lie_where_they_are_told_to",
        journal="test_state_and_journal_lie_where_they_are_told_to",
        journal_mb="test_journals_have_so_much_room",
        heartbeat_interval="test_heartbeats_are_sent_so_often",
        poll_interval="test_the_server_is_asked_so_often",
        log_format="test_the_log_is_of_the_chosen_format",
        exit_when_feed_ends="test_times_are_of_the_brokers_clock",
        timeframe="test_bars_are_of_the_chosen_timeframe",
        paper_balance="test_the_paper_account_is_as_chosen",
        paper_currency="test_the_paper_account_is_as_chosen",
        paper_leverage="test_the_paper_account_is_as_chosen",
        symbols="test_symbol_rules_are_of_the_file",
        symbol_aliases="test_a_symbol_may_have_another_name_at_the_broker",
        server_timezone="test_times_are_of_the_brokers_clock",
        mt5_login="test_the_terminal_is_the_named_one",
        mt5_server="test_the_terminal_is_the_named_one",
        mt5_path="test_the_terminal_is_the_named_one",
        on_restart="test_what_a_restart_finds_open_becomes_what_was_chosen",
        max_config_age_h="test_a_config_that_nobody_confirms_grows_too_old",
        enabled_plugins="test_a_plugin_that_must_load_or_nothing_runs",
        disabled_plugins="test_a_plugin_that_is_disabled_is_not_used",
        plugins="test_a_section_of_a_plugin_is_its_settings",
    ),
    **_in(
        "acceptance/test_commands.py",
        standby="test_a_second_runner_of_an_account_refuses_to_start",
    ),
    **_in(
        "acceptance/test_paper_terminal.py",
        paper_terminal="test_an_account_outlives_the_runner_that_is_killed",
    ),
    **_in(
        "acceptance/test_misbehaving_strategies.py",
        strategy_time_limit="test_another_strategys_exits_and_the_heartbeat_go_on",
        memory_limit_mb="test_a_hoard_stops_entries_and_then_ends_the_process_cleanly",
    ),
}
CONFIG: Mapping[str, str] = {
    **_in(
        SERVER,
        version="test_the_versions_in_force_are_told",
        bot_status="test_a_status_of_the_config_stops_entries",
        account_status="test_a_status_of_the_config_stops_entries",
        subscription_status="test_a_status_of_the_config_stops_entries",
        subscription_expiry="test_entries_end_with_the_subscription",
        dd_blocked="test_a_status_of_the_config_stops_entries",
        dd_block_reason="test_a_status_of_the_config_stops_entries",
        active_bot_id="test_the_active_bot_alone_opens",
    ),
    **dict.fromkeys(("current_balance", "active_bot_name"), TOLD_ONLY),
    **_in(
        DRAWDOWN,
        peak_balance="test_the_servers_peak_counts_unless_told_otherwise",
        risk_config="test_every_setting_has_its_test",
    ),
    **_in("whole/test_every_limit.py", trade_config="test_each_field_has_its_test"),
}
TRADE: Mapping[str, str] = {
    **_in(
        SERVER,
        enabled_symbols="test_symbols_that_are_not_enabled_are_not_opened",
        lot_size="test_an_order_is_of_the_servers_size",
        dynamic_position_sizing_enabled="test_size_follows_the_risk_if_the_server_says_so",
    ),
    **_in(
        "whole/test_whole_news_pause.py",
        auto_pause_on_news="test_the_server_switches_it_in_both_directions",
    ),
}
STRATEGY: Mapping[str, str] = {
    **_in(
        SERVER,
        version="test_the_versions_in_force_are_told",
        bot_strategy_id="test_the_active_bot_alone_opens",
        bot_strategy_class="test_the_class_that_is_named_trades",
        bot_status="test_a_strategy_that_is_paused_opens_nothing",
        is_pair_trading="test_pairs_are_refused",
        allowed_symbols="test_symbols_that_a_strategy_is_not_allowed_are_not_opened",
        parameters_by_symbol="test_each_symbol_has_its_parameters",
    ),
    **dict.fromkeys(
        ("bot_strategy_name", "optimization_config", "last_optimization_date"),
        TOLD_ONLY,
    ),
}
HEARTBEAT: Mapping[str, str] = {
    **_in(
        SERVER,
        bot_status="test_a_status_of_the_servers_heartbeat_stops_entries",
        account_status="test_a_status_of_the_servers_heartbeat_stops_entries",
        subscription_status="test_a_status_of_the_servers_heartbeat_stops_entries",
        dd_blocked="test_a_status_of_the_servers_heartbeat_stops_entries",
        dd_block_reason="test_a_status_of_the_servers_heartbeat_stops_entries",
    ),
    "last_update": TOLD_ONLY,
}
COMMANDS: Mapping[str, str] = dict.fromkeys(
    ("RUN", "PAUSE", "FLATTEN", "EMERGENCY_STOP"), f"{SERVER}::test_a_command_is_obeyed"
)
LEVELS: Mapping[str, str] = dict.fromkeys(
    ("account", "fleet"), f"{FILE}::test_the_server_is_asked_so_often"
)
PLUGINS: Mapping[str, Mapping[str, str]] = {
    "heartbeat": _in(FILE, interval="test_heartbeats_are_sent_so_often"),
    "sizing": _in(
        SERVER,
        risk_percent="test_the_risk_is_as_high_as_the_sizing_says",
        max_volume="test_no_order_is_larger_than_the_sizing_allows",
    ),
    "limits": _in(
        LIMITS,
        orders_per_minute="test_no_more_orders_a_minute_than_the_limit",
        orders_per_minute_strategy="test_no_strategy_sends_more_orders_a_minute",
        positions="test_no_more_positions_than_the_limit",
        positions_strategy="test_no_strategy_holds_more_positions",
        positions_symbol="test_no_symbol_has_more_positions",
        lots="test_no_more_lots_than_the_limit",
        lots_symbol="test_no_symbol_has_more_lots",
        exposure="test_no_more_exposure_than_the_limit",
        exposure_symbol="test_no_symbol_has_more_exposure",
    ),
    "trading_hours": _in(
        GUARDS,
        zone="test_hours_are_of_the_chosen_zone",
        hours="test_nothing_is_opened_outside_of_the_hours",
        friday_stop="test_from_a_time_on_friday_nothing_is_opened",
        friday_close="test_from_a_time_on_friday_own_positions_are_closed",
        sunday_start="test_the_weekend_ends_when_chosen",
        no_weekend="test_a_symbol_may_have_no_weekend",
    ),
    "spread": _in(
        GUARDS,
        points="test_a_wide_spread_stops_entries",
        times_usual="test_a_spread_wider_than_usual_stops_entries",
    ),
    "slippage": _in(
        GUARDS,
        points="test_a_bad_fill_pauses_its_symbol",
        average_points="test_fills_that_are_bad_on_average_pause_their_symbol",
        fills="test_the_average_is_of_so_many_fills",
        pause_minutes="test_the_pause_after_a_bad_fill_is_as_long_as_chosen",
    ),
    "cooldown": _in(
        GUARDS,
        loss_minutes="test_a_loss_pauses_its_symbol",
        losses="test_so_many_losses_are_a_row",
        losses_minutes="test_losses_in_a_row_pause_their_symbol",
        stop_out_minutes="test_a_stop_out_pauses_its_symbol",
        scope="test_a_loss_pauses_the_account_if_chosen",
    ),
    "equity_target": _in(
        GUARDS,
        initial_balance="test_the_target_is_a_percentage_of_the_initial_balance",
        percent="test_the_target_ends_trading",
        close_positions="test_own_positions_are_closed_at_the_target_if_chosen",
    ),
}
BOTS = "whole/test_strategy_parameters.py"
STRATEGIES: Mapping[str, Mapping[str, str]] = {
    "TrendFollowingBot": _in(
        BOTS,
        threshold_points="test_threshold_points_is_how_far_a_bar_must_close",
        stop_loss="test_stop_loss_and_take_profit_stand_at_the_broker",
        take_profit="test_stop_loss_and_take_profit_stand_at_the_broker",
        lookback_period="test_lookback_period_is_what_makes_the_channel",
    ),
    "MeanReversionBot": _in(
        BOTS,
        lookback_period="test_lookback_period_makes_mean_and_deviation",
        entry_deviations="test_entry_deviations_is_how_far_opens",
        exit_deviations="test_exit_deviations_is_how_near_closes",
        stop_loss="test_stop_loss_of_the_reversion_stands_at_the_broker",
        holding_minutes="test_holding_minutes_is_the_longest_life",
    ),
}
ELSEWHERE: Mapping[str, str] = {
    "drawdown": f"{DRAWDOWN}::test_every_setting_has_its_test",
    "news_pause": "whole/test_whole_news_pause.py::test_every_setting_has_such_a_test",
}
"""Plugins whose table stands beside their tests, to the test of that table."""

TABLES: Mapping[str, tuple[type, Mapping[str, str]]] = {
    "runner": (RunnerSettings, RUNNER),
    "trade config": (TradeConfig, CONFIG),
    "its trade settings": (TradeSettings, TRADE),
    "strategy config": (StrategyConfig, STRATEGY),
    "server's heartbeat": (ServerHeartbeat, HEARTBEAT),
    "commands' levels": (CommandFlow, LEVELS),
}


def _settings() -> Iterator[tuple[str, type]]:
    for name, record in discover().plugins.items():
        if isinstance(record.obj, type) and issubclass(record.obj, Plugin):
            yield name, record.obj.Settings


def _fields(cls: type) -> set[str]:
    return {field.name for field in attrs.fields(cls)}


@pytest.mark.parametrize("table", TABLES)
def test_each_field_has_its_test(table: str) -> None:
    """And each test its field."""
    cls, tests = TABLES[table]

    assert _fields(cls) == tests.keys()


def test_each_command_has_its_test() -> None:
    """Whatever an operator may want."""
    assert set(CommandAction) == COMMANDS.keys()


def test_each_setting_of_each_built_in_plugin_has_its_test() -> None:
    """A new plugin needs a table, here or beside its tests."""
    found = {name: _fields(cls) for name, cls in _settings() if name not in ELSEWHERE}

    assert {name: set(tests) for name, tests in PLUGINS.items()} == found
    assert ELSEWHERE.keys() <= dict(_settings()).keys()


def test_each_parameter_of_each_built_in_strategy_has_its_test() -> None:
    """What the server may set of them."""
    found = {
        name: _fields(record.cls.Parameters)
        for name, record in discover().strategies.items()
    }

    assert {name: set(tests) for name, tests in STRATEGIES.items()} == found


@functools.cache
def _tests_in(file: str) -> frozenset[str]:
    tree = ast.parse((TESTS / file).read_text("utf-8"))
    functions = [one for one in tree.body if isinstance(one, ast.FunctionDef)]
    return frozenset(one.name for one in functions)


def test_each_test_that_is_named_exists() -> None:
    """In the file that is named."""
    tables = [
        *(tests for _, tests in TABLES.values()),
        *PLUGINS.values(),
        *STRATEGIES.values(),
        ELSEWHERE,
        COMMANDS,
    ]
    named = {test for tests in tables for test in tests.values()} - {TOLD_ONLY}

    assert [] == [
        test
        for test in sorted(named)
        if test.partition("::")[2] not in _tests_in(test.partition("::")[0])
    ]
