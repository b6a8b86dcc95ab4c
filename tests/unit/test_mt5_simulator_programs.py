"""Programs that were written for the real module run on its twin unchanged.

``tests/data/mt5_programs`` does, function by function, what the examples of the
module's official documentation do: dictionaries and DataFrames made of its records,
dates with and without zones, requests with and without a filling mode that the
symbol takes. Each program imports ``MetaTrader5`` and knows of nothing else.
"""

from __future__ import annotations

import contextlib
import runpy
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import runner.adapters.mt5_simulator as twin
from runner.adapters.feeds.synthetic import SyntheticFeed
from runner.adapters.mt5_simulator.bars import RATES, TICKS
from runner.core.market import Timeframe

PROGRAMS = Path(__file__).parent.parent / "data" / "mt5_programs"
SYMBOLS = ("EURUSD", "GBPUSD", "USDJPY", "USDCHF", "EURJPY")
ACCOUNT: dict[str, Any] = {
    "login": 25115284,
    "password": "ehj4bh",
    "server": "MetaQuotes-Demo",
    "balance": 100_000.0,
    "symbols": {"EURUSD": {"ticks_bookdepth": 10}},
}


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Any]:
    """Return what runs a program on eleven days of a market, and gives its lines."""
    monkeypatch.setitem(sys.modules, "MetaTrader5", twin)

    def run(program: str, *args: str, **options: Any) -> list[str]:
        twin.terminal.reset(**{**ACCOUNT, **options})
        account = {name: ACCOUNT[name] for name in ("login", "password", "server")}
        twin.initialize(**account)
        for symbol in SYMBOLS:
            twin.symbol_select(symbol)
        feed = SyntheticFeed(
            SYMBOLS, timeframe=Timeframe.M30, start=datetime(2026, 1, 10, tzinfo=UTC)
        )
        twin.drive(twin.terminal, feed).advance_to(
            datetime(2026, 1, 21, 12, tzinfo=UTC)
        )
        twin.shutdown()
        path = PROGRAMS / f"{program}.py"
        monkeypatch.setattr(sys, "argv", [str(path), *args])
        capsys.readouterr()
        with contextlib.suppress(SystemExit):  # the examples leave by quit()
            runpy.run_path(str(path), run_name="__main__")
        return capsys.readouterr().out.splitlines()

    yield run
    twin.terminal.reset()


def test_connection(run: Any) -> None:
    """initialize, version, terminal_info, login good and bad, shutdown, last_error."""
    assert [
        "MetaTrader5 package author:  MetaQuotes Ltd.",
        "MetaTrader5 package version:  5.0.6231",
        "(500, 6231, '27 Sep 2026')",
        "Simulated terminal True True 6231",
        "connected to account #25115284",
        "failed to connect, error code: (-6, 'Terminal: Authorization failed')",
        "True",
        "None (-10004, 'No IPC connection')",
    ] == run("connection")


def test_account(run: Any) -> None:
    """account_info and terminal_info as dictionaries and as a table."""
    lines = run("account")

    assert "rows: 28" in lines
    for line in (
        "  login=25115284",
        "  balance=100000.0",
        "  server=MetaQuotes-Demo",
        "  currency=USD",
        "  trade_allowed=True",
        "  maxbars=100000",
        "  build=6231",
    ):
        assert line in lines


def test_symbols(run: Any) -> None:
    """symbols_total, symbols_get with masks, symbol_info, its tick, symbol_select."""
    assert [
        "Total symbols = 19",
        "Symbols:  19",
        "1. EURUSD",
        "2. GBPUSD",
        "3. USDJPY",
        "len(*EUR*):  4",
        "len(*,!*USD*,!*EUR*,!*JPY*,!*GBP*): 4",
        "US30 : 4",
        "US500 : 4",
        "NAS100 : 4",
        "GER40 : 4",
        "EURJPY: digits = 3  point = 0.001",
        "properties: 96",
        f"tick keys: {sorted(twin.Tick.__match_args__)}",
        "spread kept: True",
        "Failed to select EURCAD, error code = (-4, 'Terminal: Not found')",
    ] == run("symbols")


def test_depth_of_market(run: Any) -> None:
    """market_book_add, _get and _release, and a symbol without any depth."""
    line = "['price', 'type', 'volume', 'volume_dbl']"

    assert [
        *[f"1 100 {line}", f"2 100 {line}"] * 3,
        "True",
        "no depth of GBPUSD, error code = -7",
    ] == run("book")


def test_rates(run: Any) -> None:
    """copy_rates_from, _from_pos and _range, as tables with times."""
    assert [
        f"8 {RATES.names}",
        "from: 10 2026-01-20 00:00:00",
        "pos: 10 True",
        "range: 14 2026-01-20 00:00:00 2026-01-20 13:00:00",
        "sound: True",
        "None (-1, 'Terminal: Call failed')",
    ] == run("rates")


def test_ticks(run: Any) -> None:
    """copy_ticks_from and _range, and a span without any."""
    # Two ticks a bar; on this server the 20th begins at 22:00 UTC.
    assert [
        "Ticks received: 153",
        f"{list(TICKS.names or ())}",
        "Ticks of a day: 97",
        "True True",
        "none: 0 (1, 'Success')",
    ] == run("ticks")


def test_orders(run: Any) -> None:
    """orders_total and orders_get by symbol and by group, placed and removed."""
    assert [
        "Total orders = 0",
        *["10009 True"] * 3,
        "Total orders on GBPUSD: 3",
        "['GBPUSD', 'GBPUSD', 'GBPUSD'] [2, 2, 2] [1, 1, 1]",
        *["10009 Request executed"] * 3,
        "Total orders = 0",
    ] == run("orders")


def test_calculations(run: Any) -> None:
    """order_calc_margin and order_calc_profit for pairs of several currencies."""
    assert [
        "Account currency: USD",
        *[f"{symbol} True True True" for symbol in ("EURUSD", "GBPUSD", "USDJPY")],
        *[f"{symbol} True True True" for symbol in ("USDCHF", "EURJPY")],
        "None (-4, 'Terminal: Not found')",
    ] == run("calculations")


@pytest.mark.parametrize(
    ("filling", "execution"), [("RETURN", 1), ("RETURN", 0), ("IOC", 2), ("FOK", 1)]
)
def test_check_and_send(run: Any, filling: str, execution: int) -> None:
    """order_check, then a position is opened and closed by its ticket."""
    symbols = {"USDJPY": {"trade_exemode": execution}}

    lines = run("trade", filling, symbols=symbols)

    assert "check: 0 Done" == lines[0]
    assert 12 == len([line for line in lines if line.endswith(": True")])
    assert [
        "1. order_send(): by USDJPY 0.1 lots done, ",
        "2. order_send done,  Request executed",
        "   opened position with POSITION_TICKET=True",
        "4. position closed: 0",
        "   deals: ['python script open', 'python script close']",
    ] == lines[-5:]


def test_documented_filling_is_refused_by_market_execution(run: Any) -> None:
    """The example's ORDER_FILLING_RETURN is 10030 there, as at most brokers."""
    lines = run("trade", "RETURN")

    assert "check: 10030 Unsupported filling mode" == lines[0]
    assert [
        "2. order_send failed, retcode=10030",
        "   traderequest: comment=python script open",
        "shutdown() and quit",
    ] == lines[-3:]


def test_positions(run: Any) -> None:
    """positions_total, positions_get, and the module's own Buy, Sell and Close."""
    assert [
        "Total positions = 0",
        "Total positions on USDCHF = 1",
        'positions_get(group="*USD*")=3',
        "[['USDCHF', 0, 0.1], ['EURUSD', 0, 0.1], ['EURUSD', 1, 0.2]]",
        "True 1",
    ] == run("positions")


def test_history(run: Any) -> None:
    """history_orders_* and history_deals_* by dates without zone, group, position."""
    assert [
        "Total history orders = 3",
        "Total deals = 4",
        'history_orders_get(group="*GBP*")=2',
        "orders of the position: [0, 1] [4, 4]",
        "neither EUR nor GBP: [2]",
        "deals of the position: [0, 1] 1",
    ] == run("history")
