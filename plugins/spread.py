"""No entry while the spread is wide, absolutely or for this symbol."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

import attrs

from runner import (
    Bar,
    Deny,
    OrderIntent,
    Plugin,
    PluginSettings,
    PluginState,
    SymbolSpec,
    Tick,
    hookimpl,
)

_FEWEST = 10  # bars before there is a usual spread
_MOST = 500
_SAVED_EVERY = 10  # bars
_NOISE = 1e-6  # points


@attrs.frozen(kw_only=True)
class SpreadSettings(PluginSettings):
    """Settings of the spread guard; None is no limit.

    Attributes:
        points: Widest spread at which positions are opened, in points.
        times_usual: The same as a multiple of the usual one: the median of the last
            500 bars' spreads.
    """

    points: float | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.gt(0))
    )
    times_usual: float | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.gt(1))
    )


def against_spread(
    spread: float, seen: Sequence[int], settings: SpreadSettings
) -> Deny | None:
    """Say whether a spread is too wide.

    Args:
        spread: Of the quote, in points.
        seen: Spreads of the last bars, in points.
        settings: The limits.
    """
    if settings.points is not None and spread > settings.points + _NOISE:
        return Deny("SPREAD_WIDE", f"spread={spread:.1f} limit={settings.points:g}")
    if settings.times_usual is None:
        return None
    if len(seen) < _FEWEST:
        return Deny("SPREAD_UNKNOWN", f"bars={len(seen)} needed={_FEWEST}")
    limit = statistics.median(seen) * settings.times_usual
    if spread > limit + _NOISE:
        return Deny("SPREAD_WIDE", f"spread={spread:.1f} usual limit={limit:.1f}")
    return None


class Spread(Plugin):
    """Denies entries while the spread is wide."""

    Settings = SpreadSettings
    settings: SpreadSettings

    def __init__(self, settings: PluginSettings, state: PluginState) -> None:
        super().__init__(settings, state)
        known: dict[str, Any] = dict(state.items())
        self._seen: dict[str, list[int]] = {name: list(known[name]) for name in known}
        self._unsaved: dict[str, int] = {}

    @hookimpl
    def on_bar_closed(self, bar: Bar) -> None:
        """Learn what is usual; a bar of a source without spreads teaches nothing."""
        if self.settings.times_usual is None or bar.spread <= 0:
            return
        seen = self._seen.setdefault(bar.symbol, [])
        seen.append(bar.spread)
        del seen[:-_MOST]
        unsaved = self._unsaved.get(bar.symbol, 0) + 1
        self._unsaved[bar.symbol] = unsaved % _SAVED_EVERY
        if unsaved == _SAVED_EVERY:
            self.state.put(bar.symbol, seen)

    @hookimpl
    def check_order(
        self, intent: OrderIntent, symbol: SymbolSpec, tick: Tick
    ) -> Deny | None:
        """Compare the quote's spread with the limits."""
        if not intent.increases_exposure:
            return None
        spread = (tick.ask - tick.bid) / symbol.point
        return against_spread(spread, self._seen.get(symbol.name, ()), self.settings)
