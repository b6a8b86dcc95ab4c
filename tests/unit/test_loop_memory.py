"""Too much memory stops entries, far too much the process."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest

from runner.adapters.process_memory import resident_bytes
from runner.core.memory import MemoryState, memory_state
from runner.core.trading_state import TradingState
from runner.loop.memory import MemoryWatch
from runner.loop.stop import StopRequest
from runner.testing import FakeClock

MB = 1 << 20


@pytest.mark.parametrize(
    ("resident", "expected"),
    [
        (None, MemoryState.FINE),
        (99 * MB, MemoryState.FINE),
        (100 * MB, MemoryState.OVER),
        (150 * MB - 1, MemoryState.OVER),
        (150 * MB, MemoryState.FAR_OVER),
    ],
)
def test_memory_is_judged_by_two_bounds(
    resident: int | None, expected: MemoryState
) -> None:
    """What nobody tells is no reason."""
    assert expected is memory_state(resident, 100)


@pytest.mark.skipif(sys.platform not in {"linux", "win32"}, reason="nobody tells")
def test_the_system_tells_how_much_is_in_use() -> None:
    """Of this process, now: what is taken shows."""
    before = resident_bytes()
    taken = os.urandom(64 * MB)
    after = resident_bytes()

    assert before is not None
    assert after is not None
    assert 60 * MB < after - before
    assert 64 * MB == len(taken)


def test_it_is_read_once_a_second_and_told_when_it_changes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Everything that runs is named, since nobody can tell whose it is."""
    caplog.set_level("INFO")
    readings = [50 * MB, 120 * MB, 121 * MB, 50 * MB]
    clock, left = FakeClock(), list(readings)
    watch = MemoryWatch(lambda: left.pop(0), 100, clock)
    problems: list[str] = []
    for _ in range(8):
        watch.look(["Hog-1", "Good-2"])
        problems.append(watch.problem)
        clock.wait(0.5)

    assert [] == left
    assert ["", "used=120MB limit=100MB", "used=121MB limit=100MB", ""] == problems[::2]
    assert [
        "too much memory is in use: used=120MB limit=100MB; running: Hog-1, Good-2",
        "memory is below the limit again",
    ] == [record.getMessage() for record in caplog.records]


@pytest.fixture
def memory(world: Any) -> list[int]:
    """The memory that the world's process has, to be changed by the test."""
    held = [50 * MB]
    world.resident = lambda: held[0]
    world.make(memory_limit_mb=100)
    return held


def test_above_the_limit_nothing_is_opened_and_exits_go_on(
    world: Any, memory: list[int]
) -> None:
    """With a reason that the heartbeat tells, gone when memory is free again."""
    world.begin(name="Restless")
    world.bar()
    before = len(world.opened)
    memory[0] = 120 * MB
    world.bar()
    paused = len(world.opened), world.loop.gate.state, world.codes
    world.command("FLATTEN")
    world.bar()
    world.command("RUN", 2)
    memory[0] = 50 * MB
    world.bar()

    assert 0 < before
    assert (before, TradingState.REDUCING, ["MEMORY_LIMIT"]) == paused
    assert before < len(world.opened)
    assert [] == world.codes
    assert "" == world.stop.reason


def test_far_above_it_the_runner_stops_to_be_started_again(
    world: Any, memory: list[int]
) -> None:
    """Cleanly: strategies stopped, the last heartbeat sent."""
    world.begin()
    memory[0] = 160 * MB
    summary = world.loop.run()

    assert "too much memory: used=160MB limit=100MB" == summary.reason
    assert world.stop.is_restart
    assert world.link.is_stopped


def test_a_stop_that_a_person_asked_for_is_none_to_start_again() -> None:
    """Only the first reason counts."""
    stop, other = StopRequest(), StopRequest()
    stop.ask("SIGTERM")
    stop.ask_restart("too much memory")
    other.ask_restart("too much memory")
    other.ask("SIGTERM")

    assert ("SIGTERM", False) == (stop.reason, stop.is_restart)
    assert ("too much memory", True) == (other.reason, other.is_restart)
