from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from plugins.news_pause.guard import NewsPause
from runner.testing import make_account, make_plugin, make_trade_config
from server_stub import clock
from server_stub.redis_link import connect
from server_stub.seed import DEMO, plant
from server_stub.server import StubServer
from server_stub.store import Store

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-sandbox",  # a container's root cannot have one; the page is our own
    "--remote-debugging-pipe",
)
DEADLINE = 60
HOUR = timedelta(hours=1)


class Page:
    """One page of a headless browser, told what to do by its debugging pipe."""

    def __init__(self, program: str, folder: Path):
        ours, theirs = os.pipe(), os.pipe()
        self._write, self._read = ours[1], theirs[0]
        self._buffer = b""
        self._id = 0
        command = shlex.join([program, *FLAGS, f"--user-data-dir={folder}"])
        # The browser reads its file descriptor 3 and writes 4.
        self._browser = subprocess.Popen(
            ["bash", "-c", f"exec {command} 3<&{ours[0]} 4>&{theirs[1]}"],
            pass_fds=(ours[0], theirs[1]),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TZ": "Asia/Tokyo", "LANGUAGE": "en_US"},
        )
        os.close(ours[0])
        os.close(theirs[1])
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]

    def _call(self, method: str, session: str | None = None, **parameters: Any) -> Any:
        self._id += 1
        message = {"id": self._id, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._message()
            if answer.get("id") == self._id:
                assert "error" not in answer, answer
                return answer["result"]

    def _message(self) -> Any:
        while b"\0" not in self._buffer:
            chunk = os.read(self._read, 65536)
            if not chunk:
                pytest.fail("the browser ended")
            self._buffer += chunk
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def open(self, url: str) -> None:
        """Go to *url*."""
        self._call("Page.navigate", self._session, url=url)

    def run(self, script: str) -> Any:
        """Return the value of a JavaScript expression."""
        result = self._call(
            "Runtime.evaluate", self._session, expression=script, returnByValue=True
        )
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def until(self, script: str) -> None:
        """Wait until a JavaScript expression is true."""
        deadline = time.monotonic() + DEADLINE
        while not self.run(script):
            if time.monotonic() > deadline:
                pytest.fail(
                    f"never true: {script}; {self.run('document.body.innerText')}"
                )
            time.sleep(0.05)

    def close(self) -> None:
        """End the browser."""
        os.close(self._write)
        self._browser.terminate()
        self._browser.wait(timeout=DEADLINE)
        os.close(self._read)


@pytest.fixture
def store() -> Iterator[Store]:
    """The demo's store, and a strategy with markup for a name."""
    made = Store()
    plant(made, DEMO)
    name = "<img src=x onerror=document.title='broken'>"
    plant(
        made,
        {"strategies": [{"bot_strategy_class": "Mine", "bot_strategy_name": name}]},
    )
    yield made
    made.close()


@pytest.fixture
def server(store: Store) -> Iterator[StubServer]:
    """A server without Redis."""
    made = StubServer(store=store, admin_key="demo-admin")
    made.start()
    yield made
    made.stop()


@pytest.fixture
def page(server: StubServer, tmp_path: Path) -> Iterator[Page]:
    """The dashboard in a browser, signed out."""
    yield from browse(server, tmp_path)


@pytest.fixture
def seeing(store: Store, redis_url: str) -> Iterator[StubServer]:
    """A server that sees its bots."""
    client = connect(redis_url)
    made = StubServer(store=store, admin_key="demo-admin", redis_client=client)
    made.start()
    yield made
    made.stop()
    client.close()


@pytest.fixture
def seeing_page(seeing: StubServer, tmp_path: Path) -> Iterator[Page]:
    """That server's dashboard."""
    yield from browse(seeing, tmp_path)


def browse(server: StubServer, tmp_path: Path) -> Iterator[Page]:
    """Open a server's dashboard in a browser, signed out; it lives in Tokyo."""
    program = next((p for name in BROWSERS if (p := shutil.which(name))), None)
    if program is None or sys.platform == "win32":
        pytest.skip("no chromium on this machine")
    made = Page(program, tmp_path / "profile")
    made.open(server.address + "/")
    made.until("document.readyState === 'complete'")
    yield made
    made.close()


def sign_in(page: Page, key: str) -> None:
    """Type a key into the form and send it."""
    page.run(f"document.querySelector('#key').value = {json.dumps(key)}")
    page.run("document.querySelector('#sign-in').requestSubmit()")


def test_a_wrong_key_is_refused_in_words(page: Page) -> None:
    """And not kept."""
    sign_in(page, "wrong")

    page.until("document.querySelector('#sign-in-error').textContent")

    assert "this is not the administrator's key" == page.run(
        "document.querySelector('#sign-in-error').textContent"
    )
    assert page.run("document.querySelector('#fleet').hidden")
    assert 0 == page.run("sessionStorage.length")


def test_the_page_shows_edits_and_pauses(page: Page, store: Store) -> None:
    """What the server refuses stands there with its path; what it takes is stored."""
    sign_in(page, "demo-admin")
    page.until("!document.querySelector('#fleet').hidden")
    row = page.run("document.querySelector('#accounts tr').innerText")
    headings = page.run("document.querySelectorAll('#strategies h3')[1].innerText")

    def edit(value: str) -> None:
        page.run(
            f"input = document.querySelector('[aria-label=\"XAUUSD stop_loss\"]');"
            f"input.value = '{value}'; input.oninput();"
            "document.querySelector('article footer button').click()"
        )

    edit("-5")
    page.until("document.querySelector('article .error').textContent")
    refused = page.run("document.querySelector('article .error').textContent")
    marked = page.run("input.classList.contains('wrong')")
    before = store.strategy(1)
    edit("many")
    page.until("document.querySelector('article .error').textContent.includes('many')")
    edit("120")
    page.until("document.querySelector('article .saved')?.textContent")
    saved = page.run("document.querySelector('article .saved').textContent")
    after = store.strategy(1)
    page.run("document.querySelector('#accounts button').click()")
    page.until("document.querySelector('#accounts button').textContent === 'Resume'")
    paused = store.account("123456")

    assert "123456" in row
    assert "NEVER_SEEN" in row
    assert "#2 <img src=x onerror=document.title='broken'>" == headings
    assert "Nothing is coming" in page.run(
        "document.querySelector('#news-note').innerText"
    )
    assert "Config server" == page.run("document.title")
    assert "$.parameters_by_symbol.XAUUSD.stop_loss: must be > 0, got -5" == refused
    assert marked
    assert before is not None
    assert 3 == before.version
    assert "saved as version 4" == saved
    assert after is not None
    assert 120 == after.document["parameters_by_symbol"]["XAUUSD"]["stop_loss"]
    assert 30 == after.document["parameters_by_symbol"]["EURUSD"]["stop_loss"]
    assert paused is not None
    assert "PAUSED" == paused.document["bot_status"]


def test_a_link_may_carry_the_key(page: Page, server: StubServer) -> None:
    """It signs in and is gone from the address; signing out forgets the key."""
    page.open("about:blank")
    page.open(server.address + "/#key=demo-admin")
    page.until("document.querySelector('#fleet')?.hidden === false")
    address = page.run("location.href")
    page.run("document.querySelector('#sign-out').click()")

    assert server.address + "/" == address
    assert page.run("document.querySelector('#fleet').hidden")
    assert 0 == page.run("sessionStorage.length")


def news_row(at: datetime, currency: str, impact: str, title: str) -> dict[str, str]:
    """Return an event as calendars have it."""
    return {
        "date": at.isoformat(),
        "country": currency,
        "impact": impact,
        "title": title,
    }


@pytest.mark.redis
def test_the_page_shows_what_news_is_coming_and_what_it_stops(
    store: Store, seeing_page: Page, redis_url: str, tmp_path: Path
) -> None:
    """The server's calendar and the bot's own, and the bot's state in its own words."""
    page, now = seeing_page, clock.now().replace(second=0, microsecond=0)
    soon, later = now + HOUR / 6, now + 5 * HOUR
    shared = news_row(soon, "USD", "High", "CPI <b>m/m")
    speech = news_row(now + 3 * HOUR, "All", "Low", "Speech")
    past = news_row(now - 24 * HOUR, "USD", "High", "Past")
    plant(store, {"calendar": [shared, speech, past]})
    file = tmp_path / "calendar.json"
    file.write_text(json.dumps([past, shared, news_row(later, "EUR", "High", "Rates")]))
    guard = make_plugin(NewsPause, calendar=file)
    config = make_trade_config(
        auto_pause_on_news=True, enabled_symbols=("EURUSD", "XAUUSD")
    )
    guard.on_trade_config_applied(config, now)

    with redis.Redis.from_url(redis_url) as client:

        def beat(news: str) -> None:
            failing = '{"Bot-2": "on_bar EURUSD: <b>KeyError"}'
            fields = {"bot_status": "ACTIVE", "news": news, "failing": failing}
            client.hset("bot:heartbeat:123456", mapping=fields)

        def told(text: str) -> None:
            page.until(
                "document.querySelector('#accounts').innerText"
                f".includes({json.dumps(text)})"
            )

        beat(guard.describe_status(make_account(), now)["news"])
        sign_in(page, "demo-admin")
        told("BLOCKED until")
        state = page.run("document.querySelector('#accounts').innerText")
        rows = page.run(
            "[...document.querySelectorAll('#news tr')].map("
            "row => [...row.cells].map(cell => cell.innerText))"
        )
        beat(guard.describe_status(make_account(), now + 24 * 14 * HOUR)["news"])
        told("UNKNOWN")
        told("entries stop")
        told("news: file: the calendar reaches from")
        told("failing: Bot-2: on_bar EURUSD: <b>KeyError")
        beat('{"state": "BLOCKED", "windows": [null, {"events": [null, {}]}, 3]}')
        told("BLOCKED until ?")
        connected = page.run("document.querySelector('#state').textContent")

    def moment(at: datetime) -> str:
        return f"{at:%Y-%m-%d %H:%MZ}"

    def row(at: datetime, *cells: str) -> list[str]:
        local = at + 9 * HOUR
        here = f"{local:%a}, {local:%b} {local.day}, {local:%H:%M}"
        return [moment(at), here, *cells]

    def stops(at: datetime, symbols: str) -> str:
        around = f"{moment(at - HOUR / 2)} to {moment(at + HOUR / 2)}"
        return f"123456: {symbols}, {around}"

    assert f"BLOCKED until {moment(soon + HOUR / 2)}" in state
    assert "USD CPI <b>m/m: EURUSD, XAUUSD" in state
    assert [
        row(soon, "USD", "High", "CPI <b>m/m", stops(soon, "EURUSD, XAUUSD")),
        row(now + 3 * HOUR, "All", "Low", "Speech", "\N{EN DASH}"),
        row(later, "EUR", "High", "Rates", stops(later, "EURUSD")),
    ] == rows
    assert "Redis is up" == connected


def test_the_page_says_how_many_news_it_leaves_out(store: Store, page: Page) -> None:
    """A calendar may reach over years."""
    later = clock.now() + HOUR
    rows = [news_row(later + n * HOUR, "USD", "Low", f"Event {n}") for n in range(53)]
    plant(store, {"calendar": rows})

    sign_in(page, "demo-admin")
    page.until("document.querySelector('#news-note').textContent === 'and 3 more'")

    assert 50 == page.run("document.querySelectorAll('#news tr').length")
