"""News over the network into the whole runner: the weekly feed and the server."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from calendar_site import HTML, Site, calendar_site
from news_scene import Scene, row

from runner import ApiAccess
from server_stub.seed import DEMO, plant
from server_stub.server import StubServer
from server_stub.store import Store

WEEK = json.dumps([row()]).encode()
WINDOWS = {"High": [5, 5]}


@pytest.fixture
def site() -> Iterator[Site]:
    """A website with the week's calendar."""
    with calendar_site(WEEK) as made:
        yield made


def until_known(scene: Scene, source: str) -> None:
    """Let the runner work until it has taken over what *source* says."""
    end = time.monotonic() + 60
    while scene.store.get("plugin.news_pause", f"calendar.{source}") is None:
        assert time.monotonic() < end, scene.news
        time.sleep(0.01)
        scene.runner.cycle()


def stop(scene: Scene) -> None:
    """Let the runner end."""
    scene.runner.loop.finish()


def feed(site: Site, folder: Path, **settings: Any) -> dict[str, Any]:
    """Return settings for that website."""
    return {
        "sources": ["feed"],
        "feed_url": site.address,
        "cache_dir": str(folder),
        "windows": WINDOWS,
        **settings,
    }


def note(folder: Path) -> dict[str, Any]:
    """Return what the cache holds."""
    (path,) = folder.glob("calendar-*.json")
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def inside(scene: Scene) -> list[int]:
    """List the minutes of the window in which something was opened."""
    return [minute for minute in scene.journal.minutes() if -5 <= minute < 5]


def test_feed_url_is_asked(site: Site, tmp_path: Path) -> None:
    """Once, with a header that is not bare; its events stop entries."""
    scene = Scene(feed(site, tmp_path))
    until_known(scene, "feed")

    scene.play()
    stop(scene)

    assert [] == inside(scene)
    assert scene.journal.sent
    assert ["Mozilla/5.0 (compatible; mt5runner)"] == [
        asked["user-agent"] for asked in site.asked
    ]


def test_cache_dir_is_shared(site: Site, tmp_path: Path) -> None:
    """Two runners and ten restarts: one request; the calendar is known each time."""
    folder = tmp_path / "shared"
    for _ in range(10):
        # Each has a state of its own, as runners of different accounts have.
        scene = Scene(feed(site, folder))
        until_known(scene, "feed")
        stop(scene)

    assert 1 == len(site.asked)
    assert WEEK.decode() == note(folder)["body"]


def test_poll_minutes_is_the_time_between_two_requests(
    site: Site, tmp_path: Path
) -> None:
    """At least so long, and at most a quarter longer."""
    scene = Scene(feed(site, tmp_path, poll_minutes=10))
    until_known(scene, "feed")
    stop(scene)

    found = note(tmp_path)
    asked, due = (datetime.fromisoformat(found[k]) for k in ("asked_at", "next_at"))
    assert 600 <= (due - asked).total_seconds() <= 750


@pytest.mark.parametrize(
    ("status", "body", "complaint"),
    [
        (200, HTML, "no calendar: expected a list"),
        (429, HTML, "HTTP 429"),
        (200, b"", "no calendar"),
        (200, b"[]", "holds no events"),
        (200, WEEK[:-20], "expected JSON"),
        (200, b"[\xff", "no text in UTF-8"),
        (500, b"", "HTTP 500"),
    ],
)
def test_a_refusal_leaves_the_news_unknown_and_entries_stopped(
    status: int, body: bytes, complaint: str, site: Site, tmp_path: Path
) -> None:
    """At a first start; the heartbeat says why."""
    site.status, site.body = status, body
    scene = Scene(feed(site, tmp_path))
    end = time.monotonic() + 60
    while "problem" not in (news := scene.news):
        assert time.monotonic() < end
        time.sleep(0.01)

    scene.play(until=-50)
    stop(scene)

    assert "UNKNOWN" == news["state"]
    assert complaint in news["reason"]
    assert [] == scene.journal.sent
    assert {"NEWS_UNKNOWN"} == {code for _, _, code in scene.journal.denied}


def test_a_restart_without_a_network_knows_the_week(tmp_path: Path) -> None:
    """From the plugin's own state, also where the cache is gone."""
    with calendar_site(WEEK) as site:
        first = Scene(feed(site, tmp_path / "one"))
        until_known(first, "feed")
        stop(first)
        settings = feed(site, tmp_path / "two")

    again = Scene(settings, store=first.store)
    again.play()
    stop(again)

    assert [] == inside(again)
    assert again.journal.sent


def test_who_is_switched_off_asks_nobody(site: Site, tmp_path: Path) -> None:
    """And asks as soon as it is switched on."""
    scene = Scene(feed(site, tmp_path), is_on=False)
    scene.play(until=-50)
    assert {"state": "OFF"} == scene.news
    assert [] == site.asked
    assert [] == list(tmp_path.iterdir())

    scene.switch(on=True)
    scene.runner.cycle()
    until_known(scene, "feed")
    stop(scene)

    assert 1 == len(site.asked)


@pytest.fixture
def stub() -> Iterator[tuple[StubServer, Store]]:
    """The config server."""
    store = Store()
    plant(store, DEMO)
    server = StubServer(store=store, admin_key="admin")
    server.start()
    yield server, store
    server.stop()
    store.close()


def api(server: StubServer, key: str = "demo-key") -> ApiAccess:
    """Return how the demo's bot asks."""
    return ApiAccess(
        url=server.address,
        account="123456",
        headers=lambda: {"Authorization": f"Api-Key {key}"},
    )


def test_api_is_where_the_server_is_asked(stub: tuple[StubServer, Store]) -> None:
    """With the bot's key; its events stop entries."""
    server, store = stub
    plant(store, {"calendar": [row()]})
    scene = Scene({"sources": ["server"], "windows": WINDOWS, "api": api(server)})
    until_known(scene, "server")

    scene.play()
    stop(scene)

    assert [] == inside(scene)
    assert scene.journal.sent


@pytest.mark.parametrize(
    ("key", "complaint"),
    [("demo-key", "the server has no calendar"), ("wrong", "HTTP 403")],
)
def test_a_server_without_a_calendar_leaves_it_to_the_next_source(
    key: str,
    complaint: str,
    stub: tuple[StubServer, Store],
    site: Site,
    tmp_path: Path,
) -> None:
    """Every server of the base protocol is one."""
    server, _ = stub
    settings = feed(site, tmp_path) | {"sources": ["server", "feed"]}
    scene = Scene(settings | {"api": api(server, key)})
    until_known(scene, "feed")
    end = time.monotonic() + 60
    while complaint not in (problem := scene.news.get("problem", "")):
        assert time.monotonic() < end, problem
        time.sleep(0.01)

    scene.play()
    stop(scene)

    assert [] == inside(scene)
    assert scene.journal.sent
