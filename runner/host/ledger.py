"""Who fails now: the failures in a row of every plugin and strategy."""

from __future__ import annotations

import logging
from datetime import datetime

import attrs

from runner.host.containment import Raised

_log = logging.getLogger("mt5runner.host")


@attrs.frozen(slots=True)
class Failing:
    """A row of failures.

    Attributes:
        count: How many, without a success between them.
        error: The last one, on one line.
        at: When that was, UTC-aware.
        state: What follows, such as ``disabled``; empty if nothing does.
    """

    count: int
    error: str
    at: datetime
    state: str = ""

    def __str__(self) -> str:
        """Return error, number, time and state on one line."""
        number = f"{self.count} in a row, last " if self.count > 1 else ""
        when = f"{number}at {self.at:%Y-%m-%dT%H:%M:%SZ}"
        return f"{self.error} ({when}){f'; {self.state}' if self.state else ''}"


class FailureLedger:
    """Counts failures by plugin and hook; logs when a row begins and when it ends."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], Failing] = {}

    def failed(
        self, plugin: str, hook: str, error: Raised, now: datetime, state: str = ""
    ) -> None:
        """Record a failure.

        Args:
            plugin: The plugin's or strategy's name.
            hook: What was called.
            error: What it raised, or what is wrong with what it returned.
            now: UTC-aware.
            state: What follows for the plugin, such as ``disabled``.
        """
        before = self._rows.get((plugin, hook))
        count = before.count + 1 if before else 1
        self._rows[plugin, hook] = Failing(count, str(error), now, state)
        if before is None:
            _log.error("%s failed in %s: %s", plugin, hook, error.report())

    def succeeded(self, plugin: str, hook: str) -> None:
        """Record a success, which ends the hook's row of failures."""
        if self._rows and (row := self._rows.pop((plugin, hook), None)):
            _log.info("%s works in %s again, failures: %d", plugin, hook, row.count)

    def forget(self, plugin: str) -> None:
        """Drop what is known of a plugin that is gone."""
        for key in [key for key in self._rows if key[0] == plugin]:
            del self._rows[key]

    def summary(self) -> dict[str, str]:
        """Return plugin to its last error, with hook, number in a row and time."""
        return {plugin: f"{hook}: {row}" for (plugin, hook), row in self._rows.items()}
