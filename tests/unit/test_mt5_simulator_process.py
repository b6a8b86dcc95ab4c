"""A terminal in another process: the twin's answers, and what a broken pipe means."""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from multiprocessing.connection import Client
from pathlib import Path
from typing import Any

import pytest

from runner.adapters.mt5_simulator import pipe
from runner.adapters.mt5_simulator.client import RemoteTerminal
from runner.adapters.mt5_simulator.faults import (
    Disconnect,
    Fail,
    Fault,
    Hang,
    LoseReply,
    Schedule,
)
from runner.adapters.mt5_simulator.service import TerminalService
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal

KEY = b"the key of this test"
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
BUY = {"action": 1, "symbol": "EURUSD", "volume": 0.1, "type": 0, "comment": "token"}


@pytest.fixture
def market() -> SimulatedTerminal:
    """The terminal itself, with one quote; nobody is connected."""
    terminal = SimulatedTerminal()
    terminal.initialize()
    terminal.symbol_select("EURUSD")
    terminal.quote("EURUSD", 1.1, 1.1001, NOON)
    return terminal


@pytest.fixture
def service(market: SimulatedTerminal) -> Iterator[TerminalService]:
    """What serves it."""
    made = TerminalService(market, key=KEY)
    yield made
    made.close()


def connect(service: TerminalService, faults: dict[str, dict[int, Fault]]) -> Any:
    """Return a client that is connected, its calls failing as planned."""
    vars(service)["_terminal"].faults = Schedule(faults)
    remote = RemoteTerminal(service.port, KEY)
    assert remote.initialize()
    return remote


@pytest.mark.parametrize(
    ("name", "args", "named"),
    [
        ("account_info", (), {}),
        ("terminal_info", (), {}),
        ("version", (), {}),
        ("symbol_info", ("EURUSD",), {}),
        ("symbol_info_tick", ("EURUSD",), {}),
        ("symbol_info_tick", ("NOPE",), {}),
        ("positions_get", (), {}),
        ("positions_get", ("EURUSD",), {}),
        ("positions_get", (), {"ticket": 1}),
        ("history_deals_get", (1, 2**31 - 1), {}),
        ("order_check", (BUY,), {}),
        ("order_send", ({"action": 1, "volume": 1},), {}),
        ("order_calc_profit", (0, "EURUSD", 0.1, 1.1, 1.2), {}),
    ],
)
def test_answers_are_the_terminals_own(market, service, name, args, named):
    """Value, type and last error are what the twin itself gives."""
    remote = connect(service, {})

    expected = getattr(market, name)(*args, **named)
    found = getattr(remote, name)(*args, **named)

    assert expected == found
    assert type(expected) is type(found)
    assert market.last_error() == remote.last_error()


def test_arrays_arrive_with_their_columns(market, service):
    """Bars are numpy arrays there and here."""
    remote = connect(service, {})

    expected = market.copy_rates_from_pos("EURUSD", market.TIMEFRAME_M1, 0, 5)
    found = remote.copy_rates_from_pos("EURUSD", remote.TIMEFRAME_M1, 0, 5)

    assert expected.dtype == found.dtype
    assert expected.tolist() == found.tolist()


def test_an_order_is_the_markets(market, service):
    """What one client opens stands at the terminal, its answer whole."""
    remote = connect(service, {})

    answer = remote.order_send(BUY)

    assert 10009 == answer.retcode
    assert "token" == answer.request.comment
    assert [answer.order] == [held.ticket for held in market.positions_get()]


def test_wrong_arguments_raise_as_there(service):
    """A call that raises in the module raises here."""
    remote = connect(service, {})

    with pytest.raises(SystemError, match="returned a result with an exception set"):
        remote.order_calc_profit("buy", "EURUSD", 0.1, 1.1, 1.2)


def test_each_client_has_a_last_error_of_its_own(service):
    """As each Python process has."""
    one, other = connect(service, {}), connect(service, {})

    one.symbol_info("NOPE")

    assert -4 == one.last_error()[0]
    assert (1, "Success") == other.last_error()


def test_unknown_functions_are_unknown():
    """Neither more nor less than the twin has."""
    remote = RemoteTerminal(1, KEY)

    for name in ("no_such_function", "_authorise", "quote", "faults"):
        with pytest.raises(AttributeError):
            getattr(remote, name)
    assert SimulatedTerminal.ORDER_TYPE_BUY == remote.ORDER_TYPE_BUY  # type: ignore[attr-defined]


def test_without_a_connection_every_call_fails(service):
    """None, False or what the twin returns, and -10004; `shutdown` ends it too."""
    remote: Any = RemoteTerminal(service.port, KEY)

    assert remote.positions_get() is None
    assert -10004 == remote.last_error()[0]
    assert remote.symbol_select("EURUSD") is False
    assert (0, 0, "") == remote.version()
    assert remote.initialize()
    assert () == remote.positions_get()
    assert remote.shutdown()
    assert remote.positions_get() is None
    assert -10004 == remote.last_error()[0]


@pytest.mark.parametrize("wrong", ["port", "key"])
def test_who_cannot_be_reached_or_does_not_know_the_key_is_not_let_in(service, wrong):
    """-10003 with the port and the reason; the others are served on."""
    other = TerminalService(SimulatedTerminal(), key=KEY)
    port = other.port if wrong == "port" else service.port
    other.close()
    remote: Any = RemoteTerminal(port, b"wrong" if wrong == "key" else KEY)

    assert remote.initialize() is False

    code, text = remote.last_error()
    assert -10003 == code
    assert f"port {port}" in text
    assert connect(service, {}).account_info() is not None


def test_nothing_of_a_strangers_is_unpickled(service):
    """Bytes in place of an answer to the challenge are refused unread."""
    read: list[str] = []
    with Client(("127.0.0.1", service.port)) as stranger:
        stranger.recv_bytes()  # the challenge
        stranger.send_bytes(pickle.dumps(_Trap()))
        assert b"FAILURE" in stranger.recv_bytes()
        with pytest.raises((EOFError, OSError)):
            stranger.recv_bytes()

    assert [] == read + _Trap.sprung
    assert connect(service, {}).account_info() is not None


def test_a_program_that_freezes_at_the_door_keeps_nobody_out(service):
    """It is connected and never answers who it is; the next one is served."""
    with Client(("127.0.0.1", service.port)):
        assert connect(service, {}).account_info() is not None


class _Trap:
    sprung: list[str] = []  # noqa: RUF012 - that it stays empty is the test

    def __reduce__(self) -> tuple[Any, ...]:
        return _Trap.sprung.append, ("read",)


def test_faults_come_through(service):
    """Failed, lost and disconnected calls look as they do at the twin."""
    remote = connect(
        service,
        {
            "positions_get": {1: Fail(-10005), 3: Disconnect()},
            "order_send": {1: LoseReply()},
        },
    )

    assert remote.positions_get() is None
    assert -10005 == remote.last_error()[0]
    assert remote.order_send(BUY) is None
    assert -10002 == remote.last_error()[0]
    assert 1 == len(remote.positions_get())
    assert remote.positions_get() is None
    assert -10001 == remote.last_error()[0]
    assert remote.account_info() is None
    assert remote.initialize()
    assert 1 == len(remote.positions_get())


def test_a_hung_call_holds_its_caller_alone(service):
    """Others are served meanwhile; a dropped pipe is an unknown outcome, then lost."""
    remote = connect(service, {"positions_get": {1: Hang(seconds=0.3)}})
    answers: list[object] = []
    caller = threading.Thread(target=lambda: answers.append(remote.positions_get()))
    caller.start()

    other: Any = RemoteTerminal(service.port, KEY)
    assert other.initialize()
    assert other.account_info() is not None
    caller.join(60)

    assert [None] == answers
    assert -10002 == remote.last_error()[0]
    assert remote.positions_get() is None
    assert -10001 == remote.last_error()[0]
    assert remote.initialize()
    assert () == remote.positions_get()


def test_the_key_is_made_once_and_nobody_else_reads_it(tmp_path: Path):
    """The second terminal of a state directory takes the first one's key."""
    path = pipe.key_file(tmp_path / "state")

    made = pipe.make_key(path)

    assert made == pipe.make_key(path) == pipe.read_key(path)
    assert 64 == len(made)
    if os.name == "posix":
        assert 0o600 == path.stat().st_mode & 0o777
