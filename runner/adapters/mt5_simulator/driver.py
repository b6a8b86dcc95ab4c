"""Plays a feed into the simulated terminal, phase by phase.

A bar is played in two phases. **Open**: the quotes jump to the opens, which closes the
bars before them and fills what the jump went through. **Close**: what the bars reached
after their open is filled, stops first, then the quotes are the closes, a millisecond
before the bars end. Strategies decide between phases. All symbols with a bar at one
instant move together; one without keeps its quote. Once the feed has ended, a last
quote closes the last bars, and the market with them: nothing is filled any more.

A tick is one phase.
"""

from __future__ import annotations

import abc
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import attrs

from runner.adapters.mt5_simulator.symbols import Symbol
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal
from runner.adapters.mt5_simulator.watch import Range
from runner.core.market import Bar, Tick
from runner.ports import Feed, FeedError, TickFeed

_MILLISECOND = timedelta(milliseconds=1)
_MINUTE = timedelta(minutes=1)


class Driver(abc.ABC):
    """What both kinds of feed have in common.

    Args:
        terminal: What is driven.
    """

    def __init__(self, terminal: SimulatedTerminal) -> None:
        self._terminal = terminal
        terminal.latency.player = self
        self._symbols: dict[str, Symbol] = {}
        self.now: datetime | None = None
        """Market time of the last phase, UTC-aware; None before the first."""

    @property
    @abc.abstractmethod
    def next_at(self) -> datetime | None:
        """Market time of the next phase, UTC-aware; None when the feed has ended."""

    @abc.abstractmethod
    def advance(self) -> bool:
        """Play the next phase; False, and nothing, when the feed has ended."""

    def advance_to(self, time: datetime) -> bool:
        """Play every phase up to *time* (UTC-aware); False when the feed has ended."""
        while (next_at := self.next_at) is not None and next_at <= time:
            self.advance()
        return next_at is not None

    def _symbol(self, name: str) -> Symbol:
        symbol = self._symbols.get(name)
        if symbol is None:
            try:
                symbol = self._symbols[name] = self._terminal.known(name)
            except ValueError as error:
                raise FeedError(str(error)) from None
        return symbol

    def _end(self, time: datetime) -> None:
        # Quotes that repeat the last ones: they only close the last bars.
        terminal = self._terminal
        time_msc = terminal.wall_msc(time)
        for symbol in self._symbols.values():
            terminal.market.set_quote(symbol, time_msc, symbol.bid, symbol.ask)
            if symbol.bars is not None:
                symbol.bars.begin(time_msc // 1000, symbol.bid, symbol.spread)
        terminal.market.is_closed = True
        self.now = time


@attrs.define
class _Group:
    """Bars that opened at the same instant, and where they end."""

    bars: list[tuple[Symbol, Bar, int]]
    ends_at: datetime


class BarDriver(Driver):
    """Plays bars of one timeframe.

    Args:
        terminal: What is driven.
        feed: The bars of all symbols in order of time.
    """

    def __init__(self, terminal: SimulatedTerminal, feed: Feed) -> None:
        super().__init__(terminal)
        self._timeframe = feed.timeframe
        self._source: Iterator[Bar] = iter(feed.bars())
        self._first: Bar | None = next(self._source, None)
        self._coming = self._read_group()
        self._forming: deque[_Group] = deque()
        self._last_end: datetime | None = None

    @property
    def next_at(self) -> datetime | None:
        """Market time of the next phase, UTC-aware; None when the feed has ended."""
        if self._closes_next():
            return self._forming[0].ends_at - _MILLISECOND
        if self._coming:
            return self._coming[0].opens_at
        return self._last_end

    def advance(self) -> bool:
        """Play the next phase; False, and nothing, when the feed has ended."""
        if self._closes_next():
            self._close(self._forming.popleft())
        elif self._coming:
            self._open()
        elif self._last_end is not None:
            end, self._last_end = self._last_end, None
            self._end(end)
        else:
            return False
        return True

    def warm_up(self, bars: int) -> None:
        """Play so many bars at once, as the history that a terminal starts with."""
        for _ in range(2 * bars):
            self.advance()

    def _closes_next(self) -> bool:
        return bool(self._forming) and (
            not self._coming or self._forming[0].ends_at <= self._coming[0].opens_at
        )

    def _read_group(self) -> list[Bar]:
        first = self._first
        if first is None:
            return []
        group: list[Bar] = []
        bar: Bar | None = first
        opens_at = first.opens_at
        while bar is not None and bar.opens_at == opens_at:
            group.append(bar)
            bar = next(self._source, None)
        if bar is not None and bar.opens_at < opens_at:
            raise FeedError(
                f"{bar.symbol}: bars must come in order of time, "
                f"{bar.opens_at} comes after {opens_at}"
            )
        if len({bar.symbol for bar in group}) < len(group):
            raise FeedError(f"two bars of one symbol at {opens_at}")
        self._first = bar
        return group

    def _open(self) -> None:
        terminal, group = self._terminal, self._coming
        opens_at = group[0].opens_at
        time_msc = terminal.wall_msc(opens_at)
        opened: list[tuple[Symbol, Bar, int]] = []
        for bar in group:
            symbol = self._symbol(bar.symbol)
            spread = bar.spread or symbol.default_spread
            ask = symbol.ask_above(bar.open, spread)
            terminal.market.set_quote(symbol, time_msc, bar.open, ask)
            history = symbol.history(self._timeframe)
            history.begin(time_msc // 1000, bar.open, spread)
            opened.append((symbol, bar, spread))
        self.now = opens_at
        self._coming = self._read_group()
        ends_at = opens_at + self._timeframe.duration
        if self._coming and self._coming[0].opens_at < ends_at:
            # A day of 23 hours, or a short month: the next bar ends this one.
            following = {bar.symbol for bar in self._coming}
            if any(bar.symbol in following for bar in group):
                ends_at = self._coming[0].opens_at
        self._forming.append(_Group(opened, ends_at))
        self._last_end = max(ends_at, self._last_end or ends_at)
        terminal.react([symbol for symbol, _, _ in opened])

    def _close(self, group: _Group) -> None:
        terminal = self._terminal
        market, watch = terminal.market, terminal.watch
        closes_at = group.ends_at - _MILLISECOND
        time_msc = terminal.wall_msc(closes_at)
        market.time_msc = max(market.time_msc, time_msc)
        if watch.has_work:
            watch.on_bar(
                [
                    Range(symbol, bar.low, bar.high, bar.close, spread * symbol.point)
                    for symbol, bar, spread in group.bars
                    if symbol.sessions is None
                    or symbol.sessions.are_open_between(
                        terminal.wall_msc(bar.opens_at) // 1000, market.time
                    )
                ]
            )
        for symbol, bar, spread in group.bars:
            ask = symbol.ask_above(bar.close, spread)
            symbol.note_range(bar.low, bar.high, spread * symbol.point)
            market.set_quote(symbol, time_msc, bar.close, ask)
            if symbol.bars is not None:
                symbol.bars.complete(bar.high, bar.low, bar.close, bar.tick_volume)
        self.now = closes_at


class TickDriver(Driver):
    """Plays ticks; M1 bars and longer ones are made of them.

    Args:
        terminal: What is driven.
        feed: The ticks of all symbols in order of time.
    """

    def __init__(self, terminal: SimulatedTerminal, feed: TickFeed) -> None:
        super().__init__(terminal)
        self._source: Iterator[Tick] = iter(feed.ticks())
        self._coming: Tick | None = next(self._source, None)
        self._last_end: datetime | None = None

    @property
    def next_at(self) -> datetime | None:
        """Market time of the next phase, UTC-aware; None when the feed has ended."""
        return self._coming.time if self._coming else self._last_end

    def advance(self) -> bool:
        """Play the next tick; False, and nothing, when the feed has ended."""
        tick = self._coming
        if tick is None:
            if self._last_end is None:
                return False
            end, self._last_end = self._last_end, None
            self._end(end)
            return True
        if self.now is not None and tick.time < self.now:
            raise FeedError(
                f"{tick.symbol}: ticks must come in order of time, "
                f"{tick.time} comes after {self.now}"
            )
        terminal = self._terminal
        symbol = self._symbol(tick.symbol)
        terminal.take_quotes(
            [(symbol, tick.bid, tick.ask)], terminal.wall_msc(tick.time)
        )
        self.now = tick.time
        self._coming = next(self._source, None)
        minute = self.now.astimezone(UTC).replace(second=0, microsecond=0)
        self._last_end = minute + _MINUTE
        return True


def drive(terminal: SimulatedTerminal, feed: Feed | TickFeed) -> BarDriver | TickDriver:
    """Return the driver that plays *feed*, bars or ticks, into *terminal*."""
    if isinstance(feed, TickFeed):
        return TickDriver(terminal, feed)
    return BarDriver(terminal, feed)
