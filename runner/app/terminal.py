"""Makes the terminal that the settings name: the real one, or the simulated one."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from runner.adapters.feeds.merge import BarFiles
from runner.adapters.feeds.spec import open_feed, parse_spec
from runner.adapters.feeds.synthetic import SyntheticFeed
from runner.adapters.mt5 import MT5Adapter, MT5Settings
from runner.adapters.mt5_simulator.driver import BarDriver, drive
from runner.adapters.mt5_simulator.symbols import SymbolsError
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal
from runner.core.account import Account
from runner.core.market import Bar, Timeframe
from runner.core.server_time import NEW_YORK_CLOSE, ServerZone
from runner.loop.pacing import Pacer
from runner.ports import Clock, FeedError, Login
from runner.settings import PREFIX, RunnerSettings, SettingsError, environment, secret

PAPER_SERVER = "mt5runner-Paper"
"""The trade server's name on paper."""

_WARM_UP = 500  # bars that a made market has behind it when the runner starts


@attrs.frozen(kw_only=True)
class TerminalSetup:
    """One terminal, not yet connected to.

    Attributes:
        adapter: Speaks to it.
        login: The account that it must be on.
        timeframe: Bars for strategies that name none.
        player: Plays the feed; None for a real terminal.
    """

    adapter: MT5Adapter
    login: Login
    timeframe: Timeframe
    player: Pacer | None = None

    def connect(self) -> Account:
        """Connect and verify the account."""
        return self.adapter.connect(self.login)


def open_terminal(
    settings: RunnerSettings, account: str, clock: Clock
) -> TerminalSetup:
    """Make the terminal that the settings name.

    Args:
        settings: The runner's settings.
        account: The account id that the server knows.
        clock: Wall clock.

    Returns:
        The terminal, not yet connected to.

    Raises:
        SettingsError: If a setting cannot be used.
    """
    if settings.terminal == "mt5":
        return _open_mt5(settings, account, clock)
    return _open_paper(settings, account, clock)


def _zone(settings: RunnerSettings) -> ServerZone:
    if settings.server_timezone is None:
        return NEW_YORK_CLOSE
    try:
        return ServerZone.parse(settings.server_timezone)
    except ValueError as error:
        raise SettingsError(str(error)) from None


def _open_mt5(settings: RunnerSettings, account: str, clock: Clock) -> TerminalSetup:
    try:
        module: Any = importlib.import_module("MetaTrader5")
    except ImportError:
        raise SettingsError(
            "--terminal mt5: the MetaTrader5 package exists on Windows only; "
            "run there, or on paper: --terminal paper"
        ) from None
    login = settings.mt5_login
    if login is None:
        if not account.isdecimal():
            raise SettingsError(f"mt5_login: set it; {account!r} is not a number")
        login = int(account)
    adapter = MT5Adapter(
        module,
        clock,
        MT5Settings(
            server_zone=_zone(settings),
            aliases=settings.symbol_aliases,
            path_required=len(settings.accounts) > 1,
        ),
    )
    return TerminalSetup(
        adapter=adapter,
        login=Login(
            account=login,
            password=secret(f"{PREFIX}MT5_PASSWORD", environment(), account),
            server=settings.mt5_server,
            terminal_path=settings.mt5_path,
        ),
        timeframe=Timeframe[settings.timeframe or "H1"],
    )


def _open_paper(settings: RunnerSettings, account: str, clock: Clock) -> TerminalSetup:
    zone = _zone(settings)
    try:
        feed = open_feed(
            parse_spec(settings.feed),
            zone=None if settings.server_timezone is None else zone,
            start=clock.now() - _WARM_UP * Timeframe.M1.duration,
        )
        terminal = SimulatedTerminal(
            login=settings.mt5_login or _number(account),
            balance=settings.paper_balance,
            currency=settings.paper_currency,
            leverage=settings.paper_leverage,
            symbols=_read_symbols(settings.symbols),
            server_zone=zone,
            server=PAPER_SERVER,
        )
        if isinstance(feed, BarFiles):
            feed = RescaledSpreads(feed, terminal)
        driver = drive(terminal, feed)
    except (FeedError, SymbolsError) as error:
        raise SettingsError(str(error)) from None
    if isinstance(feed, SyntheticFeed) and isinstance(driver, BarDriver):
        driver.warm_up(_WARM_UP)
    timeframe = getattr(feed, "timeframe", Timeframe.M1)
    return TerminalSetup(
        adapter=MT5Adapter(
            terminal,
            clock,
            MT5Settings(
                server_zone=zone,
                aliases=settings.symbol_aliases,
                is_live=False,
            ),
        ),
        login=Login(),
        timeframe=Timeframe[settings.timeframe] if settings.timeframe else timeframe,
        player=Pacer(driver, clock, settings.speed),
    )


def _number(account: str) -> int:
    """Return the paper terminal's login: the account id where that is a number."""
    return int(account) if account.isdecimal() and int(account) > 0 else 1


def _read_symbols(file: str | None) -> Mapping[str, Mapping[str, Any]]:
    if file is None:
        return {}
    try:
        values = json.loads(Path(file).read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"symbols {file}: {error.strerror}") from None
    except ValueError as error:
        raise SettingsError(f"symbols {file}: not JSON: {error}") from None
    if not isinstance(values, dict):
        raise SettingsError(f"symbols {file}: expected an object, symbol to fields")
    return values


class RescaledSpreads:
    """Bars whose spreads count in the terminal's points; fulfils `ports.Feed`.

    A file's spread column counts in the file's own last decimal. Where the terminal's
    symbol has another precision (gold with 3 decimals in the file, 2 at the terminal),
    the same price distance is another number of points.

    Args:
        feed: The files.
        terminal: Knows the digits of its symbols.
    """

    def __init__(self, feed: BarFiles, terminal: SimulatedTerminal) -> None:
        self._feed = feed
        self.symbols = feed.symbols
        self.timeframe = feed.timeframe
        self._factors: dict[str, float] = {}
        for name in feed.symbols:
            try:
                digits = terminal.known(name).digits
            except ValueError as error:
                raise FeedError(str(error)) from None
            if digits != feed.digits[name]:
                self._factors[name] = 10.0 ** (digits - feed.digits[name])

    def bars(self) -> Iterator[Bar]:
        """Yield the bars of all symbols in order of time."""
        factors = self._factors
        if not factors:
            return self._feed.bars()
        return map(self._rescale, self._feed.bars())

    def _rescale(self, bar: Bar) -> Bar:
        factor = self._factors.get(bar.symbol)
        if factor is None or not bar.spread:
            return bar
        return attrs.evolve(bar, spread=max(1, round(bar.spread * factor)))
