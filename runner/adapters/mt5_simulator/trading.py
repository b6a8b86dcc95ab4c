"""The simulated trade server: it verifies requests, executes them, and answers.

Every action is a method that verifies a request and returns how to execute it, so
that `order_check` and `order_send` cannot disagree.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import attrs

from runner.adapters.mt5_simulator import checks
from runner.adapters.mt5_simulator import constants as mt5
from runner.adapters.mt5_simulator.account import SimulatedAccount
from runner.adapters.mt5_simulator.errors import COMMENTS, RefusedError
from runner.adapters.mt5_simulator.execution import Executor
from runner.adapters.mt5_simulator.market import Market, NoRateError
from runner.adapters.mt5_simulator.records import (
    STOP_LIMITS,
    OpenPosition,
    Order,
    side_of,
)
from runner.adapters.mt5_simulator.structs import (
    OrderCheckResult,
    OrderSendResult,
    TradeRequest,
)
from runner.adapters.mt5_simulator.symbols import Symbol
from runner.core.matching import market_price
from runner.core.orders import Side

_LOTS: Final = 8
_CENTS: Final = 2
_MARKET_TYPES: Final = (mt5.ORDER_TYPE_BUY, mt5.ORDER_TYPE_SELL)


@attrs.frozen(slots=True, kw_only=True)
class Execution:
    """What executing a request did.

    Attributes:
        retcode: 10009 or 10008.
        order: Ticket of the order; 0 if none came of it.
        deal: Ticket of the deal; 0 if none came of it.
        volume: Lots executed or placed.
        price: Price executed at; 0.0 if none.
    """

    retcode: int = mt5.TRADE_RETCODE_DONE
    order: int = 0
    deal: int = 0
    volume: float = 0.0
    price: float = 0.0


class TradeServer:
    """Carries out trade requests on one account.

    Args:
        account: The account.
        market: Its market.
        executor: Carries orders out.
        slippage: Points by which market orders are filled worse, >= 0.
    """

    def __init__(
        self,
        account: SimulatedAccount,
        market: Market,
        executor: Executor,
        slippage: float,
    ) -> None:
        self.slippage = slippage
        self.closed_gate = 0
        """Return code that refuses every request; 0 for none."""
        self._account = account
        self._market = market
        self._executor = executor
        self._requests = 0
        self._actions: dict[int, Callable[[TradeRequest], Callable[[], Execution]]] = {
            mt5.TRADE_ACTION_DEAL: self._deal,
            mt5.TRADE_ACTION_PENDING: self._pending,
            mt5.TRADE_ACTION_SLTP: self._protect,
            mt5.TRADE_ACTION_MODIFY: self._modify,
            mt5.TRADE_ACTION_REMOVE: self._remove,
            mt5.TRADE_ACTION_CLOSE_BY: self._close_by,
        }

    # Requests

    def check(self, request: TradeRequest) -> OrderCheckResult:
        """Verify *request*; success is retcode 0, with the money as it would be."""
        try:
            self._verify(request)
            margin = self._margin_after(request)
        except RefusedError as refused:
            nothing = (0.0,) * 6
            comment = COMMENTS[refused.retcode]
            return OrderCheckResult((refused.retcode, *nothing, comment, request))
        figures = self._account.figures()
        return OrderCheckResult(
            (
                0,
                figures.balance,
                figures.equity,
                figures.profit,
                margin,
                round(figures.equity - margin, _CENTS),
                figures.equity / margin * 100 if margin else 0.0,
                COMMENTS[0],
                request,
            )
        )

    def send(self, request: TradeRequest, share: float = 1.0) -> OrderSendResult:
        """Verify and execute *request*.

        Args:
            request: What is asked for.
            share: The part of a market order's volume that is executed.
        """
        try:
            executable = self._verify(request)
            if share < 1 and request.action == mt5.TRADE_ACTION_DEAL:
                executable = self._verify(self._part_of(request, share))
                done = attrs.evolve(
                    executable(), retcode=mt5.TRADE_RETCODE_DONE_PARTIAL
                )
            else:
                done = executable()
        except RefusedError as refused:
            done = Execution(retcode=refused.retcode)
        return self.answer(request, done)

    def _part_of(self, request: TradeRequest, share: float) -> TradeRequest:
        step = self._symbol(request.symbol).fields["volume_step"]
        steps = max(1, int(request.volume * share / step))
        volume = round(steps * step, _LOTS)
        return TradeRequest(
            volume if name == "volume" else value
            for name, value in zip(request.__match_args__, request, strict=True)
        )

    def answer(self, request: TradeRequest, done: Execution) -> OrderSendResult:
        """Return the answer that tells *done*."""
        self._requests += 1
        symbol = self._market.symbols.get(request.symbol)
        return OrderSendResult(
            (
                done.retcode,
                done.deal,
                done.order,
                done.volume,
                done.price,
                symbol.bid if symbol else 0.0,
                symbol.ask if symbol else 0.0,
                COMMENTS[done.retcode],
                self._requests,
                0,
                request,
            )
        )

    def _verify(self, request: TradeRequest) -> Callable[[], Execution]:
        if self.closed_gate:
            raise RefusedError(self.closed_gate)
        if not self._account.trade_allowed:
            raise RefusedError(mt5.TRADE_RETCODE_TRADE_DISABLED)
        if not self._account.expert_allowed:
            raise RefusedError(mt5.TRADE_RETCODE_SERVER_DISABLES_AT)
        action = self._actions.get(request.action)
        numbers = (value for value in request if isinstance(value, float))
        if action is None or not all(map(math.isfinite, numbers)):
            raise RefusedError(mt5.TRADE_RETCODE_INVALID)
        try:
            return action(request)
        except NoRateError as error:
            raise RefusedError(mt5.TRADE_RETCODE_PRICE_OFF) from error

    def _symbol(self, name: str) -> Symbol:
        symbol = self._market.symbols.get(name)
        if symbol is None:
            raise RefusedError(mt5.TRADE_RETCODE_INVALID)
        return symbol

    def _position(self, ticket: int, symbol: str = "") -> OpenPosition:
        held = self._account.positions.get(ticket)
        if held is None:
            raise RefusedError(mt5.TRADE_RETCODE_POSITION_CLOSED)
        if symbol and held.symbol.name != symbol:
            raise RefusedError(mt5.TRADE_RETCODE_INVALID)
        return held

    def _deal(self, request: TradeRequest) -> Callable[[], Execution]:
        symbol = self._symbol(request.symbol)
        if request.type not in _MARKET_TYPES:
            raise RefusedError(mt5.TRADE_RETCODE_INVALID)
        side = side_of(request.type)
        closed = self._closed_by(request, side)
        net = self._executor.net_position(symbol)
        is_opening = closed is None and not (
            net and net.side is not side and request.volume <= net.volume
        )
        checks.check_direction(symbol, side, is_opening)
        sl, tp = (request.sl, request.tp) if is_opening else (0.0, 0.0)
        checks.check_order_mode(symbol, request.type, sl, tp)
        checks.check_filling(symbol, request.type_filling, is_pending=False)
        checks.check_volume(symbol, request.volume)
        checks.check_market(symbol, self._market.is_closed)
        if closed is not None:
            self._check_close(closed, request.volume)
            checks.check_deviation(symbol, request, side)
            return lambda: self._close_by_request(closed, request)
        checks.check_deviation(symbol, request, side)
        checks.check_stops(symbol, side, sl, tp, symbol.bid, symbol.ask)
        if is_opening:
            self._check_limits(symbol, side, request.volume)
            self._check_money(request)
        return lambda: self._open_by_request(symbol, request)

    def _closed_by(self, request: TradeRequest, side: Side) -> OpenPosition | None:
        if not request.position:
            return None
        held = self._position(request.position, request.symbol)
        if held.side is side:
            raise RefusedError(mt5.TRADE_RETCODE_INVALID)
        return held

    def _check_close(self, held: OpenPosition, volume: float) -> None:
        if round(volume - held.volume, _LOTS) > 0:
            raise RefusedError(mt5.TRADE_RETCODE_INVALID_CLOSE_VOLUME)
        checks.check_frozen_position(held.symbol, held.side, held.sl, held.tp)
        if self._account.rules.fifo_close:
            for older in self._account.positions_in(held.symbol):
                if older is held:
                    return
                if older.side is held.side:
                    raise RefusedError(mt5.TRADE_RETCODE_FIFO_CLOSE)

    def _check_limits(self, symbol: Symbol, side: Side, volume: float) -> None:
        limit = symbol.fields["volume_limit"]
        used = self._account.volume_of(symbol, side)
        if limit and round(used + volume - limit, _LOTS) > 0:
            raise RefusedError(mt5.TRADE_RETCODE_LIMIT_VOLUME)

    def _check_money(self, request: TradeRequest) -> None:
        if self._margin_after(request) > self._account.figures().equity:
            raise RefusedError(mt5.TRADE_RETCODE_NO_MONEY)

    def _margin_after(self, request: TradeRequest) -> float:
        account = self._account
        if request.action != mt5.TRADE_ACTION_DEAL or request.position:
            return account.figures().margin
        symbol = self._symbol(request.symbol)
        order = self._new_order(symbol, request, ticket=0)
        opened = self._executor.new_position(order, self._market_price(order))
        net = self._executor.net_position(symbol)
        if net is None or net.side is opened.side:
            return account.margin_of([*account.positions.values(), opened])
        others = [held for held in account.positions.values() if held is not net]
        larger, smaller = sorted((net, opened), key=lambda p: p.volume, reverse=True)
        share = (larger.volume - smaller.volume) / larger.volume
        return round(account.margin_of(others) + larger.margin * share, _CENTS)

    def _pending(self, request: TradeRequest) -> Callable[[], Execution]:
        account = self._account
        symbol = self._symbol(request.symbol)
        if (
            not mt5.ORDER_TYPE_BUY_LIMIT
            <= request.type
            <= (mt5.ORDER_TYPE_SELL_STOP_LIMIT)
        ):
            raise RefusedError(mt5.TRADE_RETCODE_INVALID)
        side = side_of(request.type)
        checks.check_direction(symbol, side, is_opening=True)
        checks.check_order_mode(symbol, request.type, request.sl, request.tp)
        checks.check_filling(symbol, request.type_filling, is_pending=True)
        checks.check_volume(symbol, request.volume)
        checks.check_market(symbol, self._market.is_closed)
        self._check_pending_prices(symbol, request.type, request)
        expires = checks.expiry_of(symbol, request, self._market.time)
        self._check_limits(symbol, side, request.volume)
        if account.rules.max_orders and len(account.orders) >= account.rules.max_orders:
            raise RefusedError(mt5.TRADE_RETCODE_LIMIT_ORDERS)
        return lambda: self._place(symbol, request, expires)

    def _check_pending_prices(
        self, symbol: Symbol, order_type: int, request: TradeRequest
    ) -> None:
        checks.check_pending_price(symbol, order_type, request.price, request.stoplimit)
        opens_at = request.stoplimit if order_type in STOP_LIMITS else request.price
        checks.check_stops(
            symbol, side_of(order_type), request.sl, request.tp, opens_at, opens_at
        )

    def _protect(self, request: TradeRequest) -> Callable[[], Execution]:
        held = None
        if not request.position:
            held = self._executor.net_position(self._symbol(request.symbol))
        if held is None:
            held = self._position(request.position, request.symbol)
        symbol = held.symbol
        sl, tp = symbol.round(request.sl), symbol.round(request.tp)
        checks.check_direction(symbol, held.side, is_opening=False)
        checks.check_order_mode(symbol, mt5.ORDER_TYPE_BUY, sl, tp)
        checks.check_market(symbol, self._market.is_closed)
        if (sl, tp) == (held.sl, held.tp):
            raise RefusedError(mt5.TRADE_RETCODE_NO_CHANGES)
        checks.check_frozen_position(symbol, held.side, held.sl, held.tp)
        checks.check_stops(symbol, held.side, sl, tp, symbol.bid, symbol.ask)

        def execute() -> Execution:
            held.sl, held.tp = sl, tp
            held.updated_msc = self._market.time_msc
            self._account.changed()
            return Execution()

        return execute

    def _order(self, request: TradeRequest) -> Order:
        order = self._account.orders.get(request.order)
        if order is None:
            raise RefusedError(mt5.TRADE_RETCODE_INVALID)
        return order

    def _modify(self, request: TradeRequest) -> Callable[[], Execution]:
        order = self._order(request)
        symbol = order.symbol
        checks.check_market(symbol, self._market.is_closed)
        checks.check_frozen_order(symbol, order.type, order.price)
        self._check_pending_prices(symbol, order.type, request)
        expires = checks.expiry_of(symbol, request, self._market.time)
        wanted = (
            symbol.round(request.price),
            symbol.round(request.stoplimit),
            symbol.round(request.sl),
            symbol.round(request.tp),
            request.type_time,
            expires * 1000,
        )
        if wanted == (
            order.price,
            order.stoplimit,
            order.sl,
            order.tp,
            order.type_time,
            order.expires_msc,
        ):
            raise RefusedError(mt5.TRADE_RETCODE_NO_CHANGES)

        def execute() -> Execution:
            order.price, order.stoplimit, order.sl, order.tp = wanted[:4]
            order.type_time, order.expires_msc = request.type_time, expires * 1000
            order.expiration = request.expiration
            self._account.changed()
            return Execution(order=order.ticket, volume=order.volume)

        return execute

    def _remove(self, request: TradeRequest) -> Callable[[], Execution]:
        order = self._order(request)
        checks.check_market(order.symbol, self._market.is_closed)
        checks.check_frozen_order(order.symbol, order.type, order.price)

        def execute() -> Execution:
            self._executor.finish(order, mt5.ORDER_STATE_CANCELED)
            return Execution(order=order.ticket, volume=order.volume)

        return execute

    def _close_by(self, request: TradeRequest) -> Callable[[], Execution]:
        held = self._position(request.position, request.symbol)
        other = self._position(request.position_by)
        if (
            not self._account.rules.is_hedging
            or held.symbol is not other.symbol
            or held.side is other.side
        ):
            raise RefusedError(mt5.TRADE_RETCODE_INVALID)
        symbol = held.symbol
        checks.check_direction(symbol, held.side, is_opening=False)
        if not symbol.fields["order_mode"] & checks.ORDER_CLOSE_BY:
            raise RefusedError(mt5.TRADE_RETCODE_INVALID_ORDER)
        checks.check_market(symbol, self._market.is_closed)
        for each in (held, other):
            checks.check_frozen_position(symbol, each.side, each.sl, each.tp)
        return lambda: self._close_against(held, other, request)

    # Execution

    def _market_price(self, order: Order) -> float:
        symbol = order.symbol
        slippage = self.slippage * symbol.point
        return market_price(order.side, symbol.bid, symbol.ask, slippage)

    def _new_order(
        self, symbol: Symbol, request: TradeRequest, ticket: int | None = None
    ) -> Order:
        return Order(
            ticket=self._account.new_order_ticket() if ticket is None else ticket,
            type=request.type,
            symbol=symbol,
            volume=round(request.volume, _LOTS),
            price=0.0,
            setup_msc=self._market.time_msc,
            sl=symbol.round(request.sl),
            tp=symbol.round(request.tp),
            magic=request.magic,
            comment=request.comment,
            type_time=request.type_time,
            type_filling=request.type_filling,
            expiration=request.expiration,
            left=request.volume,
        )

    def _open_by_request(self, symbol: Symbol, request: TradeRequest) -> Execution:
        order = self._new_order(symbol, request)
        order.price = self._market_price(order)
        deal = self._executor.fill(order, order.price)
        return Execution(
            order=order.ticket, deal=deal, volume=order.volume, price=order.price
        )

    def _close_by_request(self, held: OpenPosition, request: TradeRequest) -> Execution:
        order = self._new_order(held.symbol, request)
        order.price = self._market_price(order)
        deal = self._executor.close(held, order, order.price)
        return Execution(
            order=order.ticket, deal=deal, volume=order.volume, price=order.price
        )

    def _place(self, symbol: Symbol, request: TradeRequest, expires: int) -> Execution:
        order = self._new_order(symbol, request)
        order.price = symbol.round(request.price)
        order.stoplimit = symbol.round(request.stoplimit)
        order.expires_msc = expires * 1000
        self._executor.place(order)
        return Execution(order=order.ticket, volume=order.volume)

    def _close_against(
        self, held: OpenPosition, other: OpenPosition, request: TradeRequest
    ) -> Execution:
        order = self._new_order(held.symbol, request)
        order.type = mt5.ORDER_TYPE_CLOSE_BY
        order.volume = min(held.volume, other.volume)
        order.price = other.price_open
        deal = self._executor.close_against(held, other, order)
        return Execution(
            order=order.ticket, deal=deal, volume=order.volume, price=order.price
        )
