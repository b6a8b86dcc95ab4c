"""What holding a position over the server's midnight costs or earns."""

from __future__ import annotations

from typing import Final

from runner.adapters.mt5_simulator import constants as mt5
from runner.adapters.mt5_simulator.market import Market
from runner.adapters.mt5_simulator.records import OpenPosition
from runner.adapters.mt5_simulator.symbols import Symbol

_THURSDAY: Final = 4
"""1970-01-01, in MetaTrader's count of weekdays from Sunday = 0."""
_WEEKEND: Final = (mt5.DAY_OF_WEEK_SATURDAY, mt5.DAY_OF_WEEK_SUNDAY)
_BANKING_DAYS: Final = 360


def nights(symbol: Symbol, first: int, last: int) -> int:
    """Return how many swaps fall due between two days of the server.

    Every night from Monday to Friday counts once, the one of the symbol's
    ``swap_rollover3days`` three times, for the weekend.

    Args:
        symbol: What is held.
        first: Days since 1970 of the earlier day.
        last: Days since 1970 of the later day.
    """
    count = 0
    for day in range(first, last):
        weekday = (day + _THURSDAY) % 7
        if weekday == symbol.fields["swap_rollover3days"]:
            count += 3
        elif weekday not in _WEEKEND:
            count += 1
    return count


def swap_of(held: OpenPosition, market: Market) -> float:
    """Return one night's swap in account currency; negative is a cost [D].

    Raises:
        NoRateError: If it cannot be converted.
    """
    symbol = held.symbol
    fields, mode = symbol.fields, symbol.fields["swap_mode"]
    swap: float = fields["swap_long"] if held.is_buy else fields["swap_short"]
    price = held.price_at(symbol.bid, symbol.ask)
    lots, contract = held.volume, symbol.contract_size
    currency = fields["currency_profit"]
    if mode == mt5.SYMBOL_SWAP_MODE_POINTS:
        amount = swap * symbol.point * contract * lots
    elif mode == mt5.SYMBOL_SWAP_MODE_CURRENCY_SYMBOL:
        amount, currency = swap * lots, fields["currency_base"]
    elif mode == mt5.SYMBOL_SWAP_MODE_CURRENCY_MARGIN:
        amount, currency = swap * lots, fields["currency_margin"]
    elif mode == mt5.SYMBOL_SWAP_MODE_CURRENCY_DEPOSIT:
        amount, currency = swap * lots, market.currency
    elif mode == mt5.SYMBOL_SWAP_MODE_INTEREST_CURRENT:
        amount = swap / 100 / _BANKING_DAYS * price * contract * lots
    elif mode == mt5.SYMBOL_SWAP_MODE_INTEREST_OPEN:
        amount = swap / 100 / _BANKING_DAYS * held.price_open * contract * lots
    else:
        return 0.0
    return amount * market.rate(currency, market.currency, is_gain=amount >= 0)
