"""Makes the sources that the settings name."""

from __future__ import annotations

import os
import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from plugins.news_pause.cache import Cache, default_folder
from plugins.news_pause.feed import WeeklyFeed
from plugins.news_pause.fetch import get
from plugins.news_pause.file import CalendarFile
from plugins.news_pause.server import ServerCalendar
from plugins.news_pause.settings import NewsPauseSettings
from plugins.news_pause.source import Delivery, Polled, Source


def make_sources(settings: NewsPauseSettings) -> dict[str, Source]:
    """Return the sources by name, but "plugin", which is a hook; none is started."""
    made = {name: _make(name, settings) for name in settings.sources}
    return {name: source for name, source in made.items() if source is not None}


def _make(name: str, settings: NewsPauseSettings) -> Source | None:
    chance = random.SystemRandom().random
    if name == "file" and settings.calendar is not None:
        return CalendarFile(settings.calendar)
    if name == "feed":
        folder = settings.cache_dir or default_folder(
            sys.platform, os.environ, Path.home()
        )
        feed = WeeklyFeed(
            settings.feed_url,
            Cache(folder, settings.feed_url),
            poll=timedelta(minutes=settings.poll_minutes),
            get=get,
            wall=_wall,
            random=chance,
        )
        return Polled(name, feed.visit)
    if name == "server":
        if settings.api is None:
            return _Nowhere()
        calendar = ServerCalendar(settings.api, get=get, wall=_wall, random=chance)
        return Polled(name, calendar.visit)
    return None


class _Nowhere:
    """A server that nobody named; says so once."""

    def __init__(self) -> None:
        self._told = False

    def start(self) -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Do nothing."""

    def look(self, now: datetime) -> Delivery | None:
        """Say what is missing."""
        if self._told:
            return None
        self._told = True
        return Delivery(problem="no server is known here")


def _wall() -> datetime:
    # For when to ask a website again; nothing about trading is decided by it.
    return datetime.now(UTC)  # noqa: TID251 - see above
