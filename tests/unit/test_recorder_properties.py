"""Whatever comes, in whatever order: the journal gives the same decisions again."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loop_steps import STEPS
from recorded_loops import Bodies

from runner import Timeframe, TradeConfig, hookimpl
from runner.host.manager import PluginHost
from runner.host.records import BUILT_IN
from runner.loop.build import Surroundings, build_loop
from runner.loop.settings import LoopSettings
from runner.loop.stop import StopRequest
from runner.recorder.codec import journal_codec
from runner.recorder.observer import observe
from runner.recorder.ports import (
    ScriptedStop,
    resident_through,
    scripted,
    through,
    without,
)
from runner.recorder.recorder import Recorder
from runner.recorder.segments import Segments
from runner.replay.comparison import DifferenceError
from runner.replay.reading import find_run, read_lines
from runner.replay.tape import BrokenOffError, Tape
from runner.testing import FakeClock

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


def _plugins(world: Any) -> PluginHost:
    host = PluginHost()
    for name, plugin in world.plugins.items():
        host.attach(name, plugin, BUILT_IN)
    host.attach("guard", Guard(), BUILT_IN)
    return host


def record(world: Any, folder: Path, limit: int = 1 << 20) -> Recorder:
    """Give *world* a loop whose journal is written to *folder*."""
    clock = world.clock
    segments = Segments(folder, started_at=clock.now(), limit=limit)
    recorder = Recorder(segments, journal_codec("7", lambda _: None), clock)
    host = _plugins(world)
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


def replay(world: Any, folder: Path, cycles: int) -> Tape:
    """Play the journal in *folder* to a loop as it was, for so many cycles."""
    tape = Tape(
        read_lines(find_run(folder)),
        journal_codec("7", lambda name: world.find(name).cls.Parameters),
    )
    host = _plugins(world)
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


def test_the_clock_of_a_recorded_loop_shows_whole_milliseconds(tmp_path, make_world):
    """So that most readings are the last one, and a line says so."""
    world = make_world()
    world.clock = FakeClock()
    world.clock.wait(0.0012345)
    recorder = record(world, tmp_path)
    recorder.close("done")

    lines = [line.text for line in read_lines(find_run(tmp_path))]

    assert '["in","clock.monotonic",[],0.001]' in lines
