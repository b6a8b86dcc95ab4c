"""The life of one order, as a table: events in, commands out.

::

    stage      event       next stage   command
    APPROVED   Stored      RECORDED     Send
    RECORDED   Answered    DONE         Forget           (told: done, placed, or not)
    RECORDED   Answered    UNKNOWN      LookUp           (no trustworthy answer)
    RECORDED   Restarted   UNKNOWN      LookUp
    UNKNOWN    Found       DONE         Forget
    UNKNOWN    NoTrace     UNKNOWN      LookUp           (not yet sure)
    UNKNOWN    NoTrace     ABANDONED    Forget           (sure: `CERTAIN_AFTER`)
    UNKNOWN    Unreadable  UNKNOWN      LookUp           (and the search starts anew)

An order is on disk before it is sent, and nothing in this table sends twice.
"""

from __future__ import annotations

import enum
from datetime import datetime, timedelta

import attrs

from runner.core.orders import Action, OrderRequest, OrderResult, Outcome

CERTAIN_AFTER = timedelta(seconds=30)
"""How long an order must have left no trace before it is given up.

A broker may execute a request some seconds after the reply was lost.
"""
REMOVAL_CERTAIN_AFTER = timedelta(seconds=4)
"""The same for the removal of a pending order.

To remove it twice does no harm. Until it is removed it may be filled at any moment, in
a pause too.
"""


class Stage(enum.Enum):
    """Where an order stands."""

    APPROVED = "approved"
    RECORDED = "recorded"
    UNKNOWN = "unknown"
    DONE = "done"
    ABANDONED = "abandoned"


class Command(enum.Enum):
    """What the order desk has to do next."""

    STORE = "store"
    SEND = "send"
    LOOK_UP = "look up"
    FORGET = "forget"


@attrs.frozen(slots=True)
class Stored:
    """The order is on disk."""


@attrs.frozen(slots=True)
class Answered:
    """The broker's answer came, or its absence."""

    result: OrderResult
    at: datetime


@attrs.frozen(slots=True)
class Restarted:
    """The runner found the order on disk when it started."""

    at: datetime


@attrs.frozen(slots=True)
class Found:
    """The look-up found what became of the order."""

    result: OrderResult


@attrs.frozen(slots=True)
class NoTrace:
    """The look-up read everything and found nothing."""

    at: datetime


@attrs.frozen(slots=True)
class Unreadable:
    """The look-up could not read everything."""

    at: datetime


Event = Stored | Answered | Restarted | Found | NoTrace | Unreadable


class OutOfOrderError(Exception):
    """An event came that the order's stage does not know."""


@attrs.frozen(slots=True, kw_only=True)
class OrderFlow:
    """One order's stage.

    Attributes:
        request: What is to be sent, once.
        stage: Where it stands.
        searching_since: Start of the present search for a lost outcome, UTC-aware.
        result: What became of it, once known.
    """

    request: OrderRequest
    stage: Stage = Stage.APPROVED
    searching_since: datetime | None = None
    result: OrderResult | None = None

    def receive(self, event: Event) -> tuple[OrderFlow, Command]:
        """Return the next stage and what has to be done.

        Args:
            event: What happened.

        Returns:
            The flow's next value and the next command.

        Raises:
            OutOfOrderError: If the table knows no such step.
        """
        match self.stage, event:
            case Stage.APPROVED, Stored():
                return attrs.evolve(self, stage=Stage.RECORDED), Command.SEND
            case Stage.RECORDED, Answered(result, at):
                if result.outcome is Outcome.UNKNOWN:
                    return self._search(at), Command.LOOK_UP
                return self._end(result), Command.FORGET
            case Stage.RECORDED, Restarted(at):
                return self._search(at), Command.LOOK_UP
            case Stage.UNKNOWN, Found(result):
                return self._end(result), Command.FORGET
            case Stage.UNKNOWN, NoTrace(at):
                since = self.searching_since
                if since is not None and at - since >= self._certain_after:
                    return attrs.evolve(self, stage=Stage.ABANDONED), Command.FORGET
                return self, Command.LOOK_UP
            case Stage.UNKNOWN, Unreadable(at):
                # A search with a hole in it proves nothing, so the time starts anew.
                return self._search(at), Command.LOOK_UP
            case _:
                raise OutOfOrderError(f"{type(event).__name__} in stage {self.stage}")

    @property
    def _certain_after(self) -> timedelta:
        is_removal = self.request.action is Action.CANCEL
        return REMOVAL_CERTAIN_AFTER if is_removal else CERTAIN_AFTER

    def _search(self, at: datetime) -> OrderFlow:
        return attrs.evolve(self, stage=Stage.UNKNOWN, searching_since=at)

    def _end(self, result: OrderResult) -> OrderFlow:
        return attrs.evolve(self, stage=Stage.DONE, result=result)
