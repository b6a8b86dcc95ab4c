"""The limits in the loop: nothing slips through between two readings."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from plugins.limits import Limits
from runner import Bar, Intents, Outcome, Parameters, Strategy
from runner.app.plugins import load_plugins
from runner.settings import RunnerSettings
from runner.settings_sources import load
from runner.testing import make_account, make_plugin, make_trade_config


class Several(Strategy):
    """Wants a position in each of two symbols at once, again and again."""

    Parameters = Parameters

    def on_bar(self, bar: Bar) -> Intents:
        return [self.buy(name, volume=0.1) for name in ("EURUSD", "XAUUSD")]


@pytest.fixture
def several(world: Any, eager: Any) -> Any:
    """A world with that strategy; its limits are attached by the test."""
    world.classes["Several"] = Several
    world.terminal.quote("XAUUSD", 2000.0)

    def begin(**limits: Any) -> Any:
        world.plugins["limits"] = make_plugin(Limits, **limits)
        world.make()
        both = {"EURUSD": eager(), "XAUUSD": eager()}
        world.begin(name="Several", parameters_by_symbol=both)
        return world

    return begin


@pytest.mark.parametrize("answer", [Outcome.FILLED, Outcome.UNKNOWN])
def test_of_several_intents_at_once_no_more_pass_than_may_be_open(
    several: Any, answer: Outcome
) -> None:
    """Also when the answer to the first is lost, which is in another symbol."""
    world = several(positions=1)
    world.terminal.answer = answer
    world.bar()

    assert ["EURUSD"] == [one.symbol for one in world.opened]


def test_a_fill_that_is_not_shown_yet_counts(several: Any) -> None:
    """A terminal may be late."""
    world = several(positions=1)
    world.terminal.shows = False
    world.bar()

    assert 1 == len(world.opened)


def test_a_strategys_own_positions_are_told_from_others(several: Any) -> None:
    """By the number that marks them."""
    world = several(positions_strategy=1)
    world.terminal.add("GBPUSD", magic=77, ticket=1)
    world.bar()

    assert ["EURUSD"] == [one.symbol for one in world.opened]


def test_a_guard_with_a_section_of_settings_runs(world: Any) -> None:
    """From the settings to the host; without the section it does not."""
    plain = RunnerSettings()
    configured = RunnerSettings(plugins={"spread": {"points": 20.0}})

    _, without = load_plugins(plain, world.store)
    _, with_it = load_plugins(configured, world.store)

    assert {"spread"} == set(with_it.plugins) - set(without.plugins)
    assert "limits" in without.plugins


@pytest.mark.parametrize(
    ("zone", "ends"),
    [(None, "21:00"), ("Europe/Athens", "22:00"), ("UTC+1", "23:00")],
)
def test_the_brokers_day_is_that_of_the_servers_clock(
    world: Any, zone: str | None, ends: str
) -> None:
    """From the runner's setting to the drawdown guard's."""
    _, host = load_plugins(RunnerSettings(server_timezone=zone), world.store)
    account, now = make_account(), datetime(2026, 3, 12, 12, tzinfo=UTC)
    config = make_trade_config()
    host.on_account(account=account, positions=(), orders=(), config=config, now=now)

    status = host.describe_status(account=account, now=now)

    assert f"2026-03-12T{ends}:00Z" == status["dd_reset_at"]


def test_the_bounds_can_be_set_in_the_environment() -> None:
    """As every setting of the runner's own."""
    settings = load(
        {},
        {"MT5RUNNER_STRATEGY_TIME_LIMIT": "0.5", "MT5RUNNER_MEMORY_LIMIT_MB": "300"},
    )

    assert (0.5, 300) == (settings.strategy_time_limit, settings.memory_limit_mb)
