"""What a start does with what an earlier start left open, decided over values."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from runner import Action, OrderRequest, PendingKind, PendingOrder, Position, Side
from runner.core.identity import colliding, magic_number
from runner.core.restart import (
    RestartPolicy,
    Standing,
    Step,
    decide,
    foreign,
    holdings,
)

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
ADOPT, FLATTEN, REFUSE = RestartPolicy


def position(ticket: int = 1, magic: int = 7, symbol: str = "EURUSD") -> Position:
    """Make a long position."""
    return Position(
        ticket=ticket,
        symbol=symbol,
        side=Side.BUY,
        volume=0.1,
        opened_at=NOW,
        open_price=1.1,
        magic=magic,
    )


def pending(ticket: int = 2, magic: int = 7, symbol: str = "XAUUSD") -> PendingOrder:
    """Make a buy stop."""
    return PendingOrder(
        ticket=ticket,
        symbol=symbol,
        side=Side.BUY,
        kind=PendingKind.STOP,
        volume=0.2,
        price=1.2,
        placed_at=NOW,
        magic=magic,
    )


SOMETHING = [
    Standing(positions=(position(),)),
    Standing(orders=(pending(),)),
    Standing(positions=(position(),), unresolved=1),
]
NOTHING = Standing()


@pytest.mark.parametrize("standing", SOMETHING)
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    ("policy", "step"),
    [(ADOPT, Step.GO_ON), (FLATTEN, Step.CLOSE), (REFUSE, Step.STOP)],
)
def test_what_is_open_is_adopted_closed_or_a_reason_to_stop(
    policy: RestartPolicy, step: Step, standing: Standing, known: bool
) -> None:
    """Something of ours that is open decides, whatever is not known yet."""
    assert step is decide(policy, standing, are_magics_known=known)


@pytest.mark.parametrize("policy", [FLATTEN, REFUSE])
@pytest.mark.parametrize(
    ("standing", "known", "step"),
    [
        (NOTHING, True, Step.GO_ON),
        (NOTHING, False, Step.WAIT),
        (Standing(unresolved=1), True, Step.WAIT),
        (None, True, Step.WAIT),
    ],
)
def test_only_certainly_nothing_lets_a_cautious_start_go_on(
    policy: RestartPolicy, standing: Standing | None, known: bool, step: Step
) -> None:
    """Unread, unresolved, or of unknown ownership is not nothing."""
    assert step is decide(policy, standing, are_magics_known=known)


def test_what_stands_is_said_for_a_person() -> None:
    """Each position and order has its ticket, and nothing has a word of its own."""
    standing = Standing(positions=(position(),), orders=(pending(),), unresolved=1)

    assert (
        "position 1 buy 0.1 EURUSD, pending order 2 buy 0.2 XAUUSD, "
        "1 order(s) of unknown outcome" == str(standing)
    )
    assert "nothing" == str(NOTHING)


def test_holders_are_found_by_magic_in_all_three_places() -> None:
    """A position, a pending order and an order of unknown outcome each count."""
    lost = OrderRequest(
        token="T",
        magic=9,
        symbol="GBPUSD",
        action=Action.OPEN,
        side=Side.BUY,
        volume=0.1,
    )

    held = holdings(
        [position(), position(ticket=3), position(ticket=4, magic=0)],
        [pending()],
        [lost],
        {7: 1, 9: 2},
    )

    assert {1: ("EURUSD", "XAUUSD"), 2: ("GBPUSD",)} == held


def test_a_position_of_no_strategy_is_foreign() -> None:
    """Manual positions and those of other programs have other numbers."""
    manual, other = position(ticket=4, magic=0), position(ticket=5, magic=8)

    assert [manual, other] == foreign([position(), manual, other], {7})


def test_two_strategies_with_one_number_collide() -> None:
    """A strategy never collides with itself, and does with whoever came before."""
    by_magic: dict[int, int] = {}
    pair = next(
        (by_magic[magic], strategy_id)
        for strategy_id in range(1, 1_000_000)
        if by_magic.setdefault(magic := magic_number("7", strategy_id), strategy_id)
        != strategy_id
    )

    first, second = pair
    magic = magic_number("7", first)
    assert magic == magic_number("7", second)
    assert first == colliding({magic: first}, magic, second)
    assert colliding({magic: first}, magic, first) is None
    assert colliding({}, magic, first) is None
