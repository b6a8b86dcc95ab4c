"""Real files through feed, driver and terminal: every bar comes out as it went in."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.adapters.feeds.merge import BarFiles, TickFiles
from runner.adapters.feeds.spec import open_feed, parse_spec
from runner.adapters.mt5_simulator.constants import TIMEFRAME_H1
from runner.adapters.mt5_simulator.driver import BarDriver, drive
from runner.adapters.mt5_simulator.symbols import with_digits
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal
from runner.core.market import Bar, Timeframe

pytestmark = pytest.mark.data
COUNT = 6000


class Some:
    """The first bars of a feed."""

    def __init__(self, feed: BarFiles) -> None:
        self.symbols = feed.symbols
        self.timeframe = feed.timeframe
        self._feed = feed

    def bars(self) -> Iterator[Bar]:
        """Yield them."""
        return itertools.islice(self._feed.bars(), COUNT)


def connected(*symbols: str, digits: dict[str, int]) -> SimulatedTerminal:
    """Return a terminal that watches *symbols*."""
    terminal = SimulatedTerminal(symbols=with_digits({}, digits))
    terminal.initialize()
    for symbol in symbols:
        terminal.symbol_select(symbol)
    return terminal


def test_real_bars_are_played_unchanged(market_data: Path) -> None:
    """Two symbols of twelve years: each closed bar is the file's, on the server."""
    bars = market_data / "bars"
    feed = open_feed(
        parse_spec(
            f"csv:EURUSD={bars / 'EURUSD_H1_2007-2018_oanda.csv.gz'},"
            f"XAUUSD={bars / 'XAUUSD_H1_2006-2019_oanda.csv.gz'}"
        )
    )
    assert isinstance(feed, BarFiles)
    assert {"EURUSD": 5, "XAUUSD": 3} == feed.digits
    assert Timeframe.H1 is feed.timeframe
    terminal = connected("EURUSD", "XAUUSD", digits=dict(feed.digits))
    driver = BarDriver(terminal, Some(feed))
    while driver.advance():
        pass

    for symbol in feed.symbols:
        rates = terminal.copy_rates_from_pos(symbol, TIMEFRAME_H1, 1, 50_000)
        expected = [
            (
                terminal.wall_msc(bar.opens_at) // 1000,
                bar.open,
                bar.high,
                bar.low,
                bar.close,
                bar.tick_volume,
                bar.spread,
                0,
            )
            for bar in Some(feed).bars()
            if bar.symbol == symbol
        ]
        assert rates is not None
        assert expected == rates.tolist()


@pytest.mark.parametrize(
    ("name", "symbol", "digits"),
    [
        ("EURUSD_ticks_2014-05-02_oanda", "EURUSD", 5),
        ("XAUUSD_ticks_2014-05-09_oanda", "XAUUSD", 3),
    ],
)
def test_real_ticks_make_the_bars_of_their_day(
    market_data: Path, name: str, symbol: str, digits: int
) -> None:
    """M1 bars made of a day's ticks hold each tick once."""
    feed = open_feed(parse_spec(f"csv:{symbol}={market_data / 'ticks' / name}.csv.gz"))
    assert isinstance(feed, TickFiles)
    ticks = list(feed.ticks())
    terminal = connected(symbol, digits={symbol: digits})
    driver = drive(terminal, feed)
    while driver.advance():
        pass

    rates = terminal.copy_rates_from_pos(symbol, 1, 1, 50_000)
    assert rates is not None
    assert len(ticks) == rates["tick_volume"].sum()
    assert max(tick.bid for tick in ticks) == rates["high"].max()
    assert min(tick.bid for tick in ticks) == rates["low"].min()


def test_every_real_file_is_read(market_data: Path) -> None:
    """No line of any bar file is refused."""
    for path in sorted((market_data / "bars").glob("*.csv.gz")):
        feed = open_feed(parse_spec(f"csv:X={path}"))
        assert isinstance(feed, BarFiles)
        assert path.name.split("_")[1] == feed.timeframe.name
        assert sum(1 for _ in feed.bars()) > 9000
