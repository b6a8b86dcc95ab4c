"""The simulated account against a small obvious model, whatever is done to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from runner.adapters.mt5_simulator.structs import OrderSendResult
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal

START = datetime(2026, 1, 12, 12, tzinfo=UTC)
POINT = 0.00001
DEPOSIT = 10_000_000.0
COMMISSION = 3.0

lots = st.integers(1, 200).map(lambda number: number / 100)
distances = st.one_of(st.just(0), st.integers(1, 300))


@attrs.define
class Held:
    """What the model knows about a position; prices in points."""

    sign: int
    volume: float
    opened: int
    sl: int
    tp: int

    def closes_at(self, bid: int, ask: int) -> bool:
        """Say whether a quote reaches one of its levels."""
        market = self.sign * (bid if self.sign > 0 else ask)
        return bool(
            (self.sl and market <= self.sign * self.sl)
            or (self.tp and market >= self.sign * self.tp)
        )


class AccountMachine(RuleBasedStateMachine):
    """Orders, quotes and nights in any order, on a hedging account."""

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[int, Held] = {}
        self.cash = DEPOSIT
        self.bid, self.ask = 110_000, 110_010
        self.time = START

    @initialize()
    def connect(self) -> None:
        """Begin with a quoted symbol and no swap, which the model does not know."""
        self.terminal = SimulatedTerminal(
            balance=DEPOSIT,
            commission=COMMISSION,
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
        """Move the market; levels that it reaches are closed at the quote."""
        self.bid += move
        self.ask = self.bid + spread
        self.time += timedelta(minutes=minutes)
        self.terminal.quote(
            "EURUSD", round(self.bid * POINT, 5), round(self.ask * POINT, 5), self.time
        )
        for ticket, held in list(self.held.items()):
            if held.closes_at(self.bid, self.ask):
                self.settle(held, held.volume)
                del self.held[ticket]

    @rule(sign=st.sampled_from([1, -1]), volume=lots, sl=distances, tp=distances)
    def open(self, sign: int, volume: float, sl: int, tp: int) -> None:
        """Open a position with levels that many points from the closing side."""
        side = self.bid if sign > 0 else self.ask
        wanted = Held(
            sign,
            volume,
            self.ask if sign > 0 else self.bid,
            side - sign * sl if sl else 0,
            side + sign * tp if tp else 0,
        )
        result = self.send(
            type=0 if sign > 0 else 1,
            volume=volume,
            sl=round(wanted.sl * POINT, 5),
            tp=round(wanted.tp * POINT, 5),
        )
        assert 10009 == result.retcode
        self.held[result.order] = wanted
        self.cash -= round(COMMISSION * volume, 2)

    @rule(data=st.data(), volume=lots)
    def close(self, data: st.DataObject, volume: float) -> None:
        """Close a part of a position, or all of it; never more."""
        if not self.held:
            return
        ticket = data.draw(st.sampled_from(sorted(self.held)))
        held = self.held[ticket]
        result = self.send(
            type=1 if held.sign > 0 else 0, volume=volume, position=ticket
        )
        if volume > held.volume:
            assert 10038 == result.retcode
            return
        assert 10009 == result.retcode
        self.settle(held, volume)
        held.volume = round(held.volume - volume, 2)
        if not held.volume:
            del self.held[ticket]

    @rule(data=st.data(), sl=distances, tp=distances)
    def protect(self, data: st.DataObject, sl: int, tp: int) -> None:
        """Move both levels of a position."""
        if not self.held:
            return
        ticket = data.draw(st.sampled_from(sorted(self.held)))
        held = self.held[ticket]
        side = self.bid if held.sign > 0 else self.ask
        levels = (
            side - held.sign * sl if sl else 0,
            side + held.sign * tp if tp else 0,
        )
        result = self.send(
            action=6,
            position=ticket,
            sl=round(levels[0] * POINT, 5),
            tp=round(levels[1] * POINT, 5),
        )
        assert (10025 if levels == (held.sl, held.tp) else 10009) == result.retcode
        held.sl, held.tp = levels

    def send(self, **fields: Any) -> OrderSendResult:
        """Send a request; there is always an answer."""
        request = {"action": 1, "symbol": "EURUSD", "volume": 0.1, **fields}
        result = self.terminal.order_send(request)
        assert result is not None, self.terminal.last_error()
        return result

    def settle(self, held: Held, volume: float) -> None:
        """Take a closed volume's profit and commission into the model's cash."""
        market = self.bid if held.sign > 0 else self.ask
        self.cash += round(held.sign * (market - held.opened) * volume, 2)
        self.cash -= round(COMMISSION * volume, 2)

    @invariant()
    def positions_are_the_models(self) -> None:
        """Every position has the model's volume, price, levels and profit."""
        shown = self.terminal.positions_get()
        assert shown is not None
        assert sorted(self.held) == sorted(position.ticket for position in shown)
        for position in shown:
            held = self.held[position.ticket]
            market = self.bid if held.sign > 0 else self.ask
            assert (0 if held.sign > 0 else 1, held.volume) == (
                position.type,
                position.volume,
            )
            assert position.price_open == pytest.approx(held.opened * POINT)
            assert position.sl == pytest.approx(held.sl * POINT)
            assert position.tp == pytest.approx(held.tp * POINT)
            profit = held.sign * (market - held.opened) * held.volume
            assert position.profit == pytest.approx(profit, abs=0.006)

    @invariant()
    def money_adds_up(self) -> None:
        """Balance is the model's cash and the sum of the deals; equity floats on it."""
        account = self.terminal.account_info()
        deals = self.terminal.history_deals_get(1, 2**31 - 1)
        assert account is not None
        assert deals is not None
        total = sum(deal.profit + deal.commission + deal.swap for deal in deals)
        assert account.balance == pytest.approx(self.cash, abs=0.01 * len(deals))
        assert account.balance == pytest.approx(total, abs=0.01)
        assert account.equity == pytest.approx(
            account.balance + account.profit, abs=0.01
        )
        assert account.margin_free == pytest.approx(
            account.equity - account.margin, abs=0.01
        )
        assert self.terminal.account.equity_low <= account.equity

    @invariant()
    def history_is_whole(self) -> None:
        """In order of time, each deal with its order, volumes in and out matching."""
        deals = self.terminal.history_deals_get(1, 2**31 - 1)
        assert deals is not None
        assert sorted(deal.time_msc for deal in deals) == [d.time_msc for d in deals]
        left: dict[int, float] = {}
        for deal in deals[1:]:
            assert 1 == len(self.terminal.history_orders_get(ticket=deal.order) or ())
            sign = 1 if deal.entry == 0 else -1
            left[deal.position_id] = left.get(deal.position_id, 0) + sign * deal.volume
        open_volumes = {ticket: v for ticket, v in left.items() if round(v, 6)}
        assert {t: held.volume for t, held in self.held.items()} == pytest.approx(
            open_volumes
        )


TestAccount = AccountMachine.TestCase
TestAccount.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


@given(
    st.lists(
        st.tuples(st.sampled_from([1, -1]), lots, st.integers(-200, 200)), min_size=1
    )
)
def test_netting_is_one_signed_volume(
    deals: list[tuple[int, float, int]],
) -> None:
    """Whatever is bought and sold: one position, its average price, its cash."""
    terminal = SimulatedTerminal(
        balance=DEPOSIT, hedging=False, symbols={"EURUSD": {"swap_mode": 0}}
    )
    terminal.initialize()
    terminal.symbol_select("EURUSD")
    bid, net, average, cash = 110_000, 0.0, 0.0, DEPOSIT

    for sign, volume, move in deals:
        bid += move
        price = bid + 10 if sign > 0 else bid
        terminal.quote(
            "EURUSD", round(bid * POINT, 5), round((bid + 10) * POINT, 5), START
        )
        result = terminal.order_send(
            {
                "action": 1,
                "symbol": "EURUSD",
                "volume": volume,
                "type": 0 if sign > 0 else 1,
            }
        )
        assert result is not None
        assert 10009 == result.retcode
        if net * sign >= 0:
            average = (average * abs(net) + price * volume) / (abs(net) + volume)
        else:
            closed = min(volume, abs(net))
            cash -= sign * (price - average) * closed
            if volume > abs(net):
                average = price
        net = round(net + sign * volume, 2)

        shown = terminal.positions_get()
        account = terminal.account_info()
        assert shown is not None
        assert account is not None
        assert account.balance == pytest.approx(cash, abs=0.01 * len(deals))
        assert (1 if net else 0) == len(shown)
        for position in shown:
            assert (0 if net > 0 else 1, abs(net)) == (position.type, position.volume)
            assert position.price_open == pytest.approx(average * POINT)
