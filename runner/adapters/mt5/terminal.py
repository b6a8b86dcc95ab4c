"""What this adapter asks of the MetaTrader5 module: its functions and constants.

The real module and the simulated terminal fulfil `Terminal` alike. The constants are
fixed by the platform's protocol, so they are written once here and pure code can use
them without a terminal; a test compares them with the simulated terminal's.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from runner.adapters.mt5.structs import (
    AccountInfo,
    OrderSendResult,
    SymbolInfo,
    TerminalInfo,
    TickInfo,
    TradeDeal,
    TradeOrder,
    TradePosition,
)
from runner.core.market import Timeframe

Rates = npt.NDArray[np.void]
"""Structured rows (time, open, high, low, close, tick_volume, spread, real_volume)."""


class Terminal(Protocol):
    """The functions of the MetaTrader5 module that are used, and nothing else.

    Positional-only parameters are positional-only in the module too.
    """

    def initialize(self, path: str = ..., /, **options: Any) -> bool:
        """Connect to the terminal, starting it if a path is given."""
        ...

    def shutdown(self) -> Any:
        """Let go of the terminal."""
        ...

    def last_error(self) -> tuple[int, str]:
        """Return code and text of the last call; every other call resets it."""
        ...

    def terminal_info(self) -> TerminalInfo | None:
        """Return the terminal's state and switches."""
        ...

    def account_info(self) -> AccountInfo | None:
        """Return the account that the terminal is on."""
        ...

    def symbols_get(self, *, group: str) -> tuple[SymbolInfo, ...] | bool | None:
        """Return the symbols whose names match *group*."""
        ...

    def symbol_info(self, symbol: str, /) -> SymbolInfo | None:
        """Return a symbol's rules."""
        ...

    def symbol_info_tick(self, symbol: str, /) -> TickInfo | None:
        """Return a symbol's last quote."""
        ...

    def symbol_select(self, symbol: str, enable: bool, /) -> bool:
        """Put a symbol into Market Watch."""
        ...

    def copy_rates_from_pos(
        self, symbol: str, timeframe: int, start_pos: int, count: int, /
    ) -> Rates | None:
        """Return bars counted back from the forming one, oldest first."""
        ...

    def positions_get(
        self, *, symbol: str = ..., ticket: int = ...
    ) -> tuple[TradePosition, ...] | None:
        """Return open positions."""
        ...

    def orders_get(
        self, *, symbol: str = ..., ticket: int = ...
    ) -> tuple[TradeOrder, ...] | None:
        """Return working orders."""
        ...

    def history_orders_get(
        self, *dates: int, ticket: int = ...
    ) -> tuple[TradeOrder, ...] | None:
        """Return done orders of a span of the server's clock, or one of them."""
        ...

    def history_deals_get(
        self, *dates: int, ticket: int = ..., position: int = ...
    ) -> tuple[TradeDeal, ...] | None:
        """Return deals of a span of the server's clock, one deal, or a position's."""
        ...

    def order_send(self, request: dict[str, Any], /) -> OrderSendResult | None:
        """Send a trade request. Exactly one positional dict: see execution.py."""
        ...


TIMEFRAMES = {
    Timeframe.M1: 1,
    Timeframe.M2: 2,
    Timeframe.M3: 3,
    Timeframe.M4: 4,
    Timeframe.M5: 5,
    Timeframe.M6: 6,
    Timeframe.M10: 10,
    Timeframe.M12: 12,
    Timeframe.M15: 15,
    Timeframe.M20: 20,
    Timeframe.M30: 30,
    Timeframe.H1: 16385,
    Timeframe.H2: 16386,
    Timeframe.H3: 16387,
    Timeframe.H4: 16388,
    Timeframe.H6: 16390,
    Timeframe.H8: 16392,
    Timeframe.H12: 16396,
    Timeframe.D1: 16408,
    Timeframe.W1: 32769,
    Timeframe.MN1: 49153,
}
"""``TIMEFRAME_*`` by our own names."""

RES_S_OK = 1
RES_E_FAIL = -1
RES_E_INVALID_PARAMS = -2
RES_E_NOT_FOUND = -4
RES_E_INVALID_VERSION = -5
RES_E_AUTH_FAILED = -6
RES_E_UNSUPPORTED = -7
RES_E_AUTO_TRADING_DISABLED = -8
RES_E_INTERNAL_FAIL = -10000
RES_E_INTERNAL_FAIL_CONNECT = -10004

ACCOUNT_TRADE_MODE_DEMO = 0
ACCOUNT_TRADE_MODE_CONTEST = 1
ACCOUNT_MARGIN_MODE_RETAIL_HEDGING = 2

SYMBOL_TRADE_MODE_DISABLED = 0
SYMBOL_TRADE_MODE_CLOSEONLY = 3
SYMBOL_TRADE_EXECUTION_MARKET = 2
SYMBOL_TRADE_EXECUTION_EXCHANGE = 3

SYMBOL_FILLING_FOK = 1
"""A bit of ``symbol_info().filling_mode``; the module does not name it."""
SYMBOL_FILLING_IOC = 2
"""A bit of ``symbol_info().filling_mode``; the module does not name it."""

TRADE_ACTION_DEAL = 1
TRADE_ACTION_PENDING = 5
TRADE_ACTION_SLTP = 6
TRADE_ACTION_REMOVE = 8

ORDER_TYPE_BUY = 0
ORDER_TYPE_SELL = 1
ORDER_TYPE_BUY_LIMIT = 2
ORDER_TYPE_SELL_LIMIT = 3
ORDER_TYPE_BUY_STOP = 4
ORDER_TYPE_SELL_STOP = 5
ORDER_TYPE_BUY_STOP_LIMIT = 6
ORDER_TYPE_SELL_STOP_LIMIT = 7
ORDER_TIME_GTC = 0
ORDER_TIME_DAY = 1
ORDER_TIME_SPECIFIED = 2
ORDER_FILLING_FOK = 0
ORDER_FILLING_IOC = 1
ORDER_FILLING_RETURN = 2
ORDER_STATE_CANCELED = 2
ORDER_STATE_REJECTED = 5
ORDER_STATE_EXPIRED = 6

POSITION_TYPE_BUY = 0

DEAL_TYPE_BUY = 0
DEAL_TYPE_SELL = 1
DEAL_TYPE_BALANCE = 2
DEAL_TYPE_CREDIT = 3
DEAL_TYPE_CORRECTION = 5
DEAL_TYPE_BONUS = 6
DEAL_ENTRY_IN = 0
DEAL_ENTRY_OUT = 1
DEAL_ENTRY_INOUT = 2
DEAL_REASON_EXPERT = 3
DEAL_REASON_SL = 4
DEAL_REASON_TP = 5
DEAL_REASON_SO = 6
