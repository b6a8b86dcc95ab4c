"""Whose news a symbol minds."""

from __future__ import annotations

from collections.abc import Mapping

from plugins.news_pause.events import EVERY_CURRENCY
from runner import SymbolSpec

_COMMON = frozenset(
    {"AUD", "CAD", "CHF", "CNH", "CNY", "EUR", "GBP", "JPY", "NZD", "USD"}
)
_METALS = ("XAU", "XAG", "XPT", "XPD", "GOLD", "SILVER")
# For brokers that state no currency: how indices and oil are usually spelled.
_BY_NAME = (
    (("US30", "US100", "US500", "US2000", "NAS100", "USTEC", "SPX", "DJ30"), "USD"),
    (("USOIL", "UKOIL", "WTI", "BRENT", "XTI", "XBR"), "USD"),
    (("GER", "DE30", "DE40", "FRA40", "EU50", "EUSTX", "ESP35", "IT40"), "EUR"),
    (("UK100",), "GBP"),
    (("JP225", "JPN225"), "JPY"),
    (("AUS200",), "AUD"),
    (("HK50",), "HKD"),
)


def currencies_of(
    symbol: SymbolSpec, overrides: Mapping[str, tuple[str, ...]]
) -> frozenset[str]:
    """Return the currencies whose news *symbol* minds.

    A pair minds both of its currencies, a metal the dollar too, the offshore yuan the
    onshore one too, anything else the currency of its profit.

    Args:
        symbol: The broker's rules; their currencies count first, the name only where
            they state none.
        overrides: Symbol to currencies; wins over all.

    Returns:
        Capitals; `EVERY_CURRENCY` alone if nothing can be told, so that a symbol that
        nobody knows minds all news.
    """
    stated = overrides.get(symbol.name)
    if stated is not None:
        return frozenset(currency.upper() for currency in stated)
    name = symbol.name.upper()
    base, profit = symbol.currency_base.upper(), symbol.currency_profit.upper()
    found = {base, profit} - {""}
    if not found:
        found = {name[:3], name[3:6]} & _COMMON
    if base in _METALS or name.startswith(_METALS):
        found |= {"USD"}
    for names, currency in _BY_NAME:
        if not found and name.startswith(names):
            found |= {currency}
    if "CNH" in found:
        found |= {"CNY"}
    return frozenset(found) or frozenset({EVERY_CURRENCY})
