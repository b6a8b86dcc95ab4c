"""What may happen to a loop, step by step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runner import Outcome
from runner.link import LeaseChanged, ServerSeen


def next_number(world: Any) -> int:
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
            next_number(world), name="Restless", bot_status=member.config.bot_status
        )
    world.loop.start()


STEPS: dict[str, Callable[[Any], None]] = {
    "server pauses": lambda w: w.server(bot_status="PAUSED"),
    "server resumes": lambda w: w.server(bot_status="ACTIVE", dd_blocked=False),
    "server blocks": lambda w: w.server(dd_blocked=True),
    "server silent": lambda w: w.link.events.append(
        ServerSeen(heartbeat=None, at=w.clock.now())
    ),
    "config pauses": lambda w: w.trade(next_number(w), bot_status="PAUSED"),
    "config resumes": lambda w: w.trade(next_number(w)),
    "config chooses none": lambda w: w.trade(next_number(w), active_bot_id=None),
    "config chooses other": lambda w: w.trade(next_number(w), active_bot_id=2),
    "strategy pauses": lambda w: w.strategy(
        next_number(w), name="Restless", bot_status="PAUSED"
    ),
    "strategy resumes": lambda w: w.strategy(next_number(w), name="Restless"),
    "other strategy comes": lambda w: w.strategy(
        next_number(w), name="Restless", number=2
    ),
    "RUN": lambda w: w.command("RUN", next_number(w)),
    "PAUSE": lambda w: w.command("PAUSE", next_number(w)),
    "FLATTEN": lambda w: w.command("FLATTEN", next_number(w)),
    "EMERGENCY_STOP": lambda w: w.command("EMERGENCY_STOP", next_number(w)),
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
