"""The drawdown guard over restarts at the worst instants, and with cash moving."""

from __future__ import annotations

from typing import Any

import pytest
from drawdown_account import DrawdownAccount
from whole_runner import utc

PRAGUE: dict[str, Any] = {
    "daily_reference": "balance",
    "daily_reset": "00:00 Europe/Prague",
}


def test_a_breach_outlives_a_restart_and_ends_with_the_day() -> None:
    """The equity recovers meanwhile; that changes nothing."""
    account = DrawdownAccount(positions_without_stop="ignore")
    account.hold()
    account.equity(94_999)
    account.equity(99_500)
    account.restart()
    assert ["DAILY_DRAWDOWN"] == account.codes
    assert not account.buy(0.01)

    account.at("2026-01-14 22:00")
    assert [] == account.codes


@pytest.mark.parametrize(
    ("day", "reset"),
    [
        ("2026-01-14", "23:00"),
        ("2026-03-09", "23:00"),
        ("2026-10-26", "23:00"),
        ("2026-03-30", "22:00"),
    ],
)
def test_away_at_the_reset_the_balance_is_rebuilt_from_deals(
    day: str, reset: str
) -> None:
    """What was closed before the reset counts before it, what after after."""
    account = DrawdownAccount(start=f"{day} 12:00", **PRAGUE)
    account.stop()
    account.trade(3_000)
    account.now = utc(f"{day} {reset}")
    account.trade(-1_000)

    account.restart()

    assert 97_850 == account.figure("daily_dd_floor")
    assert "true" == account.status["dd_estimated"]


@pytest.mark.parametrize("seconds", [-1, 0, 1])
def test_a_kill_around_the_reset_changes_no_reference(seconds: int) -> None:
    """Just before, at and after midnight in Prague."""
    account = DrawdownAccount(**PRAGUE)
    account.trade(-2_000)
    account.at("2026-01-14 22:59")
    account.tick(seconds=60 + seconds)
    account.stop()
    account.restart()
    account.at("2026-01-14 23:05")

    assert 93_100 == account.figure("daily_dd_floor")


def test_equity_at_a_missed_reset_is_estimated_strictly() -> None:
    """The higher of the rebuilt balance and the equity now."""
    account = DrawdownAccount(daily_reference="equity")
    account.hold()
    account.stop()
    account.at("2026-01-15 09:00")
    account.equity(97_000)
    account.restart()
    assert 95_000 == account.figure("daily_dd_floor")

    account.at("2026-01-15 22:00")
    assert 92_150 == account.figure("daily_dd_floor")
    assert "false" == account.status["dd_estimated"]


def test_a_new_installation_knows_todays_losses() -> None:
    """To remove the state directory does not give the day back."""
    account = DrawdownAccount(max_account_dd_percent=None)
    account.trade(-5_000)
    assert ["DAILY_DRAWDOWN"] == account.codes
    account.stop()
    account.store.texts.clear()

    account.restart()

    assert ["DAILY_DRAWDOWN"] == account.codes


def test_the_end_of_days_that_nobody_saw_counts_as_peak() -> None:
    """Away over two resets, of which the first saw the higher balance."""
    account = DrawdownAccount(max_mode="trailing_eod_balance")
    account.stop()
    account.trade(4_000)
    account.at("2026-01-15 12:00")
    account.trade(-3_000)
    account.at("2026-01-16 12:00")

    account.restart()

    assert 93_600 == account.figure("max_dd_floor")


def test_a_peak_that_nobody_saw_counts() -> None:
    """A balance that rose and fell while the runner was away."""
    account = DrawdownAccount()
    account.stop()
    account.trade(4_000)
    account.trade(-1_000)

    account.restart()

    assert 93_600 == account.figure("max_dd_floor")


# -- the maximum -----------------------------------------------------------------------
def test_the_maximum_ends_by_a_person_on_the_server_alone() -> None:
    """Neither by a day, nor a recovery, nor a restart, nor a single config."""
    account = DrawdownAccount(
        daily_dd_limit_percent=None, positions_without_stop="ignore"
    )
    account.hold()
    account.equity(90_000)
    account.equity(99_000)
    account.at("2026-01-16 12:00")
    account.restart()
    assert ["MAX_DRAWDOWN"] == account.codes
    assert "LATCHED" == account.runner.loop.gate.state.value

    account.configure(dd_blocked=True)
    account.cycle(2)
    account.restart()
    account.configure(dd_blocked=False)
    account.cycle(2)
    assert [] == account.codes
    assert account.buy(0.01)


# -- closing ---------------------------------------------------------------------------
def test_killed_between_breach_and_flatten_it_closes_after_the_start() -> None:
    """The breach is on disk before anything is sent."""
    account = DrawdownAccount(on_breach="flatten", flatten_scope="account")
    account.hold(3.0)
    account.terminal.account.trade_allowed = False
    account.equity(94_950)
    assert "DAILY_DRAWDOWN" in account.codes
    left = account.held
    assert 0 < left
    account.stop()
    account.terminal.account.trade_allowed = True

    account.restart()
    account.cycle(4)

    assert 0 == account.held
    assert ["DAILY_DRAWDOWN"] == account.codes


def test_killed_with_the_flatten_half_done_the_rest_is_closed() -> None:
    """One of three was closed; the others are demanded again."""
    account = DrawdownAccount(on_breach="flatten", flatten_scope="account")
    for _ in range(3):
        account.hold(1.0)
    price = account.price - 0.0168
    closes = 0
    send = account.terminal.order_send

    def one_only(*args: Any, **fields: Any) -> Any:
        nonlocal closes
        request = args[0] if args else fields
        if "position" in request:
            closes += 1
            if closes > 1:
                raise KeyboardInterrupt
        return send(*args, **fields)

    account.terminal.order_send = one_only
    with pytest.raises(KeyboardInterrupt):
        account.tick(price, seconds=30)
    assert 2 == account.held
    account.stop()
    account.terminal.order_send = send
    account.clock.wait(60)

    account.restart()
    # The close that was on its way is looked for first: it may have been carried out.
    account.cycle(60)

    assert 0 == account.held
    assert not account.buy(0.01)


def test_a_market_that_is_closed_for_a_weekend_ends_no_flatten() -> None:
    """The daily reset goes by; the latch holds until everything is closed."""
    account = DrawdownAccount(
        start="2026-01-16 21:30",
        daily_reference="equity",
        on_breach="flatten",
        flatten_scope="account",
    )
    account.hold(1.0)
    account.terminal.account.trade_allowed = False
    account.equity(94_900)
    account.cycle(5)
    assert 1 == account.held
    account.restart()
    account.at("2026-01-18 22:05")
    assert "DAILY_DRAWDOWN" in account.codes
    assert 1 == account.held

    account.terminal.account.trade_allowed = True
    account.cycle(4)

    assert 0 == account.held
    account.cycle(2)
    assert [] == account.codes


def test_what_appears_after_the_flatten_is_closed_until_the_reset() -> None:
    """A latch is a state: another program's entry is closed as well."""
    account = DrawdownAccount(on_breach="flatten", flatten_scope="account")
    account.hold()
    account.equity(94_900)
    account.cycle(3)
    assert 0 == account.held
    account.hold(0.1)
    account.cycle(3)
    assert 0 == account.held

    account.at("2026-01-14 22:00")
    account.cycle(2)
    account.hold(0.1)
    account.cycle(3)
    assert 1 == account.held


# -- cash ------------------------------------------------------------------------------
@pytest.mark.parametrize("amount", [10_000.0, -10_000.0])
@pytest.mark.parametrize("is_away", [False, True])
def test_cash_is_neither_profit_nor_loss(amount: float, is_away: bool) -> None:
    """Everything moves by the amount, once, also over further restarts."""
    account = DrawdownAccount(preset="static", initial_balance=100_000.0)
    if is_away:
        account.stop()
    account.pay(amount)
    for _ in range(3):
        account.restart()
    status = account.status

    whole = 100_000 + amount
    assert [] == account.codes
    assert (whole * 0.95, whole * 0.9, whole) == (
        float(status["daily_dd_floor"]),
        float(status["max_dd_floor"]),
        float(status["peak_balance"]),
    )


def test_cash_while_away_over_the_reset_counts_once() -> None:
    """Paid in before one reset and out after it, with a trade on each side."""
    account = DrawdownAccount(preset="static", initial_balance=100_000.0)
    account.stop()
    account.trade(1_000)
    account.pay(20_000)
    account.at("2026-01-14 22:30")
    account.trade(-2_000)
    account.pay(5_000)

    account.restart()
    account.restart()

    assert (119_700, 112_500) == (
        account.figure("daily_dd_floor"),
        account.figure("max_dd_floor"),
    )


def test_a_payout_of_profit_leaves_the_initial_balance() -> None:
    """The firm's floor does not fall when it pays a profit out."""
    account = DrawdownAccount(preset="static", initial_balance=100_000.0)
    account.trade(8_000)
    account.pay(-8_000)
    assert 90_000 == account.figure("max_dd_floor")
    assert [] == account.codes

    account.pay(-10_000)
    assert 81_000 == account.figure("max_dd_floor")


def test_credit_is_no_room_to_lose() -> None:
    """Granted or taken back it moves nothing: equity is measured without it."""
    account = DrawdownAccount()
    account.hold()
    account.terminal.account.grant_credit(20_000)
    account.cycle(2)
    assert 0 == account.figure("daily_dd_percent")
    account.restart()
    assert 95_000 == account.figure("daily_dd_floor")

    account.equity(115_000)
    assert ["DAILY_DRAWDOWN"] == account.codes


def test_an_initial_balance_that_is_set_anew_counts_from_now() -> None:
    """Who raises it after a deposit by hand means what is written there."""
    account = DrawdownAccount(preset="static", initial_balance=100_000.0)
    account.pay(10_000)
    account.configure(initial_balance=110_000.0)
    account.cycle(2)
    assert 99_000 == account.figure("max_dd_floor")

    account.pay(10_000)
    assert 108_000 == account.figure("max_dd_floor")


def test_the_server_moves_the_reset_while_the_day_runs() -> None:
    """The balance at the new reset is rebuilt; what was breached today stays so."""
    account = DrawdownAccount(daily_reference="balance", start="2026-01-14 09:00")
    account.trade(-2_000)
    account.at("2026-01-14 12:00")
    account.configure(daily_reset="10:00 UTC")
    account.cycle(2)
    assert 93_100 == account.figure("daily_dd_floor")

    account.trade(-4_900)
    account.configure(daily_reset="11:00 UTC")
    account.cycle(2)
    assert ["DAILY_DRAWDOWN"] == account.codes
    account.at("2026-01-15 11:00")
    assert [] == account.codes
    assert 88_445 == account.figure("daily_dd_floor")


# -- in flight -------------------------------------------------------------------------
def test_an_entry_that_is_not_shown_yet_counts_at_once() -> None:
    """The terminal answers before it shows; the next entry must not be blind."""
    account = DrawdownAccount(buffer_percent=0.0)
    positions = account.terminal.positions_get

    def blind(*_: Any, **__: Any) -> tuple[()]:
        return ()

    account.terminal.positions_get = blind
    assert account.buy(1.0, stop=3_000)
    assert not account.buy(1.0, stop=3_000, symbol="GBPUSD")
    assert "DAILY_DRAWDOWN_RISK" in account.denied.codes

    account.terminal.positions_get = positions
    account.cycle(2)
    assert account.buy(1.0, stop=1_900, symbol="GBPUSD")


def test_while_the_account_is_unknown_nothing_is_opened() -> None:
    """No data is no permission."""
    account = DrawdownAccount()
    read = account.terminal.account_info
    account.terminal.account_info = lambda *_: None
    account.cycle(2)
    assert "ACCOUNT_UNKNOWN" in account.codes

    account.terminal.account_info = read
    account.cycle(2)
    assert [] == account.codes
