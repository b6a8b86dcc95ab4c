"""When the aim is reached, nothing is risked any more."""

from __future__ import annotations

from typing import Any

import pytest

from plugins.equity_target import EquityTarget
from runner import Demand, Deny, PendingKind, PendingOrder, Position, Side, TradingState
from runner.serde import ConfigErrors, structure_settings
from runner.testing import (
    START,
    MemoryState,
    check_trading,
    make_account,
    make_plugin,
)

AIM: dict[str, Any] = {"initial_balance": 100_000.0, "percent": 10.0}
REACHED = Deny("EQUITY_TARGET", "target=110000.00", TradingState.LATCHED)


def guard(state: MemoryState | None = None, **settings: Any) -> EquityTarget:
    """Return a guard."""
    return make_plugin(EquityTarget, state, **settings)


def read(guard: EquityTarget, equity: float, login: int = 123456) -> Deny | None:
    """Let the account be read, and ask."""
    account = make_account(100_000.0, equity=equity, login=login)
    guard.on_account(account, START)
    return check_trading(guard, account)


def test_a_credit_is_no_profit() -> None:
    """It is the broker's money, which nobody has won."""
    aim = guard(**AIM)
    account = make_account(100_000.0, equity=120_000.0, credit=20_000.0)
    aim.on_account(account, START)

    assert check_trading(aim, account) is None


HELD = Position(
    ticket=1,
    symbol="EURUSD",
    side=Side.BUY,
    volume=0.1,
    opened_at=START,
    open_price=1.1,
    magic=7,
)
WAITING = PendingOrder(
    ticket=2,
    symbol="EURUSD",
    side=Side.BUY,
    kind=PendingKind.STOP,
    volume=0.1,
    price=1.2,
    placed_at=START,
    magic=7,
)


def test_entries_stop_when_equity_reaches_the_target() -> None:
    """And not a cent before."""
    aim = guard(**AIM)

    assert read(aim, 109_999.99) is None
    assert REACHED == read(aim, 110_000.0)


def test_what_was_reached_stays_reached() -> None:
    """Whatever the equity does then, and after a restart."""
    state = MemoryState()
    first = guard(state, **AIM)
    read(first, 110_000.0)

    assert REACHED == read(first, 90_000.0)
    assert REACHED == read(guard(state, **AIM), 90_000.0)


def test_a_full_disk_does_not_make_it_forget() -> None:
    """It is tried again with each reading."""

    class FullDisk(MemoryState):
        is_full = True

        def put(self, key: str, value: Any) -> None:
            if self.is_full:
                raise OSError("disk full")
            super().put(key, value)

    state = FullDisk()
    first = guard(state, **AIM)
    with pytest.raises(OSError, match="disk full"):
        read(first, 110_000.0)
    state.is_full = False

    assert REACHED == read(first, 90_000.0)
    assert REACHED == read(guard(state, **AIM), 90_000.0)


@pytest.mark.parametrize("changed", [{"percent": 20.0}, {"initial_balance": 120_000.0}])
def test_a_person_goes_on_by_setting_another_target(changed: dict[str, Any]) -> None:
    """The next phase of a challenge has another aim."""
    state = MemoryState()
    read(guard(state, **AIM), 110_000.0)

    assert read(guard(state, **AIM | changed), 110_000.0) is None


def test_another_account_has_not_reached_it() -> None:
    """A state directory may have seen a challenge before."""
    state = MemoryState()
    read(guard(state, **AIM), 110_000.0)

    assert read(guard(state, **AIM), 100_000.0, login=5) is None


def test_the_runners_own_positions_are_closed_if_so_set() -> None:
    """Nobody else's; and nothing is demanded when nothing is left."""
    aim = guard(**AIM, close_positions=True)
    before = aim.demand_exits([HELD], [WAITING], {7})
    read(aim, 110_000.0)

    assert before is None
    assert Demand(code="EQUITY_TARGET", close=(1,), cancel=(2,)) == (
        aim.demand_exits([HELD], [WAITING], {7})
    )
    assert aim.demand_exits([HELD], [WAITING], {8}) is None


def test_otherwise_they_stay() -> None:
    """Entries stop; what is held runs on with its stops."""
    aim = guard(**AIM)
    read(aim, 110_000.0)

    assert aim.demand_exits([HELD], [WAITING], {7}) is None


def test_a_percentage_of_nothing_is_refused() -> None:
    """Today's balance is never taken for the initial one."""
    with pytest.raises(ConfigErrors, match="percent: needs initial_balance"):
        structure_settings({"percent": 10.0}, EquityTarget.Settings, "settings")


def test_without_settings_it_says_nothing() -> None:
    """The target is off until it is set."""
    assert read(guard(), 1e12) is None
