"""The stub's calendar: stored whole or not at all, and served to bots."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from server_stub.api import Api
from server_stub.changes import RefusedError
from server_stub.clock import now
from server_stub.messages import Request
from server_stub.observation import Snapshot
from server_stub.seed import DEMO, plant
from server_stub.store import Store

ADMIN, BOT = "/api/admin/calendar/", "/api/bot/calendar/123456/"
CPI = {
    "date": "2025-04-04T08:30:00-04:00",
    "country": "USD",
    "impact": "High",
    "title": "CPI m/m",
}
STORED = CPI | {"date": "2025-04-04T12:30:00Z"}


def ask(
    store: Store, method: str, path: str, key: str, body: Any = None, **server: Any
) -> tuple[int, Any]:
    """Return status and body of an answer."""
    api = Api(store=store, admin_key="admin", now=now, look=Snapshot, **server)
    sent = b"" if body is None else json.dumps(body).encode()
    request = Request(
        method=method, path=path, authorization=f"Api-Key {key}", body=sent
    )
    response = api.answer(request).response
    return response.status, json.loads(response.body)


@pytest.fixture
def store() -> Iterator[Store]:
    """The demo."""
    made = Store()
    plant(made, DEMO)
    yield made
    made.close()


def test_what_is_put_is_served_to_bots(store: Store) -> None:
    """In UTC, in order, without what nobody needs; an empty list takes it away."""
    assert 404 == ask(store, "GET", BOT, "demo-key")[0]
    later = CPI | {"date": "2025-04-05T00:00:00Z", "forecast": "1%", "previous": ""}

    assert 200 == ask(store, "PUT", ADMIN, "admin", {"events": [later, CPI]})[0]

    status, body = ask(store, "GET", BOT, "demo-key")
    assert (200, STORED) == (status, body["events"][0])
    assert body == ask(store, "GET", ADMIN, "admin")[1]
    ask(store, "PUT", ADMIN, "admin", {"events": []})
    assert 404 == ask(store, "GET", BOT, "demo-key")[0]


def test_a_server_of_the_base_protocol_has_none(store: Store) -> None:
    """Extensions are announced by being there."""
    plant(store, {"calendar": [CPI]})

    for path, key in ((ADMIN, "admin"), (BOT, "demo-key")):
        assert 404 == ask(store, "GET", path, key, extensions=False)[0]
    assert 403 == ask(store, "GET", BOT, "no-key")[0]


def test_every_error_comes_with_its_path_and_nothing_is_stored(store: Store) -> None:
    """A calendar is replaced whole or not at all."""
    store.set_calendar([STORED])
    bad = [CPI | {"date": "2025-04-04"}, CPI | {"impact": "high"}, 5, CPI | {"x": 1}]

    status, body = ask(store, "PUT", ADMIN, "admin", {"events": bad})

    assert 400 == status
    paths = [line.partition(":")[0] for line in body["errors"]]
    assert [
        "$.events[0].date",
        "$.events[1].impact",
        "$.events[2]",
        "$.events[3].x",
    ] == paths
    assert [STORED] == store.calendar()


def test_a_seed_plants_a_calendar_once(store: Store) -> None:
    """What is there already stays; an error names its place in the file."""
    plant(store, {"calendar": [CPI]})
    plant(store, {"calendar": [CPI | {"title": "Other"}]})

    assert [STORED] == store.calendar()
    with pytest.raises(RefusedError, match=r"\$\.calendar\[0\]\.country"):
        plant(store, {"calendar": [CPI | {"country": ""}]})


def test_a_database_of_version_1_gets_a_calendar(tmp_path: Path) -> None:
    """What it holds stays."""
    file = tmp_path / "c.db"
    store = Store(file)
    plant(store, DEMO)
    store.close()
    with sqlite3.connect(file) as database:
        database.execute("DROP TABLE calendar")
        database.execute("PRAGMA user_version = 1")
    database.close()

    again = Store(file)
    again.set_calendar([STORED])

    assert 1 == len(again.accounts())
    assert [STORED] == again.calendar()
    again.close()
