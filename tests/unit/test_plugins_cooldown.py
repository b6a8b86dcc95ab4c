"""After losses, a pause."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from plugins.cooldown import Cooldown
from runner import Deal, Deny, ExitReason, Side
from runner.testing import (
    START,
    check_symbol,
    check_trading,
    make_account,
    make_plugin,
    make_symbol,
)

EURUSD, XAUUSD = make_symbol(), make_symbol("XAUUSD")


def minutes(number: float) -> Any:
    """Return a time so many minutes after the first deal."""
    return START + timedelta(minutes=number)


def closing(position: int, profit: float, **changes: Any) -> Deal:
    """Return a deal that closes a position, a minute after the one before."""
    fields: dict[str, Any] = {
        "ticket": 100 + position,
        "position_id": position,
        "symbol": "EURUSD",
        "side": Side.SELL,
        "is_entry": False,
        "volume": 0.1,
        "price": 1.1,
        "time": minutes(position),
        "profit": profit,
        "exit_reason": ExitReason.STOP_LOSS,
    }
    return Deal(**fields | changes)


def opening(position: int, costs: float) -> Deal:
    """Return a deal that opens a position."""
    return closing(position, 0.0, costs=costs, is_entry=True, exit_reason=None)


def guard(*deals: Deal, **settings: Any) -> Cooldown:
    """Return a guard that was told of *deals*."""
    made = make_plugin(Cooldown, **settings)
    made.on_deals(deals)
    return made


def test_a_loss_pauses_its_symbol_for_the_time_set() -> None:
    """From the deal's own time on; other symbols go on."""
    rest = guard(closing(1, -5.0), loss_minutes=10.0)

    expected = Deny("COOLDOWN", "after=loss until=2024-01-01T00:11Z")
    assert expected == check_symbol(rest, EURUSD, now=minutes(10.9))
    assert check_symbol(rest, EURUSD, now=minutes(11)) is None
    assert check_symbol(rest, XAUUSD, now=minutes(2)) is None
    assert check_trading(rest, make_account(), now=minutes(2)) is None


def test_a_loss_can_pause_the_account() -> None:
    """Then the account is what pauses, not the symbol alone."""
    rest = guard(closing(1, -5.0), loss_minutes=10.0, scope="account")

    assert Deny("COOLDOWN", "after=loss until=2024-01-01T00:11Z") == (
        check_trading(rest, make_account(), now=minutes(2))
    )
    assert check_trading(rest, make_account(), now=minutes(11)) is None


def test_a_profit_is_no_reason() -> None:
    """Nor is a balance that goes: a withdrawal is no loss."""
    gone = closing(2, -500.0, is_balance=True, exit_reason=None)
    rest = guard(closing(1, 5.0), gone, loss_minutes=10.0)

    assert check_symbol(rest, EURUSD, now=minutes(2)) is None


def test_what_opening_cost_belongs_to_the_result() -> None:
    """A profit that does not pay its commission is a loss."""
    rest = guard(opening(1, -6.0), closing(1, 5.0), loss_minutes=10.0)

    assert check_symbol(rest, EURUSD, now=minutes(2)) is not None


@pytest.mark.parametrize(
    ("profits", "paused"),
    [
        ([-1, -1], False),
        ([-1, -1, -1], True),
        ([-1, -1, 1, -1], False),
        ([1, -1, -1, -1], True),
    ],
)
def test_losses_in_a_row_pause(profits: list[float], *, paused: bool) -> None:
    """A profit between them ends the row."""
    deals = [closing(number, profit) for number, profit in enumerate(profits, 1)]
    rest = guard(*deals, losses=3, losses_minutes=10.0)

    answer = check_symbol(rest, EURUSD, now=minutes(len(deals)))

    assert paused == (answer is not None)
    assert answer is None or answer.detail.startswith("after=3 losses ")


def test_a_position_that_is_closed_in_parts_is_one_loss() -> None:
    """Three parts are no row of three."""
    parts = [closing(1, -1.0, time=minutes(n)) for n in range(3)]
    rest = guard(*parts, losses=3, losses_minutes=10.0)

    assert check_symbol(rest, EURUSD, now=minutes(3)) is None


def test_the_longer_pause_stands() -> None:
    """A later, shorter one does not cut it."""
    rest = guard(
        closing(1, -1.0, exit_reason=ExitReason.STOP_OUT),
        closing(2, -1.0),
        loss_minutes=1.0,
        stop_out_minutes=60.0,
    )

    assert Deny("COOLDOWN", "after=stop_out until=2024-01-01T01:01Z") == (
        check_symbol(rest, EURUSD, now=minutes(60))
    )


def test_a_stop_out_pauses_whatever_it_brought() -> None:
    """It says that margin ran out."""
    rest = guard(
        closing(1, 5.0, exit_reason=ExitReason.STOP_OUT), stop_out_minutes=60.0
    )

    assert check_symbol(rest, EURUSD, now=minutes(2)) is not None


def test_deals_that_are_told_again_at_a_start_give_the_same_pause() -> None:
    """So nothing has to be on disk, and a loss while it was down counts too."""
    deals = [closing(number, -1.0) for number in (1, 2, 3)]
    first = guard(losses=3, losses_minutes=10.0)
    for deal in deals:
        first.on_deals([deal])
    again = guard(*deals, losses=3, losses_minutes=10.0)

    expected = check_symbol(first, EURUSD, now=minutes(4))
    assert expected is not None
    assert expected == check_symbol(again, EURUSD, now=minutes(4))


def test_without_settings_it_says_nothing() -> None:
    """Each pause is off until it is set."""
    rest = guard(*[closing(n, -1.0) for n in range(1, 9)])

    assert check_symbol(rest, EURUSD, now=minutes(9)) is None
