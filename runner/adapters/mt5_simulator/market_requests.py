"""Market orders: opening, closing and reducing positions at the present quote."""

from __future__ import annotations

from typing import Final

from runner.adapters.mt5_simulator import checks
from runner.adapters.mt5_simulator import constants as mt5
from runner.adapters.mt5_simulator.desk import LOTS, Desk, Execution, Verified
from runner.adapters.mt5_simulator.errors import RefusedError
from runner.adapters.mt5_simulator.records import OpenPosition, side_of
from runner.adapters.mt5_simulator.structs import TradeRequest
from runner.adapters.mt5_simulator.symbols import Symbol
from runner.core.matching import market_price
from runner.core.orders import Side

_CENTS: Final = 2
_TYPES: Final = (mt5.ORDER_TYPE_BUY, mt5.ORDER_TYPE_SELL)


class MarketRequests(Desk):
    """TRADE_ACTION_DEAL."""

    slip = 0.0
    """Points by which the present order is filled worse, besides the slippage."""

    def deal(self, request: TradeRequest) -> Verified:
        """Verify a market order."""
        symbol = self._symbol(request.symbol)
        if request.type not in _TYPES:
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
        checks.check_market(symbol, self._market.is_open(symbol))
        if closed is not None:
            self._check_close(closed, request.volume)
            checks.check_deviation(symbol, request, self._price(symbol, side))
            return lambda: self._close(closed, request)
        checks.check_deviation(symbol, request, self._price(symbol, side))
        checks.check_stops(symbol, side, sl, tp, symbol.bid, symbol.ask)
        if is_opening:
            self._check_volume_limit(symbol, side, request.volume)
            self._check_money(request)
        return lambda: self._open(symbol, request)

    def margin_after(self, request: TradeRequest) -> float:
        """Return the account's margin once *request* is executed."""
        account = self._account
        if request.action != mt5.TRADE_ACTION_DEAL or request.position:
            return account.figures().margin
        symbol = self._symbol(request.symbol)
        order = self._new_order(symbol, request, ticket=0)
        opened = self._executor.new_position(order, self._price(symbol, order.side))
        net = self._executor.net_position(symbol)
        if net is None or net.side is opened.side:
            return account.margin_of([*account.positions.values(), opened])
        others = [held for held in account.positions.values() if held is not net]
        larger, smaller = sorted((net, opened), key=lambda p: p.volume, reverse=True)
        share = (larger.volume - smaller.volume) / larger.volume
        return round(account.margin_of(others) + larger.margin * share, _CENTS)

    def part_of(self, request: TradeRequest, share: float) -> TradeRequest:
        """Return *request* for a part of its volume, at least one step."""
        step = self._symbol(request.symbol).fields["volume_step"]
        steps = max(1, int(request.volume * share / step))
        volume = round(steps * step, LOTS)
        return TradeRequest(
            volume if name == "volume" else value
            for name, value in zip(request.__match_args__, request, strict=True)
        )

    def _closed_by(self, request: TradeRequest, side: Side) -> OpenPosition | None:
        if not request.position:
            return None
        held = self._position(request.position, request.symbol)
        if held.side is side:
            raise RefusedError(mt5.TRADE_RETCODE_INVALID)
        return held

    def _check_close(self, held: OpenPosition, volume: float) -> None:
        if round(volume - held.volume, LOTS) > 0:
            raise RefusedError(mt5.TRADE_RETCODE_INVALID_CLOSE_VOLUME)
        checks.check_frozen_position(held.symbol, held.side, held.sl, held.tp)
        if self._account.rules.fifo_close:
            for older in self._account.positions_in(held.symbol):
                if older is held:
                    return
                if older.side is held.side:
                    raise RefusedError(mt5.TRADE_RETCODE_FIFO_CLOSE)

    def _check_money(self, request: TradeRequest) -> None:
        if self.margin_after(request) > self._account.figures().equity:
            raise RefusedError(mt5.TRADE_RETCODE_NO_MONEY)

    def _price(self, symbol: Symbol, side: Side) -> float:
        slippage = (self._slippage + self.slip) * symbol.point
        return market_price(side, symbol.bid, symbol.ask, slippage)

    def _open(self, symbol: Symbol, request: TradeRequest) -> Execution:
        order = self._new_order(symbol, request)
        order.price = self._price(symbol, order.side)
        deal = self._executor.fill(order, order.price)
        return Execution(
            order=order.ticket, deal=deal, volume=order.volume, price=order.price
        )

    def _close(self, held: OpenPosition, request: TradeRequest) -> Execution:
        order = self._new_order(held.symbol, request)
        order.price = self._price(held.symbol, order.side)
        deal = self._executor.close(held, order, order.price)
        return Execution(
            order=order.ticket, deal=deal, volume=order.volume, price=order.price
        )
