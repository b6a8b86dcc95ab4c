"""What every `Broker` keeps: here the MT5 adapter over the simulated terminal."""

from __future__ import annotations

from collections.abc import Callable
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
    ExitReason,
    OrderRequest,
    OrderResult,
    Outcome,
    PendingKind,
    Position,
    Side,
)
from runner.ports import Broker, Login, UnavailableError

START = datetime(2026, 1, 14, 10, 0, tzinfo=UTC)
OPEN = OrderRequest(
    token="AAAAAAAAAA",
    magic=77,
    symbol="EURUSD",
    action=Action.OPEN,
    side=Side.BUY,
    volume=0.1,
    stop_loss=300,
    take_profit=600,
)


@attrs.define
class StillClock:
    """A clock that only waiting moves."""

    time: float = 0.0

    def now(self) -> datetime:
        """Return a fixed date and the time that was waited."""
        return START + timedelta(seconds=self.time)

    def monotonic(self) -> float:
        """Return the seconds waited."""
        return self.time

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.time += seconds


@attrs.define
class Desk:
    """A broker, and the terminal behind it that a test moves."""

    terminal: SimulatedTerminal
    broker: Broker
    clock: StillClock
    start: datetime

    def quote(self, seconds: float, bid: float, symbol: str = "EURUSD") -> None:
        """Quote *symbol* so many seconds after the start, with a spread of 12."""
        time = self.start + timedelta(seconds=seconds)
        self.terminal.quote(symbol, bid, round(bid + 0.00012, 5), time)

    def fail(self, call: str, *planned: faults.Fault) -> None:
        """Let the next calls of a function fail as planned."""
        numbered = dict(enumerate(planned, start=1))
        self.terminal.faults = faults.Schedule({call: numbered})

    def open(self, **changes: Any) -> OrderResult:
        """Open a position."""
        return self.broker.send(attrs.evolve(OPEN, **changes))

    def close(self, ticket: int, **changes: Any) -> OrderResult:
        """Close a long position."""
        return self.broker.send(closing(ticket, **changes))

    def only_position(self) -> Position:
        """Return the account's one position."""
        (position,) = self.broker.positions()
        return position


def closing(ticket: int, **changes: Any) -> OrderRequest:
    """Return the request that closes a long position of 0.1 lots."""
    request = attrs.evolve(
        OPEN,
        token="CCCCCCCCCC",
        action=Action.CLOSE,
        side=Side.SELL,
        ticket=ticket,
        stop_loss=None,
        take_profit=None,
    )
    return attrs.evolve(request, **changes)


def protecting(ticket: int, stop: float | None, target: float | None) -> OrderRequest:
    """Return the request that sets a long position's levels."""
    return attrs.evolve(
        OPEN,
        token="PPPPPPPPPP",
        action=Action.PROTECT,
        volume=0.0,
        ticket=ticket,
        stop_loss=None,
        take_profit=None,
        stop_loss_price=stop,
        take_profit_price=target,
    )


def make_desk(*, hedging: bool = True, start: datetime = START) -> Desk:
    """Return a connected broker with one quote."""
    terminal = SimulatedTerminal(hedging=hedging)
    clock = StillClock()
    adapter = MT5Adapter(terminal, clock, MT5Settings(is_live=False))
    adapter.connect(Login(account=123456))
    desk = Desk(terminal, adapter, clock, start)
    terminal.symbol_select("EURUSD", True)
    desk.quote(0, 1.1)
    return desk


@pytest.fixture
def desk() -> Desk:
    """A connected broker with one quote, on a hedging account."""
    return make_desk()


@pytest.fixture(params=["hedging", "netting"])
def either_desk(request: pytest.FixtureRequest) -> Desk:
    """A connected broker with one quote, on either kind of account."""
    return make_desk(hedging=request.param == "hedging")


# -- the account -----------------------------------------------------------------------
def test_account_is_read(desk: Desk) -> None:
    """The account's figures and whether it is play money are told."""
    account = desk.broker.account()

    assert (123456, "Simulated-Demo", "USD") == (
        account.login,
        account.server,
        account.currency,
    )
    assert (10_000.0, 10_000.0) == (account.balance, account.equity)
    assert (True, True, True) == (
        account.is_hedging,
        account.is_demo,
        account.trade_allowed,
    )


@pytest.mark.parametrize(
    "login", [Login(account=999), Login(account=123456, server="Elsewhere")]
)
def test_wrong_account_is_refused_at_connect(desk: Desk, login: Login) -> None:
    """Another account than the one asked for is an error of the settings."""
    with pytest.raises(ValueError, match="check account, password and server"):
        desk.broker.connect(login)


def test_floating_loss_is_in_equity(desk: Desk) -> None:
    """Equity moves with open positions, balance does not."""
    desk.open()
    desk.quote(1, 1.0999)

    account = desk.broker.account()

    assert (10_000.0, 9_997.8) == (account.balance, account.equity)


@pytest.mark.parametrize("call", ["account_info", "positions_get", "history_deals_get"])
def test_failed_reading_is_unknown_never_empty(desk: Desk, call: str) -> None:
    """A reading that failed raises; it does not look like a flat account."""
    desk.open()
    desk.fail(call, faults.Fail(-1))
    readers: dict[str, Callable[[], object]] = {
        "account_info": desk.broker.account,
        "positions_get": desk.broker.positions,
        "history_deals_get": lambda: desk.broker.deals(START),
    }

    with pytest.raises(
        UnavailableError, match=rf"{call}: Terminal: Call failed \(-1\)"
    ):
        readers[call]()

    assert readers[call]()


# -- opening ---------------------------------------------------------------------------
def test_buy_is_filled_at_the_ask_with_levels_from_it(either_desk: Desk) -> None:
    """Stop and target of a buy are so many points from the ask."""
    result = either_desk.open()

    position = either_desk.only_position()
    assert Outcome.FILLED is result.outcome
    assert (0.1, 1.10012) == (result.volume, result.price)
    assert (1.09712, 1.10612) == (result.stop_loss, result.take_profit)
    assert (result.ticket, Side.BUY, 0.1, 1.10012) == (
        position.ticket,
        position.side,
        position.volume,
        position.open_price,
    )
    assert (1.09712, 1.10612, 77, "AAAAAAAAAA", START) == (
        position.stop_loss,
        position.take_profit,
        position.magic,
        position.comment,
        position.opened_at,
    )


def test_sell_is_filled_at_the_bid_with_levels_from_it(either_desk: Desk) -> None:
    """Stop and target of a sell are so many points from the bid."""
    result = either_desk.open(side=Side.SELL)

    assert (1.1, 1.103, 1.094) == (result.price, result.stop_loss, result.take_profit)
    assert Side.SELL is either_desk.only_position().side


def test_opening_without_levels_has_none(desk: Desk) -> None:
    """No stop asked for is no stop sent."""
    result = desk.open(stop_loss=None, take_profit=None)

    assert (0.0, 0.0) == (result.stop_loss, result.take_profit)


def test_volume_is_floored_to_the_step(desk: Desk) -> None:
    """A volume between two steps becomes the smaller one."""
    assert 0.12 == desk.open(volume=0.1299).volume


@pytest.mark.parametrize("volume", [0.004, 1000.0])
def test_volume_outside_the_limits_is_not_sent(desk: Desk, volume: float) -> None:
    """Too small is not rounded up, too large is not cut."""
    result = desk.open(volume=volume)

    assert Outcome.NOT_SENT is result.outcome
    assert "expected 0.01 to 100 lots of EURUSD" in result.message
    assert not desk.broker.positions()


def test_unknown_symbol_is_not_sent(desk: Desk) -> None:
    """An order in a symbol that the broker does not have stays here."""
    result = desk.open(symbol="NOSUCH")

    assert (Outcome.NOT_SENT, True) == (result.outcome, "NOSUCH" in result.message)


def test_part_that_was_filled_is_told(desk: Desk) -> None:
    """Of a partial fill the filled volume is reported, and nothing is topped up."""
    desk.fail("order_send", faults.FillPart(0.4))

    result = desk.open()

    assert (Outcome.FILLED, 10010, 0.04) == (
        result.outcome,
        result.retcode,
        result.volume,
    )
    assert 0.04 == desk.only_position().volume


def test_second_order_of_a_netting_account_tells_its_own_fill() -> None:
    """What was added to a position is told, not the whole position."""
    desk = make_desk(hedging=False)
    desk.open()
    desk.quote(1, 1.101)

    result = desk.open(token="BBBBBBBBBB", volume=0.3)

    assert (0.3, 1.10112) == (result.volume, result.price)
    assert 0.4 == desk.only_position().volume


def test_refusal_is_told_with_its_reason(desk: Desk) -> None:
    """What the broker refused changed nothing and says why."""
    result = desk.open(volume=50.0)

    assert (Outcome.REJECTED, 10019) == (result.outcome, result.retcode)
    assert "not enough free margin" in result.message
    assert not desk.broker.positions()


def test_requote_is_sent_again_at_the_new_price(desk: Desk) -> None:
    """An order refused because the price moved is filled at the next try."""
    desk.fail("order_send", faults.Refuse(10004), faults.Refuse(10020))

    assert Outcome.FILLED is desk.open().outcome
    assert 1 == len(desk.broker.positions())


def test_lost_reply_is_unknown_and_never_sent_again(desk: Desk) -> None:
    """An executed order whose reply was lost is one position, and is found."""
    desk.fail("order_send", faults.LoseReply())
    result = desk.open()
    assert Outcome.UNKNOWN is result.outcome

    # The pipe broke, so the terminal is first connected to again.
    with pytest.raises(UnavailableError):
        desk.broker.positions()
    desk.clock.wait(1)

    assert 1 == len(desk.broker.positions())
    found = desk.broker.find(OPEN)
    assert found is not None
    assert (Outcome.FILLED, 0.1, 1.10012, 1.09712) == (
        found.outcome,
        found.volume,
        found.price,
        found.stop_loss,
    )


@pytest.mark.parametrize("code", [-2, -4, -8, -10004])
def test_request_that_never_left_is_not_sent(desk: Desk, code: int) -> None:
    """Where the terminal proves that nothing was sent, the result says so."""
    desk.fail("order_send", faults.Fail(code))

    assert Outcome.NOT_SENT is desk.open().outcome


# -- closing and protecting ------------------------------------------------------------
def test_close_takes_the_whole_position(either_desk: Desk) -> None:
    """A close names its position and leaves nothing, nor anything opposite."""
    ticket = either_desk.open().ticket
    either_desk.quote(1, 1.102)

    result = either_desk.close(ticket)

    assert (Outcome.FILLED, ticket, 0.1, 1.102) == (
        result.outcome,
        result.ticket,
        result.volume,
        result.price,
    )
    assert not either_desk.broker.positions()


def test_close_of_a_part_leaves_the_rest(either_desk: Desk) -> None:
    """A smaller volume closes as much."""
    ticket = either_desk.open().ticket

    result = either_desk.close(ticket, volume=0.03)

    assert (Outcome.FILLED, 0.03) == (result.outcome, result.volume)
    assert 0.07 == either_desk.only_position().volume


def test_close_of_what_is_closed_is_done_with_no_volume(desk: Desk) -> None:
    """A position that its stop closed meanwhile needs no closing any more."""
    ticket = desk.open().ticket
    desk.quote(1, 1.09)

    result = desk.close(ticket)

    assert (Outcome.FILLED, 10036, 0.0) == (
        result.outcome,
        result.retcode,
        result.volume,
    )


def test_close_of_the_wrong_side_is_not_sent(desk: Desk) -> None:
    """An order that would close a short position does not touch a long one."""
    ticket = desk.open().ticket

    result = desk.close(ticket, side=Side.BUY)

    assert Outcome.NOT_SENT is result.outcome
    assert 1 == len(desk.broker.positions())


def test_protect_sets_both_levels(either_desk: Desk) -> None:
    """Stop and target are what was asked for; one that is not asked for is gone."""
    ticket = either_desk.open().ticket

    result = either_desk.broker.send(protecting(ticket, 1.09, None))

    position = either_desk.only_position()
    assert (Outcome.FILLED, 1.09, 0.0) == (
        result.outcome,
        result.stop_loss,
        result.take_profit,
    )
    assert (1.09, 0.0) == (position.stop_loss, position.take_profit)


def test_protect_that_changes_nothing_is_done(desk: Desk) -> None:
    """Levels that already stand are as good as set."""
    result = desk.open()

    again = desk.broker.send(protecting(result.ticket, 1.09712, 1.10612))

    assert (Outcome.FILLED, 1.09712) == (again.outcome, again.stop_loss)


def test_protect_of_a_closed_position_is_not_sent(desk: Desk) -> None:
    """There is nothing to protect any more."""
    result = desk.broker.send(protecting(5, 1.09, None))

    assert Outcome.NOT_SENT is result.outcome


# -- pending orders --------------------------------------------------------------------
PLACE = attrs.evolve(
    OPEN, token="LLLLLLLLLL", action=Action.PLACE, kind=PendingKind.LIMIT, price=1.09
)


def removing(ticket: int) -> OrderRequest:
    """Return the request that removes a pending order."""
    return attrs.evolve(
        OPEN,
        token="RRRRRRRRRR",
        action=Action.CANCEL,
        volume=0.0,
        ticket=ticket,
        stop_loss=None,
        take_profit=None,
    )


def test_pending_order_is_shown_and_removed(either_desk: Desk) -> None:
    """It waits with its marks and levels until it is removed, and is no position."""
    placed = either_desk.broker.send(PLACE)

    (order,) = either_desk.broker.orders()
    assert Outcome.PLACED is placed.outcome
    assert (placed.ticket, Side.BUY, PendingKind.LIMIT, 0.1, 1.09, 1.087, 77) == (
        order.ticket,
        order.side,
        order.kind,
        order.volume,
        order.price,
        order.stop_loss,
        order.magic,
    )
    assert not either_desk.broker.positions()

    removed = either_desk.broker.send(removing(order.ticket))

    assert (Outcome.FILLED, order.ticket) == (removed.outcome, removed.ticket)
    assert not either_desk.broker.orders()
    found = either_desk.broker.find(removing(order.ticket))
    assert found is not None
    assert Outcome.FILLED is found.outcome


def test_pending_order_that_is_filled_is_found_as_a_fill(either_desk: Desk) -> None:
    """The look-up of its placing follows it into the position."""
    placed = either_desk.broker.send(PLACE)
    waiting = either_desk.broker.find(PLACE)
    either_desk.quote(1, 1.0895)

    filled = either_desk.broker.find(PLACE)

    assert waiting is not None
    assert filled is not None
    assert (Outcome.PLACED, Outcome.FILLED) == (waiting.outcome, filled.outcome)
    assert placed.ticket == filled.ticket == either_desk.only_position().ticket
    refused = either_desk.broker.send(removing(placed.ticket))
    assert Outcome.REJECTED is refused.outcome


def test_failed_reading_of_orders_is_unknown_never_empty(desk: Desk) -> None:
    """As for positions."""
    desk.broker.send(PLACE)
    desk.fail("orders_get", faults.Fail(-1))

    with pytest.raises(UnavailableError):
        desk.broker.orders()

    assert 1 == len(desk.broker.orders())


# -- deals -----------------------------------------------------------------------------
def test_deals_tell_entry_exit_and_why(desk: Desk) -> None:
    """Each way out has its reason; a deposit is marked as a balance operation."""
    stopped = desk.open(token="TOKENSTOPP").ticket
    desk.quote(1, 1.0965)
    taken = desk.open(token="TOKENTAKEN", take_profit=100).ticket
    desk.quote(2, 1.1)
    closed = desk.open(token="TOKENCLOSE").ticket
    desk.close(closed)

    deals = desk.broker.deals(START - timedelta(days=10_000))

    assert [True] == [deal.is_balance for deal in deals if deal.side is None]
    trades = [deal for deal in deals if not deal.is_balance]
    assert [
        (stopped, True, None),
        (stopped, False, ExitReason.STOP_LOSS),
        (taken, True, None),
        (taken, False, ExitReason.TAKE_PROFIT),
        (closed, True, None),
        (closed, False, ExitReason.SIGNAL),
    ] == [(deal.position_id, deal.is_entry, deal.exit_reason) for deal in trades]
    assert [START, START + timedelta(seconds=1)] == [deal.time for deal in trades[:2]]
    assert sorted({deal.ticket for deal in deals}) == [deal.ticket for deal in deals]


def test_deals_since_a_moment_leave_out_older_ones(desk: Desk) -> None:
    """The moment itself is in; what came before is out."""
    desk.open()
    desk.quote(60, 1.1)
    desk.open(token="BBBBBBBBBB")

    deals = desk.broker.deals(START + timedelta(seconds=60))

    assert ["BBBBBBBBBB"] == [deal.comment for deal in deals]


# -- looking up ------------------------------------------------------------------------
def test_order_that_was_never_sent_left_no_trace(either_desk: Desk) -> None:
    """Other orders of the same strategy are not taken for it."""
    ticket = either_desk.open(token="OTHERTOKEN").ticket

    assert either_desk.broker.find(OPEN) is None
    assert either_desk.broker.find(closing(ticket)) is None
    assert either_desk.broker.find(protecting(ticket, 1.09, None)) is None


def test_position_that_is_closed_again_is_found(either_desk: Desk) -> None:
    """An order whose position was stopped out has its entry in history."""
    ticket = either_desk.open().ticket
    either_desk.quote(1, 1.09)

    found = either_desk.broker.find(OPEN)

    assert found is not None
    assert (Outcome.FILLED, ticket, 0.1, 1.10012, 0.0) == (
        found.outcome,
        found.ticket,
        found.volume,
        found.price,
        found.stop_loss,
    )


@pytest.mark.parametrize("year", [2007, 2035])
def test_look_up_follows_the_market_not_this_machine(year: int) -> None:
    """On a recorded market the order's time is far from this machine's."""
    desk = make_desk(start=START.replace(year=year))
    desk.open()
    desk.quote(1, 1.09)

    found = desk.broker.find(OPEN)

    assert found is not None
    assert Outcome.FILLED is found.outcome


def test_close_is_found(either_desk: Desk) -> None:
    """A close has its deal in history, also one of a part."""
    ticket = either_desk.open().ticket
    either_desk.close(ticket, volume=0.04)

    found = either_desk.broker.find(closing(ticket, volume=0.04))

    assert found is not None
    assert (Outcome.FILLED, ticket, 0.04, 1.1) == (
        found.outcome,
        found.ticket,
        found.volume,
        found.price,
    )


def test_close_is_done_when_the_stop_was_first(desk: Desk) -> None:
    """What was to be closed is closed, by something else."""
    ticket = desk.open().ticket
    desk.quote(1, 1.09)

    found = desk.broker.find(closing(ticket))

    assert found is not None
    assert (Outcome.FILLED, 0.0) == (found.outcome, found.volume)


def test_protection_is_found_when_it_stands(desk: Desk) -> None:
    """Whether levels were set is told by the levels."""
    ticket = desk.open().ticket
    desk.broker.send(protecting(ticket, 1.09, 1.2))

    found = desk.broker.find(protecting(ticket, 1.09, 1.2))

    assert found is not None
    assert (Outcome.FILLED, 1.09, 1.2) == (
        found.outcome,
        found.stop_loss,
        found.take_profit,
    )


@pytest.mark.parametrize(
    "call",
    ["positions_get", "orders_get", "history_deals_get", "history_orders_get"],
)
def test_look_up_with_a_hole_tells_nothing(desk: Desk, call: str) -> None:
    """Only when every reading succeeded has an order certainly left no trace."""
    desk.fail(call, faults.Fail(-1))

    with pytest.raises(UnavailableError, match=call):
        desk.broker.find(OPEN)

    assert desk.broker.find(OPEN) is None


def test_look_up_needs_the_link_to_the_trade_server(desk: Desk) -> None:
    """A terminal without its server shows old things, which prove nothing."""
    desk.terminal.switches.connected = False

    with pytest.raises(UnavailableError, match="no link to its trade server"):
        desk.broker.find(OPEN)


def test_closed_broker_refuses(desk: Desk) -> None:
    """After `close` nothing is read, and nothing connects again by itself."""
    desk.broker.close()

    with pytest.raises(UnavailableError, match="not connected"):
        desk.broker.positions()
    assert Outcome.NOT_SENT is desk.open().outcome


# -- everything at once ----------------------------------------------------------------
RETCODES = [code for code in errors.COMMENTS if code not in {0, 10008, 10009, 10010}]
some_fault = st.one_of(
    st.none(),
    st.sampled_from(RETCODES).map(faults.Refuse),
    st.sampled_from([10011, 10012, 10031]).map(faults.Answer),
    st.sampled_from([-10002, -10001, -10005, -1]).map(faults.LoseReply),
    st.sampled_from(sorted(errors.TEXTS)).map(faults.Fail),
    st.sampled_from([0.1, 0.5, 0.9]).map(faults.FillPart),
    st.just(faults.Disconnect()),
)


def traces(desk: Desk, token: str) -> int:
    """Return how many deals the account has of an order."""
    deals = desk.terminal.account.history.deals
    return sum(token in deal.comment for deal in deals.between(0, 2**31 - 1))


def settled(desk: Desk, request: OrderRequest, result: OrderResult) -> OrderResult:
    """Look an unknown order up until its outcome is clear; no trace is a rejection."""
    for _ in range(40):
        if result.outcome is not Outcome.UNKNOWN:
            return result
        desk.clock.wait(2)
        try:
            found = desk.broker.find(request)
        except UnavailableError:
            continue
        result = found or attrs.evolve(result, outcome=Outcome.REJECTED)
    raise AssertionError(f"never settled: {result}")


@given(
    hedging=st.booleans(),
    sends=st.lists(st.lists(some_fault, max_size=4), min_size=1, max_size=4),
    readings=st.lists(
        st.tuples(
            st.sampled_from(["positions_get", "history_deals_get", "account_info"]),
            st.integers(1, 6),
            st.sampled_from([-1, -10004]),
        ),
        max_size=3,
    ),
)
def test_told_outcome_is_the_real_one_whatever_fails(
    hedging: bool,
    sends: list[list[faults.Fault | None]],
    readings: list[tuple[str, int, int]],
) -> None:
    """One order is never executed twice, and never otherwise than it is told."""
    desk = make_desk(hedging=hedging)
    for number, planned in enumerate(sends):
        numbered = {n: one for n, one in enumerate(planned, start=1) if one}
        schedule: dict[str, dict[int, faults.Fault]] = {"order_send": numbered}
        for call, at, code in readings:
            schedule.setdefault(call, {})[at] = faults.Fail(code)
        desk.terminal.faults = faults.Schedule(schedule)
        request = attrs.evolve(OPEN, token=f"TOKEN{number:05}")

        result = settled(desk, request, desk.broker.send(request))

        filled = result.outcome is Outcome.FILLED
        assert int(filled) == traces(desk, request.token), (result, planned)
        # The account may have to be connected to again before it can be read.
        desk.terminal.faults = None
        desk.clock.wait(120)
        volumes = [
            deal.volume
            for deal in desk.broker.deals(START)
            if deal.comment == request.token
        ]
        assert ([result.volume] if filled else []) == volumes
        desk.quote(number + 1, 1.1)
