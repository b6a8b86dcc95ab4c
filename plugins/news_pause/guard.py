"""The news guard: keeps the calendar fresh and denies entries inside windows."""

from __future__ import annotations

import gzip
import json
import logging
import zlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import attrs

from plugins.news_pause.currencies import currencies_of
from plugins.news_pause.events import (
    EVERY_CURRENCY,
    Calendar,
    CalendarError,
    parse,
)
from plugins.news_pause.settings import NewsPauseSettings, WhenUnknown
from plugins.news_pause.windows import Windows, summary, windows_for
from runner import (
    Account,
    Deny,
    Plugin,
    PluginState,
    SymbolSpec,
    TradeConfig,
    hookimpl,
)

log = logging.getLogger("mt5runner.plugins.news_pause")

_LOOK_EVERY = timedelta(seconds=30)
_MOST_BYTES = 32 * 1024 * 1024


@attrs.frozen(slots=True)
class _Known:
    stated: tuple[str, ...]
    windows: Windows


class NewsPause(Plugin):
    """Stops entries around news, in the symbols that the news is about."""

    Settings = NewsPauseSettings
    settings: NewsPauseSettings

    def __init__(self, settings: NewsPauseSettings, state: PluginState) -> None:
        super().__init__(settings, state)
        self._calendar: Calendar | None = None
        self._windows: dict[str, _Known] = {}
        self._symbols: tuple[str, ...] = ()
        self._looked_at: datetime | None = None
        self._stamp: list[int] | None = None
        self._problem = ""
        self._is_on = False
        self._has_warned = False

    @hookimpl
    def on_trade_config_applied(self, config: TradeConfig, now: datetime) -> None:
        """Follow the server's switch."""
        self._is_on = config.trade_config.auto_pause_on_news
        self._symbols = config.trade_config.enabled_symbols
        if self._is_on and self.settings.calendar is None and not self._has_warned:
            self._has_warned = True
            log.warning(
                "the server asks for a pause around news, but there is no calendar: "
                "entries go on through all news; set plugins.news_pause.calendar"
            )
        if self._is_on:
            self._look(now)

    @hookimpl
    def check_symbol(
        self, symbol: SymbolSpec, config: TradeConfig, now: datetime
    ) -> Deny | None:
        """Deny entries inside a window, or when the week's news is unknown."""
        if not config.trade_config.auto_pause_on_news or self.settings.calendar is None:
            return None
        self._look(now)
        unknown = self._unknown(now)
        if unknown:
            if self.settings.when_unknown is WhenUnknown.BLOCK:
                return Deny("NEWS_UNKNOWN", unknown)
            return None
        stated = tuple(filter(None, (symbol.currency_base, symbol.currency_profit)))
        window = self._windows_of(symbol.name, stated).at(now)
        return None if window is None else Deny("NEWS_WINDOW", str(window))

    @hookimpl
    def describe_status(self, account: Account, now: datetime) -> Mapping[str, str]:
        """Report what is known: the windows that hold, or the next one."""
        if not self._is_on:
            state: dict[str, Any] = {"state": "OFF"}
        elif self.settings.calendar is None:
            state = {"state": "NO_CALENDAR"}
        else:
            state = self._state(now)
        if self._problem:
            state["problem"] = self._problem
        return {"news": json.dumps(state)}

    def _state(self, now: datetime) -> dict[str, Any]:
        unknown = self._unknown(now)
        if unknown:
            return {"state": "UNKNOWN", "reason": unknown}
        return summary({name: self._windows_of(name) for name in self._symbols}, now)

    def _unknown(self, now: datetime) -> str:
        calendar = self._calendar
        if calendar is None:
            return self._problem or "the calendar was not read yet"
        if calendar.since <= now < calendar.until:
            return ""
        reach = f"{calendar.since:%Y-%m-%d} to {calendar.until:%Y-%m-%d}"
        return f"the calendar reaches from {reach}" + (
            f"; {self._problem}" if self._problem else ""
        )

    def _windows_of(self, name: str, stated: tuple[str, ...] = ()) -> Windows:
        known = self._windows.get(name)
        if known is not None and (not stated or known.stated == stated):
            return known.windows
        currencies = currencies_of(name, stated, self.settings.symbols)
        if EVERY_CURRENCY in currencies:
            log.warning(
                "%s: its currencies are unknown, so that all news stop it; set "
                "plugins.news_pause.symbols",
                name,
            )
        events = self._calendar.events if self._calendar else ()
        windows = windows_for(events, currencies, self.settings)
        self._windows[name] = _Known(stated, windows)
        return windows

    def _look(self, now: datetime) -> None:
        path = self.settings.calendar
        if path is None:
            return
        if self._looked_at is not None and abs(now - self._looked_at) < _LOOK_EVERY:
            return
        self._looked_at = now
        try:
            found = self.state.learn("calendar", lambda: _changed(path, self._stamp))
            if found is None:
                return
            self._stamp, text = found
            calendar = parse(path.name.lower().removesuffix(".gz"), text)
        except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
            self._stamp = None
            self._refuse(f"{path}: cannot be read: {error}")
        except CalendarError as error:
            self._refuse(f"{path}: {error}")
        else:
            self._calendar, self._problem = calendar, ""
            self._windows.clear()
            log.info("%s: %d events", path, len(calendar.events))

    def _refuse(self, problem: str) -> None:
        # What was read before stays in force: an empty or broken file says nothing
        # about the week, and the old one goes on to say when its own week ends.
        if problem == self._problem:
            return
        self._problem = problem
        kept = "; the calendar read before stays in force" if self._calendar else ""
        log.error("%s%s", problem, kept)


def _changed(path: Path, known: list[int] | None) -> tuple[list[int], str] | None:
    """Return stamp and content of a file whose stamp is not the known one."""
    status = path.stat()
    stamp = [status.st_mtime_ns, status.st_size]
    return None if stamp == known else (stamp, _read(path))


def _read(path: Path) -> str:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise CalendarError(f"is larger than {_MOST_BYTES} bytes")
    return content.decode("utf-8-sig")
