"""Whose news a symbol minds."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from plugins.news_pause.events import EVERY_CURRENCY

_NO_OVERRIDES: Mapping[str, tuple[str, ...]] = MappingProxyType({})
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
    name: str,
    stated: tuple[str, ...] = (),
    overrides: Mapping[str, tuple[str, ...]] = _NO_OVERRIDES,
) -> frozenset[str]:
    """Return the currencies whose news a symbol minds.

    A pair minds both of its currencies, a metal the dollar too, the offshore yuan the
    onshore one too, anything else the currency of its profit.

    Args:
        name: The broker's spelling; read only where *stated* says nothing.
        stated: The broker's currencies of the symbol: base and profit.
        overrides: Symbol to currencies; wins over all.

    Returns:
        Capitals; `EVERY_CURRENCY` alone if nothing can be told, so that a symbol that
        nobody knows minds all news.
    """
    if name in overrides:
        return frozenset(currency.upper() for currency in overrides[name])
    name = name.upper()
    found = {currency.upper() for currency in stated if currency}
    if not found:
        found = {name[:3], name[3:6]} & _COMMON
    if name.startswith(_METALS) or not found.isdisjoint(_METALS):
        found |= {"USD"}
    for names, currency in _BY_NAME:
        if not found and name.startswith(names):
            found |= {currency}
    if "CNH" in found:
        found |= {"CNY"}
    return frozenset(found) or frozenset({EVERY_CURRENCY})
