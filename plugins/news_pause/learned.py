"""A source whose deliveries stand in the journal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from plugins.news_pause.events import from_rows
from plugins.news_pause.source import Delivery, Source
from runner import PluginState


class Learned:
    """Asks another source through the plugin's state; fulfils `Source`.

    Files, threads and websites are outside of what the guard decides on. This way a
    replay gets what they brought, when they brought it, and starts none of them.

    Args:
        name: The source's name.
        source: The source.
        state: The plugin's.
    """

    def __init__(self, name: str, source: Source, state: PluginState) -> None:
        self._name = name
        self._source = source
        self._state = state

    def start(self) -> None:
        """Begin to ask."""
        self._state.learn(f"{self._name}.start", self._source.start)

    def stop(self) -> None:
        """Ask no more."""
        self._state.learn(f"{self._name}.stop", self._source.stop)

    def look(self, now: datetime) -> Delivery | None:
        """Return what is new since the last look."""
        told = self._state.learn(
            f"{self._name}.look", lambda: _to_json(self._source.look(now))
        )
        return None if told is None else _from_json(told)


def _to_json(delivery: Delivery | None) -> dict[str, Any] | None:
    if delivery is None:
        return None
    calendar = delivery.calendar
    rows = None if calendar is None else calendar.rows()
    return {"calendar": rows, "problem": delivery.problem}


def _from_json(told: Mapping[str, Any]) -> Delivery:
    rows = told["calendar"]
    calendar = None if rows is None else from_rows(rows)
    return Delivery(calendar, told["problem"])
