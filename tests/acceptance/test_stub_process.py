from __future__ import annotations

import json
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

ADMIN = {"Authorization": "Api-Key admin"}
DEMO_ADMIN = {"Authorization": "Api-Key demo-admin"}
BOT = {"Authorization": "Api-Key demo-key"}
ROOT = Path(__file__).parents[2]
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


class Process:
    """A config server as the user starts it."""

    def __init__(self, *arguments: str, admin_key: str | None = "admin"):
        environment = {
            key: value
            for key, value in os.environ.items()
            if key not in {"REDIS_URL", "CONFIG_STUB_ADMIN_KEY"}
        }
        if admin_key is not None:
            environment["CONFIG_STUB_ADMIN_KEY"] = admin_key
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "server_stub", *arguments],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._queue: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        if self.popen.stdout is not None:
            for line in self.popen.stdout:
                self._queue.put(line.rstrip())

    def address(self) -> str:
        """Return the base URL once the server has printed it."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                self.lines.append(self._queue.get(timeout=0.2))
            except queue.Empty:
                if self.popen.poll() is not None:
                    break
                continue
            if match := re.search(r"http://\S+", self.lines[-1]):
                return match[0]
        pytest.fail(f"no address; it said {self.lines}")

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, wait for the end, and return the exit code."""
        if self.popen.poll() is None:
            self.popen.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Wait for the end and return the exit code."""
        code = self.popen.wait(timeout=60)
        self._reader.join(timeout=60)
        if self.popen.stdout is not None:
            self.popen.stdout.close()
        while not self._queue.empty():
            self.lines.append(self._queue.get())
        return code


@pytest.fixture
def processes() -> Iterator[list[Process]]:
    """Processes that are killed at the end of the test if they still run."""
    made: list[Process] = []
    yield made
    for process in made:
        if process.popen.poll() is None:
            process.popen.kill()
        process.wait()


def start(processes: list[Process], *arguments: str, **settings: Any) -> Process:
    """Start a process that *processes* looks after."""
    process = Process(*arguments, **settings)
    processes.append(process)
    return process


@POSIX
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_demo_says_where_it_is_and_ends_on_a_signal(
    processes: list[Process], number: int
) -> None:
    """One line with the address, the demo's keys, and exit code 0."""
    process = start(processes, "--demo", "--port", "0", admin_key=None)
    address = process.address()
    config = requests.get(
        f"{address}/api/bot/trade-config/123456/", headers=BOT, timeout=20
    )
    fleet = requests.get(f"{address}/api/admin/fleet/", headers=DEMO_ADMIN, timeout=20)

    code = process.end(number)

    assert (200, 200) == (config.status_code, fleet.status_code)
    assert 0 == code
    assert f"config server listening on {address}" == process.lines[0]
    assert "demo: account 123456, key demo-key, admin key demo-admin" in process.lines
    assert 1 == sum("no --redis-url" in line for line in process.lines)
    assert not any("Traceback" in line for line in process.lines)


def test_a_killed_server_has_stored_nothing_by_halves(
    processes: list[Process], tmp_path: Path
) -> None:
    """After kill -9 amid changes: every answered change is there, whole."""
    arguments = ["--demo", "--db", str(tmp_path / "config.db"), "--port", "0"]
    answered = [3, 100]
    for _ in range(3):
        process = start(processes, *arguments)
        url = f"{process.address()}/api/admin/strategies/1/"
        stored = requests.get(url, headers=ADMIN, timeout=20).json()
        both = {
            symbol: values["stop_loss"]
            for symbol, values in stored["parameters_by_symbol"].items()
        }
        if answered[0] > 3:
            assert len(set(both.values())) == 1, both
            assert stored["version"] - answered[0] in {0, 1}
            assert both["XAUUSD"] - answered[1] in {0, 1}
        timer = threading.Timer(0.4, process.popen.kill)
        timer.start()
        stop_loss = both["XAUUSD"]
        with requests.Session() as session:
            session.headers.update(ADMIN)
            while True:
                stop_loss += 1
                sent = {
                    "parameters_by_symbol.XAUUSD.stop_loss": stop_loss,
                    "parameters_by_symbol.EURUSD.stop_loss": stop_loss,
                }
                try:
                    body = session.patch(url, json=sent, timeout=20).json()
                except requests.RequestException:
                    break
                answered = [body["version"], stop_loss]
        timer.join()
        process.wait()
    assert answered[0] > 3


def test_a_seed_file_fills_an_empty_database(
    processes: list[Process], tmp_path: Path
) -> None:
    """Accounts and strategies as cli.md's format has them."""
    seed = {
        "accounts": [
            {"mt5_account_id": "55", "api_key": "k55", "active_bot_id": 4},
        ],
        "strategies": [{"id": 4, "bot_strategy_class": "Mine"}],
    }
    file = tmp_path / "seed.json"
    file.write_text(json.dumps(seed), "utf-8")
    process = start(processes, "--seed", str(file), "--port", "0")

    answer = requests.get(
        f"{process.address()}/api/bot/trade-config/55/",
        headers={"Authorization": "Api-Key k55"},
        timeout=20,
    )

    assert (4, "Mine") == (
        answer.json()["active_bot_id"],
        answer.json()["active_bot_name"],
    )


def ended(processes: list[Process], *arguments: str) -> tuple[int, str]:
    """Return exit code and output of a server that does not start."""
    process = start(processes, *arguments)
    code = process.wait()
    return code, "\n".join(process.lines)


def test_a_wrong_seed_file_is_a_usage_error(
    processes: list[Process], tmp_path: Path
) -> None:
    """Exit code 2 and a line per error with its path."""
    file = tmp_path / "seed.json"
    file.write_text('{"accounts": [{"mt5_account_id": 1, "api_ky": 1}]}', "utf-8")

    code, output = ended(processes, "--seed", str(file), "--port", "0")

    assert 2 == code
    assert "$.accounts[0].api_ky: unknown field; did you mean api_key?" in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--seed", "nowhere.json"], "nowhere.json"),
        (["--db", "nowhere/at/all.db"], "cannot be opened"),
        (["--redis-url", "http://localhost"], "--redis-url"),
        (["--port", "70000"], "must be 0 to 65535"),
        (["--heartbeat-interval", "0"], "at most 240"),
        (["--heartbeat-interval", "often"], "at most 240"),
    ],
)
def test_wrong_settings_are_a_usage_error(
    processes: list[Process], arguments: list[str], words: str
) -> None:
    """Exit code 2 and one line that says what is wrong."""
    code, output = ended(processes, *arguments)

    assert 2 == code
    assert words in output
    assert "Traceback" not in output


def test_a_taken_port_is_something_not_reached(processes: list[Process]) -> None:
    """Exit code 4 and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, output = ended(processes, "--demo", "--port", port)

    assert 4 == code
    assert "try --port 0" in output
    assert "Traceback" not in output


def test_without_an_admin_key_the_server_says_that_administration_is_off(
    processes: list[Process],
) -> None:
    """At the start and in the answer."""
    process = start(processes, "--port", "0", admin_key=None)
    url = f"{process.address()}/api/admin/fleet/"

    answer = requests.get(url, headers=ADMIN, timeout=20)
    process.end(signal.SIGTERM)

    assert 403 == answer.status_code
    assert any("administration is off" in line for line in process.lines)
