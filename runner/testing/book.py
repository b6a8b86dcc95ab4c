"""The positions of a run over bars, by the fill rules of the simulator."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from runner.core.market import Bar, SymbolSpec, Tick
from runner.core.matching import (
    Exit,
    Trigger,
    exit_at_quote,
    exit_inside_bar,
    fill_at_quote,
    fill_inside_bar,
    levels_from_distances,
    market_price,
    round_to_tick,
)
from runner.core.orders import (
    Action,
    ExitReason,
    OrderIntent,
    PendingKind,
    PendingOrder,
    Position,
    Side,
)

_DECIMALS = 8
_TRIGGERS = {PendingKind.LIMIT: Trigger.LIMIT, PendingKind.STOP: Trigger.STOP}


@attrs.frozen(slots=True, kw_only=True)
class Trade:
    """A position from its opening to its end. Money is in account currency.

    Attributes:
        symbol: The broker's spelling.
        side: BUY is long, SELL is short.
        volume: In lots.
        opened_at: UTC-aware.
        open_price: Executed price.
        closed_at: The quote's time, or the close of the bar inside of which a stop or
            target was hit; UTC-aware.
        close_price: Executed price.
        stop_loss: As a price when it ended; 0.0 for none.
        take_profit: As a price when it ended; 0.0 for none.
        exit_reason: STOP_LOSS, TAKE_PROFIT, SIGNAL, or END for what was open last.
        profit: Without commission and swap.
        profit_points: The same in points.
    """

    symbol: str
    side: Side
    volume: float
    opened_at: datetime
    open_price: float
    closed_at: datetime
    close_price: float
    stop_loss: float
    take_profit: float
    exit_reason: ExitReason
    profit: float
    profit_points: float


class Book:
    """Open positions, ended trades and the balance.

    Args:
        symbols: Rules by symbol.
        positions: The list that holds the open positions; changed in place.
        orders: The list that holds the pending orders; changed in place.
        balance: At the start, account currency.
        volume: Lots of an intent that names none.

    Attributes:
        positions: What is open.
        orders: What waits.
        trades: What has ended, in order.
        balance: Account currency.
    """

    def __init__(
        self,
        symbols: Mapping[str, SymbolSpec],
        positions: list[Position],
        orders: list[PendingOrder],
        balance: float,
        volume: float,
    ) -> None:
        self.positions = positions
        self.orders = orders
        self._expiries: dict[int, datetime] = {}
        self.trades: list[Trade] = []
        self.balance = balance
        self._symbols = symbols
        self._volume = volume
        self._tickets = 0

    @property
    def floating(self) -> float:
        """Floating profit as last marked, account currency."""
        return sum(position.profit for position in self.positions)

    def carry_out(self, intent: OrderIntent, tick: Tick) -> None:
        """Do what *intent* wants at *tick*."""
        if intent.action is Action.CANCEL:
            for order in self._waiting_in(intent.symbol):
                if intent.ticket in (None, order.ticket):
                    self._remove(order)
            return
        if intent.side is not None:
            if intent.action is Action.PLACE:
                self._place(intent, intent.side, tick)
            else:
                self._open(intent, intent.side, tick)
            return
        for position in self._in(intent.symbol):
            if intent.ticket not in (None, position.ticket):
                continue
            if intent.action is Action.CLOSE:
                self.close(position, tick, ExitReason.SIGNAL, intent.volume)
            else:
                self._replace(
                    position,
                    stop_loss=intent.stop_loss_price or position.stop_loss,
                    take_profit=intent.take_profit_price or position.take_profit,
                )

    def close(
        self,
        position: Position,
        tick: Tick,
        reason: ExitReason,
        volume: float | None = None,
    ) -> None:
        """Close *position* at *tick*, wholly unless *volume* says less."""
        price = market_price(position.side.opposite, tick.bid, tick.ask)
        self._end(position, Exit(price, reason), tick.time, volume)

    def meet_quote(self, tick: Tick) -> None:
        """Fill what waits for *tick*, end what it is beyond the stop or target of."""
        self._expire(tick.time)
        for order in self._waiting_in(tick.symbol):
            trigger = _TRIGGERS[order.kind]
            price = fill_at_quote(order.side, trigger, order.price, tick.bid, tick.ask)
            self._fill(order, price, tick.time)
        for position in self._in(tick.symbol):
            levels = position.stop_loss, position.take_profit
            end = exit_at_quote(position.side, *levels, tick.bid, tick.ask)
            self._end(position, end, tick.time)

    def meet_range(self, bar: Bar) -> None:
        """Fill what waits for a price inside *bar*, end what reaches a level in it.

        An order that is filled inside the bar may end in it too, at its stop first.
        """
        spread = bar.spread * self._symbols[bar.symbol].point
        for order in self._waiting_in(bar.symbol):
            trigger, reach = _TRIGGERS[order.kind], (bar.low, bar.high, spread)
            price = fill_inside_bar(order.side, trigger, order.price, *reach)
            self._fill(order, price, bar.closes_at)
        for position in self._in(bar.symbol):
            levels = position.stop_loss, position.take_profit
            end = exit_inside_bar(position.side, *levels, bar.low, bar.high, spread)
            self._end(position, end, bar.closes_at)

    def mark(self, tick: Tick) -> None:
        """Value what is open in a symbol at its newest quote."""
        for position in self._in(tick.symbol):
            price = market_price(position.side.opposite, tick.bid, tick.ask)
            profit = self._profit(position, price, position.volume)
            self._replace(position, profit=profit)

    def _open(self, intent: OrderIntent, side: Side, tick: Tick) -> None:
        rules = self._symbols[intent.symbol]
        levels = levels_from_distances(
            side,
            bid=tick.bid,
            ask=tick.ask,
            point=rules.point,
            tick_size=rules.tick_size,
            stop_loss=intent.stop_loss,
            take_profit=intent.take_profit,
        )
        self._tickets += 1
        self.positions.append(
            Position(
                ticket=self._tickets,
                symbol=intent.symbol,
                side=side,
                volume=intent.volume or self._volume,
                opened_at=tick.time,
                open_price=market_price(side, tick.bid, tick.ask),
                stop_loss=levels.stop_loss,
                take_profit=levels.take_profit,
            )
        )

    def _place(self, intent: OrderIntent, side: Side, tick: Tick) -> None:
        if intent.kind is None or intent.price is None:
            raise ValueError("a pending order needs a kind and a price")
        rules = self._symbols[intent.symbol]
        price = round_to_tick(intent.price, rules.tick_size)
        is_below = (side is Side.BUY) == (intent.kind is PendingKind.LIMIT)
        market = market_price(side, tick.bid, tick.ask)
        if (market <= price) if is_below else (market >= price):
            return  # refused by the server: it is on the wrong side of the market
        levels = levels_from_distances(
            side,
            bid=price,
            ask=price,
            point=rules.point,
            tick_size=rules.tick_size,
            stop_loss=intent.stop_loss,
            take_profit=intent.take_profit,
        )
        self._tickets += 1
        if intent.expires_at is not None:
            self._expiries[self._tickets] = intent.expires_at
        self.orders.append(
            PendingOrder(
                ticket=self._tickets,
                symbol=intent.symbol,
                side=side,
                kind=intent.kind,
                volume=intent.volume or self._volume,
                price=price,
                placed_at=tick.time,
                stop_loss=levels.stop_loss,
                take_profit=levels.take_profit,
            )
        )

    def _fill(self, order: PendingOrder, price: float | None, at: datetime) -> None:
        if price is None:
            return
        self._remove(order)
        self.positions.append(
            Position(
                ticket=order.ticket,
                symbol=order.symbol,
                side=order.side,
                volume=order.volume,
                opened_at=at,
                open_price=price,
                stop_loss=order.stop_loss,
                take_profit=order.take_profit,
            )
        )

    def _expire(self, now: datetime) -> None:
        for order in list(self.orders):
            expires_at = self._expiries.get(order.ticket)
            if expires_at is not None and now >= expires_at:
                self._remove(order)

    def _remove(self, order: PendingOrder) -> None:
        self.orders.remove(order)
        self._expiries.pop(order.ticket, None)

    def _waiting_in(self, symbol: str) -> list[PendingOrder]:
        return [order for order in self.orders if order.symbol == symbol]

    def _in(self, symbol: str) -> list[Position]:
        return [position for position in self.positions if position.symbol == symbol]

    def _replace(self, position: Position, **changes: Any) -> None:
        at = self.positions.index(position)
        self.positions[at] = attrs.evolve(position, **changes)

    def _end(
        self,
        position: Position,
        end: Exit | None,
        at: datetime,
        volume: float | None = None,
    ) -> None:
        if end is None:
            return
        closed = min(volume or position.volume, position.volume)
        profit = self._profit(position, end.price, closed)
        self.balance = round(self.balance + profit, _DECIMALS)
        rules = self._symbols[position.symbol]
        self.trades.append(
            Trade(
                symbol=position.symbol,
                side=position.side,
                volume=closed,
                opened_at=position.opened_at,
                open_price=position.open_price,
                closed_at=at,
                close_price=end.price,
                stop_loss=position.stop_loss,
                take_profit=position.take_profit,
                exit_reason=end.reason,
                profit=profit,
                profit_points=round(_gain(position, end.price) / rules.point, 4),
            )
        )
        left = round(position.volume - closed, _DECIMALS)
        if left > 0:
            self._replace(position, volume=left)
        else:
            self.positions.remove(position)

    def _profit(self, position: Position, price: float, volume: float) -> float:
        rules = self._symbols[position.symbol]
        ticks = _gain(position, price) / rules.tick_size
        return round(ticks * rules.tick_value * volume, _DECIMALS)


def _gain(position: Position, price: float) -> float:
    gain = price - position.open_price
    return gain if position.side is Side.BUY else -gain
