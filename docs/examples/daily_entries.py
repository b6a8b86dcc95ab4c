"""A guard with state: so many entries a day, counted across restarts."""

from __future__ import annotations

from datetime import datetime

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
    hookimpl,
)


@attrs.frozen
class DailyEntriesSettings(PluginSettings):
    """Settings of the guard.

    Attributes:
        limit: Most positions opened on one day, in UTC.
    """

    limit: int = attrs.field(default=10, validator=attrs.validators.ge(0))


class DailyEntries(Plugin):
    """Denies entries when enough positions were opened today."""

    Settings = DailyEntriesSettings
    settings: DailyEntriesSettings

    def opened(self, now: datetime) -> int:
        """Return how many positions were opened on the day of *now*."""
        return int(self.state.get(f"{now:%Y-%m-%d}") or 0)

    @hookimpl
    def on_order_result(
        self, request: OrderRequest, result: OrderResult, now: datetime
    ) -> None:
        """Count what was opened or waits; it is on disk before the next order."""
        if request.action in {Action.OPEN, Action.PLACE} and result.outcome in {
            Outcome.FILLED,
            Outcome.PLACED,
        }:
            self.state.put(f"{now:%Y-%m-%d}", self.opened(now) + 1)

    @hookimpl
    def check_order(self, intent: OrderIntent, now: datetime) -> Deny | None:
        """Compare today's number with the limit."""
        opened, limit = self.opened(now), self.settings.limit
        if intent.increases_exposure and opened >= limit:
            return Deny("DAILY_ENTRIES", f"opened={opened} limit={limit}")
        return None
