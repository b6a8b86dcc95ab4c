"""Values with sensible fields, each of which a test may set."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar

import attrs

from runner.core.account import Account
from runner.core.market import Bar, SymbolSpec, Timeframe
from runner.core.settings import RiskConfig, TradeConfig, TradeSettings
from runner.plugin import Plugin, PluginState
from runner.testing.doubles import MemoryState

P = TypeVar("P", bound=Plugin)

START = datetime(2024, 1, 1, tzinfo=UTC)
"""When made bars begin: a Monday."""

_BARE_FIELDS = 6  # letters of a currency pair


def make_symbol(name: str = "EURUSD", **changes: Any) -> SymbolSpec:
    """Make the rules of a symbol as brokers usually state them, for a USD account.

    Gold has two decimals and 100 ounces a lot, yen pairs three decimals and a tick
    value of 0.67 USD, anything else five decimals and 100,000 units.

    Args:
        name: The broker's spelling.
        **changes: Fields of `SymbolSpec` to set.
    """
    fields: dict[str, Any] = {
        "name": name,
        "digits": 5,
        "point": 0.00001,
        "tick_size": 0.00001,
        "tick_value": 1.0,
        "contract_size": 100_000.0,
        "volume_min": 0.01,
        "volume_max": 100.0,
        "volume_step": 0.01,
    }
    if name.startswith("XAU"):
        fields |= {
            "digits": 2,
            "point": 0.01,
            "tick_size": 0.01,
            "contract_size": 100.0,
        }
    elif name[3:6] == "JPY":
        fields |= {"digits": 3, "point": 0.001, "tick_size": 0.001, "tick_value": 0.67}
    if len(name) >= _BARE_FIELDS:
        fields |= {
            "currency_base": name[:3],
            "currency_profit": name[3:6],
            "currency_margin": name[:3],
        }
    return SymbolSpec(**fields | changes)


def make_account(balance: float = 10_000.0, **changes: Any) -> Account:
    """Make a reading of an account; equity is the balance unless it is given.

    Args:
        balance: In account currency.
        **changes: Fields of `Account` to set.
    """
    fields: dict[str, Any] = {
        "login": 123456,
        "server": "Test-Demo",
        "currency": "USD",
        "balance": balance,
        "equity": balance,
        "margin_free": changes.get("equity", balance),
    }
    return Account(**fields | changes)


def make_trade_config(**changes: Any) -> TradeConfig:
    """Make a trade config that lets everything trade.

    Args:
        **changes: Fields of `TradeConfig`, `TradeSettings` or `RiskConfig` to set, by
            their own names: ``make_trade_config(lot_size=0.1)``.
    """
    trade = TradeSettings(enabled_symbols=("EURUSD", "XAUUSD"), lot_size=0.1)
    risk = RiskConfig()
    for part, into in ((trade, "trade_config"), (risk, "risk_config")):
        own = {
            field.name: changes.pop(field.name)
            for field in attrs.fields(type(part))
            if field.name in changes
        }
        changes.setdefault(into, attrs.evolve(part, **own))
    fields: dict[str, Any] = {
        "version": 1,
        "bot_status": "ACTIVE",
        "account_status": "ACTIVE",
        "subscription_status": "ACTIVE",
        "active_bot_id": 1,
    }
    return TradeConfig(**fields | changes)


def make_bars(
    prices: Iterable[float | tuple[float, float, float, float]],
    *,
    symbol: str = "EURUSD",
    timeframe: Timeframe = Timeframe.H1,
    start: datetime = START,
    spread: int = 0,
) -> list[Bar]:
    """Make bars that follow each other without gaps in time.

    Args:
        prices: A close each, or open, high, low and close each. A bar of which only
            the close is given opens at the close before it.
        symbol: The broker's spelling.
        timeframe: The bars' length.
        start: When the first one opens, UTC-aware.
        spread: Of every bar, in points.
    """
    bars: list[Bar] = []
    for price in prices:
        if isinstance(price, tuple):
            open_, high, low, close = price
        else:
            open_, close = bars[-1].close if bars else price, price
            high, low = max(open_, close), min(open_, close)
        opens_at = start + len(bars) * timeframe.duration
        bars.append(
            Bar(
                symbol=symbol,
                timeframe=timeframe,
                opens_at=opens_at,
                open=open_,
                high=high,
                low=low,
                close=close,
                spread=spread,
            )
        )
    return bars


def make_plugin(cls: type[P], state: PluginState | None = None, **settings: Any) -> P:
    """Make an instance of a plugin class, as the host would.

    Args:
        cls: The class.
        state: Its durable values; None for new ones in memory.
        **settings: Of its settings class.
    """
    values = MemoryState() if state is None else state
    return cls(cls.Settings(**settings), values)
