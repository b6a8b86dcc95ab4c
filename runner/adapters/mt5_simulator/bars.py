"""Bars and ticks in the packed arrays of the MetaTrader5 module [W].

The bars of a symbol are kept in one base timeframe, the feed's; longer ones are
folded from them when they are first asked for, on the server's clock. The newest bar
is the forming one. Buffers grow in place up to twice a limit, then forget down to it.
"""

from __future__ import annotations

from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from runner.core.market import Timeframe

RATES: Final = np.dtype(
    [
        ("time", "<i8"),
        ("open", "<f8"),
        ("high", "<f8"),
        ("low", "<f8"),
        ("close", "<f8"),
        ("tick_volume", "<u8"),
        ("spread", "<i4"),
        ("real_volume", "<u8"),
    ]
)
TICKS: Final = np.dtype(
    [
        ("time", "<i8"),
        ("bid", "<f8"),
        ("ask", "<f8"),
        ("last", "<f8"),
        ("volume", "<u8"),
        ("time_msc", "<i8"),
        ("flags", "<u4"),
        ("volume_real", "<f8"),
    ]
)
Records = npt.NDArray[np.void]
Bar = tuple[int, float, float, float, float, int, int, int]

_FIRST_ROOM: Final = 256
_WEEK: Final = 7 * 86_400
_FIRST_SUNDAY: Final = 3 * 86_400
"""1970-01-04: a week of bars begins on Sunday."""


class Rows:
    """A growing array of records, newest last."""

    __slots__ = ("_array", "_limit", "_plain", "dropped", "size")

    def __init__(self, dtype: np.dtype[np.void], limit: int) -> None:
        self._limit = limit
        self._array: Records = np.zeros(min(_FIRST_ROOM, 2 * limit), dtype)
        self._plain = _without_fields(self._array)
        self.size = 0
        self.dropped = 0
        """How many of the oldest were forgotten."""

    @property
    def is_full(self) -> bool:
        """Whether the next append forgets the oldest records."""
        return self.size == 2 * self._limit

    def append(self, row: tuple[object, ...]) -> None:
        """Add a record after the newest one."""
        if self.size == len(self._array):
            self._make_room()
        self._array[self.size] = row
        self.size += 1

    def replace_last(self, row: tuple[object, ...]) -> None:
        """Put a record in the place of the newest one."""
        self._array[self.size - 1] = row

    def view(self) -> Records:
        """Return all records without copying; good until the next change."""
        return self._array[: self.size]

    def copy(self, start: int, stop: int) -> Records:
        """Return a copy of the records from *start* up to *stop*."""
        stop = min(stop, self.size)
        return self._plain[start:stop].copy().view(self._array.dtype)

    def _make_room(self) -> None:
        if not self.is_full:
            room = min(2 * len(self._array), 2 * self._limit)
            larger = np.zeros(room, self._array.dtype)
            larger[: self.size] = self._array
            self._array = larger
            self._plain = _without_fields(larger)
            return
        self._array[: self._limit] = self._array[self._limit :].copy()
        self.dropped += self._limit
        self.size = self._limit


def _without_fields(array: Records) -> Records:
    # The same memory as plain blocks: numpy copies these ten times as fast.
    return array.view(f"V{array.dtype.itemsize}")


class _Folded:
    """Bars of a longer timeframe, folded from the base ones as far as these go."""

    __slots__ = ("_next", "_sealed", "_timeframe", "revision", "rows")

    def __init__(self, timeframe: Timeframe, limit: int) -> None:
        self.rows = Rows(RATES, limit)
        self.revision = -1
        self._timeframe = timeframe
        self._next = 0
        """Number, counted from the first ever, of the base bar that opens the newest
        bar here; or, once that one is sealed, of the first that is not in it yet."""
        self._sealed: Bar | None = None
        """What the newest bar here was made of base bars that are about to go."""

    def seal(self, base: Rows) -> None:
        """Fold, and do not count on the present base bars any more."""
        self.fold(base)
        if self.rows.size:
            self._sealed = self.rows.view()[-1].item()
            self._next = base.dropped + base.size

    def fold(self, base: Rows) -> None:
        """Fold what has come since the last time."""
        start = max(0, self._next - base.dropped)
        bars = base.view()[start:]
        if not len(bars):
            return
        opens = bar_opens(self._timeframe, bars["time"])
        firsts = np.flatnonzero(np.concatenate(([True], opens[1:] != opens[:-1])))
        lasts = np.append(firsts[1:], len(bars)) - 1
        folded = np.zeros(len(firsts), RATES)
        folded["time"] = opens[firsts]
        folded["open"] = bars["open"][firsts]
        folded["high"] = np.maximum.reduceat(bars["high"], firsts)
        folded["low"] = np.minimum.reduceat(bars["low"], firsts)
        folded["close"] = bars["close"][lasts]
        folded["tick_volume"] = np.add.reduceat(bars["tick_volume"], firsts)
        folded["spread"] = bars["spread"][lasts]
        rows = cast("list[Bar]", folded.tolist())
        sealed = self._sealed
        if sealed is not None and sealed[0] == rows[0][0]:
            self.rows.replace_last(_joined(sealed, rows.pop(0)))
            if not rows:
                return
        elif sealed is None and self.rows.size:
            self.rows.replace_last(rows.pop(0))
        for row in rows:
            self.rows.append(row)
        self._sealed = None
        self._next = base.dropped + start + int(firsts[-1])


def _joined(first: Bar, second: Bar) -> Bar:
    time, open_, high, low, _, volume, _, _ = first
    return (
        time,
        open_,
        max(high, second[2]),
        min(low, second[3]),
        second[4],
        volume + second[5],
        second[6],
        0,
    )


class BarHistory:
    """The bars of one symbol, in its base timeframe and in every longer one."""

    def __init__(self, base: Timeframe, limit: int) -> None:
        self.base = base
        self._limit = limit
        self._seconds = base.value * 60
        self._rows = Rows(RATES, limit)
        self._folds: dict[Timeframe, _Folded] = {}
        self._revision = 0
        self._time = -self._seconds
        self._open = self._high = self._low = self._close = 0.0
        self._volume = self._spread = 0
        self._before: tuple[float, float, int] | None = None
        """High, low and volume that the newest bar had before it was gone on with."""

    def begin(self, time: int, price: float, spread: int) -> None:
        """Open a new bar; the one before it is closed by that.

        A bar that would not open after the newest one is of the hour that the server's
        clock repeats in autumn: the newest one goes on with it, so that none comes
        twice.

        Args:
            time: The bar's open, seconds of the server's wall clock.
            price: Its first bid.
            spread: In points.
        """
        if time <= self._time:
            self._before = self._high, self._low, self._volume
            self.quote(self._time, price, spread)
            return
        if self._rows.is_full:
            for fold in self._folds.values():
                fold.seal(self._rows)
        self._before = None
        self._time = time
        self._open = self._high = self._low = self._close = price
        self._volume = 1
        self._spread = spread
        self._revision += 1
        self._rows.append((time, price, price, price, price, 1, spread, 0))

    def complete(self, high: float, low: float, close: float, volume: int) -> None:
        """Give the forming bar its final figures; it closes when the next one opens."""
        if self._before is not None:
            highest, lowest, earlier = self._before
            high, low = max(high, highest), min(low, lowest)
            volume += earlier
        self._high = high
        self._low = low
        self._close = close
        self._volume = volume
        self._write()

    def quote(self, time: int, bid: float, spread: int) -> None:
        """Take one quote into the forming bar, or open the next one with it."""
        if time - self._time >= self._seconds:
            opens = bar_opens(self.base, np.array([time]))
            self.begin(int(opens[0]), bid, spread)
            return
        self._high = max(self._high, bid)
        self._low = min(self._low, bid)
        self._close = bid
        self._volume += 1
        self._spread = spread
        self._write()

    def rates(self, timeframe: Timeframe) -> Rows | None:
        """Return the bars of *timeframe*; None if the base ones cannot make them."""
        if timeframe is self.base:
            return self._rows
        if timeframe.value % self.base.value:
            return None
        fold = self._folds.get(timeframe)
        if fold is None:
            fold = self._folds[timeframe] = _Folded(timeframe, self._limit)
        if fold.revision != self._revision:
            fold.fold(self._rows)
            fold.revision = self._revision
        return fold.rows

    def _write(self) -> None:
        self._revision += 1
        self._rows.replace_last(
            (
                self._time,
                self._open,
                self._high,
                self._low,
                self._close,
                self._volume,
                self._spread,
                0,
            )
        )


def bar_opens(timeframe: Timeframe, times: Any) -> npt.NDArray[np.int64]:
    """Return when the bars opened that *times* fall in, all on the server's clock."""
    seconds: npt.NDArray[np.int64] = np.asarray(times, np.int64)
    if timeframe is Timeframe.MN1:
        months = seconds.astype("datetime64[s]").astype("datetime64[M]")
        opens: npt.NDArray[np.int64] = months.astype("datetime64[s]").astype(np.int64)
        return opens
    if timeframe is Timeframe.W1:
        since = (seconds - _FIRST_SUNDAY) % _WEEK
    else:
        since = seconds % (timeframe.value * 60)
    return np.subtract(seconds, since)
