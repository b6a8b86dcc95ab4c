"""Which command the bot obeys: a desired state per level, never a queue.

========================= =====================================================
seen                      what follows
========================= =====================================================
a higher ``seq``          Persist, then Receive, then Act if what is obeyed
                          changes
the same or a lower one   nothing
nothing                   nothing: a vanished command goes on being obeyed
========================= =====================================================

A command is written to disk before it is acted on, so a stopped bot restarts stopped.
Source: protocol, section 3 (``bot:command:*``).
"""

from __future__ import annotations

import attrs

from runner.wire.commands import Command, effective, newest


@attrs.frozen(kw_only=True)
class CommandFlow:
    """The newest command of each level; None where there never was one.

    Attributes:
        account: For this account.
        fleet: For every account.
    """

    account: Command | None = None
    fleet: Command | None = None

    @property
    def obeyed(self) -> Command | None:
        """The stricter of the two."""
        return effective(self.account, self.fleet)


@attrs.frozen
class Persist:
    """Write the flow to disk; what comes after must not happen before."""

    flow: CommandFlow


@attrs.frozen
class Receive:
    """Acknowledge that a command has come."""

    command: Command


@attrs.frozen
class Act:
    """Obey."""

    command: Command


Output = Persist | Receive | Act


def step(
    flow: CommandFlow, account: Command | None, fleet: Command | None
) -> tuple[CommandFlow, tuple[Output, ...]]:
    """Take what was seen and return what follows, in order.

    Args:
        flow: What is known.
        account: The account's command; None for no information.
        fleet: The fleet's command; None for no information.
    """
    after = CommandFlow(
        account=newest(flow.account, account), fleet=newest(flow.fleet, fleet)
    )
    if after == flow:
        return flow, ()
    outputs: list[Output] = [Persist(after)]
    for before, now in ((flow.account, after.account), (flow.fleet, after.fleet)):
        if now is not None and now != before:
            outputs.append(Receive(now))
    obeyed = after.obeyed
    if obeyed is not None and obeyed != flow.obeyed:
        outputs.append(Act(obeyed))
    return after, tuple(outputs)
