"""The MetaTrader 5 adapter: `MarketData` and `Broker` over one terminal."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from runner.adapters.mt5.bars import Bars
from runner.adapters.mt5.delivery import Delivery
from runner.adapters.mt5.execution import Execution
from runner.adapters.mt5.lookup import Lookup
from runner.adapters.mt5.placing import Placing
from runner.adapters.mt5.quotes import Quotes
from runner.adapters.mt5.read_back import ReadBack
from runner.adapters.mt5.readings import (
    account_from,
    deal_from,
    obstacles,
    pending_from,
    position_from,
)
from runner.adapters.mt5.removal import Removal
from runner.adapters.mt5.server_time import ServerTime
from runner.adapters.mt5.session import Session
from runner.adapters.mt5.settings import MT5Settings
from runner.adapters.mt5.structs import AccountInfo
from runner.adapters.mt5.symbols import Symbols
from runner.adapters.mt5.terminal import Terminal
from runner.adapters.mt5.traces import Traces
from runner.core.account import Account
from runner.core.market import Bar, SymbolSpec, Tick, Timeframe
from runner.core.orders import (
    Deal,
    OrderRequest,
    OrderResult,
    PendingOrder,
    Position,
)
from runner.ports import Clock, Login

_log = logging.getLogger("mt5runner.mt5")

_DEFAULTS = MT5Settings()


class MT5Adapter:
    """One account on one terminal, as `runner.ports` want it.

    Symbols are called by the names that the server configures; the broker's
    spellings, and the server's clock, stay in here.

    Args:
        terminal: The MetaTrader5 module, or a simulated terminal.
        clock: This machine's time, and waiting between tries.
        settings: What a person sets.
    """

    def __init__(
        self, terminal: Terminal, clock: Clock, settings: MT5Settings = _DEFAULTS
    ) -> None:
        time = ServerTime(settings.server_zone)
        self._terminal = terminal
        self._time = time
        self._session = Session(terminal, clock, settings)
        self._symbols = Symbols(terminal, self._session, settings)
        self._quotes = Quotes(
            terminal,
            self._session,
            self._symbols,
            time,
            clock if settings.is_live else None,
        )
        self._is_live = settings.is_live
        self._bars = Bars(
            terminal, self._session, self._symbols, time, clock, settings.is_live
        )
        delivery = Delivery(terminal, self._session)
        removal = Removal(terminal, self._session, delivery, clock)
        self._traces = Traces(self._symbols, time, clock)
        self._lookup = Lookup(
            terminal,
            self._session,
            self._symbols,
            self._quotes,
            time,
            clock,
            removal,
            self._traces,
        )
        self._execution = Execution(
            delivery,
            self._session,
            self._symbols,
            self._quotes,
            self._lookup,
            self._traces,
            removal,
            Placing(
                delivery,
                self._symbols,
                self._quotes,
                self._lookup,
                self._traces,
                time,
                clock,
            ),
            ReadBack(terminal, self._session),
            clock,
            settings,
        )
        self._obstacles: tuple[str, ...] = ()

    @property
    def obstacles(self) -> tuple[str, ...]:
        """Which switches stopped orders when the account was last read, and the cure.

        Empty if none did; the link to the trade server is no switch.
        """
        return self._obstacles

    # -- MarketData --------------------------------------------------------------------
    def now(self) -> datetime:
        """Return the time of the newest quote of the symbols in use, UTC-aware."""
        return self._quotes.now()

    def symbol(self, name: str) -> SymbolSpec:
        """Return the rules of *name*.

        Raises:
            SymbolError: A KeyError. The broker has none such, or several that could
                be meant.
            UnavailableError: If the terminal does not answer.
        """
        return self._symbols.rules(name, self._quotes.newest_ms).spec

    def tick(self, symbol: str) -> Tick | None:
        """Return the latest quote, or None before the first one."""
        return self._quotes.tick(symbol)

    def history(self, symbol: str, timeframe: Timeframe, count: int) -> Sequence[Bar]:
        """Return the newest *count* closed bars, oldest first; fewer if there are."""
        if not self._is_live and self._quotes.read_timed(symbol) is None:
            return ()  # the feed has not come to this symbol yet
        return self._bars.history(symbol, timeframe, count)

    def closed_bars(self, symbol: str, timeframe: Timeframe) -> Sequence[Bar]:
        """Return bars that closed since the last call (or since `history`)."""
        wall = self._quotes.wall(symbol)
        return () if wall is None else self._bars.closed(symbol, timeframe, wall)

    # -- Broker ------------------------------------------------------------------------
    def connect(self, login: Login) -> Account:
        """Connect, and take the account for the one to stay on.

        Raises:
            ValueError: If these settings can never work.
            UnavailableError: If the terminal cannot be reached now.
        """
        return self._account(self._session.connect(login))

    def account(self) -> Account:
        """Read the account; UnavailableError if it is not the one connected to."""
        return self._account(self._session.account_info())

    def positions(self) -> Sequence[Position]:
        """Return every open position of the account."""
        self._session.ready()
        rows = self._session.answer("positions_get", self._terminal.positions_get())
        # Another account's positions would look like our own having been closed.
        self._session.account_info()
        return [
            position_from(row, self._symbols.name(row.symbol), self._time)
            for row in rows
        ]

    def orders(self) -> Sequence[PendingOrder]:
        """Return every pending order of the account."""
        self._session.ready()
        rows = self._session.answer("orders_get", self._terminal.orders_get())
        if not rows:
            return ()
        self._session.account_info()
        orders = (
            pending_from(row, self._symbols.name(row.symbol), self._time)
            for row in rows
        )
        return [order for order in orders if order is not None]

    def deals(self, since: datetime) -> Sequence[Deal]:
        """Return the deals since *since* (UTC-aware), oldest first."""
        self._session.ready()
        _, last = self._lookup.span()
        first = max(1, self._time.wall(since - timedelta(days=1)))
        rows = self._session.answer(
            "history_deals_get", self._terminal.history_deals_get(first, last)
        )
        self._session.account_info()
        unique = {row.ticket: row for row in rows}
        deals = [
            deal_from(row, self._symbols.name(row.symbol), self._time)
            for row in unique.values()
        ]
        return sorted(
            (deal for deal in deals if deal.time >= since),
            key=lambda deal: (deal.time, deal.ticket),
        )

    def send(self, request: OrderRequest) -> OrderResult:
        """Send one order; whatever goes wrong is in the result."""
        return self._execution.send(request)

    def find(self, request: OrderRequest) -> OrderResult | None:
        """Look up what became of *request*; None if it certainly left no trace.

        A position that was found without the stop that it was ordered with gets it;
        until it stands, the order's outcome is not known.

        Raises:
            UnavailableError: If that cannot be told now.
        """
        found = self._lookup.find(request)
        if found is None:
            return None
        mended = self._execution.mended(request, found)
        self._traces.settled(request.token)
        return mended

    def close(self) -> None:
        """Let go of the terminal; it goes on running."""
        self._session.close()

    def _account(self, info: AccountInfo) -> Account:
        terminal = self._session.answer("terminal_info", self._terminal.terminal_info())
        self._session.tell_link(connected=terminal.connected)
        found = obstacles(info, terminal)
        if found != self._obstacles:
            self._obstacles = found
            if found:
                _log.error("No order can pass now: %s", "; ".join(found))
            else:
                _log.info("Orders can pass again")
        return account_from(info, terminal)
