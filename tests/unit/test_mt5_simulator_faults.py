"""Failures on purpose: calls that fail, replies that are lost, terminals that exit."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from runner.adapters.mt5_simulator.faults import (
    Answer,
    Disconnect,
    Fail,
    Fault,
    FillPart,
    LoseReply,
    Refuse,
    Run,
    Schedule,
    Weather,
)
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal

BUY = {"action": 1, "symbol": "EURUSD", "volume": 0.3, "type": 0, "comment": "token"}


def make(function: str, number: int, fault: Fault) -> SimulatedTerminal:
    """Return a terminal on which call *number* of *function* suffers *fault*."""
    terminal = SimulatedTerminal()
    terminal.initialize()
    terminal.symbol_select("EURUSD")
    terminal.quote("EURUSD", 1.1, 1.1001, datetime(2026, 1, 15, 12, tzinfo=UTC))
    terminal.faults = Schedule({function: {number: fault}})
    return terminal


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (-10001, "IPC send failed"),
        (-10002, "IPC recv failed"),
        (-10004, "No IPC connection"),
        (-10005, "IPC timeout"),
        (-1, "Terminal: Call failed"),
    ],
)
def test_failed_call_does_nothing(code: int, text: str) -> None:
    """None with its code, and nothing was sent; the next call is good again."""
    terminal = make("order_send", 1, Fail(code))

    assert terminal.order_send(BUY) is None
    assert (code, text) == terminal.last_error()
    assert () == terminal.positions_get()
    assert terminal.order_send(BUY) is not None


def test_failed_reading_is_none_not_empty() -> None:
    """A call that failed is unknown, never flat."""
    terminal = make("positions_get", 2, Fail(-10005))
    terminal.order_send(BUY)

    assert 1 == len(terminal.positions_get() or ())
    assert terminal.positions_get() is None
    assert 1 == len(terminal.positions_get() or ())


def test_false_is_the_failure_of_functions_that_return_bool() -> None:
    """symbol_select and initialize are False, not None [W]."""
    terminal = make("symbol_select", 1, Fail(-10001))

    assert terminal.symbol_select("EURUSD") is False
    terminal.faults = Schedule({"initialize": {1: Fail(-10003)}})
    assert terminal.initialize() is False
    assert -10003 == terminal.last_error()[0]


def test_lost_reply_leaves_an_unknown_outcome() -> None:
    """The order was executed, but the answer is None with -10002 [I]."""
    terminal = make("order_send", 1, LoseReply())

    assert terminal.order_send(BUY) is None
    assert (-10002, "IPC recv failed") == terminal.last_error()
    (held,) = terminal.positions_get() or ()
    assert "token" == held.comment


def test_refusal_executes_nothing() -> None:
    """Any return code can be had, such as a requote that passes [D]."""
    terminal = make("order_send", 1, Refuse(10004))

    refused = terminal.order_send(BUY)

    assert refused is not None
    assert (10004, "Requote", 0) == (refused.retcode, refused.comment, refused.order)
    assert 0 == terminal.positions_total()
    again = terminal.order_send(BUY)
    assert again is not None
    assert 10009 == again.retcode


def test_timeout_may_have_executed() -> None:
    """10012 is an unknown outcome: here the position is there [D]."""
    terminal = make("order_send", 1, Answer(10012))

    answer = terminal.order_send(BUY)

    assert answer is not None
    assert (10012, 0, 0) == (answer.retcode, answer.deal, answer.order)
    assert 1 == terminal.positions_total()


def test_accepted_order_may_tell_neither_deal_nor_price() -> None:
    """10008 only says that it was accepted: read the position back [D]."""
    terminal = make("order_send", 1, Answer(10008))

    answer = terminal.order_send(BUY)

    assert answer is not None
    assert (10008, 0, 0.0) == (answer.retcode, answer.deal, answer.price)


@pytest.mark.parametrize(
    ("share", "volume"), [(0.5, 0.15), (0.001, 0.01), (0.99, 0.29)]
)
def test_order_may_be_filled_in_part(share: float, volume: float) -> None:
    """10010 with the volume that was executed, in whole steps [D]."""
    terminal = make("order_send", 1, FillPart(share))

    result = terminal.order_send(BUY)

    assert result is not None
    assert (10010, volume, 0.3) == (
        result.retcode,
        result.volume,
        result.request.volume,
    )
    assert [volume] == [held.volume for held in terminal.positions_get() or ()]


def test_exited_terminal_fails_every_call_until_initialize() -> None:
    """Nothing reconnects by itself: shutdown and initialize are the bot's [F]."""
    terminal = make("account_info", 2, Disconnect())
    terminal.order_send(BUY)

    assert terminal.account_info() is not None
    assert terminal.account_info() is None
    assert (-10001, "IPC send failed") == terminal.last_error()
    assert terminal.positions_get() is None
    assert -10001 == terminal.last_error()[0]
    terminal.shutdown()
    assert terminal.positions_get() is None
    assert -10004 == terminal.last_error()[0]
    assert terminal.initialize()
    assert 1 == len(terminal.positions_get() or ())


def test_something_may_happen_before_a_call() -> None:
    """Time may pass, or the market may move, while a call is on its way."""
    moved: list[str] = []
    terminal = make("order_send", 1, Run(lambda: moved.append("late")))

    result = terminal.order_send(BUY)

    assert ["late"] == moved
    assert result is not None
    assert 10009 == result.retcode


def test_trade_faults_are_for_order_send() -> None:
    """A plan that cannot happen is an error of the plan, said loudly."""
    terminal = make("account_info", 1, Refuse(10004))

    with pytest.raises(ValueError, match="fault of order_send only"):
        terminal.account_info()


@pytest.mark.parametrize(
    ("make_fault", "number"),
    [(Fail, -99), (LoseReply, 5), (Refuse, 10037), (Answer, 0.5), (Disconnect, 1)],
)
def test_unknown_code_is_refused(make_fault: Any, number: float) -> None:
    """A fault has a code that the real module could give."""
    with pytest.raises(ValueError, match="code"):
        make_fault(number)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_part_is_a_part(share: float) -> None:
    """Nothing and everything are no part."""
    with pytest.raises(ValueError, match="share"):
        FillPart(share)


def test_weather_is_the_same_for_the_same_seed() -> None:
    """Random failures can be had again, and come about as often as asked for."""
    chances: dict[str, dict[Fault, float]] = {
        "order_send": {Fail(-10001): 0.2, Refuse(10004): 0.3}
    }
    first, second = Weather(7, chances), Weather(7, chances)

    drawn = [first.next("order_send") for _ in range(1000)]

    assert drawn == [second.next("order_send") for _ in range(1000)]
    counted = Counter(drawn)
    assert 150 < counted[Fail(-10001)] < 250
    assert 250 < counted[Refuse(10004)] < 350
    assert first.next("account_info") is None


def test_probabilities_add_up_to_at_most_one() -> None:
    """More than always is an error of the plan."""
    with pytest.raises(ValueError, match="order_send: probabilities"):
        Weather(1, {"order_send": {Fail(-1): 0.6, Refuse(10004): 0.6}})
