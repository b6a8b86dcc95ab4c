"""Failures on purpose: calls that fail, replies that are lost, terminals that exit."""

from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runner.adapters.feeds.synthetic import EPOCH, SyntheticFeed
from runner.adapters.mt5_simulator.driver import BarDriver
from runner.adapters.mt5_simulator.errors import COMMENTS, TEXTS
from runner.adapters.mt5_simulator.faults import (
    Answer,
    Delay,
    Disconnect,
    Fail,
    Fault,
    FillPart,
    Lag,
    Late,
    LoseReply,
    Refuse,
    Run,
    Schedule,
    Slip,
    Weather,
)
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal

BUY = {"action": 1, "symbol": "EURUSD", "volume": 0.3, "type": 0, "comment": "token"}


def make(function: str, number: int, fault: Fault, **options: Any) -> SimulatedTerminal:
    """Return a terminal on which call *number* of *function* suffers *fault*."""
    terminal = SimulatedTerminal(**options)
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


@pytest.mark.behaviour("3", "W")
def test_false_is_the_failure_of_functions_that_return_bool() -> None:
    """symbol_select and initialize are False, not None."""
    terminal = make("symbol_select", 1, Fail(-10001))

    assert terminal.symbol_select("EURUSD") is False
    terminal.faults = Schedule({"initialize": {1: Fail(-10003)}})
    assert terminal.initialize() is False
    assert -10003 == terminal.last_error()[0]


@pytest.mark.behaviour("3", "I")
def test_lost_reply_leaves_an_unknown_outcome() -> None:
    """The order was executed, but the answer is None with -10002."""
    terminal = make("order_send", 1, LoseReply())

    assert terminal.order_send(BUY) is None
    assert (-10002, "IPC recv failed") == terminal.last_error()
    (held,) = terminal.positions_get() or ()
    assert "token" == held.comment


@pytest.mark.behaviour("4", "D")
def test_refusal_executes_nothing() -> None:
    """Any return code can be had, such as a requote that passes."""
    terminal = make("order_send", 1, Refuse(10004))

    refused = terminal.order_send(BUY)

    assert refused is not None
    assert (10004, "Requote", 0) == (refused.retcode, refused.comment, refused.order)
    assert 0 == terminal.positions_total()
    again = terminal.order_send(BUY)
    assert again is not None
    assert 10009 == again.retcode


@pytest.mark.behaviour("4", "W")
@pytest.mark.parametrize("retcode", sorted(COMMENTS))
def test_every_return_code_can_be_had(retcode: int) -> None:
    """With its comment, whether the request was executed or not."""
    refused = make("order_send", 1, Refuse(retcode))
    answered = make("order_send", 1, Answer(retcode))

    results = [terminal.order_send(BUY) for terminal in (refused, answered)]

    assert [(retcode, COMMENTS[retcode], 0, 0)] * 2 == [
        (result.retcode, result.comment, result.deal, result.order)
        for result in results
        if result
    ]
    assert (0, 1) == (refused.positions_total(), answered.positions_total())


@pytest.mark.behaviour("3", "W")
@pytest.mark.parametrize("code", sorted(TEXTS))
def test_every_error_code_can_be_had(code: int) -> None:
    """With its text, for a call that does nothing and for one that did its work."""
    for fault, positions in ((Fail(code), 0), (LoseReply(code), 1)):
        terminal = make("order_send", 1, fault)

        assert terminal.order_send(BUY) is None
        assert (code, TEXTS[code]) == terminal.last_error()
        assert positions == terminal.positions_total()


@pytest.mark.behaviour("4", "D")
def test_timeout_may_have_executed() -> None:
    """10012 is an unknown outcome: here the position is there."""
    terminal = make("order_send", 1, Answer(10012))

    answer = terminal.order_send(BUY)

    assert answer is not None
    assert (10012, 0, 0) == (answer.retcode, answer.deal, answer.order)
    assert 1 == terminal.positions_total()


@pytest.mark.behaviour("4", "D")
def test_accepted_order_may_tell_neither_deal_nor_price() -> None:
    """10008 only says that it was accepted: read the position back."""
    terminal = make("order_send", 1, Answer(10008))

    answer = terminal.order_send(BUY)

    assert answer is not None
    assert (10008, 0, 0.0) == (answer.retcode, answer.deal, answer.price)


@pytest.mark.behaviour("4", "D")
@pytest.mark.parametrize(
    ("share", "volume"), [(0.5, 0.15), (0.001, 0.01), (0.99, 0.29)]
)
def test_order_may_be_filled_in_part(share: float, volume: float) -> None:
    """10010 with the volume that was executed, in whole steps."""
    terminal = make("order_send", 1, FillPart(share))

    result = terminal.order_send(BUY)

    assert result is not None
    assert (10010, volume, 0.3) == (
        result.retcode,
        result.volume,
        result.request.volume,
    )
    assert [volume] == [held.volume for held in terminal.positions_get() or ()]


@pytest.mark.behaviour("9", "K")
@pytest.mark.parametrize(
    ("points", "side", "price"),
    [(3, 0, 1.10013), (3, 1, 1.09997), (-2, 0, 1.10008), (-2, 1, 1.10002)],
)
def test_one_order_may_slip(points: float, side: int, price: float) -> None:
    """Its fill is that many points worse, or better; the next one's is not."""
    terminal = make("order_send", 1, Slip(points))

    slipped = terminal.order_send({**BUY, "type": side})
    usual = terminal.order_send({**BUY, "type": side})

    assert slipped is not None
    assert usual is not None
    assert (10009, price) == (slipped.retcode, slipped.price)
    assert 1.1 + 0.0001 * (side == 0) == usual.price
    assert [price, usual.price] == [
        held.price_open for held in terminal.positions_get() or ()
    ]


def test_slip_comes_on_top_of_the_slippage() -> None:
    """What always slips slips more."""
    terminal = make("order_send", 1, Slip(3), slippage=2)

    result = terminal.order_send(BUY)

    assert result is not None
    assert 1.10015 == result.price


@pytest.mark.behaviour("9", "K")
@pytest.mark.parametrize(("deviation", "retcode"), [(4, 10004), (5, 10009)])
def test_slip_beyond_the_deviation_is_a_requote(deviation: int, retcode: int) -> None:
    """Instant execution never fills outside of what the request allows."""
    instant = {"EURUSD": {"trade_exemode": 1}}
    terminal = make("order_send", 1, Slip(5), symbols=instant)

    result = terminal.order_send({**BUY, "price": 1.1001, "deviation": deviation})

    assert result is not None
    assert retcode == result.retcode
    assert (1 if retcode == 10009 else 0) == terminal.positions_total()


def played(fault: Fault) -> tuple[SimulatedTerminal, BarDriver]:
    """Return a terminal that stands at a bar's open, and what plays its feed."""
    terminal = SimulatedTerminal()
    terminal.initialize()
    terminal.symbol_select("EURUSD")
    driver = BarDriver(terminal, SyntheticFeed(["EURUSD"]))
    driver.warm_up(10)
    driver.advance()
    terminal.faults = Schedule({"order_send": {1: fault}})
    return terminal, driver


@pytest.mark.behaviour("4", "F")
@pytest.mark.parametrize(
    ("delay", "phases"),
    [
        (Delay(phases=1), 1),
        (Delay(phases=3), 3),
        (Delay(milliseconds=90), 0),
        (Delay(milliseconds=59_999), 1),
        (Delay(milliseconds=60_000), 2),
    ],
)
def test_market_goes_on_while_an_order_is_on_its_way(delay: Delay, phases: int) -> None:
    """The fill has the quote that the order finds when it arrives."""
    terminal, _ = played(delay)
    other, driver = played(Refuse(10006))
    for _ in range(phases):
        driver.advance()
    tick = other.symbol_info_tick("EURUSD")
    assert tick is not None

    result = terminal.order_send(BUY)

    assert result is not None
    assert (10009, tick.ask, tick.ask) == (result.retcode, result.price, result.ask)
    (held,) = terminal.positions_get() or ()
    passed = held.time_msc - terminal.wall_msc(EPOCH + timedelta(minutes=10))
    assert (delay.milliseconds or 60_000 * (phases // 2) + 59_999) == passed


@pytest.mark.behaviour("4", "D")
def test_stop_may_be_on_the_wrong_side_when_the_order_arrives() -> None:
    """What was good when it was sent is verified when it is executed."""
    terminal, driver = played(Delay(phases=400))
    tick = terminal.symbol_info_tick("EURUSD")
    assert tick is not None
    request = {**BUY, "sl": round(tick.bid - 0.00005, 5)}
    checked = terminal.order_check(request)

    result = terminal.order_send(request)

    assert checked is not None
    assert result is not None
    assert (0, 10016) == (checked.retcode, result.retcode)
    assert driver.now is not None
    assert EPOCH + timedelta(minutes=210) <= driver.now


def test_milliseconds_pass_without_a_feed() -> None:
    """A market that is moved by hand has a clock that goes on alone."""
    terminal = make("order_send", 1, Delay(milliseconds=93))
    before = terminal.market.time_msc

    terminal.order_send(BUY)

    (held,) = terminal.positions_get() or ()
    assert before + 93 == held.time_msc


def test_phases_need_a_feed() -> None:
    """A plan that cannot happen is an error of the plan, said loudly."""
    terminal = make("order_send", 1, Delay(phases=1))

    with pytest.raises(ValueError, match="no feed is played"):
        terminal.order_send(BUY)


@pytest.mark.behaviour("1", "W")
def test_order_that_is_no_request_is_not_delayed() -> None:
    """What the module refuses itself never leaves: no time passes."""
    terminal = make("order_send", 1, Delay(milliseconds=93))
    before = terminal.market.time_msc

    assert terminal.order_send({**BUY, "volume": 1}) is None
    assert before == terminal.market.time_msc


@pytest.mark.parametrize(
    "options",
    [{}, {"phases": 1, "milliseconds": 1}, {"phases": -1}, {"milliseconds": -5}],
)
def test_delay_is_phases_or_milliseconds(options: dict[str, int]) -> None:
    """One of the two, and more than none."""
    with pytest.raises(ValueError, match=r"delay: expected|must be >= 0"):
        Delay(**options)


@pytest.mark.parametrize("points", [math.nan, math.inf, -math.inf])
def test_slip_is_a_number(points: float) -> None:
    """Infinite points are none."""
    with pytest.raises(ValueError, match="points"):
        Slip(points)


@pytest.mark.behaviour("3", "F")
def test_exited_terminal_fails_every_call_until_initialize() -> None:
    """Nothing reconnects by itself: shutdown and initialize are the bot's."""
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


def test_late_request_is_executed_when_the_market_moves() -> None:
    """With the quote that it then meets; the answer came before."""
    terminal = make("order_send", 1, Late(10012))

    result = terminal.order_send(BUY)

    assert result is not None
    assert (10012, 0, 0) == (result.retcode, result.order, result.deal)
    assert () == terminal.positions_get()
    terminal.quote("EURUSD", 1.2, 1.2001, datetime(2026, 1, 15, 12, 1, tzinfo=UTC))
    (held,) = terminal.positions_get() or ()
    assert (1.2001, "token") == (held.price_open, held.comment)
    terminal.quote("EURUSD", 1.2, 1.2001, datetime(2026, 1, 15, 12, 2, tzinfo=UTC))
    assert 1 == len(terminal.positions_get() or ())


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("positions_get", ()),
        ("history_deals_get", (1, 2**31 - 1)),
        ("history_orders_get", (1, 2**31 - 1)),
    ],
)
def test_reading_that_lags_leaves_out_what_has_just_happened(
    function: str, arguments: tuple[int, ...]
) -> None:
    """For that one call; what is older shows."""
    terminal = make(function, 1, Lag(1000))
    read = getattr(terminal, function)
    terminal.order_send(BUY)
    lagging, whole = read(*arguments), read(*arguments)

    assert len(lagging) < len(whole)
    terminal.faults = Schedule({function: {1: Lag(1000)}})
    terminal.pass_time(datetime(2026, 1, 15, 12, 0, 2, tzinfo=UTC))
    assert len(whole) == len(read(*arguments))


def test_only_what_can_lag_lags() -> None:
    """A plan that cannot happen is an error of the plan, said loudly."""
    terminal = make("account_info", 1, Lag())

    with pytest.raises(ValueError, match="Lag"):
        terminal.account_info()
