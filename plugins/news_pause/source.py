"""What every source of news is to the guard, and the one that asks in a thread."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

import attrs

from plugins.news_pause.events import Calendar

log = logging.getLogger("mt5runner.plugins.news_pause")

_AFTER_A_BUG = 300.0  # seconds


@attrs.frozen(slots=True)
class Delivery:
    """What a source found out.

    Attributes:
        calendar: What is known from now on; None leaves what was known before.
        problem: What is wrong with the source; empty when nothing is.
    """

    calendar: Calendar | None = None
    problem: str = ""


class Source(Protocol):
    """A source of news."""

    def start(self) -> None:
        """Begin to ask, if that happens in a thread."""
        ...

    def stop(self) -> None:
        """Ask no more; may be started again."""
        ...

    def look(self, now: datetime) -> Delivery | None:
        """Return what is new since the last look; never waits for a network.

        Args:
            now: The market's time, UTC-aware.
        """
        ...


@attrs.frozen(slots=True)
class Visit:
    """What one visit to a source brought.

    Attributes:
        wait: Seconds until the next one.
        delivery: What is new; None for nothing.
    """

    wait: float
    delivery: Delivery | None = None


class Polled:
    """Visits a place again and again in a thread of its own; fulfils `Source`.

    Args:
        name: The source's name.
        visit: Goes there once; may wait for a network.
    """

    def __init__(self, name: str, visit: Callable[[], Visit]) -> None:
        self._name = name
        self._visit = visit
        self._visiting = threading.Lock()
        self._stop: threading.Event | None = None
        # What the thread put and the loop has not taken yet.
        self._waiting: Delivery | None = None
        self._handing = threading.Lock()

    def start(self) -> None:
        """Begin to visit; nothing happens if that goes on already."""
        if self._stop is not None:
            return
        self._stop = threading.Event()
        threading.Thread(
            target=self._run,
            args=(self._stop,),
            name=f"mt5runner-news-{self._name}",
            daemon=True,
        ).start()

    def stop(self) -> None:
        """End it after the visit that is under way, without waiting for that."""
        if self._stop is not None:
            self._stop.set()
            self._stop = None

    def look(self, now: datetime) -> Delivery | None:
        """Return what was delivered since the last look, as one."""
        with self._handing:
            delivery, self._waiting = self._waiting, None
        return delivery

    def _put(self, delivery: Delivery) -> None:
        with self._handing:
            # A place tells a calendar once. It is not lost where the next visit fails
            # before a loop that waits for its terminal has looked.
            if delivery.calendar is None and self._waiting is not None:
                delivery = attrs.evolve(delivery, calendar=self._waiting.calendar)
            self._waiting = delivery

    def _run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                with self._visiting:  # one that was stopped may still be there
                    visit = self._visit()
            except Exception as error:
                log.exception("asking the %s for news failed", self._name)
                problem = f"asking failed: {type(error).__name__}: {error}"
                visit = Visit(_AFTER_A_BUG, Delivery(problem=problem))
            if visit.delivery is not None:
                self._put(visit.delivery)
            stop.wait(visit.wait)
