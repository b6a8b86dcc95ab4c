"""`runner start` of one account in this process: a settings file, a server, a log."""

from __future__ import annotations

import contextlib
import csv
import io
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests

from runner.account_settings import load_each
from runner.app.account import run_account
from runner.exit_codes import ExitCode
from runner.loop.stop import StopRequest
from runner.settings import SettingsError
from server_stub.seed import plant
from server_stub.server import StubServer
from server_stub.store import Store

ACCOUNT, KEY, ADMIN_KEY = "123456", "key-of-the-account", "key-of-the-admin"
_WITHIN = 60.0  # seconds; only a failure takes so long

BOT = '''
import logging

from runner import Account, Bar, Intents, OrderRequest, Strategy, Tick, hookimpl

log = logging.getLogger("mt5runner.spy")


class Bot(Strategy):
    """Holds one long position in each symbol."""

    def on_bar(self, bar: Bar) -> Intents:
        if not self.is_flat(bar.symbol):
            return None
        return self.buy(bar.symbol, stop_loss=1_000)

    def on_tick(self, tick: Tick) -> Intents:
        log.info("quote %s %s", tick.symbol, tick.time.isoformat())


@hookimpl
def on_account(account: Account) -> None:
    log.info("account %s margin=%.2f", account.currency, account.margin)


@hookimpl
def on_bar_closed(bar: Bar) -> None:
    log.info("bar %s %s %s", bar.symbol, bar.timeframe.name, bar.opens_at.isoformat())


@hookimpl
def on_order_sent(request: OrderRequest) -> None:
    log.info("sent %s %s", request.action.value, request.symbol)
'''
"""A user's file: a strategy, and hooks that write down what they are told."""


SEED: dict[str, Any] = {
    "accounts": [
        {
            "mt5_account_id": ACCOUNT,
            "api_key": KEY,
            "trade_config": {
                "enabled_symbols": ["EURUSD"],
                "lot_size": 0.1,
                "auto_pause_on_news": False,
                "dynamic_position_sizing_enabled": False,
            },
            "active_bot_id": 1,
        }
    ],
    "strategies": [
        {
            "id": 1,
            "bot_strategy_class": "Bot",
            "allowed_symbols": ["EURUSD"],
            "parameters_by_symbol": {"EURUSD": {}},
        }
    ],
}
"""What the server knows."""


def write_bars(file: Path, symbol: str = "EURUSD", bars: int = 30) -> str:
    """Write a quiet market of M1 bars from ten o'clock, and return the feed of it."""
    at = datetime(2026, 3, 4, 10, tzinfo=UTC)
    with file.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(
            ["time", "open", "high", "low", "close", "tick_volume", "spread"]
        )
        for n in range(bars):
            stamp = (at + n * timedelta(minutes=1)).strftime("%Y-%m-%d %H:%M:%S")
            writer.writerow([stamp, *["1.10000"] * 4, "100", "10"])
    return f"csv:{symbol}={file.as_posix()}"


class AccountRun:
    """A config server, and one start of the account at a time.

    Args:
        folder: The working directory.

    Attributes:
        address: Where the runner looks for the server.
        store: What the server keeps.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self._log = folder, io.StringIO()
        self.store = Store()
        plant(self.store, SEED)
        self.server = StubServer(store=self.store, admin_key=ADMIN_KEY)
        self.server.start()
        self.address = self._own_address = self.server.address
        (folder / "bots").mkdir()
        (folder / "bots" / "bot.py").write_text(BOT)
        (folder / ".env").write_text(f"MT5RUNNER_API_KEY={KEY}\n")
        self._has_ended = threading.Event()

    def run(self, script: Callable[[], object], **settings: Any) -> int:
        """Run on a settings file that says so, and return the exit code.

        Args:
            script: What happens meanwhile, in a thread of its own; then it is stopped.
            **settings: What the file says.
        """
        usual = {
            "accounts": [ACCOUNT],
            "api_url": self.address,
            "plugin_dirs": ["bots"],
            "state_dir": "state",
            "journal": "off",
        }
        file = self.folder / "runner.toml"
        file.write_text(_toml(usual | settings))
        (each,) = load_each({}, {}, str(file))
        stop, failed = StopRequest(), list[BaseException]()

        def play() -> None:
            try:
                script()
            except BaseException as error:  # noqa: BLE001 - raised below
                failed.append(error)
            stop.ask("the script has ended")

        # The runner wants the main thread, which alone gets signals.
        thread = threading.Thread(target=play)
        self._has_ended.clear()
        thread.start()
        try:
            with contextlib.redirect_stderr(self._log):
                code = run_account(each, stop=stop)
        except SettingsError as error:  # as the command line tells it
            print(error, file=self._log)
            code = ExitCode.USAGE
        finally:
            self._has_ended.set()
            thread.join()
        if failed:
            raise failed[0]
        return code

    def play(self, **settings: Any) -> int:
        """Run until the feed ends, and return the exit code."""
        feed = write_bars(self.folder / "EURUSD.csv")
        played = {"feed": feed, "speed": "max", "exit_when_feed_ends": True}

        def wait() -> None:
            assert self._has_ended.wait(_WITHIN), f"it runs on:\n{self.log}"

        return self.run(wait, **played | settings)

    def admin(self, method: str, path: str, body: Any) -> None:
        """Let the server's administrator say something."""
        answer = requests.request(
            method,
            f"{self._own_address}/api/admin/{path}",
            json=body,
            headers={"Authorization": f"Api-Key {ADMIN_KEY}"},
            timeout=_WITHIN,
        )
        assert answer.ok, answer.text

    def wait_for(self, found: Callable[[], Any], what: str) -> Any:
        """Wait until *found* returns something true, and return that."""
        until = time.monotonic() + _WITHIN
        is_over = False
        while not (value := found()):
            assert not is_over, f"it never came: {what}\n{self.log}"
            is_over = self._has_ended.wait(0.01) or time.monotonic() > until
        return value

    def wait_for_line(self, text: str) -> None:
        """Wait until the log has *text*."""
        self.wait_for(lambda: text in self.log, text)

    @property
    def log(self) -> str:
        """Everything that was printed."""
        return self._log.getvalue()

    def close(self) -> None:
        """Stop everything."""
        self.server.stop()
        self.store.close()


def _toml(settings: Mapping[str, Any]) -> str:
    plain = {k: v for k, v in settings.items() if not isinstance(v, Mapping)}
    lines = [f"{name} = {_value(value)}" for name, value in plain.items()]
    for name in settings.keys() - plain.keys():
        lines += _table(name, settings[name])
    return "\n".join(lines) + "\n"


def _table(path: str, table: Mapping[str, Any]) -> list[str]:
    plain = {k: v for k, v in table.items() if not isinstance(v, Mapping)}
    lines = [f"[{path}]", *(f"{name} = {_value(plain[name])}" for name in plain)]
    for name in table.keys() - plain.keys():
        lines += _table(f"{path}.{name}", table[name])
    return lines


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}'" if isinstance(value, str) else str(value)
