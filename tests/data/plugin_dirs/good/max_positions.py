"""A plugin class with settings."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from runner import Deny, OrderIntent, Plugin, PluginSettings, Position, hookimpl


@attrs.frozen
class MaxPositionsSettings(PluginSettings):
    limit: int = 3


class MaxPositions(Plugin):
    Settings = MaxPositionsSettings
    settings: MaxPositionsSettings

    @hookimpl
    def check_order(
        self, intent: OrderIntent, positions: Sequence[Position]
    ) -> Deny | None:
        if len(positions) >= self.settings.limit:
            return Deny("MAX_POSITIONS", f"open={len(positions)}")
        return None
