"""Strategies that loop, quit, hang, hoard or flood: named, and others unharmed."""

from __future__ import annotations

import json
import re
import sys

import pytest

pytestmark = pytest.mark.redis

ACCOUNT = "123456"
BEAT = f"bot:heartbeat:{ACCOUNT}"
STRATEGIES = '''
import ctypes
import pathlib
import sys

from runner import Bar, Intents, Strategy


class Holder(Strategy):
    """Opens one position and moves its stop with each bar, in code."""

    def on_bar(self, bar: Bar) -> Intents:
        held = self.positions(bar.symbol)
        if not held:
            return self.buy(bar.symbol, volume=0.01, stop_loss=900)
        print("MANAGED", bar.opens_at.isoformat(), flush=True)
        stop = bar.close - 0.2 + bar.opens_at.minute * 1e-5
        return self.protect(held[0], stop_loss=round(stop, 5))


class Looper(Strategy):
    def on_bar(self, bar: Bar) -> Intents:
        while True:
            pass


class Quitter(Strategy):
    def on_bar(self, bar: Bar) -> Intents:
        sys.exit("enough")


class Freezer(Strategy):
    def on_bar(self, bar: Bar) -> Intents:
        if pathlib.Path("freeze").exists():
            ctypes.PyDLL(None).sleep(600)  # in C, with Python's lock held
        return None


class Hog(Strategy):
    hoard: list[bytes] = []

    def on_bar(self, bar: Bar) -> Intents:
        self.hoard.append(b"x" * (20 << 20))
        return self.buy(bar.symbol, volume=0.01, stop_loss=900)


class Flooder(Strategy):
    def on_bar(self, bar: Bar) -> Intents:
        return [self.buy(bar.symbol, volume=0.01, stop_loss=900) for _ in range(40)]
'''


@pytest.fixture
def seeded(bench, helpers):
    """Writes the strategies; makes a seed whose strategy 2 is of that class."""
    folder = bench.folder / "bots"
    folder.mkdir()
    (folder / "bots.py").write_text(STRATEGIES)

    def make(name, **account):
        seed = helpers.seed(**account)
        seed["accounts"][0]["trade_config"]["enabled_symbols"] = ["EURUSD"]
        seed["strategies"] = [
            seed["strategies"][0]
            | {
                "id": number,
                "bot_strategy_class": cls,
                "allowed_symbols": ["EURUSD"],
                "parameters_by_symbol": {"EURUSD": {}},
            }
            for number, cls in ((1, "Holder"), (2, name))
        ]
        return seed

    return make


@pytest.fixture
def stage(bench, redis_url, helpers, seeded):
    """Starts a server whose strategy 2 is of that class, and a runner."""
    feed = helpers.busy_market(bench.folder).split(",")[0]

    def start(name, *flags, settings="", active=2, speed="60"):
        seed = seeded(name, active_bot_id=active)
        bench.serve("--redis-url", redis_url, seed=seed)
        config = bench.folder / "runner.toml"
        config.write_text(settings)
        return bench.run(
            "--redis-url",
            redis_url,
            "--plugin-dir",
            str(bench.folder / "bots"),
            "--config",
            str(config),
            "--feed",
            feed,
            "--speed",
            speed,
            "--heartbeat-interval",
            "1",
            *flags,
        )

    return start


def failing(control, account=ACCOUNT):
    """What the heartbeat says fails."""
    return json.loads(control.hget(f"bot:heartbeat:{account}", "failing") or "{}")


@pytest.mark.parametrize(
    ("name", "error"),
    [("Looper", "OvertimeError: took longer than 0.5 s"), ("Quitter", "SystemExit")],
)
def test_another_strategys_exits_and_the_heartbeat_go_on(
    name, error, stage, bench, control, helpers
):
    """One loops or quits on every bar; the one that leaves manages its position."""
    runner = stage(name, settings="strategy_time_limit = 0.5\n", active=1)
    runner.wait_for("MANAGED")
    bench.patch_account(active_bot_id=2)
    helpers.wait_until(lambda: f"{name}-2" in failing(control), "it is named")
    told = failing(control)[f"{name}-2"]
    managed, beats = runner.text.count("MANAGED"), {control.hget(BEAT, "timestamp")}

    def went_on():
        beats.add(control.hget(BEAT, "timestamp"))
        return len(beats) > 5 and runner.text.count("MANAGED") > managed + 5

    helpers.wait_until(went_on, "bars and heartbeats after the failure")
    assert "on_bar EURUSD" in told
    assert error in told
    assert "paused until" in told
    assert "Holder-1" not in failing(control)
    assert "PAUSED" != control.hget(BEAT, "bot_status")
    assert 0 == runner.stop(), runner.text

    # What was broken off is in the journal: a replay decides the same, to the byte.
    folders = ("--journal", "state/journal", "--plugin-dir", "bots")
    replay = bench.start("-m", "runner", "replay", *folders)
    assert 0 == replay.wait(), replay.text
    assert "the run ended: SIGTERM" in replay.text


@pytest.mark.skipif(sys.platform == "win32", reason="another C library")
@pytest.mark.timeout(180)
def test_a_freeze_in_c_costs_its_own_account_a_restart(
    seeded, bench, redis_url, control, helpers
):
    """Nothing inside can end it: the supervisor does, and the next start knows why."""
    lure = bench.folder / "freeze"
    lure.touch()
    seed = seeded("Freezer")
    (account,) = seed["accounts"]
    accounts = {"101": 1, "102": 2}
    seed["accounts"] = [
        account | {"mt5_account_id": one, "api_key": f"key-{one}", "active_bot_id": bot}
        for one, bot in accounts.items()
    ]
    bench.serve("--redis-url", redis_url, seed=seed)
    feed = helpers.busy_market(bench.folder).split(",")[0]
    lines = [
        f'api_url = "{bench.address}"',
        f'redis_url = "{redis_url}"',
        f"state_dir = '{bench.folder / 'state'}'",
        f"feed = '{feed}'",
        f"plugin_dirs = ['{bench.folder / 'bots'}']",
        "speed = 60",
        "heartbeat_interval = 1",
        "frozen_after = 8",
        *(f"[account.{one}]" for one in accounts),
    ]
    file = bench.folder / "fleet.toml"
    file.write_text("\n".join(lines) + "\n")
    keys = {f"MT5RUNNER_API_KEY_{one}": f"key-{one}" for one in accounts}
    supervisor = bench.start("-m", "runner", "start", "--config", str(file), **keys)
    inside = "inside on_bar EURUSD of Freezer-2"
    supervisor.wait_for(f"8 s {inside}; killed")
    lure.unlink()
    managed = supervisor.text.count("MANAGED")
    frozen = control.hget("bot:heartbeat:102", "pid")
    other = control.hget("bot:heartbeat:101", "pid")
    supervisor.wait_for(f"102: it was frozen {inside}; 1 in a row, again in 1 s")

    supervisor.wait_for(
        "the last start ended inside on_bar EURUSD of Freezer-2, as if frozen (1 in a"
    )
    supervisor.wait_for(
        "Freezer-2 failed in on_bar EURUSD: TimeoutError: the runner froze in it"
    )
    supervisor.wait_for("Freezer-2 is paused until")
    supervisor.wait_for("Freezer-2 works in on_bar EURUSD again")
    helpers.wait_until(
        lambda: failing(control, "102") == {}, "a heartbeat that names nobody"
    )
    assert frozen != control.hget("bot:heartbeat:102", "pid")
    assert other == control.hget("bot:heartbeat:101", "pid")
    assert supervisor.text.count("MANAGED") > managed
    assert "101: FROZEN" not in supervisor.text
    assert 0 == supervisor.stop(within=60), supervisor.text


@pytest.mark.skipif(sys.platform not in {"linux", "win32"}, reason="nobody tells")
def test_a_hoard_stops_entries_and_then_ends_the_process_cleanly(
    stage, control, helpers
):
    """To be started again, with everything on disk and the last heartbeat sent."""
    runner = stage("Hog", settings="memory_limit_mb = 300\n", speed="120")
    reasons: set[str] = set()

    def has_ended():
        reasons.add(control.hget(BEAT, "pause_reasons") or "")
        return runner.process.poll() is not None

    helpers.wait_until(has_ended, "the end of the process")
    assert 7 == runner.wait(), runner.text
    assert any("MEMORY_LIMIT" in one for one in reasons), reasons
    assert "stopping: too much memory" in runner.text
    assert "running: Hog-2" in runner.text
    assert "DOWN" == control.hget(BEAT, "bot_status")


def test_a_flood_of_orders_meets_the_limits(stage):
    """Forty a bar are wanted; as many are open as may be."""
    runner = stage("Flooder", settings="[plugins.limits]\npositions = 5\n", speed="600")
    runner.wait_for("POSITION_LIMIT: open=5 limit=5 of=account")

    assert 0 == runner.stop(), runner.text
    assert 5 == len(re.findall(r"open buy EURUSD [\d.]+ at", runner.text))


def test_a_flood_of_orders_meets_the_rate_that_nobody_had_to_set(stage):
    """The default: thirty a minute of one strategy."""
    runner = stage("Flooder", speed="60")
    runner.wait_for("ORDER_RATE: limit=30 of=Flooder")

    assert 0 == runner.stop(), runner.text
