"""What could take an account's life though a guard is there: attacks, one by one."""

from __future__ import annotations

import math
from typing import Any

import pytest
from drawdown_account import OTHER, PAIR, DrawdownAccount

STATIC: dict[str, Any] = {"preset": "static", "initial_balance": 100_000.0}
CLOSING: dict[str, Any] = {"on_breach": "flatten", "flatten_scope": "account"}


# -- the reset -------------------------------------------------------------------------
@pytest.mark.parametrize("is_away", [False, True])
def test_a_reset_that_is_moved_back_counts_from_where_it_is_now(is_away: bool) -> None:
    """What was lost between the new reset and the old one is a loss of the day."""
    account = DrawdownAccount(
        start="2026-01-14 21:30",
        daily_reference="balance",
        daily_reset="23:00 UTC",
        max_account_dd_percent=None,
    )
    account.at("2026-01-14 22:30")
    account.trade(-3_000)
    account.at("2026-01-14 23:30")
    assert 92_150 == account.figure("daily_dd_floor")

    if is_away:
        account.stop()
        account.risk["daily_reset"] = "22:00 UTC"
        account.restart()
    else:
        account.configure(daily_reset="22:00 UTC")
        account.cycle(2)

    assert 95_000 == account.figure("daily_dd_floor")


def test_a_reset_that_is_moved_back_keeps_the_days_peak() -> None:
    """The highest equity since the old reset is one since the new reset, too."""
    account = DrawdownAccount(
        start="2026-01-14 21:30",
        daily_reference="intraday_peak_equity",
        daily_reset="23:00 UTC",
    )
    account.at("2026-01-14 23:30")
    account.hold()
    account.equity(104_000)
    account.equity(101_000)

    account.configure(daily_reset="22:00 UTC")
    account.cycle(2)

    assert 98_800 == account.figure("daily_dd_floor")


def test_a_swap_at_the_very_reset_is_a_loss_of_the_new_day() -> None:
    """A firm may look before it is charged."""
    account = DrawdownAccount(daily_reference="equity")
    ticket = account.hold()
    account.at("2026-01-14 21:59:59")

    account.terminal.account.positions[ticket].swap -= 500
    account.at("2026-01-14 22:00:00")

    assert 95_000 == account.figure("daily_dd_floor")
    assert 0.5 == account.figure("daily_dd_percent")


@pytest.mark.parametrize("amount", [20_000.0, -20_000.0])
@pytest.mark.parametrize("seconds", [-1, 0, 1])
@pytest.mark.parametrize("is_away", [False, True])
def test_cash_in_the_second_of_the_reset_moves_everything_once(
    amount: float, seconds: int, is_away: bool
) -> None:
    """Whichever side of it the deal is dated on."""
    account = DrawdownAccount(**STATIC)
    account.at("2026-01-14 21:59:58")
    if is_away:
        account.stop()
    account.tick(seconds=2 + seconds)
    account.terminal.account.transfer(amount, "cash")
    account.tick(seconds=3)
    if is_away:
        account.restart()

    whole = 100_000 + amount
    assert [] == account.codes
    assert (whole * 0.95, whole * 0.9) == (
        account.figure("daily_dd_floor"),
        account.figure("max_dd_floor"),
    )


@pytest.mark.parametrize(
    ("day", "midnight"),
    [("2026-01-14", "22:00"), ("2026-03-12", "22:00"), ("2026-06-30", "21:00")],
)
def test_the_brokers_midnight_is_that_of_the_servers_clock(
    day: str, midnight: str
) -> None:
    """A server in Athens changes its clock weeks after New York does."""
    account = DrawdownAccount(
        start=f"{day} 12:00", settings={"broker_day": "00:00 Europe/Athens"}
    )
    hour = int(midnight[:2])
    account.trade(-1_000)
    account.at(f"{day} {hour - 1}:59:59")
    assert 95_000 == account.figure("daily_dd_floor")

    account.at(f"{day} {midnight}")

    assert 94_050 == account.figure("daily_dd_floor")


def test_a_gap_over_the_weekend_counts_from_fridays_equity() -> None:
    """The first quote on Sunday is a breach, and everything is closed at it."""
    account = DrawdownAccount(
        start="2026-01-16 20:00",
        daily_reset="00:00 Europe/Prague",
        max_account_dd_percent=None,
        **CLOSING,
    )
    account.buy(2.0, stop=2_000)
    account.at("2026-01-16 21:55")
    account.now = account.now.replace(day=18, hour=22, minute=5)

    account.tick(account.price - 0.06)
    account.cycle(2)

    assert ["DAILY_DRAWDOWN"] == account.codes
    assert 95_000 == account.figure("daily_dd_floor")
    assert 0 == account.held


# -- the account -----------------------------------------------------------------------
def test_an_initial_balance_that_vanishes_for_a_while_forgets_no_payment() -> None:
    """A config without it, then the same as before: the floor is as before."""
    account = DrawdownAccount(**STATIC)
    account.pay(10_000)
    assert 99_000 == account.figure("max_dd_floor")

    account.configure(initial_balance=None)
    account.cycle(2)
    assert ["INITIAL_BALANCE_UNKNOWN"] == account.codes
    account.pay(10_000)
    account.configure(initial_balance=100_000.0)
    account.cycle(2)

    assert 108_000 == account.figure("max_dd_floor")


def test_an_initial_balance_that_vanishes_holds_up_no_flatten() -> None:
    """What is breached is breached, whatever can be measured now."""
    account = DrawdownAccount(**STATIC, **CLOSING)
    account.hold()
    account.terminal.account.trade_allowed = False
    account.equity(89_000)
    account.cycle(2)
    assert 1 == account.held

    account.configure(initial_balance=None)
    account.cycle(2)
    account.terminal.account.trade_allowed = True
    account.cycle(3)

    assert 0 == account.held
    assert ["MAX_DRAWDOWN"] == account.codes


@pytest.mark.parametrize(
    ("mode", "floor"), [("trailing_balance", 97_200), ("trailing_eod_balance", 96_300)]
)
def test_a_lost_state_directory_gives_no_peak_back(mode: str, floor: float) -> None:
    """The account's deals of the last month still say how high it was."""
    account = DrawdownAccount(daily_dd_limit_percent=None, max_mode=mode)
    account.trade(7_000)
    account.at("2026-01-14 22:00")
    account.trade(1_000)
    account.trade(-8_000)
    account.at("2026-01-16 12:00")
    assert floor == account.figure("max_dd_floor")
    account.stop()
    account.store.texts.clear()

    account.restart()

    assert floor == account.figure("max_dd_floor")


def test_what_is_remembered_of_another_account_says_nothing() -> None:
    """A state directory that was copied: each account has its own record."""
    account = DrawdownAccount()
    account.hold()
    account.equity(89_000)
    assert ["MAX_DRAWDOWN"] == account.codes
    texts = account.store.texts

    other = DrawdownAccount(terminal={"login": 654321})
    other.stop()
    other.store.texts |= texts
    other.restart()

    assert [] == other.codes
    assert 95_000 == other.figure("daily_dd_floor")


@pytest.mark.parametrize(
    ("balance", "equity"), [(0.0, 0.0), (100_000.0, 0.0), (100_000.0, math.nan)]
)
def test_a_terminal_that_is_connecting_breaches_nothing(
    balance: float, equity: float
) -> None:
    """Figures that cannot be right open nothing, latch nothing and close nothing."""
    account = DrawdownAccount(**CLOSING)
    account.hold()
    read = account.terminal.account_info

    def connecting() -> Any:
        info = read()
        names = type(info).__match_args__
        values = {name: getattr(info, name) for name in names}
        values |= {"balance": balance, "equity": equity}
        return type(info)([values[name] for name in names])

    account.terminal.account_info = connecting
    account.cycle(4)
    assert account.is_blocked
    assert 1 == account.held

    account.terminal.account_info = read
    account.cycle(4)
    assert [] == account.codes
    assert 1 == account.held


def test_after_a_payout_of_more_than_the_day_began_with_figures_go_on() -> None:
    """A day's reference of nothing is no division by nothing."""
    account = DrawdownAccount(1_000.0, max_account_dd_percent=None)
    account.trade(1_000)
    account.pay(-1_000)

    assert 0 == account.figure("daily_dd_percent")
    assert [] == account.codes


def test_a_withdrawal_while_a_position_floats_is_no_loss() -> None:
    """Floating 3000 down, a payout of profit and of capital breaches nothing."""
    account = DrawdownAccount(**STATIC)
    account.trade(8_000)
    account.hold()
    account.equity(105_000)
    account.pay(-28_000)

    assert [] == account.codes
    assert 72_000 == account.figure("max_dd_floor")
    account.equity(72_500)
    assert [] == account.codes


def test_who_clears_a_static_maximum_while_beneath_gains_nothing() -> None:
    """It is latched again at once, and one config more does not release it."""
    account = DrawdownAccount(**STATIC, daily_dd_limit_percent=None)
    account.trade(-10_500)
    for _ in range(2):
        account.configure(dd_blocked=True)
        account.cycle(2)
        account.configure(dd_blocked=False)
        account.cycle(2)
        assert ["MAX_DRAWDOWN"] == account.codes
    account.configure()
    account.cycle(2)
    assert ["MAX_DRAWDOWN"] == account.codes


def test_a_preset_that_changes_while_it_runs_counts_from_what_was_seen() -> None:
    """Peaks are followed whatever is in force, so that a change forgets nothing."""
    account = DrawdownAccount(**STATIC)
    account.trade(6_000)
    account.trade(-2_000)
    account.at("2026-01-14 23:30")
    account.hold()
    account.equity(109_000)
    account.equity(104_500)
    assert 90_000 == account.figure("max_dd_floor")

    account.configure(preset="ftmo_1step")
    account.cycle(2)
    assert 94_000 == account.figure("max_dd_floor")
    account.configure(preset="default", max_mode="trailing_equity")
    account.cycle(2)
    assert 98_100 == account.figure("max_dd_floor")


def test_a_limit_of_all_lets_everything_be_lost() -> None:
    """100 % is a floor of zero, and no error."""
    account = DrawdownAccount(
        daily_dd_limit_percent=100.0, max_account_dd_percent=100.0
    )
    account.hold()
    account.equity(60_000)

    assert [] == account.codes
    assert (0, 40) == (
        account.figure("daily_dd_floor"),
        account.figure("daily_dd_percent"),
    )


# -- deals that do not show ------------------------------------------------------------
@pytest.mark.parametrize("amount", [-15_000.0, 15_000.0])
@pytest.mark.parametrize("shown", [0, -1])
def test_a_history_that_is_not_there_yet_is_waited_for(
    amount: float, shown: int
) -> None:
    """A terminal that was just started shows a balance before all of its deals."""
    account = DrawdownAccount(**STATIC, **CLOSING)
    account.stop()
    account.pay(amount)
    read = account.terminal.history_deals_get
    account.terminal.history_deals_get = lambda *span: read(*span)[:shown]

    account.restart()
    assert ["ACCOUNT_UNKNOWN"] == account.codes
    account.terminal.history_deals_get = read
    account.cycle(2)

    assert [] == account.codes
    assert (100_000 + amount) * 0.9 == account.figure("max_dd_floor")


def test_a_history_that_never_comes_does_not_hold_for_ever() -> None:
    """After half a minute the balance is taken as it is, which here is a loss."""
    account = DrawdownAccount(**STATIC)
    account.stop()
    account.pay(-15_000)
    account.terminal.history_deals_get = lambda *_, **__: ()
    account.restart()
    account.cycle(1)
    assert ["ACCOUNT_UNKNOWN"] == account.codes

    account.cycle(3)

    assert ["MAX_DRAWDOWN"] == account.codes


@pytest.mark.parametrize("is_new", [False, True])
def test_what_shows_late_is_no_news(is_new: bool) -> None:
    """Nothing moved while nobody looked, and yet the history is waited for.

    An old deposit that showed later would be taken for a payment of today, and a new
    installation would not know the day's loss.
    """
    account = DrawdownAccount(**STATIC)
    account.trade(-4_000)
    account.stop()
    if is_new:
        account.store.texts.clear()
    read = account.terminal.history_deals_get
    account.terminal.history_deals_get = lambda *_, **__: ()
    account.restart()
    assert ["ACCOUNT_UNKNOWN"] == account.codes

    account.terminal.history_deals_get = read
    account.cycle(2)
    account.trade(-500)

    assert [] == account.codes
    assert (95_000, 90_000) == (
        account.figure("daily_dd_floor"),
        account.figure("max_dd_floor"),
    )


def test_a_history_that_comes_after_all_patience_moves_nothing() -> None:
    """What is older than the start was in the balance then."""
    account = DrawdownAccount(**STATIC)
    account.trade(-1_000)
    account.tick(seconds=60)
    read = account.terminal.history_deals_get
    account.terminal.history_deals_get = lambda *_, **__: ()
    account.restart()
    account.cycle(12)
    assert [] == account.codes

    account.terminal.history_deals_get = read
    account.terminal.account.transfer(500)
    account.cycle(1)

    assert [] == account.codes
    assert 90_450 == account.figure("max_dd_floor")


def test_a_payment_while_away_for_months_is_seen() -> None:
    """Deals are asked for since somebody last looked."""
    account = DrawdownAccount(**STATIC)
    account.stop()
    account.pay(50_000)
    account.at("2026-04-14 12:00")

    account.restart()

    assert [] == account.codes
    assert 135_000 == account.figure("max_dd_floor")


def test_an_order_that_left_no_trace_risks_nothing_any_more() -> None:
    """Searched for and not found, it was never there."""
    account = DrawdownAccount(buffer_percent=0.0)
    send = account.terminal.order_send
    account.terminal.order_send = lambda *_: None
    account.buy(1.0, stop=3_000)
    account.terminal.order_send = send
    assert not account.buy(1.0, stop=3_000, symbol=OTHER)

    account.cycle(60)

    assert [] == list(account.runner.desk.unresolved)
    assert account.buy(1.0, stop=3_000)


def test_an_order_without_an_answer_counts_after_a_restart() -> None:
    """It may be open; the next entry in another symbol is not judged without it."""
    account = DrawdownAccount(buffer_percent=0.0)
    account.terminal.order_send = lambda *_: None
    account.terminal.history_orders_get = lambda *_, **__: None
    account.buy(1.0, stop=3_000)

    account.restart()

    assert 1 == len(account.runner.desk.unresolved)
    assert not account.buy(1.0, stop=3_000, symbol=OTHER)
    assert ["DAILY_DRAWDOWN_RISK"] == account.denied.codes


# -- orders ----------------------------------------------------------------------------
def test_a_stop_that_the_broker_moves_away_counts_where_it_will_stand() -> None:
    """One point is asked for, and none nearer than 600 is taken."""
    account = DrawdownAccount(buffer_percent=0.0, rules={"trade_stops_level": 600})

    assert not account.buy(8.4, stop=1)
    assert ["DAILY_DRAWDOWN_RISK"] == account.denied.codes
    assert account.buy(8.0, stop=1)
    [held] = account.terminal.account.positions.values()
    assert 0.006 == pytest.approx(held.price_open - held.sl, abs=2e-5)


def test_a_size_by_risk_counts_the_stop_where_it_will_stand() -> None:
    """1 % of 100000 at 601 points is 1.66 lots, and not 1000 at one."""
    account = DrawdownAccount(
        rules={"trade_stops_level": 600}, dynamic_position_sizing_enabled=True
    )

    assert account.wish(lambda own: own.buy(PAIR, stop_loss=1))

    [held] = account.terminal.account.positions.values()
    assert 1.66 == held.volume


def test_both_legs_of_a_hedge_may_lose() -> None:
    """Each may be stopped by itself, so that opposite positions add up."""
    account = DrawdownAccount(buffer_percent=0.0)
    assert account.buy(1.0, stop=2_500)

    assert not account.wish(lambda own: own.sell(PAIR, volume=1.0, stop_loss=2_510))
    assert account.wish(lambda own: own.sell(PAIR, volume=1.0, stop_loss=2_490))


@pytest.mark.parametrize("currency", ["EUR", "GBP", "JPY"])
def test_the_worst_case_is_in_the_accounts_currency(currency: str) -> None:
    """What was reckoned before is what the stop costs, converted."""
    account = DrawdownAccount(
        10_000_000.0 if currency == "JPY" else 100_000.0,
        terminal={"currency": currency},
        buffer_percent=0.0,
    )
    account.terminal.quote("USDJPY", 150.0, 150.0, account.now)
    account.tick()
    balance = account.terminal.account_info().balance
    tick_value = account.terminal.symbol_info(PAIR).trade_tick_value
    fits = math.floor(balance * 0.05 / (2_000 * tick_value) * 100) / 100

    assert not account.buy(round(fits + 0.02, 2), stop=2_000)
    assert account.buy(fits, stop=2_000)
    account.tick(account.price - 0.0201)

    lost = balance - account.terminal.account_info().balance
    assert 0 == account.held
    assert balance * 0.045 < lost < balance * 0.0515


def test_a_position_larger_than_any_order_is_closed_in_parts() -> None:
    """A netting account may hold more than one order can take away."""
    account = DrawdownAccount(
        terminal={"hedging": False}, rules={"volume_max": 0.5}, **CLOSING
    )
    for _ in range(3):
        account.hold(0.5)
    assert 1 == account.held

    account.equity(94_900)
    account.cycle(4)

    assert 0 == account.held
    assert ["DAILY_DRAWDOWN"] == account.codes


def test_what_a_person_leaves_pending_without_a_stop_keeps_entries_out() -> None:
    """It may be filled at any moment, and then lose everything."""
    account = DrawdownAccount()
    account.send(
        action=account.terminal.TRADE_ACTION_PENDING,
        type=account.terminal.ORDER_TYPE_BUY_LIMIT,
        volume=0.1,
        price=1.0,
    )
    account.cycle()

    assert not account.buy(0.01)
    assert ["NO_STOP"] == account.denied.codes
