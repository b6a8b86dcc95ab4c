"""What went wrong, in the words of the MetaTrader5 module.

Two vocabularies: the code and text of `last_error`, for calls that failed [W], and
the return code and comment of a trade request that was answered. Of the comments
only "Done", "Request executed", "Invalid stops" and "Invalid price" are verified on
a live terminal [F]; the others are the terminal's usual words [K].
"""

from __future__ import annotations

from typing import Final

from runner.adapters.mt5_simulator import constants as mt5

SUCCESS: Final[tuple[int, str]] = (mt5.RES_S_OK, "Success")
NO_CONNECTION: Final[tuple[int, str]] = (
    mt5.RES_E_INTERNAL_FAIL_CONNECT,
    "No IPC connection",
)

TEXTS: Final = {
    mt5.RES_E_FAIL: "Terminal: Call failed",
    mt5.RES_E_INVALID_PARAMS: "Terminal: Invalid params",
    mt5.RES_E_NO_MEMORY: "Terminal: Out of memory",
    mt5.RES_E_NOT_FOUND: "Terminal: Not found",
    mt5.RES_E_INVALID_VERSION: (
        "Terminal: Incompatible versions, please install the latest version of "
        "Terminal and Python module"
    ),
    mt5.RES_E_AUTH_FAILED: "Terminal: Authorization failed",
    mt5.RES_E_UNSUPPORTED: "Terminal: Unsupported function",
    mt5.RES_E_AUTO_TRADING_DISABLED: (
        "Auto-Trading using Python API disabled in Terminal"
    ),
    mt5.RES_E_INTERNAL_FAIL: "IPC call failed",
    mt5.RES_E_INTERNAL_FAIL_SEND: "IPC send failed",
    mt5.RES_E_INTERNAL_FAIL_RECEIVE: "IPC recv failed",
    mt5.RES_E_INTERNAL_FAIL_INIT: ("IPC initialize failed, MetaTrader 5 x64 not found"),
    mt5.RES_E_INTERNAL_FAIL_CONNECT: "No IPC connection",
    mt5.RES_E_INTERNAL_FAIL_TIMEOUT: "IPC timeout",
}
"""Code of `last_error` to its usual text."""


class CallFailedError(Exception):
    """A call fails: it returns None or False, and `last_error` says this."""

    def __init__(self, code: int, text: str | None = None) -> None:
        self.code = code
        self.text = TEXTS[code] if text is None else text
        super().__init__(f"{self.code}: {self.text}")


HEDGE_PROHIBITED: Final = 10046
"""Exists in MQL5, not as a constant of the module [W]."""

COMMENTS: Final = {
    0: "Done",
    mt5.TRADE_RETCODE_REQUOTE: "Requote",
    mt5.TRADE_RETCODE_REJECT: "Rejected",
    mt5.TRADE_RETCODE_CANCEL: "Canceled",
    mt5.TRADE_RETCODE_PLACED: "Order placed",
    mt5.TRADE_RETCODE_DONE: "Request executed",
    mt5.TRADE_RETCODE_DONE_PARTIAL: "Request executed partially",
    mt5.TRADE_RETCODE_ERROR: "Request processing error",
    mt5.TRADE_RETCODE_TIMEOUT: "Request timed out",
    mt5.TRADE_RETCODE_INVALID: "Invalid request",
    mt5.TRADE_RETCODE_INVALID_VOLUME: "Invalid volume",
    mt5.TRADE_RETCODE_INVALID_PRICE: "Invalid price",
    mt5.TRADE_RETCODE_INVALID_STOPS: "Invalid stops",
    mt5.TRADE_RETCODE_TRADE_DISABLED: "Trade disabled",
    mt5.TRADE_RETCODE_MARKET_CLOSED: "Market closed",
    mt5.TRADE_RETCODE_NO_MONEY: "No money",
    mt5.TRADE_RETCODE_PRICE_CHANGED: "Price changed",
    mt5.TRADE_RETCODE_PRICE_OFF: "No prices",
    mt5.TRADE_RETCODE_INVALID_EXPIRATION: "Invalid expiration",
    mt5.TRADE_RETCODE_ORDER_CHANGED: "Order changed",
    mt5.TRADE_RETCODE_TOO_MANY_REQUESTS: "Too many requests",
    mt5.TRADE_RETCODE_NO_CHANGES: "No changes",
    mt5.TRADE_RETCODE_SERVER_DISABLES_AT: "AutoTrading disabled by server",
    mt5.TRADE_RETCODE_CLIENT_DISABLES_AT: "AutoTrading disabled by client",
    mt5.TRADE_RETCODE_LOCKED: "Request locked",
    mt5.TRADE_RETCODE_FROZEN: "Order or position frozen",
    mt5.TRADE_RETCODE_INVALID_FILL: "Unsupported filling mode",
    mt5.TRADE_RETCODE_CONNECTION: "No connection",
    mt5.TRADE_RETCODE_ONLY_REAL: "Only for real accounts",
    mt5.TRADE_RETCODE_LIMIT_ORDERS: "Orders limit reached",
    mt5.TRADE_RETCODE_LIMIT_VOLUME: "Volume limit reached",
    mt5.TRADE_RETCODE_INVALID_ORDER: "Invalid order",
    mt5.TRADE_RETCODE_POSITION_CLOSED: "Position doesn't exist",
    mt5.TRADE_RETCODE_INVALID_CLOSE_VOLUME: "Invalid close volume",
    mt5.TRADE_RETCODE_CLOSE_ORDER_EXIST: "Close order already exists",
    mt5.TRADE_RETCODE_LIMIT_POSITIONS: "Positions limit reached",
    mt5.TRADE_RETCODE_REJECT_CANCEL: "Rejected and canceled",
    mt5.TRADE_RETCODE_LONG_ONLY: "Only long positions are allowed",
    mt5.TRADE_RETCODE_SHORT_ONLY: "Only short positions are allowed",
    mt5.TRADE_RETCODE_CLOSE_ONLY: "Only position closing is allowed",
    mt5.TRADE_RETCODE_FIFO_CLOSE: "Position closing by FIFO rule only",
    HEDGE_PROHIBITED: "Hedge is prohibited",
}
"""Return code of a trade request to the comment of its answer."""


class RefusedError(Exception):
    """A trade request is answered with a return code that is not success."""

    def __init__(self, retcode: int) -> None:
        self.retcode = retcode
        super().__init__(f"{retcode}: {COMMENTS[retcode]}")
