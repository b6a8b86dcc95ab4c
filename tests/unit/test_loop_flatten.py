"""FLATTEN and EMERGENCY_STOP: until nothing is left, whatever is in the way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest

from runner import (
    Action,
    Deal,
    Demand,
    Deny,
    ExitReason,
    Outcome,
    PendingKind,
    PendingOrder,
    Side,
    TradingState,
    hookimpl,
)
from runner.host.records import BUILT_IN
from runner.link import ServerSeen
from runner.wire.acks import CommandState

MARKET = datetime(2026, 3, 4, 12, tzinfo=UTC)
DONE, EXECUTING = CommandState.DONE, CommandState.EXECUTING


def _told(world: Any) -> list[CommandState]:
    return [ack.state for ack in world.link.acks]


@pytest.mark.parametrize("action", ["FLATTEN", "EMERGENCY_STOP"])
def test_everything_of_our_own_is_closed_and_confirmed_with_evidence(world, action):
    """A person's own position is left alone; nothing is opened until RUN."""
    world.begin(name="Restless")
    world.bar()
    manual = world.terminal.add("GBPUSD", magic=0, ticket=1)
    world.command(action)
    world.bar()
    world.bar()

    assert {1: manual} == world.terminal.open
    assert [EXECUTING, DONE] == _told(world)
    assert (0, 0) == (
        world.link.acks[-1].open_positions,
        world.link.acks[-1].open_orders,
    )

    world.command("RUN", seq=2)
    world.bar()
    assert 1 < len(world.terminal.open)


def test_no_pause_and_no_guard_stands_in_the_way(world):
    """A halt must never block its own flatten."""

    class Guard:
        @hookimpl
        def check_order(self) -> Deny:
            return Deny("NO")

    world.begin()
    world.bar()
    world.plugins["guard"] = Guard()
    world.host.attach("guard", world.plugins["guard"], BUILT_IN)
    world.trade(2, bot_status="PAUSED", dd_blocked=True)
    world.command("FLATTEN")
    world.cycle()

    assert {} == world.terminal.open


def test_unknown_is_not_flat_and_no_evidence_of_it(world):
    """DONE is not said, and no number either, while the terminal does not answer."""
    world.begin()
    world.bar()
    world.terminal.is_readable = False
    world.command("FLATTEN")
    world.cycle(3)
    assert [EXECUTING] == _told(world)
    assert None is world.link.acks[-1].open_positions

    world.terminal.is_readable = True
    world.cycle(2)
    assert DONE is _told(world)[-1]


def _unlink(world: Any, *, is_linked: bool) -> None:
    """Let the terminal lose its server, and show nothing, as after its own start."""
    world.terminal.shows = is_linked
    world.terminal.account_now = attrs.evolve(
        world.terminal.account_now, is_linked=is_linked, trade_allowed=is_linked
    )


def test_a_terminal_without_its_server_proves_nothing_flat(world):
    """It shows old things, and after a start of its own none at all."""
    world.begin()
    world.bar()
    _unlink(world, is_linked=False)
    world.command("FLATTEN")
    world.cycle(3)
    assert [EXECUTING] == _told(world)
    assert None is world.link.acks[-1].open_positions

    _unlink(world, is_linked=True)
    world.cycle(3)
    assert {} == world.terminal.open
    assert [EXECUTING, DONE] == _told(world)


def test_what_was_done_stays_done_while_nothing_can_be_seen(world):
    """A link that flaps at a weekend is no news about what is open."""
    world.begin()
    world.bar()
    world.command("FLATTEN")
    world.cycle(3)
    _unlink(world, is_linked=False)
    world.cycle(3)
    world.terminal.is_readable = False
    world.cycle(3)

    assert [EXECUTING, DONE] == _told(world)


def test_a_strategy_is_not_flat_while_the_terminal_has_no_server(world):
    """Nor does one that leaves stop, nor is a position counted as closed."""
    world.begin()
    world.bar()
    member = world.roster.members[1]
    assert not member.context.is_flat("EURUSD")
    _unlink(world, is_linked=False)
    world.trade(active_bot_id=None)
    world.cycle(3)

    assert not member.context.is_flat("EURUSD")
    assert {1: member} == world.roster.members
    assert not world.loop.finish().closed


def test_a_fill_is_awaited_for_as_long_as_the_terminal_has_no_server(world):
    """The minute in which it must show begin when it can show."""
    world.begin()
    world.terminal.shows = False
    world.bar()
    assert 1 == len(world.desk.unresolved)
    _unlink(world, is_linked=False)
    world.cycle(90)
    assert 1 == len(world.desk.unresolved)

    world.terminal.is_readable = False
    world.cycle(90)
    world.terminal.is_readable = True
    _unlink(world, is_linked=True)
    world.terminal.shows = False
    world.cycle(50)
    assert 1 == len(world.desk.unresolved)
    world.cycle(12)
    assert not world.desk.unresolved


def test_a_refused_close_is_tried_again_for_as_long_as_it_takes(world, caplog):
    """The market may be closed for a weekend; the log says so once."""
    caplog.set_level("WARNING", "mt5runner.orders")
    world.begin()
    world.bar()
    world.terminal.answer = Outcome.REJECTED
    world.command("FLATTEN")
    world.cycle(60)
    closes = [one for one in world.terminal.sent if one.action is Action.CLOSE]
    assert 10 <= len(closes) <= 13
    assert 1 == len([line for line in caplog.messages if "close" in line])

    world.terminal.answer = Outcome.FILLED
    world.cycle(6)
    assert DONE is _told(world)[-1]


def test_an_order_without_an_outcome_keeps_it_from_being_done(world):
    """It may still become a position, which is closed then."""
    world.begin()
    world.terminal.answer = Outcome.UNKNOWN
    world.bar()
    world.terminal.answer = Outcome.FILLED
    world.command("FLATTEN")
    world.cycle(5)
    assert [EXECUTING] == _told(world)
    assert 1 == world.link.acks[-1].open_orders

    request = world.opened[0]
    world.terminal.add("EURUSD", world.magic, 77, request.token)
    world.cycle(45)

    assert {} == world.terminal.open
    assert DONE is _told(world)[-1]


def test_a_fill_that_is_not_shown_yet_keeps_it_from_being_done(world):
    """The terminal answers before it shows; an empty list proves nothing then."""
    world.begin()
    world.terminal.shows = False
    world.bar()
    world.command("FLATTEN")
    world.cycle(2)
    assert [EXECUTING] == _told(world)

    world.terminal.shows = True
    world.cycle(6)
    assert {} == world.terminal.open
    assert DONE is _told(world)[-1]


def test_a_full_disk_does_not_stop_a_flatten(world):
    """Nothing can be written, and what is open is closed all the same."""
    world.begin()
    world.bar()
    world.store.is_writable = False
    world.command("EMERGENCY_STOP")
    world.cycle()

    assert {} == world.terminal.open


def test_a_flatten_after_a_restart_closes_what_any_strategy_ever_opened(world):
    """The numbers of former strategies are on disk."""
    world.begin()
    world.bar()
    world.make()
    world.command("FLATTEN")
    world.link.at_start, world.link.events = world.link.events, []
    world.loop.start()
    world.cycle(2)

    assert {} == world.terminal.open


def test_a_second_command_of_another_level_with_the_same_number_is_told_too(world):
    """Account and fleet count for themselves."""
    world.begin()
    world.command("FLATTEN", seq=1)
    world.cycle()
    world.command("EMERGENCY_STOP", seq=1)
    world.cycle()

    assert [DONE, DONE] == _told(world)


def test_what_appears_after_it_was_done_is_closed_too(world):
    """The command is a state, not an event: it holds until RUN."""
    world.begin()
    world.command("EMERGENCY_STOP")
    world.cycle()
    world.terminal.add("EURUSD", world.magic)
    world.cycle(6)

    assert {} == world.terminal.open
    assert [DONE, EXECUTING, DONE] == _told(world)


# -- the ledger ------------------------------------------------------------------------
def _deal(world: Any, ticket: int, volume: float, profit: float) -> None:
    world.terminal.history_deals.append(
        Deal(
            ticket=ticket,
            position_id=1,
            symbol="EURUSD",
            side=Side.SELL,
            is_entry=False,
            volume=volume,
            price=1.1,
            time=world.terminal.time + timedelta(seconds=ticket),
            profit=profit,
            exit_reason=ExitReason.SIGNAL,
        )
    )
    account = world.terminal.account_now
    world.terminal.account_now = attrs.evolve(account, balance=account.balance + profit)


class Closed:
    """Hears every deal that closed something."""

    def __init__(self) -> None:
        self.tickets: list[int] = []

    @hookimpl
    def on_position_closed(self, deal: Any) -> None:
        self.tickets.append(deal.ticket)


@pytest.fixture
def closed(world):
    """A plugin that hears every closing deal."""
    world.plugins["closed"] = Closed()
    world.make()
    return world.plugins["closed"]


def test_a_position_closed_by_two_deals_counts_once_with_the_profit_of_both(
    world, closed
):
    """The second deal may be in the history later than the first."""
    world.begin()
    world.terminal.add("EURUSD", world.magic)
    world.cycle()
    world.terminal.open.clear()
    _deal(world, 11, 0.04, 5.0)
    world.cycle()
    _deal(world, 12, 0.06, 7.0)
    world.cycle(3)

    assert [11, 12] == closed.tickets
    summary = world.loop.finish()
    assert {"EURUSD": 1} == summary.closed
    assert {"EURUSD": 12.0} == summary.profit


def test_a_part_that_is_closed_is_told_and_the_position_counts_when_it_ends(
    world, closed
):
    """Each deal is told once, however often the history is read."""
    world.begin()
    position = world.terminal.add("EURUSD", world.magic)
    world.cycle()
    world.terminal.open[1] = attrs.evolve(position, volume=0.03)
    _deal(world, 11, 0.07, 5.0)
    world.cycle(2)
    assert [11] == closed.tickets

    world.terminal.is_readable = False
    world.cycle()
    world.terminal.is_readable = True
    world.terminal.open.clear()
    _deal(world, 12, 0.03, 1.0)
    world.cycle(2)

    assert [11, 12] == closed.tickets
    assert {"EURUSD": 1} == world.loop.finish().closed


def test_a_position_that_ended_before_it_ever_showed_counts_too(world, closed):
    """A stop inside the bar of the entry: the terminal shows its deals alone."""
    world.begin()
    world.cycle()
    _deal(world, 11, 0.04, -1.0)
    _deal(world, 12, 0.06, -2.0)
    world.cycle(2)

    assert [11, 12] == closed.tickets
    assert {"EURUSD": 1} == world.loop.finish().closed


# -- deals behind a balance ------------------------------------------------------------
class Cash:
    """Hears deals and readings, in order."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, float]] = []

    @hookimpl
    def on_deals(self, deals: Any) -> None:
        self.heard += [("deal", deal.profit) for deal in deals]

    @hookimpl
    def on_account(self, account: Any) -> None:
        if ("balance", account.balance) not in self.heard[-1:]:
            self.heard.append(("balance", account.balance))


@pytest.fixture
def cash(world):
    """A plugin that hears deals and readings."""
    world.plugins["cash"] = Cash()
    world.make()
    return world.plugins["cash"]


def test_the_deals_of_before_the_start_are_told_once_and_close_nothing(
    world, cash, closed
):
    """A guard can rebuild what it missed; nobody takes history for news."""
    world.terminal.quote("EURUSD")
    _deal(world, 11, 0.1, 500.0)
    world.begin()
    world.cycle(3)

    assert [("deal", 500.0), ("balance", 10_500.0)] == cash.heard
    assert [] == closed.tickets


def test_a_balance_is_not_shown_before_the_deals_behind_it(world, cash):
    """A withdrawal must not look like a loss, not even for a moment."""
    world.begin()
    world.cycle()
    _deal(world, 11, 0.0, -4_000.0)
    late, world.terminal.history_deals = world.terminal.history_deals, []
    world.cycle()
    assert [("balance", 10_000.0)] == cash.heard
    assert ["ACCOUNT_UNKNOWN"] == world.codes
    assert TradingState.HALTED is world.loop.gate.state

    world.terminal.history_deals = late
    world.cycle()

    assert [("deal", -4_000.0), ("balance", 6_000.0)] == cash.heard[1:]
    assert [] == world.codes


def test_a_balance_that_no_deal_ever_explains_is_taken_in_the_end(world, cash, caplog):
    """A broker may book what it never shows; that is told, and trading goes on."""
    caplog.set_level("WARNING", "mt5runner.orders")
    world.begin()
    account = world.terminal.account_now
    world.terminal.account_now = attrs.evolve(account, balance=9_000.0)
    world.cycle(60)

    assert ("balance", 9_000.0) == cash.heard[-1]
    assert 1 == len([line for line in caplog.messages if "without any deal" in line])


def test_unreadable_deals_leave_the_account_unknown(world, cash):
    """Nobody can say what a new balance means then."""
    world.begin()
    _deal(world, 11, 0.0, 100.0)
    world.terminal.deals_error = True
    world.cycle()
    assert ["ACCOUNT_UNKNOWN"] == world.codes

    world.terminal.deals_error = False
    world.cycle()
    assert [] == world.codes


# -- what guards demand ----------------------------------------------------------------
class Demanding:
    """Demands what the test says, or raises it."""

    def __init__(self) -> None:
        self.demands: Any = None
        self.denies = False

    @hookimpl
    def demand_exits(self) -> Any:
        if isinstance(self.demands, Exception):
            raise self.demands
        return self.demands

    @hookimpl
    def check_trading(self) -> Deny | None:
        return Deny("LIMIT", "", TradingState.LATCHED) if self.denies else None

    @hookimpl
    def check_order(self) -> Deny:
        return Deny("NEVER")


@pytest.fixture
def guard(world):
    """A guard that demands exits, and denies every order of a strategy."""
    world.plugins["guard"] = Demanding()
    world.make()
    return world.plugins["guard"]


def _pending(ticket: int, magic: int) -> PendingOrder:
    return PendingOrder(
        ticket=ticket,
        symbol="EURUSD",
        side=Side.BUY,
        kind=PendingKind.LIMIT,
        volume=0.1,
        price=1.0,
        placed_at=MARKET,
        magic=magic,
    )


def test_what_a_guard_demands_is_closed_and_removed_orders_first(world, guard):
    """No guard is asked about it, and what is not named stays."""
    world.begin()
    for ticket in (1, 2):
        world.terminal.add("EURUSD", world.magic, ticket)
    for ticket in (5, 6):
        world.terminal.pending[ticket] = _pending(ticket, magic=0)
    guard.demands = Demand(code="LIMIT", close=(1, 99), cancel=(5,))
    world.cycle(2)

    assert ([2], [6]) == (list(world.terminal.open), list(world.terminal.pending))
    assert [Action.CANCEL, Action.CLOSE] == [one.action for one in world.terminal.sent]


def test_a_demand_is_tried_until_the_market_takes_it(world, guard):
    """Refused for a weekend, it is asked for again every few seconds."""
    world.begin()
    world.terminal.add("EURUSD", world.magic)
    world.terminal.answer = Outcome.REJECTED
    guard.demands = Demand(code="LIMIT", close=(1,))
    world.cycle(60)
    assert 10 <= len(world.terminal.sent) <= 13

    world.terminal.answer = Outcome.FILLED
    world.cycle(30)
    assert {} == world.terminal.open


def test_a_guard_that_breaks_takes_no_demand_back(world, guard):
    """Failing closed, what it demanded last goes on until it says otherwise."""
    world.begin()
    world.terminal.add("EURUSD", world.magic)
    world.terminal.answer = Outcome.REJECTED
    guard.demands = Demand(code="LIMIT", close=(1,))
    world.cycle()
    guard.demands = ValueError("broken")
    world.terminal.answer = Outcome.FILLED
    world.cycle(30)
    assert {} == world.terminal.open

    world.terminal.add("EURUSD", world.magic)
    guard.demands = None
    world.cycle(30)
    assert [1] == list(world.terminal.open)


def test_the_account_shows_flattening_and_then_the_guards_own_state(world, guard):
    """Nothing opens meanwhile; the latch stays when all is closed."""
    world.begin()
    world.terminal.add("EURUSD", world.magic)
    world.terminal.answer = Outcome.REJECTED
    guard.demands, guard.denies = Demand(code="LIMIT", close=(1,)), True
    world.cycle()
    during = world.loop.gate.state

    world.terminal.answer = Outcome.FILLED
    world.cycle(30)
    guard.demands = None
    world.cycle()

    assert {} == world.terminal.open
    after = world.loop.gate.state
    assert [TradingState.FLATTENING, TradingState.LATCHED] == [during, after]


def test_a_demanded_stop_is_moved_once(world, guard):
    """It stands after the first try, so that nothing more is sent."""
    world.begin()
    world.terminal.add("EURUSD", world.magic)
    guard.demands = Demand(code="BREAKEVEN", protect={1: 1.1})
    world.cycle(2)
    position = world.terminal.open[1]
    world.terminal.open[1] = attrs.evolve(position, stop_loss=1.1)
    world.cycle(60)

    (request,) = world.terminal.sent
    assert (Action.PROTECT, 1.1) == (request.action, request.stop_loss_price)


def test_a_flatten_removes_our_pending_orders_and_leaves_a_persons(world):
    """What waits could open while positions are closed."""
    world.begin()
    world.terminal.pending[5] = _pending(5, world.magic)
    world.terminal.pending[6] = _pending(6, magic=0)
    world.command("FLATTEN")
    world.cycle(2)

    assert [6] == list(world.terminal.pending)
    assert DONE is _told(world)[-1]


# -- the reporter ----------------------------------------------------------------------
def test_a_peak_is_on_disk_a_minute_later_even_if_it_rises_no_more(world):
    """Killed hours after the peak, the next start still knows it."""
    world.begin()
    world.cycle()
    _deal(world, 11, 0.1, 500.0)
    world.cycle()
    _deal(world, 12, 0.1, -1500.0)
    world.cycle(61)

    assert 10_500.0 == world.store.get("account", "peak_balance")


def test_a_heartbeat_says_why_exposure_must_not_rise(world):
    """Every reason by its code, and the state that follows."""
    world.begin()
    world.server(bot_status="PAUSED", dd_blocked=True)
    world.trade(2, account_status="INACTIVE")
    world.cycle()

    assert ["INACTIVE", "PAUSED", "DD_BLOCKED"] == world.codes


def test_silence_lifts_nothing(world):
    """A server heartbeat that is gone, or says less, leaves what it said before."""
    world.begin(name="Restless")
    world.server(bot_status="PAUSED")
    world.cycle()
    world.link.events.append(ServerSeen(heartbeat=None, at=world.clock.now()))
    world.server(account_status="ACTIVE")
    before = len(world.opened)
    world.bar()

    assert before == len(world.opened)
    assert ["PAUSED"] == world.codes


def test_a_slow_broker_does_not_keep_the_heartbeat_waiting(world):
    """Closing fifty positions may take minutes; each of them gets its turn."""
    world.begin()
    for ticket in range(1, 51):
        world.terminal.add("EURUSD", world.magic, ticket)
    send = world.terminal.send

    def slow(request):
        world.clock.wait(2.0)
        return send(request)

    world.terminal.send = slow
    world.command("EMERGENCY_STOP")
    world.cycle()
    assert 45 == len(world.terminal.open)

    world.cycle(10)
    assert {} == world.terminal.open
    assert DONE is _told(world)[-1]


def test_what_is_refused_slowly_does_not_starve_what_could_be_closed(world):
    """At a weekend some markets are closed and others are not."""
    world.begin()
    for ticket in range(1, 21):
        world.terminal.add("EURUSD" if ticket < 20 else "XAUUSD", world.magic, ticket)
    send = world.terminal.send

    def slow(request):
        world.clock.wait(2.0)
        is_closed = request.symbol == "EURUSD"
        world.terminal.answer = Outcome.REJECTED if is_closed else Outcome.FILLED
        return send(request)

    world.terminal.send = slow
    world.command("FLATTEN")
    world.cycle(6)

    assert 20 not in world.terminal.open
    assert 19 == len(world.terminal.open)
    tried = [request.ticket for request in world.terminal.sent]
    assert set(range(1, 21)) == set(tried)


def test_a_demand_stands_while_the_terminal_has_no_server(world, guard):
    """What it shows then is no proof that there is nothing left to close."""
    world.begin()
    world.terminal.add("EURUSD", world.magic, 1)
    guard.demands = Demand(code="LIMIT", close=(1,))
    world.terminal.answer = Outcome.REJECTED
    world.cycle()
    _unlink(world, is_linked=False)
    guard.demands = None
    world.cycle(2)
    assert ["LIMIT"] == [one.code for one in world.loop.gate.demands["guard"]]

    _unlink(world, is_linked=True)
    world.cycle()
    assert () == world.loop.gate.demands["guard"]


def test_a_heartbeat_tells_no_number_while_the_terminal_has_no_server(world):
    """None would be flat, and flat is not known."""
    world.begin()
    world.bar()
    world.cycle(31)
    assert "1" == world.link.beats[-1]["open_positions"]
    _unlink(world, is_linked=False)
    world.cycle(31)

    assert "None" == world.link.beats[-1]["open_positions"]
