"""The news guard: keeps what is known fresh, denies entries, demands exits."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

import attrs

from plugins.news_pause.almanac import Almanac
from plugins.news_pause.currencies import currencies_of
from plugins.news_pause.events import EVERY_CURRENCY, Calendar
from plugins.news_pause.exits import closing_window, demands, judged, protections
from plugins.news_pause.learned import Learned
from plugins.news_pause.report import summary
from plugins.news_pause.settings import NewsPauseSettings, OnEnter, WhenUnknown
from plugins.news_pause.source import Delivery, Source
from plugins.news_pause.sources import make_sources
from plugins.news_pause.windows import Periods, Window, periods_for
from runner import (
    Account,
    Action,
    Demand,
    Deny,
    NewsEvent,
    OrderIntent,
    OrderRequest,
    PendingOrder,
    Plugin,
    PluginState,
    Position,
    SymbolSpec,
    TradeConfig,
    hookimpl,
)

log = logging.getLogger("mt5runner.plugins.news_pause")

_PLUGIN = "plugin"
_JUDGED = "judged"


@attrs.frozen(slots=True)
class _Known:
    stated: tuple[str, ...]
    calendar: Calendar
    periods: Periods


class NewsPause(Plugin):
    """Stops entries around news, in the symbols that the news is about."""

    Settings = NewsPauseSettings
    settings: NewsPauseSettings

    def __init__(
        self,
        settings: NewsPauseSettings,
        state: PluginState,
        make: Callable[[NewsPauseSettings], Mapping[str, Source]] = make_sources,
    ) -> None:
        super().__init__(settings, state)
        before, after = settings.reach
        self._almanac = Almanac(settings.sources, state, before=before, after=after)
        self._sources = {
            name: Learned(name, source, state)
            for name, source in make(settings).items()
        }
        self._known: dict[str, _Known] = {}
        self._stated: dict[str, tuple[str, ...]] = {}
        self._symbols: tuple[str, ...] = ()
        self._judged = _tickets(state.get(_JUDGED))
        self._conflicts: set[tuple[str, datetime]] = set()
        self._is_on = False
        self._has_warned = False

    @hookimpl
    def on_trade_config_applied(self, config: TradeConfig, now: datetime) -> None:
        """Follow the server's switch; who is switched off asks no website."""
        self._is_on = config.trade_config.auto_pause_on_news
        self._symbols = config.trade_config.enabled_symbols
        for source in self._sources.values():
            if self._is_on:
                source.start()
            else:
                source.stop()
        if not self._is_on:
            return
        self._look(now)
        if not self._is_configured and not self._has_warned:
            self._has_warned = True
            log.warning(
                "the server asks for a pause around news, but there is no calendar: "
                "entries go on through all news; set plugins.news_pause.sources"
            )

    @hookimpl
    def on_calendar_changed(self, events: Sequence[NewsEvent], now: datetime) -> None:
        """Take over what another plugin knows."""
        if _PLUGIN in self.settings.sources:
            self._almanac.take(_PLUGIN, Delivery(Calendar.of(events)))

    @hookimpl
    def on_stopping(self, reason: str, now: datetime) -> None:
        """Ask nobody any more."""
        for source in self._sources.values():
            source.stop()

    # -- entries -----------------------------------------------------------------------
    @hookimpl
    def check_symbol(
        self, symbol: SymbolSpec, config: TradeConfig, now: datetime
    ) -> Deny | None:
        """Deny entries inside a window, or when the week's news is unknown."""
        if not config.trade_config.auto_pause_on_news:
            return None
        self._look(now)
        if not self._is_configured:
            return None
        self._learn(symbol)
        periods = self._periods(symbol.name, now)
        if periods is None:
            if self.settings.when_unknown is WhenUnknown.BLOCK:
                return Deny("NEWS_UNKNOWN", self._almanac.unknown(now))
            return None
        window = periods.entries.at(now)
        return None if window is None else Deny("NEWS_WINDOW", str(window))

    # -- exits -------------------------------------------------------------------------
    @hookimpl
    def check_order(
        self,
        intent: OrderIntent,
        symbol: SymbolSpec,
        config: TradeConfig,
        now: datetime,
    ) -> Deny | None:
        """Deny a strategy's closing where a firm forbids that, too."""
        if intent.action is not Action.CLOSE:
            return None
        if not config.trade_config.auto_pause_on_news:
            return None
        self._learn(symbol)
        window = self._holding(symbol.name, now)
        return None if window is None else Deny("NEWS_NO_EXIT", str(window))

    @hookimpl
    def demand_exits(
        self,
        positions: Sequence[Position],
        orders: Sequence[PendingOrder],
        magics: Collection[int],
        symbols: Mapping[str, SymbolSpec],
        config: TradeConfig,
        now: datetime,
    ) -> Demand | None:
        """Demand what the settings say about what is open when a window comes."""
        for symbol in symbols.values():
            self._learn(symbol)
        acts = self.settings.closes or self.settings.cancel_pendings
        if not acts or not config.trade_config.auto_pause_on_news:
            return None
        self._look(now)
        if self._almanac.at(now) is None:
            # Right after a start no quote tells the time: what was judged stands.
            return None
        windows: list[Window] = []
        concerned: list[Position] = []
        cancel: list[PendingOrder] = []
        for position in positions:
            periods = self._own(position, magics, now)
            if periods and (window := closing_window(periods, now)):
                windows.append(window)
                concerned.append(position)
        for order in orders:
            periods = self._own(order, magics, now)
            if periods and (window := periods.cancelling.at(now)):
                windows.append(window)
                cancel.append(order)
        action = self.settings.on_enter_window
        self._judge(action, concerned)
        protect = protections(concerned) if action is OnEnter.BREAKEVEN else {}
        return demands(windows, self._judged, protect, cancel)

    @hookimpl
    def on_order_sent(self, request: OrderRequest, now: datetime) -> None:
        """Tell of a risk exit that goes against the firm's rule: risk goes first."""
        if not self._is_on or request.action is not Action.CLOSE:
            return
        window = self._holding(request.symbol, now)
        if window is None or (request.symbol, window.start) in self._conflicts:
            return
        self._conflicts.add((request.symbol, window.start))
        log.warning(
            "%s closes %s inside a news window in which nothing should be closed (%s): "
            "risk goes first",
            request.strategy,
            request.symbol,
            window,
        )

    # -- status ------------------------------------------------------------------------
    @hookimpl
    def describe_status(self, account: Account, now: datetime) -> Mapping[str, str]:
        """Report what is known: the windows that hold, or the next one."""
        if self._is_on:
            self._look(now)
        state = self._state(now)
        if self._is_on and self._almanac.problem:
            state["problem"] = self._almanac.problem
        return {"news": json.dumps(state)}

    def _state(self, now: datetime) -> dict[str, Any]:
        if not self._is_on:
            return {"state": "OFF"}
        if not self._is_configured:
            return {"state": "NO_CALENDAR"}
        if self._almanac.at(now) is None:
            return {
                "state": "UNKNOWN",
                "reason": self._almanac.unknown(now),
                "when_unknown": self.settings.when_unknown.value,
            }
        told = filter(self._is_told, self._symbols)
        found = {name: self._periods(name, now) for name in told}
        return summary(
            {name: each.entries for name, each in found.items() if each is not None},
            now,
        )

    # -- what is known -----------------------------------------------------------------
    @property
    def _is_configured(self) -> bool:
        # Who names sources wants one; by default only what is really there counts.
        return bool(self._sources) or self._almanac.has(_PLUGIN) or self._names_plugin

    @property
    def _names_plugin(self) -> bool:
        default = attrs.fields(NewsPauseSettings).sources.default
        return self.settings.sources != default and _PLUGIN in self.settings.sources

    def _look(self, now: datetime) -> None:
        for name, source in self._sources.items():
            delivery = source.look(now)
            if delivery is not None:
                self._almanac.take(name, delivery)

    def _learn(self, symbol: SymbolSpec) -> None:
        stated = tuple(filter(None, (symbol.currency_base, symbol.currency_profit)))
        if stated or symbol.name not in self._stated:
            self._stated[symbol.name] = stated

    def _periods(self, name: str, now: datetime) -> Periods | None:
        """Return the periods of a symbol; None if nobody knows *now*."""
        calendar = self._almanac.at(now)
        if calendar is None:
            return None
        stated, known = self._stated.get(name, ()), self._known.get(name)
        if known and known.calendar is calendar and known.stated == stated:
            return known.periods
        currencies = self._currencies(name)
        if EVERY_CURRENCY in currencies and name not in self.settings.symbols:
            log.warning(
                "%s: its currencies are unknown, so that all news stop it; set "
                "plugins.news_pause.symbols",
                name,
            )
        periods = periods_for(calendar.events, currencies, self.settings)
        self._known[name] = _Known(stated, calendar, periods)
        return periods

    def _currencies(self, name: str) -> frozenset[str]:
        stated = self._stated.get(name, ())
        return currencies_of(name, stated, self.settings.symbols)

    def _is_told(self, name: str) -> bool:
        # Until the terminal was asked, a name that says nothing is no reason to report
        # that all news stop it.
        return name in self._stated or EVERY_CURRENCY not in self._currencies(name)

    def _own(
        self, one: Position | PendingOrder, magics: Collection[int], now: datetime
    ) -> Periods | None:
        return self._periods(one.symbol, now) if one.magic in magics else None

    def _holding(self, name: str, now: datetime) -> Window | None:
        if not self.settings.rules.block_exits:
            return None
        self._look(now)
        periods = self._periods(name, now)
        return None if periods is None else periods.holding.at(now)

    def _judge(self, action: OnEnter, positions: Sequence[Position]) -> None:
        decided = judged(action, positions, self._judged)
        if decided != self._judged:
            self._judged = decided
            # On disk, so that a restart inside the window does not judge anew.
            self.state.put(_JUDGED, {str(one): yes for one, yes in decided.items()})


def _tickets(stored: Any) -> dict[int, bool]:
    if not isinstance(stored, dict):
        return {}
    return {
        int(ticket): yes
        for ticket, yes in cast("Mapping[str, object]", stored).items()
        if isinstance(yes, bool) and ticket.isdecimal()
    }
