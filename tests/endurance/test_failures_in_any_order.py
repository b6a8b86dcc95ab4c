"""Whatever fails, in whatever order, wherever the runner is killed between two bars."""

from __future__ import annotations

import functools
import os
from typing import Any

from hands import HANDS, by_hand
from hypothesis import given, note, seed, settings
from hypothesis import strategies as st
from terminal_process import Waves, drop_comments
from terminal_truth import ENTRY, agree, check, own_of, truth_of
from whole_runner import MemoryStore, WholeRunner
from worker import Busy, BusyParameters, Fishing, settle

from runner import Strategy
from runner.adapters.mt5_simulator.driver import drive
from runner.adapters.mt5_simulator.faults import (
    Answer,
    Disconnect,
    Fail,
    Fault,
    FillBare,
    FillPart,
    Lag,
    Late,
    LoseReply,
    Refuse,
    Run,
    Schedule,
)
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal
from runner.testing import FakeClock

EXAMPLES = int(os.environ.get("MT5RUNNER_SCHEDULES", "200"))
SEED = int(os.environ.get("MT5RUNNER_SEED", "20260302"))
_BARS = 10
_WARM_UP = 30

ORDERS: list[Fault] = [
    LoseReply(),
    Answer(10012),
    Answer(10008),
    Answer(10028),
    Late(10012),
    Late(10008),
    Late(10028),
    Refuse(10004),
    Refuse(10012),
    Refuse(10028),
    Refuse(10006),
    FillPart(0.5),
    FillBare(),
    Fail(-10001),
    Disconnect(),
]
READINGS: list[Fault] = [Fail(-1), Fail(-10002), Fail(-10005), Disconnect()]
READ_BY = [
    "positions_get",
    "history_deals_get",
    "history_orders_get",
    "orders_get",
    "account_info",
    "symbol_info_tick",
]

LAGS: list[Fault] = [Lag(), Lag(60_000)]
MAY_LAG = {"positions_get", "history_deals_get", "history_orders_get"}
MEETS_HANDS = ["order_send", *READ_BY]

SCHEDULES = st.fixed_dictionaries(
    {
        "order_send": st.dictionaries(
            st.integers(1, 12), st.sampled_from(ORDERS), max_size=8
        )
    },
    optional={
        name: st.dictionaries(
            st.integers(1, 150),
            st.sampled_from([*READINGS, *LAGS] if name in MAY_LAG else READINGS),
            max_size=4,
        )
        for name in READ_BY
    },
)


DEEDS = st.dictionaries(
    st.tuples(st.sampled_from(MEETS_HANDS), st.integers(1, 60)),
    st.sampled_from(HANDS),
    max_size=4,
)
"""Before which call of which function a person does something at the terminal."""


@seed(SEED)
@settings(max_examples=EXAMPLES, deadline=None)
@given(
    faults=SCHEDULES,
    deeds=DEEDS,
    killed_after=st.sets(st.integers(1, _BARS), max_size=3),
    flatten_at=st.none() | st.integers(1, _BARS),
    strategy=st.sampled_from([Busy, Fishing]),
    hedging=st.booleans(),
    drops_comments=st.booleans(),
)
def test_one_intent_is_one_position_with_its_stop_whatever_fails(
    faults: dict[str, dict[int, Fault]],
    deeds: dict[tuple[str, int], str],
    killed_after: set[int],
    flatten_at: int | None,
    strategy: type[Strategy],
    hedging: bool,
    drops_comments: bool,
) -> None:
    """At every bar at the terminal; and, once all is calm, the runner knows it."""
    note(
        f"Schedule({faults}), by hand {deeds}, killed after bars {killed_after}, "
        f"flattened at bar {flatten_at}, {strategy.__name__}, hedging={hedging}, "
        f"drops_comments={drops_comments}, MT5RUNNER_SEED={SEED}"
    )
    terminal = SimulatedTerminal(hedging=hedging)
    if drops_comments:
        drop_comments(terminal)
    driver = drive(terminal, Waves())
    for _ in range(2 * _WARM_UP):
        driver.advance()
    store, clock = MemoryStore(), FakeClock()
    runner = _start(strategy, terminal, store, clock, 0)
    terminal.faults = _planned(terminal, faults, deeds)
    for bar in range(1, _BARS + 1):
        if bar == flatten_at:
            runner.command("FLATTEN")
        _play(driver, runner)
        check(truth_of(terminal), bare_allowed=True)
        if bar in killed_after:
            terminal.faults, kept = None, terminal.faults
            runner = _start(strategy, terminal, store, clock, bar)
            if flatten_at is not None and bar >= flatten_at:
                runner.command("FLATTEN")
            terminal.faults = kept

    terminal.faults = None
    by_hand(terminal, "tidy up")
    found: dict[str, Any] = settle(runner)
    if flatten_at is not None:
        runner.cycle(3, seconds=6.0)
        found = settle(runner)
        assert not own_of(truth_of(terminal)), "not flat"
        runner.command("RUN", seq=2)
    truth = truth_of(terminal)
    agree(found, truth)
    check(truth)
    assert [] == list(store.items("orders"))

    orders = 0
    for _ in range(8):
        _play(driver, runner)
        orders += len(truth_of(terminal).orders)
    entries = [deal for deal in truth_of(terminal).deals if deal[1] == ENTRY]
    assert entries or orders, "it never trades again"
    check(truth_of(terminal))


def _play(driver: Any, runner: WholeRunner) -> None:
    """Play one bar, with the runner at work in each of its phases."""
    for _ in range(2):
        driver.advance()
        runner.cycle(2)


def _start(
    strategy: type[Strategy],
    terminal: SimulatedTerminal,
    store: MemoryStore,
    clock: FakeClock,
    number: int,
) -> WholeRunner:
    runner = WholeRunner(terminal, store, clock, (strategy,), session=f"start-{number}")
    runner.begin()
    runner.trade()
    runner.strategy(strategy.__name__, {"EURUSD": BusyParameters()})
    runner.cycle(2)
    return runner


def _planned(
    terminal: SimulatedTerminal,
    faults: dict[str, dict[int, Fault]],
    deeds: dict[tuple[str, int], str],
) -> Schedule:
    planned = {name: dict(calls) for name, calls in faults.items()}
    for (name, number), deed in deeds.items():
        act = functools.partial(by_hand, terminal, deed)
        planned.setdefault(name, {})[number] = Run(act)
    return Schedule(planned)
