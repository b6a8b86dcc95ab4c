"""Open positions: moving their protection, closing one by another."""

from __future__ import annotations

from runner.adapters.mt5_simulator import checks
from runner.adapters.mt5_simulator import constants as mt5
from runner.adapters.mt5_simulator.desk import Desk, Execution, Verified
from runner.adapters.mt5_simulator.errors import RefusedError
from runner.adapters.mt5_simulator.records import OpenPosition
from runner.adapters.mt5_simulator.structs import TradeRequest


class PositionRequests(Desk):
    """TRADE_ACTION_SLTP and _CLOSE_BY."""

    def protect(self, request: TradeRequest) -> Verified:
        """Verify new levels of a position."""
        held = None
        if not request.position:
            held = self._executor.net_position(self._symbol(request.symbol))
        if held is None:
            held = self._position(request.position, request.symbol)
        symbol = held.symbol
        sl, tp = symbol.round(request.sl), symbol.round(request.tp)
        checks.check_direction(symbol, held.side, is_opening=False)
        checks.check_order_mode(symbol, mt5.ORDER_TYPE_BUY, sl, tp)
        checks.check_market(symbol, self._market.is_open(symbol))
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

    def close_by(self, request: TradeRequest) -> Verified:
        """Verify the closing of two opposite positions."""
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
        checks.check_market(symbol, self._market.is_open(symbol))
        for each in (held, other):
            checks.check_frozen_position(symbol, each.side, each.sl, each.tp)
        return lambda: self._close_against(held, other, request)

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
