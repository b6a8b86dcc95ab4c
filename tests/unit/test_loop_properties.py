"""Whatever comes, in whatever order: exposure does not rise while a reason holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import loop_steps
from hypothesis import example, given, settings
from hypothesis import strategies as st
from loop_steps import next_number

from runner import (
    Deal,
    Demand,
    Deny,
    ExitReason,
    Outcome,
    PendingKind,
    PendingOrder,
    Side,
    hookimpl,
)
from runner.core.trading_state import TradingState

_FIVE_CYCLES = 5
_LOSS = -1.0  # account currency


class Moods:
    """A guard that denies, latches and demands as the steps say."""

    def __init__(self) -> None:
        self.is_news = self.is_latched = self.is_broken = False
        self.closes = self.cancels = False

    @hookimpl
    def check_symbol(self) -> Deny | None:
        return Deny("NEWS_WINDOW") if self.is_news else None

    @hookimpl
    def check_trading(self) -> Deny | None:
        if self.is_broken:
            raise ValueError("broken")
        return Deny("MOOD", "", TradingState.LATCHED) if self.is_latched else None

    @hookimpl
    def demand_exits(self, positions: Any, orders: Any, magics: Any) -> Any:
        if self.is_broken:
            raise ValueError("broken")
        own = [one.ticket for one in positions if one.magic in magics]
        pending = [one.ticket for one in orders if one.magic in magics]
        return Demand(
            code="MOOD",
            close=tuple(own) if self.closes else (),
            cancel=tuple(pending) if self.cancels else (),
        )


def _mood(**changes: bool) -> Callable[[Any], None]:
    def change(world: Any) -> None:
        for name, value in changes.items():
            setattr(world.plugins["moods"], name, value)

    return change


def _pending(magic: int) -> Callable[[Any], None]:
    """Return a step after which a pending order stands; it is never filled."""

    def place(world: Any) -> None:
        ticket = 50_000 + len(world.terminal.pending) + len(world.terminal.sent)
        world.terminal.pending[ticket] = PendingOrder(
            ticket=ticket,
            symbol="EURUSD",
            side=Side.BUY,
            kind=PendingKind.LIMIT,
            volume=0.1,
            price=1.0,
            placed_at=world.clock.now(),
            magic=magic or world.magic,
        )

    return place


def _stopped_out(world: Any) -> None:
    """A position meets its stop at the broker, and its deal shows."""
    for position in list(world.terminal.open.values())[:1]:
        del world.terminal.open[position.ticket]
        world.terminal.history_deals.append(
            Deal(
                ticket=90_000 + len(world.terminal.history_deals),
                position_id=position.ticket,
                symbol=position.symbol,
                side=Side.SELL,
                is_entry=False,
                volume=position.volume,
                price=1.0,
                time=world.terminal.time,
                profit=_LOSS,
                magic=position.magic,
                exit_reason=ExitReason.STOP_LOSS,
            )
        )
        balance = world.terminal.account_now.balance + _LOSS
        world.terminal.account_now = attrs.evolve(
            world.terminal.account_now, balance=balance, equity=balance
        )


def _deposit(world: Any) -> None:
    """Money comes before its deal shows."""
    balance = world.terminal.account_now.balance + 100.0
    world.terminal.account_now = attrs.evolve(
        world.terminal.account_now, balance=balance, equity=balance
    )


def _trading(*, is_allowed: bool) -> Callable[[Any], None]:
    def switch(world: Any) -> None:
        account = world.terminal.account_now
        world.terminal.account_now = attrs.evolve(account, trade_allowed=is_allowed)

    return switch


def _lots(world: Any) -> float:
    """Return what is open or pending and was not there without the runner."""
    own = {world.magic, *world.roster.magics}
    present = [*world.terminal.open.values(), *world.terminal.pending.values()]
    return float(round(sum(one.volume for one in present if one.magic in own), 6))


STEPS: dict[str, Callable[[Any], None]] = {
    **loop_steps.STEPS,
    "news begins": _mood(is_news=True),
    "news is over": _mood(is_news=False),
    "guard latches": _mood(is_latched=True),
    "guard lets go": _mood(is_latched=False),
    "guard breaks": _mood(is_broken=True),
    "guard is mended": _mood(is_broken=False),
    "guard demands closing": _mood(closes=True),
    "guard demands cancelling": _mood(cancels=True),
    "guard demands nothing": _mood(closes=False, cancels=False),
    "own order pends": _pending(0),
    "a person's order pends": _pending(7777),
    "a stop is met": _stopped_out,
    "money comes": _deposit,
    "trading is switched off": _trading(is_allowed=False),
    "trading is switched on": _trading(is_allowed=True),
    "memory is short": lambda w: setattr(w, "held", 1 << 40),
    "memory is free": lambda w: setattr(w, "held", 0),
}


def _begin(make_world: Any) -> Any:
    world = make_world()
    world.held = 0
    world.plugins["moods"] = Moods()
    world.resident = lambda: world.held
    # So much that nothing is ever far over it: the process would end.
    limit = 1 << 20
    made = world.make
    world.make = lambda: made(memory_limit_mb=limit)
    world.make()
    world.begin(name="Restless")
    return world


@settings(max_examples=250, deadline=None)
@given(
    steps=st.lists(st.sampled_from(sorted(STEPS)), max_size=40),
    action=st.sampled_from(["FLATTEN", "EMERGENCY_STOP"]),
)
@example(steps=["fills hidden", "a stop is met"], action="FLATTEN")
def test_no_sequence_opens_while_a_reason_holds_and_every_flatten_ends_flat(
    make_world, steps, action
):
    """Bars close all the time, and the strategy wants to enter on each of them."""
    world = _begin(make_world)
    for step in [*steps, "bar"]:
        STEPS[step](world)
        world.terminal.close_bar("EURUSD")
        before, lots = len(world.opened), _lots(world)
        world.cycle()
        if world.loop.gate.reasons:
            assert TradingState.ACTIVE is not world.loop.gate.state
        if world.loop.gate.reasons or world.plugins["moods"].is_news:
            assert before == len(world.opened), world.loop.gate.reasons
            assert lots >= _lots(world)

    world.terminal.is_readable = world.terminal.shows = True
    world.terminal.unreadable.clear()
    world.terminal.answer = Outcome.FILLED
    STEPS["trading is switched on"](world)
    world.command(action, next_number(world))
    opened = len(world.opened)
    for _ in range(45):
        world.bar()

    assert 0 == _lots(world)
    assert {7777} >= {one.magic for one in world.terminal.pending.values()}
    assert opened == len(world.opened)
    assert "done" == world.link.acks[-1].state.value


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.sampled_from(sorted(STEPS)), max_size=25))
def test_what_a_latched_guard_demands_ends_flat_from_every_state(make_world, steps):
    """Without any command, over broken answers and restarts; and it stays flat."""
    world = _begin(make_world)
    for step in steps:
        STEPS[step](world)
        world.bar()
    world.terminal.is_readable = world.terminal.shows = True
    world.terminal.unreadable.clear()
    world.terminal.answer = Outcome.FILLED
    STEPS["trading is switched on"](world)
    _mood(is_broken=False, is_latched=True, closes=True, cancels=True)(world)
    world.trade(next_number(world))  # guards are asked once there is a config
    world.bar()
    opened = len(world.opened)
    for _ in range(45):
        world.bar()

    assert 0 == _lots(world)
    assert opened == len(world.opened)
    assert "MOOD" in {reason.code for reason in world.loop.gate.reasons}


@settings(max_examples=60)
@given(
    lost=st.lists(st.sampled_from(["filled", "lost", "swallowed"]), max_size=6),
    hidden=st.booleans(),
)
def test_a_strategy_that_enters_when_flat_never_holds_two(make_world, lost, hidden):
    """Lost answers, hidden fills: one intent is at most one position."""
    world = make_world()
    world.begin()
    for answer in lost:
        filled = answer == "filled"
        world.terminal.answer = Outcome.FILLED if filled else Outcome.UNKNOWN
        # A terminal may be late to show a fill; what it showed it does not hide.
        world.terminal.shows = not hidden or bool(world.terminal.open)
        before = len(world.opened)
        world.bar()
        world.terminal.shows = True
        if answer == "lost" and len(world.opened) > before:
            request = world.opened[-1]
            world.terminal.add("EURUSD", world.magic, 500 + before, request.token)
        world.cycle(_FIVE_CYCLES)
        assert 1 >= len(world.terminal.open)
