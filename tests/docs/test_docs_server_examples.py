"""The commands that the server's page shows do what it says."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from server_stub.seed import DEMO, plant
from server_stub.server import StubServer
from server_stub.store import Store

PAGE = (Path(__file__).parents[2] / "docs/server.md").read_text("utf-8")
COMMANDS = re.findall(r"^\$ (curl .*)$", PAGE, re.MULTILINE)
REFUSED = re.findall(
    r"(?s)```console\n\$ (curl [^\n]*)\n```\n\n```json\n(.*?)```", PAGE
)


@pytest.fixture
def server() -> Iterator[StubServer]:
    """The demo, as the page starts it."""
    store = Store()
    plant(store, DEMO)
    made = StubServer(store=store, admin_key="demo-admin")
    made.start()
    yield made
    made.stop()
    store.close()


def run(server: StubServer, command: str) -> str:
    """Run one command of the page and return what it prints."""
    if shutil.which("curl") is None:
        pytest.skip("no curl on this machine")
    there = command.replace("http://127.0.0.1:8000", server.address)
    words = [*shlex.split(there), "--silent", "--noproxy", "*"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=True)
    return done.stdout


def test_every_command_succeeds_in_the_order_of_the_page(server: StubServer) -> None:
    """All but those that the page shows with their refusal."""
    refused = {command for command, _ in REFUSED}
    shown = [command for command in COMMANDS if command not in refused]

    answers = [json.loads(run(server, command)) for command in shown]

    assert len(answers) >= 10
    assert [] == [answer for answer in answers if answer["status"] != "success"]


@pytest.mark.parametrize(("command", "answer"), REFUSED)
def test_a_refusal_is_what_the_page_shows(
    server: StubServer, command: str, answer: str
) -> None:
    """Word for word."""
    assert json.loads(answer) == json.loads(run(server, command))


def test_the_seed_file_of_the_page_can_be_planted() -> None:
    """As it stands there."""
    [text] = re.findall(r'(?s)```json\n(\{\s+"accounts".*?)```', PAGE)
    store = Store()
    plant(store, json.loads(text))
    account = store.account("123456")
    store.close()

    assert account is not None
    assert "TrendFollowingBot" == account.document["active_bot_name"]
