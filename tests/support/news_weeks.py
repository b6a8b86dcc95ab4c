"""A market over a weekend, and the feed's website at its roll-over, in market time.

The website, the requests, the feed, its cache on disk and the runner are real. Only the
wall clock is the market's, and the feed is visited in the loop, when its own pause is
over, in place of a thread that waits: so a week passes in seconds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from calendar_site import Site
from news_scene import Journal
from whole_runner import MemoryStore, WholeRunner

from plugins.news_pause.cache import Cache
from plugins.news_pause.feed import WeeklyFeed
from plugins.news_pause.fetch import get
from plugins.news_pause.guard import NewsPause
from plugins.news_pause.settings import NewsPauseSettings
from plugins.news_pause.source import Delivery, Source, Visit
from plugins.news_pause.sources import make_sources
from runner import Action, Bar, Intents, Parameters, Strategy, Timeframe
from runner.adapters.mt5_simulator.driver import drive
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal
from runner.app.plugins import PluginStateIn
from runner.link import ConfigConfirmed
from runner.loop.pacing import Pacer
from runner.serde import structure_settings
from runner.testing import FakeClock

MINUTE = timedelta(minutes=1)
FRIDAY_CLOSE = datetime(2026, 3, 6, 22, tzinfo=UTC)
"""Five o'clock in the afternoon in New York."""
SUNDAY = datetime(2026, 3, 8, 5, tzinfo=UTC)
"""The roll-over: midnight in New York, in the night in which its clocks change."""
SUNDAY_OPEN = datetime(2026, 3, 8, 21, tzinfo=UTC)
_NO_JITTER = 0.0
_AT_ONCE, _CLOSED = 0.001, 1800.0  # seconds


class Renewed(Strategy):
    """Wants a new position at every bar, and nothing of the one before it."""

    def on_bar(self, bar: Bar) -> Intents:
        buys = self.buy(bar.symbol, volume=0.01)
        if self.is_flat(bar.symbol):
            return buys
        return [self.close(bar.symbol), buys]


class Visited:
    """Visits a place when its pause is over; fulfils `Source` without a thread."""

    def __init__(self, visit: Callable[[], Visit], wall: Callable[[], datetime]):
        self._visit, self._wall = visit, wall
        self._due: datetime | None = None
        self.brought: list[datetime] = []
        """When it brought a calendar, by the wall clock."""

    def start(self) -> None:
        """Do nothing: it is visited when somebody looks."""

    def stop(self) -> None:
        """Do nothing, see `start`."""

    def look(self, now: datetime) -> Delivery | None:
        """Visit if it is time to."""
        wall = self._wall()
        if self._due is not None and wall < self._due:
            return None
        visit = self._visit()
        self._due = wall + timedelta(seconds=visit.wait)
        if visit.delivery is not None and visit.delivery.calendar is not None:
            self.brought.append(wall)
        return visit.delivery


class Minutes:
    """Minute bars of a symbol in some spans of time; fulfils `ports.Feed`."""

    timeframe = Timeframe.M1

    def __init__(
        self, spans: Sequence[tuple[datetime, datetime]], symbols: Sequence[str]
    ) -> None:
        self.symbols = tuple(symbols)
        self._spans = spans

    def bars(self) -> Iterator[Bar]:
        for begin, end in self._spans:
            for n in range(round((end - begin) / MINUTE)):
                price = 1.1 + n % 2 * 0.0001
                for symbol in self.symbols:
                    at = begin + n * MINUTE
                    yield Bar(symbol, self.timeframe, at, price, price, price, price)


class Weekend:
    """One start of the runner in a market, with the feed for its source.

    Args:
        folder: Where the feed's cache is.
        address: The website; empty for a runner that has other sources.
        spans: When the market is open.
        symbols: What is traded.
        settings: Further settings of the news pause.
    """

    def __init__(
        self,
        folder: Path,
        address: str,
        spans: Sequence[tuple[datetime, datetime]],
        *,
        symbols: Sequence[str] = ("EURUSD",),
        **settings: Any,
    ) -> None:
        self.journal = Journal()
        self.store = MemoryStore()
        self.folder, self.symbols = folder, tuple(symbols)
        self.terminal = SimulatedTerminal(balance=1e9, max_orders=1_000_000)
        self.clock = FakeClock(spans[0][0])
        # In step with the wall clock, over a restart too.
        self.pacer = Pacer(
            drive(self.terminal, Minutes(spans, symbols)), self.clock, speed=1.0
        )
        self.settings = structure_settings(
            {"sources": ["feed"], "feed_url": address, **settings}
            if address
            else settings,
            NewsPauseSettings,
            "plugins.news_pause",
        )
        self.starts = 0
        self.start()

    def start(self, *, forgets: bool = False) -> None:
        """Start the runner anew, on the same terminal and the same disk.

        Args:
            forgets: Whether all of that disk but the feed's cache is lost.
        """
        self.starts += 1
        if forgets:
            self.store = MemoryStore()
        state = PluginStateIn(self.store, "plugin.news_pause")
        self.runner = WholeRunner(
            self.terminal,
            self.store,
            self.clock,
            (Renewed,),
            plugins={
                "journal": self.journal,
                "news_pause": NewsPause(self.settings, state, self._make),
            },
            player=self.pacer,
            session=f"session-{self.starts}",
        )
        self.runner.trade(
            auto_pause_on_news=True, enabled_symbols=self.symbols, lot_size=0.01
        )
        self.runner.strategy("Renewed", {name: Parameters() for name in self.symbols})
        self.runner.begin()

    def _make(self, settings: NewsPauseSettings) -> Mapping[str, Source]:
        if "feed" not in settings.sources:
            return make_sources(settings)
        feed = WeeklyFeed(
            settings.feed_url,
            Cache(self.folder, settings.feed_url),
            poll=timedelta(minutes=settings.poll_minutes),
            get=get,
            wall=self.clock.now,
            random=lambda: _NO_JITTER,
        )
        self.feed = Visited(feed.visit, self.clock.now)
        return {"feed": self.feed}

    def play(self, until: datetime) -> None:
        """Trade until then; a cycle of a closed market is half an hour long."""
        while (left := (until - self.clock.now()).total_seconds()) > 0:
            pause = self.pacer.pause() or _AT_ONCE
            confirmed = ConfigConfirmed(scope="trade", at=self.clock.now())
            self.runner.link.events.append(confirmed)
            self.runner.cycle(seconds=min(pause, left, _CLOSED))

    @property
    def news(self) -> dict[str, Any]:
        """What the news pause reports."""
        account = self.runner.view.account
        assert account is not None
        fields = self.runner.host.describe_status(
            account=account, now=self.runner.view.now
        )
        found: dict[str, Any] = json.loads(fields["news"])
        return found

    def entries(self, symbol: str = "") -> list[datetime]:
        """List when something was opened, to the minute."""
        return [
            at.replace(second=0, microsecond=0)
            for at, one in self.journal.sent
            if one.action is Action.OPEN and symbol in ("", one.symbol)
        ]

    def closed(self, symbol: str, by: str) -> list[datetime]:
        """List when that strategy or guard closed something, to the minute."""
        return [
            at.replace(second=0, microsecond=0)
            for at, one in self.journal.sent
            if one.action is Action.CLOSE
            if (one.symbol, one.strategy) == (symbol, by)
        ]

    def denied(self, code: str) -> list[datetime]:
        """List when an entry was denied for that reason, to the minute."""
        return [
            at.replace(second=0, microsecond=0)
            for at, _, found in self.journal.denied
            if found == code
        ]


def week(*times: str, currency: str = "USD") -> bytes:
    """Return the feed's body with a high-impact event at each time, in UTC."""
    return json.dumps(
        [
            {
                "title": f"Event {n}",
                "country": currency,
                "date": datetime.fromisoformat(text).replace(tzinfo=UTC).isoformat(),
                "impact": "High",
                "forecast": "",
                "previous": "",
            }
            for n, text in enumerate(times)
        ]
    ).encode()


def serve(site: Site, body: bytes, status: int = 200, **headers: str) -> None:
    """Let the website answer that from now on."""
    site.status, site.body = status, body
    site.headers = {name.replace("_", "-"): text for name, text in headers.items()}
