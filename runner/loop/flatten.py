"""Carries out FLATTEN and EMERGENCY_STOP until nothing is left."""

from __future__ import annotations

from runner.core.orders import Position
from runner.link import Link
from runner.loop.desk import OrderDesk
from runner.loop.roster import Roster
from runner.loop.view import View
from runner.ports import Clock
from runner.wire.acks import CommandAck, CommandState
from runner.wire.commands import Command, CommandAction

_CLOSES = {CommandAction.FLATTEN, CommandAction.EMERGENCY_STOP}
_RETRY = 5.0  # seconds between two tries to close what is left
_CYCLE_WITHIN = 10.0  # seconds of closing after which the loop does its other work


class Flattener:
    """Obeys the command in force; no pause and no guard stands in its way.

    Args:
        view: Readings of the account.
        desk: Sends the closing orders.
        roster: Knows which positions are the runner's own.
        link: Takes acknowledgements.
        clock: For the time between tries.
    """

    def __init__(
        self, *, view: View, desk: OrderDesk, roster: Roster, link: Link, clock: Clock
    ) -> None:
        self._view = view
        self._desk = desk
        self._roster = roster
        self._link = link
        self._clock = clock
        self._told: tuple[int, CommandState] | None = None
        self._next_try = 0.0
        self._round: list[int] = []
        self.command: Command | None = None

    def obey(self, command: Command) -> None:
        """Take a command; it is already on disk."""
        self.command = command
        self._told = None
        self._next_try, self._round = 0.0, []
        if command.action not in _CLOSES:
            self._tell(CommandState.DONE)

    def work(self) -> None:
        """Do the next step; called once a cycle."""
        command = self.command
        if command is None or command.action not in _CLOSES:
            return
        if self._view.positions is None:
            self._tell(CommandState.EXECUTING)
            return
        own = self.own_positions()
        if not own and not self._desk.unresolved:
            self._tell(CommandState.DONE)
            return
        self._tell(CommandState.EXECUTING)
        began = self._clock.monotonic()
        if not self._round and began >= self._next_try:
            self._next_try = began + _RETRY
            self._round = [position.ticket for position in own]
        # A broker may take seconds for each, and the heartbeat must not wait for all.
        while self._round and self._clock.monotonic() < began + _CYCLE_WITHIN:
            ticket = self._round.pop(0)
            for position in self.own_positions():
                if position.ticket == ticket:
                    self._desk.close(position, strategy=command.action.value)

    def own_positions(self) -> list[Position]:
        """Return the open positions that any strategy of this account opened."""
        return [
            position
            for position in self._view.positions or ()
            if position.magic in self._roster.magics
        ]

    def _tell(self, state: CommandState) -> None:
        if self.command is None or self._told == (self.command.seq, state):
            return
        self._told = (self.command.seq, state)
        self._link.acknowledge_command(
            CommandAck(
                seq=self.command.seq,
                state=state,
                # Unknown is not flat, so it is no evidence either.
                open_positions=(
                    None if self._view.positions is None else len(self.own_positions())
                ),
                open_orders=len(self._desk.unresolved),
                errors=(),
                at=self._clock.now(),
            )
        )
