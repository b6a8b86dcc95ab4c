"""The symbols that the simulated broker knows, with a retail broker's usual rules.

Contract sizes, digits, volumes and swaps of the currency pairs and of Bitcoin are
those of a demo account of November 2025; metals and indices are as most brokers have
them. Spreads count only where the feed brings none. A ``--symbols`` file overrides.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from runner.adapters.mt5_simulator import constants as mt5

_CURRENCY_PAIRS: Final = (
    # name, first currency, its name, profit currency, digits, spread, swaps
    ("EURUSD", "Euro", "US Dollar", 5, 12, -7.85, 3.8),
    ("GBPUSD", "Great Britain Pound", "US Dollar", 5, 16, -1.12, -0.79),
    ("USDJPY", "US Dollar", "Japanese Yen", 3, 14, 9.17, -18.95),
    ("AUDUSD", "Australian Dollar", "US Dollar", 5, 14, -1.5, 0.31),
    ("NZDUSD", "New Zealand Dollar", "US Dollar", 5, 18, -3.09, 1.52),
    ("USDCAD", "US Dollar", "Canadian Dollar", 5, 17, 3.36, -9.22),
    ("USDCHF", "US Dollar", "Swiss Franc", 5, 16, 5.58, -13.15),
    ("EURGBP", "Euro", "Great Britain Pound", 5, 15, -8.62, 1.83),
    ("EURJPY", "Euro", "Japanese Yen", 3, 20, 4.1, -13.6),
    ("GBPJPY", "Great Britain Pound", "Japanese Yen", 3, 28, 14.2, -29.5),
    ("EURCHF", "Euro", "Swiss Franc", 5, 20, 1.2, -7.4),
    ("AUDJPY", "Australian Dollar", "Japanese Yen", 3, 24, 5.6, -13.1),
)
_OTHERS: Final = (
    # name, description, path, base, profit, digits, contract, spread, swaps
    ("XAUUSD", "Gold", "Metals", "XAU", "USD", 2, 100.0, 25, -48.0, 22.0),
    ("XAGUSD", "Silver", "Metals", "XAG", "USD", 3, 5000.0, 30, -5.1, 1.9),
    ("US30", "Dow Jones 30", "Indices", "USD", "USD", 1, 1.0, 25, -7.9, 1.1),
    ("US500", "S&P 500", "Indices", "USD", "USD", 1, 1.0, 6, -1.2, 0.2),
    ("NAS100", "Nasdaq 100", "Indices", "USD", "USD", 1, 1.0, 15, -3.9, 0.6),
    ("GER40", "DAX 40", "Indices", "EUR", "EUR", 1, 1.0, 15, -2.9, -0.4),
    ("BTCUSD", "Bitcoin", "Crypto", "BTC", "USD", 2, 1.0, 1712, -23.0, 14.0),
)

_EVERY_FILLING: Final = 3
_EVERY_ORDER: Final = 127
_EVERY_EXPIRATION: Final = 15

COMMON: Final[Mapping[str, Any]] = {
    "chart_mode": mt5.SYMBOL_CHART_MODE_BID,
    "spread_float": True,
    "trade_mode": mt5.SYMBOL_TRADE_MODE_FULL,
    "trade_exemode": mt5.SYMBOL_TRADE_EXECUTION_MARKET,
    "swap_mode": mt5.SYMBOL_SWAP_MODE_POINTS,
    "swap_rollover3days": mt5.DAY_OF_WEEK_WEDNESDAY,
    "expiration_mode": _EVERY_EXPIRATION,
    "filling_mode": _EVERY_FILLING,
    "order_mode": _EVERY_ORDER,
    "order_gtc_mode": mt5.SYMBOL_ORDERS_GTC,
    "volume_min": 0.01,
    "volume_max": 100.0,
    "volume_step": 0.01,
}
"""Fields of `symbol_info` that every symbol starts from; the others are 0 or empty."""


def built_in_symbols() -> dict[str, dict[str, Any]]:
    """Return the static `symbol_info` fields of every built-in symbol, by name."""
    symbols: dict[str, dict[str, Any]] = {}
    for name, first, second, digits, spread, swap_long, swap_short in _CURRENCY_PAIRS:
        symbols[name] = {
            "description": f"{first} vs {second}",
            "path": f"Forex\\{name}",
            "currency_base": name[:3],
            "currency_profit": name[3:],
            "currency_margin": name[:3],
            "digits": digits,
            "spread": spread,
            "trade_calc_mode": mt5.SYMBOL_CALC_MODE_FOREX,
            "trade_contract_size": 100_000.0,
            "swap_long": swap_long,
            "swap_short": swap_short,
        }
    for (
        name,
        description,
        folder,
        base,
        profit,
        digits,
        contract,
        spread,
        swap_long,
        swap_short,
    ) in _OTHERS:
        symbols[name] = {
            "description": description,
            "path": f"{folder}\\{name}",
            "currency_base": base,
            "currency_profit": profit,
            "currency_margin": profit,
            "digits": digits,
            "spread": spread,
            "trade_calc_mode": mt5.SYMBOL_CALC_MODE_CFDLEVERAGE,
            "trade_contract_size": contract,
            "swap_long": swap_long,
            "swap_short": swap_short,
        }
    symbols["BTCUSD"]["swap_mode"] = mt5.SYMBOL_SWAP_MODE_INTEREST_CURRENT
    symbols["BTCUSD"]["swap_rollover3days"] = mt5.DAY_OF_WEEK_FRIDAY
    return symbols
