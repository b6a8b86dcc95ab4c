"""How a feed is played into the simulated terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import attrs
import pytest

from runner.adapters.mt5_simulator import constants as mt5
from runner.adapters.mt5_simulator.driver import BarDriver, TickDriver, drive
from runner.adapters.mt5_simulator.structs import OrderSendResult, TradeDeal
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal
from runner.core.market import Bar, Tick, Timeframe
from runner.core.server_time import ServerZone
from runner.ports import FeedError

START = datetime(2026, 1, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)
EDGE = timedelta(milliseconds=1)
POINT = 0.00001


@attrs.define
class Bars:
    """A feed of given bars."""

    content: Sequence[Bar]
    timeframe: Timeframe = Timeframe.H1

    @property
    def symbols(self) -> Iterable[str]:
        """The symbols that it quotes."""
        return {bar.symbol for bar in self.content}

    def bars(self) -> Iterable[Bar]:
        """Yield the given bars."""
        return iter(self.content)


@attrs.define
class Ticks:
    """A feed of given ticks."""

    content: Sequence[Tick]
    symbols: Iterable[str] = ("EURUSD",)

    def ticks(self) -> Iterable[Tick]:
        """Yield the given ticks."""
        return iter(self.content)


def bar(
    hour: float,
    prices: tuple[float, float, float, float],
    symbol: str = "EURUSD",
    timeframe: Timeframe = Timeframe.H1,
    spread: int = 10,
) -> Bar:
    """Return a bar of open, high, low and close that opens *hour* hours after START."""
    return Bar(symbol, timeframe, START + hour * HOUR, *prices, 7, spread)


FLAT = (1.1, 1.1, 1.1, 1.1)


def make(
    *bars: Bar, timeframe: Timeframe = Timeframe.H1
) -> tuple[SimulatedTerminal, BarDriver]:
    """Return a terminal on a UTC server and a driver that plays *bars* into it."""
    terminal = SimulatedTerminal(server_zone=ServerZone.parse("UTC"))
    terminal.initialize()
    for symbol in ("EURUSD", "GBPUSD"):
        terminal.symbol_select(symbol)
    return terminal, BarDriver(terminal, Bars(bars, timeframe))


def send(terminal: SimulatedTerminal, **fields: object) -> OrderSendResult:
    """Send a market order, changed by *fields*; it must be executed."""
    request = {"action": 1, "symbol": "EURUSD", "volume": 0.1, "type": 0, **fields}
    result = terminal.order_send(request)
    assert result is not None
    assert 10009 == result.retcode, result.comment
    return result


def last_deal(terminal: SimulatedTerminal) -> TradeDeal:
    """Return the newest deal."""
    deals = terminal.history_deals_get(1, 2**31 - 1)
    assert deals
    return deals[-1]


def quote(terminal: SimulatedTerminal, symbol: str = "EURUSD") -> tuple[float, float]:
    """Return the present bid and ask."""
    tick = terminal.symbol_info_tick(symbol)
    assert tick is not None
    return tick.bid, tick.ask


def test_a_bar_is_an_open_and_a_close() -> None:
    """Quotes are the open, then the close a millisecond before the bar ends."""
    terminal, driver = make(bar(0, (1.1, 1.2, 1.0, 1.15)))
    assert START == driver.next_at

    assert driver.advance() is True
    assert (1.1, 1.1001) == quote(terminal)
    assert START == driver.now
    assert START + HOUR - EDGE == driver.next_at

    assert driver.advance() is True
    assert (1.15, 1.1501) == quote(terminal)
    tick = terminal.symbol_info_tick("EURUSD")
    assert tick is not None
    assert round((START + HOUR).timestamp() * 1000) - 1 == tick.time_msc


def test_forming_bar_is_at_position_zero_until_the_next_opens() -> None:
    """A bar closes by the opening of the next one, with the feed's figures."""
    terminal, driver = make(bar(0, (1.1, 1.2, 1.0, 1.15)), bar(1, FLAT))
    start = round(START.timestamp())

    driver.advance()
    forming = terminal.copy_rates_from_pos("EURUSD", mt5.TIMEFRAME_H1, 0, 5)
    driver.advance()
    complete = terminal.copy_rates_from_pos("EURUSD", mt5.TIMEFRAME_H1, 0, 5)
    driver.advance()
    closed = terminal.copy_rates_from_pos("EURUSD", mt5.TIMEFRAME_H1, 1, 5)

    assert forming is not None
    assert complete is not None
    assert closed is not None
    assert [(start, 1.1, 1.1, 1.1, 1.1, 1, 10, 0)] == forming.tolist()
    assert [(start, 1.1, 1.2, 1.0, 1.15, 7, 10, 0)] == complete.tolist()
    assert complete.tolist() == closed.tolist()


def test_end_of_the_feed_closes_the_last_bars_and_the_market() -> None:
    """The last bars are delivered, but nothing is filled any more."""
    terminal, driver = make(bar(0, FLAT), bar(1, FLAT))
    driver.advance()
    send(terminal, sl=1.05)
    phases = 1
    while driver.advance():
        phases += 1

    assert 2 * 2 + 1 == phases
    assert driver.next_at is None
    assert driver.advance() is False
    assert START + 2 * HOUR == driver.now
    closed = terminal.copy_rates_from_pos("EURUSD", mt5.TIMEFRAME_H1, 1, 5)
    assert closed is not None
    assert 2 == len(closed)
    refused = terminal.order_send(
        {"action": 1, "symbol": "EURUSD", "volume": 0.1, "type": 0}
    )
    assert refused is not None
    assert 10018 == refused.retcode
    assert 1 == terminal.positions_total()


def test_spread_of_the_symbol_stands_in_for_a_missing_one() -> None:
    """A bar without a spread has the symbol's usual one."""
    terminal, driver = make(bar(0, FLAT, spread=0))
    driver.advance()

    assert (1.1, 1.10012) == quote(terminal)
    rates = terminal.copy_rates_from_pos("EURUSD", mt5.TIMEFRAME_H1, 0, 1)
    assert rates is not None
    assert 12 == rates["spread"][0]


def test_symbols_of_one_instant_move_together() -> None:
    """All that open at one time are quoted before anything is decided."""
    terminal, driver = make(
        bar(0, FLAT), bar(0, (1.3, 1.3, 1.3, 1.3), "GBPUSD"), bar(1, (1.2,) * 4)
    )
    driver.advance()

    assert ((1.1, 1.1001), (1.3, 1.3001)) == (
        quote(terminal),
        quote(terminal, "GBPUSD"),
    )
    driver.advance()
    driver.advance()
    # GBPUSD has no bar at this instant and keeps its quote.
    assert ((1.2, 1.2001), (1.3, 1.3001)) == (
        quote(terminal),
        quote(terminal, "GBPUSD"),
    )


def test_bars_that_open_at_different_minutes_interleave() -> None:
    """A bar that is still forming closes in its own time."""
    _, driver = make(bar(0, FLAT), bar(0.5, (1.3,) * 4, "GBPUSD"), bar(1, FLAT))
    times = []
    while driver.next_at is not None:
        times.append(driver.next_at - START)
        driver.advance()

    assert [
        0 * HOUR,
        HOUR / 2,
        HOUR - EDGE,
        HOUR,
        1.5 * HOUR - EDGE,
        2 * HOUR - EDGE,
        2 * HOUR,
    ] == times


def test_short_day_ends_when_the_next_one_opens() -> None:
    """A day of 23 hours, where the server's clock goes forward."""
    _, driver = make(
        bar(0, FLAT, timeframe=Timeframe.D1),
        bar(23, FLAT, timeframe=Timeframe.D1),
        timeframe=Timeframe.D1,
    )
    driver.advance()

    assert START + 23 * HOUR - EDGE == driver.next_at


@pytest.mark.parametrize(
    ("levels", "prices", "price", "reason"),
    [
        ({"sl": 1.09}, (1.1, 1.1, 1.09, 1.1), 1.09, mt5.DEAL_REASON_SL),
        ({"tp": 1.11}, (1.1, 1.11, 1.1, 1.1), 1.11, mt5.DEAL_REASON_TP),
        # Both in one bar: the stop.
        ({"sl": 1.09, "tp": 1.11}, (1.1, 1.12, 1.08, 1.1), 1.09, mt5.DEAL_REASON_SL),
        # A gap fills at the open.
        ({"sl": 1.09}, (1.08, 1.12, 1.07, 1.1), 1.08, mt5.DEAL_REASON_SL),
        ({"tp": 1.11}, (1.12, 1.13, 1.07, 1.1), 1.12, mt5.DEAL_REASON_TP),
    ],
)
def test_bar_fills_levels(
    levels: dict[str, float],
    prices: tuple[float, float, float, float],
    price: float,
    reason: int,
) -> None:
    """The rules of core.matching, played (architecture, decision 10)."""
    terminal, driver = make(bar(0, FLAT), bar(1, prices))
    driver.advance()
    send(terminal, **levels)
    driver.advance()

    driver.advance()
    driver.advance()

    assert 0 == terminal.positions_total()
    assert (price, reason) == (last_deal(terminal).price, last_deal(terminal).reason)


def test_short_is_stopped_on_the_ask_of_the_bar() -> None:
    """The bar's own spread is added to its high."""
    terminal, driver = make(
        bar(0, FLAT), bar(1, (1.1, 1.1049, 1.1, 1.1), spread=9), bar(2, FLAT)
    )
    driver.advance()
    send(terminal, type=1, sl=1.105)
    for _ in range(3):
        driver.advance()
    assert 1 == terminal.positions_total()

    terminal, driver = make(
        bar(0, FLAT), bar(1, (1.1, 1.1049, 1.1, 1.1), spread=10), bar(2, FLAT)
    )
    driver.advance()
    send(terminal, type=1, sl=1.105)
    for _ in range(3):
        driver.advance()
    assert (1.105, "[sl 1.10500]") == (
        last_deal(terminal).price,
        last_deal(terminal).comment,
    )


def test_position_opened_at_the_open_lives_through_its_bar() -> None:
    """An order of the open phase can be stopped in the same bar."""
    terminal, driver = make(bar(0, (1.1, 1.1, 1.09, 1.1)))
    driver.advance()
    send(terminal, sl=1.095)

    driver.advance()

    assert 1.095 == last_deal(terminal).price
    assert round((START + HOUR).timestamp()) - 1 == last_deal(terminal).time


def test_stop_moved_after_the_close_counts_from_the_next_open() -> None:
    """What the bar reached before the change is past."""
    terminal, driver = make(bar(0, (1.1, 1.12, 1.08, 1.1)), bar(1, FLAT))
    driver.advance()
    opened = send(terminal)
    driver.advance()
    send(terminal, action=6, position=opened.order, sl=1.09, tp=1.11)
    driver.advance()

    assert 1 == terminal.positions_total()


def test_pending_order_is_filled_inside_the_bar() -> None:
    """At its price if the bar reaches it, at the open if that is beyond."""
    limit = {"action": 5, "type": 2, "price": 1.095, "type_filling": 2}
    terminal, driver = make(bar(0, FLAT), bar(1, (1.1, 1.1, 1.0949, 1.1)))
    driver.advance()
    send(terminal, **limit)
    for _ in range(3):
        driver.advance()
    assert (1.095, mt5.DEAL_ENTRY_IN) == (
        last_deal(terminal).price,
        last_deal(terminal).entry,
    )

    terminal, driver = make(bar(0, FLAT), bar(1, (1.09, 1.1, 1.08, 1.1)))
    driver.advance()
    send(terminal, **limit)
    driver.advance()
    driver.advance()
    assert 1.0901 == last_deal(terminal).price


@pytest.mark.parametrize(
    ("levels", "close", "price"),
    [
        # The bar reached the stop: before the fill or after it is not known.
        ({"sl": 1.085}, 1.1, 1.085),
        # It reached the target too, but only a close beyond it is certain.
        ({"tp": 1.11}, 1.1, None),
        ({"tp": 1.105}, 1.106, 1.105),
        ({"sl": 1.085, "tp": 1.105}, 1.106, 1.085),
    ],
)
def test_order_filled_inside_a_bar_may_end_in_it(
    levels: dict[str, float], close: float, price: float | None
) -> None:
    """A stop in reach counts, a target only if the bar closed beyond it."""
    terminal, driver = make(bar(0, FLAT), bar(1, (1.1, 1.12, 1.08, close)))
    driver.advance()
    send(terminal, action=5, type=2, price=1.09, type_filling=2, **levels)
    for _ in range(3):
        driver.advance()

    if price is None:
        assert 1 == terminal.positions_total()
    else:
        assert (price, mt5.DEAL_ENTRY_OUT) == (
            last_deal(terminal).price,
            last_deal(terminal).entry,
        )


def test_stop_limit_order_waits_for_the_next_bar() -> None:
    """After its stop inside a bar, the way of the rest is not known."""
    terminal, driver = make(
        bar(0, FLAT), bar(1, (1.1, 1.12, 1.08, 1.1)), bar(2, (1.1, 1.11, 1.09, 1.1))
    )
    driver.advance()
    send(terminal, action=5, type=6, price=1.11, stoplimit=1.095, type_filling=2)
    for _ in range(3):
        driver.advance()
    assert (0, 1) == (terminal.positions_total(), terminal.orders_total())

    for _ in range(2):
        driver.advance()
    assert 1.095 == last_deal(terminal).price


def test_stop_out_happens_inside_a_bar() -> None:
    """The worst of the bar counts, not its close."""
    terminal, driver = make(bar(0, FLAT), bar(1, (1.1, 1.1, 1.08, 1.1)))
    driver.advance()
    send(terminal, volume=5.0)
    for _ in range(3):
        driver.advance()

    assert 0 == terminal.positions_total()
    assert (1.08, mt5.DEAL_REASON_SO) == (
        last_deal(terminal).price,
        last_deal(terminal).reason,
    )
    assert 10_000 - 10_050.0 == terminal.account.equity_low


def test_days_range_holds_what_the_bars_reached() -> None:
    """symbol_info shows the day's low and high, not only opens and closes."""
    terminal, driver = make(bar(0, (1.1, 1.2, 1.0, 1.1)))
    driver.advance()
    driver.advance()

    info = terminal.symbol_info("EURUSD")
    assert info is not None
    assert (1.0, 1.2, 1.0001, 1.2001) == (
        info.bidlow,
        info.bidhigh,
        info.asklow,
        info.askhigh,
    )


def test_paced_play_goes_to_a_time() -> None:
    """advance_to plays every phase that is due, and says when the feed ended."""
    _, driver = make(bar(0, FLAT), bar(1, FLAT))

    assert driver.advance_to(START - EDGE) is True
    assert driver.now is None
    assert driver.advance_to(START + HOUR) is True
    assert START + HOUR == driver.now
    assert driver.advance_to(START + 3 * HOUR) is False
    assert START + 2 * HOUR == driver.now


def test_warm_up_is_history() -> None:
    """A terminal may start with bars behind it."""
    terminal, driver = make(*(bar(hour, FLAT) for hour in range(5)))
    driver.warm_up(3)

    rates = terminal.copy_rates_from_pos("EURUSD", mt5.TIMEFRAME_H1, 0, 10)
    assert rates is not None
    assert 3 == len(rates)
    assert START + 3 * HOUR == driver.next_at


@pytest.mark.parametrize(
    ("bars", "message"),
    [
        ((bar(1, FLAT), bar(0, FLAT)), "order of time"),
        ((bar(0, FLAT), bar(0, FLAT)), "two bars of one symbol"),
        ((bar(0, FLAT, "NOSUCH"),), "symbols file"),
    ],
)
def test_feed_that_cannot_be_played_is_refused(
    bars: tuple[Bar, ...], message: str
) -> None:
    """Bars out of order, twice, or of a symbol that the broker does not have."""

    def play() -> None:
        _, driver = make(*bars)
        while driver.advance():
            pass

    with pytest.raises(FeedError, match=message):
        play()


def test_empty_feed_ends_at_once() -> None:
    """Nothing to play is no phase."""
    _, driver = make()

    assert driver.next_at is None
    assert driver.advance() is False


def tick(second: float, bid: float) -> Tick:
    """Return a tick *second* seconds after START."""
    time = START + timedelta(seconds=second)
    return Tick(symbol="EURUSD", time=time, bid=bid, ask=round(bid + 0.0001, 5))


def test_ticks_are_played_one_by_one_and_make_bars() -> None:
    """Each tick is a phase; M1 bars are made of them, the last one closed too."""
    terminal = SimulatedTerminal(server_zone=ServerZone.parse("UTC"))
    terminal.initialize()
    terminal.symbol_select("EURUSD")
    ticks = (tick(1, 1.1), tick(30.5, 1.2), tick(61, 1.0))
    driver = drive(terminal, Ticks(ticks))

    assert isinstance(driver, TickDriver)
    times = []
    while driver.next_at is not None:
        times.append((driver.next_at - START).total_seconds())
        driver.advance()

    assert [1, 30.5, 61, 120] == times
    assert driver.advance() is False
    rates = terminal.copy_rates_from_pos("EURUSD", mt5.TIMEFRAME_M1, 1, 5)
    assert rates is not None
    start = round(START.timestamp())
    assert [
        (start, 1.1, 1.2, 1.1, 1.2, 2, 10, 0),
        (start + 60, 1.0, 1.0, 1.0, 1.0, 1, 10, 0),
    ] == rates.tolist()


def test_tick_beyond_a_stop_fills_at_the_tick() -> None:
    """A stop is a market order: it gets the first quote beyond its level."""
    terminal = SimulatedTerminal()
    terminal.initialize()
    terminal.symbol_select("EURUSD")
    driver = TickDriver(terminal, Ticks((tick(1, 1.1), tick(2, 1.0897))))
    driver.advance()
    send(terminal, sl=1.09)
    driver.advance()

    assert 1.0897 == last_deal(terminal).price


def test_ticks_out_of_order_are_refused() -> None:
    """A feed that goes back in time cannot be played."""
    driver = TickDriver(SimulatedTerminal(), Ticks((tick(2, 1.1), tick(1, 1.1))))
    driver.advance()

    with pytest.raises(FeedError, match="order of time"):
        driver.advance()


def test_bars_get_a_bar_driver() -> None:
    """`drive` takes either kind of feed."""
    assert isinstance(drive(SimulatedTerminal(), Bars(())), BarDriver)
