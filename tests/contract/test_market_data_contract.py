"""What every `MarketData` keeps: here the MT5 adapter over the simulated terminal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.adapters.mt5 import MT5Adapter, MT5Settings
from runner.adapters.mt5_simulator import faults
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal
from runner.core.market import Bar, Tick, Timeframe
from runner.core.server_time import NEW_YORK_CLOSE, ServerZone
from runner.ports import Login, MarketData, UnavailableError

START = datetime(2026, 1, 14, 10, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@attrs.define
class StillClock:
    """A clock that only waiting moves."""

    time: float = 0.0

    def now(self) -> datetime:
        """Return a fixed date and the time that was waited."""
        return START + timedelta(seconds=self.time)

    def monotonic(self) -> float:
        """Return the seconds waited."""
        return self.time

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.time += seconds


@attrs.define
class Market:
    """A market that a test moves, and what reads it."""

    terminal: SimulatedTerminal
    data: MarketData
    clock: StillClock

    def quote(self, minutes: float, bid: float = 1.1, symbol: str = "EURUSD") -> None:
        """Quote *symbol* so many minutes after the start, with a spread of 12."""
        self.terminal.quote(
            symbol, bid, round(bid + 0.00012, 5), START + minutes * MINUTE
        )


def make_market(zone: ServerZone = NEW_YORK_CLOSE) -> Market:
    """Return a market whose terminal is connected."""
    terminal = SimulatedTerminal(server_zone=zone)
    settings = MT5Settings(is_live=False, server_zone=zone)
    clock = StillClock()
    adapter = MT5Adapter(terminal, clock, settings)
    adapter.connect(Login(account=123456))
    return Market(terminal, adapter, clock)


@pytest.fixture
def market() -> Market:
    """A connected market without quotes."""
    return make_market()


def opens(bars: object) -> list[datetime]:
    """Return when *bars* opened."""
    assert isinstance(bars, (list, tuple))
    return [bar.opens_at for bar in bars]


def test_symbol_states_its_rules(market: Market) -> None:
    """A symbol's rules are those of the terminal, under the name asked for."""
    spec = market.data.symbol("EURUSD")

    assert "EURUSD" == spec.name
    assert (5, 0.00001, 0.01) == (spec.digits, spec.point, spec.volume_step)
    assert ("EUR", "USD") == (spec.currency_base, spec.currency_profit)


def test_unknown_symbol_is_a_key_error_that_says_so(market: Market) -> None:
    """A symbol that the broker does not have is refused by name."""
    with pytest.raises(KeyError, match="NOSUCH"):
        market.data.symbol("NOSUCH")


def test_there_is_no_tick_and_no_time_before_the_first_quote(market: Market) -> None:
    """No quote is no error, but the market's time is unknown without one."""
    assert market.data.tick("EURUSD") is None
    with pytest.raises(UnavailableError, match="no quote yet"):
        market.data.now()


def test_tick_is_the_latest_quote_in_utc(market: Market) -> None:
    """The server's wall clock does not leave the adapter."""
    market.quote(0, 1.1)
    market.quote(2.5, 1.2)

    expected = Tick("EURUSD", START + 2.5 * MINUTE, 1.2, 1.20012)
    assert expected == market.data.tick("EURUSD")


def test_time_is_that_of_the_newest_quote_of_all_symbols(market: Market) -> None:
    """One quiet symbol does not hold the time back, read by tick or not."""
    market.quote(0)
    market.quote(0, 1.3, symbol="GBPUSD")
    market.data.tick("EURUSD")
    market.data.tick("GBPUSD")
    assert START == market.data.now()

    market.quote(3, 1.3, symbol="GBPUSD")

    assert START + 3 * MINUTE == market.data.now()
    market.data.tick("GBPUSD")
    market.data.tick("EURUSD")
    assert START + 3 * MINUTE == market.data.now()


def test_symbol_taken_out_of_market_watch_is_put_there_again(market: Market) -> None:
    """Somebody who tidies the terminal up does not stop the quotes."""
    market.quote(0)
    market.data.tick("EURUSD")
    market.terminal.symbol_select("EURUSD", False)
    market.data.tick("EURUSD")

    assert market.data.tick("EURUSD") is not None


def test_terminal_that_was_connected_to_again_gets_its_symbols(market: Market) -> None:
    """A terminal that was restarted may have forgotten what it showed."""
    market.quote(0)
    market.data.tick("EURUSD")
    market.terminal.faults = faults.Schedule(
        {"symbol_info_tick": {1: faults.Disconnect()}}
    )
    with pytest.raises(UnavailableError, match="IPC send failed"):
        market.data.tick("EURUSD")
    market.terminal.known("EURUSD").selected = False
    market.clock.wait(1)

    assert market.data.tick("EURUSD") is not None


def test_history_is_closed_bars_oldest_first(market: Market) -> None:
    """History ends with the newest closed bar; the forming one is not in it."""
    for minute in range(6):
        market.quote(minute, 1.1 + minute / 1000)
        market.quote(minute + 0.5, 1.2)

    bars = market.data.history("EURUSD", Timeframe.M1, 3)

    assert [START + n * MINUTE for n in (2, 3, 4)] == opens(bars)
    assert (
        Bar("EURUSD", Timeframe.M1, START + 4 * MINUTE, 1.104, 1.2, 1.104, 1.2, 2, 12)
        == bars[-1]
    )


def test_history_is_shorter_where_there_is_no_more(market: Market) -> None:
    """What does not exist is left out, also before the first quote."""
    assert not market.data.history("EURUSD", Timeframe.M1, 10)
    market.quote(0)
    assert not market.data.history("EURUSD", Timeframe.M1, 10)

    market.quote(1)

    assert [START] == opens(market.data.history("EURUSD", Timeframe.M1, 10))


def test_bar_is_delivered_once_and_only_when_it_has_closed(market: Market) -> None:
    """The forming bar is never seen, and the closed one is not seen again."""
    market.quote(0)
    market.data.history("EURUSD", Timeframe.M1, 1)
    market.quote(0.99)
    assert not market.data.closed_bars("EURUSD", Timeframe.M1)

    market.quote(1)

    assert [START] == opens(market.data.closed_bars("EURUSD", Timeframe.M1))
    assert not market.data.closed_bars("EURUSD", Timeframe.M1)


def test_first_call_without_history_only_marks_where_to_begin(market: Market) -> None:
    """Bars that closed before anybody asked are no news."""
    for minute in range(5):
        market.quote(minute)
    assert not market.data.closed_bars("EURUSD", Timeframe.M1)

    market.quote(5)

    bars = market.data.closed_bars("EURUSD", Timeframe.M1)
    assert [START + 4 * MINUTE] == opens(bars)


def test_bars_missed_in_a_pause_all_come_in_order(market: Market) -> None:
    """After a pause every bar comes, however many there are."""
    market.quote(0)
    market.data.history("EURUSD", Timeframe.M1, 1)
    for minute in range(1, 31):
        market.quote(minute)

    bars = market.data.closed_bars("EURUSD", Timeframe.M1)

    assert [START + n * MINUTE for n in range(30)] == opens(bars)


def test_history_takes_up_where_bars_were_missed(market: Market) -> None:
    """Bars that `history` returned are not delivered again."""
    for minute in range(5):
        market.quote(minute)
        market.data.closed_bars("EURUSD", Timeframe.M1)
    market.quote(8)
    assert (
        START + 4 * MINUTE == opens(market.data.history("EURUSD", Timeframe.M1, 2))[-1]
    )

    assert not market.data.closed_bars("EURUSD", Timeframe.M1)


def test_timeframes_and_symbols_are_followed_separately(market: Market) -> None:
    """One feed serves several timeframes, each with its own place."""
    market.quote(0)
    market.quote(0, symbol="GBPUSD")
    for timeframe in (Timeframe.M1, Timeframe.M5):
        market.data.history("EURUSD", timeframe, 1)
    market.data.history("GBPUSD", Timeframe.M1, 1)
    for minute in range(1, 6):
        market.quote(minute)

    assert 5 == len(market.data.closed_bars("EURUSD", Timeframe.M1))
    assert [START] == opens(market.data.closed_bars("EURUSD", Timeframe.M5))
    assert not market.data.closed_bars("GBPUSD", Timeframe.M1)


@pytest.mark.parametrize("call", ["copy_rates_from_pos", "symbol_info_tick"])
def test_failed_reading_loses_no_bar(market: Market, call: str) -> None:
    """A reading that failed is an error, and the next one has everything."""
    market.quote(0)
    market.data.history("EURUSD", Timeframe.M1, 1)
    market.quote(1)
    market.quote(2)
    market.terminal.faults = faults.Schedule({call: {1: faults.Fail(-1)}})

    with pytest.raises(UnavailableError, match=r"Call failed \(-1\)"):
        market.data.closed_bars("EURUSD", Timeframe.M1)

    assert 2 == len(market.data.closed_bars("EURUSD", Timeframe.M1))


steps = st.lists(st.tuples(st.integers(1, 400), st.booleans()), min_size=1, max_size=40)


@given(steps, st.sampled_from([Timeframe.M1, Timeframe.M2, Timeframe.M5]))
def test_every_bar_comes_exactly_once_whatever_the_pace(
    pace: list[tuple[int, bool]], timeframe: Timeframe
) -> None:
    """Quotes at any distance, read or not in between, give each closed bar once."""
    market = make_market()
    market.quote(0)
    market.data.history("EURUSD", timeframe, 1)
    seconds = 0
    delivered: list[Bar] = []
    for step, is_read in pace:
        seconds += step
        market.quote(seconds / 60)
        if is_read:
            bars = market.data.closed_bars("EURUSD", timeframe)
            assert all(bar.closes_at <= market.data.now() for bar in bars)
            delivered += bars
    delivered += market.data.closed_bars("EURUSD", timeframe)

    everything = market.data.history("EURUSD", timeframe, 10_000)
    assert list(everything) == delivered


@pytest.mark.parametrize("zone", ["America/New_York+7", "Europe/Athens", "UTC"])
@pytest.mark.parametrize(
    "friday", [datetime(2026, 3, 6, tzinfo=UTC), datetime(2026, 10, 30, tzinfo=UTC)]
)
def test_bars_keep_their_utc_time_over_a_change_of_the_clocks(
    zone: str, friday: datetime
) -> None:
    """The weekends on which New York changes its clocks leave no hour out of place."""
    market = make_market(ServerZone.parse(zone))
    hours = [friday + timedelta(hours=hour) for hour in (*range(22), *range(70, 80))]
    market.terminal.quote("EURUSD", 1.1, 1.1001, friday - timedelta(hours=1))
    market.data.history("EURUSD", Timeframe.H1, 1)
    seen: list[datetime] = []
    for hour in hours:
        market.terminal.quote("EURUSD", 1.1, 1.1001, hour)
        seen += opens(market.data.closed_bars("EURUSD", Timeframe.H1))
        assert hour == market.data.now()

    assert [friday - timedelta(hours=1), *hours[:-1]] == seen
