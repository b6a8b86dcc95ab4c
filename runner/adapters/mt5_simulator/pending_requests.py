"""Pending orders: placing, changing and removing them."""

from __future__ import annotations

from runner.adapters.mt5_simulator import checks
from runner.adapters.mt5_simulator import constants as mt5
from runner.adapters.mt5_simulator.desk import Desk, Execution, Verified
from runner.adapters.mt5_simulator.errors import RefusedError
from runner.adapters.mt5_simulator.records import STOP_LIMITS, Order, side_of
from runner.adapters.mt5_simulator.structs import TradeRequest
from runner.adapters.mt5_simulator.symbols import Symbol


class PendingRequests(Desk):
    """TRADE_ACTION_PENDING, _MODIFY and _REMOVE."""

    def place(self, request: TradeRequest) -> Verified:
        """Verify a new pending order."""
        account = self._account
        symbol = self._symbol(request.symbol)
        first, last = mt5.ORDER_TYPE_BUY_LIMIT, mt5.ORDER_TYPE_SELL_STOP_LIMIT
        if not first <= request.type <= last:
            raise RefusedError(mt5.TRADE_RETCODE_INVALID)
        side = side_of(request.type)
        checks.check_direction(symbol, side, is_opening=True)
        checks.check_order_mode(symbol, request.type, request.sl, request.tp)
        checks.check_filling(symbol, request.type_filling, is_pending=True)
        checks.check_volume(symbol, request.volume)
        checks.check_market(symbol, self._market.is_open(symbol))
        self._check_prices(symbol, request.type, request)
        expires = checks.expiry_of(symbol, request, self._market.time)
        self._check_volume_limit(symbol, side, request.volume)
        if account.rules.max_orders and len(account.orders) >= account.rules.max_orders:
            raise RefusedError(mt5.TRADE_RETCODE_LIMIT_ORDERS)
        return lambda: self._place(symbol, request, expires)

    def modify(self, request: TradeRequest) -> Verified:
        """Verify a change of a pending order."""
        order = self._order(request)
        symbol = order.symbol
        checks.check_market(symbol, self._market.is_open(symbol))
        checks.check_frozen_order(symbol, order.type, order.price)
        self._check_prices(symbol, order.type, request)
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

    def remove(self, request: TradeRequest) -> Verified:
        """Verify the removal of a pending order."""
        order = self._order(request)
        checks.check_market(order.symbol, self._market.is_open(order.symbol))
        checks.check_frozen_order(order.symbol, order.type, order.price)

        def execute() -> Execution:
            self._executor.finish(order, mt5.ORDER_STATE_CANCELED)
            return Execution(order=order.ticket, volume=order.volume)

        return execute

    def _check_prices(
        self, symbol: Symbol, order_type: int, request: TradeRequest
    ) -> None:
        checks.check_pending_price(symbol, order_type, request.price, request.stoplimit)
        opens_at = request.stoplimit if order_type in STOP_LIMITS else request.price
        checks.check_stops(
            symbol, side_of(order_type), request.sl, request.tp, opens_at, opens_at
        )

    def _order(self, request: TradeRequest) -> Order:
        order = self._account.orders.get(request.order)
        if order is None:
            raise RefusedError(mt5.TRADE_RETCODE_INVALID)
        return order

    def _place(self, symbol: Symbol, request: TradeRequest, expires: int) -> Execution:
        order = self._new_order(symbol, request)
        order.price = symbol.round(request.price)
        order.stoplimit = symbol.round(request.stoplimit)
        order.expires_msc = expires * 1000
        self._executor.place(order)
        return Execution(order=order.ticket, volume=order.volume)
