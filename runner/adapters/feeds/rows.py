"""What every bar file has in common: checks, faults, timeframe and decimals."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

from runner.core.market import Bar, Timeframe
from runner.core.server_time import ServerZone
from runner.ports import FeedError

SAMPLE: Final = 1000
"""Rows that tell a file's timeframe and decimals."""

_TOO_MUCH: Final = 1e12
_NOISE: Final = 8
"""More decimals than any price has: what goes beyond is binary noise."""

Row = tuple[datetime, float, float, float, float, int, int]
"""Time, open, high, low, close, tick volume and spread."""


class RowSource(Protocol):
    """A file of bars."""

    path: Path

    def rows(self) -> Iterator[tuple[int, Row]]:
        """Yield line (or row) number and values, from the beginning."""
        ...

    def digits(self) -> int:
        """Return the decimals of the first prices."""
        ...


def fault(path: Path, line: int, expected: str, got: object) -> FeedError:
    """Return the error for one line of a file."""
    return FeedError(f"{path}:{line}: expected {expected}, got {got}")


def timeframe_of(path: Path, times: Iterable[datetime]) -> Timeframe:
    """Return the timeframe of bars that open at *times*: their commonest gap.

    Raises:
        FeedError: If there are fewer than two bars, or no timeframe is that long.
    """
    gaps = Counter(later - earlier for earlier, later in itertools.pairwise(times))
    if not gaps:
        raise FeedError(f"{path}: expected at least two bars, to tell the timeframe")
    gap = gaps.most_common(1)[0][0]
    for timeframe in Timeframe:
        if timeframe.duration == gap:
            return timeframe
    # Months differ in length.
    if 28 <= gap.days <= 31:  # noqa: PLR2004  # the shortest and the longest month
        return Timeframe.MN1
    raise FeedError(
        f"{path}: expected bars of a MetaTrader timeframe, got one every {gap}"
    )


def decimals_of(price: str) -> int:
    """Return how many decimals a written price has, without binary noise."""
    decimals = len(price.partition(".")[2])
    if decimals > _NOISE:
        rounded = f"{float(price):.{_NOISE}f}".rstrip("0")
        decimals = len(rounded.partition(".")[2])
    return decimals


def checked(path: Path, rows: Iterable[tuple[int, Row]]) -> Iterator[Row]:
    """Yield *rows*; the first one that cannot be a bar, or is out of order, raises."""
    last = datetime.min.replace(tzinfo=UTC)
    for line, row in rows:
        opens_at, open_, high, low, close, volume, spread = row
        # Written so that a NaN fails.
        if not (0 < low <= open_ <= high < _TOO_MUCH and low <= close <= high):
            raise fault(
                path,
                line,
                "0 < low <= open, close <= high",
                f"open {open_}, high {high}, low {low}, close {close}",
            )
        if volume < 0 or spread < 0:
            raise fault(
                path,
                line,
                "tick_volume and spread not below 0",
                f"{volume} and {spread}",
            )
        if opens_at <= last:
            raise fault(
                path, line, f"a time after {last.isoformat()}", opens_at.isoformat()
            )
        last = opens_at
        yield row


class BarFile:
    """One symbol's bars in a file; can be read again and again.

    Its first rows are read at once, so that a wrong file is refused at the start.

    Args:
        symbol: Whose bars they are.
        source: The file.

    Attributes:
        symbol: Whose bars they are.
        timeframe: The commonest gap between the first bars.
        digits: Decimals of the first prices.
    """

    def __init__(self, symbol: str, source: RowSource) -> None:
        self.symbol = symbol
        self._source = source
        sample = list(itertools.islice(checked(source.path, source.rows()), SAMPLE))
        self.timeframe = timeframe_of(source.path, [row[0] for row in sample])
        self.digits = source.digits()

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self._source.path

    def bars(self) -> Iterator[Bar]:
        """Yield its bars, oldest first."""
        symbol, timeframe = self.symbol, self.timeframe
        for row in checked(self._source.path, self._source.rows()):
            yield Bar(symbol, timeframe, *row)


def whole(text: str) -> int:
    """Return a whole number; empty is 0, and ``12.0`` is 12.

    Raises:
        ValueError: If it is none.
    """
    try:
        return int(text) if text else 0
    except ValueError:
        number = float(text)
        if not number.is_integer():
            raise
        return int(number)


def time_reader(zone: ServerZone | None) -> Callable[[str], datetime]:
    """Return what reads a time of a file.

    ISO 8601, or MetaTrader's ``2024.01.31 22:00``. A time without an offset is the
    wall clock of *zone*; None stands for UTC.

    Args:
        zone: The server's wall clock.
    """

    def read(text: str) -> datetime:
        time = datetime.fromisoformat(
            text.replace(".", "-", 2) if "." in text[:5] else text
        )
        if time.tzinfo is not None:
            return time.astimezone(UTC)
        time = time.replace(tzinfo=UTC)
        return time if zone is None else zone.to_datetime(int(time.timestamp()))

    return read
