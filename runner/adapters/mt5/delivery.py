"""Hands a trade request to the terminal: the one place where orders leave."""

from __future__ import annotations

from typing import Any

from runner.adapters.mt5.retcodes import NOT_SENT
from runner.adapters.mt5.session import Session
from runner.adapters.mt5.structs import OrderSendResult
from runner.adapters.mt5.terminal import Terminal
from runner.core.orders import OrderRequest, OrderResult, Outcome


class Delivery:
    """Sends trade requests, and says what it means when no answer comes.

    Args:
        terminal: The MetaTrader5 module or its twin.
        session: The connection.
    """

    def __init__(self, terminal: Terminal, session: Session) -> None:
        self._terminal = terminal
        self._session = session

    def send(self, request: dict[str, Any]) -> OrderSendResult | None:
        """Send the fields of a trade request; None if no answer came."""
        # One positional dict and no keywords, written out: an empty mapping of
        # keywords, as generic wrappers pass it, makes the real module refuse.
        return self._terminal.order_send(request)

    def unanswered(self, request: OrderRequest) -> OrderResult:
        """Return what follows for *request* when no answer came, called at once."""
        code, text = self._terminal.last_error()
        problem = self._session.failure("order_send", code, text)
        meaning = NOT_SENT.get(code)
        if meaning is not None:
            return told(request, Outcome.NOT_SENT, f"{problem}: {meaning}")
        return told(
            request,
            Outcome.UNKNOWN,
            f"{problem}: the reply is lost, the order may be executed",
        )


def told(
    request: OrderRequest, outcome: Outcome, message: str, retcode: int = 0
) -> OrderResult:
    """Return the result of a request with which nothing was executed that is known.

    Args:
        request: What was asked for.
        outcome: What became of it.
        message: For a person.
        retcode: The terminal's; 0 for none.
    """
    return OrderResult(
        token=request.token,
        outcome=outcome,
        retcode=retcode,
        message=message,
        ticket=request.ticket or 0,
    )
