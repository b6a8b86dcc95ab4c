from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from memory_store import MemoryStore

from runner import (
    Account,
    Action,
    Deal,
    ExitReason,
    OrderIntent,
    OrderRequest,
    OrderResult,
    Outcome,
    PendingKind,
    PendingOrder,
    Position,
    Side,
    hookimpl,
)
from runner.host.manager import PluginHost
from runner.host.records import BUILT_IN
from runner.loop.desk import OrderDesk
from runner.loop.view import View
from runner.ports import Login, StateError, UnavailableError
from runner.testing import FakeClock

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
INTENT = OrderIntent(
    strategy="S",
    symbol="EURUSD",
    action=Action.OPEN,
    side=Side.BUY,
    volume=0.1,
    stop_loss=100,
)
MAGIC = 77


class ManualClock:
    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return (self.time - START).total_seconds()

    def wait(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class ScriptedBroker:
    """Executes at once; a script says which answers get lost."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.sent: list[OrderRequest] = []
        self.stored_before_sent: list[bool] = []
        self.open: dict[int, Position] = {}
        self.pending: dict[int, PendingOrder] = {}
        self.lose_reply = False
        self.swallow = False
        self.show = True
        self.is_readable = True
        self.find_error: Exception | None = None
        self.is_hedging = True

    def connect(self, login: Login) -> Account:
        return self.account()

    def account(self) -> Account:
        if not self.is_readable:
            raise UnavailableError("no connection")
        return Account(
            login=1,
            server="s",
            currency="USD",
            balance=1000.0,
            equity=1000.0,
            is_hedging=self.is_hedging,
        )

    def positions(self) -> Sequence[Position]:
        if not self.is_readable:
            raise UnavailableError("no connection")
        return list(self.open.values()) if self.show else []

    def orders(self) -> Sequence[PendingOrder]:
        if not self.is_readable:
            raise UnavailableError("no connection")
        return list(self.pending.values())

    def deals(self, since: datetime) -> Sequence[Deal]:
        return []

    def send(self, request: OrderRequest) -> OrderResult:
        self.sent.append(request)
        self.stored_before_sent.append(("orders", request.token) in self.store.texts)
        if self.swallow:
            return OrderResult(token=request.token, outcome=Outcome.UNKNOWN)
        result = self._execute(request)
        if self.lose_reply:
            return OrderResult(token=request.token, outcome=Outcome.UNKNOWN)
        return result

    def _execute(self, request: OrderRequest) -> OrderResult:
        ticket = request.ticket or 1000 + len(self.sent)
        if request.action is Action.OPEN:
            self.open[ticket] = Position(
                ticket=ticket,
                symbol=request.symbol,
                side=request.side,
                volume=request.volume,
                opened_at=START,
                open_price=1.1,
                magic=request.magic,
                comment=request.token,
            )
        elif request.action is Action.CANCEL:
            self.pending.pop(ticket, None)
        else:
            self.open.pop(ticket, None)
        return OrderResult(token=request.token, outcome=Outcome.FILLED, ticket=ticket)

    def find(self, request: OrderRequest) -> OrderResult | None:
        if not self.is_readable:
            raise UnavailableError("no connection")
        if self.find_error is not None:
            raise self.find_error
        for position in self.open.values():
            if position.comment == request.token:
                return OrderResult(
                    token=request.token, outcome=Outcome.FILLED, ticket=position.ticket
                )
        return None

    def close(self) -> None:
        pass


class Listener:
    def __init__(self) -> None:
        self.results: list[Outcome] = []

    @hookimpl
    def on_order_result(self, result: OrderResult) -> None:
        self.results.append(result.outcome)


class Desk:
    """A desk on a scripted broker, with everything around it."""

    def __init__(self, store: MemoryStore, broker: ScriptedBroker) -> None:
        self.store, self.broker, self.clock = store, broker, ManualClock()
        self.host, self.listener = PluginHost(), Listener()
        self.host.attach("listener", self.listener, BUILT_IN)
        self.view = View(None, broker)  # type: ignore[arg-type]  # no quotes here
        self.view.read_account()
        self.desk = OrderDesk(
            broker=broker,
            store=store,
            host=self.host,
            view=self.view,
            clock=self.clock,
            session="test",
        )

    def open(self) -> None:
        self.desk.enter(INTENT, magic=MAGIC)

    def is_unresolved(self) -> bool:
        return self.desk.is_unresolved(MAGIC, "EURUSD")


@pytest.fixture
def made() -> Desk:
    store = MemoryStore()
    return Desk(store, ScriptedBroker(store))


def test_an_order_is_on_disk_before_it_is_sent_and_forgotten_after_its_answer(made):
    """Whatever kills the process between the two leaves a trace."""
    made.open()

    assert [True] == made.broker.stored_before_sent
    assert {} == made.store.texts
    assert [Outcome.FILLED] == made.listener.results


def test_a_lost_reply_of_an_executed_order_is_found_and_nothing_is_sent_twice(made):
    """The order is looked up by its token and its strategy is not flat meanwhile."""
    made.broker.lose_reply = True
    made.open()
    assert made.is_unresolved()

    made.clock.wait(2)
    made.desk.settle()

    assert not made.is_unresolved()
    assert 1 == len(made.broker.sent)
    assert [Outcome.UNKNOWN, Outcome.FILLED] == made.listener.results
    assert {} == made.store.texts


def test_an_order_that_never_arrived_is_given_up_after_the_search(made):
    """Only when it has left no trace for the whole search may the strategy go on."""
    made.broker.swallow = True
    made.open()
    for _ in range(14):
        made.clock.wait(2)
        made.desk.settle()
    assert made.is_unresolved()

    for _ in range(3):
        made.clock.wait(2)
        made.desk.settle()

    assert not made.is_unresolved()
    assert 1 == len(made.broker.sent)


def test_a_terminal_that_cannot_be_read_proves_nothing(made):
    """While look-ups fail the order stays unresolved, however long that takes."""
    made.broker.swallow = True
    made.open()
    made.broker.is_readable = False
    for _ in range(100):
        made.clock.wait(2)
        made.desk.settle()

    assert made.is_unresolved()


def test_a_look_up_that_stumbles_proves_nothing_and_breaks_nothing(made):
    """A start that ends in the same error each time could not flatten either."""
    made.broker.swallow = True
    made.open()
    made.broker.find_error = ValueError("a bug")
    for _ in range(40):
        made.clock.wait(2)
        made.desk.settle()
    assert made.is_unresolved()

    made.broker.find_error = None
    for _ in range(20):
        made.clock.wait(2)
        made.desk.settle()
    assert not made.is_unresolved()


def test_an_order_left_by_a_killed_runner_is_looked_up_by_the_next_one(made):
    """The next start finds it on disk, unresolved until the terminal shows it."""
    made.broker.lose_reply = True
    made.open()

    after = Desk(made.store, made.broker)
    after.desk.restore()
    assert after.is_unresolved()
    after.clock.wait(2)
    after.desk.settle()

    assert not after.is_unresolved()
    assert 1 == len(made.broker.sent)


def test_a_fill_that_the_terminal_does_not_show_yet_is_not_flat(made):
    """Terminals may answer before they show; until then no second entry is possible."""
    made.broker.show = False
    made.open()
    assert made.is_unresolved()

    made.broker.show = True
    made.view.read_account()
    made.desk.settle()

    assert not made.is_unresolved()


@pytest.mark.parametrize(("closed", "waits"), [(0.1, False), (0.05, True)])
def test_what_was_filled_and_closed_before_it_showed_is_flat(made, closed, waits):
    """Its closing deal shows; one of a part leaves the rest to be waited for."""
    made.broker.show = False
    made.open()
    [position] = made.broker.open.values()

    made.desk.hear_deals(
        [
            Deal(
                ticket=1,
                position_id=position.ticket,
                symbol="EURUSD",
                side=Side.SELL,
                is_entry=False,
                volume=closed,
                price=1.0,
                time=START,
                profit=-1.0,
                exit_reason=ExitReason.STOP_LOSS,
            )
        ]
    )

    assert waits == made.is_unresolved()


def test_what_never_shows_is_waited_for_a_minute(made):
    """No longer: it was closed, and its deals are lost."""
    made.broker.show = False
    made.open()
    made.clock.wait(59)
    made.desk.settle()
    assert made.is_unresolved()

    made.clock.wait(1)
    made.desk.settle()

    assert not made.is_unresolved()


def test_a_close_is_not_repeated_while_its_outcome_is_unknown(made):
    """A second close of the same position could open the opposite one."""
    made.open()
    (position,) = made.broker.open.values()
    made.broker.swallow = True

    made.desk.close(position, strategy="S")
    made.desk.close(position, strategy="S")

    assert 2 == len(made.broker.sent)


@pytest.mark.parametrize(
    ("is_hedging", "volume", "seconds", "sent"),
    [
        (True, None, 4.0, 1),
        (True, None, 5.0, 2),
        (True, 0.1, 5.0, 2),
        (True, 0.05, 60.0, 1),
        (False, None, 60.0, 1),
    ],
)
def test_a_whole_close_in_doubt_is_repeated_where_that_cannot_turn_the_position(
    made, is_hedging, volume, seconds, sent
):
    """A hedging account's close names its position: a second one finds it closed."""
    made.broker.is_hedging = is_hedging
    made.broker.open[5] = POSITION
    made.broker.swallow = True
    made.view.read_account()
    made.desk.close(POSITION, strategy="S")
    made.clock.wait(seconds)
    made.desk.close(POSITION, strategy="S", volume=volume)

    assert sent == len(made.broker.sent)
    assert sent == len(made.desk.unresolved)


def test_moving_a_stop_keeps_what_is_not_named(made):
    """The terminal removes a stop that is not sent, so both are always sent."""
    position = Position(
        ticket=5,
        symbol="EURUSD",
        side=Side.BUY,
        volume=0.1,
        opened_at=START,
        open_price=1.1,
        stop_loss=1.09,
        take_profit=1.2,
        magic=MAGIC,
    )
    made.desk.protect(position, strategy="S", stop_loss=1.095)

    (request,) = made.broker.sent
    assert (1.095, 1.2) == (request.stop_loss_price, request.take_profit_price)


PENDING = PendingOrder(
    ticket=5,
    symbol="EURUSD",
    side=Side.SELL,
    kind=PendingKind.LIMIT,
    volume=0.1,
    price=1.2,
    placed_at=START,
    magic=MAGIC,
)


def test_a_pending_order_is_removed_once_however_often_it_is_asked_for(made):
    """While the first request has no outcome, none is sent in its place."""
    made.broker.pending[5] = PENDING
    made.broker.swallow = True
    made.desk.cancel(PENDING, strategy="S")
    made.desk.cancel(PENDING, strategy="S")

    (request,) = made.broker.sent
    assert (Action.CANCEL, 5) == (request.action, request.ticket)


def test_a_removal_in_doubt_does_not_hold_the_close_of_its_position(made):
    """An order and the position that it opened have the same number."""
    made.broker.swallow = True
    made.desk.cancel(PENDING, strategy="S")
    made.broker.swallow = False
    made.broker.open[5] = Position(
        ticket=5,
        symbol="EURUSD",
        side=Side.SELL,
        volume=0.1,
        opened_at=START,
        open_price=1.2,
        magic=MAGIC,
    )
    made.desk.close(made.broker.open[5], strategy="S")

    assert {} == made.broker.open


POSITION = Position(
    ticket=5,
    symbol="EURUSD",
    side=Side.BUY,
    volume=0.1,
    opened_at=START,
    open_price=1.1,
    stop_loss=1.09,
    magic=MAGIC,
)


def test_a_change_of_stop_in_doubt_does_not_hold_the_close(made):
    """Closed once is closed, whether the stop was moved before or not."""
    made.broker.open[5] = POSITION
    made.broker.swallow = True
    made.desk.protect(POSITION, strategy="S", stop_loss=1.095)
    made.broker.swallow = False
    made.desk.close(POSITION, strategy="S")

    assert {} == made.broker.open


def test_a_stop_is_not_moved_while_another_change_of_the_position_is_in_doubt(made):
    """The older one could be carried out after the newer."""
    made.broker.open[5] = POSITION
    made.broker.swallow = True
    made.desk.protect(POSITION, strategy="S", stop_loss=1.095)
    made.desk.protect(POSITION, strategy="S", stop_loss=1.096)
    made.desk.close(POSITION, strategy="S")
    made.desk.protect(POSITION, strategy="S", stop_loss=1.097)

    assert [Action.PROTECT, Action.CLOSE] == [one.action for one in made.broker.sent]


def test_a_full_disk_stops_openings_and_lets_exits_pass():
    """What opens must be on disk first; a close names its position and harms nobody."""
    store = MemoryStore()
    store.is_writable = False
    made = Desk(store, ScriptedBroker(store))
    made.open()
    assert [] == made.broker.sent
    assert [Outcome.NOT_SENT] == made.listener.results

    position = Position(
        ticket=5,
        symbol="EURUSD",
        side=Side.BUY,
        volume=0.1,
        opened_at=START,
        open_price=1.1,
        magic=MAGIC,
    )
    made.broker.open[5] = position
    made.desk.close(position, strategy="EMERGENCY_STOP")

    assert {} == made.broker.open


def test_a_jump_of_the_wall_clock_does_not_cut_the_search_short(made):
    """An order is given up after half a minute that passed, not that was set."""
    clock = FakeClock(START)
    made.clock, made.desk._clock = clock, clock
    made.desk._began = clock.now(), clock.monotonic()
    made.broker.swallow = True
    made.open()
    clock.wait(2)
    made.desk.settle()
    clock.set(START + timedelta(hours=1))
    clock.wait(2)
    made.desk.settle()

    assert made.is_unresolved


def test_a_damaged_record_of_an_order_refuses_the_start(made):
    """What is open is not known then, and the message says so."""
    made.store.put("orders", "TOKEN", {"action": "open"})

    with pytest.raises(StateError, match="order TOKEN on disk is damaged"):
        made.desk.restore()


def test_a_lost_fill_that_is_found_before_it_is_shown_is_not_flat(made):
    """History may know a deal before the list of positions does."""
    made.broker.lose_reply = True
    made.open()
    made.broker.show = False
    made.clock.wait(2)
    made.desk.settle()

    assert [Outcome.UNKNOWN, Outcome.FILLED] == made.listener.results
    assert made.is_unresolved


def test_a_partial_close_is_never_larger_than_the_position(made):
    """On a netting account the rest would open the opposite one."""
    made.open()
    (position,) = made.broker.open.values()

    made.desk.close(position, strategy="S", volume=5.0)

    assert 0.1 == made.broker.sent[-1].volume
