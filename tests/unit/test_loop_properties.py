"""Whatever comes, in whatever order: exposure does not rise while a reason holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from runner import Outcome
from runner.core.trading_state import TradingState
from runner.link import LeaseChanged, ServerSeen

_FIVE_CYCLES = 5


def _next(world: Any) -> int:
    world.number = getattr(world, "number", 1) + 1
    return int(world.number)


def _restart(world: Any) -> None:
    # What the link has on disk, it tells first: the command and the heartbeat.
    gate, flattener = world.loop.gate, world.loop.flattener
    trade, member = world.configs.trade, world.roster.members.get(1)
    world.make()
    if gate.server is not None:
        world.link.events.append(
            ServerSeen(heartbeat=gate.server, at=world.clock.now())
        )
    if flattener.command is not None:
        world.command(flattener.command.action.value, flattener.command.seq)
    if trade is not None:
        world.trade(trade.version, bot_status=trade.bot_status)
    if member is not None:
        world.strategy(
            _next(world), name="Restless", bot_status=member.config.bot_status
        )
    world.loop.start()


STEPS: dict[str, Callable[[Any], None]] = {
    "server pauses": lambda w: w.server(bot_status="PAUSED"),
    "server resumes": lambda w: w.server(bot_status="ACTIVE", dd_blocked=False),
    "server blocks": lambda w: w.server(dd_blocked=True),
    "server silent": lambda w: w.link.events.append(
        ServerSeen(heartbeat=None, at=w.clock.now())
    ),
    "config pauses": lambda w: w.trade(_next(w), bot_status="PAUSED"),
    "config resumes": lambda w: w.trade(_next(w)),
    "config chooses none": lambda w: w.trade(_next(w), active_bot_id=None),
    "config chooses other": lambda w: w.trade(_next(w), active_bot_id=2),
    "strategy pauses": lambda w: w.strategy(
        _next(w), name="Restless", bot_status="PAUSED"
    ),
    "strategy resumes": lambda w: w.strategy(_next(w), name="Restless"),
    "other strategy comes": lambda w: w.strategy(_next(w), name="Restless", number=2),
    "RUN": lambda w: w.command("RUN", _next(w)),
    "PAUSE": lambda w: w.command("PAUSE", _next(w)),
    "FLATTEN": lambda w: w.command("FLATTEN", _next(w)),
    "EMERGENCY_STOP": lambda w: w.command("EMERGENCY_STOP", _next(w)),
    "lease lost": lambda w: w.link.events.append(LeaseChanged(held=False)),
    "lease won": lambda w: w.link.events.append(LeaseChanged(held=True, epoch=2)),
    "account unreadable": lambda w: setattr(w.terminal, "is_readable", False),
    "account readable": lambda w: setattr(w.terminal, "is_readable", True),
    "quotes unreadable": lambda w: w.terminal.unreadable.add("EURUSD"),
    "quotes readable": lambda w: w.terminal.unreadable.clear(),
    "answers lost": lambda w: setattr(w.terminal, "answer", Outcome.UNKNOWN),
    "answers refuse": lambda w: setattr(w.terminal, "answer", Outcome.REJECTED),
    "answers come": lambda w: setattr(w.terminal, "answer", Outcome.FILLED),
    "fills hidden": lambda w: setattr(w.terminal, "shows", False),
    "fills shown": lambda w: setattr(w.terminal, "shows", True),
    "disk full": lambda w: setattr(w.store, "is_writable", False),
    "disk free": lambda w: setattr(w.store, "is_writable", True),
    "bar": lambda w: w.terminal.close_bar("EURUSD"),
    "tick": lambda w: w.terminal.quote("EURUSD", 1.2),
    "restart": _restart,
}


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
    world.command("FLATTEN", _next(world))
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
