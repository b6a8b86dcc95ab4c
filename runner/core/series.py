"""A window of closed bars as columns, grown in place."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from runner.core.market import Bar, Timeframe

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_Number = TypeVar("_Number", np.float64, np.int64)

_PRICES = ("open", "high", "low", "close")


class BarSeries:
    """The closed bars of one symbol and timeframe, oldest first.

    Columns are read-only numpy views: ``series.high[-20:].max()``. Reading is free
    of copies; a view taken is only valid until the next bar arrives.

    Args:
        symbol: The broker's spelling.
        timeframe: Length of the bars.
        capacity: Number of newest bars that are certainly kept.
    """

    def __init__(self, symbol: str, timeframe: Timeframe, capacity: int) -> None:
        self.symbol = symbol
        self.timeframe = timeframe
        self._capacity = max(1, capacity)
        self._start = 0
        self._end = 0
        self._allocate(2 * self._capacity)

    def _allocate(self, size: int) -> None:
        self._times: Integers = np.zeros(size, dtype=np.int64)
        self._floats: Floats = np.zeros((4, size), dtype=np.float64)
        self._counts: Integers = np.zeros((2, size), dtype=np.int64)

    def __len__(self) -> int:
        return self._end - self._start

    @property
    def capacity(self) -> int:
        """Number of newest bars that are certainly kept."""
        return self._capacity

    def append(self, bar: Bar) -> None:
        """Add the next closed bar.

        Args:
            bar: Must open after every bar that is already here.

        Raises:
            ValueError: If *bar* is not newer than the last one.
        """
        opens_at = int(bar.opens_at.timestamp())
        if self._end > self._start and opens_at <= self._times[self._end - 1]:
            raise ValueError(f"{self.symbol}: bar of {bar.opens_at} came out of order")
        if self._end == self._times.size:
            self._compact()
        at = self._end
        self._times[at] = opens_at
        column = self._floats[:, at]
        column[0] = bar.open
        column[1] = bar.high
        column[2] = bar.low
        column[3] = bar.close
        self._counts[0, at] = bar.tick_volume
        self._counts[1, at] = bar.spread
        self._end = at + 1
        if self._end - self._start > self._capacity:
            self._start = self._end - self._capacity

    def read_only(self) -> BarSeries:
        """Return the same window, growing as it grows, for those who only read.

        Several strategies look at one window, and the loop adds to it.
        """
        shared: BarSeries = object.__new__(_ReadOnly)
        shared.__dict__ = self.__dict__
        return shared

    def extend(self, bars: Iterable[Bar]) -> None:
        """Add several closed bars in order."""
        for bar in bars:
            self.append(bar)

    def _compact(self) -> None:
        # Moving the window once per *capacity* bars keeps appending cheap.
        kept = slice(self._start, self._end)
        length = self._end - self._start
        for array in (self._times, self._floats, self._counts):
            array[..., :length] = array[..., kept].copy()
        self._start, self._end = 0, length

    def _view(self, array: npt.NDArray[_Number]) -> npt.NDArray[_Number]:
        view = array[self._start : self._end]
        view.flags.writeable = False
        return view

    @property
    def open(self) -> Floats:
        """Opening bids."""
        return self._view(self._floats[0])

    @property
    def high(self) -> Floats:
        """Highest bids."""
        return self._view(self._floats[1])

    @property
    def low(self) -> Floats:
        """Lowest bids."""
        return self._view(self._floats[2])

    @property
    def close(self) -> Floats:
        """Closing bids."""
        return self._view(self._floats[3])

    @property
    def tick_volume(self) -> Integers:
        """Numbers of quotes."""
        return self._view(self._counts[0])

    @property
    def spread(self) -> Integers:
        """Spreads in points."""
        return self._view(self._counts[1])

    @property
    def newest_at(self) -> datetime | None:
        """Opening time of the newest bar, UTC-aware; None while there is none."""
        if self._end == self._start:
            return None
        return datetime.fromtimestamp(int(self._times[self._end - 1]), UTC)

    @property
    def opens_at(self) -> list[datetime]:
        """Opening times, UTC-aware."""
        stamps = self._times[self._start : self._end]
        return [datetime.fromtimestamp(int(stamp), UTC) for stamp in stamps]

    def frame(self) -> pd.DataFrame:
        """Return the bars as a pandas DataFrame indexed by opening time (a copy)."""
        import pandas as pd

        span = slice(self._start, self._end)
        columns: dict[str, object] = {
            name: self._floats[row, span].copy() for row, name in enumerate(_PRICES)
        }
        columns["tick_volume"] = self._counts[0, span].copy()
        columns["spread"] = self._counts[1, span].copy()
        index = pd.to_datetime(self._times[span], unit="s", utc=True)
        return pd.DataFrame(columns, index=index.rename("opens_at"))


class _ReadOnly(BarSeries):
    def append(self, bar: Bar) -> None:
        raise TypeError(f"{self.symbol}: these bars are everybody's, and the runner's")
