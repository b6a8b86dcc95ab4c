"""The functions of the MetaTrader5 module that trade, and read what was traded."""

from __future__ import annotations

from typing import Any, Final, TypeVar

from runner.adapters.mt5_simulator import arguments
from runner.adapters.mt5_simulator import constants as mt5
from runner.adapters.mt5_simulator.calls import Caller, call
from runner.adapters.mt5_simulator.desk import Execution
from runner.adapters.mt5_simulator.errors import CallFailedError
from runner.adapters.mt5_simulator.faults import (
    Answer,
    Delay,
    FillBare,
    FillPart,
    Late,
    Refuse,
    Slip,
)
from runner.adapters.mt5_simulator.history import Archive
from runner.adapters.mt5_simulator.market import NoRateError
from runner.adapters.mt5_simulator.structs import (
    OrderCheckResult,
    OrderSendResult,
    TradeDeal,
    TradeOrder,
    TradePosition,
    TradeRequest,
)
from runner.adapters.mt5_simulator.symbols import Symbol

_Record = TypeVar("_Record", TradeDeal, TradeOrder)
_Shown = TypeVar("_Shown", TradePosition, TradeDeal, TradeOrder)
_TWO: Final = 2
_LEVELS: Final = ("sl", "tp")
_SIDES: Final = (mt5.ORDER_TYPE_BUY, mt5.ORDER_TYPE_SELL)


class TradeCalls(Caller):
    """Positions, orders, deals, and trade requests."""

    @call(None)
    def positions_total(self) -> int:
        """Return how many positions are open."""
        return len(self.account.positions)

    @call(None)
    def positions_get(self, *args: Any, **named: Any) -> tuple[TradePosition, ...]:
        """Return open positions: all, or by ``ticket``, ``symbol`` or ``group``."""
        chosen = (
            arguments.selection("positions_get", args, named) if args or named else None
        )
        shown = self._shown_in_time(self.account.shown_positions())
        return shown if chosen is None else tuple(filter(chosen, shown))

    @call(None)
    def orders_total(self) -> int:
        """Return how many orders are pending."""
        return len(self.account.orders)

    @call(None)
    def orders_get(self, *args: Any, **named: Any) -> tuple[TradeOrder, ...]:
        """Return pending orders: all, or by ``ticket``, ``symbol`` or ``group``."""
        chosen = arguments.selection("orders_get", args, named)
        shown = tuple(order.shown() for order in self.account.orders.values())
        return shown if chosen is None else tuple(filter(chosen, shown))

    @call(None)
    def history_orders_total(self, date_from: Any, date_to: Any, /) -> int:
        """Return how many orders were done between two dates."""
        return len(self._between(self.account.history.orders, (date_from, date_to)))

    @call(None)
    def history_orders_get(self, *dates: Any, **named: Any) -> tuple[TradeOrder, ...]:
        """Return done orders between two dates, or by ``ticket`` or ``position``."""
        orders = self.account.history.orders
        return self._past("history_orders_get", orders, dates, named)

    @call(None)
    def history_deals_total(self, date_from: Any, date_to: Any, /) -> int:
        """Return how many deals there were between two dates."""
        return len(self._between(self.account.history.deals, (date_from, date_to)))

    @call(None)
    def history_deals_get(self, *dates: Any, **named: Any) -> tuple[TradeDeal, ...]:
        """Return deals between two dates, or by ``ticket`` or ``position``."""
        deals = self.account.history.deals
        return self._past("history_deals_get", deals, dates, named)

    def _between(
        self, archive: Archive[_Record], dates: tuple[Any, ...]
    ) -> tuple[_Record, ...]:
        first = arguments.date("date_from", dates[0])
        return archive.between(first, arguments.date("date_to", dates[1]))

    def _past(
        self,
        function: str,
        archive: Archive[_Record],
        dates: tuple[Any, ...],
        named: dict[str, Any],
    ) -> tuple[_Record, ...]:
        return self._shown_in_time(self._asked_for(function, archive, dates, named))

    def _shown_in_time(self, records: tuple[_Shown, ...]) -> tuple[_Shown, ...]:
        if not self.lag_ms:
            return records
        last = self.market.time_msc - self.lag_ms
        return tuple(one for one in records if _happened_msc(one) <= last)

    def _asked_for(
        self,
        function: str,
        archive: Archive[_Record],
        dates: tuple[Any, ...],
        named: dict[str, Any],
    ) -> tuple[_Record, ...]:
        if len(dates) == _TWO:
            found = self._between(archive, dates)
            if "group" not in named:
                return found
            group = named["group"]
            if not isinstance(group, str):
                raise arguments.invalid("group")
            return tuple(
                record for record in found if arguments.in_group(group, record.symbol)
            )
        if not dates and "ticket" in named:
            ticket = arguments.unsigned(function, "ticket", named["ticket"])
            return archive.with_ticket(ticket)
        if not dates and "position" in named:
            position = arguments.unsigned(function, "position", named["position"])
            return archive.of_position(position)
        raise CallFailedError(mt5.RES_E_INVALID_PARAMS, "Invalid arguments")

    @call(None)
    def order_calc_margin(
        self, action: int, symbol: str, volume: float, price: float, /
    ) -> float:
        """Return the margin of a market order in account currency."""
        is_buy, traded = self._calculated("order_calc_margin", action, symbol)
        lots = arguments.parsed_float("order_calc_margin", volume)
        opened = arguments.parsed_float("order_calc_margin", price)
        try:
            return self.market.margin(traded, is_buy, lots, opened)
        except NoRateError as error:
            raise CallFailedError(mt5.RES_E_FAIL) from error

    @call(None)
    def order_calc_profit(
        self,
        action: int,
        symbol: str,
        volume: float,
        price_open: float,
        price_close: float,
        /,
    ) -> float:
        """Return the profit of a trade in account currency."""
        is_buy, traded = self._calculated("order_calc_profit", action, symbol)
        lots, opened, closed = (
            arguments.parsed_float("order_calc_profit", number)
            for number in (volume, price_open, price_close)
        )
        try:
            return self.market.profit(traded, is_buy, lots, opened, closed)
        except NoRateError as error:
            raise CallFailedError(mt5.RES_E_FAIL) from error

    def _calculated(
        self, function: str, action: object, name: object
    ) -> tuple[bool, Symbol]:
        side = arguments.parsed_int(function, action)
        if side not in _SIDES:
            raise CallFailedError(mt5.RES_E_INVALID_PARAMS)
        symbol = self.market.symbols.get(arguments.text_argument("symbol", name))
        if symbol is None:
            raise CallFailedError(mt5.RES_E_NOT_FOUND)
        return side == mt5.ORDER_TYPE_BUY, symbol

    @call(None)
    def order_check(self, *args: Any, **fields: Any) -> OrderCheckResult:
        """Verify a trade request without sending it; success is retcode 0."""
        request = arguments.trade_request("order_check", args, fields)
        self._set_gate()
        return self.server.check(request)

    @call(None)
    def order_send(self, *args: Any, **fields: Any) -> OrderSendResult:
        """Send a trade request; success is 10008, 10009 or 10010."""
        fault, self.trade_fault = self.trade_fault, None
        request = arguments.trade_request("order_send", args, fields)
        if self.switches.tradeapi_disabled:
            raise CallFailedError(mt5.RES_E_AUTO_TRADING_DISABLED)
        if isinstance(fault, Delay):
            self.latency.let_pass(fault)
        self._set_gate()
        if isinstance(fault, Refuse):
            return self.server.answer(request, Execution(retcode=fault.retcode))
        if isinstance(fault, Answer):
            self.server.send(request)
            return self.server.answer(request, Execution(retcode=fault.retcode))
        if isinstance(fault, Late):
            self.server.late.append(request)
            return self.server.answer(request, Execution(retcode=fault.retcode))
        if isinstance(fault, FillBare) and request.action == mt5.TRADE_ACTION_DEAL:
            request = TradeRequest(
                0.0 if name in _LEVELS else value
                for name, value in zip(request.__match_args__, request, strict=True)
            )
        return self.server.send(
            request,
            fault.share if isinstance(fault, FillPart) else 1.0,
            fault.points if isinstance(fault, Slip) else 0.0,
        )

    def _set_gate(self) -> None:
        gate = 0
        if not self.switches.trade_allowed:
            gate = mt5.TRADE_RETCODE_CLIENT_DISABLES_AT
        elif not self.switches.connected:
            gate = mt5.TRADE_RETCODE_CONNECTION
        self.server.closed_gate = gate


def _happened_msc(record: TradePosition | TradeDeal | TradeOrder) -> int:
    if isinstance(record, TradeOrder):
        return int(record.time_done_msc)
    return int(record.time_msc)
