"""The functions of the MetaTrader5 module that read the market."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from runner.adapters.mt5_simulator import arguments
from runner.adapters.mt5_simulator import constants as mt5
from runner.adapters.mt5_simulator.arguments import invalid
from runner.adapters.mt5_simulator.bars import TICKS, Records, Rows
from runner.adapters.mt5_simulator.calls import Caller, call
from runner.adapters.mt5_simulator.errors import CallFailedError
from runner.adapters.mt5_simulator.structs import BookInfo, SymbolInfo, Tick
from runner.adapters.mt5_simulator.symbols import Symbol
from runner.core.market import Timeframe

MAX_BARS: Final = 100_000
"""Bars that the terminal shows; a request of as many is refused [F]."""

TIMEFRAMES: Final = {
    getattr(mt5, f"TIMEFRAME_{timeframe.name}"): timeframe for timeframe in Timeframe
}


def _span(times: npt.NDArray[np.int64], first: int, last: int) -> tuple[int, int]:
    start = int(np.searchsorted(times, first, side="left"))
    stop = int(np.searchsorted(times, last, side="right"))
    return start, max(start, stop)


class QuoteCalls(Caller):
    """Symbols, ticks, bars and the depth of market."""

    def _symbol(self, name: object, *, code: int = mt5.RES_E_NOT_FOUND) -> Symbol:
        symbol = self.market.symbols.get(arguments.text_argument("symbol", name))
        if symbol is None:
            raise CallFailedError(code)
        return symbol

    def _watched(self, name: object, *, code: int = mt5.RES_E_NOT_FOUND) -> Symbol:
        symbol = self._symbol(name, code=code)
        if not symbol.selected:
            raise CallFailedError(code)
        return symbol

    @call(None)
    def symbols_total(self) -> int:
        """Return how many symbols the broker has."""
        return len(self.market.symbols)

    @call(None)
    def symbols_get(self, *args: Any, **named: Any) -> tuple[SymbolInfo, ...] | bool:
        """Return every symbol, or those of ``group``; False for a bad argument."""
        if args:
            named = {"group": args[0]} if len(args) == 1 else {"group": None}
        group = named.get("group", "*")
        if not isinstance(group, str):
            self.error = (mt5.RES_E_INVALID_PARAMS, 'Invalid "group" argument')
            return False
        return tuple(
            self._info(symbol)
            for name, symbol in self.market.symbols.items()
            if arguments.in_group(group, name)
        )

    @call(None)
    def symbol_info(self, symbol: str, /) -> SymbolInfo:
        """Return the rules and the latest quote of *symbol*."""
        return self._info(self._symbol(symbol))

    def _info(self, symbol: Symbol) -> SymbolInfo:
        return symbol.info(*self.market.tick_values(symbol))

    @call(None)
    def symbol_info_tick(self, symbol: str, /) -> Tick:
        """Return the latest quote of *symbol*, which must be selected."""
        watched = self._watched(symbol)
        if not watched.time_msc:
            raise CallFailedError(mt5.RES_E_NOT_FOUND)
        return watched.tick()

    @call(False)
    def symbol_select(self, symbol: str, enable: object = True, /) -> bool:
        """Put *symbol* into Market Watch, or take it out of it.

        It stays while it is traded.
        """
        chosen = self._symbol(symbol)
        if not isinstance(enable, bool | int):
            raise invalid("enable")
        account = self.account
        if not enable and (account.positions_in(chosen) or account.orders_in(chosen)):
            raise CallFailedError(mt5.RES_E_FAIL)
        chosen.selected = bool(enable)
        return True

    @call(None)
    def copy_rates_from_pos(
        self, symbol: str, timeframe: int, start_pos: int, count: int, /
    ) -> Records:
        """Return *count* bars back from *start_pos*, where 0 is the forming one."""
        start = arguments.parsed_int("copy_rates_from_pos", start_pos)
        number = self._count("copy_rates_from_pos", count)
        if start < 0:
            raise CallFailedError(mt5.RES_E_INVALID_PARAMS)
        rows = self._rates("copy_rates_from_pos", symbol, timeframe)
        if start >= min(rows.size, MAX_BARS):
            raise CallFailedError(mt5.RES_E_FAIL)
        stop = rows.size - start
        return rows.copy(max(0, rows.size - MAX_BARS, stop - number), stop)

    @call(None)
    def copy_rates_from(
        self, symbol: str, timeframe: int, date_from: Any, count: int, /
    ) -> Records:
        """Return the *count* newest bars that opened at *date_from* or before."""
        number = self._count("copy_rates_from", count)
        last = arguments.date("date_from", date_from)
        rows = self._rates("copy_rates_from", symbol, timeframe)
        stop = int(np.searchsorted(rows.view()["time"], last, side="right"))
        return rows.copy(max(0, rows.size - MAX_BARS, stop - number), stop)

    @call(None)
    def copy_rates_range(
        self, symbol: str, timeframe: int, date_from: Any, date_to: Any, /
    ) -> Records:
        """Return the bars that opened from *date_from* to *date_to*, both included."""
        first = arguments.date("date_from", date_from)
        last = arguments.date("date_to", date_to)
        rows = self._rates("copy_rates_range", symbol, timeframe)
        start, stop = _span(rows.view()["time"], first, last)
        if stop - start >= MAX_BARS:
            raise CallFailedError(mt5.RES_E_INVALID_PARAMS)
        return rows.copy(max(0, rows.size - MAX_BARS, start), stop)

    @call(None)
    def copy_ticks_from(
        self, symbol: str, date_from: Any, count: int, flags: int, /
    ) -> Records:
        """Return the first *count* ticks from *date_from* on; any number [D]."""
        number = arguments.parsed_int("copy_ticks_from", count)
        if number <= 0:
            raise CallFailedError(mt5.RES_E_INVALID_PARAMS)
        first = arguments.date("date_from", date_from)
        rows = self._ticks("copy_ticks_from", symbol, flags)
        start, _ = _span(rows.view()["time_msc"], first * 1000, first * 1000)
        return rows.copy(start, start + number)

    @call(None)
    def copy_ticks_range(
        self, symbol: str, date_from: Any, date_to: Any, flags: int, /
    ) -> Records:
        """Return the ticks from *date_from* to *date_to*; there may be none."""
        first = arguments.date("date_from", date_from)
        last = arguments.date("date_to", date_to)
        rows = self._ticks("copy_ticks_range", symbol, flags)
        return rows.copy(*_span(rows.view()["time_msc"], first * 1000, last * 1000))

    def _count(self, function: str, count: object) -> int:
        number = arguments.parsed_int(function, count)
        if not 0 < number < MAX_BARS:
            raise CallFailedError(mt5.RES_E_INVALID_PARAMS)
        return number

    def _rates(self, function: str, name: object, timeframe: object) -> Rows:
        wanted = TIMEFRAMES.get(arguments.parsed_int(function, timeframe))
        if wanted is None:
            raise CallFailedError(mt5.RES_E_INVALID_PARAMS)
        symbol = self._watched(name, code=mt5.RES_E_FAIL)
        rows = symbol.bars.rates(wanted) if symbol.bars is not None else None
        if rows is None:
            raise CallFailedError(mt5.RES_E_FAIL)
        return rows

    def _ticks(self, function: str, name: object, flags: object) -> Rows:
        wanted = arguments.parsed_int(function, flags)
        if wanted not in (
            mt5.COPY_TICKS_ALL,
            mt5.COPY_TICKS_INFO,
            mt5.COPY_TICKS_TRADE,
        ):
            raise CallFailedError(mt5.RES_E_INVALID_PARAMS)
        symbol = self._watched(name)
        if wanted == mt5.COPY_TICKS_TRADE:
            # Nothing here changes Last or Volume.
            return Rows(TICKS, 1)
        return symbol.ticks

    @call(False)
    def market_book_add(self, symbol: str, /) -> bool:
        """Subscribe to the depth of *symbol*, if the broker shows any."""
        watched = self._watched(symbol)
        if not watched.fields["ticks_bookdepth"]:
            raise CallFailedError(mt5.RES_E_UNSUPPORTED)
        watched.book_is_open = True
        return True

    @call(None)
    def market_book_get(self, symbol: str, /) -> tuple[BookInfo, ...]:
        """Return the depth of a subscribed *symbol*: all there is at its quote."""
        watched = self._watched(symbol)
        if not watched.book_is_open or not watched.time_msc:
            raise CallFailedError(mt5.RES_E_NOT_FOUND)
        lots: float = watched.fields["volume_max"]
        return (
            BookInfo((mt5.BOOK_TYPE_SELL, watched.ask, int(lots), lots)),
            BookInfo((mt5.BOOK_TYPE_BUY, watched.bid, int(lots), lots)),
        )

    @call(False)
    def market_book_release(self, symbol: str, /) -> bool:
        """End the subscription to the depth of *symbol*."""
        watched = self._symbol(symbol)
        if not watched.book_is_open:
            raise CallFailedError(mt5.RES_E_NOT_FOUND)
        watched.book_is_open = False
        return True
