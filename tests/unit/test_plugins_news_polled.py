"""What a thread brings from a source reaches the loop, however rarely that looks."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

from plugins.news_pause.events import Calendar
from plugins.news_pause.source import Delivery, Polled, Visit
from runner import NewsEvent

NOW = datetime(2026, 3, 8, 5, tzinfo=UTC)
CALENDAR = Calendar.of([NewsEvent(NOW, "USD", "High", "Payrolls")])
NEWER = Calendar.of([NewsEvent(NOW, "USD", "High", "CPI")])


def brought(*deliveries: Delivery | None) -> Polled:
    """Return a source whose thread has brought these, one after another."""
    left, is_done = list(deliveries), threading.Event()

    def visit() -> Visit:
        if left:
            return Visit(0.0, left.pop(0))
        is_done.set()
        return Visit(3600.0)

    polled = Polled("feed", visit)
    polled.start()
    assert is_done.wait(60)
    polled.stop()
    return polled


def test_a_failure_after_a_calendar_does_not_take_it_away() -> None:
    """A place tells its calendar once: were it lost, the week would stay unknown."""
    polled = brought(Delivery(CALENDAR), None, Delivery(problem="HTTP 429"))

    assert Delivery(CALENDAR, "HTTP 429") == polled.look(NOW)
    assert polled.look(NOW) is None


def test_the_newest_calendar_and_the_newest_problem_count() -> None:
    """What was good again is not bad."""
    polled = brought(Delivery(CALENDAR), Delivery(problem="HTTP 500"), Delivery(NEWER))

    assert Delivery(NEWER) == polled.look(NOW)
