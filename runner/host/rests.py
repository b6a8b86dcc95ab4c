"""Hooks that took too long again and again are let alone for a while.

A strategy that fails is paused. A plugin is not: it may be a guard, and one failure in
the middle of a slow minute must not take it away. So a hook is called on, until it has
taken too long `FailurePolicy.limit` times in a row: it answers nobody then, and costs
everybody its time. From there on it rests after each further time, longer and longer,
and is tried again. While it rests it counts as failed, so that a guard's entries stay
denied.
"""

from __future__ import annotations

from datetime import datetime

import attrs

from runner.core.failures import DEFAULT_POLICY, FailurePolicy


@attrs.frozen(slots=True)
class _Row:
    count: int
    until: datetime | None


class Rests:
    """Counts calls of hooks that took too long, and says which of them rest.

    Args:
        policy: After how many in a row one rests, and for how long.
    """

    def __init__(self, policy: FailurePolicy = DEFAULT_POLICY) -> None:
        self._policy = policy
        self._rows: dict[tuple[str, str], _Row] = {}

    def until(self, plugin: str, hook: str, now: datetime) -> datetime | None:
        """Return until when *hook* of *plugin* rests; None if it is to be called.

        Args:
            plugin: Its name.
            hook: What would be called.
            now: UTC-aware.
        """
        row = self._rows.get((plugin, hook)) if self._rows else None
        if row is None or row.until is None or now >= row.until:
            return None
        return row.until

    def overran(self, plugin: str, hook: str, now: datetime) -> datetime | None:
        """Count a call that took too long; return until when it rests now, if so."""
        before = self._rows.get((plugin, hook))
        count = 1 if before is None else before.count + 1
        beyond = count - self._policy.limit + 1
        until = now + self._policy.pause(beyond) if beyond > 0 else None
        self._rows[plugin, hook] = _Row(count, until)
        return until

    def ended(self, plugin: str, hook: str) -> None:
        """Take that a call ended in time, which ends the row."""
        if self._rows:
            self._rows.pop((plugin, hook), None)

    def forget(self, plugin: str) -> None:
        """Drop what is known of a plugin that is gone."""
        for key in [key for key in self._rows if key[0] == plugin]:
            del self._rows[key]
