"""The commands as a user types them: exit codes, output, files that are broken."""

from __future__ import annotations

import json
import re

import pytest

from runner.adapters.lock_file import LockFile

OPENED = re.compile(r"open (?:buy|sell) (\w+) [\d.]+ at")

GOOD = '''
from runner import Bar, OrderIntent, Parameters, Strategy


class Alternate(Strategy):
    """Opens whenever it is flat."""

    def on_bar(self, bar: Bar) -> OrderIntent | None:
        if self.is_flat(bar.symbol):
            return self.buy(bar.symbol, stop_loss=100, take_profit=100)
        return None
'''

MISSPELT = """
from runner import hookimpl


@hookimpl
def check_ordre(intent):
    return None
"""


@pytest.fixture
def bots(tmp_path):
    """A plugin directory with one good file and three kinds of trouble."""
    folder = tmp_path / "bots"
    folder.mkdir()
    (folder / "alternate.py").write_text(GOOD)
    (folder / "broken.py").write_text("def oops(:\n    pass\n")
    (folder / "misspelt.py").write_text(MISSPELT)
    (folder / "json.py").write_text("VALUE = 1\n")
    return folder


def test_runner_plugins_names_what_is_broken_with_file_line_and_remedy(bench, bots):
    """The good strategy is listed, the others are named, and the exit code is 3."""
    listed = bench.start("-m", "runner", "plugins", "--plugin-dir", str(bots))

    assert 3 == listed.wait()
    assert "Alternate" in listed.text
    assert re.search(r"broken\.py.*\n?.*1", listed.text)
    assert "check_order" in listed.text
    as_json = bench.start(
        "-m", "runner", "plugins", "--plugin-dir", str(bots), "--json"
    )
    assert 3 == as_json.wait()
    assert json.loads(as_json.text)


@pytest.mark.redis
def test_a_good_strategy_runs_beside_broken_files(bench, bots, redis_url, helpers):
    """The server names the class; what is broken beside it is logged and left out."""
    seed = helpers.seed()
    seed["strategies"][0] |= {
        "bot_strategy_class": "Alternate",
        "parameters_by_symbol": {"EURUSD": {}, "XAUUSD": {}},
    }
    bench.serve("--redis-url", redis_url, seed=seed)

    runner = bench.run(
        "--redis-url",
        redis_url,
        "--plugin-dir",
        str(bots),
        "--speed",
        "max",
        "--feed",
        helpers.busy_market(bench.folder, bars=300),
        "--exit-when-feed-ends",
    )

    assert 0 == runner.wait(), runner.text
    assert {"EURUSD", "XAUUSD"} == set(OPENED.findall(runner.text))
    assert "broken.py" in runner.text
    assert "misspelt.py" in runner.text


def test_enabled_but_unloadable_refuses_to_start(bench, bots):
    """A guard that is wanted and not there is worse than no bot: exit code 3."""
    config = bench.folder / "runner.toml"
    config.write_text('enabled_plugins = ["misspelt"]\n')

    runner = bench.run("--plugin-dir", str(bots), "--config", str(config))

    assert 3 == runner.wait()
    assert "misspelt" in runner.text


@pytest.mark.redis
def test_a_second_runner_of_an_account_refuses_to_start(bench, redis_url, helpers):
    """Exit code 5, naming host and process of the one that owns it."""
    bench.serve("--redis-url", redis_url, seed=helpers.seed())
    first = bench.run("--redis-url", redis_url)
    first.wait_for("ACTIVE: entries and exits")

    second = bench.run(
        "--redis-url", redis_url, "--state-dir", str(bench.folder / "other")
    )

    assert 5 == second.wait()
    assert f"pid {first.process.pid}" in second.text
    waiting = bench.run(
        "--redis-url",
        redis_url,
        "--state-dir",
        str(bench.folder / "third"),
        "--standby",
    )
    waiting.wait_for("standing by")
    assert 0 == first.stop()
    waiting.wait_for("ACTIVE: entries and exits", within=30)
    assert 0 == waiting.stop()


def test_a_second_runner_on_the_same_state_refuses_to_start_without_redis(
    bench, helpers
):
    """Nobody else can be asked; one that stands by reads the state when it is free."""
    bench.serve(seed=helpers.seed())
    first = bench.run()
    first.wait_for("ACTIVE: entries and exits")

    second = bench.run()

    assert 5 == second.wait()
    assert f"pid {first.process.pid}" in second.text
    waiting = bench.run("--standby")
    waiting.wait_for("standing by")
    assert "connected" not in waiting.text
    assert 0 == first.stop()
    waiting.wait_for("ACTIVE: entries and exits", within=30)
    assert 0 == waiting.stop()


def test_who_stands_by_shows_no_life_in_the_holder_s_place(bench, helpers):
    """The holder's supervisor would not see that it hangs."""
    bench.serve(seed=helpers.seed())
    state = bench.folder / "state"
    state.mkdir()
    holder = LockFile(state / "123456.lock")
    assert holder.take() is None

    waiting = bench.run("--standby")
    waiting.wait_for("standing by")
    assert ["123456.lock"] == [file.name for file in state.iterdir()]
    holder.release()

    waiting.wait_for("ACTIVE: entries and exits", within=30)
    assert 0 == waiting.stop()


def test_dev_trades_without_anything_installed(bench, free_port):
    """`runner dev`: no Redis, no server; trades, then ends with exit code 0."""
    words = ["-m", "runner", "dev", "--exit-after", "20", "--port", str(free_port)]
    runner = bench.start(*words, MT5RUNNER_API_KEY="of another server")

    assert 0 == runner.wait(), runner.text
    assert f"http://127.0.0.1:{free_port}/" in runner.text
    assert OPENED.findall(runner.text), runner.text
    assert "Traceback" not in runner.text


@pytest.mark.redis
def test_dev_can_use_a_real_redis(bench, free_port, control, redis_url, helpers):
    """With --redis-url the heartbeat stands in the real Redis."""
    runner = bench.start(
        "-m", "runner", "dev", "--port", str(free_port), "--redis-url", redis_url
    )
    helpers.wait_until(
        lambda: control.hget("bot:heartbeat:123456", "bot_status") == "ACTIVE",
        "a heartbeat",
    )

    assert 0 == runner.stop(), runner.text


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["start"], 2, "--account"),
        (["start", "--account", "1", "--speed", "fast"], 2, "number > 0 or 'max'"),
        (["start", "--account", "1", "--feed", "csv:EURUSD=no.csv"], 2, "no.csv"),
        (["start", "--account", "1", "--feed", "dukascopy"], 2, "synthetic"),
        (["start", "--account", "1", "--terminal", "mt5"], 2, "Windows"),
        (["start", "--account", "1", "--config", "no.toml"], 2, "no.toml"),
        (
            ["start", "--account", "1", "--account", "2", "--terminal", "mt5"],
            2,
            "mt5_path",
        ),
        (["status"], 2, "REDIS_URL"),
        (["status", "--redis-url", "redis://127.0.0.1:9/0"], 4, "Redis"),
    ],
)
def test_a_mistake_gets_one_line_that_says_what_to_do(bench, words, code, message):
    """Stable exit codes, no traceback."""
    command = bench.start("-m", "runner", *words)

    assert code == command.wait(), command.text
    assert message in command.text
    assert "Traceback" not in command.text


def test_doctor_names_a_remedy_beside_each_failure(bench, redis_url, helpers):
    """All well: exit 0. A wrong key and no Redis: each with what to do."""
    bench.serve("--redis-url", redis_url, seed=helpers.seed())
    words = [
        "-m",
        "runner",
        "doctor",
        "--account",
        "123456",
        "--api-url",
        bench.address,
    ]
    well = bench.start(*words, "--redis-url", redis_url, MT5RUNNER_API_KEY="demo-key")
    assert 0 == well.wait(), well.text

    ill = bench.start(
        *words,
        "--redis-url",
        "redis://127.0.0.1:9/0",
        "--json",
        MT5RUNNER_API_KEY="wrong",
    )
    assert 4 == ill.wait(), ill.text
    failures = {
        one["check"]: one["remedy"] for one in json.loads(ill.text) if not one["ok"]
    }
    assert {"redis", "api"} == failures.keys()
    assert all(failures.values())
