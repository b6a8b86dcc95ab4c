"""The simulated market: symbols, quotes, time, and what amounts of money are worth."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from runner.adapters.mt5_simulator import constants as mt5
from runner.adapters.mt5_simulator.symbols import Symbol, resolve_symbols
from runner.core.server_time import ServerZone

_log = logging.getLogger("mt5runner.simulator")

_PAIRS: Final = frozenset(
    {mt5.SYMBOL_CALC_MODE_FOREX, mt5.SYMBOL_CALC_MODE_FOREX_NO_LEVERAGE}
)
_FUTURES: Final = frozenset(
    {mt5.SYMBOL_CALC_MODE_FUTURES, mt5.SYMBOL_CALC_MODE_EXCH_FUTURES}
)
_LEVERAGED: Final = frozenset(
    {mt5.SYMBOL_CALC_MODE_FOREX, mt5.SYMBOL_CALC_MODE_CFDLEVERAGE}
)
_CENTS: Final = 2


class NoRateError(Exception):
    """There is no quote with which one currency could be converted to another."""


class Market:
    """Every symbol with its latest quote, at one moment of the server's clock.

    Args:
        symbols: Overrides of the built-in symbols and further ones.
        zone: The server's wall clock.
        currency: What profit and margin are converted to.
        leverage: 100 stands for 1:100.
        limit: Bars and ticks remembered per symbol, at least.
        usual_sessions: Whether symbols without sessions have those of their folder.
    """

    def __init__(
        self,
        symbols: Mapping[str, Mapping[str, Any]],
        zone: ServerZone,
        currency: str,
        leverage: int,
        limit: int,
        usual_sessions: bool,
    ) -> None:
        resolved = resolve_symbols(symbols, usual_sessions=usual_sessions)
        self.symbols = {
            name: Symbol(name, fields, limit) for name, fields in resolved.items()
        }
        self.zone = zone
        self.currency = currency
        self.leverage = leverage
        self.time_msc = 0
        """The newest quote's time on the server's wall clock; 0 before the first."""
        self.is_closed = False
        """Whether the market is over for good, since its feed has ended."""
        self.revision = 0
        """Goes up with every quote."""
        self._routes: dict[tuple[str, str], list[tuple[Symbol, bool]]] = {}
        self._missing: set[tuple[str, str]] = set()

    @property
    def time(self) -> int:
        """The server's wall clock in seconds."""
        return self.time_msc // 1000

    def is_open(self, symbol: Symbol) -> bool:
        """Say whether *symbol* is traded now: orders are taken, levels are filled."""
        return not self.is_closed and symbol.is_traded_at(self.time_msc // 1000)

    def set_quote(self, symbol: Symbol, time_msc: int, bid: float, ask: float) -> None:
        """Take a quote; the market's time follows it.

        It never goes back: in the hour that the server's clock repeats in autumn it
        stands still.
        """
        if time_msc > self.time_msc:  # noqa: PLR1730  # half of what max() costs
            self.time_msc = time_msc
        symbol.set_quote(self.time_msc, bid, ask)
        self.revision += 1

    def profit(
        self, symbol: Symbol, is_buy: bool, volume: float, opened: float, closed: float
    ) -> float:
        """Return a position's profit in account currency.

        Args:
            symbol: What is held.
            is_buy: Whether the position is long.
            volume: In lots.
            opened: Price.
            closed: Price.

        Raises:
            NoRateError: If the profit cannot be converted.
        """
        gained = closed - opened if is_buy else opened - closed
        if symbol.calc_mode in _FUTURES:
            gained *= symbol.fields["trade_tick_value"] / symbol.tick_size
        else:
            gained *= symbol.contract_size
        gained *= volume
        rate = self.rate(symbol.fields["currency_profit"], self.currency, gained >= 0)
        return round(gained * rate, _CENTS)

    def margin(
        self, symbol: Symbol, is_buy: bool, volume: float, price: float
    ) -> float:
        """Return the margin of a position in account currency [D].

        Args:
            symbol: What is held.
            is_buy: Whether the position is long.
            volume: In lots.
            price: Price at which it is opened.

        Raises:
            NoRateError: If the margin cannot be converted.
        """
        fields, mode = symbol.fields, symbol.calc_mode
        fixed: float = fields["margin_initial"]
        if mode in _FUTURES:
            amount = volume * fixed
        elif fixed:
            amount = volume * fixed / (self.leverage if mode in _LEVERAGED else 1)
        else:
            amount = volume * symbol.contract_size
            if mode in _LEVERAGED:
                amount /= self.leverage
            if mode == mt5.SYMBOL_CALC_MODE_CFDINDEX:
                amount *= price * fields["trade_tick_value"] / symbol.tick_size
            elif mode not in _PAIRS:
                amount *= price
        if (
            mode in _PAIRS
            and fields["currency_margin"] == fields["currency_base"]
            and fields["currency_profit"] == self.currency
        ):
            rate = price
        else:
            rate = self.rate(fields["currency_margin"], self.currency, is_gain=False)
        return round(amount * symbol.margin_rate * rate, _CENTS)

    def tick_values(self, symbol: Symbol) -> tuple[float, float]:
        """Return what one tick of one lot gains and loses, in account currency.

        Both are 0.0 while there is no quote to convert with.
        """
        if symbol.calc_mode in _FUTURES:
            value = symbol.fields["trade_tick_value"]
        else:
            value = symbol.tick_size * symbol.contract_size
        currency = symbol.fields["currency_profit"]
        try:
            return (
                value * self.rate(currency, self.currency, is_gain=True),
                value * self.rate(currency, self.currency, is_gain=False),
            )
        except NoRateError:
            return 0.0, 0.0

    def rate(self, source: str, target: str, is_gain: bool) -> float:
        """Return what one unit of *source* is worth in *target*.

        A gain is sold, at the bid of ``SOURCETARGET`` or at one by the ask of
        ``TARGETSOURCE``; a loss is bought. Other currencies stand between if needed.

        Raises:
            NoRateError: If no chain of quoted pairs leads from one to the other.
        """
        if source == target:
            return 1.0
        rate = 1.0
        for symbol, is_direct in self._route(source, target):
            if is_direct:
                rate *= symbol.bid if is_gain else symbol.ask
            else:
                rate /= symbol.ask if is_gain else symbol.bid
        return rate

    def _route(self, source: str, target: str) -> list[tuple[Symbol, bool]]:
        route = self._routes.get((source, target))
        if route is None:
            route = self._shortest_route(source, target)
            self._routes[source, target] = route
        return route

    def _shortest_route(self, source: str, target: str) -> list[tuple[Symbol, bool]]:
        edges: dict[str, list[tuple[str, Symbol, bool]]] = {}
        for symbol in self.symbols.values():
            if symbol.calc_mode in _PAIRS and symbol.is_quoted:
                base = symbol.fields["currency_base"]
                profit = symbol.fields["currency_profit"]
                edges.setdefault(base, []).append((profit, symbol, True))
                edges.setdefault(profit, []).append((base, symbol, False))
        routes: dict[str, list[tuple[Symbol, bool]]] = {source: []}
        waiting = deque([source])
        while waiting:
            here = waiting.popleft()
            for there, symbol, is_direct in edges.get(here, ()):
                if there not in routes:
                    routes[there] = [*routes[here], (symbol, is_direct)]
                    waiting.append(there)
        if target in routes:
            return routes[target]
        if (source, target) not in self._missing:
            self._missing.add((source, target))
            _log.warning(
                "no quote converts %s to %s: feed %s%s, or give its bid and ask in "
                "the symbols file; orders that need it are refused",
                source,
                target,
                source,
                target,
            )
        raise NoRateError(f"no quote converts {source} to {target}")
