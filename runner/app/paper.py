"""The simulated terminal, played from a feed.

A module of its own, so that a live runner does not load the simulator.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs

from runner.adapters.feeds.merge import BarFiles
from runner.adapters.feeds.spec import open_feed, parse_spec
from runner.adapters.feeds.synthetic import SyntheticFeed
from runner.adapters.mt5 import MT5Adapter, MT5Settings, Terminal
from runner.adapters.mt5_simulator.driver import BarDriver, TickDriver, drive
from runner.adapters.mt5_simulator.symbols import read_symbols
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal
from runner.app.setup import TerminalSetup, server_zone
from runner.core.market import Bar, Timeframe
from runner.core.server_time import ServerZone
from runner.loop.pacing import Pacer
from runner.ports import Clock, Login
from runner.settings import RunnerSettings, SettingsError

PAPER_SERVER = "mt5runner-Paper"
"""The trade server's name on paper."""

_WARM_UP = 500  # bars that a made market has behind it when the runner starts


@attrs.frozen
class PaperMarket:
    """A simulated terminal and what plays its feed into it.

    Attributes:
        terminal: The terminal.
        driver: Plays the feed.
        timeframe: Of the feed's bars.
        zone: The server's wall clock.
    """

    terminal: SimulatedTerminal
    driver: BarDriver | TickDriver
    timeframe: Timeframe
    zone: ServerZone


def open_paper(settings: RunnerSettings, account: str, clock: Clock) -> TerminalSetup:
    """Make a simulated terminal and what plays the feed into it.

    Args:
        settings: The runner's settings.
        account: The account id that the server knows.
        clock: Wall clock.

    Returns:
        The terminal, not yet connected to.

    Raises:
        SettingsError: If the feed or the symbols cannot be used.
    """
    market = make_market(settings, account, clock)
    return TerminalSetup(
        adapter=paper_adapter(market.terminal, market.zone, settings, clock),
        login=Login(),
        timeframe=(
            Timeframe[settings.timeframe] if settings.timeframe else market.timeframe
        ),
        player=Pacer(market.driver, clock, settings.speed),
    )


def paper_adapter(
    terminal: Terminal, zone: ServerZone, settings: RunnerSettings, clock: Clock
) -> MT5Adapter:
    """Return the adapter over a simulated terminal, here or in another process."""
    return MT5Adapter(
        terminal,
        clock,
        MT5Settings(server_zone=zone, aliases=settings.symbol_aliases, is_live=False),
    )


def make_market(settings: RunnerSettings, account: str, clock: Clock) -> PaperMarket:
    """Make a simulated terminal and the driver of its feed.

    Args:
        settings: The runner's settings.
        account: The account id that the server knows.
        clock: Wall clock.

    Raises:
        SettingsError: If the feed or the symbols cannot be used.
    """
    zone = server_zone(settings)
    try:
        feed = open_feed(
            parse_spec(settings.feed),
            zone=None if settings.server_timezone is None else zone,
            start=clock.now() - _WARM_UP * Timeframe.M1.duration,
        )
        terminal = SimulatedTerminal(
            login=paper_login(settings, account),
            balance=settings.paper_balance,
            currency=settings.paper_currency,
            leverage=settings.paper_leverage,
            symbols=read_symbols(Path(settings.symbols)) if settings.symbols else {},
            server_zone=zone,
            server=PAPER_SERVER,
        )
        if isinstance(feed, BarFiles):
            digits = {name: terminal.known(name).digits for name in feed.symbols}
            feed = AtTerminalPrecision(feed, digits)
        driver = drive(terminal, feed)
    except ValueError as error:  # of the feed, the symbols file, or a symbol's name
        raise SettingsError(str(error)) from None
    if isinstance(feed, SyntheticFeed) and isinstance(driver, BarDriver):
        driver.warm_up(_WARM_UP)
    timeframe = getattr(feed, "timeframe", Timeframe.M1)
    return PaperMarket(terminal, driver, timeframe, zone)


def paper_login(settings: RunnerSettings, account: str) -> int:
    """Return the paper terminal's login: the account id where that is a number."""
    number = int(account) if account.isdecimal() else 0
    return settings.mt5_login or number or 1


class AtTerminalPrecision:
    """Bars as the terminal quotes its symbols; fulfils `ports.Feed`.

    A file's prices may have more decimals than the terminal's symbol (gold with 3 in
    the file, 2 at the terminal), and its spread column counts in the file's own last
    decimal. Prices are rounded to the symbol's digits, and the spread is told in its
    points, so that the same distance in price remains.

    Args:
        feed: The files.
        digits: Symbol to the terminal's decimals.
    """

    def __init__(self, feed: BarFiles, digits: Mapping[str, int]) -> None:
        self._feed = feed
        self.symbols = feed.symbols
        self.timeframe = feed.timeframe
        self._digits = {
            name: (there, 10.0 ** (there - feed.digits[name]))
            for name, there in digits.items()
            if there != feed.digits[name]
        }

    def bars(self) -> Iterator[Bar]:
        """Yield the bars of all symbols in order of time."""
        bars = self._feed.bars()
        return map(self._adapt, bars) if self._digits else bars

    def _adapt(self, bar: Bar) -> Bar:
        known = self._digits.get(bar.symbol)
        if known is None:
            return bar
        digits, factor = known
        return Bar(
            bar.symbol,
            bar.timeframe,
            bar.opens_at,
            round(bar.open, digits),
            round(bar.high, digits),
            round(bar.low, digits),
            round(bar.close, digits),
            bar.tick_volume,
            max(1, round(bar.spread * factor)) if bar.spread else 0,
        )
