"""Bars from text files: our own header, or MetaTrader's export."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from runner.adapters.feeds.csv_file import csv_lines
from runner.adapters.feeds.rows import (
    SAMPLE,
    Row,
    decimals_of,
    fault,
    time_reader,
    whole,
)
from runner.core.server_time import ServerZone

HEADER: Final = ("time", "open", "high", "low", "close", "tick_volume", "spread")
_REQUIRED: Final = 5
_IGNORED: Final = ("real_volume",)
_EXPORTED: Final = {
    "<OPEN>": "open",
    "<HIGH>": "high",
    "<LOW>": "low",
    "<CLOSE>": "close",
    "<TICKVOL>": "tick_volume",
    "<VOL>": "real_volume",
    "<SPREAD>": "spread",
}


_log = logging.getLogger("mt5runner.feeds")


class _Columns(NamedTuple):
    """Where a line has what."""

    time: int
    open: int
    high: int
    low: int
    close: int
    volume: int | None
    spread: int | None
    clock: int | None


class CsvBars:
    """A text file of bars, plain or gzipped.

    Either with the header ``time,open,high,low,close,tick_volume,spread``, the last
    two columns empty or absent where the source has none, or MetaTrader's export with
    tabs, ``<DATE>`` and ``<TIME>``.

    Args:
        path: The file.
        zone: The wall clock of times without an offset; None stands for UTC.
    """

    def __init__(self, path: Path, zone: ServerZone | None = None) -> None:
        self.path = path
        self._zone = zone

    def rows(self) -> Iterator[tuple[int, Row]]:
        """Yield line number and values, from the beginning.

        Raises:
            FeedError: If the file cannot be read, or a line is no bar.
        """
        lines = csv_lines(self.path)
        _, header = next(lines)
        at = self._columns(header)
        read_time = time_reader(self._zone)
        count = len(header)
        for line, fields in lines:
            if len(fields) != count:
                raise fault(self.path, line, f"{count} fields", len(fields))
            try:
                time = fields[at.time]
                if at.clock is not None:
                    time = f"{time} {fields[at.clock]}"
                yield (
                    line,
                    (
                        read_time(time),
                        float(fields[at.open]),
                        float(fields[at.high]),
                        float(fields[at.low]),
                        float(fields[at.close]),
                        0 if at.volume is None else whole(fields[at.volume]),
                        0 if at.spread is None else whole(fields[at.spread]),
                    ),
                )
            except (ValueError, OverflowError) as error:
                got = f"{','.join(fields)} ({error})"
                raise fault(self.path, line, ",".join(header), got) from None

    def digits(self) -> int:
        """Return the decimals of the first prices, as they are written."""
        lines = csv_lines(self.path)
        _, header = next(lines)
        at = self._columns(header)
        prices = (fields[at.open] for _, fields in itertools.islice(lines, SAMPLE))
        return max((decimals_of(text) for text in prices), default=0)

    def _columns(self, header: Sequence[str]) -> _Columns:
        if header[:1] == ["<DATE>"]:
            names = ["time", *(_EXPORTED.get(name, name) for name in header[1:])]
            clock = names.index("<TIME>") if "<TIME>" in names else None
            if self._zone is None:
                _log.warning(
                    "%s: an export of MetaTrader has the server's time; read as UTC, "
                    "since no server timezone is given",
                    self.path,
                )
        else:
            names, clock = [name.strip().lower() for name in header], None
        known = {*HEADER, *_IGNORED, "<TIME>"}
        missing = [name for name in HEADER[:_REQUIRED] if name not in names]
        if missing or not known.issuperset(names) or len(set(names)) < len(names):
            raise fault(
                self.path,
                1,
                f"the header {','.join(HEADER)} or MetaTrader's export",
                ",".join(header) or "nothing",
            )
        place = {name: index for index, name in enumerate(names)}
        return _Columns(
            place["time"],
            place["open"],
            place["high"],
            place["low"],
            place["close"],
            place.get("tick_volume"),
            place.get("spread"),
            clock,
        )
