"""The simulated account against a small obvious model, whatever is done to it.

The model counts prices in points and volumes in hundredths of a lot, so that a point
of a lot is a dollar. It knows nothing of rounding: money may differ by a cent a deal.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from runner.adapters.mt5_simulator.structs import OrderSendResult
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal

START = datetime(2026, 1, 12, 12, tzinfo=UTC)
EVER = (1, 2**31 - 1)
POINT = 0.00001
DEPOSIT = 10_000_000.0
COMMISSION = 3.0
LEVERAGE = 50

signs = st.sampled_from([1, -1])
volumes = st.integers(1, 200)
distances = st.one_of(st.just(0), st.integers(1, 300))


def price(points: float) -> float:
    """Return points as a price."""
    return round(points * POINT, 5)


@attrs.define
class Held:
    """A position: *sign* is 1 for a long one, levels of 0 are none."""

    sign: int
    volume: int
    opened: float
    sl: int
    tp: int
    identifier: int

    def worth(self, bid: int, ask: int) -> float:
        """Return its floating profit at a quote."""
        market = bid if self.sign > 0 else ask
        return self.sign * (market - self.opened) * self.volume / 100

    def is_closed_by(self, bid: int, ask: int) -> bool:
        """Say whether a quote reaches one of its levels."""
        market = self.sign * (bid if self.sign > 0 else ask)
        return bool(
            (self.sl and market <= self.sign * self.sl)
            or (self.tp and market >= self.sign * self.tp)
        )


@attrs.define
class Waiting:
    """A pending order."""

    sign: int
    is_limit: bool
    volume: int
    price: int

    def is_filled_by(self, bid: int, ask: int) -> bool:
        """Say whether a quote reaches it."""
        market = self.sign * (ask if self.sign > 0 else bid)
        level = self.sign * self.price
        return market <= level if self.is_limit else market >= level


class Book:
    """What an account is: cash, positions, orders.

    Args:
        is_hedging: Several positions; else one that adds up.
    """

    def __init__(self, is_hedging: bool) -> None:
        self.is_hedging = is_hedging
        self.cash = DEPOSIT
        self.held: dict[int, Held] = {}
        self.waiting: dict[int, Waiting] = {}
        self.bid, self.ask = 110_000, 110_010
        self.deals = 0

    def deal(
        self, ticket: int, sign: int, volume: int, sl: int = 0, tp: int = 0
    ) -> None:
        """Buy or sell at the quote, without naming a position."""
        self.pay(volume)
        opened = self.ask if sign > 0 else self.bid
        ((first, net),) = (
            self.held.items() if self.held and not self.is_hedging else ((0, None),)
        )
        if net is None:
            self.held[ticket] = Held(sign, volume, opened, sl, tp, ticket)
        elif net.sign == sign:
            total = net.volume + volume
            net.opened = (net.opened * net.volume + opened * volume) / total
            net.volume, net.sl, net.tp = total, sl or net.sl, tp or net.tp
        else:
            closed = min(net.volume, volume)
            self.reduce(first, closed, opened)
            if volume > closed:
                rest = volume - closed
                self.held[ticket] = Held(sign, rest, opened, sl, tp, net.identifier)

    def reduce(self, ticket: int, volume: int, closed: float) -> None:
        """Close a part of a position, or all of it, at a price."""
        held = self.held[ticket]
        self.cash += held.sign * (closed - held.opened) * volume / 100
        held.volume -= volume
        if not held.volume:
            del self.held[ticket]

    def pay(self, volume: int) -> None:
        """Pay a deal's commission."""
        self.cash -= COMMISSION * volume / 100
        self.deals += 1

    def quote(self, bid: int, ask: int) -> None:
        """Take a quote: levels first, then orders."""
        self.bid, self.ask = bid, ask
        for ticket, held in list(self.held.items()):
            if held.is_closed_by(bid, ask):
                self.pay(held.volume)
                self.reduce(ticket, held.volume, bid if held.sign > 0 else ask)
        for ticket, order in list(self.waiting.items()):
            if order.is_filled_by(bid, ask):
                del self.waiting[ticket]
                self.deal(ticket, order.sign, order.volume)

    @property
    def floating(self) -> float:
        """What all positions would bring now."""
        return sum(held.worth(self.bid, self.ask) for held in self.held.values())

    @property
    def margin(self) -> float:
        """Margin of the larger side, for what the other one does not cover."""
        sides = {1: (0, 0.0), -1: (0, 0.0)}
        for held in self.held.values():
            volume, margin = sides[held.sign]
            needed = held.volume * held.opened / 100 / LEVERAGE
            sides[held.sign] = (volume + held.volume, margin + needed)
        (smaller, _), (larger, margin) = sorted(sides.values())
        return margin * (larger - smaller) / larger if larger else 0.0


class AccountMachine(RuleBasedStateMachine):
    """Orders, quotes, nights, deposits in any order."""

    is_hedging = True

    def __init__(self) -> None:
        super().__init__()
        self.book = Book(self.is_hedging)
        self.time = START

    @initialize()
    def connect(self) -> None:
        """Begin with a quoted symbol and no swap, which the model does not know."""
        self.terminal = SimulatedTerminal(
            balance=DEPOSIT,
            commission=COMMISSION,
            leverage=LEVERAGE,
            hedging=self.is_hedging,
            symbols={"EURUSD": {"swap_mode": 0}},
        )
        self.terminal.initialize()
        self.terminal.symbol_select("EURUSD")
        self.quote(0, 10, 0)

    @rule(
        move=st.integers(-150, 150),
        spread=st.integers(0, 40),
        minutes=st.integers(0, 3000),
    )
    def quote(self, move: int, spread: int, minutes: int) -> None:
        """Move the market; what it reaches is done at the quote."""
        bid = self.book.bid + move
        self.time += timedelta(minutes=minutes)
        self.terminal.quote("EURUSD", price(bid), price(bid + spread), self.time)
        self.book.quote(bid, bid + spread)

    @rule(sign=signs, volume=volumes, sl=distances, tp=distances)
    def trade(self, sign: int, volume: int, sl: int, tp: int) -> None:
        """Buy or sell, with levels that many points from the closing side."""
        market = self.book.bid if sign > 0 else self.book.ask
        levels = (market - sign * sl if sl else 0, market + sign * tp if tp else 0)
        result = self.send(
            type=0 if sign > 0 else 1,
            volume=volume / 100,
            sl=price(levels[0]),
            tp=price(levels[1]),
        )
        assert 10009 == result.retcode
        self.book.deal(result.order, sign, volume, *levels)

    @precondition(lambda self: self.book.held)
    @rule(data=st.data(), volume=volumes)
    def close(self, data: st.DataObject, volume: int) -> None:
        """Close a part of a position, or all of it; never more."""
        ticket = data.draw(st.sampled_from(sorted(self.book.held)))
        held = self.book.held[ticket]
        result = self.send(
            type=1 if held.sign > 0 else 0, volume=volume / 100, position=ticket
        )
        if volume > held.volume:
            assert 10038 == result.retcode
            return
        assert 10009 == result.retcode
        self.book.pay(volume)
        self.book.reduce(
            ticket, volume, self.book.bid if held.sign > 0 else self.book.ask
        )

    @precondition(lambda self: self.book.held)
    @rule(data=st.data(), sl=distances, tp=distances)
    def protect(self, data: st.DataObject, sl: int, tp: int) -> None:
        """Move both levels of a position."""
        ticket = data.draw(st.sampled_from(sorted(self.book.held)))
        held = self.book.held[ticket]
        market = self.book.bid if held.sign > 0 else self.book.ask
        levels = (
            market - held.sign * sl if sl else 0,
            market + held.sign * tp if tp else 0,
        )
        result = self.send(
            action=6, position=ticket, sl=price(levels[0]), tp=price(levels[1])
        )
        assert (10025 if levels == (held.sl, held.tp) else 10009) == result.retcode
        held.sl, held.tp = levels

    @rule(sign=signs, is_limit=st.booleans(), volume=volumes, away=st.integers(1, 200))
    def place(self, sign: int, is_limit: bool, volume: int, away: int) -> None:
        """Let an order wait, a limit on the better side, a stop on the worse one."""
        order = Waiting(sign, is_limit, volume, self.level(sign, is_limit, away))
        result = self.send(
            action=5,
            type={(1, True): 2, (-1, True): 3, (1, False): 4, (-1, False): 5}[
                sign, is_limit
            ],
            volume=volume / 100,
            price=price(order.price),
            type_filling=2,
        )
        assert 10009 == result.retcode
        self.book.waiting[result.order] = order

    @precondition(lambda self: self.book.waiting)
    @rule(data=st.data(), away=st.integers(1, 200))
    def move(self, data: st.DataObject, away: int) -> None:
        """Let a pending order wait at another price."""
        ticket = data.draw(st.sampled_from(sorted(self.book.waiting)))
        order = self.book.waiting[ticket]
        wanted = self.level(order.sign, order.is_limit, away)
        result = self.send(action=7, order=ticket, price=price(wanted))
        assert (10025 if wanted == order.price else 10009) == result.retcode
        order.price = wanted

    @precondition(lambda self: self.book.waiting)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """Remove a pending order."""
        ticket = data.draw(st.sampled_from(sorted(self.book.waiting)))
        assert 10009 == self.send(action=8, order=ticket).retcode
        del self.book.waiting[ticket]

    @rule(amount=st.integers(-10_000, 10_000).filter(bool))
    def transfer(self, amount: int) -> None:
        """Deposit, or withdraw."""
        self.terminal.account.transfer(float(amount))
        self.book.cash += amount

    def level(self, sign: int, is_limit: bool, away: int) -> int:
        """Return a price on that side of the market."""
        market = self.book.ask if sign > 0 else self.book.bid
        return market + sign * (-away if is_limit else away)

    def send(self, **fields: Any) -> OrderSendResult:
        """Send a request; there is always an answer."""
        request = {"action": 1, "symbol": "EURUSD", "volume": 0.1, **fields}
        result = self.terminal.order_send(request)
        assert result is not None, self.terminal.last_error()
        return result

    @invariant()
    def positions_are_the_models(self) -> None:
        """Every position has the model's volume, price, levels, number and profit."""
        shown = self.terminal.positions_get()
        assert shown is not None
        assert sorted(self.book.held) == sorted(position.ticket for position in shown)
        for position in shown:
            held = self.book.held[position.ticket]
            assert (0 if held.sign > 0 else 1, held.volume, held.identifier) == (
                position.type,
                round(position.volume * 100),
                position.identifier,
            )
            assert position.price_open == pytest.approx(held.opened * POINT)
            assert (price(held.sl), price(held.tp)) == (position.sl, position.tp)
            worth = held.worth(self.book.bid, self.book.ask)
            assert position.profit == pytest.approx(worth, abs=0.006)

    @invariant()
    def orders_are_the_models(self) -> None:
        """What waits, waits at the model's price with the model's volume."""
        shown = self.terminal.orders_get()
        assert shown is not None
        assert {
            ticket: (price(order.price), order.volume)
            for ticket, order in self.book.waiting.items()
        } == {
            order.ticket: (order.price_open, round(order.volume_current * 100))
            for order in shown
        }

    @invariant()
    def money_adds_up(self) -> None:
        """Balance, profit, equity, margin and what is free are the model's."""
        account = self.terminal.account_info()
        assert account is not None
        cents = 0.01 * (1 + self.book.deals)
        balance, profit, margin = self.book.cash, self.book.floating, self.book.margin
        assert account.balance == pytest.approx(balance, abs=cents)
        assert account.profit == pytest.approx(profit, abs=cents)
        assert account.equity == pytest.approx(balance + profit, abs=2 * cents)
        assert account.margin == pytest.approx(margin, abs=cents)
        assert account.margin_free == pytest.approx(
            balance + profit - margin, abs=3 * cents
        )
        assert account.equity == pytest.approx(
            account.balance + account.profit, abs=0.001
        )
        level = account.equity / account.margin * 100 if account.margin else 0.0
        assert account.margin_level == pytest.approx(level)
        assert self.terminal.account.equity_low <= account.equity

    @invariant()
    def history_is_whole(self) -> None:
        """In order of time, each deal with its order; they add up to what there is."""
        deals = self.terminal.history_deals_get(*EVER)
        account = self.terminal.account_info()
        assert deals is not None
        assert account is not None
        assert sorted(deal.time_msc for deal in deals) == [d.time_msc for d in deals]
        total = math.fsum(deal.profit + deal.commission + deal.swap for deal in deals)
        assert account.balance == pytest.approx(total, abs=0.001)
        left: dict[int, int] = {}
        trades = [deal for deal in deals if deal.position_id]
        assert self.book.deals == len(trades)
        for deal in trades:
            assert 1 == len(self.terminal.history_orders_get(ticket=deal.order) or ())
            volume = round(deal.volume * 100) * (1 if deal.type == 0 else -1)
            left[deal.position_id] = left.get(deal.position_id, 0) + volume
        assert {
            held.identifier: held.sign * held.volume for held in self.book.held.values()
        } == {ticket: volume for ticket, volume in left.items() if volume}


class HedgingMachine(AccountMachine):
    """Besides: opposite positions close each other."""

    @precondition(lambda self: {-1, 1} == {h.sign for h in self.book.held.values()})
    @rule(data=st.data())
    def close_by(self, data: st.DataObject) -> None:
        """The pair's profit is the difference of their prices; the rest stays."""
        held = self.book.held
        long, short = (
            data.draw(
                st.sampled_from([t for t in sorted(held) if held[t].sign == sign])
            )
            for sign in (1, -1)
        )
        volume = min(held[long].volume, held[short].volume)
        result = self.send(action=10, position=long, position_by=short)
        assert (10009, volume) == (result.retcode, round(result.volume * 100))
        meeting = held[short].opened
        self.book.pay(volume)
        self.book.reduce(long, volume, meeting)
        self.book.pay(volume)
        self.book.reduce(short, volume, meeting)


class NettingMachine(AccountMachine):
    """One position: deals add to it, reduce it, turn it over."""

    is_hedging = False

    @invariant()
    def there_is_one_position(self) -> None:
        """Whatever is bought and sold, filled and stopped."""
        assert (self.terminal.positions_total() or 0) <= 1

    @precondition(lambda self: self.book.held)
    @rule(more=volumes)
    def turn_over(self, more: int) -> None:
        """Deal against the position by more than it holds."""
        ((_, held),) = self.book.held.items()
        self.trade(-held.sign, held.volume + more, 0, 0)
        ((_, turned),) = self.book.held.items()
        assert (-held.sign, more) == (turned.sign, turned.volume)

    @precondition(lambda self: self.book.held)
    @rule(sl=distances)
    def protect_by_symbol(self, sl: int) -> None:
        """The symbol's one position is meant when no ticket is given."""
        ((_, held),) = self.book.held.items()
        market = self.book.bid if held.sign > 0 else self.book.ask
        levels = (market - held.sign * sl if sl else 0, 0)
        result = self.send(action=6, sl=price(levels[0]))
        assert (10025 if levels == (held.sl, held.tp) else 10009) == result.retcode
        held.sl, held.tp = levels


TestHedging = HedgingMachine.TestCase
TestHedging.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)

TestNetting = NettingMachine.TestCase
TestNetting.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
