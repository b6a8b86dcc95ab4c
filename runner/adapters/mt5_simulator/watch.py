"""What the market does by itself: stops, targets, pending orders, stop-out, swap."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import attrs

from runner.adapters.mt5_simulator import constants as mt5
from runner.adapters.mt5_simulator.account import SimulatedAccount
from runner.adapters.mt5_simulator.execution import Executor
from runner.adapters.mt5_simulator.market import Market, NoRateError
from runner.adapters.mt5_simulator.records import STOP_LIMITS, OpenPosition, Order
from runner.adapters.mt5_simulator.swap import nights, swap_of
from runner.adapters.mt5_simulator.symbols import Symbol
from runner.core.matching import (
    Exit,
    Trigger,
    exit_at_quote,
    exit_inside_bar,
    fill_at_quote,
    fill_inside_bar,
)
from runner.core.orders import ExitReason, Side

_REASONS: Final = {
    ExitReason.STOP_LOSS: mt5.ORDER_REASON_SL,
    ExitReason.TAKE_PROFIT: mt5.ORDER_REASON_TP,
}
_DAY: Final = 86_400


@attrs.frozen(slots=True)
class Range:
    """What a bar covers after its open.

    Attributes:
        symbol: What moved.
        low: Lowest bid.
        high: Highest bid.
        close: Last bid.
        spread: Price difference between ask and bid.
    """

    symbol: Symbol
    low: float
    high: float
    close: float
    spread: float


class Watch:
    """Fills what the market reaches on one account.

    Args:
        account: The account.
        market: Its market.
        executor: Carries the fills out.
        slippage: Points by which stops are filled worse, >= 0.
    """

    def __init__(
        self,
        account: SimulatedAccount,
        market: Market,
        executor: Executor,
        slippage: float,
    ) -> None:
        self.slippage = slippage
        self._account = account
        self._market = market
        self._executor = executor
        self._day = -1

    @property
    def has_work(self) -> bool:
        """Whether there is anything that the market could reach."""
        return bool(self._account.positions or self._account.orders)

    def pass_time(self) -> None:
        """Let nights cost their swap and orders lapse, up to the market's time."""
        account, time = self._account, self._market.time
        day = time // _DAY
        if day != self._day:
            if account.positions and self._day >= 0:
                self._roll_over(day)
            self._day = day
        if account.orders:
            for order in list(account.orders.values()):
                if 0 < order.expires_msc <= self._market.time_msc:
                    self._executor.finish(order, mt5.ORDER_STATE_EXPIRED)

    def on_quotes(self, symbols: Sequence[Symbol]) -> None:
        """Fill what the present quotes of *symbols* reach, then check the stop-out.

        A quote outside of a symbol's sessions fills nothing: what it reached is
        filled at the first quote within them.
        """
        account = self._account
        if not self.has_work:
            return
        for symbol in symbols:
            if symbol.sessions is not None and not self._market.is_open(symbol):
                continue
            bid, ask = symbol.bid, symbol.ask
            slippage = self.slippage * symbol.point
            for held in account.positions_in(symbol):
                done = exit_at_quote(held.side, held.sl, held.tp, bid, ask, slippage)
                if done is not None:
                    self._exit(held, done)
            for order in account.orders_in(symbol):
                self._trigger(order, bid, ask, slippage)
        self._stop_out({}, self._market_equity)

    def on_bar(self, ranges: Sequence[Range]) -> None:
        """Fill what bars reach after their open, stops first; then the stop-out.

        The stop-out assumes that every symbol stood at its worst at the same time.
        """
        account = self._account
        if not self.has_work:
            return
        for bar in ranges:
            slippage = self.slippage * bar.symbol.point
            for held in account.positions_in(bar.symbol):
                done = exit_inside_bar(
                    held.side, held.sl, held.tp, bar.low, bar.high, bar.spread, slippage
                )
                if done is not None:
                    self._exit(held, done)
            for order in account.orders_in(bar.symbol):
                self._trigger_inside(order, bar, slippage)
        if account.positions:
            worst = self._worst_quotes(ranges)
            self._stop_out(worst, lambda: account.equity_at(worst))

    def _market_equity(self) -> float:
        return self._account.figures().equity

    def _exit(self, held: OpenPosition, done: Exit) -> None:
        is_stop = done.reason is ExitReason.STOP_LOSS
        level = held.sl if is_stop else held.tp
        words = "sl" if is_stop else "tp"
        comment = f"[{words} {level:.{held.symbol.digits}f}]"
        self._executor.close_by_market(held, done.price, _REASONS[done.reason], comment)

    def _trigger(self, order: Order, bid: float, ask: float, slippage: float) -> None:
        price = fill_at_quote(
            order.side, order.trigger, order.price, bid, ask, slippage
        )
        if price is None:
            return
        if order.type in STOP_LIMITS:
            self._leave_limit(order)
            price = fill_at_quote(order.side, Trigger.LIMIT, order.price, bid, ask)
            if price is None:
                return
        self._open(order, price)

    def _trigger_inside(self, order: Order, bar: Range, slippage: float) -> None:
        price = fill_inside_bar(
            order.side,
            order.trigger,
            order.price,
            bar.low,
            bar.high,
            bar.spread,
            slippage,
        )
        if price is None:
            return
        if order.type in STOP_LIMITS:
            # What the bar did after reaching the stop is not known: the limit
            # order waits for the next quote.
            self._leave_limit(order)
            return
        self._open(order, price)
        opened = self._account.positions.get(order.ticket)
        if opened is None:
            return
        # Before the fill or after it? A stop in reach counts, a target only if the
        # bar closed beyond it.
        done = exit_inside_bar(
            opened.side, opened.sl, 0.0, bar.low, bar.high, bar.spread, slippage
        ) or exit_inside_bar(
            opened.side, 0.0, opened.tp, bar.close, bar.close, bar.spread
        )
        if done is not None:
            self._exit(opened, done)

    def _leave_limit(self, order: Order) -> None:
        order.type = STOP_LIMITS[order.type]
        order.price, order.stoplimit = order.stoplimit, 0.0
        self._account.changed()

    def _open(self, order: Order, price: float) -> None:
        account, executor = self._account, self._executor
        try:
            opened = executor.new_position(order, price)
            net = executor.net_position(order.symbol)
            margin = account.margin_of([*account.positions.values(), opened])
        except NoRateError:
            executor.finish(order, mt5.ORDER_STATE_REJECTED)
            return
        shrinks = net is not None and net.side is not order.side
        if margin > account.figures().equity and not shrinks:
            order.comment = "[no money]"
            executor.finish(order, mt5.ORDER_STATE_REJECTED)
            return
        executor.fill(order, price)

    def _worst_quotes(
        self, ranges: Sequence[Range]
    ) -> dict[Symbol, tuple[float, float]]:
        account = self._account
        worst: dict[Symbol, tuple[float, float]] = {}
        for bar in ranges:
            held = account.positions_in(bar.symbol)
            if not held:
                continue
            low = bar.low, bar.low + bar.spread
            high = bar.high, bar.high + bar.spread
            sides = {position.side for position in held}
            if len(sides) == 1:
                worst[bar.symbol] = low if Side.BUY in sides else high
            else:
                worst[bar.symbol] = min(
                    (low, high),
                    key=lambda quote: sum(account.profit_at(p, quote) for p in held),
                )
        return worst

    def _stop_out(
        self, quotes: Mapping[Symbol, tuple[float, float]], equity: Callable[[], float]
    ) -> None:
        account = self._account
        while account.is_stopped_out(money := equity()):
            margin = account.figures().margin
            level = money / margin * 100 if margin else 0.0
            at = {
                held: quotes.get(held.symbol, (held.symbol.bid, held.symbol.ask))
                for held in account.positions.values()
                if held.symbol in quotes or self._market.is_open(held.symbol)
            }
            if not at:
                return
            worst = min(at, key=lambda held: account.profit_at(held, at[held]))
            price = worst.symbol.round(worst.price_at(*at[worst]))
            self._executor.close_by_market(
                worst, price, mt5.ORDER_REASON_SO, f"[so {level:.2f}%]"
            )

    def _roll_over(self, day: int) -> None:
        for held in self._account.positions.values():
            count = nights(held.symbol, self._day, day)
            held.swap = round(held.swap + count * swap_of(held, self._market), 2)
        self._account.changed()
