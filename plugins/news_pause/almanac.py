"""What all sources know, in the order in which they are asked."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from plugins.news_pause.events import Calendar, CalendarError, from_rows
from plugins.news_pause.source import Delivery
from runner import PluginState

log = logging.getLogger("mt5runner.plugins.news_pause")

_NOT_KEPT = "file"  # it is on disk already


class Almanac:
    """The last good calendar of every source.

    What came from outside is put into the plugin's state when it is taken over, so
    that a restart knows it at once, also without a network.

    Args:
        names: The sources, in the order in which they are asked.
        state: The plugin's.
        before: How long before an event it counts.
        after: How long after it.
    """

    def __init__(
        self,
        names: Sequence[str],
        state: PluginState,
        *,
        before: timedelta,
        after: timedelta,
    ) -> None:
        self._names = tuple(names)
        self._state = state
        self._before, self._after = before, after
        self._calendars: dict[str, Calendar] = {}
        self._problems: dict[str, str] = {}
        for name in names:
            if name != _NOT_KEPT:
                self._restore(name)

    def _restore(self, name: str) -> None:
        rows = self._state.get(_key(name))
        if rows is None:
            return
        try:
            self._calendars[name] = from_rows(rows)
        except CalendarError as error:
            log.error("%s: what is on disk is no calendar: %s", name, error)  # noqa: TRY400 - the message says it all

    @property
    def problem(self) -> str:
        """What is wrong with sources; empty if nothing is."""
        return "; ".join(
            f"{name}: {problem}"
            for name in self._names
            if (problem := self._problems.get(name))
        )

    def take(self, name: str, delivery: Delivery) -> None:
        """Take over what the source *name* found out."""
        calendar, problem = delivery.calendar, delivery.problem
        if calendar is not None:
            is_new = calendar != self._calendars.get(name)
            self._calendars[name] = calendar
            if is_new:
                log.info(
                    "%s: %d events, %s", name, len(calendar.events), calendar.reach()
                )
        if problem and problem != self._problems.get(name):
            # What was known stays in force: an empty or broken answer says nothing
            # about the week, and the old one says itself when its own week ends.
            kept = "; the calendar read before stays in force"
            log.error("%s: %s%s", name, problem, kept if self.has(name) else "")
        self._problems[name] = problem
        if calendar is not None and name != _NOT_KEPT:
            self._state.put(_key(name), calendar.rows())

    def has(self, name: str) -> bool:
        """Say whether the source *name* ever gave a calendar."""
        return name in self._calendars

    def at(self, now: datetime) -> Calendar | None:
        """Return the calendar of the first source that knows *now*, UTC-aware."""
        for name in self._names:
            calendar = self._calendars.get(name)
            if calendar is not None and calendar.knows(now, self._before, self._after):
                return calendar
        return None

    def unknown(self, now: datetime) -> str:
        """Say why nobody knows *now*, UTC-aware."""
        told = {*self._calendars, *filter(self._problems.get, self._problems)}
        names = [name for name in self._names if name in told] or self._names
        return "; ".join(self._reason(name, now) for name in names)

    def _reason(self, name: str, now: datetime) -> str:
        problem, calendar = self._problems.get(name, ""), self._calendars.get(name)
        if calendar is None:
            return f"{name}: {problem or 'nothing was read yet'}"
        reasons = [f"{name}: the calendar reaches from {calendar.reach()}"]
        if calendar.knows(now):
            minute = timedelta(minutes=1)
            reasons.append(
                f"news {self._after / minute:g} minutes before that or "
                f"{self._before / minute:g} minutes after it would count, too"
            )
        return "; ".join([*reasons, *filter(None, [problem])])


def _key(name: str) -> str:
    return f"calendar.{name}"
