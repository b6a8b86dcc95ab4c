"""What the loop last read from the terminal; unknown is told apart from empty."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import attrs

from runner.core.account import Account
from runner.core.market import Bar, SymbolSpec, Tick, Timeframe
from runner.core.orders import PendingOrder, Position
from runner.core.series import BarSeries
from runner.ports import Broker, MarketData, UnavailableError

_NEVER = datetime.min.replace(tzinfo=UTC)
_AWAY_AFTER = 60.0  # seconds without a reading of bars after which they are history

_Key = tuple[str, Timeframe]


@attrs.frozen
class Batch:
    """Bars of one series that closed since it was last read, oldest first.

    Attributes:
        bars: At least one.
        is_late: Whether nobody looked for so long that none of them is news.
    """

    bars: Sequence[Bar]
    is_late: bool = False


class View:
    """The latest readings of account, positions, quotes and bars.

    Args:
        market: Where quotes and bars come from.
        broker: Where account and positions come from.

    Attributes:
        now: The market's time, UTC-aware; the least datetime before the first quote.
        account: None while it is unknown.
        last_account: The last reading that succeeded.
        positions: None while they are unknown, which is not empty.
        orders: Pending orders; None while they are unknown.
        is_current: Whether positions and orders are what stands at the broker. While
            the terminal has no server they may be old, and none may be too few.
        ticks: The quotes that could be read in this cycle, by symbol.
        newest_tick_at: Time of the newest quote ever read; None before the first.
        error: Why the account is unknown.
    """

    def __init__(self, market: MarketData, broker: Broker) -> None:
        self._market = market
        self._broker = broker
        self.now: datetime = _NEVER
        self.account: Account | None = None
        self.last_account: Account | None = None
        self.positions: Sequence[Position] | None = None
        self.orders: Sequence[PendingOrder] | None = None
        self.is_current = False
        self.ticks: dict[str, Tick] = {}
        self.newest_tick_at: datetime | None = None
        self.error: str = ""
        self._last_ticks: dict[str, Tick] = {}
        self._series: dict[_Key, BarSeries] = {}
        self._missed: dict[_Key, Sequence[Bar]] = {}
        self._handed: dict[_Key, list[datetime]] = {}
        self._read_at: dict[_Key, float] = {}

    def read_account(self) -> None:
        """Read account, positions, orders; a failed reading leaves all unknown."""
        try:
            account = self._broker.account()
            # An order that is filled between two readings shows in both, never in none.
            orders = self._broker.orders()
            positions = self._broker.positions()
        except UnavailableError as error:
            self.account, self.positions, self.orders = None, None, None
            self.is_current = False
            self.error = str(error)
            return
        self.account = self.last_account = account
        self.positions, self.orders = positions, orders
        self.is_current = account.is_linked
        self.error = ""

    def forget_account(self, error: str) -> None:
        """Take the account for unknown, though what is open is known.

        Args:
            error: Why.
        """
        self.account, self.error = None, error

    def read_ticks(self, symbols: Sequence[str]) -> list[Tick]:
        """Read the latest quotes; one that cannot be read is unknown, not as before.

        Args:
            symbols: The symbols to read.

        Returns:
            The quotes that are new since the last call.
        """
        self.ticks = {}
        fresh: list[Tick] = []
        for symbol in symbols:
            try:
                tick = self._market.tick(symbol)
            except (UnavailableError, KeyError):  # the broker may drop a symbol
                continue
            if tick is None:
                continue
            self.ticks[symbol] = tick
            if tick != self._last_ticks.get(symbol):
                self._last_ticks[symbol] = tick
                fresh.append(tick)
        self._read_time()
        return fresh

    def _read_time(self) -> None:
        times = [tick.time for tick in self.ticks.values()]
        self.newest_tick_at = max(
            times if self.newest_tick_at is None else [self.newest_tick_at, *times],
            default=None,
        )
        try:
            self.now = max(self.now, self._market.now())
        except UnavailableError:
            # Some other symbol fails; no quote in use may be younger than our time.
            self.now = max([self.now, *times])

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

        Bars that `closed_bars` handed out and that are not in the series yet stay out
        of it: the loop has them in hand and appends them once it has decided on them.

        Args:
            symbol: The broker's spelling.
            timeframe: Length of the bars.
            needed: Number of newest closed bars.

        Raises:
            UnavailableError: If the terminal does not answer.
        """
        key = symbol, timeframe
        present = self._series.get(key)
        if present is not None and present.capacity >= needed:
            return
        capacity = max(needed, 2 * (present.capacity if present else 0))
        newest = None if present is None else present.newest_at
        in_hand = [
            opens_at
            for opens_at in self._handed.get(key, ())
            if newest is None or opens_at > newest
        ]
        bars = self._market.history(symbol, timeframe, capacity + len(in_hand))
        series = BarSeries(symbol, timeframe, capacity)
        if in_hand:
            series.extend(bar for bar in bars if bar.opens_at < in_hand[0])
            newest = in_hand[-1]
        else:
            series.extend(bar for bar in bars if not newest or bar.opens_at <= newest)
        if newest is not None:
            # What closed since the last look is still to be decided on, so it is not
            # history yet: closed_bars() hands it out.
            self._missed[key] = [bar for bar in bars if bar.opens_at > newest]
        self._series[key] = series

    def closed_bars(self, symbol: str, timeframe: Timeframe, at: float) -> Batch | None:
        """Return the bars that closed since the last call, each exactly once.

        Args:
            symbol: The broker's spelling.
            timeframe: Length of the bars.
            at: Monotonic seconds.

        Returns:
            None if there are none, or if they cannot be read now.
        """
        key = symbol, timeframe
        last_at = self._read_at.setdefault(key, at)
        try:
            read = self._market.closed_bars(symbol, timeframe)
        except (UnavailableError, KeyError):
            return None
        self._read_at[key] = at
        found = [*self._missed.pop(key, ()), *read]
        newest = self._newest(key) if found else None
        bars: list[Bar] = []
        for bar in found:
            if newest is None or bar.opens_at > newest:
                bars.append(bar)
                newest = bar.opens_at
        if not bars:
            return None
        self._handed[key] = [bar.opens_at for bar in bars]
        return Batch(bars, is_late=at - last_at > _AWAY_AFTER)

    def _newest(self, key: _Key) -> datetime | None:
        """Return the opening of the newest bar that is known or was handed out."""
        times = self._handed.get(key, [])[-1:]
        series = self._series.get(key)
        if series is not None and series.newest_at is not None:
            times.append(series.newest_at)
        return max(times, default=None)
