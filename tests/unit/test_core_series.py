from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.market import Bar, Timeframe
from runner.core.series import BarSeries

START = datetime(2026, 1, 1, tzinfo=UTC)


def bar(n: int, close: float = 1.0) -> Bar:
    return Bar(
        symbol="EURUSD",
        timeframe=Timeframe.H1,
        opens_at=START + timedelta(hours=n),
        open=close,
        high=close + 1,
        low=close - 1,
        close=close,
        tick_volume=n,
        spread=2,
    )


@given(st.integers(1, 7), st.integers(0, 60))
def test_a_series_keeps_the_newest_bars_in_order(capacity, count):
    """However many bars came, the newest *capacity* of them stand, oldest first."""
    series = BarSeries("EURUSD", Timeframe.H1, capacity)
    series.extend(bar(n, float(n)) for n in range(count))

    expected = [float(n) for n in range(count)][-capacity:]
    assert expected == series.close.tolist()
    assert [close + 1 for close in expected] == series.high.tolist()
    assert len(expected) == len(series)
    assert [bar(int(n)).opens_at for n in expected] == series.opens_at


def test_a_bar_that_is_not_newer_is_refused():
    """The same bar twice would be decided on twice."""
    series = BarSeries("EURUSD", Timeframe.H1, 3)
    series.append(bar(1))

    with pytest.raises(ValueError, match="out of order"):
        series.append(bar(1))


def test_columns_cannot_be_written_to():
    """A strategy cannot spoil the bars of another."""
    series = BarSeries("EURUSD", Timeframe.H1, 3)
    series.append(bar(1))

    for column in (series.open, series.high, series.low, series.close):
        with pytest.raises(ValueError, match="read-only"):
            column[0] = np.nan
    for counts in (series.tick_volume, series.spread):
        with pytest.raises(ValueError, match="read-only"):
            counts[0] = 7


def test_who_only_reads_sees_what_is_added_and_adds_nothing():
    """A bar that a strategy slipped in would stop the loop at the next one."""
    series = BarSeries("EURUSD", Timeframe.H1, 3)
    shown = series.read_only()
    series.append(bar(1))

    with pytest.raises(TypeError, match="EURUSD: these bars are everybody's"):
        shown.append(bar(2))
    with pytest.raises(TypeError, match="everybody's"):
        shown.extend([bar(2)])
    series.extend([bar(2), bar(3), bar(4)])

    assert [2.0, 3.0, 4.0] == shown.tick_volume.tolist()
    assert 3 == len(shown) == shown.capacity


def test_a_frame_is_a_copy_with_times_as_index():
    """Who wants pandas gets it, without a way back into the series."""
    series = BarSeries("EURUSD", Timeframe.H1, 3)
    series.extend([bar(1, 5.0), bar(2, 6.0)])

    frame = series.frame()
    frame.loc[:, "close"] = 0.0

    assert [5.0, 6.0] == series.close.tolist()
    assert START + timedelta(hours=1) == frame.index[0].to_pydatetime()
