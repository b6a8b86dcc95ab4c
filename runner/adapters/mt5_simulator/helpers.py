"""The trade helpers that the MetaTrader5 module has in Python: Buy, Sell, Close [W].

They are here so that a bot which uses them runs. `Close` closes every position of a
symbol whatever its magic number, and none of them sets a filling mode.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from runner.adapters.mt5_simulator import constants as mt5
from runner.adapters.mt5_simulator.structs import OrderSendResult
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal

_TRIES: Final = 10
_DEVIATION: Final = 10
_AGAIN: Final = (mt5.TRADE_RETCODE_REQUOTE, mt5.TRADE_RETCODE_PRICE_OFF)


class Helpers:
    """Buy, Sell and Close on one terminal.

    Args:
        terminal: Where they trade.
    """

    def __init__(self, terminal: SimulatedTerminal) -> None:
        self._terminal = terminal

    def raw_order(
        self,
        order_type: int,
        symbol: str,
        volume: float,
        price: float,
        comment: str | None = None,
        ticket: int | None = None,
    ) -> OrderSendResult | None:
        """Send a market order; with *ticket* it closes that position."""
        request: dict[str, Any] = {
            "action": mt5.TRADE_ACTION_DEAL,
            "symbol": symbol,
            "volume": volume,
            "type": order_type,
            "price": price,
            "deviation": _DEVIATION,
        }
        if comment is not None:
            request["comment"] = comment
        if ticket is not None:
            request["position"] = ticket
        return self._terminal.order_send(request)

    def buy(
        self,
        symbol: str,
        volume: float,
        price: float | None = None,
        *,
        comment: str | None = None,
        ticket: int | None = None,
    ) -> OrderSendResult | None:
        """Buy at *price*, or at the market with up to ten tries."""
        return self._send(mt5.ORDER_TYPE_BUY, symbol, volume, price, comment, ticket)

    def sell(
        self,
        symbol: str,
        volume: float,
        price: float | None = None,
        *,
        comment: str | None = None,
        ticket: int | None = None,
    ) -> OrderSendResult | None:
        """Sell at *price*, or at the market with up to ten tries."""
        return self._send(mt5.ORDER_TYPE_SELL, symbol, volume, price, comment, ticket)

    def close(
        self, symbol: str, *, comment: str | None = None, ticket: int | None = None
    ) -> bool | Literal["Partially"] | None:
        """Close every position of *symbol*, or the one with *ticket*.

        Returns:
            True if all are closed, ``"Partially"`` if some, False if none; None if
            the positions cannot be read.
        """
        terminal = self._terminal
        held = (
            terminal.positions_get(symbol=symbol)
            if ticket is None
            else terminal.positions_get(ticket=ticket)
        )
        if held is None:
            return None
        closed = 0
        for position in held:
            is_long = position.type == mt5.POSITION_TYPE_BUY
            result = self._send(
                mt5.ORDER_TYPE_SELL if is_long else mt5.ORDER_TYPE_BUY,
                symbol,
                position.volume,
                None,
                comment,
                position.ticket,
            )
            if result is not None and result.retcode == mt5.TRADE_RETCODE_DONE:
                closed += 1
        if closed == len(held):
            return bool(held)
        return "Partially" if closed else False

    def _send(
        self,
        order_type: int,
        symbol: str,
        volume: float,
        price: float | None,
        comment: str | None,
        ticket: int | None,
    ) -> OrderSendResult | None:
        if price is not None:
            return self.raw_order(order_type, symbol, volume, price, comment, ticket)
        result = None
        for _ in range(_TRIES):
            tick = self._terminal.symbol_info_tick(symbol)
            if tick is None:
                return None
            market = tick.ask if order_type == mt5.ORDER_TYPE_BUY else tick.bid
            result = self.raw_order(order_type, symbol, volume, market, comment, ticket)
            if result is None or result.retcode not in _AGAIN:
                break
        return result
