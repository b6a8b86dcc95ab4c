"""Looks up what became of an order, in positions, orders and history.

The readings go in the direction in which an order travels (position, working order,
deal, done order), so one that is executed meanwhile is met by a later reading.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from runner.adapters.mt5 import terminal as mt5
from runner.adapters.mt5.quotes import Quotes
from runner.adapters.mt5.removal import Removal
from runner.adapters.mt5.server_time import ServerTime
from runner.adapters.mt5.session import Session
from runner.adapters.mt5.structs import TradeDeal, TradePosition
from runner.adapters.mt5.symbols import SymbolError, Symbols
from runner.adapters.mt5.terminal import Terminal
from runner.adapters.mt5.traces import Traces
from runner.core.orders import Action, OrderRequest, OrderResult, Outcome
from runner.ports import Clock, UnavailableError

_BEFORE = timedelta(days=31)
_AFTER = timedelta(days=1)
"""The server's clock may be hours ahead of any that we can read."""
_LAST_DATE = 2**31 - 1
"""The module keeps dates in 32 bits, and takes 0 for none."""
_NOT_EXECUTED = {
    mt5.ORDER_STATE_CANCELED: "cancelled",
    mt5.ORDER_STATE_REJECTED: "rejected",
    mt5.ORDER_STATE_EXPIRED: "expired",
}
_VOLUME_DECIMALS = 8


class Lookup:
    """Finds orders by their token.

    Args:
        terminal: The MetaTrader5 module or its twin.
        session: The connection.
        symbols: For the grid of prices.
        quotes: For the market's time.
        time: The server's clock.
        clock: This machine's, where no quote tells the time.
        removal: Finds what became of a pending order.
        traces: Tells whose a record is.
    """

    def __init__(
        self,
        terminal: Terminal,
        session: Session,
        symbols: Symbols,
        quotes: Quotes,
        time: ServerTime,
        clock: Clock,
        removal: Removal,
        traces: Traces,
    ) -> None:
        self._terminal = terminal
        self._session = session
        self._symbols = symbols
        self._quotes = quotes
        self._time = time
        self._clock = clock
        self._removal = removal
        self._traces = traces

    def find(self, request: OrderRequest) -> OrderResult | None:
        """Return what became of *request*; None if it certainly left no trace.

        Raises:
            UnavailableError: If a reading failed, the terminal has no link to its
                server (it would show old things), or the order is still under way.
        """
        self._session.linked()
        match request.action:
            case Action.OPEN:
                result = self._opened(request)
            case Action.PLACE:
                result = self._placed(request)
            case Action.CLOSE:
                result = self._closed(request)
            case Action.PROTECT:
                result = self._protected(request)
            case Action.CANCEL:
                result = self._removal.find(request)
        # Had the account been switched meanwhile, the readings would prove nothing.
        self._session.account_info()
        return result

    def span(self, days_before: timedelta = _BEFORE) -> tuple[int, int]:
        """Return a span of the server's clock that surely holds the present.

        Args:
            days_before: How far it reaches back.
        """
        times = [self._clock.now()]
        if self._quotes.newest_ms:
            times.append(self._time.utc_ms(self._quotes.newest_ms))
        first = self._time.wall(min(times) - days_before)
        last = self._time.wall(max(times) + _AFTER)
        return max(1, first), min(_LAST_DATE, last)

    def _opened(self, request: OrderRequest) -> OrderResult | None:
        positions = self._session.answer(
            "positions_get", self._terminal.positions_get()
        )
        self._refuse_working(request)
        history = self._deals()
        deals = self._fills(request, history)
        ours = [
            position
            for position in positions
            if self._traces.is_position(request, position)
        ]
        if deals:
            return self._from_deals(request, deals, positions)
        if ours:
            return _from_position(request, ours[0])
        return self._refused(request, history)

    def _placed(self, request: OrderRequest) -> OrderResult | None:
        # It waits first, and is filled or removed later: this order of readings meets
        # one that is filled meanwhile at its deal.
        orders = self._session.answer("orders_get", self._terminal.orders_get())
        for order in orders:
            if self._traces.is_order(request, order):
                self._traces.own(request.token, [order.ticket])
                return OrderResult(
                    token=request.token,
                    outcome=Outcome.PLACED,
                    message="found among the pending orders",
                    ticket=order.ticket,
                    volume=order.volume_current,
                    price=order.price_open,
                    stop_loss=order.sl,
                    take_profit=order.tp,
                )
        history = self._deals()
        deals = self._fills(request, history)
        if deals:
            positions = self._session.answer(
                "positions_get", self._terminal.positions_get()
            )
            return self._from_deals(request, deals, positions)
        return self._refused(request, history)

    def _fills(
        self, request: OrderRequest, history: Iterable[TradeDeal]
    ) -> list[TradeDeal]:
        ours = [deal for deal in history if self._traces.is_deal(request, deal)]
        entries = {mt5.DEAL_ENTRY_IN, mt5.DEAL_ENTRY_INOUT}
        # On a netting account an order that meets an opposite position only reduces it.
        return [deal for deal in ours if deal.entry in entries] or [
            deal for deal in ours if request.token in deal.comment
        ]

    def _closed(self, request: OrderRequest) -> OrderResult | None:
        ticket = request.ticket or 0
        positions = self._session.answer(
            "positions_get", self._terminal.positions_get(ticket=ticket)
        )
        identifier = positions[0].identifier if positions else ticket
        self._refuse_working(request, identifier)
        history = self._session.answer(
            "history_deals_get",
            self._terminal.history_deals_get(position=identifier),
        )
        exits = [deal for deal in history if deal.entry != mt5.DEAL_ENTRY_IN]
        ours = [deal for deal in exits if self._traces.is_deal(request, deal)]
        if ours:
            return self._from_deals(request, ours, positions)
        if positions:
            return self._refused(request, history, identifier)
        if not exits:
            raise UnavailableError(
                f"position {ticket} is closed, but its history is not there yet"
            )
        return OrderResult(
            token=request.token,
            outcome=Outcome.FILLED,
            message=f"already closed, by deal {exits[-1].ticket}",
            ticket=ticket,
        )

    def _protected(self, request: OrderRequest) -> OrderResult | None:
        ticket = request.ticket or 0
        positions = self._session.answer(
            "positions_get", self._terminal.positions_get(ticket=ticket)
        )
        if not positions:
            return OrderResult(
                token=request.token,
                outcome=Outcome.REJECTED,
                message="the position is closed",
                ticket=ticket,
            )
        try:
            half_tick = self._symbols.fresh_rules(request.symbol).spec.tick_size / 2
        except SymbolError as error:
            raise UnavailableError(str(error)) from error
        position = positions[0]
        stands = (
            abs(position.sl - (request.stop_loss_price or 0.0)) < half_tick
            and abs(position.tp - (request.take_profit_price or 0.0)) < half_tick
        )
        return _from_position(request, position) if stands else None

    def _refuse_working(self, request: OrderRequest, position: int = 0) -> None:
        orders = self._session.answer("orders_get", self._terminal.orders_get())
        for order in orders:
            if self._traces.is_order(request, order, position):
                raise UnavailableError(f"order {order.ticket} is still working")

    def _refused(
        self, request: OrderRequest, history: Iterable[TradeDeal], position: int = 0
    ) -> OrderResult | None:
        """Return the refusal of an order that has no deals; None without an order.

        Args:
            request: What was asked for.
            history: Deals, of which none is the request's.
            position: Identifier of the position that it closes; 0 for none.
        """
        # Where comments are lost, an order of ours just before this one looks like it;
        # its deals, which are there and are not the request's, give it away.
        others = {deal.order for deal in history}
        orders = self._session.answer(
            "history_orders_get", self._terminal.history_orders_get(*self.span())
        )
        ours = [
            order
            for order in orders
            if self._traces.is_order(request, order, position)
            and (request.token in order.comment or order.ticket not in others)
        ]
        for order in ours:
            if order.state not in _NOT_EXECUTED:
                raise UnavailableError(
                    f"order {order.ticket} is done, but its deal is not there yet"
                )
        if not ours:
            return None
        self._traces.own(request.token, [order.ticket for order in ours])
        return OrderResult(
            token=request.token,
            outcome=Outcome.REJECTED,
            message=f"order {ours[-1].ticket} was {_NOT_EXECUTED[ours[-1].state]}",
        )

    def _deals(self) -> Sequence[TradeDeal]:
        return self._session.answer(
            "history_deals_get", self._terminal.history_deals_get(*self.span())
        )

    def _from_deals(
        self,
        request: OrderRequest,
        deals: Sequence[TradeDeal],
        positions: Iterable[TradePosition],
    ) -> OrderResult:
        self._traces.own(request.token, [deal.order for deal in deals])
        return _from_deals(request, deals, positions)


def _from_deals(
    request: OrderRequest,
    deals: Sequence[TradeDeal],
    positions: Iterable[TradePosition],
) -> OrderResult:
    volume = sum(deal.volume for deal in deals)
    price = sum(deal.volume * deal.price for deal in deals) / volume
    identifier = deals[0].position_id
    position = next((p for p in positions if p.identifier == identifier), None)
    return OrderResult(
        token=request.token,
        outcome=Outcome.FILLED,
        message="found in history",
        ticket=position.ticket if position else request.ticket or identifier,
        volume=round(volume, _VOLUME_DECIMALS),
        price=round(price, _VOLUME_DECIMALS),
        stop_loss=position.sl if position else 0.0,
        take_profit=position.tp if position else 0.0,
    )


def _from_position(request: OrderRequest, position: TradePosition) -> OrderResult:
    is_open = request.action is Action.OPEN
    return OrderResult(
        token=request.token,
        outcome=Outcome.FILLED,
        message="found among the positions",
        ticket=position.ticket,
        volume=position.volume if is_open else 0.0,
        price=position.price_open if is_open else 0.0,
        stop_loss=position.sl,
        take_profit=position.tp,
    )
