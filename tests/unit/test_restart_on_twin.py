"""The whole runner, started anew on the same terminal and the same disk."""

from __future__ import annotations

from datetime import timedelta

import pytest
from whole_runner import MemoryStore, WholeRunner, utc

from runner import Bar, Intents, Strategy, Tick
from runner.adapters.mt5_simulator import faults
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal
from runner.core.restart import RestartPolicy
from runner.testing import FakeClock

BEGIN = utc("2026-03-11 10:00")


class Trap(Strategy):
    """Keeps a buy limit below the market, and lets a filled one go at a profit."""

    def on_tick(self, tick: Tick) -> Intents:
        for position in self.positions(tick.symbol):
            state = self.state_of(position)
            state.put("best", max(state.get("best") or 0.0, tick.bid))
            if tick.bid > position.open_price + 0.001:
                return self.close(tick.symbol, ticket=position.ticket)
        if self.is_flat(tick.symbol) and not self.orders(tick.symbol):
            return self.buy_limit(tick.symbol, 1.099, stop_loss=500)
        return None

    def on_bar(self, bar: Bar) -> Intents:
        return None


class Desk:
    """A terminal, a disk and a clock, and the runner that works on them."""

    def __init__(self) -> None:
        self.clock = FakeClock(BEGIN)
        self.terminal = SimulatedTerminal()
        self.store = MemoryStore()
        self.starts = 0
        self.terminal.symbol_select("EURUSD", True)
        self.quote(1.1)

    def quote(self, bid: float) -> None:
        """Let a quote come."""
        self.clock.wait(1.0)
        self.terminal.quote("EURUSD", bid, round(bid + 0.0001, 5), self.clock.now())

    def start(
        self, policy: RestartPolicy = RestartPolicy.ADOPT, *, active: int = 1
    ) -> WholeRunner:
        """Start a runner, let its configs come, and let it do some cycles."""
        self.starts += 1
        runner = WholeRunner(
            self.terminal,
            self.store,
            self.clock,
            (Trap,),
            session=f"session-{self.starts}",
            on_restart=policy,
        )
        runner.trade(active_bot_id=active)
        runner.strategy("Trap", {"EURUSD": Trap.Parameters()}, number=active)
        runner.begin(123456)
        runner.cycle(5)
        return runner


@pytest.fixture
def desk() -> Desk:
    """A runner's surroundings, with one quote."""
    return Desk()


def tickets(desk: Desk) -> tuple[list[int], list[int]]:
    """Return the tickets of positions and of pending orders."""
    return (
        [one.ticket for one in desk.terminal.positions_get() or ()],
        [one.ticket for one in desk.terminal.orders_get() or ()],
    )


def test_a_pending_order_is_adopted_filled_and_closed_by_its_strategy(
    desk: Desk,
) -> None:
    """Across two restarts one order and one position, and what is known of it."""
    desk.start()
    positions, orders = tickets(desk)
    assert ([], 1) == (positions, len(orders))

    runner = desk.start()
    assert ([], orders) == tickets(desk)
    desk.quote(1.0985)
    runner.cycle(3)
    assert (orders, []) == tickets(desk)
    desk.quote(1.0995)
    runner.cycle()

    runner = desk.start()
    state = runner.roster.members[1].context.state_of(orders[0])
    assert 1.0995 == state.get("best")
    desk.quote(1.1005)
    runner.cycle()

    assert [] == tickets(desk)[0]


def test_flatten_leaves_nothing_of_the_start_before(desk: Desk) -> None:
    """Position and pending order go, then the strategy begins anew."""
    desk.start()
    desk.quote(1.0985)
    desk.start()
    (before,) = tickets(desk)[0]

    desk.quote(1.1)
    runner = desk.start(RestartPolicy.FLATTEN)
    runner.cycle(3)

    positions, orders = tickets(desk)
    assert before not in positions
    assert [] == positions
    assert 1 == len(orders)
    assert [] == runner.codes


def test_refuse_ends_the_run_and_touches_nothing(desk: Desk) -> None:
    """The order waits on, and the error names it."""
    desk.start()
    before = tickets(desk)
    runner = WholeRunner(
        desk.terminal,
        desk.store,
        desk.clock,
        (Trap,),
        session="again",
        on_restart=RestartPolicy.REFUSE,
    )
    runner.begin(123456)

    summary = runner.loop.finish()

    assert f"pending order {before[1][0]} buy" in summary.error
    assert desk.terminal.initialize()  # the runner let go of it
    assert before == tickets(desk)


def test_a_replaced_owner_closes_its_position_after_a_restart(desk: Desk) -> None:
    """It is engaged on the config that it had, by its own rule and for nothing else."""
    first = desk.start()
    config = first.roster.members[1].config
    desk.quote(1.0985)
    runner = WholeRunner(desk.terminal, desk.store, desk.clock, (Trap,), session="2nd")
    runner.link.last_good[1] = config
    runner.trade(active_bot_id=None)
    runner.begin(123456)
    runner.cycle(3)
    assert runner.roster.members[1].is_leaving

    desk.quote(1.1005)
    runner.cycle(3)

    assert ([], []) == tickets(desk)
    assert {} == dict(runner.roster.members)


class Once(Strategy):
    """Wants one position, and never two."""

    def on_tick(self, tick: Tick) -> Intents:
        return self.buy(tick.symbol, volume=0.1) if self.is_flat(tick.symbol) else None

    def on_bar(self, bar: Bar) -> Intents:
        return None


def test_a_part_that_was_filled_is_the_position_and_nothing_is_topped_up(
    desk: Desk,
) -> None:
    """The strategy sees what it got, on a restart too, and opens nothing beside it."""
    desk.terminal.faults = faults.Schedule({"order_send": {1: faults.FillPart(0.4)}})
    for session in ("one", "two"):
        runner = WholeRunner(
            desk.terminal, desk.store, desk.clock, (Once,), session=session
        )
        runner.trade()
        runner.strategy("Once", {"EURUSD": Once.Parameters()})
        runner.begin(123456)
        for bid in (1.1001, 1.1002):
            desk.quote(bid)
            runner.cycle()

        assert [0.04] == [one.volume for one in desk.terminal.positions_get() or ()]
        (held,) = runner.roster.members[1].context.positions()
        assert 0.04 == held.volume


def test_a_pause_takes_the_pending_order_out_of_the_market(desk: Desk) -> None:
    """The price may come while nobody wants it: nothing is filled."""
    runner = desk.start()
    runner.command("PAUSE")
    runner.cycle(2)
    assert ([], []) == tickets(desk)

    desk.quote(1.09)
    desk.clock.wait(timedelta(minutes=1).total_seconds())
    runner.cycle(3)

    assert ([], []) == tickets(desk)


@pytest.mark.parametrize("policy", [RestartPolicy.FLATTEN, RestartPolicy.REFUSE])
def test_a_terminal_that_is_not_linked_yet_decides_nothing(
    desk: Desk, policy: RestartPolicy
) -> None:
    """Machine and terminal start together; it shows nothing until it has its server."""
    desk.start()
    desk.quote(1.0985)
    assert tickets(desk)[0]
    account, hidden = desk.terminal.account, dict(desk.terminal.account.positions)
    account.positions.clear()
    desk.terminal.switches.connected = False
    runner = desk.start(policy)
    assert "LEFT_OPEN" in runner.codes

    account.positions.update(hidden)
    desk.terminal.switches.connected = True
    runner.cycle(5)

    assert bool(runner.stop.reason) is (policy is RestartPolicy.REFUSE)
    assert bool(tickets(desk)[0]) is (policy is RestartPolicy.REFUSE)
