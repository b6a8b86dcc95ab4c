"""Settings of the guards, each from a settings file to orders at the terminal."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from drawdown_account import OTHER, PAIR
from guarded_account import GuardedAccount

Make = Callable[..., GuardedAccount]
HOURS = {"*": ["Mon-Fri 08:00-17:00"]}
FRIDAY, SUNDAY = "2026-01-16", "2026-01-18"


# -- trading hours ---------------------------------------------------------------------
def test_nothing_is_opened_outside_of_the_hours(make: Make) -> None:
    """From eight to five in New York, each symbol its own; no hours, no limit."""
    late = {"also": {"start": "2026-01-14 21:59"}}
    account = make("trading_hours", hours={**HOURS, OTHER: ["Wed 17:00-18:00"]}, **late)
    assert ["", "OUTSIDE_HOURS"] == [account.buy(), account.buy(symbol=OTHER)]
    account.at("2026-01-14 22:00")
    assert ["OUTSIDE_HOURS", ""] == [account.buy(), account.buy(symbol=OTHER)]

    always = make("trading_hours", **late)
    always.at("2026-01-14 22:00")
    assert not always.buy()


@pytest.mark.parametrize(
    ("zone", "denied"), [("Europe/London", ""), ("Asia/Tokyo", "OUTSIDE_HOURS")]
)
def test_hours_are_of_the_chosen_zone(make: Make, zone: str, denied: str) -> None:
    """Nine o'clock in London is six in the evening in Tokyo, and four in New York."""
    start = {"start": "2026-01-14 09:00"}
    assert denied == make("trading_hours", also=start, hours=HOURS, zone=zone).buy()
    assert "OUTSIDE_HOURS" == make("trading_hours", also=start, hours=HOURS).buy()


def test_from_a_time_on_friday_nothing_is_opened(make: Make) -> None:
    """What is open stays."""
    account = make("trading_hours", friday_stop="12:00")
    account.at(f"{FRIDAY} 16:58")
    assert not account.buy()

    account.at(f"{FRIDAY} 17:00")
    assert "WEEKEND" == account.buy()
    assert 1 == len(account.positions)

    unbound = make("trading_hours")
    unbound.at(f"{FRIDAY} 17:00")
    assert not unbound.buy()


@pytest.mark.parametrize("closes", [True, False])
def test_from_a_time_on_friday_own_positions_are_closed(
    make: Make, closes: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A person's stay, and the log says why ours do not."""
    times = {"friday_close": "13:00"} if closes else {}
    account = make("trading_hours", friday_stop="12:00", **times)
    assert not account.buy()
    (own,) = account.tickets
    other = account.order()

    account.at(f"{FRIDAY} 17:59")
    assert {own, other} == account.tickets
    account.at(f"{FRIDAY} 18:00")

    assert ({other} if closes else {own, other}) == account.tickets
    assert closes is ("trading_hours demands exits: WEEKEND" in caplog.text)


@pytest.mark.parametrize(("begins", "denied"), [("17:00", ""), ("20:00", "WEEKEND")])
def test_the_weekend_ends_when_chosen(make: Make, begins: str, denied: str) -> None:
    """At one minute past five on Sunday in New York."""
    account = make("trading_hours", friday_stop="12:00", sunday_start=begins)
    account.at(f"{SUNDAY} 21:58")
    assert "WEEKEND" == account.buy()

    account.at(f"{SUNDAY} 22:01")
    assert denied == account.buy()


def test_a_symbol_may_have_no_weekend(make: Make) -> None:
    """It is traded on, and not closed."""
    account = make("trading_hours", friday_close="12:00", no_weekend=[PAIR])
    assert ["", ""] == [account.buy(), account.buy(symbol=OTHER)]

    account.at(f"{FRIDAY} 17:00")

    assert [PAIR] == [one.symbol for one in account.positions]
    assert ["", "WEEKEND"] == [account.buy(), account.buy(symbol=OTHER)]


# -- spread ----------------------------------------------------------------------------
@pytest.mark.parametrize("limit", [12.0, 13.0, None])
def test_a_wide_spread_stops_entries(make: Make, limit: float | None) -> None:
    """One of more points than the limit; a position can be left at any."""
    account = make("spread", points=limit)
    account.spread = 12
    assert not account.buy()

    account.spread = 13
    assert ("SPREAD_WIDE" if limit == 12 else "") == account.buy()
    assert not account.wish(lambda own: own.close(PAIR))
    assert 0 == len(account.positions)


@pytest.mark.parametrize("times", [1.5, 2.0, None])
def test_a_spread_wider_than_usual_stops_entries(
    make: Make, times: float | None
) -> None:
    """Ten bars teach what is usual; before that it is unknown."""
    account = make("spread", times_usual=times)
    account.spread = 10
    assert ("SPREAD_UNKNOWN" if times else "") == account.buy()
    for _ in range(12):
        account.tick(60)

    account.spread = 15
    assert not account.buy()
    account.spread = 16
    assert ("SPREAD_WIDE" if times == 1.5 else "") == account.buy()


# -- slippage --------------------------------------------------------------------------
def slipped(account: GuardedAccount, points: float) -> str:
    """Let a strategy buy and its order be filled so much worse."""
    account.market.points = points
    return account.buy()


@pytest.mark.parametrize("limit", [8.0, 9.0])
def test_a_bad_fill_pauses_its_symbol(make: Make, limit: float) -> None:
    """For an hour, over a restart; the other symbol goes on."""
    account = make("slippage", points=limit)
    assert ["", ""] == [slipped(account, 8), slipped(account, 9)]
    account.restart()

    assert ("SLIPPAGE" if limit == 8 else "") == account.buy()
    assert not account.buy(symbol=OTHER)


@pytest.mark.parametrize("limit", [4.0, 5.0])
def test_fills_that_are_bad_on_average_pause_their_symbol(
    make: Make, limit: float
) -> None:
    """One that is bad among good ones does not."""
    account = make("slippage", average_points=limit, fills=3)
    slips = [slipped(account, points) for points in (9, 0, 0, 6, 9)]

    assert [""] * 5 == slips
    assert ("SLIPPAGE" if limit == 4 else "") == account.buy()


@pytest.mark.parametrize("fills", [3, 4])
def test_the_average_is_of_so_many_fills(make: Make, fills: int) -> None:
    """Of three it is 5, of four 3.75."""
    account = make("slippage", average_points=4.0, fills=fills)
    assert [""] * 4 == [slipped(account, points) for points in (0, 0, 6, 9)]

    assert ("SLIPPAGE" if fills == 3 else "") == account.buy()


@pytest.mark.parametrize("minutes", [30.0, 60.0])
def test_the_pause_after_a_bad_fill_is_as_long_as_chosen(
    make: Make, minutes: float
) -> None:
    """To the minute."""
    account = make("slippage", points=8.0, pause_minutes=minutes)
    assert not slipped(account, 9)
    account.market.points = 0.0

    account.tick(60 * minutes - 5)
    assert "SLIPPAGE" == account.buy()
    account.tick(5)
    assert not account.buy()


# -- cooldown --------------------------------------------------------------------------
@pytest.mark.parametrize("minutes", [30.0, 60.0, None])
def test_a_loss_pauses_its_symbol(make: Make, minutes: float | None) -> None:
    """Also after a restart; the other symbol goes on."""
    account = make("cooldown", loss_minutes=minutes)
    account.lose()
    account.restart()
    assert not account.buy(symbol=OTHER)

    account.tick(29 * 60)
    assert ("COOLDOWN" if minutes else "") == account.buy()
    account.tick(2 * 60)
    assert ("COOLDOWN" if minutes == 60 else "") == account.buy()
    account.tick(30 * 60)
    assert not account.buy()


@pytest.mark.parametrize("minutes", [30.0, 60.0, None])
def test_losses_in_a_row_pause_their_symbol(make: Make, minutes: float | None) -> None:
    """Three of them, if nothing else is said."""
    account = make("cooldown", losses_minutes=minutes)
    for _ in range(3):
        account.lose()

    account.tick(29 * 60)
    assert ("COOLDOWN" if minutes else "") == account.buy()
    account.tick(2 * 60)
    assert ("COOLDOWN" if minutes == 60 else "") == account.buy()


@pytest.mark.parametrize("losses", [2, 3])
def test_so_many_losses_are_a_row(make: Make, losses: int) -> None:
    """Two are one row, or none yet."""
    account = make("cooldown", losses_minutes=60.0, losses=losses)
    account.lose()
    account.lose()

    assert ("COOLDOWN" if losses == 2 else "") == account.buy()


@pytest.mark.parametrize("minutes", [30.0, 60.0, None])
def test_a_stop_out_pauses_its_symbol(make: Make, minutes: float | None) -> None:
    """The broker closes for lack of margin what takes nearly all of it."""
    account = make("cooldown", stop_out_minutes=minutes, also={"balance": 1_000.0})
    assert not account.buy(0.9)
    account.move(-800)
    assert 0 == len(account.positions)

    account.tick(29 * 60)
    assert ("COOLDOWN" if minutes else "") == account.buy(0.01)
    account.tick(2 * 60)
    assert ("COOLDOWN" if minutes == 60 else "") == account.buy(0.01)


@pytest.mark.parametrize("scope", ["symbol", "account"])
def test_a_loss_pauses_the_account_if_chosen(make: Make, scope: str) -> None:
    """The heartbeat says so."""
    account = make("cooldown", loss_minutes=60.0, scope=scope)
    account.lose()
    pauses = account.pauses

    assert (scope == "account") is any("cooldown COOLDOWN" in one for one in pauses)
    assert "COOLDOWN" == account.buy()
    assert ("" if scope == "symbol" else "COOLDOWN") == account.buy(symbol=OTHER)


# -- equity target ---------------------------------------------------------------------
AIM = {"initial_balance": 100_000.0, "percent": 10.0}


@pytest.mark.parametrize("percent", [10.0, 20.0])
def test_the_target_ends_trading(make: Make, percent: float) -> None:
    """For good, over a restart and a fall below; heartbeat and log say why."""
    account = make("equity_target", **AIM | {"percent": percent})
    assert not account.buy(1.0)
    account.move(9_999)
    assert not account.buy(0.01)
    account.move(2)
    account.move(-1_000)
    account.restart()

    is_over = percent == 10
    assert ("EQUITY_TARGET" if is_over else "") == account.buy(0.01)
    assert is_over is any(
        "EQUITY_TARGET: target=110000.00" in one for one in account.pauses
    )
    state = account.runner.heartbeat["trading_state"]
    assert ("LATCHED" if is_over else "ACTIVE") == state


@pytest.mark.parametrize("initial", [100_000.0, 105_000.0])
def test_the_target_is_a_percentage_of_the_initial_balance(
    make: Make, initial: float
) -> None:
    """Ten percent above it are 110000, or 115500."""
    account = make("equity_target", **AIM | {"initial_balance": initial})
    assert not account.buy(1.0)
    account.move(11_000)

    assert ("EQUITY_TARGET" if initial == 100_000 else "") == account.buy(0.01)


@pytest.mark.parametrize("closes", [True, False])
def test_own_positions_are_closed_at_the_target_if_chosen(
    make: Make, closes: bool
) -> None:
    """A person's stay."""
    account = make("equity_target", close_positions=closes, **AIM)
    assert not account.buy(1.0)
    (own,) = account.tickets
    other = account.order(volume=0.01)

    account.move(11_000)
    account.tick(10)

    assert ({other} if closes else {own, other}) == account.tickets
