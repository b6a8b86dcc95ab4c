"""A twin of the MetaTrader5 module over a simulated terminal.

``import runner.adapters.mt5_simulator as MetaTrader5`` gives the module's functions,
constants and types, over one terminal of this process, `terminal`. Its market is
moved by ``drive(terminal, feed)`` or by ``terminal.quote``; ``terminal.reset`` begins
anew with another account.
"""

from __future__ import annotations

from typing import Final

from runner.adapters.mt5_simulator import driver, structs, symbols
from runner.adapters.mt5_simulator.constants import *  # noqa: F403  # as there
from runner.adapters.mt5_simulator.helpers import Helpers
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal

__version__ = "5.0.6231"
"""The version of the real module whose twin this is [W]."""
__author__ = "MetaQuotes Ltd."
"""As there: programs print it [W]."""

AccountInfo = structs.AccountInfo
BookInfo = structs.BookInfo
OrderCheckResult = structs.OrderCheckResult
OrderSendResult = structs.OrderSendResult
SymbolInfo = structs.SymbolInfo
TerminalInfo = structs.TerminalInfo
Tick = structs.Tick
TradeDeal = structs.TradeDeal
TradeOrder = structs.TradeOrder
TradePosition = structs.TradePosition
TradeRequest = structs.TradeRequest

drive = driver.drive
read_symbols = symbols.read_symbols
with_digits = symbols.with_digits
SymbolsError = symbols.SymbolsError

terminal: Final = SimulatedTerminal()
"""The terminal behind the functions of this module."""
_helpers: Final = Helpers(terminal)

initialize = terminal.initialize
login = terminal.login
shutdown = terminal.shutdown
version = terminal.version
last_error = terminal.last_error
terminal_info = terminal.terminal_info
account_info = terminal.account_info
symbols_total = terminal.symbols_total
symbols_get = terminal.symbols_get
symbol_info = terminal.symbol_info
symbol_info_tick = terminal.symbol_info_tick
symbol_select = terminal.symbol_select
market_book_add = terminal.market_book_add
market_book_get = terminal.market_book_get
market_book_release = terminal.market_book_release
copy_rates_from = terminal.copy_rates_from
copy_rates_from_pos = terminal.copy_rates_from_pos
copy_rates_range = terminal.copy_rates_range
copy_ticks_from = terminal.copy_ticks_from
copy_ticks_range = terminal.copy_ticks_range
orders_total = terminal.orders_total
orders_get = terminal.orders_get
order_calc_margin = terminal.order_calc_margin
order_calc_profit = terminal.order_calc_profit
order_check = terminal.order_check
order_send = terminal.order_send
positions_total = terminal.positions_total
positions_get = terminal.positions_get
history_orders_total = terminal.history_orders_total
history_orders_get = terminal.history_orders_get
history_deals_total = terminal.history_deals_total
history_deals_get = terminal.history_deals_get
Buy = _helpers.buy
Sell = _helpers.sell
Close = _helpers.close
_RawOrder = _helpers.raw_order
