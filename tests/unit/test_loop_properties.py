"""Whatever comes, in whatever order: exposure does not rise while a reason holds."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from loop_steps import STEPS, next_number

from runner import Outcome
from runner.core.trading_state import TradingState

_FIVE_CYCLES = 5


@settings(max_examples=150)
@given(steps=st.lists(st.sampled_from(sorted(STEPS)), max_size=40))
def test_no_sequence_opens_while_a_reason_holds_and_every_flatten_ends_flat(
    make_world, steps
):
    """Bars close all the time, and the strategy wants to enter on each of them."""
    world = make_world()
    world.begin(name="Restless")
    for step in [*steps, "bar"]:
        STEPS[step](world)
        world.terminal.close_bar("EURUSD")
        before = len(world.opened)
        world.cycle()
        if world.loop.gate.reasons:
            assert TradingState.ACTIVE is not world.loop.gate.state
            assert before == len(world.opened), world.loop.gate.reasons

    world.terminal.is_readable = world.terminal.shows = True
    world.terminal.unreadable.clear()
    world.terminal.answer = Outcome.FILLED
    world.command("FLATTEN", next_number(world))
    opened = len(world.opened)
    for _ in range(45):
        world.bar()

    assert {} == world.terminal.open
    assert opened == len(world.opened)
    assert "done" == world.link.acks[-1].state.value


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
