"""The commands a user types, as processes, and the things they talk to."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import redis
import requests

ADMIN_KEY = "admin-key-of-the-tests"
DEADLINE = 60.0


def wait_until(
    condition: Callable[[], Any], what: str, within: float = DEADLINE
) -> Any:
    """Wait for *condition* to be true and return what it returned."""
    until = time.monotonic() + within
    while not (value := condition()):
        if time.monotonic() > until:
            raise AssertionError(f"not within {within:.0f} s: {what}")
        time.sleep(0.02)
    return value


class Process:
    """One of the project's commands, its output going to a file."""

    def __init__(
        self,
        words: Sequence[str],
        log: Path,
        environ: Mapping[str, str],
        cwd: Path,
        python: str,
        output: int | None = None,
    ) -> None:
        self.log = log
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("MT5RUNNER_") and name != "REDIS_URL"
        }
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                [python, "-P", *words],
                stdout=file if output is None else output,
                stderr=subprocess.STDOUT,
                env=inherited | {"PYTHONUNBUFFERED": "1"} | dict(environ),
                cwd=cwd,
            )

    @property
    def text(self) -> str:
        """Everything that it printed so far."""
        return self.log.read_text("utf-8", errors="replace")

    def wait_for(self, text: str, within: float = DEADLINE) -> None:
        """Wait until it has printed *text*."""

        def seen() -> bool:
            if text in self.text:
                return True
            code = self.process.poll()
            if code is not None and text not in self.text:
                raise AssertionError(f"ended with {code} before {text!r}:\n{self.text}")
            return False

        try:
            wait_until(seen, repr(text), within)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.text}") from None

    def stop(self, within: float = 20.0) -> int:
        """Ask it to stop and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.wait(within)

    def wait(self, within: float = DEADLINE) -> int:
        """Return its exit code."""
        return self.process.wait(timeout=within)

    def kill(self) -> None:
        """Kill it without a chance to clean up."""
        self.process.kill()
        self.process.wait(timeout=10)


class Bench:
    """A folder, a way to start commands, and the admin API."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[Process] = []
        self.address = "http://127.0.0.1:1"  # where nobody answers
        self.python = sys.executable
        self.output: int | None = None  # where commands print; None for their file

    def start(self, *words: str, **environ: str) -> Process:
        """Start a command such as ``-m runner start``."""
        number = len(self.processes)
        log = self.folder / f"process-{number}.log"
        process = Process(words, log, environ, self.folder, self.python, self.output)
        self.processes.append(process)
        return process

    def serve(self, *flags: str, seed: Any = None, **environ: str) -> Process:
        """Start the config server; `address` is where it listens."""
        words = ["-m", "server_stub", "--port", "0", "--db", "server.db", *flags]
        if seed is None:
            words.append("--demo")
        else:
            file = self.folder / "seed.json"
            file.write_text(json.dumps(seed))
            words += ["--seed", str(file)]
        server = self.start(*words, CONFIG_STUB_ADMIN_KEY=ADMIN_KEY, **environ)
        server.wait_for("http://")
        self.address = "http://" + server.text.split("http://")[1].split()[0].strip("/")
        return server

    def run(self, *flags: str, key: str = "demo-key", **environ: str) -> Process:
        """Start ``runner start`` on the demo account against the server."""
        words = ["-m", "runner", "start", "--api-url", self.address]
        if "--account" not in flags:
            words += ["--account", "123456"]
        if "--state-dir" not in flags:
            words += ["--state-dir", str(self.folder / "state")]
        return self.start(*words, *flags, MT5RUNNER_API_KEY=key, **environ)

    def admin(self, method: str, path: str, body: Any = None) -> requests.Response:
        """Call the administration."""
        return requests.request(
            method,
            f"{self.address}/api/admin/{path}",
            json=body,
            headers={"Authorization": f"Api-Key {ADMIN_KEY}"},
            timeout=10,
        )

    def patch_strategy(self, **fields: Any) -> requests.Response:
        """PATCH strategy 1."""
        return self.admin("PATCH", "strategies/1/", fields)

    def patch_account(self, **fields: Any) -> requests.Response:
        """PATCH the demo account."""
        return self.admin("PATCH", "accounts/123456/", fields)

    def close(self) -> None:
        """Kill whatever still runs."""
        for process in reversed(self.processes):
            if process.process.poll() is None:
                process.kill()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A bench whose processes are gone after the test."""
    made = Bench(tmp_path)
    yield made
    made.close()


@pytest.fixture
def control(redis_url: str) -> Iterator[redis.Redis]:
    """A client of the real Redis, as an operator has one."""
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


class BarFile:
    """Writes bars of a made-up market, a minute each."""

    def __init__(self, path: Path, start: datetime | None = None) -> None:
        self.path = path
        self.time = start or datetime(2026, 3, 2, tzinfo=UTC)
        self.step = timedelta(minutes=1)
        self._rows: list[list[str]] = []

    def add(self, *closes: float, spread: int = 10, digits: int = 5) -> None:
        """Add bars that go from the last close to each of *closes*."""
        for close in closes:
            last = float(self._rows[-1][4]) if self._rows else close
            high, low = max(last, close), min(last, close)
            prices = [f"{price:.{digits}f}" for price in (last, high, low, close)]
            stamp = self.time.strftime("%Y-%m-%dT%H:%M:%SZ")
            self._rows.append([stamp, *prices, "100", str(spread)])
            self.time += self.step

    def write(self) -> Path:
        """Write the file and return its path."""
        with self.path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(
                ["time", "open", "high", "low", "close", "tick_volume", "spread"]
            )
            writer.writerows(self._rows)
        return self.path


def busy_market(folder: Path, bars: int = 4000) -> str:
    """Write a market with a breakout every few bars and return its feed.

    Twenty bars up, twenty bars down, 50 points each: a strategy with a short look-back
    and stops of 100 points opens and closes a position every few bars.
    """
    specs = []
    for symbol, start, step, digits in (
        ("EURUSD", 1.1, 0.0005, 5),
        ("XAUUSD", 2000.0, 0.5, 2),
    ):
        file = BarFile(folder / f"{symbol}.csv")
        price = start
        file.add(price, digits=digits)
        for n in range(bars):
            price += step if (n // 20) % 2 == 0 else -step
            file.add(price, digits=digits)
        specs.append(f"{symbol}={file.write()}")
    return "csv:" + ",".join(specs)


PARAMETERS = {
    "XAUUSD": {
        "threshold_points": 0,
        "stop_loss": 100,
        "take_profit": 100,
        "lookback_period": 5,
    },
    "EURUSD": {
        "threshold_points": 0,
        "stop_loss": 110,
        "take_profit": 110,
        "lookback_period": 5,
    },
}
"""Parameters that trade often on `busy_market`."""


def seed(**account: Any) -> dict[str, Any]:
    """Return a seed for the config server: the demo account with busy parameters."""
    return {
        "accounts": [
            {
                "mt5_account_id": "123456",
                "api_key": "demo-key",
                "bot_status": "ACTIVE",
                "account_status": "ACTIVE",
                "subscription_status": "ACTIVE",
                "subscription_expiry": "2099-01-01T00:00:00Z",
                "current_balance": "10000.0000",
                "peak_balance": "10000.0000",
                "risk_config": {
                    "dd_protection_enabled": True,
                    "daily_dd_limit_percent": 5.0,
                    "max_account_dd_percent": 10.0,
                },
                "trade_config": {
                    "enabled_symbols": ["XAUUSD", "EURUSD"],
                    "lot_size": 0.01,
                    "auto_pause_on_news": False,
                    "dynamic_position_sizing_enabled": False,
                },
                "active_bot_id": 1,
            }
            | account
        ],
        "strategies": [
            {
                "id": 1,
                "bot_strategy_name": "Trend Following Bot",
                "bot_status": "ACTIVE",
                "bot_strategy_class": "TrendFollowingBot",
                "allowed_symbols": ["XAUUSD", "EURUSD", "GBPUSD"],
                "parameters_by_symbol": PARAMETERS,
            }
        ],
    }


@pytest.fixture
def helpers() -> SimpleNamespace:
    """Functions and values that several acceptance tests use."""
    return SimpleNamespace(
        BarFile=BarFile,
        PARAMETERS=PARAMETERS,
        busy_market=busy_market,
        seed=seed,
        wait_until=wait_until,
    )
