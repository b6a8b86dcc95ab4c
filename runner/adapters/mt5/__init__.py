"""Market data and orders over a MetaTrader 5 terminal, real or simulated."""

from __future__ import annotations

from runner.adapters.mt5.adapter import MT5Adapter
from runner.adapters.mt5.settings import MT5Settings
from runner.adapters.mt5.symbols import SymbolError
from runner.adapters.mt5.terminal import Terminal

__all__ = ["MT5Adapter", "MT5Settings", "SymbolError", "Terminal"]
