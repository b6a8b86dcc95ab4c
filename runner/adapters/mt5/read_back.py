"""What an accepted order really did, read back from positions and deals.

A success code promises acceptance only: numbers of deal and order, and the price, may
still be missing and come a moment later (MQL5 reference, `OrderSend`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import attrs

from runner.adapters.mt5 import terminal as mt5
from runner.adapters.mt5.attempt import Budget, patiently
from runner.adapters.mt5.readings import side_of
from runner.adapters.mt5.session import Session
from runner.adapters.mt5.structs import OrderSendResult, TradeDeal, TradePosition
from runner.adapters.mt5.terminal import Terminal
from runner.core.matching import Levels
from runner.core.orders import OrderRequest, OrderResult, Outcome
from runner.ports import UnavailableError

_T = TypeVar("_T")

_VOLUME_DECIMALS = 8
_PRICE_NOISE = 1e-9
_LOTS_NOISE = 1e-8
"""Less than any step of volume."""


class ReadBack:
    """Reads the results of accepted orders.

    Args:
        terminal: The MetaTrader5 module or its twin.
        session: The connection.
    """

    def __init__(self, terminal: Terminal, session: Session) -> None:
        self._terminal = terminal
        self._session = session

    def opened(
        self,
        request: OrderRequest,
        sent: Levels,
        answer: OrderSendResult,
        budget: Budget,
    ) -> tuple[OrderResult, TradePosition | None]:
        """Return what an accepted opening did, and the position if it is open.

        Args:
            request: What was asked for.
            sent: Stop and target of the request.
            answer: The terminal's answer.
            budget: For the pauses between readings.
        """
        result = OrderResult(
            token=request.token,
            outcome=Outcome.FILLED,
            retcode=answer.retcode,
            message=answer.comment,
            ticket=answer.order,
            volume=answer.volume,
            price=answer.price,
            stop_loss=sent.stop_loss,
            take_profit=sent.take_profit,
        )
        try:
            for _ in patiently(budget):
                deal = self._deal(answer)
                position = self._position(request, answer, deal)
                if position is not None:
                    return _with_position(result, position, answer, deal), position
                if deal is not None and self._leaves_nothing(deal):
                    return _without_position(result, deal), None
        except UnavailableError as error:
            return _unread(result, answer, error), None
        return _unseen(result, answer), None

    def closed(
        self,
        request: OrderRequest,
        before: TradePosition,
        answer: OrderSendResult,
        budget: Budget,
    ) -> OrderResult:
        """Return what an accepted close did.

        Args:
            request: What was asked for.
            before: The position as it was.
            answer: The terminal's answer.
            budget: For the pauses between readings.
        """
        result = OrderResult(
            token=request.token,
            outcome=Outcome.FILLED,
            retcode=answer.retcode,
            message=answer.comment,
            ticket=before.ticket,
            volume=answer.volume,
            price=answer.price,
        )

        def shrunk() -> float | None:
            rows = self._by_ticket(before.ticket)
            left = sum(row.volume for row in rows)
            return before.volume - left if left < before.volume else None

        try:
            volume = _until(budget, shrunk)
            deal = self._deal(answer)
        except UnavailableError as error:
            return _unread(result, answer, error)
        if deal is not None:
            return attrs.evolve(result, volume=deal.volume, price=deal.price)
        if volume is None:
            return _unseen(result, answer)
        return attrs.evolve(result, volume=round(volume, _VOLUME_DECIMALS))

    def protected(
        self,
        request: OrderRequest,
        sent: Levels,
        answer: OrderSendResult,
        ticket: int,
        budget: Budget,
    ) -> OrderResult:
        """Return which stop and target stand after an accepted change.

        Args:
            request: What was asked for.
            sent: Stop and target of the request.
            answer: The terminal's answer.
            ticket: The position's.
            budget: For the pauses between readings.
        """
        result = OrderResult(
            token=request.token,
            outcome=Outcome.FILLED,
            retcode=answer.retcode,
            message=answer.comment,
            ticket=ticket,
            stop_loss=sent.stop_loss,
            take_profit=sent.take_profit,
        )

        def changed() -> TradePosition | None:
            rows = self._by_ticket(ticket)
            if not rows:
                return None
            return rows[0] if _same(rows[0], sent) else None

        try:
            if _until(budget, changed) is not None:
                return result
            rows = self._by_ticket(ticket)
        except UnavailableError as error:
            return attrs.evolve(
                result, message=f"{answer.comment}; could not be read back: {error}"
            )
        if not rows:
            return attrs.evolve(result, message=f"{answer.comment}; closed meanwhile")
        return attrs.evolve(
            result,
            message=f"{answer.comment}; but the terminal shows other levels",
            stop_loss=rows[0].sl,
            take_profit=rows[0].tp,
        )

    def position(self, ticket: int) -> TradePosition | None:
        """Return an open position; None if there is none of that ticket."""
        rows = self._by_ticket(ticket)
        return rows[0] if rows else None

    def is_closed(self, identifier: int) -> bool:
        """Say whether history shows that a position was closed wholly.

        That it does not show among the open ones proves nothing: it may show later.
        """
        deals = self._session.answer(
            "history_deals_get", self._terminal.history_deals_get(position=identifier)
        )
        left = sum(
            deal.volume if deal.type == mt5.DEAL_TYPE_BUY else -deal.volume
            for deal in deals
        )
        return bool(deals) and abs(left) < _LOTS_NOISE

    def _leaves_nothing(self, deal: TradeDeal) -> bool:
        # It netted with an opposite position, or was stopped out again already.
        return deal.entry == mt5.DEAL_ENTRY_OUT or self.is_closed(deal.position_id)

    def _by_ticket(self, ticket: int) -> tuple[TradePosition, ...]:
        return self._session.answer(
            "positions_get", self._terminal.positions_get(ticket=ticket)
        )

    def _position(
        self,
        request: OrderRequest,
        answer: OrderSendResult,
        deal: TradeDeal | None,
    ) -> TradePosition | None:
        """Return the position that an opening made or added to."""
        # A hedging account's position has the number of the order that opened it.
        rows = self._by_ticket(answer.order) if answer.order else ()
        if not rows:
            rows = self._session.answer("positions_get", self._terminal.positions_get())
        for row in rows:
            is_ours = (
                row.ticket == answer.order
                or (deal is not None and row.identifier == deal.position_id)
                or (row.magic == request.magic and request.token in row.comment)
            )
            if is_ours and side_of(row) is request.side:
                return row
        return None

    def _deal(self, answer: OrderSendResult) -> TradeDeal | None:
        if not answer.deal:
            return None
        rows = self._session.answer(
            "history_deals_get", self._terminal.history_deals_get(ticket=answer.deal)
        )
        return rows[0] if rows else None


def _with_position(
    result: OrderResult,
    position: TradePosition,
    answer: OrderSendResult,
    deal: TradeDeal | None,
) -> OrderResult:
    result = attrs.evolve(
        result,
        ticket=position.ticket,
        stop_loss=position.sl,
        take_profit=position.tp,
    )
    if position.identifier == answer.order:
        return attrs.evolve(result, volume=position.volume, price=position.price_open)
    # A netting account's position is the sum of several orders.
    if deal is not None:
        return attrs.evolve(result, volume=deal.volume, price=deal.price)
    if not answer.volume:
        return attrs.evolve(result, volume=position.volume, price=position.price_open)
    return result


def _without_position(result: OrderResult, deal: TradeDeal) -> OrderResult:
    return attrs.evolve(
        result,
        ticket=deal.position_id or result.ticket,
        volume=deal.volume,
        price=deal.price,
        stop_loss=0.0,
        take_profit=0.0,
    )


def _unread(
    result: OrderResult, answer: OrderSendResult, error: UnavailableError
) -> OrderResult:
    message = f"{answer.comment}; could not be read back: {error}"
    return attrs.evolve(result, outcome=_as_told(result, answer), message=message)


def _unseen(result: OrderResult, answer: OrderSendResult) -> OrderResult:
    words = "not yet shown" if answer.deal else "accepted, but no execution is seen"
    return attrs.evolve(
        result,
        outcome=_as_told(result, answer),
        message=f"{answer.comment}; {words}",
    )


def _as_told(result: OrderResult, answer: OrderSendResult) -> Outcome:
    # A deal's number proves that it was executed, but not that its stop stands.
    is_proved = answer.deal and not result.stop_loss
    return Outcome.FILLED if is_proved else Outcome.UNKNOWN


def _until(budget: Budget, read: Callable[[], _T | None]) -> _T | None:
    for _ in patiently(budget):
        value = read()
        if value is not None:
            return value
    return None


def _same(row: TradePosition, sent: Levels) -> bool:
    return math.isclose(row.sl, sent.stop_loss, rel_tol=_PRICE_NOISE) and math.isclose(
        row.tp, sent.take_profit, rel_tol=_PRICE_NOISE
    )
