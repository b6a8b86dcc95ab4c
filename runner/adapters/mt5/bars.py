"""Closed bars: each one once, in order, none before it has closed.

Position 0 of the terminal's bars is the one that is forming, so a bar is closed when
a newer one stands behind it. Until a quote comes that is too late for the forming
bar nothing can have closed, and nothing is asked for.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Sequence
from datetime import UTC, datetime

import attrs

from runner.adapters.mt5 import terminal as mt5
from runner.adapters.mt5.server_time import ServerTime
from runner.adapters.mt5.session import Session
from runner.adapters.mt5.symbols import Symbols
from runner.adapters.mt5.terminal import Terminal
from runner.core.market import Bar, Timeframe
from runner.ports import Clock, UnavailableError

_log = logging.getLogger("mt5runner.mt5")

_PAGE = 50_000
"""Terminals refuse requests of 65,000 to 100,000 bars."""
_NEWEST = 3
"""Forming, just closed, and the one before it, which shows that there is no gap."""
_TRIES = 5
_PAUSE = 0.5
"""Seconds between tries while the terminal is fetching history."""
_SHORTEST_MONTH = 28 * 1440
_NEVER = datetime.min.replace(tzinfo=UTC)

_Row = tuple[int, float, float, float, float, int, int, int]


@attrs.define
class _Cursor:
    """How far the bars of one symbol and timeframe were delivered.

    Attributes:
        last: Opening of the last one delivered, server's clock.
        next_close: Earliest end of the forming one, server's clock.
        opens_at: Opening of the last one delivered, in UTC.
    """

    last: int
    next_close: int
    opens_at: datetime = _NEVER


class Bars:
    """Reads closed bars.

    Args:
        terminal: The MetaTrader5 module or its twin.
        session: The connection.
        symbols: The symbols in use.
        time: The server's clock.
        clock: For pauses while the terminal fetches history.
        is_live: Whether the terminal may still be fetching history.
    """

    def __init__(
        self,
        terminal: Terminal,
        session: Session,
        symbols: Symbols,
        time: ServerTime,
        clock: Clock,
        is_live: bool,
    ) -> None:
        self._terminal = terminal
        self._session = session
        self._symbols = symbols
        self._time = time
        self._clock = clock
        self._tries = _TRIES if is_live else 1
        self._cursors: dict[tuple[str, Timeframe], _Cursor] = {}

    def history(self, symbol: str, timeframe: Timeframe, count: int) -> Sequence[Bar]:
        """Return the newest *count* closed bars; `closed` goes on from there.

        Args:
            symbol: Our name of it.
            timeframe: Length of the bars.
            count: At most so many.

        Raises:
            UnavailableError: If they cannot be read.
        """
        rows = self._patiently(symbol, timeframe, max(0, count) + 1)
        cursor = self._begin(symbol, timeframe, rows)
        if cursor is None:
            return ()
        return self._convert(symbol, timeframe, rows[:-1], cursor)

    def closed(self, symbol: str, timeframe: Timeframe, wall: int) -> Sequence[Bar]:
        """Return the bars that closed since the last call.

        Args:
            symbol: Our name of it.
            timeframe: Length of the bars.
            wall: Time of the latest quote, seconds of the server's clock.

        Raises:
            UnavailableError: If they cannot be read; the next call has them all.
        """
        cursor = self._cursors.get((symbol, timeframe))
        if cursor is None:
            # The first call only marks where to begin: old bars are no news.
            self._begin(symbol, timeframe, self._rows(symbol, timeframe, 1))
            return ()
        if wall < cursor.next_close:
            return ()
        rows = self._rows(symbol, timeframe, _NEWEST)
        if not rows:
            return ()
        if rows[0][0] > cursor.last + 1:
            # The clock tells how many could be missing; quiet hours make it fewer.
            missing = (rows[-1][0] - cursor.last) // _shortest(timeframe) + 2
            if missing > _NEWEST:
                rows = self._rows(symbol, timeframe, missing)
        cursor.next_close = rows[-1][0] + _shortest(timeframe)
        first = next(
            (index for index, row in enumerate(rows) if row[0] > cursor.last),
            len(rows) - 1,
        )
        return self._convert(symbol, timeframe, rows[first:-1], cursor)

    def _begin(
        self, symbol: str, timeframe: Timeframe, rows: Sequence[_Row]
    ) -> _Cursor | None:
        """Let `closed` start with the forming one of *rows*; None if there is none."""
        if not rows:
            return None
        forming = rows[-1][0]
        cursor = _Cursor(forming - 1, forming + _shortest(timeframe))
        self._cursors[symbol, timeframe] = cursor
        return cursor

    def _convert(
        self, symbol: str, timeframe: Timeframe, rows: Sequence[_Row], cursor: _Cursor
    ) -> list[Bar]:
        bars: list[Bar] = []
        for wall, open_, high, low, close, volume, spread, _ in rows:
            cursor.last = max(cursor.last, wall)
            opens_at = self._time.utc(wall)
            if opens_at <= cursor.opens_at:
                # The server's clock does not jump where its zone says it does.
                _log.warning(
                    "%s %s: bar of %s (server) left out, its time comes twice",
                    symbol,
                    timeframe.name,
                    datetime.fromtimestamp(wall, UTC).replace(tzinfo=None),
                )
                continue
            cursor.opens_at = opens_at
            bars.append(
                Bar(
                    symbol, timeframe, opens_at, open_, high, low, close, volume, spread
                )
            )
        return bars

    def _patiently(
        self, symbol: str, timeframe: Timeframe, wanted: int
    ) -> Sequence[_Row]:
        # The first request may only start the terminal's own download.
        for left in reversed(range(self._tries)):
            try:
                rows = self._rows(symbol, timeframe, wanted)
            except UnavailableError:
                if not left or self._session.is_lost:
                    raise
                self._clock.wait(_PAUSE)
                continue
            if len(rows) >= wanted or not left:
                return rows
            self._clock.wait(_PAUSE)
        return ()

    def _rows(self, symbol: str, timeframe: Timeframe, wanted: int) -> list[_Row]:
        """Return the newest *wanted* rows, the forming one last."""
        pages: list[list[_Row]] = []
        start = 0
        while start < wanted:
            size = min(_PAGE, wanted - start)
            page = self._page(symbol, timeframe, start, size)
            is_last = len(page) < size
            if pages:
                # A bar that opened between two pages shifts the older one by one row.
                oldest = pages[-1][0][0]
                page = [row for row in page if row[0] < oldest]
            if not page:
                break
            pages.append(page)
            if is_last:
                break
            start += size
        return list(itertools.chain.from_iterable(reversed(pages)))

    def _page(
        self, symbol: str, timeframe: Timeframe, start: int, size: int
    ) -> list[_Row]:
        spelling = self._symbols.resolve(symbol)
        array = self._terminal.copy_rates_from_pos(
            spelling, mt5.TIMEFRAMES[timeframe], start, size
        )
        if array is None and start:
            code, text = self._terminal.last_error()
            if code in {mt5.RES_E_FAIL, mt5.RES_E_NOT_FOUND}:
                return []  # so says a terminal that has no older bars
            raise self._session.failure("copy_rates_from_pos", code, text)
        rows: list[_Row] = self._session.answer("copy_rates_from_pos", array).tolist()
        return rows


def _shortest(timeframe: Timeframe) -> int:
    minutes = _SHORTEST_MONTH if timeframe is Timeframe.MN1 else timeframe.value
    return minutes * 60
