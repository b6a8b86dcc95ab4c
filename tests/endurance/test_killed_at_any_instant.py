"""A runner that is killed, and a terminal that goes on living without it."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from terminal_process import TerminalProcess
from terminal_truth import ENTRY, Truth, agree, check
from worker import Killer, Plan, fork, has_ended, run, settle, wait_for

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
    Weather,
)

pytestmark = [
    # A forked worker never comes back into the test's own threads: there are none.
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
    pytest.mark.timeout(3600),
]

KILLS = int(os.environ.get("MT5RUNNER_KILLS", "20"))
SEED = int(os.environ.get("MT5RUNNER_SEED", "20260302"))

FULL = 500
"""Kills of a full run."""

CHANGES = {"put", "order_send", "delete"}
"""Steps that change something on disk or at the terminal."""

LIVES = {"open": 1, "protect": 3, "close a part": 4, "close": 6}
"""Whose life is looked at: what is sent on that bar, counted from the start."""

FOUL: dict[str, dict[Fault, float]] = {
    "order_send": {
        LoseReply(): 0.1,
        Answer(10012): 0.1,
        Answer(10008): 0.05,
        Late(10012): 0.05,
        Late(10028): 0.05,
        Refuse(10004): 0.1,
        Refuse(10028): 0.05,
        Refuse(10012): 0.05,
        FillPart(0.5): 0.1,
        FillBare(): 0.2,
        Disconnect(): 0.02,
    },
    "positions_get": {Fail(-10002): 0.01, Disconnect(): 0.005, Lag(): 0.02},
    "history_deals_get": {Fail(-1): 0.02, Lag(60_000): 0.05},
    "history_orders_get": {Lag(60_000): 0.05},
    "account_info": {Fail(-10005): 0.01},
}
"""Weather: function, fault and how probable it is."""


@pytest.fixture
def terminal(request: pytest.FixtureRequest) -> Iterator[TerminalProcess]:
    """A terminal that lives in another process."""
    made = TerminalProcess(**getattr(request, "param", {}))
    yield made
    made.close()


# -- every step ------------------------------------------------------------------------
@pytest.mark.parametrize("life", LIVES)
def test_killed_before_and_after_every_step_of_an_orders_life(
    tmp_path: Path, life: str
) -> None:
    """The steps are the calls to disk and terminal from the decision to its end."""
    steps = _kill_at(tmp_path, life, None)
    for number, name in enumerate(steps, start=1):
        _kill_at(tmp_path, life, number)
        # After a reading nothing is other than before the next step: a full run alone.
        if name in CHANGES or KILLS >= FULL:
            _kill_at(tmp_path, life, number, after=True)
    listed = ", ".join(f"{n} {name}" for n, name in enumerate(steps, start=1))
    print(f"\n{life}: killed before and after each of {len(steps)} steps: {listed}")

    assert {"put", "order_send", "delete"} <= set(steps)
    assert steps.index("put") < steps.index("order_send") < steps.index("delete")


def _kill_at(
    tmp_path: Path, life: str, number: int | None, *, after: bool = False
) -> list[str]:
    """Kill a worker at a step, start another, and see that all is well.

    Returns:
        The steps, if *number* is None and nobody was killed.
    """
    terminal = TerminalProcess()
    database = tmp_path / f"{life}-{number}-{after}.db"

    def plan(start: int, killer: Killer | None = None, speed: float = 500.0) -> Plan:
        return Plan(
            terminal=terminal,
            database=database,
            number=start,
            speed=speed,
            killer=killer,
        )

    killer = Killer(number, after=after)
    run(plan(0), _until_bar(terminal, LIVES[life] - 1))
    steps: list[str] | None = run(plan(1, killer), _next_bar(terminal, killer))
    assert (steps is None) is (number is not None), "killed, or not, as planned"
    check(terminal.truth())

    found = run(plan(2, speed=2000.0), settle)
    agree(found, terminal.truth())
    check(terminal.truth())

    run(plan(3), _until_bar(terminal, 8))
    check(terminal.truth())
    assert _entries(terminal.truth()), "it never trades again"
    terminal.close()
    return steps or []


def _until_bar(terminal: TerminalProcess, bars: int) -> Callable[[Any], int]:
    def work(runner: Any) -> int:
        runner.cycle(2)
        for _ in range(bars):
            terminal.step()
            runner.cycle(2)
        return bars

    return work


def _next_bar(terminal: TerminalProcess, killer: Killer) -> Callable[[Any], list[str]]:
    def work(runner: Any) -> list[str]:
        runner.cycle(2)
        terminal.step()
        killer.is_on = True
        runner.cycle(2)
        killer.is_on = False
        return killer.names

    return work


# -- random instants -------------------------------------------------------------------
@pytest.mark.parametrize(
    ("terminal", "weather"),
    [
        ({}, "fair"),
        ({}, "foul"),
        ({"drops_comments": True}, "fair"),
        ({"options": {"hedging": False}}, "foul"),
    ],
    indirect=["terminal"],
    ids=["fair", "foul", "comments dropped", "netting, foul"],
)
def test_killed_at_random_instants_under_a_busy_strategy(
    tmp_path: Path, terminal: TerminalProcess, weather: str
) -> None:
    """Each start takes up what the one before left, whenever that was killed."""
    rng = random.Random(f"{SEED}-{weather}")
    is_foul = weather == "foul"
    _let_loose(terminal, SEED, is_foul=is_foul)
    starts = kills = 0
    while kills < KILLS:
        starts += 1
        assert starts <= 5 * KILLS, "hardly a worker lives until it is killed"
        plan = Plan(terminal=terminal, database=tmp_path / "worker.db", number=starts)
        was_killed = _kill_at_random(plan, rng)
        check(terminal.truth(), bare_allowed=is_foul)
        if not was_killed:  # foul weather did not let it connect
            continue
        kills += 1
        if kills % 20 == 0:
            _all_is_well(terminal, tmp_path, kills)
            _let_loose(terminal, SEED + kills, is_foul=is_foul)
    _all_is_well(terminal, tmp_path, KILLS)
    truth = terminal.truth()
    print(
        f"\n{weather}: {KILLS} kills (MT5RUNNER_SEED={SEED}), "
        f"{_entries(truth)} entries, {len(truth.deals)} deals, "
        f"{truth.phases} phases of the market"
    )
    _trades_again(terminal, tmp_path)


def _kill_at_random(plan: Plan, rng: random.Random) -> bool:
    """Start a worker and kill it, mostly while it trades and else while it starts.

    Returns:
        Whether it was killed; if not, it had ended by itself.
    """
    at_work = plan.database.with_suffix(".at_work")
    at_work.unlink(missing_ok=True)

    def work(runner: Any) -> None:
        runner.cycle()
        at_work.touch()
        _for_ever(runner)

    pid = fork(plan, work)
    trades = rng.random() < 0.8
    while trades and not at_work.exists() and not has_ended(pid):
        time.sleep(0.002)
    time.sleep(rng.uniform(0.0, 0.25))
    was_killed = not has_ended(pid)
    os.kill(pid, signal.SIGKILL)
    wait_for(pid, 30)
    return was_killed


def _entries(truth: Truth) -> int:
    return sum(1 for _, entry, _ in truth.deals if entry == ENTRY)


def _trades_again(terminal: TerminalProcess, tmp_path: Path) -> None:
    """Let a runner live until it enters, however slow the machine."""
    before = _entries(terminal.truth())
    terminal.go()
    plan = Plan(terminal=terminal, database=tmp_path / "worker.db", number=20_000)
    pid = fork(plan, _for_ever)
    until = time.monotonic() + 60
    while _entries(terminal.truth()) == before and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    wait_for(pid, 30)
    assert _entries(terminal.truth()) > before, "it never trades again"


def _let_loose(terminal: TerminalProcess, seed: int, *, is_foul: bool) -> None:
    terminal.fail(Weather(seed, FOUL) if is_foul else None)
    terminal.go()


def _for_ever(runner: Any) -> None:
    while True:
        runner.cycle()


def _all_is_well(terminal: TerminalProcess, tmp_path: Path, number: int) -> None:
    """Let the market and the weather stand, a runner settle, and compare.

    In weather as foul as this the connection never stays up for the half minute that
    an order must have left no trace, so nothing is ever given up: rightly.
    """
    terminal.halt()
    terminal.fail(None)
    plan = Plan(
        terminal=terminal,
        database=tmp_path / "worker.db",
        number=10_000 + number,
        speed=2000.0,
    )
    found = run(plan, settle)
    truth = terminal.truth()
    agree(found, truth)
    check(truth)
