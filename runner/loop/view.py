"""What the loop last read from the terminal; unknown is told apart from empty."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from runner.core.account import Account
from runner.core.market import Bar, SymbolSpec, Tick, Timeframe
from runner.core.orders import Position
from runner.core.series import BarSeries
from runner.ports import Broker, MarketData, UnavailableError

_NEVER = datetime.min.replace(tzinfo=UTC)


class View:
    """The latest readings of account, positions, quotes and bars.

    Args:
        market: Where quotes and bars come from.
        broker: Where account and positions come from.
    """

    def __init__(self, market: MarketData, broker: Broker) -> None:
        self._market = market
        self._broker = broker
        self.now: datetime = _NEVER
        self.account: Account | None = None
        self.last_account: Account | None = None
        self.positions: Sequence[Position] | None = None
        self.ticks: dict[str, Tick] = {}
        self.error: str = ""
        self._series: dict[tuple[str, Timeframe], BarSeries] = {}
        self._missed: dict[tuple[str, Timeframe], Sequence[Bar]] = {}

    def read_account(self) -> None:
        """Read account and positions; a failed reading leaves both unknown."""
        try:
            account = self._broker.account()
            positions = self._broker.positions()
        except UnavailableError as error:
            self.account, self.positions = None, None
            self.error = str(error)
            return
        self.account = self.last_account = account
        self.positions = positions
        self.error = ""

    def read_ticks(self, symbols: Sequence[str]) -> list[Tick]:
        """Read the latest quotes.

        Args:
            symbols: The symbols to read.

        Returns:
            The quotes that are new since the last call.
        """
        fresh: list[Tick] = []
        for symbol in symbols:
            try:
                tick = self._market.tick(symbol)
            except UnavailableError:
                continue
            if tick is not None and tick != self.ticks.get(symbol):
                self.ticks[symbol] = tick
                fresh.append(tick)
        self._read_time()
        return fresh

    def _read_time(self) -> None:
        try:
            self.now = self._market.now()
        except UnavailableError:
            return

    def spec(self, symbol: str) -> SymbolSpec:
        """Return a symbol's rules.

        Raises:
            KeyError: If the broker has no such symbol.
            UnavailableError: If the terminal does not answer.
        """
        return self._market.symbol(symbol)

    def series(self, symbol: str, timeframe: Timeframe) -> BarSeries | None:
        """Return the closed bars that are kept; None before `keep_bars`."""
        return self._series.get((symbol, timeframe))

    def keep_bars(self, symbol: str, timeframe: Timeframe, needed: int) -> None:
        """Make sure that at least *needed* closed bars are kept, if they exist.

        Args:
            symbol: The broker's spelling.
            timeframe: Length of the bars.
            needed: Number of newest closed bars.

        Raises:
            UnavailableError: If the terminal does not answer.
        """
        present = self._series.get((symbol, timeframe))
        if present is not None and present.capacity >= needed:
            return
        capacity = max(needed, 2 * (present.capacity if present else 0))
        series = BarSeries(symbol, timeframe, capacity)
        bars = self._market.history(symbol, timeframe, capacity)
        if present is not None and len(present):
            # What closed since the last look is still to be decided on, so it is not
            # history yet: closed_bars() hands it out.
            newest = present.opens_at[-1]
            self._missed[symbol, timeframe] = [
                bar for bar in bars if bar.opens_at > newest
            ]
            bars = [bar for bar in bars if bar.opens_at <= newest]
        series.extend(bars)
        self._series[symbol, timeframe] = series

    def closed_bars(self, symbol: str, timeframe: Timeframe) -> Sequence[Bar]:
        """Return the bars that closed since the last call; empty if unreadable."""
        missed = self._missed.pop((symbol, timeframe), ())
        try:
            return [*missed, *self._market.closed_bars(symbol, timeframe)]
        except UnavailableError as error:
            self.error = str(error)
            return missed
