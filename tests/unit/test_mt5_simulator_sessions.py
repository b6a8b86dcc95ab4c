"""When the simulated market is open, and what happens while it is not.

The mark ``behaviour`` names the section and the source of a rule; see
``test_mt5_simulator_behaviour.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from runner.adapters.mt5_simulator.driver import BarDriver
from runner.adapters.mt5_simulator.sessions import DAYS, Sessions, read_sessions
from runner.adapters.mt5_simulator.structs import OrderSendResult, TradeDeal
from runner.adapters.mt5_simulator.symbols import SymbolsError, resolve_symbols
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal
from runner.core.market import Bar, Timeframe
from runner.core.server_time import ServerZone

UTC_SERVER = ServerZone.parse("UTC")
WEEKDAYS = DAYS[1:6]
EVER = (1, 2**31 - 1)


def at(text: str) -> datetime:
    """Return an ISO time as UTC; January 2026 begins on a Thursday."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def seconds(text: str) -> int:
    """Return an ISO time in seconds since 1970."""
    return round(at(text).timestamp())


def make(
    sessions: dict[str, list[str]] | None = None,
    symbol: str = "EURUSD",
    **options: Any,
) -> SimulatedTerminal:
    """Return a terminal on a UTC server, quoted on Friday afternoon."""
    fields = {} if sessions is None else {"sessions": sessions}
    terminal = SimulatedTerminal(
        server_zone=UTC_SERVER, symbols={symbol: fields}, **options
    )
    terminal.initialize()
    terminal.symbol_select(symbol)
    terminal.quote(symbol, 1.1, 1.1001, at("2026-01-16T16:00"))
    return terminal


def send(terminal: SimulatedTerminal, **fields: Any) -> OrderSendResult:
    """Send a market order, changed by *fields*; there must be an answer."""
    request = {"action": 1, "symbol": "EURUSD", "volume": 0.1, "type": 0, **fields}
    result = terminal.order_send(request)
    assert result is not None, terminal.last_error()
    return result


def last_deal(terminal: SimulatedTerminal) -> TradeDeal:
    """Return the newest deal."""
    deals = terminal.history_deals_get(*EVER)
    assert deals
    return deals[-1]


@pytest.mark.behaviour("7", "K")
@pytest.mark.parametrize(
    ("symbol", "time", "is_open"),
    [
        ("EURUSD", "2026-01-18T23:59:59", False),  # Sunday
        ("EURUSD", "2026-01-19T00:00:00", True),  # Monday
        ("EURUSD", "2026-01-20T23:59:59", True),
        ("EURUSD", "2026-01-23T23:59:59", True),  # Friday
        ("EURUSD", "2026-01-24T00:00:00", False),
        ("XAUUSD", "2026-01-19T00:59:59", False),
        ("XAUUSD", "2026-01-19T01:00:00", True),
        ("XAUUSD", "2026-01-20T00:30:00", False),
        ("XAUUSD", "2026-01-23T23:59:59", True),
        ("US500", "2026-01-20T00:30:00", False),
        ("BTCUSD", "2026-01-24T12:00:00", True),
    ],
)
def test_usual_sessions_are_a_brokers(symbol: str, time: str, is_open: bool) -> None:
    """Pairs from Monday to Friday, metals with a daily break, coins always."""
    terminal = SimulatedTerminal(server_zone=UTC_SERVER, usual_sessions=True)
    terminal.pass_time(at(time))

    assert is_open is terminal.market.is_open(terminal.known(symbol))


def test_market_never_closes_unless_asked() -> None:
    """Without sessions the market is where quotes are, weekends included."""
    terminal = make()
    terminal.quote("EURUSD", 1.1, 1.1001, at("2026-01-17T12:00"))

    assert 10009 == send(terminal).retcode


@pytest.mark.behaviour("4", "D", "K")
def test_closed_symbol_answers_10018_to_every_request() -> None:
    """Open, close, protect, place, change and remove: all are refused."""
    terminal = make(usual_sessions=True)
    opened = send(terminal, sl=1.09)
    placed = send(terminal, action=5, type=2, price=1.05, type_filling=2)

    terminal.pass_time(at("2026-01-17T10:00"))

    ticket = {"position": opened.order}
    for request in (
        {},
        {"type": 1, **ticket},
        {"action": 6, "sl": 1.08, **ticket},
        {"action": 5, "type": 2, "price": 1.04, "type_filling": 2},
        {"action": 7, "order": placed.order, "price": 1.06},
        {"action": 8, "order": placed.order},
    ):
        assert 10018 == send(terminal, **request).retcode
    assert (1, 1) == (terminal.positions_total(), terminal.orders_total())


@pytest.mark.behaviour("4", "D")
def test_check_says_closed_too() -> None:
    """`order_check` and `order_send` refuse alike."""
    terminal = make(usual_sessions=True)
    terminal.pass_time(at("2026-01-17T10:00"))

    checked = terminal.order_check(
        {"action": 1, "symbol": "EURUSD", "volume": 0.1, "type": 0}
    )

    assert checked is not None
    assert (10018, "Market closed") == (checked.retcode, checked.comment)


@pytest.mark.behaviour("7", "F")
def test_last_quote_stays_over_the_weekend() -> None:
    """Nothing tells a closed market but the age of its tick."""
    terminal = make(usual_sessions=True)
    before = terminal.symbol_info_tick("EURUSD")

    terminal.pass_time(at("2026-01-18T10:00"))

    assert before == terminal.symbol_info_tick("EURUSD")
    info = terminal.symbol_info("EURUSD")
    assert info is not None
    assert 4 == info.trade_mode


@pytest.mark.behaviour("9", "K")
def test_stop_after_a_gap_is_filled_at_the_first_quote() -> None:
    """Monday opens below the stop: the fill is Monday's quote, not the level."""
    terminal = make(usual_sessions=True)
    send(terminal, sl=1.095)

    terminal.quote("EURUSD", 1.08, 1.081, at("2026-01-19T00:00:01"))

    assert 0 == terminal.positions_total()
    assert (1.08, "[sl 1.09500]", seconds("2026-01-19T00:00:01")) == (
        last_deal(terminal).price,
        last_deal(terminal).comment,
        last_deal(terminal).time,
    )


@pytest.mark.behaviour("9", "K")
@pytest.mark.parametrize(
    ("fields", "quoted", "opened"),
    [
        ({"type": 2, "price": 1.09}, (1.0799, 1.08), (1.0849, 1.085)),
        ({"type": 4, "price": 1.12}, (1.1299, 1.13), (1.1249, 1.125)),
    ],
)
def test_quote_outside_of_the_sessions_fills_nothing(
    fields: dict[str, Any], quoted: tuple[float, float], opened: tuple[float, float]
) -> None:
    """It is shown, but an order waits for the first quote within a session."""
    terminal = make(usual_sessions=True)
    send(terminal, action=5, type_filling=2, **fields)

    terminal.quote("EURUSD", *quoted, at("2026-01-18T22:00"))
    tick = terminal.symbol_info_tick("EURUSD")
    assert tick is not None
    assert quoted == (tick.bid, tick.ask)
    assert (0, 1) == (terminal.positions_total(), terminal.orders_total())

    terminal.quote("EURUSD", *opened, at("2026-01-19T00:00"))
    assert opened[1] == last_deal(terminal).price


@pytest.mark.behaviour("9", "K")
def test_no_stop_out_while_the_market_is_closed() -> None:
    """Only what can be traded is closed: the rest waits for its market."""
    terminal = make(usual_sessions=True, balance=1000.0)
    send(terminal, volume=0.5)

    terminal.quote("EURUSD", 1.07, 1.0701, at("2026-01-18T22:00"))
    account = terminal.account_info()
    assert account is not None
    assert account.equity < 0
    assert 1 == terminal.positions_total()

    terminal.quote("EURUSD", 1.07, 1.0701, at("2026-01-19T00:00"))
    assert (0, 6) == (terminal.positions_total(), last_deal(terminal).reason)


@pytest.mark.behaviour("9", "K")
def test_order_lapses_in_a_closed_market() -> None:
    """Expiration is the clock's, not the market's."""
    terminal = make(usual_sessions=True)
    day = {"type_time": 1, "type_filling": 2}
    send(terminal, action=5, type=2, price=1.05, **day)

    terminal.pass_time(at("2026-01-17T00:00"))

    assert 0 == terminal.orders_total()


@pytest.mark.behaviour("9", "K")
def test_symbols_file_gives_a_symbol_its_own_sessions() -> None:
    """They are in force anyhow, and the other symbols stay open."""
    terminal = make({day: ["08:00-12:00", "13:00-17:30"] for day in WEEKDAYS})
    terminal.symbol_select("GBPUSD")

    for time, retcode in (
        ("2026-01-16T17:29:59", 10009),
        ("2026-01-16T17:30", 10018),
        ("2026-01-19T08:00", 10009),
        ("2026-01-19T12:30", 10018),
        ("2026-01-19T13:00", 10009),
    ):
        terminal.quote("EURUSD", 1.1, 1.1001, at(time))
        assert retcode == send(terminal).retcode, time
    terminal.quote("GBPUSD", 1.3, 1.3001, at("2026-01-19T18:00"))
    assert 10009 == send(terminal, symbol="GBPUSD").retcode


@pytest.mark.behaviour("7", "D", "F")
def test_sessions_follow_the_servers_clock() -> None:
    """Monday 00:00 in New York + 7 hours is Sunday 22:00 UTC in winter."""
    terminal = SimulatedTerminal(usual_sessions=True)

    for time, is_open in (
        ("2026-01-18T21:59", False),
        ("2026-01-18T22:00", True),
        ("2026-01-23T21:59", True),
        ("2026-01-23T22:00", False),
        ("2026-07-19T20:59", False),
        ("2026-07-19T21:00", True),
    ):
        terminal.pass_time(at(time))
        symbol = terminal.known("EURUSD")
        assert is_open is terminal.market.is_open(symbol), time


@attrs.define
class Bars:
    """A feed of given bars."""

    content: Sequence[Bar]
    timeframe: Timeframe = Timeframe.H1
    symbols: Iterable[str] = ("EURUSD",)

    def bars(self) -> Iterable[Bar]:
        """Yield the given bars."""
        return iter(self.content)


@pytest.mark.parametrize(
    ("sessions", "is_filled"),
    [
        # The bar of 15:00 is traded in part, wholly, not at all.
        (["09:00-15:05"], True),
        (["15:55-18:00"], True),
        (["09:00-18:00"], True),
        (["09:00-15:00"], False),
        (["16:00-18:00"], False),
    ],
)
def test_bar_fills_if_any_of_it_is_traded(sessions: list[str], is_filled: bool) -> None:
    """What a bar reached counts unless it lies outside of every session."""
    terminal = SimulatedTerminal(
        server_zone=UTC_SERVER, symbols={"EURUSD": {"sessions": {"friday": sessions}}}
    )
    terminal.initialize()
    terminal.symbol_select("EURUSD")
    bars = [
        Bar("EURUSD", Timeframe.H1, at(f"2026-01-16T{hour}:00"), *prices, 9, 10)
        for hour, prices in ((15, (1.1, 1.1, 1.0, 1.1)), (19, (1.1, 1.1, 1.1, 1.1)))
    ]
    driver = BarDriver(terminal, Bars(bars))
    driver.advance()
    symbol = terminal.known("EURUSD")
    usual, symbol.sessions = symbol.sessions, None
    send(terminal, sl=1.05)
    symbol.sessions = usual

    driver.advance()
    driver.advance()

    assert (0 if is_filled else 1) == terminal.positions_total()


def test_time_passes_without_a_quote() -> None:
    """The server's clock goes on: nights cost swap, a past time changes nothing."""
    terminal = make(symbol="EURUSD")
    terminal.known("EURUSD").fields["swap_long"] = -8.0
    send(terminal, volume=1.0)

    terminal.pass_time(at("2026-01-19T12:00"))
    assert [-8.0] == [held.swap for held in terminal.positions_get() or ()]
    assert seconds("2026-01-19T12:00") == terminal.market.time

    terminal.pass_time(at("2026-01-17T12:00"))
    assert seconds("2026-01-19T12:00") == terminal.market.time


def test_midnight_between_two_days_of_trading_closes_nothing() -> None:
    """Sessions that touch, or overlap, are one."""
    faults: list[str] = []
    table = {
        "monday": ["00:00-24:00"],
        "tuesday": ["00:00-12:00", "11:00-13:00"],
    }

    sessions = read_sessions("$", table, faults)

    assert [] == faults
    day = 86_400
    assert Sessions((day,), (2 * day + 13 * 3600,)) == sessions


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("always", r"\$\.EURUSD\.sessions: expected days with their sessions"),
        ({"Monday": []}, r"\$\.EURUSD\.sessions\.Monday: expected one of sunday, "),
        ({"monday": "01:00-02:00"}, r"sessions\.monday: expected a list of sessions"),
        ({"monday": ["1-2"]}, r"monday\[0\]: expected a session such as .*got '1-2'"),
        ({"monday": ["02:00-01:00"]}, r"monday\[0\]: expected a session"),
        ({"monday": ["00:00-24:01"]}, r"monday\[0\]: expected a session"),
        ({"monday": ["00:00-01:00", 5]}, r"monday\[1\]: .*got 5"),
    ],
)
def test_wrong_sessions_are_refused_with_their_path(
    table: object, message: str
) -> None:
    """Where it is, what was expected, what is there."""
    with pytest.raises(SymbolsError, match=message):
        resolve_symbols({"EURUSD": {"sessions": table}})


def test_sessions_nearly_spelt_are_recognised() -> None:
    """A near miss says which field was meant."""
    with pytest.raises(SymbolsError, match="did you mean sessions"):
        resolve_symbols({"EURUSD": {"session": {}}})
