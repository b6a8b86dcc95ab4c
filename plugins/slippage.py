"""A pause in a symbol whose orders are filled worse than they were decided on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

import attrs

from runner import (
    Action,
    Deny,
    OrderIntent,
    OrderRequest,
    OrderResult,
    Outcome,
    Plugin,
    PluginSettings,
    PluginState,
    Side,
    SymbolSpec,
    Tick,
    hookimpl,
)

log = logging.getLogger("mt5runner.plugins.slippage")

_NOISE = 1e-6  # points
_WEEK = 7 * 24 * 60.0  # minutes


@attrs.frozen(kw_only=True)
class SlippageSettings(PluginSettings):
    """Settings of the slippage guard; None is no limit.

    Attributes:
        points: Worst slippage of one fill, in points.
        average_points: Worst average of the last *fills* fills, in points.
        fills: How many fills the average is of.
        pause_minutes: How long entries in the symbol stop.
    """

    points: float | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.gt(0))
    )
    average_points: float | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.gt(0))
    )
    fills: int = attrs.field(
        default=10, validator=[attrs.validators.ge(2), attrs.validators.le(1000)]
    )
    pause_minutes: float = attrs.field(
        default=60.0, validator=[attrs.validators.gt(0), attrs.validators.le(_WEEK)]
    )


def slippage(side: Side, price: float, quote: Tick, point: float) -> float:
    """Return how much worse than the quote a fill was, in points; better is negative.

    Args:
        side: Of the deal.
        price: At which it was filled.
        quote: On which it was decided.
        point: Of the symbol.
    """
    worse = price - quote.ask if side is Side.BUY else quote.bid - price
    return worse / point


def too_much(slips: Sequence[float], settings: SlippageSettings) -> str:
    """Say what is wrong with the last fills.

    Args:
        slips: Slippage of the last fills, in points, the newest last.
        settings: The limits.

    Returns:
        Figures; empty if nothing is wrong.
    """
    if settings.points is not None and slips[-1] > settings.points + _NOISE:
        return f"slipped={slips[-1]:.1f} limit={settings.points:g}"
    if settings.average_points is None or len(slips) < settings.fills:
        return ""
    last = slips[-settings.fills :]
    average = sum(last) / len(last)
    if average > settings.average_points + _NOISE:
        return f"average={average:.1f} limit={settings.average_points:g}"
    return ""


@attrs.frozen(slots=True)
class _Decided:
    tick: Tick
    point: float


class Slippage(Plugin):
    """Stops entries in a symbol for a time when fills were bad."""

    Settings = SlippageSettings
    settings: SlippageSettings

    def __init__(self, settings: PluginSettings, state: PluginState) -> None:
        super().__init__(settings, state)
        self._decided: dict[tuple[str, str, Action], _Decided] = {}
        self._slips: dict[str, list[float]] = {}

    @hookimpl
    def check_order(self, intent: OrderIntent, symbol: SymbolSpec, tick: Tick) -> None:
        """Remember the quote on which it is decided; deny nothing."""
        key = intent.strategy, intent.symbol, intent.action
        self._decided[key] = _Decided(tick, symbol.point)

    @hookimpl
    def on_order_result(
        self, request: OrderRequest, result: OrderResult, now: datetime
    ) -> None:
        """Compare the fill with the quote."""
        key = request.strategy, request.symbol, request.action
        decided = self._decided.get(key)
        is_deal = request.action in {Action.OPEN, Action.CLOSE}
        is_known = result.outcome is Outcome.FILLED and result.price > 0
        if decided is None or not is_deal or not is_known:
            return
        slips = self._slips.setdefault(request.symbol, [])
        slips.append(slippage(request.side, result.price, decided.tick, decided.point))
        del slips[: -self.settings.fills]
        problem = too_much(slips, self.settings)
        if problem:
            until = now + timedelta(minutes=self.settings.pause_minutes)
            self.state.put(request.symbol, {"until": until.isoformat(), "why": problem})
            slips.clear()
            log.warning("%s: no entries until %s: %s", request.symbol, until, problem)

    @hookimpl
    def check_symbol(self, symbol: SymbolSpec, now: datetime) -> Deny | None:
        """Deny entries in the symbol until its pause is over."""
        pause = self.state.get(symbol.name)
        if pause is None or now >= datetime.fromisoformat(pause["until"]):
            return None
        return Deny("SLIPPAGE", f"{pause['why']} until={pause['until']}")
