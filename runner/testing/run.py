"""Runs a strategy class over bars, without a host."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import attrs

from runner.core.market import Bar, SymbolSpec, Tick
from runner.core.matching import ask_price
from runner.core.orders import ExitReason, OrderIntent
from runner.strategy import Intents, Parameters, Strategy
from runner.testing.book import Book, Trade
from runner.testing.doubles import FakeContext
from runner.testing.values import make_account, make_symbol


@attrs.frozen(slots=True, kw_only=True)
class RunResult:
    """What a run did.

    Attributes:
        intents: Every intent of the strategy, in order.
        trades: Every position, in the order in which they ended.
        balance: At the end, account currency.
    """

    intents: tuple[OrderIntent, ...]
    trades: tuple[Trade, ...]
    balance: float


def run_bars(
    strategy: type[Strategy],
    bars: Iterable[Bar],
    parameters: Parameters | Mapping[str, Parameters] | None = None,
    *,
    symbols: Iterable[SymbolSpec] = (),
    balance: float = 10_000.0,
    volume: float = 0.1,
) -> RunResult:
    """Run a strategy class over bars, without guards and costs other than the spread.

    `on_bar` sees each bar when it has closed; what it wants is done at the open of the
    symbol's next bar, a buy at open + spread, a sell at open. `on_tick` sees the
    opening quote of each bar; what it wants is done at that quote. Stops and targets
    follow the fill model (architecture, decision 10).

    Args:
        strategy: The class.
        bars: Of one or several symbols, in order of time.
        parameters: Of all symbols, or by symbol; None for the class's defaults.
        symbols: Rules of the symbols; made ones for those that are not given.
        balance: At the start, account currency.
        volume: Lots of an intent that names none.

    Returns:
        Intents, trades and balance.
    """
    ordered = list(bars)
    rules = {bar.symbol: make_symbol(bar.symbol) for bar in ordered}
    rules |= {symbol.name: symbol for symbol in symbols}
    if not isinstance(parameters, Mapping):
        one = strategy.Parameters() if parameters is None else parameters
        parameters = dict.fromkeys(rules, one)
    run = _Run(strategy, rules, parameters, balance, volume)
    for bar in ordered:
        if bar.symbol in parameters:
            run.play(bar)
    return run.finish()


class _Run:
    def __init__(
        self,
        strategy: type[Strategy],
        symbols: Mapping[str, SymbolSpec],
        parameters: Mapping[str, Parameters],
        balance: float,
        volume: float,
    ) -> None:
        self._context = FakeContext(
            account=make_account(balance),
            symbols=symbols.values(),
            parameters=parameters,
        )
        self._book = Book(
            symbols,
            self._context.open_positions,
            self._context.pending_orders,
            balance,
            volume,
        )
        self._strategy = strategy(self._context)
        self._needed = {
            symbol: strategy.bars_needed(values)
            for symbol, values in parameters.items()
        }
        self._waiting: dict[str, list[OrderIntent]] = {}
        self._intents: list[OrderIntent] = []
        self._has_started = False

    def play(self, bar: Bar) -> None:
        """Open the bar, let it happen, close it."""
        context, needed = self._context, self._needed[bar.symbol]
        if bar.symbol not in context.ticks:
            context.keep_bars(bar.symbol, bar.timeframe, needed)
        opening = self._quote(bar, bar.opens_at, bar.open)
        self._show(opening)
        if not self._has_started:
            self._has_started = True
            self._strategy.on_start()
        self._book.meet_quote(opening)
        for intent in self._waiting.pop(bar.symbol, []):
            self._book.carry_out(intent, opening)
        self._show(opening)
        for intent in self._take(self._strategy.on_tick(opening)):
            self._book.carry_out(intent, context.ticks[intent.symbol])
        self._book.meet_range(bar)
        self._show(self._quote(bar, bar.closes_at, bar.close))
        if len(context.bars(bar.symbol)) >= needed:
            for intent in self._take(self._strategy.on_bar(bar)):
                self._waiting.setdefault(intent.symbol, []).append(intent)
        context.add_bar(bar)

    def finish(self) -> RunResult:
        """Stop the strategy and close what is open at the last quotes."""
        if self._has_started:
            self._strategy.on_stop()
        for position in list(self._book.positions):
            tick = self._context.ticks[position.symbol]
            self._book.close(position, tick, ExitReason.END)
        return RunResult(
            intents=tuple(self._intents),
            trades=tuple(self._book.trades),
            balance=self._book.balance,
        )

    def _show(self, tick: Tick) -> None:
        self._context.now, self._context.ticks[tick.symbol] = tick.time, tick
        self._book.mark(tick)
        balance = self._book.balance
        equity = balance + self._book.floating
        self._context.account = make_account(balance, equity=equity)

    def _take(self, wanted: Intents) -> Sequence[OrderIntent]:
        if wanted is None:
            return ()
        intents = (wanted,) if isinstance(wanted, OrderIntent) else tuple(wanted)
        self._intents += intents
        return intents

    def _quote(self, bar: Bar, at: datetime, bid: float) -> Tick:
        point = self._context.symbol(bar.symbol).point
        return Tick(bar.symbol, at, bid, ask_price(bid, bar.spread, point))
