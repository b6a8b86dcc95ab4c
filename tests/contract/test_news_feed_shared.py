"""The weekly feed's cache: two processes, crashes, and what judges an answer."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from calendar_site import HTML, calendar_site
from news_scene import row

from plugins.news_pause.cache import LEAST_GAP, Cache, Note, default_folder
from plugins.news_pause.feed import judge
from plugins.news_pause.fetch import Reply, get

NOW = datetime(2026, 3, 4, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
WEEK = json.dumps(
    [{"title": "CPI", "country": "USD", "date": NOW.isoformat(), "impact": "High"}]
)
ASKS = """
import sys
from datetime import timedelta
from pathlib import Path
from plugins.news_pause.sources import make_sources
from plugins.news_pause.settings import NewsPauseSettings
settings = NewsPauseSettings(
    sources=("feed",), feed_url=sys.argv[1], cache_dir=Path(sys.argv[2])
)
feed = make_sources(settings)["feed"]
for _ in range(5):
    visit = feed._visit()
"""


def test_processes_of_one_machine_make_one_request(tmp_path: Path) -> None:
    """Four at the same time, and one more after them."""
    with calendar_site(WEEK.encode()) as site:
        words = [sys.executable, "-c", ASKS, site.address, str(tmp_path)]
        running = [subprocess.Popen(words) for _ in range(4)]
        codes = [process.wait(timeout=60) for process in running]
        codes.append(subprocess.run(words, timeout=60, check=True).returncode)

    assert [0] * 5 == codes
    assert 1 == len(site.asked)


def test_who_dies_after_the_claim_has_asked(tmp_path: Path) -> None:
    """The next one waits two and a half minutes, whatever happens."""
    assert Cache(tmp_path, "u").claim(NOW) is not None

    cache = Cache(tmp_path, "u")
    assert cache.claim(NOW + LEAST_GAP - timedelta(seconds=1)) is None
    assert cache.claim(NOW + LEAST_GAP) is not None


def test_a_damaged_note_counts_as_a_request(tmp_path: Path) -> None:
    """Somebody wrote it, so somebody asked."""
    cache = Cache(tmp_path, "u")
    cache.write(Note(body=WEEK))
    (path,) = tmp_path.glob("*.json")
    path.write_text("{")
    written = datetime.fromtimestamp(path.stat().st_mtime, UTC)

    assert cache.claim(written + timedelta(seconds=100)) is None
    assert cache.claim(written + LEAST_GAP) is not None


def after(reply: Reply, note: Note | None = None) -> Note:
    """Return what is known after an answer."""
    return judge(note or Note(), reply, now=NOW, poll=HOUR, jitter=0.0)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=200, body=HTML),
        Reply(status=429, body=HTML, headers={"retry-after": "300"}),
        Reply(status=200),
        Reply(status=200, body=WEEK[:-9].encode()),
        Reply(status=0, detail="no route"),
        Reply(status=304),
    ],
    ids=lambda reply: f"{reply.status} {len(reply.body)}",
)
def test_no_refusal_replaces_a_good_body(reply: Reply) -> None:
    """Pauses double from five minutes to six hours; a wish to wait longer is heard."""
    good = after(Reply(status=200, body=WEEK.encode()))
    if reply.status == 304:
        assert good.body == after(reply, good).body
        assert after(reply).failures == 1
        return
    note, pauses = good, []
    for _ in range(9):
        note = after(reply, note)
        pauses.append((note.next_at - NOW).total_seconds() / 60)

    assert WEEK == note.body
    assert note.problem
    assert [5, 10, 20, 40, 80, 160, 320, 360, 360] == pauses


def test_retry_after_is_a_floor_and_an_older_week_replaces_nothing() -> None:
    """Two hours are asked for; last week's file comes back from some other cache."""
    wish = after(Reply(status=429, headers={"retry-after": "7200"}))
    old = WEEK.replace(NOW.isoformat(), (NOW - timedelta(days=7)).isoformat())
    note = after(Reply(status=200, body=WEEK.encode()))
    stale = after(Reply(status=200, body=old.encode()))

    assert 2 * HOUR == wish.next_at - NOW
    assert WEEK == after(Reply(status=200, body=old.encode()), note).body
    assert "still has the week of" in stale.problem


def test_who_knows_no_week_asks_each_hour_at_the_latest() -> None:
    """Neither one that never had an answer nor one whose week is over."""
    old = WEEK.replace(NOW.isoformat(), (NOW - timedelta(days=7)).isoformat())
    for note in (Note(failures=9), Note(failures=9, body=old)):
        assert HOUR == after(Reply(status=500), note).next_at - NOW
    ending = WEEK.replace(NOW.isoformat(), "2026-03-06T12:00:00+00:00")
    for reply in (Reply(status=500), Reply(status=200, body=ending.encode())):
        late = judge(
            Note(failures=9, body=ending),
            reply,
            now=datetime(2026, 3, 8, 1, tzinfo=UTC),
            poll=24 * HOUR,
            jitter=1.0,
        )
        assert datetime(2026, 3, 8, 6, 15, tzinfo=UTC) == late.next_at


def test_a_note_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    """It knows nothing of the week before."""
    cache = Cache(tmp_path, "u")
    cache.write(Note(body=WEEK))
    (path,) = tmp_path.glob("*.json")
    record = json.loads(path.read_text())
    del record["former"]
    path.write_text(json.dumps(record))

    assert Note(body=WEEK) == cache.read()


def test_half_a_body_is_no_answer() -> None:
    """The connection ends before the length that was told."""
    with calendar_site(b"[" + row()["title"].encode()) as site:
        site.length = 5000
        reply = get(site.address, {})

    assert 0 == reply.status
    assert reply.detail


def test_an_unchanged_calendar_is_not_sent_again() -> None:
    """The tag of the last good answer comes back, and 304 is an answer."""
    with calendar_site(WEEK.encode()) as site:
        site.headers = {"ETag": 'W/"1"'}
        first = get(site.address, {})
        second = get(site.address, {"If-None-Match": first.headers["etag"]})

    assert (200, 304) == (first.status, second.status)


def test_the_cache_folder_is_the_users_own() -> None:
    """On every platform where programs of theirs look for it."""
    home = Path("/home/me")

    assert home / ".cache/mt5runner" == default_folder("linux", {}, home)
    assert home / "Library/Caches/mt5runner" == default_folder("darwin", {}, home)
    local = {"LOCALAPPDATA": "/l"}
    assert Path("/l/mt5runner") == default_folder("win32", local, home)
