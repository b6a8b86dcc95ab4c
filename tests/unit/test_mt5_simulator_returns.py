"""What the simulated module's functions return, and what last_error says then.

The mark ``behaviour`` names the section and the source of a rule; see
``test_mt5_simulator_behaviour.py``.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from runner.adapters.mt5_simulator.errors import TEXTS
from runner.adapters.mt5_simulator.faults import Disconnect, Fail, LoseReply, Schedule
from runner.adapters.mt5_simulator.structs import OrderSendResult
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal

SURFACE = json.loads(
    (Path(__file__).parent.parent / "data" / "mt5_surface.json").read_text()
)
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
EVER = (1, 2**31 - 1)
BUY: dict[str, Any] = {"action": 1, "symbol": "EURUSD", "volume": 0.1, "type": 0}

CALLS: Final[dict[str, tuple[Any, ...]]] = {
    "terminal_info": (),
    "account_info": (),
    "symbols_total": (),
    "symbols_get": (),
    "symbol_info": ("EURUSD",),
    "symbol_info_tick": ("EURUSD",),
    "symbol_select": ("EURUSD",),
    "market_book_add": ("EURUSD",),
    "market_book_get": ("EURUSD",),
    "market_book_release": ("EURUSD",),
    "copy_rates_from": ("EURUSD", 1, NOON, 1),
    "copy_rates_from_pos": ("EURUSD", 1, 0, 1),
    "copy_rates_range": ("EURUSD", 1, *EVER),
    "copy_ticks_from": ("EURUSD", NOON, 1, -1),
    "copy_ticks_range": ("EURUSD", *EVER, -1),
    "orders_total": (),
    "orders_get": (),
    "order_calc_margin": (0, "EURUSD", 1.0, 1.1),
    "order_calc_profit": (0, "EURUSD", 1.0, 1.1, 1.2),
    "order_check": (BUY,),
    "order_send": (BUY,),
    "positions_total": (),
    "positions_get": (),
    "history_orders_total": EVER,
    "history_orders_get": EVER,
    "history_deals_total": EVER,
    "history_deals_get": EVER,
}
"""A good call of every function that needs a connection."""

FALSE: Final = {
    "initialize",
    "login",
    "symbol_select",
    "market_book_add",
    "market_book_release",
}
"""Functions that fail with False; the others fail with None."""


@pytest.fixture
def terminal() -> SimulatedTerminal:
    """A connected terminal that quotes EURUSD and shows its depth."""
    terminal = SimulatedTerminal(login=5, symbols={"EURUSD": {"ticks_bookdepth": 1}})
    terminal.initialize()
    terminal.symbol_select("EURUSD")
    terminal.quote("EURUSD", 1.1, 1.1001, NOON)
    terminal.market_book_add("EURUSD")
    return terminal


def sent(terminal: SimulatedTerminal, **fields: Any) -> OrderSendResult:
    """Send a market order, changed by *fields*; there must be an answer."""
    result = terminal.order_send({**BUY, **fields})
    assert result is not None, terminal.last_error()
    return result


def test_every_function_is_called_here() -> None:
    """The table above leaves out only what needs no connection, and the helpers."""
    others = {"initialize", "login", "shutdown", "version", "last_error"}
    helpers = {"Buy", "Sell", "Close", "_RawOrder"}

    assert set(SURFACE["functions"]) - others - helpers == set(CALLS)


@pytest.mark.behaviour("3", "W")
@pytest.mark.parametrize("name", CALLS)
def test_good_call_resets_the_last_error(
    terminal: SimulatedTerminal, name: str
) -> None:
    """Whatever failed before it, last_error is (1, 'Success') after it."""
    terminal.symbol_info("NOSUCH")

    result = getattr(terminal, name)(*CALLS[name])

    assert result is not None
    assert result is not False
    assert (1, "Success") == terminal.last_error()


@pytest.mark.behaviour("3", "W")
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("code", [-1, -10001, -10005])
def test_failed_call_is_none_or_false(
    terminal: SimulatedTerminal, name: str, code: int
) -> None:
    """None where data is returned, False where the function answers yes or no."""
    terminal.faults = Schedule({name: {1: Fail(code)}})

    failed = getattr(terminal, name)(*CALLS[name])

    assert (False if name in FALSE else None) is failed
    assert (code, TEXTS[code]) == terminal.last_error()


@pytest.mark.behaviour("3", "W")
@pytest.mark.parametrize("name", CALLS)
def test_call_without_a_connection_is_minus_10004(name: str) -> None:
    """Before initialize and after shutdown every function says so."""
    terminal = SimulatedTerminal()

    failed = getattr(terminal, name)(*CALLS[name])

    assert (False if name in FALSE else None) is failed
    assert (-10004, "No IPC connection") == terminal.last_error()


@pytest.mark.behaviour("3", "F")
@pytest.mark.parametrize("name", CALLS)
def test_call_to_a_terminal_that_exited_is_minus_10001(
    terminal: SimulatedTerminal, name: str
) -> None:
    """Every function, from then on, until the bot connects again."""
    terminal.faults = Schedule({"positions_total": {1: Disconnect()}})
    terminal.positions_total()

    for _ in range(2):
        failed = getattr(terminal, name)(*CALLS[name])
        assert (False if name in FALSE else None) is failed
        assert (-10001, "IPC send failed") == terminal.last_error()


@pytest.mark.behaviour("3", "W")
@pytest.mark.parametrize(
    ("code", "text"),
    [
        (-1, "Terminal: Call failed"),
        (-2, "Terminal: Invalid params"),
        (-3, "Terminal: Out of memory"),
        (-4, "Terminal: Not found"),
        (-6, "Terminal: Authorization failed"),
        (-7, "Terminal: Unsupported function"),
        (-8, "Auto-Trading using Python API disabled in Terminal"),
        (-10000, "IPC call failed"),
        (-10001, "IPC send failed"),
        (-10002, "IPC recv failed"),
        (-10003, "IPC initialize failed, MetaTrader 5 x64 not found"),
        (-10004, "No IPC connection"),
        (-10005, "IPC timeout"),
    ],
)
def test_code_has_its_text(code: int, text: str) -> None:
    """The string table of the module."""
    assert text == TEXTS[code]


@pytest.mark.behaviour("3", "W")
def test_last_error_is_a_code_and_a_text(terminal: SimulatedTerminal) -> None:
    """A plain tuple, also when nothing is wrong."""
    assert (1, "Success") == terminal.last_error()
    assert tuple is type(terminal.last_error())


@pytest.mark.behaviour("3", "I")
@pytest.mark.parametrize("code", [-2, -4, -8, -10004])
def test_order_that_was_not_sent_did_nothing(
    terminal: SimulatedTerminal, code: int
) -> None:
    """None with -2, -4, -8 or -10004: nothing reached the server."""
    terminal.faults = Schedule({"order_send": {1: Fail(code)}})

    assert terminal.order_send(BUY) is None
    assert () == terminal.positions_get()
    assert 1 == terminal.history_deals_total(*EVER)  # the deposit


@pytest.mark.behaviour("3", "I")
def test_pending_order_may_be_there_although_its_answer_was_lost(
    terminal: SimulatedTerminal,
) -> None:
    """-10002 on any action: look before sending again."""
    terminal.faults = Schedule({"order_send": {1: LoseReply(), 2: LoseReply()}})

    terminal.order_send({**BUY, "action": 5, "type": 2, "price": 1.0})
    (order,) = terminal.orders_get() or ()
    terminal.order_send({**BUY, "action": 8, "order": order.ticket})

    assert (-10002, "IPC recv failed") == terminal.last_error()
    assert 0 == terminal.orders_total()


@pytest.mark.behaviour("3", "W")
@pytest.mark.parametrize("name", ["positions_get", "orders_get"])
def test_unknown_ticket_is_empty(terminal: SimulatedTerminal, name: str) -> None:
    """Not found is no error here: () and (1, 'Success')."""
    assert () == getattr(terminal, name)(ticket=99)
    assert (1, "Success") == terminal.last_error()


@pytest.mark.behaviour("3", "W")
@pytest.mark.parametrize("name", ["history_orders_get", "history_deals_get"])
@pytest.mark.parametrize("by", ["ticket", "position"])
def test_unknown_past_is_empty(terminal: SimulatedTerminal, name: str, by: str) -> None:
    """The history, too, maps -4 to () and (1, 'Success')."""
    assert () == getattr(terminal, name)(**{by: 99})
    assert (1, "Success") == terminal.last_error()


@pytest.mark.behaviour("3", "W")
def test_many_records_are_a_tuple(terminal: SimulatedTerminal) -> None:
    """Never a list: it can be neither appended to nor changed."""
    sent(terminal)
    found = (
        terminal.positions_get(),
        terminal.orders_get(),
        terminal.symbols_get(),
        terminal.history_deals_get(*EVER),
        terminal.history_orders_get(*EVER),
        terminal.market_book_get("EURUSD"),
    )

    assert [tuple] * 6 == [type(records) for records in found]


@pytest.mark.behaviour("7", "W")
def test_bars_and_ticks_are_arrays(terminal: SimulatedTerminal) -> None:
    """One-dimensional structured numpy arrays, also when they are empty."""
    rates = terminal.copy_rates_range("EURUSD", 1, *EVER)
    ticks = terminal.copy_ticks_range("EURUSD", *EVER, -1)
    empty = terminal.copy_rates_range("EURUSD", 1, 1, 2)

    for array, size in ((rates, 1), (ticks, 1), (empty, 0)):
        assert isinstance(array, np.ndarray)
        assert (size,) == array.shape
        assert array.dtype.names is not None


@pytest.mark.behaviour("2", "W")
def test_initialize_lets_go_of_the_connection_before() -> None:
    """A second initialize that fails leaves none, though the first was good."""
    terminal = SimulatedTerminal(login=5)
    assert terminal.initialize(login=5) is True

    assert terminal.initialize(login=6) is False
    assert terminal.positions_total() is None
    assert terminal.initialize() is True
    assert 0 == terminal.positions_total()


@pytest.mark.behaviour("2", "W")
def test_login_needs_a_connection_and_an_account() -> None:
    """False with -10004 or -2, never an exception."""
    terminal = SimulatedTerminal(login=5)
    assert terminal.login(5) is False
    assert -10004 == terminal.last_error()[0]
    terminal.initialize()

    assert terminal.login() is False
    assert -2 == terminal.last_error()[0]
    assert terminal.login("5") is False
    assert (-2, 'Invalid "login" argument') == terminal.last_error()


@pytest.mark.behaviour("2", "W")
def test_authorisation_in_time_or_false(terminal: SimulatedTerminal) -> None:
    """A timeout is False with -10005, though the documentation says it raises."""
    terminal.faults = Schedule(
        {"login": {1: Fail(-10005)}, "initialize": {1: Fail(-10005)}}
    )

    assert terminal.login(5) is False
    assert (-10005, "IPC timeout") == terminal.last_error()
    assert terminal.initialize(login=5) is False
    assert (-10005, "IPC timeout") == terminal.last_error()


@pytest.mark.behaviour("2", "W")
def test_refused_login_keeps_the_account(terminal: SimulatedTerminal) -> None:
    """The connection stays, and so does the account that the terminal is on."""
    assert terminal.login(6) is False
    assert (-6, "Terminal: Authorization failed") == terminal.last_error()

    account = terminal.account_info()
    assert account is not None
    assert 5 == account.login


@pytest.mark.behaviour("2", "W")
def test_shutdown_is_always_true() -> None:
    """Also without a connection, and twice."""
    terminal = SimulatedTerminal()

    assert [True, True] == [terminal.shutdown() for _ in range(2)]


@pytest.mark.behaviour("2", "W")
def test_version_is_number_build_and_date(terminal: SimulatedTerminal) -> None:
    """Two ints and a text, as the documentation's (500, 2007, '25 Feb 2019')."""
    assert (500, 6231, "27 Sep 2026") == terminal.version()


@pytest.mark.behaviour("1", "W")
def test_request_that_is_missing_is_refused(terminal: SimulatedTerminal) -> None:
    """order_send() and order_check() want one dictionary, or keywords."""
    for function in (terminal.order_send, terminal.order_check):
        assert function() is None
        assert (-2, "Invalid number of arguments") == terminal.last_error()


@pytest.mark.behaviour("1", "W", "T")
@pytest.mark.parametrize(
    "name",
    ["positions_get", "orders_get", "history_orders_get", "history_deals_get"],
)
def test_negative_ticket_is_a_system_error(
    terminal: SimulatedTerminal, name: str
) -> None:
    """Unsigned in the module: OverflowError is behind the SystemError."""
    with pytest.raises(SystemError, match="exception set") as caught:
        getattr(terminal, name)(ticket=-1)
    assert isinstance(caught.value.__cause__, OverflowError)


@pytest.mark.behaviour("1", "W")
@pytest.mark.parametrize("value", [1.0, "1", None, np.int64(1)])
def test_ticket_must_be_int(terminal: SimulatedTerminal, value: object) -> None:
    """What comes out of a DataFrame is none: (-2, 'Invalid "ticket" argument')."""
    for name in ("positions_get", "orders_get", "history_deals_get"):
        assert getattr(terminal, name)(ticket=value) is None
        assert (-2, 'Invalid "ticket" argument') == terminal.last_error()


@pytest.mark.behaviour("1", "W")
def test_symbol_holds_29_units_wherever_it_is_given(
    terminal: SimulatedTerminal,
) -> None:
    """A longer name is an invalid argument, not an unknown symbol."""
    assert terminal.positions_get(symbol="x" * 29) == ()
    assert terminal.positions_get(symbol="x" * 30) is None
    assert (-2, 'Invalid "symbol" argument') == terminal.last_error()


@pytest.mark.behaviour("5", "W")
def test_positions_and_orders_are_grouped_alike(terminal: SimulatedTerminal) -> None:
    """The same masks as for symbols, applied on this side of the pipe."""
    sent(terminal)
    sent(terminal, action=5, type=2, price=1.0)

    for name in ("positions_get", "orders_get"):
        function = getattr(terminal, name)
        assert [1, 1, 1, 0, 0, 0, 0] == [
            len(function(group=group))
            for group in (
                "*",
                "EURUSD",
                "*,!GBP*",
                "EUR",
                "eur*",
                "*,!*USD",
                "!GBP*",
            )
        ]


@pytest.mark.behaviour("5", "W")
def test_group_is_text(terminal: SimulatedTerminal) -> None:
    """None with -2 for the getters, False for symbols_get."""
    for function in (terminal.positions_get, terminal.orders_get):
        assert function(group=5) is None
        assert (-2, 'Invalid "group" argument') == terminal.last_error()
    assert terminal.history_deals_get(*EVER, group=5) is None
    assert (-2, 'Invalid "group" argument') == terminal.last_error()


@pytest.mark.behaviour("4", "W")
def test_answer_echoes_the_whole_request(terminal: SimulatedTerminal) -> None:
    """All 17 fields as they were sent, as types of Python."""
    request = {
        "action": 1,
        "magic": 2**63,
        "order": 3,
        "symbol": "EURUSD",
        "volume": 0.1,
        "price": 1.1001,
        "stoplimit": 1.05,
        "sl": 1.09,
        "tp": 1.12,
        "deviation": 20,
        "type": 0,
        "type_filling": 1,
        "type_time": 0,
        "expiration": 5,
        "comment": "python script open",
        "position": 0,
        "position_by": 7,
    }

    result, checked = terminal.order_send(request), terminal.order_check(request)

    assert result is not None
    assert checked is not None
    assert request == result.request._asdict() == checked.request._asdict()


@pytest.mark.behaviour("4", "D")
def test_answer_has_the_quote_of_its_moment(terminal: SimulatedTerminal) -> None:
    """Bid and ask are the server's, retcode_external is 0."""
    result = sent(terminal)

    assert (1.1, 1.1001, 0) == (result.bid, result.ask, result.retcode_external)
    assert result.deal > 0
    assert result.order > 0


@pytest.mark.behaviour("4", "F")
def test_refusal_has_zeros_and_its_reason(terminal: SimulatedTerminal) -> None:
    """deal, order, volume and price are 0; the comment says why."""
    result = sent(terminal, sl=1.2)

    assert (10016, 0, 0, 0.0, 0.0, "Invalid stops") == (
        result.retcode,
        result.deal,
        result.order,
        result.volume,
        result.price,
        result.comment,
    )


@pytest.mark.behaviour("4", "K")
def test_every_action_is_done_with_10009(terminal: SimulatedTerminal) -> None:
    """A deal, protection, an order placed, changed and removed."""
    opened = sent(terminal)
    placed = sent(terminal, action=5, type=2, price=1.0)
    order = {"order": placed.order, "price": 1.01}

    assert [10009] * 5 == [
        opened.retcode,
        placed.retcode,
        sent(terminal, action=6, position=opened.order, sl=1.0).retcode,
        sent(terminal, action=7, **order).retcode,
        sent(terminal, action=8, **order).retcode,
    ]


@pytest.mark.behaviour("4", "W", "F")
def test_position_closed_by_a_level_has_an_order_with_its_reason(
    terminal: SimulatedTerminal,
) -> None:
    """ORDER_REASON_SL 4, TP 5 on the order, the same numbers on its deal."""
    sent(terminal, sl=1.09)
    sent(terminal, tp=1.12)

    terminal.quote("EURUSD", 1.13, 1.1301, NOON + timedelta(minutes=1))
    terminal.quote("EURUSD", 1.08, 1.0801, NOON + timedelta(minutes=2))

    orders = (terminal.history_orders_get(*EVER) or ())[-2:]
    deals = (terminal.history_deals_get(*EVER) or ())[-2:]
    assert [5, 4] == [order.reason for order in orders]
    assert [5, 4] == [deal.reason for deal in deals]
    assert [order.ticket for order in orders] == [deal.order for deal in deals]


@pytest.mark.behaviour("4", "F")
def test_deals_of_a_position_are_found_by_its_number(
    terminal: SimulatedTerminal,
) -> None:
    """Not by magic: a close may carry another magic number and comment."""
    opened = sent(terminal, magic=7, comment="in")
    sent(terminal, type=1, position=opened.order, magic=8, comment="out")

    deals = terminal.history_deals_get(position=opened.order) or ()

    assert [(0, 7, "in"), (1, 8, "out")] == [
        (deal.entry, deal.magic, deal.comment) for deal in deals
    ]


@pytest.mark.behaviour("8", "W")
def test_position_has_no_commission(terminal: SimulatedTerminal) -> None:
    """Commission and fee are on deals only."""
    sent(terminal)
    (held,) = terminal.positions_get() or ()
    *_, deal = terminal.history_deals_get(*EVER) or ()

    assert not hasattr(held, "commission")
    assert (0.0, 0.0) == (deal.commission, deal.fee)


@pytest.mark.behaviour("8", "W")
def test_stop_out_levels_are_shown(terminal: SimulatedTerminal) -> None:
    """margin_so_mode 0 counts in percent: margin_so_call and margin_so_so."""
    account = SimulatedTerminal(margin_call=80.0, stop_out=50.0)
    account.initialize()

    info = account.account_info()

    assert info is not None
    assert (0, 80.0, 50.0) == (
        info.margin_so_mode,
        info.margin_so_call,
        info.margin_so_so,
    )


@pytest.mark.behaviour("8", "W")
@pytest.mark.parametrize(("hedging", "mode"), [(True, 2), (False, 0)])
def test_margin_mode_tells_hedging_from_netting(hedging: bool, mode: int) -> None:
    """RETAIL_NETTING is 0, RETAIL_HEDGING is 2."""
    terminal = SimulatedTerminal(hedging=hedging)
    terminal.initialize()

    info = terminal.account_info()

    assert info is not None
    assert mode == info.margin_mode


@pytest.mark.behaviour("8", "K")
def test_credit_counts_for_equity_not_for_balance(terminal: SimulatedTerminal) -> None:
    """And its deal is no trading result: DEAL_TYPE_CREDIT 3."""
    terminal.account.grant_credit(500.0, "Bonus")

    info = terminal.account_info()
    *_, deal = terminal.history_deals_get(*EVER) or ()

    assert info is not None
    assert (10_000.0, 500.0, 10_500.0) == (info.balance, info.credit, info.equity)
    assert (3, 500.0, "", 0) == (deal.type, deal.profit, deal.symbol, deal.position_id)
