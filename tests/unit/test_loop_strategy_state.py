"""What a strategy remembers, by itself and by position, across restarts."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest

from runner import Bar, Intents, Strategy
from runner.ports import StateError
from runner.testing import START, run_bars
from runner.testing.values import make_bars


class Counter(Strategy):
    """Opens once; counts its bars, and those of its position."""

    def on_start(self) -> None:
        self.known = dict(self.state.items())

    def on_bar(self, bar: Bar) -> Intents:
        self.state.put("bars", (self.state.get("bars") or 0) + 1)
        for position in self.positions(bar.symbol):
            mine = self.state_of(position)
            mine.put("age", (mine.get("age") or 0) + 1)
        return self.buy(bar.symbol) if self.is_flat(bar.symbol) else None


class Clumsy(Strategy):
    """Wants to remember what JSON cannot say."""

    value: Any = math.nan

    def on_bar(self, bar: Bar) -> Intents:
        self.state.put("value", self.value)
        return self.buy(bar.symbol)


def begin(world, cls):
    """Start with that strategy."""
    world.classes[cls.__name__] = cls
    parameters = {"EURUSD": cls.Parameters()}
    world.begin(name=cls.__name__, parameters_by_symbol=parameters)


def strategy_of(world):
    """Return the instance that runs."""
    return world.roster.members[1].hosted._strategy


def kept(world):
    """Return what is on disk for strategy 1."""
    return world.store.items("strategy.1")


def test_values_are_there_again_before_the_first_call(world):
    """`on_start` sees what the last start kept, by strategy and by position."""
    begin(world, Counter)
    world.bar()
    world.bar()
    (ticket,) = world.terminal.open
    assert {"own": {"bars": 2}, f"position.{ticket}": {"age": 1}} == kept(world)
    world.make()

    begin(world, Counter)
    assert {"bars": 2} == strategy_of(world).known
    world.bar()

    assert {"own": {"bars": 3}, f"position.{ticket}": {"age": 2}} == kept(world)


@pytest.mark.parametrize("is_restarted", [False, True])
def test_what_belongs_to_a_position_goes_when_it_is_closed(world, is_restarted):
    """Also when it was closed while the runner was down; its own values stay."""
    begin(world, Counter)
    world.bar()
    world.bar()
    world.terminal.open.clear()
    if is_restarted:
        world.make()
        begin(world, Counter)

    world.bar("XAUUSD")
    world.bar("XAUUSD")
    world.cycle()
    world.terminal.quote("EURUSD")
    world.cycle()
    for _ in range(2):  # market time goes by
        world.terminal.time += timedelta(minutes=1)
        world.cycle()

    assert ["own"] == list(kept(world))


def test_a_reading_that_misses_a_position_for_a_moment_loses_nothing(world):
    """A terminal that has just come back may show less than there is."""
    begin(world, Counter)
    world.bar()
    world.bar()
    (ticket,) = world.terminal.open
    world.terminal.shows = False
    world.cycle(3)
    world.terminal.shows = True
    world.cycle()

    assert {"age": 1} == kept(world)[f"position.{ticket}"]


@pytest.mark.parametrize("value", [math.nan, {1, 2}, object()])
def test_what_json_cannot_say_is_the_strategy_s_failure(world, value):
    """It is paused alone, nothing is written, and nothing is sent."""
    Clumsy.value = value
    begin(world, Clumsy)

    world.bar()

    assert {} == kept(world)
    assert [] == world.opened
    assert "Clumsy-1" in world.host.failures


def test_a_disk_that_cannot_be_written_is_the_strategy_s_failure(world):
    """What stood before stands, in memory too."""
    begin(world, Counter)
    world.bar()
    world.store.is_writable = False
    world.bar()

    assert "Counter-1" in world.host.failures
    assert 1 == strategy_of(world).state.get("bars")
    with pytest.raises(StateError):
        strategy_of(world).state.put("bars", 9)


def test_a_value_that_did_not_change_is_not_written_again(world):
    """A strategy may put on every quote; the disk is touched on a change only."""
    begin(world, Counter)
    world.bar()
    state = strategy_of(world).state
    world.store.is_writable = False

    state.put("bars", 1)

    assert 1 == state.get("bars")


def test_a_value_comes_back_as_json_brings_it_and_is_no_alias(world):
    """What is changed after it was put or got changes nothing that is kept."""
    begin(world, Counter)
    state, levels = strategy_of(world).state, [1.1, 1.2]
    state.put("levels", tuple(levels))

    state.get("levels").append(9.9)

    assert levels == state.get("levels")
    assert {"levels": levels} == state.items()


def test_run_bars_remembers_too():
    """A strategy with a memory runs over bars without a host."""
    result = run_bars(Counter, make_bars([1.1, 1.2, 1.3, 1.4], start=START))

    assert 1 == len(result.trades)
