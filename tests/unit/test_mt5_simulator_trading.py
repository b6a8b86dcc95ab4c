"""Trade requests on the simulated terminal: what is executed, what is refused.

The mark ``behaviour`` names the section and the source of a rule; see
``test_mt5_simulator_behaviour.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runner.adapters.mt5_simulator import constants as mt5
from runner.adapters.mt5_simulator.structs import (
    OrderCheckResult,
    OrderSendResult,
    TradeDeal,
    TradeOrder,
    TradePosition,
)
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
EVER = (1, 2**31 - 1)


def make(fields: Mapping[str, Any] | None = None, **options: Any) -> SimulatedTerminal:
    """Return a terminal that quotes EURUSD 1.10000 / 1.10010, with *fields* of it."""
    terminal = SimulatedTerminal(symbols={"EURUSD": fields or {}}, **options)
    terminal.initialize()
    terminal.symbol_select("EURUSD")
    terminal.quote("EURUSD", 1.1, 1.1001, NOON)
    return terminal


def send(terminal: SimulatedTerminal, **fields: Any) -> OrderSendResult:
    """Send a market order, changed by *fields*; there must be an answer."""
    request = {"action": 1, "symbol": "EURUSD", "volume": 0.1, "type": 0, **fields}
    result = terminal.order_send(request)
    assert result is not None, terminal.last_error()
    return result


def check(terminal: SimulatedTerminal, **fields: Any) -> OrderCheckResult:
    """Check a market order, changed by *fields*; there must be an answer."""
    request = {"action": 1, "symbol": "EURUSD", "volume": 0.1, "type": 0, **fields}
    result = terminal.order_check(request)
    assert result is not None, terminal.last_error()
    return result


def pending(terminal: SimulatedTerminal, **fields: Any) -> OrderSendResult:
    """Place a buy limit order at 1.09, changed by *fields*."""
    order = {"action": 5, "type": 2, "price": 1.09, "type_filling": 2}
    return send(terminal, **{**order, **fields})


def position(terminal: SimulatedTerminal) -> TradePosition:
    """Return the only open position."""
    held = terminal.positions_get()
    assert held is not None
    assert 1 == len(held)
    return held[0]


def waiting(terminal: SimulatedTerminal) -> TradeOrder:
    """Return the only pending order."""
    orders = terminal.orders_get()
    assert orders is not None
    assert 1 == len(orders)
    return orders[0]


def deals(terminal: SimulatedTerminal) -> tuple[TradeDeal, ...]:
    """Return every deal but the deposit."""
    found = terminal.history_deals_get(*EVER)
    assert found is not None
    return found[1:]


# Opening and closing


@pytest.mark.behaviour("9", "D")
@pytest.mark.parametrize(("order_type", "price"), [(0, 1.1001), (1, 1.1)])
def test_market_order_is_filled_at_the_far_side_of_the_spread(
    order_type: int, price: float
) -> None:
    """A buy at the ask, a sell at the bid; 10009 with deal, order and price."""
    terminal = make()

    result = send(terminal, type=order_type, magic=7, comment="hello")

    assert mt5.TRADE_RETCODE_DONE == result.retcode
    assert "Request executed" == result.comment
    assert (0.1, price, 1.1, 1.1001) == (
        result.volume,
        result.price,
        result.bid,
        result.ask,
    )
    held = position(terminal)
    assert (order_type, 7, "hello", price) == (
        held.type,
        held.magic,
        held.comment,
        held.price_open,
    )


@pytest.mark.behaviour("4", "D")
def test_position_ticket_is_the_opening_orders_ticket() -> None:
    """On a hedging account, and the deal carries it as position_id."""
    terminal = make()

    result = send(terminal)

    assert result.order == position(terminal).ticket == position(terminal).identifier
    (deal,) = deals(terminal)
    assert (result.deal, result.order, result.order) == (
        deal.ticket,
        deal.order,
        deal.position_id,
    )
    assert (mt5.DEAL_ENTRY_IN, mt5.DEAL_REASON_EXPERT) == (deal.entry, deal.reason)
    (order,) = terminal.history_orders_get(ticket=result.order) or ()
    assert (mt5.ORDER_STATE_FILLED, 0.0) == (order.state, order.volume_current)


@pytest.mark.behaviour("4", "D")
def test_request_ids_count_up() -> None:
    """Every answer has its own request_id."""
    terminal = make()

    assert [1, 2, 3] == [send(terminal).request_id for _ in range(3)]


@pytest.mark.behaviour("4", "K")
def test_closing_needs_the_ticket() -> None:
    """An opposite deal with `position` closes; without it, it opens another."""
    terminal = make()
    opened = send(terminal)

    send(terminal, type=1)
    assert 2 == terminal.positions_total()

    closed = send(terminal, type=1, position=opened.order)
    assert 10009 == closed.retcode
    assert 1 == terminal.positions_total()
    last = deals(terminal)[-1]
    assert (mt5.DEAL_ENTRY_OUT, opened.order, -1.0) == (
        last.entry,
        last.position_id,
        last.profit,
    )


@pytest.mark.behaviour("4", "D")
def test_smaller_volume_closes_a_part() -> None:
    """A partial close leaves the position with its ticket and its open price."""
    terminal = make()
    opened = send(terminal, volume=0.3)

    send(terminal, type=1, volume=0.1, position=opened.order)

    held = position(terminal)
    assert (opened.order, 0.2, 1.1001) == (held.ticket, held.volume, held.price_open)


@pytest.mark.behaviour("4", "D")
@pytest.mark.parametrize(
    ("fields", "retcode"),
    [
        ({"position": 1}, mt5.TRADE_RETCODE_POSITION_CLOSED),
        ({"volume": 0.2}, mt5.TRADE_RETCODE_INVALID_CLOSE_VOLUME),
        ({"type": 0}, mt5.TRADE_RETCODE_INVALID),
        ({"symbol": "GBPUSD"}, mt5.TRADE_RETCODE_INVALID),
    ],
)
def test_wrong_close_is_refused(fields: dict[str, Any], retcode: int) -> None:
    """A closed position 10036, too much volume 10038, the same direction 10013."""
    terminal = make()
    opened = send(terminal)

    result = send(terminal, **{"type": 1, "position": opened.order, **fields})

    assert retcode == result.retcode
    assert (0, 0, 0.0, 0.0) == (result.deal, result.order, result.volume, result.price)
    assert 0.1 == position(terminal).volume


@pytest.mark.behaviour("4", "D")
def test_oldest_position_goes_first_under_fifo() -> None:
    """An account with fifo_close refuses the younger one: 10045."""
    terminal = make(fifo_close=True)
    first, second = send(terminal), send(terminal)

    assert 10045 == send(terminal, type=1, position=second.order).retcode
    assert 10009 == send(terminal, type=1, position=first.order).retcode
    assert 10009 == send(terminal, type=1, position=second.order).retcode


def test_slippage_goes_against_the_order() -> None:
    """Slippage is a setting of the terminal, in points."""
    terminal = make(slippage=3)

    assert 1.10013 == send(terminal).price
    assert 1.09997 == send(terminal, type=1).price


@pytest.mark.behaviour("8", "W")
def test_commission_is_taken_with_every_deal() -> None:
    """Per lot and deal, on the deal and from the balance; positions show none."""
    terminal = make(commission=3.5)
    opened = send(terminal, volume=1.0)
    send(terminal, type=1, volume=1.0, position=opened.order)

    assert [-3.5, -3.5] == [deal.commission for deal in deals(terminal)]
    account = terminal.account_info()
    assert account is not None
    assert 10_000 - 7.0 - 10.0 == account.balance


# Refusals


def assert_refused(
    retcode: int, fields: dict[str, Any] | None = None, **request: Any
) -> None:
    """Check that `order_check` and `order_send` refuse alike, and nothing is done."""
    terminal = make(fields)

    checked, sent = check(terminal, **request), send(terminal, **request)

    assert (retcode, retcode) == (checked.retcode, sent.retcode)
    assert checked.comment == sent.comment
    assert (0, 0, 0.0, 0.0) == (sent.deal, sent.order, sent.volume, sent.price)
    assert 0 == terminal.positions_total() == terminal.orders_total()


@pytest.mark.behaviour("4", "D")
@pytest.mark.parametrize("volume", [0.0, -0.1, 0.005, 0.015, 100.01])
def test_volume_outside_of_its_limits_or_off_its_step_is_10014(volume: float) -> None:
    """From volume_min to volume_max in whole steps."""
    assert_refused(mt5.TRADE_RETCODE_INVALID_VOLUME, volume=volume)


@pytest.mark.behaviour("4", "D")
@pytest.mark.parametrize(
    "request_", [{"type": 2}, {"action": 99}, {"action": 0}, {"symbol": "NOSUCH"}]
)
def test_request_that_means_nothing_is_10013(request_: dict[str, Any]) -> None:
    """A pending type in a deal, an unknown action, an unknown symbol."""
    assert_refused(mt5.TRADE_RETCODE_INVALID, **request_)


@pytest.mark.parametrize(
    "request_", [{"volume": float("nan")}, {"sl": float("inf")}, {"tp": float("nan")}]
)
def test_request_with_no_number_is_10013(request_: dict[str, Any]) -> None:
    """NaN and infinity pass as float, and come to nothing."""
    assert_refused(mt5.TRADE_RETCODE_INVALID, **request_)


@pytest.mark.behaviour("4", "D", "K")
def test_symbol_without_quotes_is_10021() -> None:
    """Not in Market Watch, or not quoted yet: there is no price to deal at."""
    assert_refused(mt5.TRADE_RETCODE_PRICE_OFF, symbol="GBPUSD")
    terminal = make()
    terminal.symbol_select("GBPUSD")
    assert 10021 == send(terminal, symbol="GBPUSD").retcode


@pytest.mark.behaviour("4", "D")
def test_order_beyond_the_free_margin_is_10019() -> None:
    """The margin of all positions with the new one may not exceed the equity."""
    assert_refused(mt5.TRADE_RETCODE_NO_MONEY, volume=50.0)
    terminal = make(balance=1100.1)
    assert 10009 == send(terminal, volume=1.0).retcode
    assert 10019 == send(terminal, volume=0.01).retcode


@pytest.mark.behaviour("4", "D")
def test_disabled_symbol_is_10017() -> None:
    """trade_mode 0: the untradable twin that some brokers show beside a symbol."""
    assert_refused(mt5.TRADE_RETCODE_TRADE_DISABLED, {"trade_mode": 0})


@pytest.mark.behaviour("4", "D")
def test_long_only_symbol_refuses_to_be_sold_with_10042() -> None:
    """trade_mode 1: purchases open positions, sales only close them."""
    assert_refused(mt5.TRADE_RETCODE_LONG_ONLY, {"trade_mode": 1}, type=1)
    terminal = make({"trade_mode": 1})
    opened = send(terminal)
    assert 10009 == send(terminal, type=1, position=opened.order).retcode


@pytest.mark.behaviour("4", "D")
def test_short_only_symbol_refuses_to_be_bought_with_10043() -> None:
    """trade_mode 2: sales open positions, purchases only close them."""
    assert_refused(mt5.TRADE_RETCODE_SHORT_ONLY, {"trade_mode": 2})
    terminal = make({"trade_mode": 2})
    opened = send(terminal, type=1)
    assert 10009 == send(terminal, position=opened.order).retcode


@pytest.mark.behaviour("4", "D")
def test_close_only_symbol_refuses_to_open_with_10044() -> None:
    """trade_mode 3: what is held can be closed and protected, nothing opened."""
    assert_refused(mt5.TRADE_RETCODE_CLOSE_ONLY, {"trade_mode": 3})
    terminal = make()
    opened = send(terminal)
    terminal.known("EURUSD").fields["trade_mode"] = 3
    assert 10044 == pending(terminal).retcode
    assert 10009 == send(terminal, action=6, position=opened.order, sl=1.0).retcode
    assert 10009 == send(terminal, type=1, position=opened.order).retcode


@pytest.mark.behaviour("5", "D")
@pytest.mark.parametrize(
    ("flag", "request_"),
    [
        (1, {}),
        (2, {"action": 5, "type": 2, "price": 1.09, "type_filling": 2}),
        (4, {"action": 5, "type": 4, "price": 1.11, "type_filling": 2}),
        (
            8,
            {
                "action": 5,
                "type": 6,
                "price": 1.11,
                "stoplimit": 1.105,
                "type_filling": 2,
            },
        ),
        (16, {"sl": 1.09}),
        (32, {"tp": 1.11}),
    ],
)
def test_order_mode_is_a_mask_of_what_the_symbol_takes(
    flag: int, request_: dict[str, Any]
) -> None:
    """Market 1, limit 2, stop 4, stop-limit 8, SL 16, TP 32; without it 10035."""
    assert 10009 == send(make({"order_mode": flag | 1}), **request_).retcode
    assert_refused(
        mt5.TRADE_RETCODE_INVALID_ORDER, {"order_mode": 127 - flag}, **request_
    )


@pytest.mark.behaviour("5", "D")
def test_order_mode_64_is_close_by() -> None:
    """A symbol without the flag refuses to close positions by each other: 10035."""
    for mode, retcode in ((127, 10009), (63, 10035)):
        terminal = make({"order_mode": mode})
        long, short = send(terminal), send(terminal, type=1)

        close_by = {"action": 10, "position": long.order, "position_by": short.order}
        assert retcode == send(terminal, **close_by).retcode


@pytest.mark.behaviour("5", "D")
@pytest.mark.parametrize("type_time", range(4))
def test_expiration_mode_is_a_mask_of_what_the_symbol_takes(type_time: int) -> None:
    """GTC 1, DAY 2, SPECIFIED 4, SPECIFIED_DAY 8; without it 10022."""
    flag = 2**type_time
    later = {"type_time": type_time, "expiration": 2**31 - 1}

    assert 10009 == pending(make({"expiration_mode": flag}), **later).retcode
    assert 10022 == pending(make({"expiration_mode": 15 - flag}), **later).retcode


@pytest.mark.behaviour("5", "D")
@pytest.mark.parametrize(
    "request_", [{"sl": 1.1}, {"tp": 1.1}, {"sl": 1.2}, {"tp": 1.0}, {"sl": -1.0}]
)
def test_stops_of_a_purchase_lie_on_both_sides_of_the_bid(
    request_: dict[str, Any],
) -> None:
    """Sl < bid < tp: on the wrong side, or at the bid itself, 10016."""
    assert_refused(mt5.TRADE_RETCODE_INVALID_STOPS, **request_)


@pytest.mark.behaviour("5", "D")
@pytest.mark.parametrize(
    "request_", [{"sl": 1.1001}, {"tp": 1.1001}, {"sl": 1.0}, {"tp": 1.2}]
)
def test_stops_of_a_sale_lie_on_both_sides_of_the_ask(
    request_: dict[str, Any],
) -> None:
    """Tp < ask < sl: on the wrong side, or at the ask itself, 10016."""
    assert_refused(mt5.TRADE_RETCODE_INVALID_STOPS, type=1, **request_)


@pytest.mark.behaviour("5", "D")
@pytest.mark.parametrize(
    ("request_", "retcode"),
    [
        ({"sl": 1.09951}, 10016),
        ({"sl": 1.0995}, 10009),
        ({"tp": 1.10049}, 10016),
        ({"tp": 1.1005}, 10009),
        ({"type": 1, "sl": 1.10059}, 10016),
        ({"type": 1, "sl": 1.1006}, 10009),
        ({"type": 1, "tp": 1.09961}, 10016),
        ({"type": 1, "tp": 1.0996}, 10009),
    ],
)
def test_stops_keep_the_stops_level(request_: dict[str, Any], retcode: int) -> None:
    """bid-sl, tp-bid, sl-ask and ask-tp are trade_stops_level points at least."""
    assert retcode == send(make({"trade_stops_level": 50}), **request_).retcode


@pytest.mark.behaviour("5", "D")
@pytest.mark.parametrize(
    ("request_", "retcode"),
    [
        ({"type": 2, "price": 1.09961}, 10015),
        ({"type": 2, "price": 1.0996}, 10009),
        ({"type": 3, "price": 1.10049}, 10015),
        ({"type": 3, "price": 1.1005}, 10009),
        ({"type": 4, "price": 1.10059}, 10015),
        ({"type": 4, "price": 1.1006}, 10009),
        ({"type": 5, "price": 1.09951}, 10015),
        ({"type": 5, "price": 1.0995}, 10009),
        ({"type": 2, "price": 1.09, "sl": 1.08951}, 10016),
        ({"type": 2, "price": 1.09, "sl": 1.0895, "tp": 1.0905}, 10009),
    ],
)
def test_pending_orders_keep_the_stops_level(
    request_: dict[str, Any], retcode: int
) -> None:
    """Their price from the market (10015), their stops from their price (10016)."""
    assert retcode == pending(make({"trade_stops_level": 50}), **request_).retcode


@pytest.mark.behaviour("5", "D")
@pytest.mark.parametrize(
    ("fields", "request_"),
    [
        ({}, {"sl": 1.09999}),
        ({}, {"tp": 1.10001}),
        ({}, {"type": 1, "sl": 1.10011, "tp": 1.10009}),
        ({"trade_stops_level": 50}, {"sl": 1.0995, "tp": 1.1005}),
        ({}, {"volume": 0.29}),
        ({"volume_limit": 0.1}, {}),
    ],
)
def test_order_at_the_limit_is_taken(
    fields: dict[str, Any], request_: dict[str, Any]
) -> None:
    """The nearest stop and the last step of volume are still good."""
    assert 10009 == send(make(fields), **request_).retcode


@pytest.mark.behaviour("4", "F")
def test_refusal_comments_that_are_known() -> None:
    """Invalid stops and Invalid price were seen on live terminals."""
    instant = make({"trade_exemode": mt5.SYMBOL_TRADE_EXECUTION_INSTANT})

    assert "Invalid stops" == send(make(), sl=1.2).comment
    assert "Invalid price" == send(instant).comment


FOK, IOC, RETURN, BOC = range(4)


def taken(execution: int, mask: int, filling: int) -> bool:
    """Say whether a market order is taken with that filling; 10030 if not."""
    terminal = make({"trade_exemode": execution, "filling_mode": mask})
    retcode = send(terminal, type_filling=filling, price=1.1001).retcode
    assert retcode in (10009, 10030)
    return retcode == 10009


@pytest.mark.behaviour("5", "D")
def test_market_execution_fills_as_in_the_mask() -> None:
    """FOK with 1, IOC with 2, RETURN never; the mask is not the request's number."""
    assert [[], [FOK], [IOC], [FOK, IOC]] == [
        [filling for filling in range(4) if taken(2, mask, filling)]
        for mask in range(4)
    ]


@pytest.mark.behaviour("5", "D")
def test_exchange_execution_takes_return_besides() -> None:
    """FOK and IOC as in the mask, RETURN whatever it is."""
    assert [[RETURN], [FOK, RETURN], [IOC, RETURN], [FOK, IOC, RETURN]] == [
        [filling for filling in range(4) if taken(3, mask, filling)]
        for mask in range(4)
    ]


@pytest.mark.behaviour("5", "D")
@pytest.mark.parametrize("execution", [0, 1])
def test_instant_and_request_execution_ignore_the_mask(execution: int) -> None:
    """FOK, IOC and RETURN are all taken."""
    for mask in range(4):
        assert [True, True, True, False] == [
            taken(execution, mask, filling) for filling in range(4)
        ]


@pytest.mark.behaviour("5", "D")
@pytest.mark.parametrize("execution", range(4))
def test_pending_order_may_always_be_return(execution: int) -> None:
    """Whatever the execution and the mask."""
    terminal = make({"trade_exemode": execution, "filling_mode": 1})

    assert 10009 == pending(terminal, type_filling=RETURN).retcode


@pytest.mark.behaviour("5", "D")
def test_book_or_cancel_is_for_pending_orders() -> None:
    """With 4 in the mask a pending order may be BOC, a market order never."""
    assert 10009 == pending(make({"filling_mode": 4}), type_filling=BOC).retcode
    assert 10030 == pending(make({"filling_mode": 3}), type_filling=BOC).retcode
    assert not taken(2, 7, BOC)


@pytest.mark.behaviour("5", "W")
def test_omitted_filling_is_fok() -> None:
    """Zero-filled: a symbol without FOK refuses a request that says nothing."""
    assert 10030 == send(make({"filling_mode": 2})).retcode


@pytest.mark.behaviour("9", "F", "K")
@pytest.mark.parametrize(
    ("price", "deviation", "retcode"),
    [
        (1.1001, 0, 10009),
        (1.1, 9, 10004),
        (1.1, 10, 10009),
        (1.1002, 10, 10009),
        (0.0, 100, 10015),
    ],
)
def test_instant_execution_wants_a_price_within_the_deviation(
    price: float, deviation: int, retcode: int
) -> None:
    """A price too far from the market is requoted, none is invalid."""
    terminal = make({"trade_exemode": mt5.SYMBOL_TRADE_EXECUTION_INSTANT})

    assert retcode == send(terminal, price=price, deviation=deviation).retcode


@pytest.mark.behaviour("9", "K")
def test_market_execution_ignores_the_price() -> None:
    """Deviation applies to instant execution only."""
    assert 1.1001 == send(make(), price=0.5, deviation=0).price


@pytest.mark.behaviour("2", "D", "F")
def test_algo_trading_button_refuses_everything_with_10027() -> None:
    """Off, as after a terminal's restart: also what would close."""
    terminal = make()
    opened = send(terminal)

    terminal.switches.trade_allowed = False

    assert 10027 == send(terminal, type=1, position=opened.order).retcode
    assert 10027 == send(terminal, action=6, position=opened.order, sl=1.0).retcode
    assert 1 == terminal.positions_total()


@pytest.mark.behaviour("2", "D")
def test_terminal_without_a_link_answers_10031() -> None:
    """The pipe is good, but the trade server is not reached."""
    terminal = make()

    terminal.switches.connected = False

    assert 10031 == send(terminal).retcode


@pytest.mark.behaviour("2", "F")
def test_terminal_without_a_link_serves_what_it_had() -> None:
    """Stale data comes without any error: only `connected` and the tick's age tell."""
    terminal = make()
    opened = send(terminal)

    terminal.switches.connected = False

    assert opened.order == position(terminal).ticket
    assert terminal.symbol_info_tick("EURUSD") is not None
    assert terminal.copy_rates_from_pos("EURUSD", 1, 0, 1) is not None
    assert (1, "Success") == terminal.last_error()


@pytest.mark.behaviour("2", "D")
def test_investor_password_is_10017() -> None:
    """account_info().trade_allowed is False then."""
    terminal = make()

    terminal.account.trade_allowed = False

    account = terminal.account_info()
    assert account is not None
    assert (False, 10017) == (account.trade_allowed, send(terminal).retcode)


@pytest.mark.behaviour("2", "D")
def test_server_may_forbid_experts_with_10026() -> None:
    """account_info().trade_expert is False then."""
    terminal = make()

    terminal.account.expert_allowed = False

    account = terminal.account_info()
    assert account is not None
    assert (False, 10026) == (account.trade_expert, send(terminal).retcode)


@pytest.mark.behaviour("2", "W")
def test_python_can_be_shut_out() -> None:
    """The option that disables the API: order_send is None with -8."""
    terminal = make()
    terminal.switches.tradeapi_disabled = True

    assert terminal.order_send({"action": 1}) is None
    assert (
        -8,
        "Auto-Trading using Python API disabled in Terminal",
    ) == terminal.last_error()


@pytest.mark.behaviour("2", "D")
def test_switches_are_shown() -> None:
    """terminal_info and account_info say what would refuse."""
    terminal = make()
    terminal.switches.connected = terminal.switches.trade_allowed = False
    terminal.account.trade_allowed = False

    info, account = terminal.terminal_info(), terminal.account_info()

    assert info is not None
    assert account is not None
    assert (False, False, False) == (info.connected, info.trade_allowed, account[5])


def test_closed_market_takes_no_orders() -> None:
    """After the feed ended there is no market: 10018."""
    terminal = make()
    opened = send(terminal)
    terminal.market.is_closed = True

    assert 10018 == send(terminal).retcode
    assert 10018 == send(terminal, type=1, position=opened.order).retcode
    assert 10018 == send(terminal, action=6, position=opened.order, sl=1.0).retcode


@pytest.mark.behaviour("1", "D")
def test_check_is_zero_and_done() -> None:
    """The success of order_check is retcode 0, with the margin as it would be."""
    terminal = make()

    result = check(terminal, volume=1.0)

    assert (0, "Done") == (result.retcode, result.comment)
    assert (10_000.0, 10_000.0, 0.0, 1100.1, 8899.9) == (
        result.balance,
        result.equity,
        result.profit,
        result.margin,
        result.margin_free,
    )
    assert result.margin_level == pytest.approx(909.008, abs=0.001)
    assert 0 == terminal.positions_total()


# Protection


@pytest.mark.behaviour("4", "W", "I")
def test_protection_moves_both_levels() -> None:
    """SLTP sets sl and tp together: an omitted one becomes 0.0, removed."""
    terminal = make()
    opened = send(terminal, sl=1.09, tp=1.12)

    result = send(terminal, action=6, position=opened.order, sl=1.095)

    assert 10009 == result.retcode
    assert (0, 0) == (result.deal, result.order)
    assert (1.095, 0.0) == (position(terminal).sl, position(terminal).tp)


@pytest.mark.behaviour("4", "D")
@pytest.mark.parametrize(
    ("fields", "retcode"),
    [
        ({"sl": 1.09}, mt5.TRADE_RETCODE_NO_CHANGES),
        ({"sl": 1.1}, mt5.TRADE_RETCODE_INVALID_STOPS),
        ({"sl": 1.08, "position": 1}, mt5.TRADE_RETCODE_POSITION_CLOSED),
        ({"sl": 1.08, "symbol": "GBPUSD"}, mt5.TRADE_RETCODE_INVALID),
    ],
)
def test_wrong_protection_is_refused(fields: dict[str, Any], retcode: int) -> None:
    """Equal to the present one 10025, wrong side 10016, no position 10036."""
    terminal = make()
    opened = send(terminal, sl=1.09)

    assert (
        retcode
        == send(terminal, **{"action": 6, "position": opened.order, **fields}).retcode
    )
    assert 1.09 == position(terminal).sl


@pytest.mark.behaviour("5", "D")
def test_frozen_position_cannot_be_touched() -> None:
    """Inside the freeze level of its stop, neither changed nor closed: 10029."""
    terminal = make({"trade_freeze_level": 20})
    opened = send(terminal, sl=1.09)

    terminal.quote("EURUSD", 1.0902, 1.0903, NOON)

    touch = {"action": 6, "position": opened.order, "sl": 1.08}
    assert 10029 == send(terminal, **touch).retcode
    assert 10029 == send(terminal, type=1, position=opened.order).retcode
    terminal.quote("EURUSD", 1.09021, 1.09031, NOON)
    assert 10009 == send(terminal, **touch).retcode


# Pending orders


@pytest.mark.behaviour("5", "D")
@pytest.mark.parametrize(
    ("order_type", "good", "bad"),
    [
        (mt5.ORDER_TYPE_BUY_LIMIT, 1.10009, 1.1001),
        (mt5.ORDER_TYPE_SELL_LIMIT, 1.10001, 1.1),
        (mt5.ORDER_TYPE_BUY_STOP, 1.10011, 1.1001),
        (mt5.ORDER_TYPE_SELL_STOP, 1.09999, 1.1),
    ],
)
def test_pending_price_has_its_side(order_type: int, good: float, bad: float) -> None:
    """Limits better than the market, stops worse; buys against the ask."""
    terminal = make()

    assert 10015 == pending(terminal, type=order_type, price=bad).retcode
    placed = pending(terminal, type=order_type, price=good)
    assert 10009 == placed.retcode
    assert placed.order == waiting(terminal).ticket
    assert (0, 0.0) == (placed.deal, placed.price)


@pytest.mark.behaviour("9", "D")
@pytest.mark.parametrize(
    ("order_type", "price", "quote", "filled"),
    [
        # Buy orders trigger on the ask, sell orders on the bid.
        (mt5.ORDER_TYPE_BUY_LIMIT, 1.09, (1.0899, 1.09), 1.09),
        (mt5.ORDER_TYPE_BUY_LIMIT, 1.09, (1.0879, 1.088), 1.088),
        (mt5.ORDER_TYPE_SELL_LIMIT, 1.11, (1.11, 1.1101), 1.11),
        (mt5.ORDER_TYPE_BUY_STOP, 1.11, (1.1099, 1.11), 1.11),
        (mt5.ORDER_TYPE_BUY_STOP, 1.11, (1.1199, 1.12), 1.12),
        (mt5.ORDER_TYPE_SELL_STOP, 1.09, (1.09, 1.0901), 1.09),
    ],
)
def test_pending_order_is_filled_when_the_market_comes(
    order_type: int, price: float, quote: tuple[float, float], filled: float
) -> None:
    """The position gets the order's ticket, stops and comment; a gap the quote."""
    terminal = make()
    placed = pending(terminal, type=order_type, price=price, comment="c", magic=4)

    terminal.quote("EURUSD", *quote, NOON + timedelta(minutes=1))

    held = position(terminal)
    assert (placed.order, filled, "c", 4) == (
        held.ticket,
        held.price_open,
        held.comment,
        held.magic,
    )
    assert 0 == terminal.orders_total()
    (order,) = terminal.history_orders_get(ticket=placed.order) or ()
    assert (order_type, mt5.ORDER_STATE_FILLED, placed.order) == (
        order.type,
        order.state,
        order.position_id,
    )


@pytest.mark.behaviour("9", "D")
def test_pending_order_that_the_market_misses_waits() -> None:
    """The bid at a buy limit is not enough: the ask has to come."""
    terminal = make()
    pending(terminal)

    terminal.quote("EURUSD", 1.09, 1.0901, NOON)

    assert 0 == terminal.positions_total()
    assert 1.0901 == waiting(terminal).price_current


@pytest.mark.behaviour("9", "D")
@pytest.mark.parametrize(
    ("order_type", "price", "quote"),
    [
        (mt5.ORDER_TYPE_BUY_STOP, 1.11, (1.1098, 1.1099)),
        (mt5.ORDER_TYPE_BUY_LIMIT, 1.09, (1.09, 1.0901)),
        (mt5.ORDER_TYPE_SELL_STOP, 1.09, (1.0901, 1.0902)),
        (mt5.ORDER_TYPE_SELL_LIMIT, 1.11, (1.1099, 1.11)),
    ],
)
def test_only_the_quote_of_its_side_triggers_an_order(
    order_type: int, price: float, quote: tuple[float, float]
) -> None:
    """The bid triggers no purchase, the ask no sale, a point short is not enough."""
    terminal = make()
    pending(terminal, type=order_type, price=price)

    terminal.quote("EURUSD", *quote, NOON)

    assert (0, 1) == (terminal.positions_total(), terminal.orders_total())


@pytest.mark.behaviour("9", "D")
@pytest.mark.parametrize(
    ("order_type", "levels", "quote"),
    [
        # The ask is at a long's target, or the bid at a short's stop: neither counts.
        (0, {"tp": 1.12}, (1.1199, 1.12)),
        (0, {"sl": 1.09}, (1.0901, 1.0902)),
        (1, {"sl": 1.12}, (1.1198, 1.1199)),
        (1, {"tp": 1.09}, (1.09, 1.0901)),
    ],
)
def test_only_the_quote_that_would_close_triggers_a_level(
    order_type: int, levels: dict[str, float], quote: tuple[float, float]
) -> None:
    """A long's levels wait for the bid, a short's for the ask."""
    terminal = make()
    send(terminal, type=order_type, **levels)

    terminal.quote("EURUSD", *quote, NOON)

    assert 1 == terminal.positions_total()


@pytest.mark.behaviour("9", "D")
def test_stop_limit_leaves_a_limit_order() -> None:
    """Once the stop is reached, a limit order waits at stoplimit, ticket kept."""
    terminal = make()
    placed = pending(
        terminal, type=mt5.ORDER_TYPE_BUY_STOP_LIMIT, price=1.11, stoplimit=1.105
    )

    terminal.quote("EURUSD", 1.11, 1.1101, NOON)
    order = waiting(terminal)
    assert (placed.order, mt5.ORDER_TYPE_BUY_LIMIT, 1.105) == (
        order.ticket,
        order.type,
        order.price_open,
    )

    terminal.quote("EURUSD", 1.1049, 1.105, NOON)
    assert 1.105 == position(terminal).price_open


@pytest.mark.behaviour("5", "D")
@pytest.mark.parametrize("stoplimit", [0.0, 1.12])
def test_stop_limit_needs_a_limit_on_its_side(stoplimit: float) -> None:
    """A buy's limit price may not be above its stop price: 10015."""
    terminal = make()

    result = pending(
        terminal,
        type=mt5.ORDER_TYPE_BUY_STOP_LIMIT,
        price=1.11,
        stoplimit=stoplimit,
    )

    assert 10015 == result.retcode


@pytest.mark.behaviour("5", "D")
def test_pending_stops_are_measured_from_its_price() -> None:
    """A pending order's stop loss lies under its own price, not the market's."""
    terminal = make()

    assert 10016 == pending(terminal, sl=1.095).retcode
    assert 10009 == pending(terminal, sl=1.085, tp=1.095).retcode


@pytest.mark.behaviour("4", "D")
def test_pending_order_is_changed_and_removed() -> None:
    """MODIFY keeps the ticket; equal values are 10025; REMOVE goes to history."""
    terminal = make()
    placed = pending(terminal, sl=1.08)

    same = {"action": 7, "order": placed.order, "price": 1.09, "sl": 1.08}
    assert 10025 == send(terminal, **same).retcode
    assert 10009 == send(terminal, **{**same, "price": 1.095, "sl": 0.0}).retcode
    assert (1.095, 0.0) == (waiting(terminal).price_open, waiting(terminal).sl)

    assert 10009 == send(terminal, action=8, order=placed.order).retcode
    assert 0 == terminal.orders_total()
    (order,) = terminal.history_orders_get(ticket=placed.order) or ()
    assert (mt5.ORDER_STATE_CANCELED, 0.1) == (order.state, order.volume_current)
    assert 10013 == send(terminal, action=8, order=placed.order).retcode


@pytest.mark.behaviour("5", "D")
def test_frozen_order_cannot_be_touched() -> None:
    """Inside the freeze level of its price: 10029."""
    terminal = make({"trade_freeze_level": 20})
    placed = pending(terminal)
    terminal.quote("EURUSD", 1.0901, 1.0902, NOON)

    assert 10029 == send(terminal, action=8, order=placed.order).retcode


@pytest.mark.behaviour("5", "D")
def test_freeze_level_holds_for_every_touch_of_an_order() -> None:
    """Neither changed nor removed inside of it; outside both are good."""
    for ask, retcode in ((1.0902, 10029), (1.09021, 10009)):
        terminal = make({"trade_freeze_level": 20})
        placed = pending(terminal)
        terminal.quote("EURUSD", round(ask - 0.0001, 5), ask, NOON)

        changed = {"action": 7, "order": placed.order, "price": 1.085}
        assert retcode == send(terminal, **changed).retcode


@pytest.mark.behaviour("5", "D")
def test_freeze_level_of_zero_is_no_rule() -> None:
    """A point before its stop a position can be changed and closed."""
    terminal = make()
    opened = send(terminal, sl=1.09)
    terminal.quote("EURUSD", 1.09001, 1.09011, NOON)

    assert 10009 == send(terminal, action=6, position=opened.order, sl=1.08).retcode
    assert 10009 == send(terminal, type=1, position=opened.order).retcode


@pytest.mark.behaviour("5", "D")
def test_frozen_positions_do_not_close_each_other() -> None:
    """Close-by is refused inside the freeze level of either: 10029."""
    terminal = make({"trade_freeze_level": 20})
    long, short = send(terminal, sl=1.09), send(terminal, type=1)
    terminal.quote("EURUSD", 1.0902, 1.0903, NOON)

    close_by = {"action": 10, "position": long.order, "position_by": short.order}
    assert 10029 == send(terminal, **close_by).retcode
    assert 2 == terminal.positions_total()


@pytest.mark.behaviour("8", "D")
def test_hedging_account_holds_both_sides() -> None:
    """Two purchases and a sale of one symbol are three positions."""
    terminal = make()
    tickets = [send(terminal, type=side).order for side in (0, 0, 1)]

    held = terminal.positions_get() or ()

    assert tickets == [each.ticket for each in held]
    assert [0, 0, 1] == [each.type for each in held]


@pytest.mark.behaviour("8", "D")
def test_netting_account_does_not_close_by() -> None:
    """There is nothing opposite to close a position by: 10013."""
    terminal = make(hedging=False)
    opened = send(terminal)

    close_by = {"action": 10, "position": opened.order, "position_by": opened.order}
    assert 10013 == send(terminal, **close_by).retcode


@pytest.mark.behaviour("8", "D")
def test_netting_pending_order_joins_the_position() -> None:
    """Filled on its own side it adds, on the other it reduces."""
    terminal = make(hedging=False)
    send(terminal, volume=0.3)
    pending(terminal, volume=0.2)
    pending(terminal, type=5, price=1.08, volume=0.4)

    terminal.quote("EURUSD", 1.0899, 1.09, NOON)
    assert 0.5 == position(terminal).volume
    terminal.quote("EURUSD", 1.08, 1.0801, NOON)
    assert 0.1 == position(terminal).volume
    assert [0, 0, 1] == [deal.entry for deal in deals(terminal)]


@pytest.mark.behaviour("4", "D")
def test_change_of_an_order_is_whole() -> None:
    """MODIFY sets price, sl, tp and expiration together; what is omitted is 0."""
    terminal = make()
    placed = pending(terminal, sl=1.08, tp=1.12)

    changed = {"action": 7, "order": placed.order, "price": 1.085}
    assert 10009 == send(terminal, **changed).retcode

    order = waiting(terminal)
    assert (1.085, 0.0, 0.0, placed.order) == (
        order.price_open,
        order.sl,
        order.tp,
        order.ticket,
    )


@pytest.mark.behaviour("4", "D")
def test_removed_order_stays_in_the_history() -> None:
    """As canceled, with its whole volume, without a deal."""
    terminal = make()
    placed = pending(terminal)

    assert 10009 == send(terminal, action=8, order=placed.order).retcode

    (order,) = terminal.history_orders_get(ticket=placed.order) or ()
    assert (2, 0.1, 0.1) == (order.state, order.volume_initial, order.volume_current)
    assert () == deals(terminal)


@pytest.mark.behaviour("6", "D")
@pytest.mark.parametrize(
    ("type_time", "expiration", "lapses_at"),
    [
        (mt5.ORDER_TIME_DAY, 0, "2026-01-16T00:00"),
        (mt5.ORDER_TIME_SPECIFIED, "2026-01-15T15:00", "2026-01-15T15:00"),
        (mt5.ORDER_TIME_SPECIFIED_DAY, "2026-01-17T09:00", "2026-01-18T00:00"),
    ],
)
def test_pending_order_lapses_on_the_servers_clock(
    type_time: int, expiration: int | str, lapses_at: str
) -> None:
    """Expiration is counted in seconds of the server's wall clock."""
    if isinstance(expiration, str):
        expiration = round(
            datetime.fromisoformat(expiration).replace(tzinfo=UTC).timestamp()
        )
    terminal = make()
    placed = pending(terminal, type_time=type_time, expiration=expiration)
    # The server is two hours ahead of UTC in winter.
    lapse = datetime.fromisoformat(lapses_at).replace(tzinfo=UTC) - timedelta(hours=2)

    terminal.quote("EURUSD", 1.1, 1.1001, lapse - timedelta(seconds=1))
    assert 1 == terminal.orders_total()
    terminal.quote("EURUSD", 1.1, 1.1001, lapse)

    assert 0 == terminal.orders_total()
    (order,) = terminal.history_orders_get(ticket=placed.order) or ()
    assert mt5.ORDER_STATE_EXPIRED == order.state


@pytest.mark.behaviour("5", "D")
@pytest.mark.parametrize(
    ("fields", "request_"),
    [
        ({}, {"type_time": 2, "expiration": 1}),
        ({}, {"type_time": 9}),
        ({"expiration_mode": 1}, {"type_time": 1}),
    ],
)
def test_wrong_expiration_is_refused(
    fields: dict[str, Any], request_: dict[str, Any]
) -> None:
    """A time that has passed, or a kind that the symbol does not take: 10022."""
    assert 10022 == pending(make(fields), **request_).retcode


@pytest.mark.behaviour("4", "D")
def test_number_of_pending_orders_is_limited() -> None:
    """account_info().limit_orders is the limit: 10033."""
    terminal = make(max_orders=1)

    assert 10009 == pending(terminal).retcode
    assert 10033 == pending(terminal).retcode


@pytest.mark.behaviour("5", "D")
def test_volume_limit_counts_open_and_pending_of_one_side() -> None:
    """volume_limit is per direction, positions and orders together: 10034."""
    terminal = make({"volume_limit": 0.3})
    send(terminal)
    pending(terminal)

    assert 10034 == send(terminal, volume=0.2).retcode
    assert 10009 == send(terminal, volume=0.2, type=1).retcode
    assert 10009 == send(terminal, volume=0.1).retcode


def test_order_without_money_is_dropped_when_it_triggers() -> None:
    """A pending order reserves nothing, so it can fail at its price."""
    terminal = make()
    placed = pending(terminal, volume=50.0)

    terminal.quote("EURUSD", 1.0899, 1.09, NOON)

    assert (0, 0) == (terminal.positions_total(), terminal.orders_total())
    (order,) = terminal.history_orders_get(ticket=placed.order) or ()
    assert mt5.ORDER_STATE_REJECTED == order.state


# Close by, netting


@pytest.mark.behaviour("8", "D")
def test_opposite_positions_close_each_other() -> None:
    """CLOSE_BY saves the spread; the rest of the larger position stays."""
    terminal = make()
    long, short = send(terminal, volume=0.3), send(terminal, type=1, volume=0.1)

    result = send(terminal, action=10, position=long.order, position_by=short.order)

    assert 10009 == result.retcode
    held = position(terminal)
    assert (long.order, 0.2) == (held.ticket, held.volume)
    first, second = deals(terminal)[-2:]
    assert (mt5.DEAL_ENTRY_OUT_BY, mt5.DEAL_ENTRY_OUT_BY) == (first.entry, second.entry)
    assert (long.order, short.order) == (first.position_id, second.position_id)
    assert -1.0 == first.profit + second.profit


@pytest.mark.behaviour("8", "D")
def test_only_opposite_positions_of_a_symbol_close_each_other() -> None:
    """Two of the same direction: 10013; one unknown: 10036."""
    terminal = make()
    first, second = send(terminal), send(terminal)

    close_by = {"action": 10, "position": first.order}
    assert 10013 == send(terminal, **close_by, position_by=second.order).retcode
    assert 10036 == send(terminal, **close_by, position_by=1).retcode


@pytest.mark.behaviour("8", "D")
def test_netting_keeps_one_position_a_symbol() -> None:
    """Deals in the same direction make one position at their average price."""
    terminal = make(hedging=False)
    first = send(terminal)
    terminal.quote("EURUSD", 1.1199, 1.12, NOON)
    send(terminal, volume=0.3)

    held = position(terminal)
    assert (first.order, 0.4) == (held.ticket, held.volume)
    assert held.price_open == pytest.approx((1.1001 + 3 * 1.12) / 4)


@pytest.mark.behaviour("8", "D")
def test_netting_reduces_and_closes_with_opposite_deals() -> None:
    """No ticket is needed: the opposite deal is an exit."""
    terminal = make(hedging=False)
    send(terminal, volume=0.3)

    send(terminal, type=1, volume=0.1)
    assert 0.2 == position(terminal).volume
    send(terminal, type=1, volume=0.2)

    assert 0 == terminal.positions_total()
    assert [0, 1, 1] == [deal.entry for deal in deals(terminal)]


@pytest.mark.behaviour("8", "D", "K")
def test_netting_turns_over_with_a_larger_opposite_deal() -> None:
    """One deal for both; the identifier stays, the ticket is the new order's."""
    terminal = make(hedging=False)
    first = send(terminal)

    second = send(terminal, type=1, volume=0.3)

    held = position(terminal)
    assert (mt5.POSITION_TYPE_SELL, 0.2, 1.1) == (
        held.type,
        held.volume,
        held.price_open,
    )
    assert (second.order, first.order) == (held.ticket, held.identifier)
    last = deals(terminal)[-1]
    assert (mt5.DEAL_ENTRY_INOUT, 0.3, -1.0) == (last.entry, last.volume, last.profit)
    assert 2 == len(terminal.history_deals_get(position=first.order) or ())


@pytest.mark.behaviour("8", "D")
def test_netting_protects_by_symbol() -> None:
    """SLTP without a ticket means the symbol's one position."""
    terminal = make(hedging=False)
    send(terminal)

    assert 10009 == send(terminal, action=6, sl=1.09).retcode
    assert 1.09 == position(terminal).sl


# What the market does


@pytest.mark.behaviour("4", "W", "F")
@pytest.mark.parametrize(
    ("order_type", "levels", "quote", "reason", "comment", "price"),
    [
        (0, {"sl": 1.09}, (1.09, 1.0901), 4, "[sl 1.09000]", 1.09),
        (0, {"sl": 1.09}, (1.08, 1.0801), 4, "[sl 1.09000]", 1.08),
        (0, {"tp": 1.12}, (1.12, 1.1201), 5, "[tp 1.12000]", 1.12),
        (1, {"sl": 1.12}, (1.1199, 1.12), 4, "[sl 1.12000]", 1.12),
        (1, {"tp": 1.09}, (1.0899, 1.09), 5, "[tp 1.09000]", 1.09),
    ],
)
def test_level_closes_the_position(
    order_type: int,
    levels: dict[str, float],
    quote: tuple[float, float],
    reason: int,
    comment: str,
    price: float,
) -> None:
    """Longs on the bid, shorts on the ask; reason SL 4 or TP 5, `[sl x]`."""
    terminal = make()
    opened = send(terminal, type=order_type, magic=9, **levels)

    terminal.quote("EURUSD", *quote, NOON + timedelta(hours=1))

    assert 0 == terminal.positions_total()
    last = deals(terminal)[-1]
    assert (reason, comment, price, opened.order, mt5.DEAL_ENTRY_OUT) == (
        last.reason,
        last.comment,
        last.price,
        last.position_id,
        last.entry,
    )


def test_slippage_worsens_stops() -> None:
    """A stop is filled worse by the slippage, a target is not."""
    terminal = make(slippage=2)
    send(terminal, sl=1.09)
    send(terminal, tp=1.12)

    terminal.quote("EURUSD", 1.12, 1.1201, NOON)
    terminal.quote("EURUSD", 1.09, 1.0901, NOON)

    assert [1.12, 1.08998] == [deal.price for deal in deals(terminal)[-2:]]


@pytest.mark.behaviour("8", "W")
def test_stop_out_closes_the_greatest_loss_first() -> None:
    """Below the stop-out level positions go, the worst first: reason 6."""
    terminal = make(balance=1000.0, stop_out=50.0)
    small = send(terminal, volume=0.1)
    large = send(terminal, volume=0.5)

    terminal.quote("EURUSD", 1.0874, 1.0875, NOON)

    assert small.order == position(terminal).ticket
    last = deals(terminal)[-1]
    assert (mt5.DEAL_REASON_SO, large.order, -635.0) == (
        last.reason,
        last.position_id,
        last.profit,
    )
    assert "[so" in last.comment


# History


@pytest.mark.behaviour("3", "W")
def test_history_is_found_by_time_ticket_and_position() -> None:
    """Both ends of the span count; an unknown ticket or position is ()."""
    terminal = make()
    opened = send(terminal)
    later = NOON + timedelta(hours=3)
    terminal.quote("EURUSD", 1.1, 1.1001, later)
    closed = send(terminal, type=1, position=opened.order)
    wall = terminal.wall_msc(later) // 1000

    assert 1 == terminal.history_deals_total(wall, wall)
    assert 1 == terminal.history_orders_total(wall, wall + 5)
    assert 2 == len(terminal.history_deals_get(position=opened.order) or ())
    assert 2 == len(terminal.history_orders_get(position=opened.order) or ())
    (deal,) = terminal.history_deals_get(ticket=closed.deal) or ()
    assert closed.order == deal.order
    assert 3 == len(terminal.history_deals_get(1, wall, group="*") or ())
    assert 2 == len(terminal.history_deals_get(1, wall, group="EUR*") or ())


@pytest.mark.behaviour("6", "D", "F")
def test_times_are_the_servers_wall_clock() -> None:
    """Noon in London is 14:00 on the server in winter."""
    terminal = make()
    send(terminal)

    afternoon = round(datetime(2026, 1, 15, 14, tzinfo=UTC).timestamp())
    held, (deal,) = position(terminal), deals(terminal)
    assert (afternoon, afternoon * 1000) == (held.time, held.time_msc)
    assert (afternoon, afternoon * 1000) == (deal.time, deal.time_msc)


@pytest.mark.behaviour("8", "W")
def test_deposit_is_a_balance_deal() -> None:
    """DEAL_TYPE_BALANCE, no symbol, position 0: no trading result."""
    terminal = make(balance=500.0)

    (deal,) = terminal.history_deals_get(*EVER) or ()
    assert (mt5.DEAL_TYPE_BALANCE, 500.0, "", 0) == (
        deal.type,
        deal.profit,
        deal.symbol,
        deal.position_id,
    )
    terminal.account.transfer(-100.0, "Withdrawal")
    terminal.account.grant_credit(50.0)
    account = terminal.account_info()
    assert account is not None
    assert (400.0, 50.0, 450.0) == (account.balance, account.credit, account.equity)
