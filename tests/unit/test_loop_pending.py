"""Pending orders of strategies: the same gate as openings, and no pause outlived."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner import (
    Action,
    Bar,
    Deny,
    Intents,
    OrderIntent,
    Outcome,
    PendingKind,
    Side,
    Strategy,
    Tick,
    hookimpl,
)
from runner.core.identity import magic_number
from runner.core.orders import Deny as CoreDeny
from runner.core.risk import against_waiting, judge
from runner.core.status import PauseReason
from runner.link import LeaseChanged

EXPIRES = datetime(2026, 3, 5, tzinfo=UTC)


class Patient(Strategy):
    """Keeps one buy limit and takes it back when the price says so."""

    def on_bar(self, bar: Bar) -> Intents:
        if self.is_flat(bar.symbol) and not self.orders(bar.symbol):
            return self.buy_limit(bar.symbol, 1.05, stop_loss=100, expires_at=EXPIRES)
        return None

    def on_tick(self, tick: Tick) -> Intents:
        return self.cancel(tick.symbol) if tick.bid > 1.5 else None


class Greedy(Strategy):
    """Wants one more pending order on every bar and every tick."""

    def on_bar(self, bar: Bar) -> Intents:
        return self.sell_stop(bar.symbol, 1.0)

    def on_tick(self, tick: Tick) -> Intents:
        return self.buy_stop(tick.symbol, 1.2, volume=0.2)


@pytest.fixture
def patient(world):
    """A loop whose strategy keeps one pending order, which waits."""
    world.classes["Patient"] = Patient
    world.begin(name="Patient", parameters_by_symbol={"EURUSD": Patient.Parameters()})
    world.bar()
    return world


def placed(world) -> list[Any]:
    """Return the pending orders that were sent."""
    return [one for one in world.terminal.sent if one.action is Action.PLACE]


# -- the intent ------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"side": None}, "side"),
        ({"kind": None}, "kind, price"),
        ({"price": None}, "kind, price"),
        ({"kind": PendingKind.STOP_LIMIT}, "STOP_LIMIT"),
        ({"price": -1.0}, "must be > 0"),
        ({"expires_at": datetime(2026, 3, 5)}, "UTC-aware"),  # noqa: DTZ001 - refused
        ({"action": Action.OPEN, "kind": None, "price": None}, "expires_at"),
        ({"action": Action.OPEN}, "kind, price"),
    ],
)
def test_an_intent_that_makes_no_sense_is_refused(changes, message):
    """A pending order has a side, a kind and a price; others have neither."""
    fields: dict[str, Any] = {
        "strategy": "S",
        "symbol": "EURUSD",
        "action": Action.PLACE,
        "side": Side.BUY,
        "kind": PendingKind.LIMIT,
        "price": 1.05,
        "expires_at": EXPIRES,
    }
    with pytest.raises(ValueError, match=message):
        OrderIntent(**fields | changes)


def test_a_pending_order_is_an_entry():
    """It can raise exposure, so it goes the way of an opening."""
    intent = OrderIntent(
        strategy="S",
        symbol="EURUSD",
        action=Action.PLACE,
        side=Side.BUY,
        kind=PendingKind.STOP,
        price=1.05,
    )

    reason = PauseReason("command", "PAUSE")

    assert intent.increases_exposure
    assert ["PAUSE"] == [
        said.deny.code for said in judge(intent, reasons=[reason], host=[], guards=[])
    ]


# -- placing, filling, cancelling ------------------------------------------------------
def test_a_pending_order_is_sized_sent_once_and_waits(patient):
    """Its size is chosen like an opening's, and the strategy sees it waiting."""
    patient.bar()

    (request,) = placed(patient)
    assert (PendingKind.LIMIT, 1.05, 0.1, 100, EXPIRES) == (
        request.kind,
        request.price,
        request.volume,
        request.stop_loss,
        request.expires_at,
    )
    assert [patient.magic] == [one.magic for one in patient.terminal.pending.values()]
    assert {} == patient.store.items("orders")


def test_a_filled_one_is_the_strategy_s_position(patient):
    """It carries the magic, so the strategy is not flat and places no second."""
    (ticket,) = patient.terminal.pending
    patient.terminal.fill(ticket)

    patient.bar()

    assert not patient.roster.members[1].context.is_flat("EURUSD")
    assert 1 == len(placed(patient))


def test_a_strategy_takes_its_order_back(patient):
    """A cancel is an exit: it removes the strategy's own orders and no other's."""
    request = placed(patient)[0]
    patient.terminal.wait_for(attrs.evolve(request, magic=0), 99)
    patient.terminal.quote("EURUSD", 1.6)

    patient.cycle()

    assert [99] == list(patient.terminal.pending)


def test_an_order_that_cannot_be_written_down_is_not_sent(patient):
    """Like an opening: a crash would forget it."""
    patient.terminal.pending.clear()
    patient.store.is_writable = False

    patient.bar()

    assert 1 == len(placed(patient))


def test_a_lost_reply_is_looked_up_after_a_restart_and_not_sent_again(patient):
    """What is on disk comes back with kind, price and end, and is found waiting."""
    patient.terminal.pending.clear()
    patient.terminal.error = OSError("the line is cut")
    patient.bar()
    patient.terminal.error = None
    request = placed(patient)[-1]
    patient.make()
    patient.desk.restore()
    assert [request] == list(patient.desk.unresolved)

    patient.terminal.wait_for(request, 70)
    parameters = {"EURUSD": Patient.Parameters()}
    patient.begin(name="Patient", parameters_by_symbol=parameters)
    patient.cycle(4)
    patient.bar()

    assert [] == list(patient.desk.unresolved)
    assert [70] == list(patient.terminal.pending)
    assert request is placed(patient)[-1]


def test_an_order_of_unknown_outcome_is_not_flat(patient):
    """Unknown is neither placed nor not placed: nothing is sent beside it."""
    patient.terminal.pending.clear()
    patient.terminal.answer = Outcome.UNKNOWN

    patient.bar()
    patient.bar()

    assert 2 == len(placed(patient))
    assert not patient.roster.members[1].context.is_flat("EURUSD")


# -- no pending order survives a pause -------------------------------------------------
@pytest.mark.parametrize(
    "pause",
    [
        lambda world: world.command("PAUSE"),
        lambda world: world.server(bot_status="PAUSED"),
        lambda world: world.trade(2, bot_status="PAUSED"),
        lambda world: world.trade(2, active_bot_id=2),
        lambda world: world.trade(2, enabled_symbols=("XAUUSD",)),
        lambda world: world.strategy(
            2,
            name="Patient",
            bot_status="PAUSED",
            parameters_by_symbol={"EURUSD": Patient.Parameters()},
        ),
    ],
    ids=["command", "server", "config", "replaced", "symbol", "strategy"],
)
def test_what_denies_an_opening_cancels_what_waits(patient, pause):
    """In the same cycle, and nothing is placed anew while the cause holds."""
    pause(patient)

    patient.cycle()
    assert {} == patient.terminal.pending

    patient.bar()
    assert {} == patient.terminal.pending


class Silent:
    """A guard that closes one symbol."""

    def __init__(self) -> None:
        self.closed = False

    @hookimpl
    def check_symbol(self) -> Deny | None:
        return Deny("NEWS") if self.closed else None


def test_a_guard_that_closes_the_symbol_cancels_what_waits_there(world):
    """News, for instance: the fill would come at the worst moment."""
    guard = Silent()
    world.plugins["silent"] = guard
    world.classes["Patient"] = Patient
    world.make()
    world.begin(name="Patient", parameters_by_symbol={"EURUSD": Patient.Parameters()})
    world.bar()
    assert 1 == len(world.terminal.pending)

    guard.closed = True
    world.cycle()

    assert {} == world.terminal.pending


@pytest.mark.parametrize("is_hedging", [True, False])
def test_a_symbol_taken_by_another_is_left_on_a_netting_account(patient, is_hedging):
    """The fill would mix with the other position; hedging keeps them apart."""
    patient.terminal.is_hedging = is_hedging
    patient.terminal.add("EURUSD", magic=0, ticket=99)

    patient.cycle()

    assert int(is_hedging) == len(patient.terminal.pending)


def test_a_foreign_pending_order_survives_every_pause(patient):
    """Only our own are ours to cancel."""
    patient.terminal.wait_for(attrs.evolve(placed(patient)[0], magic=0), 99)
    patient.command("EMERGENCY_STOP")

    patient.cycle(2)

    assert [99] == list(patient.terminal.pending)


def test_what_stood_when_the_lease_was_lost_is_removed(patient):
    """Nobody may be watching it any more."""
    patient.link.events.append(LeaseChanged(held=False))
    patient.cycle(2)

    assert {} == patient.terminal.pending


@pytest.mark.parametrize("stood", [True, False])
def test_what_another_runner_places_is_its_own_business(patient, stood):
    """It has our lease and our numbers: to remove what it places would never end."""
    request = placed(patient)[0]
    if not stood:
        patient.terminal.pending.clear()
        patient.terminal.quote("EURUSD", 1.6)
    patient.terminal.is_readable = False
    patient.link.events.append(LeaseChanged(held=False))
    patient.cycle()
    patient.terminal.is_readable = True
    patient.cycle(2)
    patient.terminal.wait_for(request, 70)
    patient.terminal.wait_for(attrs.evolve(request, symbol="XAUUSD"), 71)
    patient.command("PAUSE")
    patient.cycle(8)
    assert [70, 71] == list(patient.terminal.pending)

    patient.link.events.append(LeaseChanged(held=True, epoch=4))
    patient.cycle(8)
    assert {} == patient.terminal.pending


def test_a_flatten_removes_whatever_bears_our_numbers_with_or_without_the_lease(
    patient,
):
    """The command is for the account, and both runners obey it."""
    patient.link.events.append(LeaseChanged(held=False))
    patient.cycle(2)
    patient.terminal.wait_for(placed(patient)[0], 70)
    patient.command("FLATTEN")
    patient.cycle(2)

    assert {} == patient.terminal.pending


def test_a_refused_cancel_is_tried_again(patient):
    """A closed market makes it later, not undone."""
    patient.terminal.answer = Outcome.REJECTED
    patient.command("PAUSE")
    patient.cycle(3)
    assert 1 == len(patient.terminal.pending)

    patient.terminal.answer = Outcome.FILLED
    patient.cycle(6)

    assert {} == patient.terminal.pending


def test_a_restart_leaves_what_waits_until_the_configuration_is_there(patient):
    """That no config is there yet is no pause; the strategy finds its order again."""
    (ticket,) = patient.terminal.pending
    patient.make()
    patient.loop.start()
    patient.cycle(3)
    assert [ticket] == list(patient.terminal.pending)

    parameters = {"EURUSD": Patient.Parameters()}
    patient.begin(name="Patient", parameters_by_symbol=parameters)
    patient.bar()

    assert [ticket] == list(patient.terminal.pending)
    assert 1 == len(placed(patient))


def test_a_start_that_gets_no_configuration_cancels_what_waits(patient):
    """After a minute nobody vouches for it."""
    patient.make()
    patient.loop.start()

    patient.cycle(65)

    assert {} == patient.terminal.pending


@pytest.mark.parametrize("is_starting", [True, False])
def test_only_a_start_s_own_reasons_may_wait(is_starting):
    """No config yet is excused at the start; a pause never is."""
    none_yet = PauseReason("runner", "NO_CONFIG")
    paused = PauseReason("server.bot_status", "PAUSED")

    assert ("" if is_starting else "NO_CONFIG") == against_waiting(
        [none_yet], [], is_starting=is_starting
    )
    assert "PAUSED" == against_waiting([none_yet, paused], [], is_starting=True)
    assert "SYMBOL" == against_waiting(
        [], [CoreDeny("SYMBOL")], is_starting=is_starting
    )
    assert "" == against_waiting([], [], is_starting=is_starting)


def _hear_server(status: str) -> Any:
    return lambda world: world.server(bot_status=status)


def _choose(number: int) -> Any:
    # Versions only ever rise; the number of what was applied so far tells the next.
    return lambda world: world.trade(2 + len(world.link.done), active_bot_id=number)


def _command(action: str) -> Any:
    return lambda world: world.command(action, 1 + len(world.link.acks))


def _set(name: str, value: Any) -> Any:
    return lambda world: setattr(world.terminal, name, value)


def _fill(world: Any) -> None:
    for ticket in list(world.terminal.pending)[:1]:
        world.terminal.fill(ticket)


EVENTS: dict[str, Any] = {
    "bar": lambda world: world.terminal.close_bar("EURUSD"),
    "tick": lambda world: world.terminal.quote("EURUSD", 1.1),
    "pause": _command("PAUSE"),
    "flatten": _command("FLATTEN"),
    "run": _command("RUN"),
    "server paused": _hear_server("PAUSED"),
    "server active": _hear_server("ACTIVE"),
    "replace": _choose(2),
    "choose": _choose(1),
    "deaf": _set("is_readable", False),
    "hear": _set("is_readable", True),
    "lost": _set("error", OSError("cut")),
    "kept": _set("error", None),
    "refuse": _set("answer", Outcome.REJECTED),
    "accept": _set("answer", Outcome.FILLED),
    "fill": _fill,
}


@settings(deadline=None)
@given(st.lists(st.sampled_from(sorted(EVENTS)), max_size=25))
def test_no_own_pending_order_stands_while_nothing_may_be_opened(make_world, events):
    """Whatever happens, none is placed in a pause, and all go once orders pass."""
    world = make_world()
    world.classes["Greedy"] = Greedy
    world.begin(name="Greedy", parameters_by_symbol={"EURUSD": Greedy.Parameters()})
    for event in events:
        EVENTS[event](world)
        world.cycle()
        before = len(placed(world))
        if world.loop.gate.reasons:
            world.terminal.quote("EURUSD", 1.11)
            world.cycle()
            if world.loop.gate.reasons:
                assert before == len(placed(world)), "placed during a pause"

    world.terminal.is_readable, world.terminal.error = True, None
    world.terminal.answer = Outcome.FILLED
    world.cycle(45)  # lost cancels are looked up, refused ones tried again
    own = [
        one
        for one in world.terminal.pending.values()
        if one.magic == magic_number("7", 1)
    ]
    member = world.roster.members.get(1)
    if world.loop.gate.reasons or member is None or member.is_leaving:
        assert [] == own
