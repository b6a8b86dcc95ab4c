"""Whose record it is, above all where the broker keeps no comments: on the twin."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from terminal_process import drop_comments

from runner.adapters.mt5 import MT5Adapter, MT5Settings
from runner.adapters.mt5_simulator import faults
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
LOST_UNSENT = faults.Refuse(10012)
"""The server did not answer, and nothing was executed."""


class Account:
    """An adapter over the twin of a broker that drops comments."""

    def __init__(
        self, start: datetime = START, *, keeps_comments: bool = False, **options: Any
    ) -> None:
        self.start = start
        self.terminal = SimulatedTerminal(**options)
        if not keeps_comments:
            drop_comments(self.terminal)
        self.clock = FakeClock(start)
        self.connect()
        self.terminal.symbol_select("EURUSD", True)
        self.sent = 0
        self.quote(0)

    def connect(self) -> None:
        """Begin anew, as another start of the runner does."""
        self.adapter = MT5Adapter(self.terminal, self.clock, MT5Settings(is_live=False))
        self.adapter.connect(Login(account=123456))

    def quote(self, seconds: float, bid: float = 1.1) -> None:
        """Quote so many seconds after the start, with a spread of 12 points."""
        time = self.start + timedelta(seconds=seconds)
        self.terminal.quote("EURUSD", bid, round(bid + 0.00012, 5), time)

    def request(self, action: Action, side: Side, **fields: Any) -> OrderRequest:
        """Return a request of another token than those before."""
        self.sent += 1
        usual: dict[str, Any] = {"magic": 77, "volume": 0.1}
        return OrderRequest(
            token=f"TOKEN{self.sent:05d}",
            symbol="EURUSD",
            action=action,
            side=side,
            **{**usual, **fields},
        )

    def open(self, side: Side = Side.BUY, **fields: Any) -> int:
        """Open a position; return its ticket."""
        result = self.adapter.send(self.request(Action.OPEN, side, **fields))
        assert Outcome.FILLED is result.outcome
        return result.ticket

    def place(self, kind: PendingKind, price: float, **fields: Any) -> OrderRequest:
        """Return a request for a pending order that buys."""
        return self.request(Action.PLACE, Side.BUY, kind=kind, price=price, **fields)

    def lose(self, request: OrderRequest, *planned: faults.Fault) -> OrderResult:
        """Send a request to which no trustworthy answer comes."""
        faulty = dict(enumerate(planned or (LOST_UNSENT,), start=1))
        self.terminal.faults = faults.Schedule({"order_send": faulty})
        result = self.adapter.send(request)
        self.terminal.faults = None
        assert Outcome.UNKNOWN is result.outcome
        return result

    def by_hand(self, order_type: int, **fields: Any) -> int:
        """Let a person send an order; return its number."""
        usual: dict[str, Any] = {
            "action": 1,
            "symbol": "EURUSD",
            "volume": 0.1,
            "type": order_type,
            "price": 1.1,
            "type_filling": 1,
        }
        answer = self.terminal.order_send({**usual, **fields})
        assert answer is not None
        assert 10009 == answer.retcode
        number: int = answer.order
        return number


@pytest.fixture
def account() -> Account:
    """A hedging account."""
    return Account()


def test_the_close_of_one_position_is_not_taken_for_the_close_of_another(
    account: Account,
) -> None:
    """A flatten closes several in a second; a lost close must not hang for ever."""
    first, second = account.open(), account.open()
    account.adapter.send(account.request(Action.CLOSE, Side.SELL, ticket=first))
    close = account.request(Action.CLOSE, Side.SELL, ticket=second)
    account.lose(close)

    assert account.adapter.find(close) is None


def test_a_persons_order_is_not_taken_for_the_close_of_a_persons_position(
    account: Account,
) -> None:
    """Both have the magic number 0, and a person trades in the same second."""
    ticket = account.by_hand(0)
    account.by_hand(1)
    close = account.request(Action.CLOSE, Side.SELL, ticket=ticket, magic=0)
    account.lose(close)

    assert account.adapter.find(close) is None


def test_an_order_that_waits_for_its_price_is_not_a_close_that_is_under_way(
    account: Account,
) -> None:
    """It may wait for days, and the position would be held for as long."""
    ticket = account.by_hand(0)
    close = account.request(Action.CLOSE, Side.SELL, ticket=ticket, magic=0)
    account.lose(close)
    account.by_hand(3, action=5, price=1.2, type_filling=2)

    assert account.adapter.find(close) is None


def test_an_order_that_was_just_removed_is_not_the_one_placed_in_its_stead(
    account: Account,
) -> None:
    """It would be taken for refused, placed once more, and stand twice."""
    before = account.adapter.send(account.place(PendingKind.LIMIT, 1.09))
    account.adapter.send(account.request(Action.CANCEL, Side.BUY, ticket=before.ticket))
    request = account.place(PendingKind.LIMIT, 1.091)
    account.lose(request)

    assert account.adapter.find(request) is None


@pytest.mark.parametrize("is_restarted", [False, True])
def test_an_order_of_another_kind_is_not_the_one_that_was_placed(
    account: Account, *, is_restarted: bool
) -> None:
    """Two orders around the quote are placed in one second."""
    account.adapter.send(account.place(PendingKind.LIMIT, 1.09))
    request = account.place(PendingKind.STOP, 1.11, placed_at=START)
    account.lose(request)
    if is_restarted:
        account.connect()

    assert account.adapter.find(request) is None


def test_each_of_two_like_orders_is_told_by_its_own_number(account: Account) -> None:
    """What the server called an order is no other's."""
    first = account.adapter.send(account.place(PendingKind.LIMIT, 1.09))
    second = account.adapter.send(account.place(PendingKind.LIMIT, 1.08))

    assert Outcome.PLACED is second.outcome
    assert (1.09, 1.08) == (first.price, second.price)
    assert first.ticket != second.ticket


def test_an_opening_just_before_is_not_the_one_that_was_lost(account: Account) -> None:
    """The first was told to be filled; the second left no trace."""
    account.open()
    request = account.request(Action.OPEN, Side.BUY)
    account.lose(request)

    assert account.adapter.find(request) is None


def test_an_opposite_opening_is_not_the_one_that_was_lost(account: Account) -> None:
    """Not by a next start either, which knows no order's number."""
    account.open(Side.SELL)
    request = account.request(Action.OPEN, Side.BUY, placed_at=START)
    account.lose(request)
    account.connect()

    assert account.adapter.find(request) is None


@pytest.mark.parametrize("action", [Action.OPEN, Action.CLOSE, Action.PLACE])
def test_what_was_executed_is_still_found(account: Account, action: Action) -> None:
    """Beside likes of it that were told before."""
    first, second = account.open(), account.open()
    account.adapter.send(account.request(Action.CLOSE, Side.SELL, ticket=first))
    account.adapter.send(account.place(PendingKind.LIMIT, 1.09))
    request = {
        Action.OPEN: account.request(Action.OPEN, Side.BUY, volume=0.3),
        Action.CLOSE: account.request(Action.CLOSE, Side.SELL, ticket=second),
        Action.PLACE: account.place(PendingKind.LIMIT, 1.08),
    }[action]
    account.lose(request, faults.Answer(10012))

    found = account.adapter.find(request)

    assert found is not None
    assert found.volume == request.volume
    assert found.outcome in {Outcome.FILLED, Outcome.PLACED}


def test_a_clock_that_is_set_back_hides_no_execution() -> None:
    """In autumn the server's clock shows an hour twice; some markets know no night."""
    change = datetime(2026, 11, 1, 6, 0, tzinfo=UTC)
    account = Account(change - timedelta(seconds=2))
    request = account.request(
        Action.OPEN, Side.BUY, placed_at=change - timedelta(seconds=2)
    )
    executes = faults.Run(
        lambda: account.terminal.market.__setattr__(
            "time_msc", account.terminal.wall_msc(change + timedelta(seconds=1))
        )
    )
    account.terminal.faults = faults.Schedule(
        {"symbol_info": {1: executes}, "order_send": {1: faults.Answer(10012)}}
    )
    assert Outcome.UNKNOWN is account.adapter.send(request).outcome
    account.clock.wait(5)

    found = account.adapter.find(request)

    assert found is not None
    assert Outcome.FILLED is found.outcome


def test_a_close_in_doubt_is_told_although_history_lags(account: Account) -> None:
    """A position that is gone without a deal is not told yet, then it is."""
    ticket = account.open()
    close = account.request(Action.CLOSE, Side.SELL, ticket=ticket)
    account.lose(close, faults.Answer(10012))
    deals = account.terminal.account.history.deals
    hidden = deals._by_position.pop(ticket)

    with pytest.raises(UnavailableError, match="its history is not there yet"):
        account.adapter.find(close)
    deals._by_position[ticket] = hidden
    found = account.adapter.find(close)

    assert found is not None
    assert (Outcome.FILLED, 0.1) == (found.outcome, found.volume)


def test_an_opening_that_netted_with_a_persons_position_gives_it_no_stop() -> None:
    """Opened by hand in the same second: what is left of it is that person's."""
    account = Account(hedging=False, keeps_comments=True)
    ticket = account.by_hand(1, volume=0.3)
    request = account.request(Action.OPEN, Side.BUY, stop_loss=300)
    account.lose(request, faults.Answer(10012))

    found = account.adapter.find(request)

    assert found is not None
    assert (Outcome.FILLED, 0.1) == (found.outcome, found.volume)
    (held,) = account.terminal.positions_get(ticket=ticket) or ()
    assert (0.2, 0.0) == (held.volume, held.sl)
