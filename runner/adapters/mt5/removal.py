"""Removes pending orders, and finds out what became of one.

An order that is gone may have been cancelled, or filled a moment before: the history
of orders tells which.
"""

from __future__ import annotations

import attrs

from runner.adapters.mt5 import terminal as mt5
from runner.adapters.mt5.attempt import Budget, patiently
from runner.adapters.mt5.delivery import Delivery, told
from runner.adapters.mt5.retcodes import Reaction, rule_for
from runner.adapters.mt5.session import Session
from runner.adapters.mt5.terminal import Terminal
from runner.core.orders import OrderRequest, OrderResult, Outcome
from runner.ports import Clock, UnavailableError

_WITHOUT_POSITION = {
    mt5.ORDER_STATE_CANCELED: "cancelled",
    mt5.ORDER_STATE_REJECTED: "rejected",
    mt5.ORDER_STATE_EXPIRED: "expired",
}


class Removal:
    """Removes pending orders.

    Args:
        terminal: The MetaTrader5 module or its twin.
        session: The connection.
        delivery: Hands requests to the terminal.
        clock: For the pauses between readings.
    """

    def __init__(
        self, terminal: Terminal, session: Session, delivery: Delivery, clock: Clock
    ) -> None:
        self._terminal = terminal
        self._session = session
        self._delivery = delivery
        self._clock = clock

    def send(self, request: OrderRequest) -> OrderResult:
        """Remove the order that *request* names; every failure is a result.

        Args:
            request: A CANCEL.
        """
        try:
            present = self.find(request)
        except UnavailableError as error:
            return told(request, Outcome.NOT_SENT, str(error))
        if present is not None:
            return present  # gone already
        order = request.ticket or 0
        answer = self._delivery.send(
            {"action": mt5.TRADE_ACTION_REMOVE, "order": order}
        )
        if answer is None:
            return self._delivery.unanswered(request)
        rule = rule_for(answer.retcode)
        found = self._await(request)
        if found is not None:
            return attrs.evolve(found, retcode=answer.retcode)
        message = f"{answer.comment} ({rule.name}): {rule.meaning}"
        unclear = rule.reaction in {Reaction.READ_BACK, Reaction.LOOK_UP}
        outcome = Outcome.UNKNOWN if unclear else Outcome.REJECTED
        return told(request, outcome, message, answer.retcode)

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
            return told(
                request, Outcome.REJECTED, "it was filled before it could be removed"
            )
        return told(request, Outcome.FILLED, how)

    def _await(self, request: OrderRequest) -> OrderResult | None:
        for _ in patiently(Budget.begin(self._clock)):
            try:
                found = self.find(request)
            except UnavailableError:
                continue
            if found is not None:
                return found
        return None
