"""Money on the simulated account: profit, margin, conversion, swap.

The mark ``behaviour`` names the section and the source of a rule; see
``test_mt5_simulator_behaviour.py``.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runner.adapters.mt5_simulator.structs import AccountInfo, TradePosition
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal
from runner.core.server_time import ServerZone

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
QUOTES = {
    "EURUSD": (1.1, 1.1001),
    "GBPUSD": (1.25, 1.2502),
    "USDJPY": (150.0, 150.02),
    "EURGBP": (0.88, 0.8801),
    "XAUUSD": (2000.0, 2000.3),
    "GER40": (18_000.0, 18_001.5),
}


def make(
    *symbols: str, fields: dict[str, Any] | None = None, **options: Any
) -> SimulatedTerminal:
    """Return a terminal that quotes *symbols*, the first one with *fields*."""
    overrides = {symbols[0]: fields or {}}
    terminal = SimulatedTerminal(symbols=overrides, **options)
    terminal.initialize()
    for symbol in symbols:
        terminal.symbol_select(symbol)
        terminal.quote(symbol, *QUOTES[symbol], NOON)
    return terminal


def account(terminal: SimulatedTerminal) -> AccountInfo:
    """Return the account; there must be one."""
    info = terminal.account_info()
    assert info is not None
    return info


def opened(
    terminal: SimulatedTerminal, symbol: str, volume: float = 1.0, side: int = 0
) -> TradePosition:
    """Open a position and return it."""
    result = terminal.order_send(
        {"action": 1, "symbol": symbol, "volume": volume, "type": side}
    )
    assert result is not None
    assert 10009 == result.retcode, result.comment
    held = terminal.positions_get(ticket=result.order)
    assert held
    return held[0]


@pytest.mark.behaviour("8", "K")
def test_fresh_account_is_its_deposit() -> None:
    """Nothing floats: equity is the balance, the margin level 0.0."""
    info = account(make("EURUSD", balance=2500.0, login=9, leverage=30))

    assert (2500.0, 2500.0, 0.0, 2500.0, 0.0) == (
        info.balance,
        info.equity,
        info.margin,
        info.margin_free,
        info.margin_level,
    )
    assert (9, 30, "USD", 2, 0) == (
        info.login,
        info.leverage,
        info.currency,
        info.margin_mode,
        info.trade_mode,
    )


@pytest.mark.behaviour("8", "D")
def test_netting_account_says_so() -> None:
    """The margin_mode of a netting account is 0."""
    assert 0 == account(make("EURUSD", hedging=False)).margin_mode


@pytest.mark.behaviour("8", "K")
def test_open_position_floats() -> None:
    """Equity is balance, credit, profit and swap; free margin is what is left."""
    terminal = make("EURUSD")
    opened(terminal, "EURUSD")
    terminal.quote("EURUSD", 1.1051, 1.1052, NOON)

    info = account(terminal)

    assert (10_000.0, 500.0, 10_500.0) == (info.balance, info.profit, info.equity)
    assert (1100.1, 9399.9) == (info.margin, info.margin_free)
    assert info.margin_level == pytest.approx(10_500 / 1100.1 * 100)


@pytest.mark.behaviour("5", "D")
@pytest.mark.parametrize(
    ("symbol", "others", "volume", "expected"),
    [
        # (close - open) * contract * lots, in the profit currency, then converted:
        # a loss at the ask of GBPUSD, at one by the bid of USDJPY.
        ("EURUSD", (), 1.0, -10.0),
        ("EURGBP", ("GBPUSD",), 1.0, -10.0 * 1.2502),
        ("USDJPY", (), 1.0, -2000.0 / 150.0),
        ("XAUUSD", (), 0.5, -15.0),
        ("GER40", ("EURUSD",), 2.0, -3.0 * 1.1001),
    ],
)
def test_spread_is_the_first_loss(
    symbol: str, others: tuple[str, ...], volume: float, expected: float
) -> None:
    """Profit arises in the symbol's profit currency and is converted."""
    terminal = make(symbol, *others)

    assert opened(terminal, symbol, volume).profit == pytest.approx(expected, abs=0.01)


@pytest.mark.behaviour("5", "D")
@pytest.mark.parametrize(
    ("symbol", "others", "options", "expected"),
    [
        # FOREX: lots * contract / leverage, in the margin currency.
        ("EURUSD", (), {}, 1100.1),
        ("EURUSD", (), {"currency": "EUR"}, 1000.0),
        ("USDJPY", (), {}, 1000.0),
        ("EURGBP", ("EURUSD", "GBPUSD"), {}, 1100.1),
        # CFD with leverage: lots * contract * price / leverage.
        ("XAUUSD", (), {}, 2000.3),
        ("GER40", ("EURUSD",), {}, 180.015 * 1.1001),
        ("XAUUSD", (), {"leverage": 20, "balance": 20_000.0}, 10_001.5),
        # CFD without: the whole price.
        ("XAUUSD", (), {"fields": {"trade_calc_mode": 2}, "balance": 1e6}, 200_030.0),
        # A rate of the broker's, which the module does not show.
        ("XAUUSD", (), {"fields": {"margin_rate": 2.0}}, 4000.6),
        # A fixed margin takes the place of the contract.
        ("EURUSD", (), {"fields": {"margin_initial": 50_000.0}}, 550.05),
    ],
)
def test_margin_follows_the_kind_of_symbol(
    symbol: str, others: tuple[str, ...], options: dict[str, Any], expected: float
) -> None:
    """The formulas of the documentation, converted to the account's currency."""
    terminal = make(symbol, *others, **options)
    tick = terminal.symbol_info_tick(symbol)
    assert tick is not None
    calculated = terminal.order_calc_margin(0, symbol, 1.0, tick.ask)

    opened(terminal, symbol)

    margin = account(terminal).margin
    assert margin == pytest.approx(expected, abs=0.01)
    assert calculated == margin


@pytest.mark.behaviour("5", "D")
def test_futures_count_in_ticks() -> None:
    """Profit by tick value, margin the fixed initial one."""
    future = {
        "trade_calc_mode": 1,
        "digits": 2,
        "trade_tick_size": 0.25,
        "trade_tick_value": 12.5,
        "trade_contract_size": 1.0,
        "margin_initial": 1500.0,
        "currency_profit": "USD",
    }
    terminal = SimulatedTerminal(symbols={"ES": future})
    terminal.initialize()
    terminal.symbol_select("ES")
    terminal.quote("ES", 5000.0, 5000.25, NOON)

    assert opened(terminal, "ES", 2.0).profit == -25.0
    assert 3000.0 == account(terminal).margin
    assert 100.0 == terminal.order_calc_profit(0, "ES", 1.0, 5000.0, 5002.0)


@pytest.mark.behaviour("5", "D")
@pytest.mark.parametrize(
    ("fields", "margin", "profit"),
    [
        # FOREX_NO_LEVERAGE, CFD, CFDINDEX, EXCH_STOCKS, EXCH_FUTURES
        ({"trade_calc_mode": 5, "trade_contract_size": 10.0}, 30.0, 15.0),
        ({"trade_calc_mode": 2, "trade_contract_size": 10.0}, 3_000.0, 15.0),
        (
            {
                "trade_calc_mode": 3,
                "trade_contract_size": 10.0,
                "trade_tick_size": 0.5,
                "trade_tick_value": 0.1,
            },
            600.0,
            15.0,
        ),
        ({"trade_calc_mode": 32, "trade_contract_size": 10.0}, 3_000.0, 15.0),
        (
            {
                "trade_calc_mode": 33,
                "trade_contract_size": 1.0,
                "trade_tick_size": 0.25,
                "trade_tick_value": 5.0,
                "margin_initial": 400.0,
            },
            1_200.0,
            30.0,
        ),
    ],
)
def test_kind_of_symbol_decides_the_money(
    fields: dict[str, Any], margin: float, profit: float
) -> None:
    """Three lots bought at 100 and sold at 100.5, without leverage."""
    made = {"digits": 2, "currency_profit": "USD", **fields}
    terminal = SimulatedTerminal(symbols={"MADE": made})
    terminal.initialize()

    assert margin == terminal.order_calc_margin(0, "MADE", 3.0, 100.0)
    assert profit == terminal.order_calc_profit(0, "MADE", 3.0, 100.0, 100.5)
    assert -profit == terminal.order_calc_profit(1, "MADE", 3.0, 100.0, 100.5)


@pytest.mark.behaviour("5", "D")
def test_leverage_divides_the_margin_where_the_kind_has_it() -> None:
    """FOREX and CFDLEVERAGE do, CFD does not."""
    margins = []
    for leverage in (1, 100):
        for kind in (0, 4, 2):
            fields = {"trade_calc_mode": kind}
            terminal = make("XAUUSD", fields=fields, leverage=leverage)
            margins.append(terminal.order_calc_margin(0, "XAUUSD", 1.0, 2000.0))

    assert [100.0, 200_000.0, 200_000.0, 1.0, 2000.0, 200_000.0] == margins


@pytest.mark.behaviour("5", "F")
def test_gold_moves_a_hundred_dollars_a_lot() -> None:
    """trade_tick_value / trade_tick_size is what a price of 1.0 brings: 0.1 / 0.001."""
    terminal = make("XAUUSD", fields={"digits": 3})

    info = terminal.symbol_info("XAUUSD")

    assert info is not None
    assert (0.001, 100.0) == (
        info.trade_tick_size,
        round(info.trade_tick_value / info.trade_tick_size, 6),
    )
    assert 100.0 == terminal.order_calc_profit(0, "XAUUSD", 1.0, 2000.0, 2001.0)


@pytest.mark.behaviour("5", "D")
@pytest.mark.parametrize("symbol", ["EURUSD", "USDJPY", "GER40"])
def test_tick_value_is_the_money_of_a_tick(symbol: str) -> None:
    """Of one lot, in account currency; trade_tick_value is trade_tick_value_profit."""
    terminal = make(symbol, "EURUSD") if symbol != "EURUSD" else make(symbol)
    info = terminal.symbol_info(symbol)
    assert info is not None
    higher = info.ask + 1000 * info.trade_tick_size

    gained = terminal.order_calc_profit(0, symbol, 1.0, info.ask, higher)

    assert gained == pytest.approx(1000 * info.trade_tick_value, abs=0.01)
    assert info.trade_tick_value == info.trade_tick_value_profit


@pytest.mark.behaviour("8", "D")
def test_positions_of_one_side_add_their_margins() -> None:
    """Each at the price at which it was opened."""
    terminal = make("EURUSD")
    opened(terminal, "EURUSD", 1.0)
    terminal.quote("EURUSD", 1.2, 1.2001, NOON)
    opened(terminal, "EURUSD", 2.0)

    assert account(terminal).margin == pytest.approx(1100.1 + 2400.2, abs=0.01)


@pytest.mark.behaviour("8", "D")
def test_netting_margin_is_of_what_is_left() -> None:
    """An opposite deal needs none of its own, and frees its part."""
    terminal = make("EURUSD", hedging=False, balance=2000.0)
    request = {"action": 1, "symbol": "EURUSD", "type": 1}
    opened(terminal, "EURUSD", 1.5)

    terminal.order_send({**request, "volume": 0.5})
    assert account(terminal).margin == pytest.approx(1100.1, abs=0.01)
    terminal.order_send({**request, "volume": 2.0})
    assert account(terminal).margin == pytest.approx(1100.0, abs=0.01)


@pytest.mark.behaviour("8", "K")
def test_margin_call_closes_nothing() -> None:
    """Between the margin call and the stop-out positions stay, but none is added."""
    terminal = make("EURUSD", balance=1200.0, margin_call=100.0, stop_out=50.0)
    opened(terminal, "EURUSD")

    terminal.quote("EURUSD", 1.0951, 1.0952, NOON)

    level = account(terminal).margin_level
    assert 50.0 < level < 100.0
    assert 1 == terminal.positions_total()
    request = {"action": 1, "symbol": "EURUSD", "volume": 0.01, "type": 0}
    refused = terminal.order_send(request)
    assert refused is not None
    assert 10019 == refused.retcode


@pytest.mark.behaviour("5", "D")
def test_opposite_positions_cover_each_other() -> None:
    """Hedged lots cost margin_hedged, by default nothing; the rest its margin."""
    terminal = make("EURUSD")
    opened(terminal, "EURUSD", 1.0)
    opened(terminal, "EURUSD", 0.4, side=1)

    assert account(terminal).margin == pytest.approx(0.6 * 1100.1, abs=0.01)


@pytest.mark.behaviour("5", "D")
def test_hedged_margin_is_charged_once_for_both_sides() -> None:
    """A margin_hedged of the contract size costs one leg."""
    terminal = make("EURUSD", fields={"margin_hedged": 100_000.0})
    opened(terminal, "EURUSD", 1.0)
    opened(terminal, "EURUSD", 1.0, side=1)

    assert account(terminal).margin == pytest.approx(1100.05, abs=0.01)


@pytest.mark.behaviour("5", "D")
def test_larger_leg_may_count_instead() -> None:
    """With margin_hedged_use_leg the dearer side is the margin."""
    terminal = make("EURUSD", fields={"margin_hedged_use_leg": True})
    opened(terminal, "EURUSD", 1.0)
    opened(terminal, "EURUSD", 0.4, side=1)

    assert 1100.1 == account(terminal).margin


@pytest.mark.behaviour("5", "D")
def test_tick_value_differs_for_profit_and_loss() -> None:
    """A gain is sold at one by the ask, a loss bought at one by the bid.

    The figures are a real broker's: EURUSD 1.17408 / 1.17433 on a EUR account.
    """
    terminal = SimulatedTerminal(currency="EUR")
    terminal.initialize()
    terminal.symbol_select("EURUSD")
    terminal.quote("EURUSD", 1.17408, 1.17433, NOON)

    info = terminal.symbol_info("EURUSD")

    assert info is not None
    assert (0.85155, 0.85155, 0.85173) == (
        round(info.trade_tick_value, 5),
        round(info.trade_tick_value_profit, 5),
        round(info.trade_tick_value_loss, 5),
    )


def test_rate_is_found_over_several_pairs() -> None:
    """JPY to GBP goes over USD where there is no GBPJPY."""
    terminal = make("USDJPY", "GBPUSD", currency="GBP", balance=100_000.0)

    assert opened(terminal, "USDJPY").profit == pytest.approx(-2000 / 150 / 1.25, 0.01)


def test_order_without_a_rate_is_refused_and_the_log_says_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Money that cannot be counted is not risked: 10021, once a warning."""
    terminal = make("EURGBP")
    request = {"action": 1, "symbol": "EURGBP", "volume": 0.1, "type": 0}

    with caplog.at_level(logging.WARNING, "mt5runner.simulator"):
        results = [terminal.order_send(request) for _ in range(2)]
        checked = terminal.order_check(request)

    assert [10021, 10021] == [result.retcode for result in results if result]
    assert checked is not None
    assert 10021 == checked.retcode
    assert terminal.order_calc_profit(0, "EURGBP", 0.1, 0.88, 0.89) is None
    assert -1 == terminal.last_error()[0]
    assert 1 == len(caplog.records)
    assert "GBPUSD" in caplog.text


def test_rate_may_be_given_with_the_symbols() -> None:
    """A bid in the symbols file converts until the feed quotes the pair."""
    rates = {"GBPUSD": {"bid": 1.25}, "EURUSD": {"bid": 1.1}}
    terminal = SimulatedTerminal(symbols=rates)
    terminal.initialize()
    terminal.symbol_select("EURGBP")
    terminal.quote("EURGBP", 0.88, 0.8801, NOON)

    assert -12.5 == opened(terminal, "EURGBP").profit


@pytest.mark.behaviour("5", "D")
@pytest.mark.parametrize("side", [0, 1])
def test_calculated_profit_is_the_profit(side: int) -> None:
    """order_calc_profit and the position agree."""
    terminal = make("EURUSD")
    held = opened(terminal, "EURUSD", side=side)
    terminal.quote("EURUSD", 1.1234, 1.1236, NOON)
    (held,) = terminal.positions_get() or ()

    assert held.profit == terminal.order_calc_profit(
        side, "EURUSD", 1.0, held.price_open, held.price_current
    )


@pytest.mark.behaviour("3", "D")
@pytest.mark.parametrize(
    ("args", "code"), [((2, "EURUSD", 1.0, 1.1), -2), ((0, "NOSUCH", 1.0, 1.1), -4)]
)
def test_calculation_refuses_what_it_cannot(args: tuple[Any, ...], code: int) -> None:
    """Only BUY and SELL, only known symbols."""
    terminal = make("EURUSD")

    assert terminal.order_calc_margin(*args) is None
    assert code == terminal.last_error()[0]


@pytest.mark.behaviour("8", "D")
@pytest.mark.parametrize(
    ("days", "nights"),
    [
        (1, 1),  # Thursday to Friday
        (2, 2),  # to Saturday
        (4, 2),  # to Monday: the weekend costs nothing more
        (6, 4),  # to Wednesday
        (7, 7),  # over Wednesday's triple night
    ],
)
def test_swap_accrues_at_the_servers_midnight(days: int, nights: int) -> None:
    """One swap a night from Monday to Friday, three on Wednesday."""
    terminal = make("EURUSD", fields={"swap_long": -8.0})
    opened(terminal, "EURUSD")

    terminal.quote("EURUSD", 1.1, 1.1001, NOON + timedelta(days=days))

    (held,) = terminal.positions_get() or ()
    assert -8.0 * nights == held.swap
    info = account(terminal)
    assert 10_000 + held.profit + held.swap == info.equity


def test_midnight_is_the_servers() -> None:
    """At 21:59 UTC in winter it is a minute to midnight on the server."""
    terminal = make("EURUSD", fields={"swap_long": -8.0})
    opened(terminal, "EURUSD")

    terminal.quote("EURUSD", 1.1, 1.1001, NOON.replace(hour=21, minute=59))
    assert [0.0] == [held.swap for held in terminal.positions_get() or ()]
    terminal.quote("EURUSD", 1.1, 1.1001, NOON.replace(hour=22))
    assert [-8.0] == [held.swap for held in terminal.positions_get() or ()]


@pytest.mark.behaviour("8", "D")
@pytest.mark.parametrize(
    ("mode", "swap", "expected"),
    [
        (0, -8.0, 0.0),
        (1, -8.0, -8.0),
        (2, -8.0, -8.0 * 1.1001),
        (3, -8.0, -8.0 * 1.1001),
        (4, -8.0, -8.0),
        (5, -3.6, -0.01 / 100 * 110_000),
        (6, 3.6, 0.01 / 100 * 110_010),
    ],
)
def test_swap_modes(mode: int, swap: float, expected: float) -> None:
    """Points, money of several currencies, yearly interest of the position."""
    terminal = make("EURUSD", fields={"swap_long": swap, "swap_mode": mode})
    opened(terminal, "EURUSD")

    terminal.quote("EURUSD", 1.1, 1.1001, NOON + timedelta(days=1))

    (held,) = terminal.positions_get() or ()
    assert held.swap == pytest.approx(expected, abs=0.006)


@pytest.mark.behaviour("8", "D")
def test_swap_is_realised_with_the_position() -> None:
    """The closing deal carries it; part of the volume carries its part."""
    terminal = make("EURUSD", fields={"swap_long": -8.0})
    ticket = opened(terminal, "EURUSD").ticket
    terminal.quote("EURUSD", 1.1, 1.1001, NOON + timedelta(days=1))
    close = {"action": 1, "symbol": "EURUSD", "type": 1, "position": ticket}

    terminal.order_send({**close, "volume": 0.25})
    (held,) = terminal.positions_get() or ()
    assert -6.0 == held.swap
    terminal.order_send({**close, "volume": 0.75})

    swaps = [deal.swap for deal in terminal.history_deals_get(1, 2**31 - 1) or ()]
    assert [0.0, 0.0, -2.0, -6.0] == swaps
    assert 10_000 - 8.0 - 10.0 == account(terminal).balance


@pytest.mark.behaviour("8", "K")
def test_balance_is_the_sum_of_the_deals() -> None:
    """Profit, swap, commission and fee of all deals make the balance."""
    terminal = make("EURUSD", "XAUUSD", commission=3.5)
    for number in range(6):
        symbol = ("EURUSD", "XAUUSD")[number % 2]
        ticket = opened(terminal, symbol, 0.1 * (number + 1), side=number // 3).ticket
        terminal.order_send(
            {
                "action": 1,
                "symbol": symbol,
                "volume": 0.1 * (number + 1),
                "type": 1 - number // 3,
                "position": ticket,
            }
        )

    deals = terminal.history_deals_get(1, 2**31 - 1) or ()
    total = sum(deal.profit + deal.swap + deal.commission + deal.fee for deal in deals)
    assert 0 == terminal.positions_total()
    assert account(terminal).balance == pytest.approx(total, abs=0.001)


def test_lowest_equity_is_remembered() -> None:
    """What a quote cost for a moment is known afterwards."""
    terminal = make("EURUSD")
    opened(terminal, "EURUSD")

    terminal.quote("EURUSD", 1.09, 1.0901, NOON)
    terminal.quote("EURUSD", 1.11, 1.1101, NOON)

    assert 10_000 - 1010.0 == terminal.account.equity_low


@pytest.mark.behaviour("6", "F")
def test_server_clock_may_be_another() -> None:
    """Some servers keep UTC, some another zone."""
    terminal = make("EURUSD", server_zone=ServerZone.parse("UTC+3"))

    tick = terminal.symbol_info_tick("EURUSD")

    assert tick is not None
    assert round((NOON + timedelta(hours=3)).timestamp()) == tick.time
