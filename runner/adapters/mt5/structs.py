"""The fields that are read from the module's result structures.

Times are the server's wall clock: ``time`` in seconds, ``time_msc`` in milliseconds.
"""

from __future__ import annotations

from typing import Protocol


class TickInfo(Protocol):
    """One quote; the module calls it ``Tick``."""

    time: int
    time_msc: int
    bid: float
    ask: float


class SymbolInfo(Protocol):
    """The rules of a symbol."""

    name: str
    digits: int
    point: float
    trade_tick_size: float
    trade_tick_value: float
    trade_contract_size: float
    volume_min: float
    volume_max: float
    volume_step: float
    volume_limit: float
    trade_stops_level: int
    trade_freeze_level: int
    trade_mode: int
    trade_exemode: int
    filling_mode: int
    order_mode: int
    expiration_mode: int
    currency_base: str
    currency_profit: str
    currency_margin: str


class AccountInfo(Protocol):
    """The account that the terminal is on."""

    login: int
    server: str
    currency: str
    balance: float
    equity: float
    credit: float
    margin: float
    margin_free: float
    leverage: int
    margin_mode: int
    trade_mode: int
    trade_allowed: bool
    trade_expert: bool


class TerminalInfo(Protocol):
    """The terminal's state and switches."""

    connected: bool
    trade_allowed: bool
    tradeapi_disabled: bool
    maxbars: int


class TradePosition(Protocol):
    """An open position."""

    ticket: int
    identifier: int
    symbol: str
    type: int
    volume: float
    time_msc: int
    price_open: float
    sl: float
    tp: float
    profit: float
    swap: float
    magic: int
    comment: str


class TradeOrder(Protocol):
    """A working order, or a done one."""

    ticket: int
    position_id: int
    symbol: str
    type: int
    state: int
    time_setup_msc: int
    volume_current: float
    price_open: float
    sl: float
    tp: float
    magic: int
    comment: str


class TradeDeal(Protocol):
    """An executed deal, or a balance operation."""

    ticket: int
    order: int
    position_id: int
    symbol: str
    type: int
    entry: int
    reason: int
    volume: float
    price: float
    time_msc: int
    profit: float
    swap: float
    commission: float
    fee: float
    magic: int
    comment: str


class OrderSendResult(Protocol):
    """The answer to a trade request."""

    retcode: int
    deal: int
    order: int
    volume: float
    price: float
    comment: str
