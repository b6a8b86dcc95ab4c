"""From one week's news to the next, through the whole runner."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from calendar_site import HTML, Site, calendar_site
from news_weeks import (
    FRIDAY_CLOSE,
    MINUTE,
    SUNDAY,
    SUNDAY_OPEN,
    Weekend,
    serve,
    week,
)

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
TROUBLE = SUNDAY_OPEN - HOUR
REPAIR = SUNDAY_OPEN + HOUR / 4
END = SUNDAY_OPEN + 2.5 * HOUR
THIS_WEEK = week("2026-03-04 13:15", "2026-03-06 21:50")
NEXT_WEEK = week("2026-03-08 22:55", "2026-03-11 12:30")
EVENTS = (datetime.fromisoformat("2026-03-08T22:55:00+00:00"),)
BEFORE, AFTER = 7 * MINUTE, 4 * MINUTE
WINDOWS = {"High": [7, 4]}
OPEN = [(FRIDAY_CLOSE - HOUR / 3, FRIDAY_CLOSE), (SUNDAY_OPEN, END + HOUR)]
TROUBLES: dict[str, tuple[int, bytes, dict[str, str]]] = {
    "last week": (200, THIS_WEEK, {}),
    "html": (200, HTML, {}),
    "429": (429, HTML, {}),
    "429 and when": (429, HTML, {"Retry_After": "3000"}),
    "500": (500, NEXT_WEEK, {}),
    "nothing": (200, b"", {}),
    "truncated": (200, NEXT_WEEK[:-9], {}),
    "another shape": (200, json.dumps({"events": []}).encode(), {}),
    "other rows": (200, NEXT_WEEK.replace(b'"country"', b'"currency"'), {}),
    "an empty list": (200, b"[]", {}),
}
"""What the website answers at the roll-over, before it has the new week."""


@pytest.fixture
def site() -> Iterator[Site]:
    """A website with the old week's calendar."""
    with calendar_site(THIS_WEEK) as made:
        yield made


def minutes(start: datetime, end: datetime) -> list[datetime]:
    """List the minutes from the second on, in which a bar has closed, to the end."""
    count = round((end - start) / MINUTE)
    return [start + n * MINUTE for n in range(1, count)]


def is_inside(at: datetime) -> bool:
    """Say whether that is in a window of the new week."""
    return any(event - BEFORE <= at < event + AFTER for event in EVENTS)


def monday(times: list[datetime]) -> list[datetime]:
    """Return those of the new week, but the first, whose bar is Friday's."""
    return [at for at in times if SUNDAY_OPEN < at < END]


def play(scene: Weekend, site: Site, trouble: str) -> None:
    """Go from Friday over the roll-over to the new week's first window."""
    scene.play(SUNDAY)
    assert "CLEAR" == scene.news["state"]
    assert [] != scene.entries()
    scene.play(TROUBLE)
    status, body, headers = TROUBLES[trouble]
    serve(site, body, status, **headers)
    scene.play(REPAIR)
    assert "UNKNOWN" == scene.news["state"]
    serve(site, NEXT_WEEK)


@pytest.mark.parametrize("trouble", TROUBLES)
def test_entries_stop_until_the_new_week_is_known(
    trouble: str, site: Site, tmp_path: Path
) -> None:
    """Then each minute trades but those of the new week's window, whatever was said."""
    scene = Weekend(tmp_path, site.address, OPEN, windows=WINDOWS)

    play(scene, site, trouble)
    reason = scene.news["reason"]
    scene.play(END)

    known_at = scene.feed.brought[-1] - SECOND
    assert REPAIR - SECOND <= known_at < EVENTS[0] - 2 * BEFORE
    assert "reaches from 2026-03-01 to 2026-03-08; " in reason
    known = [at for at in minutes(SUNDAY_OPEN, END) if at >= known_at]
    free = [at for at in known if not is_inside(at)]
    assert free == monday(scene.entries())
    assert {EVENTS[0] - BEFORE - MINUTE, EVENTS[0] + AFTER} < set(free)
    assert [at for at in known if is_inside(at)] == monday(scene.denied("NEWS_WINDOW"))
    unknown = [at for at in minutes(SUNDAY_OPEN, END) if at < known_at]
    assert unknown == monday(scene.denied("NEWS_UNKNOWN"))


def test_a_website_that_was_away_for_the_weekend_is_asked_within_an_hour(
    site: Site, tmp_path: Path
) -> None:
    """Pauses that have doubled to six hours end with the week that is known."""
    scene = Weekend(tmp_path, site.address, OPEN, windows=WINDOWS)
    serve(site, THIS_WEEK)
    scene.play(FRIDAY_CLOSE)
    serve(site, HTML, 429)
    scene.play(SUNDAY)
    asked = len(site.asked)
    scene.play(REPAIR)
    serve(site, NEXT_WEEK)
    scene.play(END)

    assert asked < 20
    assert REPAIR - SECOND <= scene.feed.brought[-1] <= REPAIR + HOUR
    assert not [at for at in monday(scene.entries()) if at < REPAIR or is_inside(at)]
    assert END - MINUTE in scene.entries()


@pytest.mark.parametrize("trouble", ["last week", "html"])
def test_who_allows_the_unknown_trades_until_the_new_week_is_known(
    trouble: str, site: Site, tmp_path: Path
) -> None:
    """And not in its windows from then on."""
    scene = Weekend(tmp_path, site.address, OPEN, windows=WINDOWS, when_unknown="allow")

    play(scene, site, trouble)
    scene.play(END)

    free = [at for at in minutes(SUNDAY_OPEN, END) if not is_inside(at)]
    assert free == monday(scene.entries())
    assert [] == scene.denied("NEWS_UNKNOWN")


@pytest.mark.parametrize("forgets", [False, True], ids=["state", "cache alone"])
@pytest.mark.parametrize("trouble", ["last week", "429 and when"])
def test_a_restart_with_last_weeks_calendar_knows_that_it_knows_nothing(
    trouble: str, *, forgets: bool, site: Site, tmp_path: Path
) -> None:
    """Before the market opens and after, with its own state or the cache alone."""
    scene = Weekend(tmp_path, site.address, OPEN, windows=WINDOWS)
    scene.play(SUNDAY)
    status, body, headers = TROUBLES[trouble]
    scene.play(TROUBLE)
    serve(site, body, status, **headers)
    asked: list[int] = []
    for at in (SUNDAY_OPEN - HOUR / 4, SUNDAY_OPEN + HOUR / 8):
        scene.play(at)
        asked.append(len(site.asked))
        for _ in range(3):
            scene.start(forgets=forgets)
            scene.runner.cycle(3)
        asked.append(len(site.asked))
    scene.play(REPAIR)
    state = scene.news["state"]
    serve(site, NEXT_WEEK)
    scene.play(END)

    known_at = scene.feed.brought[-1]
    assert "UNKNOWN" == state
    assert asked[::2] == asked[1::2]
    assert REPAIR - SECOND <= known_at < EVENTS[0] - 2 * BEFORE
    opened = monday(scene.entries())
    assert [at for at in minutes(SUNDAY_OPEN, END) if at >= known_at] == sorted(
        opened + monday(scene.denied("NEWS_WINDOW"))
    )
    assert [] == [at for at in opened if is_inside(at) or at < known_at - MINUTE]


def test_a_week_that_the_feed_changes_early_is_known_to_its_end(
    site: Site, tmp_path: Path
) -> None:
    """The new file comes on Saturday; what is traded then minds the old one, too."""
    saturday = SUNDAY - 4 * HOUR
    late = saturday + HOUR
    serve(site, week("2026-03-04 13:15", f"{late:%Y-%m-%d %H:%M}"))
    market = [(saturday - HOUR / 2, SUNDAY + 2 * HOUR)]
    scene = Weekend(tmp_path, site.address, market, windows={"High": [30, 20]})
    scene.play(saturday - HOUR / 4)
    serve(site, week("2026-03-08 05:10", "2026-03-11 12:30"))

    scene.play(SUNDAY + HOUR)

    assert [] == scene.denied("NEWS_UNKNOWN")
    windows = [
        *minutes(late - 31 * MINUTE, late + 20 * MINUTE),
        *minutes(SUNDAY - 21 * MINUTE, SUNDAY + HOUR / 2),
    ]
    assert windows == scene.denied("NEWS_WINDOW")
    free = set(minutes(saturday - HOUR / 2, SUNDAY + HOUR)[1:]) - set(windows)
    assert sorted(free) == [at for at in scene.entries() if at < SUNDAY + HOUR]


def test_what_may_stand_right_after_the_known_week_is_unknown(
    site: Site, tmp_path: Path
) -> None:
    """Half an hour before an event on Sunday at 0:10 is Saturday."""
    market = [(SUNDAY - HOUR, SUNDAY + 3 * HOUR)]
    settings: dict[str, Any] = {"windows": {"High": [30, 20]}, "poll_minutes": 1440}
    scene = Weekend(tmp_path, site.address, market, **settings)
    scene.play(SUNDAY - HOUR / 4)
    state, reason = scene.news["state"], scene.news["reason"]
    serve(site, week("2026-03-08 04:10", "2026-03-08 06:45"))
    scene.play(SUNDAY + 2 * HOUR)

    known_at = scene.feed.brought[-1]
    assert "UNKNOWN" == state
    assert reason.endswith(
        "08; news 20 minutes before that or 30 minutes after it would count, too"
    )
    assert SUNDAY + 30 * MINUTE <= known_at <= SUNDAY + 61 * MINUTE
    assert minutes(SUNDAY - 31 * MINUTE, known_at) == scene.denied("NEWS_UNKNOWN")


def test_a_window_of_last_week_still_holds_on_sunday(
    site: Site, tmp_path: Path
) -> None:
    """An event of Saturday at 23:55, an hour after which nothing shall be opened."""
    serve(site, week("2026-03-04 13:15", "2026-03-08 04:55"))
    market = [(SUNDAY - HOUR / 4, SUNDAY + 3 * HOUR)]
    scene = Weekend(tmp_path, site.address, market, windows={"High": [0, 60]})
    scene.play(SUNDAY)
    serve(site, NEXT_WEEK)
    scene.play(SUNDAY + HOUR / 2)
    scene.start(forgets=True)
    scene.play(SUNDAY + 2 * HOUR)

    after = SUNDAY + 55 * MINUTE
    entries = [at for at in scene.entries() if SUNDAY <= at < SUNDAY + 2 * HOUR]
    assert minutes(after - MINUTE, SUNDAY + 2 * HOUR) == entries
