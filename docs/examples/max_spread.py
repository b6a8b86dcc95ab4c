"""A guard with a setting: no entry while the spread is wide."""

from __future__ import annotations

import attrs

from runner import Deny, OrderIntent, Plugin, PluginSettings, SymbolSpec, Tick, hookimpl


@attrs.frozen
class MaxSpreadSettings(PluginSettings):
    """Settings of the guard.

    Attributes:
        points: The widest spread at which positions may be opened, in points.
    """

    points: float = attrs.field(default=30.0, validator=attrs.validators.gt(0))


class MaxSpread(Plugin):
    """Denies entries while the spread is wide; exits are none of its business."""

    Settings = MaxSpreadSettings
    settings: MaxSpreadSettings

    @hookimpl
    def check_order(
        self, intent: OrderIntent, symbol: SymbolSpec, tick: Tick
    ) -> Deny | None:
        """Compare the quote's spread with the limit."""
        limit = self.settings.points
        spread = (tick.ask - tick.bid) / symbol.point
        if intent.increases_exposure and spread > limit:
            return Deny("WIDE_SPREAD", f"spread={spread:.1f} limit={limit:.1f}")
        return None
