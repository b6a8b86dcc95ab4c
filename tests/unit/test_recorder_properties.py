"""Whatever comes, in whatever order: the journal gives the same decisions again."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loop_steps import STEPS
from recorded_loops import Bodies

from runner import (
    Bar,
    Intents,
    Parameters,
    Strategy,
    Tick,
    Timeframe,
    TradeConfig,
    hookimpl,
)
from runner.adapters.state_sqlite import SqliteState
from runner.host.manager import PluginHost
from runner.host.records import BUILT_IN
from runner.host.watch import Watch
from runner.loop.build import Surroundings, build_loop
from runner.loop.settings import LoopSettings
from runner.loop.stop import StopRequest
from runner.recorder.codec import journal_codec
from runner.recorder.observer import observe
from runner.recorder.ports import (
    NotedBreaks,
    ScriptedStop,
    calls_of,
    resident_through,
    scripted,
    through,
    without,
)
from runner.recorder.recorder import Recorder
from runner.recorder.segments import Segments
from runner.replay.comparison import DifferenceError
from runner.replay.reading import Line, find_run, read_lines
from runner.replay.tape import BrokenOffError, Tape
from runner.testing import FakeClock

LEARN = calls_of("store")["items"]
HEADER = {"account": "7"}


class Guard:
    """Denies every third order, and raises at every seventh."""

    def __init__(self) -> None:
        self.asked = 0

    @hookimpl
    def check_symbol(self, config: TradeConfig) -> None:
        self.asked += 1
        if self.asked % 7 == 0:
            raise ValueError(f"asked {self.asked} times")


def _plugins(world: Any, watch: Watch | None = None) -> PluginHost:
    host = PluginHost(watch)
    for name, plugin in world.plugins.items():
        host.attach(name, plugin, BUILT_IN)
    host.attach("guard", Guard(), BUILT_IN)
    return host


def record(
    world: Any, folder: Path, limit: int = 1 << 20, watch: Watch | None = None
) -> Recorder:
    """Give *world* a loop whose journal is written to *folder*."""
    clock = world.clock
    segments = Segments(folder, started_at=clock.now(), limit=limit)
    recorder = Recorder(segments, journal_codec("7", lambda _: None), clock)
    watch = watch or Watch()
    watch.breaks = NotedBreaks(recorder)
    host = _plugins(world, watch)
    observe(host, recorder, lambda: recorder.problem)
    recorder.begin(lambda: HEADER)
    link: Any = Bodies(world.link)
    store: Any = world.store
    world.loop = build_loop(
        scripted(
            recorder,
            Surroundings(
                market=world.terminal,
                broker=world.terminal,
                link=link,
                store=through("store", recorder, store),
                clock=clock,
                stop=world.stop,
            ),
        ),
        host=host,
        find_strategy=world.find,
        settings=_settings(),
    )
    return recorder


def _settings() -> LoopSettings:
    return LoopSettings(
        account="7", session="s", host="h", pid=1, version="0", timeframe=Timeframe.H1
    )


def replay(world: Any, folder: Path, cycles: int, watch: Watch | None = None) -> Tape:
    """Play the journal in *folder* to a loop as it was, for so many cycles."""
    tape = Tape(
        read_lines(find_run(folder)),
        journal_codec("7", lambda name: world.find(name).cls.Parameters),
    )
    watch = watch or Watch()
    watch.breaks, tape.break_off = tape, watch.break_off
    host = _plugins(world, watch)
    observe(host, tape)
    loop = build_loop(
        Surroundings(
            market=without("market", tape),
            broker=without("broker", tape),
            link=without("link", tape),
            store=without("store", tape),
            clock=without("clock", tape),
            stop=ScriptedStop(tape, StopRequest()),
            resident=resident_through(tape, lambda: None),
        ),
        host=host,
        find_strategy=world.find,
        settings=_settings(),
    )
    loop.start()
    for _ in range(cycles):
        loop.cycle()
    return tape


def _play(world: Any, steps: list[str]) -> int:
    world.terminal.close_bar("EURUSD")
    world.terminal.close_bar("EURUSD")
    world.loop.start()
    world.trade()
    world.strategy(name="Restless")
    world.loop.cycle()
    for step in [*steps, "bar"]:
        STEPS[step](world)
        world.terminal.close_bar("EURUSD")
        world.cycle()
    return len(steps) + 2


@settings(max_examples=60)
@given(
    steps=st.lists(st.sampled_from(sorted(set(STEPS) - {"restart"})), max_size=30),
    limit=st.sampled_from([1 << 20, 1 << 30]),
)
def test_every_sequence_is_decided_again_as_it_was(make_world, steps, limit):
    """Denials, lost answers, full disks, commands: every line is the same."""
    world = make_world()
    with TemporaryDirectory() as name:
        folder = Path(name)
        recorder = record(world, folder, limit)
        cycles = _play(world, steps)
        recorder.close("done")
        assert "" == recorder.problem

        tape = replay(world, folder, cycles)
        tape.finish("done")

    assert "done" == tape.ended
    assert len(world.terminal.sent) == tape.decisions["broker.send"]
    assert len(world.link.beats) == tape.decisions["link.beat"]


def test_a_journal_that_breaks_off_is_replayed_as_far_as_it_goes(world, tmp_path):
    """A killed process leaves no end, and a torn last line."""
    recorder = record(world, tmp_path)
    cycles = _play(world, ["bar", "answers lost", "bar", "FLATTEN"])
    world.clock.wait(2.0)
    world.loop.cycle()  # what is written a second later is on disk
    assert "" == recorder.problem
    [segment] = find_run(tmp_path).segments
    whole = list(read_lines(find_run(tmp_path)))
    segment.write_bytes(segment.read_bytes()[:-40])
    torn = list(read_lines(find_run(tmp_path)))

    with pytest.raises(BrokenOffError):
        replay(world, tmp_path, cycles + 1)
    recorder.close("the test is over")

    assert len(torn) < len(whole)
    assert [line.text for line in torn] == [line.text for line in whole[: len(torn)]]
    recorder.close("done")


def test_a_strategy_that_decides_otherwise_is_stopped_at_its_first_decision(
    make_world, eager, tmp_path
):
    """Entry, both lines, and the value that differs."""
    world = make_world()
    recorder = record(world, tmp_path)
    _play(world, ["bar"])
    recorder.close("done")

    def on_bar(self: Any, bar: Any) -> Any:
        return self.buy(bar.symbol, stop_loss=101)

    before = world.classes["Restless"]
    world.classes["Restless"] = type("Restless", (before,), {"on_bar": on_bar})
    with pytest.raises(DifferenceError) as caught:
        replay(world, tmp_path, 3)

    told = str(caught.value)
    assert '["out","host.denied"' in caught.value.expected or (
        '["out","store.put"' in caught.value.expected
    )
    assert "first difference at entry" in told
    assert "stop_loss: 100" in told
    assert "-> 101" in told


class Stuck(Strategy):
    """Loops without end on every second bar; on the fourth and so on it writes too."""

    Parameters = Parameters

    def on_bar(self, bar: Bar) -> Intents:
        number = (self.state.get("bars") or 0) + 1
        self.state.put("bars", number)
        if number % 4 == 2:
            while True:
                pass
        while number % 4 == 0:
            self.state.put("written", (self.state.get("written") or 0) + 1)
        return self.buy(bar.symbol, stop_loss=100)

    def on_tick(self, tick: Tick) -> Intents:
        if (self.state.get("bars") or 0) % 4 == 3:
            while True:
                pass
        return None


class Listening:
    """Loops without end at every third bar that it hears of, by its own count."""

    def __init__(self) -> None:
        self.heard = 0

    @hookimpl
    def on_bar_closed(self) -> None:
        self.heard += 1
        while self.heard % 3 == 0:
            pass

    @hookimpl
    def describe_status(self) -> dict[str, str]:
        return {"heard": str(self.heard)}


@contextmanager
def _watching(limit: float) -> Iterator[Watch]:
    watch = Watch(limit)
    watch.start()
    try:
        yield watch
    finally:
        watch.stop()


def test_what_was_broken_off_is_broken_off_again_without_its_time(world, tmp_path):
    """Endless loops, silent and writing, in a strategy and in a plugin's hook."""
    world.classes["Stuck"] = Stuck
    # The real one: its work for a call is finished before that is broken off.
    world.store = SqliteState(tmp_path / "7.db", survives_power_cut=False)
    with _watching(0.2) as watch:
        world.plugins["listening"] = Listening()
        recorder = record(world, tmp_path / "journal", watch=watch)
        world.terminal.close_bar("EURUSD")
        world.terminal.close_bar("EURUSD")
        world.loop.start()
        world.trade()
        world.strategy(name="Stuck", parameters_by_symbol={"EURUSD": Parameters()})
        world.loop.cycle()
        for _ in range(9):
            world.bar()
        recorder.close("done")
    world.store.close()
    assert "" == recorder.problem

    world.plugins["listening"] = Listening()
    with _watching(60.0) as watch:
        began = time.monotonic()
        tape = replay(world, tmp_path / "journal", 10, watch)
        tape.finish("done")

    # None of them ran for the minute that this watch lets one run.
    assert time.monotonic() - began < 60.0
    broken = [
        json.loads(line.text)[2]
        for line in read_lines(find_run(tmp_path / "journal"))
        if line.text.startswith('["call","watch.broken_off"')
    ]
    assert {"on_bar EURUSD", "on_tick EURUSD"} == {
        where for name, where, *_ in broken if name == "Stuck-1"
    }
    assert 3 == sum(name == "listening" for name, *_ in broken)
    assert {"took longer than 0.2 s"} == {error for _, _, error, _ in broken}
    assert "done" == tape.ended
    assert len(world.terminal.sent) == tape.decisions["broker.send"] > 0
    assert len(world.link.beats) == tape.decisions["link.beat"]


def test_a_call_that_ended_in_time_then_and_does_not_now_is_a_difference(
    world, tmp_path
):
    """A changed strategy must not hang the replay; the call is named."""
    recorder = record(world, tmp_path)
    _play(world, ["bar"])
    recorder.close("done")

    def on_bar(self: Any, bar: Any) -> Any:
        while True:
            pass

    before = world.classes["Restless"]
    world.classes["Restless"] = type("Restless", (before,), {"on_bar": on_bar})
    with _watching(0.1) as watch, pytest.raises(DifferenceError) as caught:
        replay(world, tmp_path, 3, watch)

    assert (
        '["call","watch.broken_off",["Restless-1","on_bar EURUSD"' in caught.value.got
    )


def test_a_call_that_was_broken_off_then_and_is_another_now_is_a_difference(
    world, tmp_path
):
    """Which call it is must be the same, not only when."""
    tape = Tape(
        iter(
            [
                Line(
                    1,
                    "00001",
                    '["call","watch.broken_off",["A-1","on_bar X","late",0]]',
                )
            ]
        ),
        journal_codec("7", lambda _: None),
    )
    watch = Watch()
    watch.breaks, tape.break_off = tape, watch.break_off

    assert tape.due("A-1", "on_bar Y") is None
    with pytest.raises(DifferenceError):
        watch.attempt("A-1", "on_bar Y", lambda: tape.call(LEARN, lambda _: 1, ("x",)))


def test_the_second_of_two_like_calls_is_told_from_the_first(world, tmp_path):
    """Bars that close together: the first decided, the second was broken off."""
    texts = [
        '["in","store.items",["x"],{}]',
        '["call","watch.broken_off",["A-1","on_bar X","late",0]]',
    ]
    tape = Tape(
        iter(Line(at, "00001", text) for at, text in enumerate(texts, 1)),
        journal_codec("7", lambda _: None),
    )
    watch = Watch()
    watch.breaks, tape.break_off = tape, watch.break_off

    first = watch.attempt("A-1", "on_bar X", lambda: tape.call(LEARN, dict, ("x",)))
    second = watch.attempt("A-1", "on_bar X", lambda: "on time")

    assert {} == first
    assert str(second).endswith("OvertimeError: late")


def test_what_the_process_was_killed_in_is_not_called_again(world, tmp_path):
    """It may be what froze it."""
    tape = Tape(iter(()), journal_codec("7", lambda _: None))
    watch = Watch()
    watch.breaks = tape

    with pytest.raises(BrokenOffError):
        watch.attempt("A-1", "on_bar X", lambda: pytest.fail("it was called"))


def test_the_clock_of_a_recorded_loop_shows_whole_milliseconds(tmp_path, make_world):
    """So that most readings are the last one, and a line says so."""
    world = make_world()
    world.clock = FakeClock()
    world.clock.wait(0.0012345)
    recorder = record(world, tmp_path)
    recorder.close("done")

    lines = [line.text for line in read_lines(find_run(tmp_path))]

    assert '["in","clock.monotonic",[],0.001]' in lines
