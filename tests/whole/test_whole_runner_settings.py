"""Settings of the runner itself, from a settings file to what it then does."""

from __future__ import annotations

import http.server
import json
import re
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import redis
import requests
from account_run import ACCOUNT, KEY, AccountRun, write_bars
from live_terminal import LiveTerminal

from runner.adapters.embedded_redis import EmbeddedRedis
from runner.core.identity import magic_number
from runner.core.server_time import ServerZone
from runner.exit_codes import ExitCode

NEVER = """
from runner import Deny, hookimpl


@hookimpl
def check_trading() -> Deny | None:
    return Deny("NEVER", "")
"""
NEWS = {
    "enabled_symbols": ["EURUSD"],
    "lot_size": 0.1,
    "auto_pause_on_news": True,
    "dynamic_position_sizing_enabled": False,
}
SUFFIXED = {
    "digits": 5,
    "trade_contract_size": 100_000.0,
    "currency_base": "EUR",
    "currency_profit": "USD",
    "currency_margin": "EUR",
}


# -- plugins ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("plugin", "tight", "wide", "code"),
    [
        ("limits", {"lots": 0.05}, {"lots": 0.2}, "LOT_LIMIT"),
        ("spread", {"points": 5.0}, {"points": 20.0}, "SPREAD_WIDE"),
    ],
)
def test_a_section_of_a_plugin_is_its_settings(
    run: AccountRun, plugin: str, tight: Any, wide: Any, code: str
) -> None:
    """And lets one run that would not without it."""
    assert 0 == run.play(plugins={plugin: tight})
    assert f"{plugin}: {code}" in run.log
    assert "sent open" not in run.log

    assert 0 == run.play(plugins={plugin: wide})
    assert "sent open EURUSD" in run.log


@pytest.mark.parametrize("disabled", [True, False])
def test_a_plugin_that_is_disabled_is_not_used(run: AccountRun, disabled: bool) -> None:
    """A user's own guard that denies everything."""
    (run.folder / "bots" / "never.py").write_text(NEVER)

    assert 0 == run.play(disabled_plugins=["never"] if disabled else [])
    assert disabled is ("sent open EURUSD" in run.log)
    assert disabled is not ("NEVER" in run.log)


def test_a_plugin_that_must_load_or_nothing_runs(run: AccountRun) -> None:
    """If it is not there the account does not start."""
    assert ExitCode.PLUGIN == run.play(enabled_plugins=["never"])

    (run.folder / "bots" / "never.py").write_text(NEVER)
    assert 0 == run.play(enabled_plugins=["never"])


def test_a_folder_of_plugins_that_is_not_named_is_not_used(run: AccountRun) -> None:
    """So the server's strategy is not found."""
    missing = "no strategy of the class"

    assert 0 == run.run(lambda: run.wait_for_line(missing), plugin_dirs=[])


# -- the paper terminal ----------------------------------------------------------------
def test_the_paper_account_is_as_chosen(run: AccountRun) -> None:
    """Its balance and currency, and a leverage that shows in the margin of 0.1 lots."""
    eur = {"paper_currency": "EUR", "paper_balance": 5_000, "paper_leverage": 50}
    assert 0 == run.play(**eur)
    assert "5000.00 EUR" in run.log
    assert "account EUR margin=200.00" in run.log

    assert 0 == run.play()
    assert "10000.00 USD" in run.log
    assert "account USD margin=110.01" in run.log


def test_symbol_rules_are_of_the_file(run: AccountRun) -> None:
    """A broker whose smallest order is half a lot gets none of a tenth."""
    file = run.folder / "symbols.json"
    file.write_text(json.dumps({"EURUSD": {"volume_min": 0.5}}))

    assert 0 == run.play(symbols="symbols.json")
    assert "NO_VOLUME" in run.log
    assert "sent open" not in run.log


def test_a_symbol_may_have_another_name_at_the_broker(run: AccountRun) -> None:
    """On paper as live."""
    file = run.folder / "symbols.json"
    file.write_text(json.dumps({"EURUSD.m": SUFFIXED}))
    feed = write_bars(run.folder / "m.csv", "EURUSD.m")
    rest = {"symbols": "symbols.json", "feed": feed}
    assert 0 == run.play(**rest)
    assert "sent open" not in run.log

    assert 0 == run.play(**rest, symbol_aliases={"EURUSD": "EURUSD.m"})
    assert "sent open EURUSD" in run.log


@pytest.mark.parametrize("timeframe", ["M5", "M1"])
def test_bars_are_of_the_chosen_timeframe(run: AccountRun, timeframe: str) -> None:
    """If a strategy names none; without a choice they are the feed's."""
    assert 0 == run.play(**{"timeframe": "M5"} if timeframe == "M5" else {})

    assert f"bar EURUSD {timeframe} " in run.log
    assert {"M1": 29, "M5": 5}[timeframe] <= run.log.count("bar EURUSD")


def test_times_are_of_the_brokers_clock(run: AccountRun) -> None:
    """Ten o'clock in Tokyo is one o'clock in the night, UTC."""
    assert 0 == run.play(server_timezone="Asia/Tokyo")
    assert "bar EURUSD M1 2026-03-04T01:00:00+00:00" in run.log

    assert 0 == run.play()
    assert "bar EURUSD M1 2026-03-04T10:00:00+00:00" in run.log


def test_a_feed_that_is_not_to_end_the_run_does_not(run: AccountRun) -> None:
    """It trades on what is open until it is stopped."""
    feed = write_bars(run.folder / "EURUSD.csv")
    last = "bar EURUSD M1 2026-03-04T10:28"

    code = run.run(lambda: run.wait_for_line(last), feed=feed, speed="max")

    assert 0 == code
    assert "stopping: the script has ended" in run.log


# -- files and log ---------------------------------------------------------------------
def test_state_and_journal_lie_where_they_are_told_to(run: AccountRun) -> None:
    """And a journal that is off is not there."""
    assert 0 == run.play(state_dir="mine")
    assert (run.folder / "mine" / f"{ACCOUNT}.db").is_file()
    assert [] == list(run.folder.rglob("*.jsonl.gz"))

    assert 0 == run.play(journal="far")
    found = list(run.folder.rglob("*.jsonl.gz"))
    assert [run.folder / "far" / ACCOUNT] == [one.parents[1] for one in found]
    assert not (run.folder / "state" / "journal").exists()


@pytest.mark.parametrize(("megabytes", "stays"), [(1, False), (4, True)])
def test_journals_have_so_much_room(
    run: AccountRun, megabytes: int, stays: bool
) -> None:
    """One of an earlier run goes when there would be more."""
    old = run.folder / "j" / ACCOUNT / "2020-01-01T000000.000000Z" / "00001.jsonl.gz"
    old.parent.mkdir(parents=True)
    old.write_bytes(bytes(2 << 20))

    assert 0 == run.play(journal="j", journal_mb=megabytes)
    assert stays is old.exists()


def test_the_log_is_of_the_chosen_format(run: AccountRun) -> None:
    """JSON, an object a line; text, if nothing is said."""
    assert 0 == run.play(log_format="json")
    lines = [json.loads(line) for line in run.log.splitlines()]
    assert {ACCOUNT} == {line["account"] for line in lines}

    before = len(run.log)
    assert 0 == run.play()
    assert f" INFO    {ACCOUNT} app: connected" in run.log[before:]


# -- the server ------------------------------------------------------------------------
class Door(http.server.BaseHTTPRequestHandler):
    """Lets through to the server who has the key where it is wanted."""

    wanted: tuple[str, str] = ("", "")
    address = ""
    passed: set[str]

    def do_GET(self) -> None:
        name, value = self.wanted
        is_right = self.headers.get(name) == value
        key = {"Authorization": f"Api-Key {KEY}"} if is_right else {}
        answer = requests.get(self.address + self.path, headers=key, timeout=10)
        if answer.status_code != 401:
            self.passed.add(self.path)
        self.send_response(answer.status_code)
        self.send_header("Content-Length", str(len(answer.content)))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.fixture
def door(run: AccountRun) -> Iterator[type[Door]]:
    """A door before the server of the run."""
    made = type("OneDoor", (Door,), {"address": run.address, "passed": set()})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), made)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    run.address = f"http://127.0.0.1:{server.server_port}"
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("setting", "value", "wanted"),
    [
        ("api_key_header", "X-Key", ("X-Key", f"Api-Key {KEY}")),
        ("api_key_prefix", "", ("Authorization", KEY)),
    ],
)
def test_the_key_is_sent_as_the_server_wants_it(
    run: AccountRun,
    door: type[Door],
    setting: str,
    value: str,
    wanted: tuple[str, str],
) -> None:
    """In its header and behind its word: for configs, and when a plugin asks."""
    door.wanted = wanted
    run.admin("PATCH", f"accounts/{ACCOUNT}/", {"trade_config": NEWS})
    news = {"plugins": {"news_pause": {"sources": ["server"]}}}
    refused = "trade: HTTP 401"
    assert 0 == run.run(lambda: run.wait_for_line(refused), **news)
    assert set() == door.passed

    def script() -> None:
        run.wait_for_line("trade config 2 applied")
        calendar = f"/api/bot/calendar/{ACCOUNT}/"
        run.wait_for(lambda: calendar in door.passed, "the plugin's own question")

    assert 0 == run.run(script, **news, **{setting: value})


def test_the_server_is_asked_so_often(run: AccountRun) -> None:
    """Without Redis that is how a change is heard of, and a command to the fleet."""

    def script() -> None:
        run.wait_for_line("trade config 1 applied")
        run.admin("PATCH", f"accounts/{ACCOUNT}/", {"bot_status": "PAUSED"})
        run.wait_for_line("config.bot_status PAUSED")
        for action, path in (
            ("PAUSE", "command/"),
            ("EMERGENCY_STOP", f"accounts/{ACCOUNT}/command/"),
        ):
            run.admin("POST", path, {"action": action, "reason": "lunch"})
            run.wait_for_line(f"command {action}: lunch")

    assert 0 == run.run(script, poll_interval=0.3)


def test_a_config_that_nobody_confirms_grows_too_old(run: AccountRun) -> None:
    """Entries stop then; with the usual bound they would not for a day."""
    stale = "CONFIG_STALE: not confirmed by the server since"

    assert 0 == run.run(lambda: run.wait_for_line(stale), max_config_age_h=0.0003)


@pytest.fixture
def control() -> Iterator[Any]:
    """A Redis for the run, which has its `url`, and a client of it."""
    server = EmbeddedRedis()
    server.start()
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        yield SimpleNamespace(url=server.url, client=client)
    server.stop()


def test_heartbeats_are_sent_so_often(run: AccountRun, control: Any) -> None:
    """To the Redis that is named."""
    times: set[str] = set()

    def beats() -> bool:
        beat = control.client.hgetall(f"bot:heartbeat:{ACCOUNT}")
        if beat.get("bot_status") == "ACTIVE":
            times.add(beat["timestamp"])
        return len(times) > 2

    code = run.run(
        lambda: run.wait_for(beats, "three heartbeats that say ACTIVE"),
        redis_url=control.url,
        heartbeat_interval=1,
    )

    assert 0 == code


# -- a real terminal -------------------------------------------------------------------
@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> Callable[..., LiveTerminal]:
    """Makes the terminal's package, which exists on Windows only."""

    def make(*words: Any, **options: Any) -> LiveTerminal:
        terminal = LiveTerminal(*words, **options)
        monkeypatch.setitem(sys.modules, "MetaTrader5", terminal)
        return terminal

    return make


def test_the_terminal_is_the_named_one(run: AccountRun, live: Any) -> None:
    """Its path, and the account's number and server there."""
    terminal = live(login=7, server="S")
    named = {"mt5_login": 7, "mt5_server": "S", "mt5_path": "C:/7/terminal64.exe"}

    connected = "connected: account 7 on S (demo)"
    assert 0 == run.run(lambda: run.wait_for_line(connected), terminal="mt5", **named)

    (words, others) = terminal.asked[0]
    assert "C:/7/terminal64.exe" in words
    assert (7, "S") == (others["login"], others["server"])


def test_without_a_number_of_its_own_the_accounts_id_is_used(
    run: AccountRun, live: Any
) -> None:
    """As most have it."""
    terminal = live(login=int(ACCOUNT))

    connected = f"connected: account {ACCOUNT} on"
    assert 0 == run.run(lambda: run.wait_for_line(connected), terminal="mt5")
    assert int(ACCOUNT) == terminal.asked[0][1]["login"]


def test_the_brokers_clock_is_of_the_zone_that_is_named(
    run: AccountRun, live: Any
) -> None:
    """Else every time would be hours off."""
    live(login=int(ACCOUNT), server_zone=ServerZone.parse("Asia/Tokyo"))

    code = run.run(
        lambda: run.wait_for_line("spy: quote EURUSD"),
        terminal="mt5",
        server_timezone="Asia/Tokyo",
    )

    assert 0 == code
    told = re.findall(r"quote EURUSD (\S+)", run.log)
    ages = [datetime.now(UTC) - datetime.fromisoformat(one) for one in told]
    assert [] == [age for age in ages if abs(age) > timedelta(minutes=30)]


def test_a_live_symbol_may_have_another_name_and_bars_a_timeframe(
    run: AccountRun, live: Any
) -> None:
    """The broker's M1 bars of EURUSD.m are the server's EURUSD."""
    terminal = live("EURUSD.m", login=int(ACCOUNT), symbols={"EURUSD.m": SUFFIXED})

    def script() -> None:
        run.wait_for_line("Bot config 1 applied: EURUSD")
        run.wait_for(lambda: terminal.asked_bars, "a look at the bars")

    names = {"EURUSD": "EURUSD.m"}
    code = run.run(script, terminal="mt5", symbol_aliases=names, timeframe="M1")
    assert 0 == code
    assert {("EURUSD.m", terminal.TIMEFRAME_M1)} == terminal.asked_bars


@pytest.mark.parametrize("terminal", ["paper", "mt5"])
def test_the_servers_peak_is_of_the_live_account(
    run: AccountRun, live: Any, terminal: str
) -> None:
    """A paper account of the same number has never had it."""
    live(login=int(ACCOUNT))
    run.admin("PATCH", f"accounts/{ACCOUNT}/", {"peak_balance": "20000.00"})
    line = {"paper": "ACTIVE: entries and exits", "mt5": "drawdown MAX_DRAWDOWN"}

    assert 0 == run.run(lambda: run.wait_for_line(line[terminal]), terminal=terminal)


@pytest.mark.parametrize("policy", ["adopt", "flatten", "refuse"])
def test_what_a_restart_finds_open_becomes_what_was_chosen(
    run: AccountRun, live: Any, policy: str
) -> None:
    """A position with the strategy's number."""
    terminal = live(login=int(ACCOUNT))
    assert terminal.initialize()
    assert terminal.symbol_select("EURUSD", True)
    answer = terminal.order_send(
        {
            "action": terminal.TRADE_ACTION_DEAL,
            "symbol": "EURUSD",
            "volume": 0.1,
            "type": terminal.ORDER_TYPE_BUY,
            "magic": magic_number(ACCOUNT, 1),
            "type_filling": terminal.ORDER_FILLING_IOC,
        }
    )
    assert 10009 == answer.retcode, answer
    lines = {
        "adopt": "adopted from an earlier start",
        "flatten": "what an earlier start left open is closed",
        "refuse": "positions of an earlier start are open",
    }

    code = run.run(
        lambda: run.wait_for_line(lines[policy]), terminal="mt5", on_restart=policy
    )

    assert (ExitCode.USAGE if policy == "refuse" else 0) == code
    assert terminal.initialize()
    held = terminal.positions_get()
    assert (0 if policy == "flatten" else 1) == len(held)
