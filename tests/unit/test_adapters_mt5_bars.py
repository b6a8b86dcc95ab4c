"""Closed bars from a terminal that fetches slowly, shifts, and refuses pages."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import attrs
import numpy as np
import pytest

from runner.adapters.mt5 import MT5Adapter, MT5Settings
from runner.adapters.mt5_simulator.bars import RATES
from runner.core.market import Bar, Timeframe
from runner.core.server_time import ServerZone
from runner.ports import Login, UnavailableError

START = datetime(2026, 1, 12, tzinfo=UTC)
FIRST = int(START.timestamp())


@attrs.define
class Hands:
    """A clock that waiting moves."""

    time: float = 0.0

    def now(self) -> datetime:
        """Return a date."""
        return START + timedelta(seconds=self.time)

    def monotonic(self) -> float:
        """Return the time that went by."""
        return self.time

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.time += seconds


class Archive:
    """A terminal with bars of one symbol; it answers about 50,000 at once."""

    def __init__(self, opens: Sequence[int]) -> None:
        self.opens = list(opens)
        self.shown: deque[int] = deque()
        self.quoted_ms = 0
        self.requests: list[tuple[int, int]] = []
        self.error = (1, "Success")
        self.failures: deque[int] = deque()
        self.grows_while_paging = False

    def initialize(self, **options: Any) -> bool:
        """Connect."""
        return True

    def last_error(self) -> tuple[int, str]:
        """Return what the last call left."""
        return self.error

    def account_info(self) -> Any:
        """Return an account."""
        return SimpleNamespace(
            login=1, server="S", currency="USD", balance=100.0, equity=100.0,
            credit=0.0, margin=0.0, margin_free=100.0, leverage=100, margin_mode=2,
            trade_mode=0, trade_allowed=True, trade_expert=True,
        )  # fmt: skip

    def terminal_info(self) -> Any:
        """Return the switches."""
        return SimpleNamespace(
            connected=True, trade_allowed=True, tradeapi_disabled=False, maxbars=100_000
        )

    def symbol_info(self, name: str) -> Any:
        """Say that the symbol exists."""
        return SimpleNamespace(name=name)

    def symbol_select(self, name: str, enable: bool) -> bool:
        """Select it."""
        return True

    def symbol_info_tick(self, name: str) -> Any:
        """Return a quote of the newest bar's opening, or of the time that was set."""
        time_msc = self.quoted_ms or self.opens[-1] * 1000
        return SimpleNamespace(
            time=time_msc // 1000, time_msc=time_msc, bid=1.1, ask=1.1001
        )

    def copy_rates_from_pos(
        self, name: str, timeframe: int, start: int, count: int
    ) -> Any:
        """Return bars as the module does."""
        self.requests.append((start, count))
        self.error = (1, "Success")
        if self.failures:
            self.error = (self.failures.popleft(), "text")
            return None
        opens = self.opens[-self.shown.popleft() :] if self.shown else self.opens
        if count > 50_000:
            self.error = (-2, "Terminal: Invalid params")
            return None
        if start >= len(opens):
            self.error = (-1, "Terminal: Call failed")
            return None
        chosen = opens[max(0, len(opens) - start - count) : len(opens) - start]
        rows = np.zeros(len(chosen), RATES)
        rows["time"] = chosen
        rows["close"] = 1.1
        if self.grows_while_paging:
            self.opens.append(self.opens[-1] + 60)
        return rows


def market(opens: Sequence[int], *, is_live: bool = False) -> tuple[Any, MT5Adapter]:
    """Return a connected terminal with bars that opened then, on a UTC server."""
    terminal: Any = Archive(opens)
    settings = MT5Settings(is_live=is_live, server_zone=ServerZone.parse("UTC"))
    adapter = MT5Adapter(terminal, Hands(), settings)
    adapter.connect(Login())
    return terminal, adapter


def minutes(count: int, first: int = 0) -> list[int]:
    """Return the openings of M1 bars."""
    return [FIRST + 60 * number for number in range(first, first + count)]


def opens(bars: Sequence[Bar]) -> list[int]:
    """Return when *bars* opened, in seconds."""
    return [int(bar.opens_at.timestamp()) for bar in bars]


def test_long_history_is_read_in_pages() -> None:
    """More than 50,000 bars at once are refused by some terminals [F]."""
    everything = minutes(120_000)
    terminal, adapter = market(everything)

    bars = adapter.history("EURUSD", Timeframe.M1, 110_000)

    assert everything[-110_001:-1] == opens(bars)
    assert [(0, 50_000), (50_000, 50_000), (100_000, 10_001)] == terminal.requests


def test_bar_that_opens_between_two_pages_is_not_read_twice(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Positions count from the newest bar, so they shift while pages are read."""
    terminal, adapter = market(minutes(120_000))
    terminal.grows_while_paging = True

    found = opens(adapter.history("EURUSD", Timeframe.M1, 110_000))

    assert sorted(set(found)) == found
    assert minutes(len(found), (found[0] - FIRST) // 60) == found
    assert [] == caplog.messages


def test_history_ends_where_the_terminal_has_no_more() -> None:
    """A refused older page means that there are no older bars [F]."""
    _, adapter = market(minutes(50_000))

    assert 49_999 == len(adapter.history("EURUSD", Timeframe.M1, 80_000))


@pytest.mark.parametrize("code", [-2, -10001])
def test_older_page_that_failed_otherwise_is_an_error(code: int) -> None:
    """Half a history is not passed off as a whole one."""
    terminal, adapter = market(minutes(60_000))
    good = terminal.copy_rates_from_pos

    def fail_later(name: str, timeframe: int, start: int, count: int) -> Any:
        if start:
            terminal.failures.append(code)
        return good(name, timeframe, start, count)

    terminal.copy_rates_from_pos = fail_later

    with pytest.raises(
        UnavailableError, match=rf"copy_rates_from_pos: text \({code}\)"
    ):
        adapter.history("EURUSD", Timeframe.M1, 60_000)


def test_history_that_is_still_being_fetched_is_waited_for() -> None:
    """A live terminal's first answers are short, or fail."""
    terminal, adapter = market(minutes(100), is_live=True)
    terminal.failures.append(-1)
    terminal.shown.extend([10, 60])

    assert minutes(50, 49) == opens(adapter.history("EURUSD", Timeframe.M1, 50))
    assert 4 == len(terminal.requests) + 1


def test_history_that_never_comes_is_an_error() -> None:
    """After five tries a failure is a failure; missing bars are missing."""
    terminal, adapter = market(minutes(100), is_live=True)
    terminal.failures.extend([-1] * 5)

    with pytest.raises(UnavailableError, match="copy_rates_from_pos"):
        adapter.history("EURUSD", Timeframe.M1, 50)
    assert 99 == len(adapter.history("EURUSD", Timeframe.M1, 500))


def test_week_long_gap_is_filled_by_one_more_reading() -> None:
    """What was missed is asked for as far back as the clock says, and no farther."""
    terminal, adapter = market(minutes(20_000))
    adapter.history("EURUSD", Timeframe.M1, 5)
    terminal.opens += minutes(7 * 1440, 20_000)
    terminal.requests.clear()

    bars = adapter.closed_bars("EURUSD", Timeframe.M1)

    assert minutes(7 * 1440, 19_999) == opens(bars)
    assert [(0, 3), (0, 7 * 1440 + 2)] == terminal.requests


def test_bars_wait_for_the_first_one_ever() -> None:
    """A symbol without any bar yet has none to begin from."""
    terminal, adapter = market(minutes(1))
    terminal.copy_rates_from_pos = lambda *chosen: np.zeros(0, RATES)
    assert not adapter.closed_bars("EURUSD", Timeframe.M1)
    assert not adapter.closed_bars("EURUSD", Timeframe.M1)

    del terminal.copy_rates_from_pos
    assert not adapter.closed_bars("EURUSD", Timeframe.M1)
    terminal.opens += minutes(1, 1)

    assert minutes(1) == opens(adapter.closed_bars("EURUSD", Timeframe.M1))


def test_weekend_is_no_gap() -> None:
    """Days without bars cost one small reading."""
    terminal, adapter = market(minutes(100))
    adapter.history("EURUSD", Timeframe.M1, 5)
    terminal.opens += minutes(1, 4000)
    terminal.requests.clear()

    assert minutes(1, 99) == opens(adapter.closed_bars("EURUSD", Timeframe.M1))
    assert [(0, 3)] == terminal.requests


def test_nothing_is_asked_before_a_quote_is_too_late_for_the_forming_bar() -> None:
    """Quotes inside the forming bar cost no reading of bars."""
    terminal, adapter = market(minutes(100))
    adapter.history("EURUSD", Timeframe.M1, 5)
    terminal.requests.clear()
    for seconds in (1, 30, 59):
        terminal.quoted_ms = (terminal.opens[-1] + seconds) * 1000
        assert not adapter.closed_bars("EURUSD", Timeframe.M1)

    assert [] == terminal.requests


def test_bars_that_lag_behind_the_quote_are_asked_for_again() -> None:
    """A quote may come before the bar that it opens is there."""
    terminal, adapter = market(minutes(100))
    adapter.history("EURUSD", Timeframe.M1, 5)
    terminal.quoted_ms = (terminal.opens[-1] + 61) * 1000
    for _ in range(3):
        assert not adapter.closed_bars("EURUSD", Timeframe.M1)

    terminal.opens += minutes(1, 100)

    assert minutes(1, 99) == opens(adapter.closed_bars("EURUSD", Timeframe.M1))
    assert not adapter.closed_bars("EURUSD", Timeframe.M1)


def test_months_of_any_length_close() -> None:
    """February's bar is closed by March's although a month counts 30 days."""
    months = [int(datetime(2026, month, 1, tzinfo=UTC).timestamp()) for month in (1, 2)]
    terminal, adapter = market(months)
    adapter.history("EURUSD", Timeframe.MN1, 5)
    terminal.opens.append(int(datetime(2026, 3, 1, tzinfo=UTC).timestamp()))

    assert months[1:] == opens(adapter.closed_bars("EURUSD", Timeframe.MN1))


def test_bar_whose_time_comes_twice_is_left_out_and_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A server that has the hour which New York skips has one too many."""
    caplog.set_level(logging.WARNING)
    hours = [
        int(datetime(2026, 3, 8, hour, tzinfo=UTC).timestamp()) for hour in range(7, 13)
    ]
    terminal: Any = Archive(hours)
    adapter = MT5Adapter(terminal, Hands(), MT5Settings(is_live=False))
    adapter.connect(Login())

    bars = adapter.history("EURUSD", Timeframe.H1, 10)

    found = opens(bars)
    assert sorted(set(found)) == found
    assert 4 == len(found)
    assert "its time comes twice" in caplog.text


def test_values_are_plain_python_numbers() -> None:
    """No numpy scalar leaves the adapter."""
    _, adapter = market(minutes(3))

    bar = adapter.history("EURUSD", Timeframe.M1, 1)[0]

    assert [float, int, int] == [
        type(bar.close),
        type(bar.tick_volume),
        type(bar.spread),
    ]
