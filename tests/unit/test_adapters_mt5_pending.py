"""Pending orders on the twin: placed, looked up, filled, removed, whatever is lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.adapters.mt5 import MT5Adapter, MT5Settings
from runner.adapters.mt5_simulator import errors, faults
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal
from runner.core.orders import (
    Action,
    OrderRequest,
    OrderResult,
    Outcome,
    PendingKind,
    Side,
)
from runner.ports import Login, UnavailableError
from runner.testing import FakeClock

START = datetime(2026, 1, 14, 10, 0, tzinfo=UTC)
PLACE = OrderRequest(
    token="AAAAAAAAAA",
    magic=77,
    symbol="EURUSD",
    action=Action.PLACE,
    side=Side.BUY,
    volume=0.1,
    stop_loss=300,
    take_profit=600,
    kind=PendingKind.LIMIT,
    price=1.09,
)


class Desk:
    """An adapter over the twin, with a quote of 1.1 / 1.10012."""

    def __init__(self, *, hedging: bool = True, **symbol: Any) -> None:
        rules = {"EURUSD": symbol} if symbol else None
        self.terminal = SimulatedTerminal(hedging=hedging, symbols=rules)
        self.clock = FakeClock(START)
        settings = MT5Settings(is_live=False)
        self.adapter = MT5Adapter(self.terminal, self.clock, settings)
        self.adapter.connect(Login(account=123456))
        self.terminal.symbol_select("EURUSD", True)
        self.quote(0, 1.1)

    def quote(self, seconds: float, bid: float) -> None:
        """Quote so many seconds after the start, with a spread of 12 points."""
        time = START + timedelta(seconds=seconds)
        self.terminal.quote("EURUSD", bid, round(bid + 0.00012, 5), time)

    def fail(self, call: str, *planned: faults.Fault) -> None:
        """Let the next calls of a function fail as planned."""
        numbered = dict(enumerate(planned, start=1))
        self.terminal.faults = faults.Schedule({call: numbered})

    def place(self, **changes: Any) -> OrderResult:
        """Send a pending order."""
        return self.adapter.send(attrs.evolve(PLACE, **changes))

    def cancel(self, ticket: int) -> OrderResult:
        """Ask for its removal."""
        return self.adapter.send(removing(ticket))

    def found(self, request: OrderRequest) -> OrderResult | None:
        """Look it up, once the terminal is connected to again."""
        for _ in range(5):
            self.clock.wait(2)
            try:
                return self.adapter.find(request)
            except UnavailableError as error:
                last = error
        raise last


def removing(ticket: int) -> OrderRequest:
    """Return the request that removes a pending order."""
    return OrderRequest(
        token="CCCCCCCCCC",
        magic=77,
        symbol="EURUSD",
        action=Action.CANCEL,
        side=Side.BUY,
        volume=0.0,
        ticket=ticket,
    )


@pytest.fixture
def desk() -> Desk:
    """A connected adapter on a hedging account."""
    return Desk()


# -- placing ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("side", "kind", "price", "stop", "target"),
    [
        (Side.BUY, PendingKind.LIMIT, 1.09, 1.087, 1.096),
        (Side.BUY, PendingKind.STOP, 1.11, 1.107, 1.116),
        (Side.SELL, PendingKind.LIMIT, 1.11, 1.113, 1.104),
        (Side.SELL, PendingKind.STOP, 1.09, 1.093, 1.084),
    ],
)
def test_each_kind_waits_with_its_levels_counted_from_its_price(
    desk: Desk,
    side: Side,
    kind: PendingKind,
    price: float,
    stop: float,
    target: float,
) -> None:
    """A pending order stands at its price, stop and target as far from that."""
    result = desk.place(side=side, kind=kind, price=price)

    (order,) = desk.adapter.orders()
    assert (Outcome.PLACED, order.ticket, 0.1) == (
        result.outcome,
        result.ticket,
        result.volume,
    )
    assert (side, kind, price, stop, target, 77, "AAAAAAAAAA") == (
        order.side,
        order.kind,
        order.price,
        order.stop_loss,
        order.take_profit,
        order.magic,
        order.comment,
    )
    assert [] == list(desk.adapter.positions())


@pytest.mark.parametrize("hedging", [True, False])
def test_a_filled_order_is_a_position_that_carries_magic_and_token(
    hedging: bool,
) -> None:
    """The fill comes by itself later, and is ours by the same marks."""
    desk = Desk(hedging=hedging)
    placed = desk.place()

    desk.quote(1, 1.0898)

    assert [] == list(desk.adapter.orders())
    (position,) = desk.adapter.positions()
    assert (placed.ticket, 77, "AAAAAAAAAA") == (
        position.ticket,
        position.magic,
        position.comment,
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"price": 1.11}, "below 1.10012"),
        ({"price": 1.1001, "kind": PendingKind.STOP}, "above 1.10012"),
        ({"side": Side.SELL, "price": 1.09}, "above 1.1"),
        ({"price": 0.002}, "stop loss: 300 points are more"),
        ({"volume": 0.001}, "expected 0.01 to"),
        ({"symbol": "NOSUCH"}, "NOSUCH"),
    ],
)
def test_an_order_that_would_be_refused_is_not_sent(
    desk: Desk, changes: dict[str, Any], message: str
) -> None:
    """A price on the wrong side, a level of none, a volume below the smallest."""
    result = desk.place(**changes)

    assert Outcome.NOT_SENT is result.outcome
    assert message in result.message
    assert [] == list(desk.adapter.orders())


@pytest.mark.parametrize(
    ("rules", "changes", "message"),
    [
        ({"order_mode": 1 | 4 | 48}, {}, "takes no limit orders"),
        (
            {"expiration_mode": 1},
            {"expires_at": START + timedelta(hours=1)},
            "takes no orders with an end",
        ),
        ({"expiration_mode": 4}, {}, "takes no orders without an end"),
        ({"trade_stops_level": 50}, {"price": 1.09999}, "at least 50 points below"),
    ],
)
def test_what_the_symbol_does_not_take_is_not_sent(
    rules: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    """Kinds, lives and distances are the symbol's to allow."""
    result = Desk(**rules).place(**changes)

    assert Outcome.NOT_SENT is result.outcome
    assert message in result.message


def test_levels_nearer_than_the_stops_level_are_moved_from_the_order_s_price() -> None:
    """They keep the distance from the price of the order, not from the quote."""
    result = Desk(trade_stops_level=50).place(stop_loss=10, take_profit=20)

    assert (1.0895, 1.0905) == (result.stop_loss, result.take_profit)
    assert "stop loss moved" in result.message


def test_a_symbol_that_knows_only_the_day_gets_an_order_for_the_day() -> None:
    """Where nothing waits for ever, an order without an end waits for the day."""
    desk = Desk(expiration_mode=2)

    assert Outcome.PLACED is desk.place().outcome
    assert [1] == [order.type_time for order in desk.terminal.orders_get() or ()]


def test_an_order_lapses_at_its_end(desk: Desk) -> None:
    """The end is a moment in UTC; the server's clock is another."""
    placed = desk.place(expires_at=START + timedelta(minutes=5))
    desk.quote(299, 1.1)
    assert 1 == len(desk.adapter.orders())

    desk.quote(301, 1.1)

    assert [] == list(desk.adapter.orders())
    found = desk.adapter.find(PLACE)
    assert found is not None
    assert (Outcome.REJECTED, True) == (found.outcome, "expired" in found.message)
    assert placed.ticket > 0


def test_a_refusal_is_told_and_nothing_waits(desk: Desk) -> None:
    """Whatever the server says against it, it is not sent again."""
    desk.fail("order_send", faults.Refuse(10015))

    result = desk.place()

    assert (Outcome.REJECTED, 10015) == (result.outcome, result.retcode)
    assert [] == list(desk.adapter.orders())


def test_a_lost_reply_is_unknown_and_the_order_is_found_waiting(desk: Desk) -> None:
    """It was placed: the look-up finds it by its token, and nothing is sent again."""
    desk.fail("order_send", faults.LoseReply())

    assert Outcome.UNKNOWN is desk.place().outcome

    found = desk.found(PLACE)
    assert found is not None
    assert (Outcome.PLACED, 0.1, 1.09, 1.087) == (
        found.outcome,
        found.volume,
        found.price,
        found.stop_loss,
    )
    assert [found.ticket] == [order.ticket for order in desk.adapter.orders()]


def test_a_lost_reply_of_an_order_that_was_filled_meanwhile_is_a_fill(
    desk: Desk,
) -> None:
    """What waited and was filled before the look-up has its deal in history."""
    desk.fail("order_send", faults.LoseReply())
    desk.place()
    desk.quote(1, 1.0898)

    found = desk.found(PLACE)

    (position,) = desk.adapter.positions()
    assert found is not None
    assert (Outcome.FILLED, position.ticket, 0.1) == (
        found.outcome,
        found.ticket,
        found.volume,
    )


def test_an_order_that_netted_with_an_opposite_position_is_a_fill() -> None:
    """On a netting account it only makes the position smaller, and is found so."""
    desk = Desk(hedging=False)
    desk.place(token="LONGLONGLO", volume=0.3, stop_loss=None, take_profit=None)
    desk.quote(1, 1.0898)
    desk.fail("order_send", faults.LoseReply())
    request = attrs.evolve(
        PLACE, side=Side.SELL, price=1.095, stop_loss=None, take_profit=None
    )
    desk.adapter.send(request)
    desk.quote(2, 1.0951)

    found = desk.found(request)

    assert found is not None
    assert (Outcome.FILLED, 0.1) == (found.outcome, found.volume)
    assert [0.2] == [round(one.volume, 2) for one in desk.adapter.positions()]


def test_an_order_that_never_left_has_no_trace(desk: Desk) -> None:
    """Neither order nor deal nor history: the look-up is certain."""
    desk.fail("order_send", faults.Fail(-10004))

    assert Outcome.NOT_SENT is desk.place().outcome
    assert desk.found(PLACE) is None


# -- removing --------------------------------------------------------------------------
def test_a_removed_order_is_gone(desk: Desk) -> None:
    """The result says cancelled, and nothing waits any more."""
    ticket = desk.place().ticket

    result = desk.cancel(ticket)

    assert (Outcome.FILLED, ticket, "cancelled") == (
        result.outcome,
        result.ticket,
        result.message,
    )
    assert [] == list(desk.adapter.orders())


def test_an_order_that_was_filled_before_cannot_be_removed(desk: Desk) -> None:
    """The position stands, and nothing is sent for it."""
    ticket = desk.place().ticket
    desk.quote(1, 1.0898)

    result = desk.cancel(ticket)

    assert (Outcome.REJECTED, ticket) == (result.outcome, result.ticket)
    assert "filled before" in result.message
    assert 1 == len(desk.adapter.positions())


def test_an_order_that_is_gone_already_needs_no_removal(desk: Desk) -> None:
    """Cancelled twice, or lapsed meanwhile: what was wanted stands."""
    ticket = desk.place().ticket
    desk.cancel(ticket)

    assert (Outcome.FILLED, "cancelled") == (
        desk.cancel(ticket).outcome,
        desk.cancel(ticket).message,
    )


def test_an_order_that_nobody_knows_is_not_sent(desk: Desk) -> None:
    """Neither waiting nor in history: what became of it cannot be told."""
    result = desk.cancel(4711)

    assert Outcome.NOT_SENT is result.outcome
    assert "history is not there yet" in result.message


def test_a_refused_removal_leaves_the_order(desk: Desk) -> None:
    """A closed market, for instance; it can be tried again."""
    ticket = desk.place().ticket
    desk.fail("order_send", faults.Refuse(10018))

    result = desk.cancel(ticket)

    assert (Outcome.REJECTED, 10018) == (result.outcome, result.retcode)
    assert [ticket] == [order.ticket for order in desk.adapter.orders()]
    assert Outcome.FILLED is desk.cancel(ticket).outcome


def test_a_frozen_order_is_not_removed() -> None:
    """Too near to its price, the server lets nobody touch it."""
    desk = Desk(trade_freeze_level=100)
    ticket = desk.place(price=1.0985).ticket
    desk.quote(1, 1.0988)

    result = desk.cancel(ticket)

    assert (Outcome.REJECTED, 10029) == (result.outcome, result.retcode)
    assert 1 == len(desk.adapter.orders())


def test_a_lost_reply_of_a_removal_that_was_done_is_found_done(desk: Desk) -> None:
    """The order is gone, and its history says how."""
    ticket = desk.place().ticket
    desk.fail("order_send", faults.LoseReply())

    assert Outcome.UNKNOWN is desk.cancel(ticket).outcome

    found = desk.found(removing(ticket))
    assert found is not None
    assert (Outcome.FILLED, "cancelled") == (found.outcome, found.message)


def test_a_removal_that_never_left_finds_the_order_waiting(desk: Desk) -> None:
    """No trace: it waits as before, and can be removed by another request."""
    ticket = desk.place().ticket
    desk.fail("order_send", faults.Fail(-10004))

    assert Outcome.NOT_SENT is desk.cancel(ticket).outcome
    assert desk.found(removing(ticket)) is None
    assert Outcome.FILLED is desk.cancel(ticket).outcome


def test_without_the_link_to_the_server_nothing_is_removed_or_told(desk: Desk) -> None:
    """What a cut-off terminal shows proves nothing."""
    ticket = desk.place().ticket
    desk.terminal.switches.connected = False

    assert Outcome.NOT_SENT is desk.cancel(ticket).outcome
    assert Outcome.NOT_SENT is desk.place(token="BBBBBBBBBB").outcome
    with pytest.raises(UnavailableError, match="no link"):
        desk.adapter.find(removing(ticket))


@pytest.mark.parametrize("call", ["orders_get", "history_orders_get"])
def test_a_look_up_of_a_removal_with_a_hole_tells_nothing(
    desk: Desk, call: str
) -> None:
    """A failed reading is neither gone nor waiting."""
    ticket = desk.place().ticket
    desk.cancel(ticket)
    desk.fail(call, faults.Fail(-1))

    with pytest.raises(UnavailableError, match=call):
        desk.adapter.find(removing(ticket))


# -- everything at once ----------------------------------------------------------------
CODES = [code for code in errors.COMMENTS if code not in {0, 10008, 10009, 10010}]
some_fault = st.one_of(
    st.none(),
    st.sampled_from(CODES).map(faults.Refuse),
    st.sampled_from([10011, 10012, 10031]).map(faults.Answer),
    st.sampled_from([-10002, -10001, -10005, -1]).map(faults.LoseReply),
    st.sampled_from(sorted(errors.TEXTS)).map(faults.Fail),
    st.just(faults.Disconnect()),
)


def settled(desk: Desk, request: OrderRequest, result: OrderResult) -> OrderResult:
    """Look it up until its outcome is clear; no trace is a rejection."""
    for _ in range(40):
        if result.outcome is not Outcome.UNKNOWN:
            return result
        desk.clock.wait(2)
        try:
            found = desk.adapter.find(request)
        except UnavailableError:
            continue
        result = found or attrs.evolve(result, outcome=Outcome.REJECTED)
    raise AssertionError(f"never settled: {result}")


@given(
    hedging=st.booleans(),
    fault=some_fault,
    reading=st.sampled_from(
        ["orders_get", "history_deals_get", "history_orders_get", "positions_get"]
    ),
    at=st.integers(1, 6),
)
def test_told_outcome_of_placing_and_removing_is_the_real_one(
    hedging: bool, fault: faults.Fault | None, reading: str, at: int
) -> None:
    """One order waits or none, as it is told; and after its removal the same."""
    desk = Desk(hedging=hedging)
    plan: dict[str, dict[int, faults.Fault]] = {reading: {at: faults.Fail(-1)}}
    if fault is not None:
        plan["order_send"] = {1: fault}
    desk.terminal.faults = faults.Schedule(plan)

    placed = settled(desk, PLACE, desk.place())

    desk.terminal.faults = None
    desk.clock.wait(120)
    waiting = [order.ticket for order in desk.adapter.orders()]
    expected = [placed.ticket] if placed.outcome is Outcome.PLACED else []
    assert expected == waiting

    ticket = placed.ticket if expected else desk.place(token="BBBBBBBBBB").ticket
    desk.terminal.faults = faults.Schedule(plan)
    request = removing(ticket)
    removed = settled(desk, request, desk.cancel(ticket))

    desk.terminal.faults = None
    desk.clock.wait(120)
    is_gone = removed.outcome is Outcome.FILLED
    assert ([] if is_gone else [ticket]) == [
        one.ticket for one in desk.adapter.orders()
    ]
