"""The whole runner on a terminal that loses replies, recorded and decided again."""

from __future__ import annotations

from typing import Any

import attrs
from memory_store import MemoryStore
from recorded_loops import Bodies
from whole_runner import WholeRunner

from runner import Bar, Intents, Outcome, Parameters, Strategy, Timeframe
from runner.adapters.feeds.synthetic import SyntheticFeed
from runner.adapters.mt5_simulator import constants as mt5
from runner.adapters.mt5_simulator.driver import BarDriver
from runner.adapters.mt5_simulator.faults import Answer, Fail, LoseReply, Weather
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal
from runner.loop.build import Surroundings, build_loop
from runner.loop.settings import LoopSettings
from runner.loop.stop import StopRequest
from runner.ports import Login
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
from runner.replay.reading import find_run, read_lines
from runner.replay.tape import Tape
from runner.testing import FakeClock

CYCLES = 1500
SETTINGS = LoopSettings(
    account="7",
    session="session-1",
    host="host",
    pid=1,
    version="0",
    timeframe=Timeframe.M1,
    server_peak=False,
)


@attrs.frozen
class ToAndFroParameters(Parameters):
    stop_loss: int = 200


class ToAndFro(Strategy):
    """Opens when flat, closes otherwise."""

    Parameters = ToAndFroParameters

    def on_bar(self, bar: Bar) -> Intents:
        if self.is_flat(bar.symbol):
            return self.buy(bar.symbol, stop_loss=self.parameters[bar.symbol].stop_loss)
        return self.close(bar.symbol)


def _terminal() -> tuple[SimulatedTerminal, BarDriver]:
    faults = Weather(
        4,
        {
            "order_send": {
                LoseReply(): 0.15,
                Answer(mt5.TRADE_RETCODE_TIMEOUT): 0.1,
                Fail(mt5.RES_E_INTERNAL_FAIL_SEND): 0.1,
            },
            "positions_get": {Fail(mt5.RES_E_INTERNAL_FAIL_SEND): 0.05},
            "history_deals_get": {Fail(mt5.RES_E_INTERNAL_FAIL_SEND): 0.1},
        },
    )
    terminal = SimulatedTerminal(login=7, balance=1e5, faults=faults)
    return terminal, BarDriver(terminal, SyntheticFeed(("EURUSD",)))


def _runner(terminal: Any, clock: FakeClock) -> WholeRunner:
    return WholeRunner(terminal, MemoryStore(), clock, (ToAndFro,))


def test_lost_replies_and_failed_calls_are_decided_again_as_they_were(tmp_path):
    """Look-ups, retries and what is unknown for a while: every line is the same."""
    clock = FakeClock()
    terminal, driver = _terminal()
    live = _runner(terminal, clock)
    live.adapter.connect(Login())
    driver.warm_up(50)
    recorder = Recorder(
        Segments(tmp_path, started_at=clock.now(), limit=1 << 30),
        journal_codec("7", lambda _: None),
        clock,
    )
    observe(live.host, recorder)
    recorder.begin(lambda: {"account": "7"})
    link: Any = Bodies(live.link)
    store: Any = live.store
    loop = build_loop(
        scripted(
            recorder,
            Surroundings(
                market=live.adapter,
                broker=live.adapter,
                link=link,
                store=through("store", recorder, store),
                clock=clock,
                stop=StopRequest(),
            ),
        ),
        host=live.host,
        find_strategy=live._find,
        settings=SETTINGS,
    )
    loop.start()
    live.trade()
    live.strategy("ToAndFro", {"EURUSD": ToAndFroParameters()})
    for _ in range(CYCLES):
        driver.advance()
        clock.wait(5.0)
        loop.cycle()
    recorder.close("done")

    tape = Tape(
        read_lines(find_run(tmp_path)),
        journal_codec("7", lambda _: ToAndFroParameters),
    )
    again = _runner(terminal, clock)
    observe(again.host, tape)
    played = build_loop(
        Surroundings(
            market=without("market", tape),
            broker=without("broker", tape),
            link=without("link", tape),
            store=without("store", tape),
            clock=without("clock", tape),
            stop=ScriptedStop(tape, StopRequest()),
            resident=resident_through(tape, lambda: None),
        ),
        host=again.host,
        find_strategy=again._find,
        settings=SETTINGS,
    )
    played.start()
    for _ in range(CYCLES):
        played.cycle()
    tape.finish("done")

    lines = [line.text for line in read_lines(find_run(tmp_path))]
    assert "" == recorder.problem
    assert tape.decisions["broker.send"] > 10
    assert [] != [one for one in lines if f'"outcome":"{Outcome.UNKNOWN.value}"' in one]
    assert [] != [one for one in lines if one.startswith('["in","broker.find"')]
    assert [] != [one for one in lines if one.startswith('["raised","broker.')]
