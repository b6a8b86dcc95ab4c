"""Who fails now: the failures in a row of every plugin and strategy."""

from __future__ import annotations

import logging

import attrs

from runner.host.containment import Raised

_log = logging.getLogger("mt5runner.host")


@attrs.frozen(slots=True)
class Failing:
    """A row of failures.

    Attributes:
        count: How many, without a success between them.
        error: The last one, on one line.
        state: What follows, such as ``disabled``; empty if nothing does.
    """

    count: int
    error: str
    state: str = ""

    def __str__(self) -> str:
        """Return error, number and state on one line."""
        number = f" ({self.count} in a row)" if self.count > 1 else ""
        return f"{self.error}{number}{f'; {self.state}' if self.state else ''}"


class FailureLedger:
    """Counts failures by plugin and hook; logs when a row begins and when it ends."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], Failing] = {}

    def failed(self, plugin: str, hook: str, error: Raised, state: str = "") -> None:
        """Record a failure.

        Args:
            plugin: The plugin's or strategy's name.
            hook: What was called.
            error: What it raised, or what is wrong with what it returned.
            state: What follows for the plugin, such as ``disabled``.
        """
        before = self._rows.get((plugin, hook))
        count = before.count + 1 if before else 1
        self._rows[plugin, hook] = Failing(count, str(error), state)
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
        """Return plugin to its last error, with the hook and the number in a row."""
        return {plugin: f"{hook}: {row}" for (plugin, hook), row in self._rows.items()}
