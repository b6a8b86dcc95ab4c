"""No strategy sends, holds or risks more than the limits say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from plugins.limits import Limits, LimitsSettings
from runner import (
    Action,
    Deny,
    OrderIntent,
    OrderRequest,
    PendingKind,
    PendingOrder,
    Position,
    Side,
    Tick,
)
from runner.host.manager import PluginHost
from runner.host.records import BUILT_IN
from runner.testing import (
    START,
    MemoryState,
    check_order,
    make_account,
    make_plugin,
    make_symbol,
)

OFF: dict[str, None] = {
    "orders_per_minute": None,
    "orders_per_minute_strategy": None,
    "positions": None,
    "positions_strategy": None,
}


def guard(state: MemoryState | None = None, **settings: Any) -> Limits:
    """Return a guard with no limit but those given."""
    return make_plugin(Limits, state, **OFF | settings)


def entry(symbol: str = "EURUSD", volume: float = 0.1, strategy: str = "A") -> Any:
    """Return an intent to open."""
    return OrderIntent(
        strategy=strategy,
        symbol=symbol,
        action=Action.OPEN,
        side=Side.BUY,
        volume=volume,
    )


def other(action: Action) -> OrderIntent:
    """Return an intent that opens nothing."""
    return OrderIntent(strategy="A", symbol="EURUSD", action=action)


def position(symbol: str = "EURUSD", volume: float = 0.1, magic: int = 1) -> Position:
    """Return an open position."""
    return Position(
        ticket=1,
        symbol=symbol,
        side=Side.BUY,
        volume=volume,
        opened_at=START,
        open_price=1.0,
        magic=magic,
    )


def pending(symbol: str = "EURUSD", volume: float = 0.1, magic: int = 1) -> Any:
    """Return a pending order."""
    return PendingOrder(
        ticket=2,
        symbol=symbol,
        side=Side.BUY,
        kind=PendingKind.LIMIT,
        volume=volume,
        price=1.0,
        placed_at=START,
        magic=magic,
    )


def lost(
    symbol: str = "EURUSD",
    volume: float = 0.1,
    magic: int = 1,
    action: Action = Action.OPEN,
    strategy: str = "A",
) -> OrderRequest:
    """Return an order without an outcome."""
    return OrderRequest(
        token="T",
        magic=magic,
        symbol=symbol,
        action=action,
        side=Side.BUY,
        volume=volume,
        strategy=strategy,
    )


# -- how often -------------------------------------------------------------------------
def test_a_strategy_sends_no_more_orders_than_its_limit_in_a_minute() -> None:
    """The next minute it may again; another strategy may at once."""
    limits = guard(orders_per_minute_strategy=2)
    limits.on_order_sent(lost(), START)
    one_left = check_order(limits, entry(), now=START)
    limits.on_order_sent(lost(), START + timedelta(seconds=30))

    now = START + timedelta(seconds=59)
    assert one_left is None
    assert Deny("ORDER_RATE", "limit=2 of=A") == check_order(limits, entry(), now=now)
    assert check_order(limits, entry(strategy="B"), now=now) is None
    later = START + timedelta(seconds=60)
    assert check_order(limits, entry(), now=later) is None


def test_the_account_sends_no_more_orders_than_its_limit_in_a_minute() -> None:
    """Whichever strategy, guard or command sent them."""
    limits = guard(orders_per_minute=2)
    limits.on_order_sent(lost(strategy="A"), START)
    limits.on_order_sent(lost(strategy="FLATTEN", action=Action.CLOSE), START)

    denied = check_order(limits, entry(strategy="B"), now=START)

    assert Deny("ORDER_RATE", "limit=2 of=account") == denied


def test_a_restart_is_no_way_around_the_rate() -> None:
    """What was sent in the last minute is on disk."""
    state = MemoryState()
    guard(state, orders_per_minute_strategy=1).on_order_sent(lost(), START)

    again = guard(state, orders_per_minute_strategy=1)

    assert Deny("ORDER_RATE", "limit=1 of=A") == check_order(again, entry(), now=START)


def test_what_is_on_disk_does_not_grow() -> None:
    """A flatten that is refused all weekend sends thousands at one market time."""
    state = MemoryState()
    limits = guard(state, orders_per_minute=3, orders_per_minute_strategy=2)
    for number in range(50):
        limits.on_order_sent(lost(strategy=f"S{number % 2}"), START)
    limits.on_order_sent(lost(strategy="late"), START + timedelta(minutes=5))

    assert {"": 3, "late": 1} == {
        name: len(times) for name, times in state.items()["sent"].items()
    }


def test_beyond_the_rate_stops_are_not_moved_and_closing_goes_on() -> None:
    """A flood of modifications is a flood; an exit is never denied."""
    limits = guard(orders_per_minute_strategy=1)
    limits.on_order_sent(lost(), START)

    moved = check_order(limits, other(Action.PROTECT), now=START)
    closed = check_order(limits, other(Action.CLOSE), now=START)
    cancelled = check_order(limits, other(Action.CANCEL), now=START)

    assert Deny("ORDER_RATE", "limit=1 of=A") == moved
    assert (None, None) == (closed, cancelled)


def test_a_lost_order_that_would_be_pending_counts() -> None:
    """It may have been placed, and filled since."""
    unresolved = [lost(action=Action.PLACE)]

    assert check_order(guard(positions=1), entry(), unresolved=unresolved) is not None


# -- how many, how large ---------------------------------------------------------------
@pytest.mark.parametrize(
    ("settings", "positions", "denied"),
    [
        ({"positions": 2}, [position("XAUUSD", magic=0)], None),
        (
            {"positions": 2},
            [position("XAUUSD", magic=0), position()],
            Deny("POSITION_LIMIT", "open=2 limit=2 of=account"),
        ),
        ({"positions_strategy": 1}, [position(magic=2)], None),
        (
            {"positions_strategy": 1},
            [position("XAUUSD")],
            Deny("POSITION_LIMIT", "open=1 limit=1 of=strategy"),
        ),
        ({"positions_symbol": 1}, [position("XAUUSD")], None),
        (
            {"positions_symbol": 1},
            [position(magic=2)],
            Deny("POSITION_LIMIT", "open=1 limit=1 of=EURUSD"),
        ),
        ({"lots": 0.3}, [position("XAUUSD", 0.2)], None),
        (
            {"lots": 0.3},
            [position("XAUUSD", 0.21)],
            Deny("LOT_LIMIT", "would=0.31 limit=0.3 of=account"),
        ),
        ({"lots_symbol": 0.3}, [position(volume=0.2), position("XAUUSD", 5)], None),
        (
            {"lots_symbol": 0.3},
            [position(volume=0.21)],
            Deny("LOT_LIMIT", "would=0.31 limit=0.3 of=EURUSD"),
        ),
        # One lot is worth 110,000 at 1.1; the account has 10,000.
        ({"exposure_symbol": 3.3}, [position(volume=0.2)], None),
        (
            {"exposure_symbol": 3.3},
            [position(volume=0.21)],
            Deny("EXPOSURE_LIMIT", "would=3.41 limit=3.3 of=EURUSD"),
        ),
        (
            {"exposure": 100.0},
            [position("XAUUSD")],
            Deny("EXPOSURE_UNKNOWN", "value of a lot of XAUUSD"),
        ),
        ({"exposure_symbol": 100.0}, [position("XAUUSD")], None),
    ],
)
@pytest.mark.parametrize("kind", ["positions", "orders", "unresolved"])
def test_what_is_open_pending_or_lost_counts(
    kind: str, settings: Any, positions: list[Position], denied: Deny | None
) -> None:
    """All three alike: each of them may be open the next moment."""
    makes: dict[str, Any] = {
        "positions": position,
        "orders": pending,
        "unresolved": lost,
    }
    present: Any = [makes[kind](p.symbol, p.volume, p.magic) for p in positions]

    answer = check_order(
        guard(**settings),
        entry(),
        tick=Tick("EURUSD", START, 1.1, 1.1),
        positions=present if kind == "positions" else (),
        orders=present if kind == "orders" else (),
        unresolved=present if kind == "unresolved" else (),
    )

    assert denied == answer


def test_a_lost_order_that_closes_is_no_exposure() -> None:
    """Nor one that moves a stop."""
    unresolved = [lost(action=Action.CLOSE), lost(action=Action.PROTECT)]

    assert check_order(guard(positions=1), entry(), unresolved=unresolved) is None


def test_the_value_of_a_lot_is_remembered_by_symbol_and_over_a_restart() -> None:
    """Gold that is held counts when the euro is bought, in the next process too."""
    state = MemoryState()
    gold = Tick("XAUUSD", START, 2000.0, 2000.0)
    first = guard(state, exposure=30.0)
    check_order(first, entry("XAUUSD"), symbol=make_symbol("XAUUSD"), tick=gold)

    denied = check_order(
        guard(state, exposure=30.0),
        entry(),
        positions=[position("XAUUSD", 1.5)],
        tick=Tick("EURUSD", START, 1.1, 1.1),
    )

    assert Deny("EXPOSURE_LIMIT", "would=31.10 limit=30 of=account") == denied


@pytest.mark.parametrize("equity", [0.0, -5.0, float("nan")])
def test_without_equity_any_exposure_is_too_much(equity: float) -> None:
    """A multiple of nothing is no permission."""
    denied = check_order(
        guard(exposure=30.0), entry(), account=make_account(equity=equity)
    )

    assert denied is not None
    assert "EXPOSURE_LIMIT" == denied.code


def test_a_runaway_bot_meets_the_defaults() -> None:
    """Nobody has to configure anything to be safe from it."""
    limits = make_plugin(Limits)
    many = [position(magic=1)] * 50

    assert LimitsSettings() == limits.settings
    assert "POSITION_LIMIT" == getattr(
        check_order(limits, entry(), positions=many), "code", None
    )
    for _ in range(30):
        limits.on_order_sent(lost(), START)
    assert "ORDER_RATE" == getattr(
        check_order(limits, entry(), now=START), "code", None
    )


def test_it_hears_of_orders_through_the_host(
    hook_arguments: dict[str, dict[str, Any]],
) -> None:
    """As the runner calls it."""
    host = PluginHost()
    host.attach("limits", guard(orders_per_minute=1), BUILT_IN)
    host.on_order_sent(**hook_arguments["on_order_sent"])

    [denial] = host.check_order(**hook_arguments["check_order"])

    assert "ORDER_RATE" == denial.deny.code
