"""The latest quotes, and the market's time that follows from them."""

from __future__ import annotations

import logging
from datetime import datetime

from runner.adapters.mt5 import terminal as mt5
from runner.adapters.mt5.server_time import OffsetWatch, ServerTime, from_the_future
from runner.adapters.mt5.session import Session
from runner.adapters.mt5.structs import TickInfo
from runner.adapters.mt5.symbols import Symbols
from runner.adapters.mt5.terminal import Terminal
from runner.core.market import Tick
from runner.ports import Clock, UnavailableError

_log = logging.getLogger("mt5runner.mt5")

_WATCHED_WITHIN = 60.0
"""Seconds. A quote that changed between two looks this close together is fresh."""


class Quotes:
    """Reads quotes and remembers the last one of each symbol.

    Args:
        terminal: The MetaTrader5 module or its twin.
        session: The connection.
        symbols: The symbols in use.
        time: The server's clock.
        clock: This machine's, to check the server's zone; None does not check.
    """

    def __init__(
        self,
        terminal: Terminal,
        session: Session,
        symbols: Symbols,
        time: ServerTime,
        clock: Clock | None,
    ) -> None:
        self._terminal = terminal
        self._session = session
        self._symbols = symbols
        self._time = time
        self._clock = clock
        self._watch = OffsetWatch(time)
        self._looks: dict[str, tuple[int, float]] = {}
        self._ticks: dict[str, tuple[int, Tick]] = {}
        self._unused: dict[str, TickInfo] = {}
        self._read: set[str] = set()
        self._told = ""
        self._in_future: set[str] = set()
        self.newest_ms = 0
        """Time of the newest quote seen, server's clock; 0 before the first."""

    def read(self, name: str) -> TickInfo | None:
        """Read the latest quote of a symbol; None before its first one.

        Args:
            name: Our name of it.

        Raises:
            UnavailableError: If it cannot be read.
        """
        spelling = self._symbols.resolve(name)
        info = self._terminal.symbol_info_tick(spelling)
        if info is None:
            code, text = self._terminal.last_error()
            if code == mt5.RES_E_NOT_FOUND:
                # Not quoted yet, or taken out of Market Watch: it is put there anew.
                self._symbols.deselected(spelling)
                return None
            raise self._session.failure("symbol_info_tick", code, text)
        if not info.time_msc:
            return None
        if self._clock is not None:
            self._check(name, info.time_msc, self._clock)
        if not self._ahead(name, info):
            self.newest_ms = max(self.newest_ms, info.time_msc)
        return info

    def read_timed(self, name: str) -> TickInfo | None:
        """Read a quote as `read` does, for the sake of its time.

        Raises:
            UnavailableError: If it cannot be read, the server's zone is wrong, or it
                is dated after now.
        """
        info = self.read(name)
        self._read.add(name)
        if self._watch.complaint:
            raise UnavailableError(self._watch.complaint)
        if info is not None and (problem := self._ahead(name, info)):
            raise UnavailableError(problem)
        return info

    def tick(self, name: str) -> Tick | None:
        """Return the latest quote of a symbol; None before its first one."""
        info = self.read_timed(name)
        if info is None:
            return None
        self._unused[name] = info
        known = self._ticks.get(name)
        if known is not None:
            tick = known[1]
            if (known[0], tick.bid, tick.ask) == (info.time_msc, info.bid, info.ask):
                return tick
        tick = Tick(name, self._time.utc_ms(info.time_msc), info.bid, info.ask)
        self._ticks[name] = (info.time_msc, tick)
        return tick

    def wall(self, name: str) -> int | None:
        """Return the time of a symbol's latest quote; None before its first one.

        Takes the quote that `tick` has read, once, and reads one otherwise.

        Returns:
            Seconds of the server's clock.
        """
        info = self._unused.pop(name, None) or self.read_timed(name)
        return None if info is None else info.time

    def now(self) -> datetime:
        """Return the time of the newest quote of all symbols in use.

        Symbols that were read since the last call are not read again.

        Raises:
            UnavailableError: If there is none yet.
        """
        for name in self._symbols.in_use:
            if name not in self._read:
                self.read_timed(name)
        self._read.clear()
        if self._watch.complaint:
            raise UnavailableError(self._watch.complaint)
        if not self.newest_ms:
            raise UnavailableError("no quote yet, so the market's time is not known")
        return self._time.utc_ms(self.newest_ms)

    def _ahead(self, name: str, info: TickInfo) -> str:
        """Say that a quote cannot have been made yet; empty if it can."""
        if self._clock is None:
            return ""
        at = self._time.utc_ms(info.time_msc)
        problem = from_the_future(at, self._clock.now())
        if not problem:
            self._in_future.discard(name)
            return ""
        problem = f"the quote of {name} is {problem}"
        if name not in self._in_future:
            self._in_future.add(name)
            _log.error("%s", problem)
        return problem

    def _check(self, name: str, wall_ms: int, clock: Clock) -> None:
        present = clock.monotonic()
        last_ms, last_look = self._looks.get(name, (wall_ms, present))
        self._looks[name] = (wall_ms, present)
        if wall_ms != last_ms and present - last_look < _WATCHED_WITHIN:
            self._watch.see(wall_ms, clock.now())
        complaint = self._watch.complaint
        if complaint == self._told:
            return
        self._told = complaint
        if complaint:
            _log.error("%s", complaint)
        else:
            _log.info("The trade server's clock agrees with its zone again")
