"""Ticks from a text file with the header ``time,bid,ask``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from runner.adapters.feeds.csv_file import csv_lines, first_line
from runner.adapters.feeds.rows import fault, time_reader
from runner.core.market import Tick
from runner.core.server_time import ServerZone

HEADER: Final = ["time", "bid", "ask"]
_TOO_MUCH: Final = 1e12


def has_ticks(path: Path) -> bool:
    """Say whether a text file holds ticks, by its header."""
    return first_line(path) == HEADER


class TickFile:
    """One symbol's ticks in a file; can be read again and again.

    Args:
        symbol: Whose ticks they are.
        path: A text file, gzipped or not.
        zone: The wall clock of times without an offset; None stands for UTC.
    """

    def __init__(self, symbol: str, path: Path, zone: ServerZone | None = None) -> None:
        self.symbol = symbol
        self.path = path
        self._zone = zone

    def ticks(self) -> Iterator[Tick]:
        """Yield its ticks, oldest first.

        Raises:
            FeedError: If the file cannot be read, or a line is no tick.
        """
        lines = csv_lines(self.path)
        _, header = next(lines)
        if header != HEADER:
            raise fault(
                self.path, 1, f"the header {','.join(HEADER)}", ",".join(header)
            )
        read_time = time_reader(self._zone)
        last = None
        for line, fields in lines:
            try:
                time, bid, ask = (
                    read_time(fields[0]),
                    float(fields[1]),
                    float(fields[2]),
                )
            except (ValueError, OverflowError, IndexError) as error:
                got = f"{','.join(fields)} ({error})"
                raise fault(self.path, line, ",".join(HEADER), got) from None
            if not 0 < bid <= ask < _TOO_MUCH:
                raise fault(self.path, line, "0 < bid <= ask", f"{bid} and {ask}")
            if last is not None and time < last:
                expected = f"a time not before {last.isoformat()}"
                raise fault(self.path, line, expected, time.isoformat())
            last = time
            yield Tick(symbol=self.symbol, time=time, bid=bid, ask=ask)
