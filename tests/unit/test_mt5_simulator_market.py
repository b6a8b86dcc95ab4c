"""Bars, ticks and symbols of the simulated terminal.

The mark ``behaviour`` names the section and the source of a rule; see
``test_mt5_simulator_behaviour.py``.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.adapters.mt5_simulator import constants as mt5
from runner.adapters.mt5_simulator.bars import RATES, BarHistory, Rows, bar_opens
from runner.adapters.mt5_simulator.symbols import (
    SymbolsError,
    read_symbols,
    resolve_symbols,
    with_digits,
)
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal
from runner.core.market import Timeframe
from runner.core.server_time import ServerZone

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
UTC_SERVER = ServerZone.parse("UTC")
MIDNIGHT = datetime(2026, 1, 15, tzinfo=UTC)


def make(*minutes: int, **options: Any) -> SimulatedTerminal:
    """Return a terminal whose EURUSD rose a point at each of *minutes* after noon."""
    terminal = SimulatedTerminal(server_zone=UTC_SERVER, **options)
    terminal.initialize()
    terminal.symbol_select("EURUSD")
    for number, minute in enumerate(minutes):
        bid = round(1.1 + number * 0.00001, 5)
        terminal.quote("EURUSD", bid, bid + 0.0001, NOON + timedelta(minutes=minute))
    return terminal


def seconds(text: str) -> int:
    """Return an ISO time, read as if it were UTC, in seconds since 1970."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


# Ticks and symbols


@pytest.mark.behaviour("7", "D")
def test_tick_shows_the_latest_quote() -> None:
    """Time in seconds and milliseconds, bid and ask, no last price."""
    terminal = make(0)
    terminal.quote("EURUSD", 1.2, 1.2002, NOON + timedelta(seconds=5, milliseconds=250))

    tick = terminal.symbol_info_tick("EURUSD")

    assert tick is not None
    noon = round(NOON.timestamp())
    assert (noon + 5, 1.2, 1.2002, 0.0, 0, noon * 1000 + 5250, 6, 0.0) == tuple(tick)


@pytest.mark.behaviour("5", "D")
def test_symbol_must_be_selected() -> None:
    """Symbols outside Market Watch give no ticks and no rates."""
    terminal = SimulatedTerminal()
    terminal.initialize()
    terminal.quote("EURUSD", 1.1, 1.1001, NOON)

    assert terminal.symbol_info_tick("EURUSD") is None
    info = terminal.symbol_info("EURUSD")
    assert info is not None
    assert (False, False) == (info.select, info.visible)
    assert terminal.symbol_select("EURUSD") is True
    assert terminal.symbol_info_tick("EURUSD") is not None


@pytest.mark.behaviour("5", "D")
def test_traded_symbol_stays_selected() -> None:
    """A symbol cannot leave Market Watch while a position uses it."""
    terminal = make(0)
    terminal.order_send({"action": 1, "symbol": "EURUSD", "volume": 0.1, "type": 0})

    assert terminal.symbol_select("EURUSD", False) is False
    assert (-1, "Terminal: Call failed") == terminal.last_error()
    assert terminal.symbol_select("GBPUSD") is True
    assert terminal.symbol_select("GBPUSD", False) is True


@pytest.mark.behaviour("5", "D")
def test_symbol_info_shows_rules_and_quote() -> None:
    """The static rules, the spread of the moment, the day's range."""
    terminal = make(0, 1)
    terminal.quote("EURUSD", 1.09, 1.0902, NOON + timedelta(minutes=2))

    info = terminal.symbol_info("EURUSD")

    assert info is not None
    assert ("EURUSD", 5, 0.00001, 100_000.0, "EUR", "USD") == (
        info.name,
        info.digits,
        info.point,
        info.trade_contract_size,
        info.currency_base,
        info.currency_profit,
    )
    assert (20, 1.09, 1.0902) == (info.spread, info.bid, info.ask)
    assert (1.09, 1.10001, 1.0902, 1.10011) == (
        info.bidlow,
        info.bidhigh,
        info.asklow,
        info.askhigh,
    )
    assert 1.0 == pytest.approx(info.trade_tick_value)


@pytest.mark.behaviour("5", "D")
def test_days_range_begins_anew() -> None:
    """At the server's midnight the day's low and high are forgotten."""
    terminal = make(0)
    terminal.quote("EURUSD", 1.2, 1.2001, NOON + timedelta(days=1))

    info = terminal.symbol_info("EURUSD")

    assert info is not None
    assert (1.2, 1.2) == (info.bidlow, info.bidhigh)


@pytest.mark.behaviour("5", "D")
def test_symbols_are_found_by_group() -> None:
    """symbols_get and symbols_total know every symbol of the broker."""
    terminal = make()

    everything = terminal.symbols_get()
    assert isinstance(everything, tuple)
    assert len(everything) == terminal.symbols_total()
    pairs = terminal.symbols_get("EUR*,!*JPY")
    assert isinstance(pairs, tuple)
    assert ["EURUSD", "EURGBP", "EURCHF"] == [info.name for info in pairs]
    named = terminal.symbols_get(group="XAUUSD")
    assert isinstance(named, tuple)
    assert "Gold" == named[0].description


@pytest.mark.parametrize(("bid", "ask"), [(0.0, 1.0), (1.1, 1.0), (float("nan"), 1.0)])
def test_impossible_quote_is_refused(bid: float, ask: float) -> None:
    """A quote needs 0 < bid <= ask."""
    with pytest.raises(ValueError, match="EURUSD: expected 0 < bid <= ask"):
        make().quote("EURUSD", bid, ask, NOON)


def test_unknown_symbol_cannot_be_quoted() -> None:
    """The error names what the broker has and how to add to it."""
    with pytest.raises(ValueError, match="symbols file"):
        make().quote("EURUSD.x", 1.0, 1.1, NOON)


# Bars


@pytest.mark.behaviour("7", "D")
def test_position_zero_is_the_forming_bar() -> None:
    """Oldest first; the last one goes on changing until the next opens."""
    terminal = make(0, 0, 1, 1, 1)

    rates = terminal.copy_rates_from_pos("EURUSD", mt5.TIMEFRAME_M1, 0, 10)

    assert rates is not None
    noon = round(NOON.timestamp())
    assert [
        (noon, 1.1, 1.10001, 1.1, 1.10001, 2, 10, 0),
        (noon + 60, 1.10002, 1.10004, 1.10002, 1.10004, 3, 10, 0),
    ] == rates.tolist()
    assert RATES == rates.dtype


@pytest.mark.behaviour("7", "D")
def test_positions_count_back_from_the_forming_bar() -> None:
    """start_pos 1 is the newest closed bar; fewer bars come if there are fewer."""
    terminal = make(0, 1, 2, 3)

    rates = terminal.copy_rates_from_pos("EURUSD", 1, 1, 2)
    everything = terminal.copy_rates_from_pos("EURUSD", 1, 1, 50)

    assert rates is not None
    assert everything is not None
    noon = round(NOON.timestamp())
    assert [noon + 60, noon + 120] == rates["time"].tolist()
    assert 3 == len(everything)


def test_result_is_a_copy() -> None:
    """What was returned does not change when the market goes on."""
    terminal = make(0)
    rates = terminal.copy_rates_from_pos("EURUSD", 1, 0, 1)
    terminal.quote("EURUSD", 1.2, 1.2001, NOON)

    assert rates is not None
    assert 1.1 == rates["close"][0]


@pytest.mark.behaviour("7", "F")
@pytest.mark.parametrize(
    ("args", "error"),
    [
        (("EURUSD", 1, 0, 100_000), (-2, "Terminal: Invalid params")),
        (("EURUSD", 1, 0, 0), (-2, "Terminal: Invalid params")),
        (("EURUSD", 1, -1, 1), (-2, "Terminal: Invalid params")),
        (("EURUSD", 7, 0, 1), (-2, "Terminal: Invalid params")),
        (("EURUSD", 1, 3, 1), (-1, "Terminal: Call failed")),
    ],
)
def test_rates_that_cannot_be_given(
    args: tuple[Any, ...], error: tuple[int, str]
) -> None:
    """Too many bars at once -2, an offset beyond the history -1."""
    terminal = make(0, 1, 2)

    assert terminal.copy_rates_from_pos(*args) is None
    assert error == terminal.last_error()


@pytest.mark.behaviour("7", "F")
def test_99999_bars_may_be_asked_for() -> None:
    """One less than maxbars is good on a real terminal."""
    assert make(0).copy_rates_from_pos("EURUSD", 1, 0, 99_999) is not None


@pytest.mark.behaviour("7", "D")
def test_rates_are_found_by_date() -> None:
    """copy_rates_from goes back from a date, copy_rates_range has both ends."""
    terminal = make(0, 1, 2, 3)
    noon = round(NOON.timestamp())

    back = terminal.copy_rates_from("EURUSD", 1, noon + 150, 2)
    span = terminal.copy_rates_range(
        "EURUSD", 1, NOON + timedelta(minutes=1), NOON + timedelta(minutes=3)
    )
    nothing = terminal.copy_rates_range("EURUSD", 1, 1, 2)

    assert back is not None
    assert span is not None
    assert nothing is not None
    assert [noon + 60, noon + 120] == back["time"].tolist()
    assert [noon + 60, noon + 120, noon + 180] == span["time"].tolist()
    assert 0 == len(nothing)


@pytest.mark.behaviour("7", "D")
def test_longer_bars_are_made_of_shorter_ones() -> None:
    """Several timeframes come from one feed, and follow it."""
    terminal = make(0, 4, 5, 14, 16)

    rates = terminal.copy_rates_from_pos("EURUSD", mt5.TIMEFRAME_M5, 0, 10)
    assert rates is not None
    noon = round(NOON.timestamp())
    assert [
        (noon, 1.1, 1.10001, 1.1, 1.10001, 2, 10, 0),
        (noon + 300, 1.10002, 1.10002, 1.10002, 1.10002, 1, 10, 0),
        (noon + 600, 1.10003, 1.10003, 1.10003, 1.10003, 1, 10, 0),
        (noon + 900, 1.10004, 1.10004, 1.10004, 1.10004, 1, 10, 0),
    ] == rates.tolist()

    terminal.quote("EURUSD", 1.2, 1.2001, NOON + timedelta(minutes=17))
    rates = terminal.copy_rates_from_pos("EURUSD", mt5.TIMEFRAME_M5, 0, 1)
    assert rates is not None
    assert [(noon + 900, 1.10004, 1.2, 1.10004, 1.2, 2, 10, 0)] == rates.tolist()


@pytest.mark.behaviour("7", "D")
@pytest.mark.parametrize(
    ("timeframe", "time", "opens"),
    [
        (Timeframe.M1, "2026-01-15T13:47:59", "2026-01-15T13:47"),
        (Timeframe.H4, "2026-01-15T13:47", "2026-01-15T12:00"),
        (Timeframe.D1, "2026-01-15T13:47", "2026-01-15"),
        # A week begins on Sunday.
        (Timeframe.W1, "2026-01-17T23:59", "2026-01-11"),
        (Timeframe.W1, "2026-01-18T00:00", "2026-01-18"),
        (Timeframe.MN1, "2026-02-28T23:59", "2026-02-01"),
        (Timeframe.MN1, "2024-02-29T23:59", "2024-02-01"),
    ],
)
def test_bar_opens_on_the_servers_calendar(
    timeframe: Timeframe, time: str, opens: str
) -> None:
    """Days, weeks and months are the server's."""
    assert seconds(opens) == bar_opens(timeframe, [seconds(time)])[0]


def test_shorter_bars_than_the_feeds_cannot_be_made() -> None:
    """The terminal has no history of them: -1, as for a symbol without any."""
    terminal = make()
    terminal.known("EURUSD").history(Timeframe.H1)
    terminal.quote("EURUSD", 1.1, 1.1001, NOON)

    assert terminal.copy_rates_from_pos("EURUSD", mt5.TIMEFRAME_H1, 0, 1) is not None
    assert terminal.copy_rates_from_pos("EURUSD", mt5.TIMEFRAME_M30, 0, 1) is None
    assert (-1, "Terminal: Call failed") == terminal.last_error()


@given(
    st.lists(st.tuples(st.integers(0, 90), st.integers(100, 200)), min_size=1),
    st.sampled_from([Timeframe.M5, Timeframe.M15, Timeframe.H1, Timeframe.D1]),
    st.sets(st.integers(0, 100)),
    st.integers(2, 12),
)
@example(
    moves=[(0, 100), (3, 100), (3, 100), (39, 100), (3, 100), (3, 100), (3, 100)],
    timeframe=Timeframe.M5,
    reads={0},
    limit=2,
)
def test_folding_now_and_then_is_folding_at_once(
    moves: list[tuple[int, int]], timeframe: Timeframe, reads: set[int], limit: int
) -> None:
    """When longer bars are read, and how much is forgotten, changes none of them."""
    history = BarHistory(Timeframe.M1, limit)
    time, quotes = 0, []
    for number, (gap, price) in enumerate(moves):
        time += gap * 20
        quotes.append((time, float(price)))
        history.quote(time, float(price), 1)
        if number in reads:
            history.rates(timeframe)
    rows = history.rates(timeframe)
    assert rows is not None

    expected: dict[int, list[float]] = {}
    for moment, value in quotes:
        opens = moment - moment % (timeframe.value * 60)
        expected.setdefault(opens, []).append(value)
    shown = rows.view().tolist()
    wanted = [
        (opens, float(p[0]), max(p), min(p), p[-1], len(p), 1, 0)
        for opens, p in expected.items()
    ][-len(shown) :]
    # The oldest one left may have lost its beginning with what was forgotten.
    complete = 0 if len(quotes) <= limit else 1
    assert wanted[complete:] == shown[complete:]


def test_rows_forget_the_oldest() -> None:
    """The buffer holds at most twice its limit and never less than it."""
    rows = Rows(RATES, 4)
    for number in range(50):
        rows.append((number, 0.0, 0.0, 0.0, 0.0, 0, 0, 0))
        assert min(number + 1, 4) <= rows.size <= 8
        assert number == rows.view()["time"][-1]
        assert rows.dropped + rows.size == number + 1


@pytest.mark.behaviour("3", "F")
def test_ticks_are_found_by_date() -> None:
    """copy_ticks_from goes on from a date; a quiet span is an empty array."""
    terminal = make(0, 1, 2)
    noon = round(NOON.timestamp())

    some = terminal.copy_ticks_from("EURUSD", noon + 60, 5, mt5.COPY_TICKS_ALL)
    span = terminal.copy_ticks_range("EURUSD", noon, noon + 60, mt5.COPY_TICKS_INFO)
    quiet = terminal.copy_ticks_range("EURUSD", 1, 2, mt5.COPY_TICKS_ALL)
    assert (1, "Success") == terminal.last_error()

    assert some is not None
    assert span is not None
    assert quiet is not None
    assert [noon + 60, noon + 120] == some["time"].tolist()
    assert [(noon, 1.1, 1.1001, 0.0, 0, noon * 1000, 6, 0.0)] == span[:1].tolist()
    assert (2, 0) == (len(span), len(quiet))


def test_trade_ticks_are_none_here() -> None:
    """COPY_TICKS_TRADE asks for changes of last and volume: there are none."""
    ticks = make(0, 1).copy_ticks_from("EURUSD", 1, 5, mt5.COPY_TICKS_TRADE)

    assert ticks is not None
    assert 0 == len(ticks)


@pytest.mark.behaviour("7", "D")
@pytest.mark.parametrize(("count", "error"), [(1_000_000, 1), (0, -2), (-1, -2)])
def test_any_number_of_ticks_may_be_asked_for(count: int, error: int) -> None:
    """The documentation's example asks for 100,000: maxbars limits bars alone."""
    terminal = make(0, 1)

    ticks = terminal.copy_ticks_from("EURUSD", NOON, count, mt5.COPY_TICKS_ALL)

    assert (error == 1) == (ticks is not None)
    assert error == terminal.last_error()[0]


@pytest.mark.behaviour("7", "D")
def test_unknown_tick_flags_are_refused() -> None:
    """Flags are one of the three COPY_TICKS constants."""
    assert make(0).copy_ticks_from("EURUSD", 1, 5, 99) is None


def test_depth_is_unsupported_unless_the_symbol_has_it() -> None:
    """ticks_bookdepth 0: no depth; else one line a side, all at the quote."""
    terminal = make(0, symbols={"EURUSD": {"ticks_bookdepth": 1}})
    terminal.symbol_select("GBPUSD")

    assert terminal.market_book_add("GBPUSD") is False
    assert (-7, "Terminal: Unsupported function") == terminal.last_error()
    assert terminal.market_book_get("EURUSD") is None
    assert terminal.market_book_add("EURUSD") is True
    book = terminal.market_book_get("EURUSD")
    assert book is not None
    assert [(1, 1.1001, 100, 100.0), (2, 1.1, 100, 100.0)] == [tuple(x) for x in book]
    assert terminal.market_book_release("EURUSD") is True
    assert terminal.market_book_release("EURUSD") is False


@pytest.mark.behaviour("7", "W")
def test_unsigned_volumes_wrap() -> None:
    """Volumes are unsigned, so that a difference below zero wraps, as there."""
    rates = make(0, 0, 1).copy_rates_from_pos("EURUSD", 1, 0, 2)

    assert rates is not None
    assert np.diff(rates["tick_volume"])[0] == 2**64 - 1


@pytest.mark.behaviour("7", "D")
def test_bars_are_of_bids() -> None:
    """A rise of the ask alone moves none of a bar's prices, only its spread."""
    terminal = make()
    terminal.quote("EURUSD", 1.1, 1.1001, NOON)
    terminal.quote("EURUSD", 1.1, 1.2, NOON)

    rates = terminal.copy_rates_from_pos("EURUSD", 1, 0, 1)

    assert rates is not None
    noon = round(NOON.timestamp())
    assert [(noon, 1.1, 1.1, 1.1, 1.1, 2, 10_000, 0)] == rates.tolist()


@pytest.mark.behaviour("7", "D")
def test_bars_count_ticks_and_no_real_volume() -> None:
    """tick_volume is the number of quotes; real_volume is 0 on currencies."""
    rates = make(0, 0, 0, 1).copy_rates_from_pos("EURUSD", 1, 0, 2)

    assert rates is not None
    assert ([3, 1], [0, 0]) == (
        rates["tick_volume"].tolist(),
        rates["real_volume"].tolist(),
    )


@pytest.mark.behaviour("7", "W")
@pytest.mark.parametrize(
    "name", [name for name in vars(mt5) if name.startswith("TIMEFRAME_")]
)
def test_every_timeframe_is_served(name: str) -> None:
    """All 21 of them, W1 as 32769 and MN1 as 49153 among them."""
    rates = make(0).copy_rates_from_pos("EURUSD", getattr(mt5, name), 0, 5)

    assert rates is not None
    assert (1, 1.1) == (len(rates), rates["close"][0])
    assert rates["time"][0] <= round(NOON.timestamp())


@pytest.mark.behaviour("7", "F")
def test_no_more_than_maxbars_are_shown() -> None:
    """A span of as many is -2; older bars are beyond the history: -1."""
    terminal = make()
    history = terminal.known("EURUSD").history(Timeframe.M1)
    for number in range(100_050):
        history.begin(number * 60, 1.1, 10)
    info = terminal.terminal_info()
    assert info is not None
    assert 100_000 == info.maxbars

    assert terminal.copy_rates_range("EURUSD", 1, 1, 2**31 - 1) is None
    assert (-2, "Terminal: Invalid params") == terminal.last_error()
    assert terminal.copy_rates_from_pos("EURUSD", 1, 100_000, 1) is None
    assert (-1, "Terminal: Call failed") == terminal.last_error()
    oldest = terminal.copy_rates_from_pos("EURUSD", 1, 99_990, 50)
    assert oldest is not None
    assert [number * 60 for number in range(50, 60)] == oldest["time"].tolist()


@pytest.mark.behaviour("7", "W")
def test_ticks_are_the_quotes() -> None:
    """Seconds and milliseconds agree; no last price, no volume, both flags."""
    terminal = make()
    moment = NOON + timedelta(milliseconds=1250)
    terminal.quote("EURUSD", 1.1, 1.1001, moment)

    ticks = terminal.copy_ticks_from("EURUSD", NOON, 9, mt5.COPY_TICKS_ALL)

    assert ticks is not None
    noon = round(NOON.timestamp())
    both = mt5.TICK_FLAG_BID | mt5.TICK_FLAG_ASK
    assert [
        (noon + 1, 1.1, 1.1001, 0.0, 0, noon * 1000 + 1250, both, 0.0)
    ] == ticks.tolist()


@pytest.mark.behaviour("7", "W")
def test_depth_has_sellers_and_buyers() -> None:
    """BOOK_TYPE_SELL 1 at the ask, BOOK_TYPE_BUY 2 at the bid."""
    terminal = make(0, symbols={"EURUSD": {"ticks_bookdepth": 1}})
    terminal.market_book_add("EURUSD")

    book = terminal.market_book_get("EURUSD") or ()

    assert [(1, 1.1001), (2, 1.1)] == [(line.type, line.price) for line in book]


@pytest.mark.behaviour("5", "D")
def test_symbol_with_a_pending_order_stays_selected() -> None:
    """Until the order is gone."""
    terminal = make(0)
    request = {"action": 5, "symbol": "EURUSD", "volume": 0.1, "type": 2, "price": 1.0}
    placed = terminal.order_send(request)
    assert placed is not None

    assert terminal.symbol_select("EURUSD", False) is False
    terminal.order_send({"action": 8, "order": placed.order})
    assert terminal.symbol_select("EURUSD", False) is True


@pytest.mark.behaviour("5", "D")
def test_symbol_may_be_selected_twice() -> None:
    """It is no error to choose what is chosen."""
    terminal = make(0)

    assert terminal.symbol_select("EURUSD") is True
    assert terminal.symbol_select("EURUSD", True) is True
    info = terminal.symbol_info("EURUSD")
    assert info is not None
    assert (True, True) == (info.select, info.visible)


@pytest.mark.behaviour("5", "D")
def test_spread_is_in_points() -> None:
    """And floats with the quotes."""
    terminal = make(0)
    terminal.quote("EURUSD", 1.1, 1.10017, NOON + timedelta(minutes=1))

    info = terminal.symbol_info("EURUSD")

    assert info is not None
    assert (17, True) == (info.spread, info.spread_float)


# Time


@pytest.mark.behaviour("6", "D", "F")
@pytest.mark.parametrize(
    ("zone", "hours"),
    [
        ("America/New_York+7", (2, 3)),
        ("UTC", (0, 0)),
        ("UTC+3", (3, 3)),
        ("Europe/Athens", (2, 3)),
    ],
)
def test_times_are_a_wall_clock(zone: str, hours: tuple[int, int]) -> None:
    """Ticks, bars, orders: winter and summer, whatever rule the server follows."""
    terminal = SimulatedTerminal(server_zone=ServerZone.parse(zone))
    terminal.initialize()
    terminal.symbol_select("EURUSD")
    for month, ahead in zip((1, 7), hours, strict=True):
        moment = NOON.replace(month=month)
        expected = round((moment + timedelta(hours=ahead)).timestamp())
        terminal.quote("EURUSD", 1.1, 1.1001, moment)
        request = {"action": 5, "symbol": "EURUSD", "volume": 0.1, "type": 2}
        terminal.order_send({**request, "price": 1.0})

        tick = terminal.symbol_info_tick("EURUSD")
        info = terminal.symbol_info("EURUSD")
        rates = terminal.copy_rates_from_pos("EURUSD", 1, 0, 1)
        *_, order = terminal.orders_get() or ()
        assert tick is not None
        assert info is not None
        assert rates is not None
        assert [expected] * 4 == [
            tick.time,
            info.time,
            rates["time"][0],
            order.time_setup,
        ]


@pytest.mark.behaviour("6", "F")
def test_now_in_utc_misses_the_newest_deals() -> None:
    """On a server ahead of UTC they lie in the future; a day more has them."""
    terminal = SimulatedTerminal(server_zone=ServerZone.parse("UTC+3"))
    terminal.initialize()
    terminal.symbol_select("EURUSD")
    terminal.quote("EURUSD", 1.1, 1.1001, NOON)
    terminal.order_send({"action": 1, "symbol": "EURUSD", "volume": 0.1, "type": 0})

    assert () == terminal.history_deals_get(NOON - timedelta(days=1), NOON)
    found = terminal.history_deals_get(
        NOON - timedelta(days=1), NOON + timedelta(days=1)
    )
    assert found is not None
    assert 2 == len(found)  # the deposit and the deal


@pytest.mark.behaviour("6", "W")
def test_ints_are_on_the_servers_clock() -> None:
    """What a tick shows as its time finds its bar and its tick, without conversion."""
    terminal = SimulatedTerminal(server_zone=ServerZone.parse("UTC+3"))
    terminal.initialize()
    terminal.symbol_select("EURUSD")
    terminal.quote("EURUSD", 1.1, 1.1001, NOON)
    tick = terminal.symbol_info_tick("EURUSD")
    assert tick is not None

    rates = terminal.copy_rates_range("EURUSD", 1, tick.time, tick.time)
    ticks = terminal.copy_ticks_range("EURUSD", tick.time, tick.time, -1)

    assert rates is not None
    assert ticks is not None
    assert (1, 1) == (len(rates), len(ticks))


# The symbols file


def test_symbols_override_the_built_in_ones() -> None:
    """Fields that are not given keep their built-in value."""
    symbols = resolve_symbols({"EURUSD": {"volume_min": 0.1, "swap_long": 1}})

    assert (0.1, 1.0, 5, 0.00001) == (
        symbols["EURUSD"]["volume_min"],
        symbols["EURUSD"]["swap_long"],
        symbols["EURUSD"]["digits"],
        symbols["EURUSD"]["point"],
    )
    assert 0.01 == symbols["GBPUSD"]["volume_min"]


def test_new_symbol_needs_what_cannot_be_guessed() -> None:
    """Digits, contract size and profit currency; the rest has defaults."""
    new = {"digits": 3, "trade_contract_size": 10, "currency_profit": "USD"}

    symbol = resolve_symbols({"OIL": new})["OIL"]

    assert (0.001, 0.001, 10.0, "OIL", "USD") == (
        symbol["point"],
        symbol["trade_tick_size"],
        symbol["trade_contract_size"],
        symbol["name"],
        symbol["currency_margin"],
    )


def test_more_digits_make_the_points_smaller() -> None:
    """XAUUSD with 3 digits: spread and swap keep their price in smaller points."""
    two, three = (
        resolve_symbols({"XAUUSD": {"digits": digits}})["XAUUSD"] for digits in (2, 3)
    )

    assert (0.01, 0.001) == (two["point"], three["point"])
    assert two["spread"] * 10 == three["spread"]
    assert two["swap_long"] * 10 == three["swap_long"]


def test_feed_with_more_decimals_decides_the_digits() -> None:
    """Unless the user gave digits; fewer decimals prove nothing."""
    feed = {"XAUUSD": 3, "EURUSD": 4, "USDJPY": 5, "NEW": 2}
    given = {"USDJPY": {"digits": 3}, "XAUUSD": {"spread": 30}}

    merged = with_digits(given, feed)

    assert {"XAUUSD": {"spread": 30, "digits": 3}, "USDJPY": {"digits": 3}} == merged
    assert {"XAUUSD": {"spread": 30}, "USDJPY": {"digits": 3}} == given


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], r"\$: expected an object"),
        ({"EURUSD": 5}, r"\$\.EURUSD: expected an object, got 5"),
        ({"EURUSD": {"digts": 5}}, r"\$\.EURUSD\.digts: .*did you mean digits\?"),
        ({"EURUSD": {"digits": "5"}}, r"\$\.EURUSD\.digits: expected int, got '5'"),
        ({"EURUSD": {"digits": True}}, r"expected int, got True"),
        ({"EURUSD": {"digits": 9}}, r"\$\.EURUSD\.digits: must be 0 to 8, got 9"),
        ({"EURUSD": {"point": 0}}, r"\$\.EURUSD\.point: must be > 0, got 0\.0"),
        ({"EURUSD": {"trade_calc_mode": 34}}, r"trade_calc_mode: 34 is not simulated"),
        ({"EURUSD": {"swap_mode": 7}}, r"swap_mode: 7 is not simulated"),
        ({"OIL": {"digits": 2}}, r"\$\.OIL\.trade_contract_size: needed"),
    ],
)
def test_wrong_symbols_file_is_refused_with_its_path(
    tmp_path: Path, content: object, message: str
) -> None:
    """Every fault says where in the file it is, what was expected, what is there."""
    path = tmp_path / "symbols.json"
    path.write_text(json.dumps(content))

    with pytest.raises(SymbolsError, match=message) as caught:
        read_symbols(path)
    assert str(path) in str(caught.value)


def test_every_fault_is_named_at_once(tmp_path: Path) -> None:
    """Two faults are two messages, not two tries."""
    path = tmp_path / "symbols.json"
    path.write_text(json.dumps({"EURUSD": {"digits": "5", "point": -1}}))

    with pytest.raises(SymbolsError, match=r"digits: .*; \$\.EURUSD\.point"):
        read_symbols(path)


def test_symbols_file_that_is_no_json_is_refused(tmp_path: Path) -> None:
    """An unreadable file is named."""
    path = tmp_path / "symbols.json"
    with pytest.raises(SymbolsError, match="not readable as JSON"):
        read_symbols(path)
    path.write_text("{")
    with pytest.raises(SymbolsError, match="not readable as JSON"):
        read_symbols(path)


def test_good_symbols_file_makes_a_terminal(tmp_path: Path) -> None:
    """What was read is what the terminal takes."""
    path = tmp_path / "symbols.json"
    path.write_text(json.dumps({"EURUSD": {"trade_stops_level": 10}}))

    terminal = SimulatedTerminal(symbols=read_symbols(path))
    terminal.initialize()

    info = terminal.symbol_info("EURUSD")
    assert info is not None
    assert 10 == info.trade_stops_level
