"""Closes, cancels and protects what commands and guards demand, until it is done."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence

import attrs

from runner.core.orders import Demand, PendingOrder, Position
from runner.core.risk import COMMAND
from runner.link import Link
from runner.loop.desk import OrderDesk
from runner.loop.roster import Roster
from runner.loop.view import View
from runner.ports import Clock
from runner.wire.acks import CommandAck, CommandState
from runner.wire.commands import Command, CommandAction

_CLOSES = {CommandAction.FLATTEN, CommandAction.EMERGENCY_STOP}
_RETRY = 5.0  # seconds between two tries of the same step
_CYCLE_WITHIN = 10.0  # seconds of closing after which the loop does its other work
_HALF_POINT = 0.5


class _Kind(enum.IntEnum):
    CANCEL = 0  # first: what is pending could open while positions are closed
    CLOSE = 1
    PROTECT = 2


@attrs.frozen(slots=True)
class _Step:
    kind: _Kind
    ticket: int
    source: str
    price: float = 0.0


class Flattener:
    """Carries out risk exits; no pause and no guard stands in their way.

    What is demanded is level-triggered: each cycle looks at what is still there. So a
    closed market, a refusal, a part that was closed or a restart only make it longer.

    Args:
        view: Readings of the account.
        desk: Sends the orders.
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
        self._next_tries: dict[tuple[_Kind, int], float] = {}
        self.command: Command | None = None

    @property
    def is_closing(self) -> bool:
        """Whether a command is in force that is not carried out wholly yet."""
        return (
            self.command is not None
            and self.command.action in _CLOSES
            and self._told != (self.command.seq, CommandState.DONE)
        )

    def obey(self, command: Command) -> None:
        """Take a command; it is already on disk."""
        self.command = command
        self._told = None
        self._next_tries.clear()
        if command.action not in _CLOSES:
            self._tell(CommandState.DONE)

    def work(self, demands: Mapping[str, Sequence[Demand]]) -> None:
        """Do what is due; called once a cycle.

        Args:
            demands: What guards demand, by guard.
        """
        self._acknowledge()
        if self._view.positions is None:
            return
        steps = sorted(dict.fromkeys(self._steps(demands)), key=self._turn)
        wanted = {(step.kind, step.ticket) for step in steps}
        self._next_tries = {
            key: due for key, due in self._next_tries.items() if key in wanted
        }
        began = self._clock.monotonic()
        for step in steps:
            # A broker may take seconds for each, and the heartbeat must not wait.
            now = self._clock.monotonic()
            if now >= began + _CYCLE_WITHIN:
                return
            key = step.kind, step.ticket
            if now >= self._next_tries.get(key, now):
                self._next_tries[key] = now + _RETRY
                self._do(step)

    def _turn(self, step: _Step) -> tuple[float, _Kind]:
        # What was never tried comes first, and then what was tried longest ago: steps
        # that are refused slowly must not take every cycle for themselves.
        return self._next_tries.get((step.kind, step.ticket), 0.0), step.kind

    def own_positions(self) -> list[Position]:
        """Return the open positions that any strategy of this account opened."""
        return [
            position
            for position in self._view.positions or ()
            if position.magic in self._roster.magics
        ]

    def own_orders(self) -> list[PendingOrder]:
        """Return the pending orders that any strategy of this account placed."""
        return [
            order
            for order in self._view.orders or ()
            if order.magic in self._roster.magics
        ]

    def _steps(self, demands: Mapping[str, Sequence[Demand]]) -> Iterator[_Step]:
        command = self.command
        if command is not None and command.action in _CLOSES:
            source = command.action.value
            for order in self.own_orders():
                yield _Step(_Kind.CANCEL, order.ticket, source)
            for position in self.own_positions():
                yield _Step(_Kind.CLOSE, position.ticket, source)
        for source, several in demands.items():
            for demand in several:
                for ticket in demand.cancel:
                    yield _Step(_Kind.CANCEL, ticket, source)
                for ticket in demand.close:
                    yield _Step(_Kind.CLOSE, ticket, source)
                for ticket, price in demand.protect.items():
                    yield _Step(_Kind.PROTECT, ticket, source, price)

    def _do(self, step: _Step) -> None:
        """Do *step* if what it is about is still there."""
        if step.kind is _Kind.CANCEL:
            for order in self._view.orders or ():
                if order.ticket == step.ticket:
                    self._desk.cancel(order, strategy=step.source)
            return
        for position in self._view.positions or ():
            if position.ticket != step.ticket:
                continue
            if step.kind is _Kind.CLOSE:
                self._desk.close(position, strategy=step.source)
            elif not self._stands(position, step.price):
                self._desk.protect(position, strategy=step.source, stop_loss=step.price)

    def _stands(self, position: Position, price: float) -> bool:
        try:
            point = self._view.spec(position.symbol).point
        except LookupError:
            return False
        return abs(position.stop_loss - price) < point * _HALF_POINT

    def _acknowledge(self) -> None:
        command = self.command
        if command is None or command.action not in _CLOSES:
            return
        is_left = self.own_positions() or self.own_orders() or self._desk.unresolved
        if not self._view.is_current and not is_left and not self.is_closing:
            return  # it was done, and nothing is seen that would say otherwise
        # Unknown is not flat.
        is_done = self._view.is_current and not is_left
        self._tell(CommandState.DONE if is_done else CommandState.EXECUTING)

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
                    len(self.own_positions()) if self._view.is_current else None
                ),
                open_orders=len(self.own_orders()) + len(self._desk.unresolved),
                errors=(),
                at=self._clock.now(),
            )
        )


def sources(
    demands: Mapping[str, Sequence[Demand]], *, is_closing: bool
) -> frozenset[str]:
    """Return who has something closed or cancelled now.

    Args:
        demands: What guards demand, by guard.
        is_closing: Whether a command does.
    """
    found = {
        source
        for source, several in demands.items()
        if any(demand.close or demand.cancel for demand in several)
    }
    return frozenset(found | {COMMAND} if is_closing else found)
