"""The made market."""

from __future__ import annotations

import hashlib
import itertools
from datetime import UTC, datetime, timedelta

import pytest

from runner.adapters.feeds.synthetic import SyntheticFeed
from runner.core.market import Bar, Timeframe
from runner.ports import FeedError


def first(feed: SyntheticFeed, count: int) -> list[Bar]:
    """Return the first *count* bars of *feed*."""
    return list(itertools.islice(feed.bars(), count))


def test_same_seed_makes_the_same_market_everywhere() -> None:
    """The bars of seed 7 are these, on every platform and Python."""
    bars = first(SyntheticFeed(["EURUSD", "XAUUSD"], seed=7), 2000)
    text = "".join(
        f"{bar.symbol}{bar.opens_at}{bar.open}{bar.high}{bar.low}{bar.close}"
        f"{bar.tick_volume}{bar.spread}"
        for bar in bars
    )

    assert "8e60af8791949eb6" == hashlib.sha256(text.encode()).hexdigest()[:16]


def test_seeds_differ() -> None:
    """Another seed is another market."""
    assert first(SyntheticFeed(["EURUSD"], seed=1), 9) != first(
        SyntheticFeed(["EURUSD"], seed=2), 9
    )


def test_feed_can_be_played_again() -> None:
    """Each play begins at the beginning."""
    feed = SyntheticFeed(["EURUSD"])

    assert first(feed, 50) == first(feed, 50)


def test_symbols_do_not_depend_on_each_other() -> None:
    """EURUSD is the same whichever symbols stand beside it."""
    alone = first(SyntheticFeed(["EURUSD"]), 100)
    among = first(SyntheticFeed(), 100 * len(SyntheticFeed().symbols))

    assert alone == [bar for bar in among if bar.symbol == "EURUSD"]


def test_bars_are_good_bars() -> None:
    """In order, without a hole, within their ranges, on their grid, never closed."""
    bars = first(
        SyntheticFeed(["XAUUSD"], start=datetime(2026, 1, 2, tzinfo=UTC)), 9000
    )

    for number, bar in enumerate(bars):
        expected = datetime(2026, 1, 2, tzinfo=UTC) + timedelta(minutes=number)
        assert expected == bar.opens_at
        assert 0 < bar.low <= min(bar.open, bar.close)
        assert bar.high >= max(bar.open, bar.close)
        assert round(bar.close, 2) == bar.close
        assert bar.spread >= 1
        assert bar.tick_volume >= 1
    for earlier, later in itertools.pairwise(bars):
        assert earlier.close == later.open


def test_crosses_fit_their_legs() -> None:
    """EURGBP is EURUSD over GBPUSD: the market can be traded in pairs."""
    bars = first(SyntheticFeed(["EURUSD", "GBPUSD", "EURGBP"]), 3 * 500)

    for euro, pound, cross in zip(bars[::3], bars[1::3], bars[2::3], strict=True):
        assert euro.close / pound.close == pytest.approx(cross.close, abs=0.00002)


def test_market_begins_on_its_timeframe() -> None:
    """A start between two bars goes back to the earlier one."""
    feed = SyntheticFeed(
        ["EURUSD"],
        timeframe=Timeframe.H4,
        start=datetime(2026, 1, 2, 7, 30, tzinfo=UTC),
    )

    assert datetime(2026, 1, 2, 4, tzinfo=UTC) == first(feed, 1)[0].opens_at


@pytest.mark.parametrize("symbols", [["NOSUCH"], []])
def test_only_known_symbols_can_be_made(symbols: list[str]) -> None:
    """The error lists what can be."""
    with pytest.raises(FeedError, match="expected symbols of EURUSD"):
        SyntheticFeed(symbols)
