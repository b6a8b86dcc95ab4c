"""What firms publish, figure by figure, through the whole runner.

Quotes come in, and an entry is refused or sent. The figures are those of the firms'
own examples.
"""

from __future__ import annotations

from typing import Any

import pytest
from drawdown_account import DrawdownAccount

FTMO: dict[str, Any] = {"preset": "ftmo_2step", "initial_balance": 100_000.0}


def holds(account: DrawdownAccount, floor: float) -> None:
    """Let the equity stop just above *floor*, then reach it: entries stop there."""
    if not account.held:
        account.hold()
    account.equity(floor + 1)
    assert [] == account.codes
    account.equity(floor)


@pytest.mark.parametrize(
    ("results", "floor", "code"),
    [
        ([], 95_000, "DAILY_DRAWDOWN"),
        ([2_000], 97_000, "DAILY_DRAWDOWN"),
        ([-4_000, -2_000], 90_000, "MAX_DRAWDOWN"),
    ],
)
def test_vector_1_ftmo_two_steps(results, floor, code):
    """5 % of the initial balance below the balance of midnight; 90 % of it at most."""
    account = DrawdownAccount(**FTMO, positions_without_stop="ignore")
    day = 14
    for result in results:
        account.trade(result)
        account.at(f"2026-01-{day} 23:00")
        day += 1
    balance = 100_000 + sum(results)
    assert balance - 5_000 == account.figure("daily_dd_floor")

    holds(account, floor)

    assert [code] == account.codes
    assert "true" == account.status["dd_blocked"]
    assert not account.buy(0.01, 10)


def test_vector_2_a_floating_loss_carried_over_midnight():
    """Legal at 23:59, a breach at 00:00: the reference is the new balance."""
    account = DrawdownAccount(
        200_000.0,
        daily_dd_limit_percent=5.0,
        **FTMO | {"initial_balance": 200_000.0},
    )
    account.trade(4_000)
    assert 14_000 == 204_000 - account.figure("daily_dd_floor")
    account.hold(2.0)
    account.equity(191_000)
    account.at("2026-01-14 22:59")
    assert [] == account.codes

    account.at("2026-01-14 23:00")

    assert ["DAILY_DRAWDOWN"] == account.codes
    assert 194_000 == account.figure("daily_dd_floor")


def test_vector_3_ftmo_one_step_trails_the_days_end():
    """Balances of 100k, 104k, 103k give floors of 90k, 94k, 94k."""
    account = DrawdownAccount(preset="ftmo_1step", initial_balance=100_000.0)
    floors = [account.figure("max_dd_floor")]
    account.trade(6_000)  # a peak within the day does not count
    account.trade(-2_000)
    floors.append(account.figure("max_dd_floor"))
    for result, day in ((0, 14), (-1_000, 15)):
        if result:
            account.trade(result)
        account.at(f"2026-01-{day} 23:00")
        floors.append(account.figure("max_dd_floor"))

    assert [90_000, 90_000, 94_000, 94_000] == floors


def test_vector_4_the_higher_of_balance_and_equity():
    """A balance of 102000 with an equity of 105000 gives a floor of 99750."""
    account = DrawdownAccount(102_000.0)
    account.hold()
    account.equity(105_000)
    account.at("2026-01-14 22:00")

    assert 99_750 == account.figure("daily_dd_floor")
    holds(account, 99_750)
    assert ["DAILY_DRAWDOWN"] == account.codes


def test_vector_5_equity_at_the_reset():
    """An equity of 5123.19 gives a limit of 256.16 and a floor of 4867.03."""
    account = DrawdownAccount(
        5_000.0, daily_reference="equity", daily_reset="00:00 Etc/GMT-3"
    )
    account.hold(0.01)
    account.trade(100)
    account.equity(5_123.19)
    account.at("2026-01-14 21:00")

    assert 4_867.0305 == pytest.approx(account.figure("daily_dd_floor"), abs=1e-4)
    account.equity(4_867.04)
    assert [] == account.codes
    account.equity(4_867.03)
    assert ["DAILY_DRAWDOWN"] == account.codes


def test_vector_6_the_balance_at_a_time_of_its_own():
    """4 % of a balance of 105000 at 00:30 UTC gives a floor of 100800."""
    account = DrawdownAccount(
        105_000.0,
        daily_dd_limit_percent=4.0,
        daily_reference="balance",
        daily_reset="00:30 UTC",
    )
    account.hold()
    account.equity(110_000)  # a floating profit is no reference
    account.at("2026-01-15 00:30")

    assert 100_800 == account.figure("daily_dd_floor")
    holds(account, 100_800)
    assert ["DAILY_DRAWDOWN"] == account.codes


def test_vector_7_a_trailing_floor_locks_at_the_start():
    """6 % of the highest closed balance, and never above the initial one."""
    account = DrawdownAccount(
        daily_dd_limit_percent=None,
        max_account_dd_percent=6.0,
        initial_balance=100_000.0,
        trail_lock_at_initial=True,
    )
    floors = [account.figure("max_dd_floor")]
    for result in (2_000, 4_383, 5_000, -3_000):
        account.trade(result)
        floors.append(account.figure("max_dd_floor"))

    assert [94_000, 95_880, 100_000, 100_000, 100_000] == pytest.approx(floors, abs=0.1)
    holds(account, 100_000)
    assert ["MAX_DRAWDOWN"] == account.codes


def test_vector_8_a_trailing_floor_of_equity():
    """4 % of a peak of 103000 is 98880, whatever comes later."""
    account = DrawdownAccount(
        daily_dd_limit_percent=None,
        max_account_dd_percent=4.0,
        max_mode="trailing_equity",
    )
    account.hold()
    account.equity(103_000)
    assert 98_880 == account.figure("max_dd_floor")
    account.equity(101_000)
    assert 98_880 == account.figure("max_dd_floor")

    holds(account, 98_880)
    assert ["MAX_DRAWDOWN"] == account.codes


def test_vector_9_a_fixed_amount_below_the_days_peak():
    """250 below an equity of 5200 is 4950."""
    account = DrawdownAccount(
        5_000.0,
        initial_balance=5_000.0,
        daily_reference="intraday_peak_equity",
        daily_percent_of="initial",
    )
    account.hold(0.1)
    account.equity(5_200)
    account.equity(4_950.1)
    assert [] == account.codes

    account.equity(4_950)

    assert ["DAILY_DRAWDOWN"] == account.codes


def test_vector_10_a_tracker_that_lets_the_limit_be_touched():
    """5.001 % is more than 5 %, and 5 % is not."""
    account = DrawdownAccount(preset="metaapi_day")
    account.hold()
    account.equity(95_000)
    assert [] == account.codes

    account.equity(94_999)

    assert ["DAILY_DRAWDOWN"] == account.codes


def test_vector_11_a_deposit_moves_everything():
    """10000 paid in: the initial balance and the references are 110000."""
    account = DrawdownAccount(preset="static", initial_balance=100_000.0)
    account.pay(10_000)

    assert (104_500, 99_000) == (
        account.figure("daily_dd_floor"),
        account.figure("max_dd_floor"),
    )
    assert (0, 0, 110_000) == (
        account.figure("daily_dd_percent"),
        account.figure("max_dd_percent"),
        account.figure("peak_balance"),
    )
    holds(account, 104_500)
    assert ["DAILY_DRAWDOWN"] == account.codes


@pytest.mark.parametrize(
    ("day", "before", "reset"),
    [
        ("2026-01-14", "22:59", "23:00"),
        ("2026-03-09", "22:59", "23:00"),  # the US have changed, Europe has not
        ("2026-03-30", "21:59", "22:00"),
        ("2026-06-30", "21:59", "22:00"),
        ("2026-10-26", "22:59", "23:00"),  # Europe has changed back, the US have not
        ("2026-11-02", "22:59", "23:00"),
    ],
)
def test_vector_12_midnight_in_prague_on_a_server_in_new_york(day, before, reset):
    """The server's clock reads 01:00 then, and 02:00 in the weeks between."""
    account = DrawdownAccount(start=f"{day} 12:00", **FTMO)
    account.trade(-3_000)
    account.at(f"{day} {before}")
    assert 95_000 == account.figure("daily_dd_floor")

    account.at(f"{day} {reset}")
    account.now = account.now.replace(second=30)
    wall = account.terminal.market.time
    assert 92_000 == account.figure("daily_dd_floor")
    between = day in {"2026-03-09", "2026-10-26"}
    assert (2 if between else 1) == wall // 3600 % 24
