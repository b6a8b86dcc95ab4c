"""What sources of news brought comes again in a replay, and none of them is asked."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any

from plugins.news_pause.events import Calendar
from plugins.news_pause.learned import Learned
from plugins.news_pause.source import Delivery
from runner import NewsEvent
from runner.app.plugins import PluginStateIn
from runner.recorder.codec import journal_codec
from runner.recorder.ports import learn_through
from runner.recorder.recorder import Recorder
from runner.recorder.segments import Segments
from runner.replay.reading import find_run, read_lines
from runner.replay.tape import Tape
from runner.testing import FakeClock

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
CODEC = journal_codec("7", lambda _: None)
DELIVERIES = [
    None,
    Delivery(Calendar.of([NewsEvent(NOW, "USD", "High", "Payrolls")])),
    Delivery(problem="HTTP 500"),
]


class Scripted:
    """A source that brings what it is given, and counts its starts."""

    def __init__(self) -> None:
        self.left = list(DELIVERIES)
        self.asked: list[str] = []

    def start(self) -> None:
        self.asked.append("start")

    def stop(self) -> None:
        self.asked.append("stop")

    def look(self, now: datetime) -> Delivery | None:
        self.asked.append("look")
        return self.left.pop(0)


def ask(source: Scripted, script: Any) -> list[Delivery | None]:
    """Start a source, look at it, stop it."""
    store: Any = None
    state = PluginStateIn(store, "plugin.news_pause", partial(learn_through, script))
    learned = Learned("feed", source, state)
    learned.start()
    found = [learned.look(NOW) for _ in DELIVERIES]
    learned.stop()
    return found


def test_a_replay_gets_the_news_and_starts_no_thread(tmp_path):
    """The same calendar and the same problem, at the same looks."""
    recorder = Recorder(
        Segments(tmp_path, started_at=NOW, limit=1 << 30), CODEC, FakeClock(NOW)
    )
    recorder.begin(lambda: {"account": "7"})
    live, again = Scripted(), Scripted()
    found = ask(live, recorder)
    recorder.close("done")

    replayed = ask(again, Tape(read_lines(find_run(tmp_path)), CODEC))

    assert DELIVERIES == found == replayed
    assert ["start", "look", "look", "look", "stop"] == live.asked
    assert [] == again.asked
