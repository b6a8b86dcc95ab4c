"""Several files as one feed, in order of time, read as they are played."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter

from runner.adapters.feeds.csv_ticks import TickFile
from runner.adapters.feeds.rows import BarFile
from runner.core.market import Bar, Tick, Timeframe
from runner.ports import FeedError


class BarFiles:
    """The bars of several symbols, one file each.

    Args:
        files: At least one; all of one timeframe, no symbol twice.
    """

    def __init__(self, files: Sequence[BarFile]) -> None:
        _refuse_twins([file.symbol for file in files])
        first = files[0]
        for file in files:
            if file.timeframe is not first.timeframe:
                raise FeedError(
                    f"expected files of one timeframe, got {first.timeframe.name} in "
                    f"{first.path} and {file.timeframe.name} in {file.path}"
                )
        self.symbols: tuple[str, ...] = tuple(file.symbol for file in files)
        self.timeframe: Timeframe = first.timeframe
        self._files = files

    @property
    def digits(self) -> Mapping[str, int]:
        """Symbol to the decimals of its prices."""
        return {file.symbol: file.digits for file in self._files}

    def bars(self) -> Iterator[Bar]:
        """Yield the bars of all symbols in order of time."""
        return heapq.merge(
            *(file.bars() for file in self._files), key=attrgetter("opens_at")
        )


class TickFiles:
    """The ticks of several symbols, one file each.

    Args:
        files: At least one; no symbol twice.
    """

    def __init__(self, files: Sequence[TickFile]) -> None:
        _refuse_twins([file.symbol for file in files])
        self.symbols: tuple[str, ...] = tuple(file.symbol for file in files)
        self._files = files

    def ticks(self) -> Iterator[Tick]:
        """Yield the ticks of all symbols in order of time."""
        return heapq.merge(
            *(file.ticks() for file in self._files), key=attrgetter("time")
        )


def _refuse_twins(symbols: Sequence[str]) -> None:
    if not symbols:
        raise FeedError("expected at least one SYMBOL=FILE, got none")
    for symbol in symbols:
        if symbols.count(symbol) > 1:
            raise FeedError(f"symbol {symbol}: expected one file, got several")
