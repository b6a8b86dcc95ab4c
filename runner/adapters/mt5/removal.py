"""Removes pending orders, and finds out what became of one.

An order that is gone may have been cancelled, or filled a moment before: the history
of orders tells which.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from runner.adapters.mt5 import terminal as mt5
from runner.adapters.mt5.attempt import Budget
from runner.adapters.mt5.retcodes import Reaction, rule_for
from runner.adapters.mt5.session import Session
from runner.adapters.mt5.structs import OrderSendResult
from runner.adapters.mt5.terminal import Terminal
from runner.core.orders import OrderRequest, OrderResult, Outcome
from runner.ports import Clock, UnavailableError

_WITHOUT_POSITION = {
    mt5.ORDER_STATE_CANCELED: "cancelled",
    mt5.ORDER_STATE_REJECTED: "rejected",
    mt5.ORDER_STATE_EXPIRED: "expired",
}
_PAUSES = (0.02, 0.08, 0.2, 0.3)
"""Seconds between readings while a removal does not show yet."""

Deliver = Callable[[dict[str, Any]], OrderSendResult | None]


class Removal:
    """Removes pending orders.

    Args:
        terminal: The MetaTrader5 module or its twin.
        session: The connection.
        clock: For the pauses between readings.
    """

    def __init__(self, terminal: Terminal, session: Session, clock: Clock) -> None:
        self._terminal = terminal
        self._session = session
        self._clock = clock

    def send(
        self,
        request: OrderRequest,
        deliver: Deliver,
        unanswered: Callable[[OrderRequest], OrderResult],
    ) -> OrderResult:
        """Remove the order that *request* names; every failure is a result.

        Args:
            request: A CANCEL.
            deliver: Sends the fields of a trade request.
            unanswered: Says what follows when no answer came.
        """
        try:
            present = self.find(request)
        except UnavailableError as error:
            return _result(request, Outcome.NOT_SENT, str(error))
        if present is not None:
            return present  # gone already
        order = request.ticket or 0
        answer = deliver({"action": mt5.TRADE_ACTION_REMOVE, "order": order})
        if answer is None:
            return unanswered(request)
        rule = rule_for(answer.retcode)
        found = self._await(request)
        if found is not None:
            return attrs.evolve(found, retcode=answer.retcode)
        message = f"{answer.comment} ({rule.name}): {rule.meaning}"
        unclear = rule.reaction in {Reaction.READ_BACK, Reaction.LOOK_UP}
        outcome = Outcome.UNKNOWN if unclear else Outcome.REJECTED
        return attrs.evolve(_result(request, outcome, message), retcode=answer.retcode)

    def find(self, request: OrderRequest) -> OrderResult | None:
        """Return what became of the order that *request* removes; None if it waits.

        Returns:
            FILLED if it is gone without a position; REJECTED if it was filled before
            it could be removed.

        Raises:
            UnavailableError: If that cannot be told now.
        """
        ticket = request.ticket or 0
        working = self._session.answer(
            "orders_get", self._terminal.orders_get(ticket=ticket)
        )
        if working:
            return None
        done = self._session.answer(
            "history_orders_get", self._terminal.history_orders_get(ticket=ticket)
        )
        if not done:
            raise UnavailableError(
                f"order {ticket} is gone, but its history is not there yet"
            )
        how = _WITHOUT_POSITION.get(done[-1].state)
        if how is None:
            return _result(
                request, Outcome.REJECTED, "it was filled before it could be removed"
            )
        return _result(request, Outcome.FILLED, how)

    def _await(self, request: OrderRequest) -> OrderResult | None:
        budget = Budget.begin(self._clock)
        for pause in (0.0, *_PAUSES):
            if pause and not budget.wait(pause):
                break
            try:
                found = self.find(request)
            except UnavailableError:
                continue
            if found is not None:
                return found
        return None


def _result(request: OrderRequest, outcome: Outcome, message: str) -> OrderResult:
    return OrderResult(
        token=request.token,
        outcome=outcome,
        message=message,
        ticket=request.ticket or 0,
    )
