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
def stage(bench, redis_url, helpers):
    """Starts a server whose strategy 2 is of that class, and a runner."""
    folder = bench.folder / "bots"
    folder.mkdir()
    (folder / "bots.py").write_text(STRATEGIES)
    feed = helpers.busy_market(bench.folder).split(",")[0]

    def start(name, *flags, settings="", active=2, speed="60", serve=True):
        if serve:
            seed = helpers.seed(active_bot_id=active)
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
            bench.serve("--redis-url", redis_url, seed=seed)
        config = bench.folder / "runner.toml"
        config.write_text(settings)
        return bench.run(
            "--redis-url",
            redis_url,
            "--plugin-dir",
            str(folder),
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


def failing(control):
    """What the heartbeat says fails."""
    return json.loads(control.hget(BEAT, "failing") or "{}")


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


@pytest.mark.skipif(sys.platform == "win32", reason="another C library")
def test_a_runner_that_froze_starts_with_that_strategy_paused(
    stage, bench, control, helpers
):
    """Nothing inside can end a call in C: what was in flight is known to the next."""
    lure = bench.folder / "freeze"
    lure.touch()
    mark = bench.folder / "state" / f"{ACCOUNT}.in-flight"
    runner = stage("Freezer", speed="10")
    helpers.wait_until(
        lambda: (
            mark.is_file() and mark.read_bytes().startswith(b"Freezer-2\ton_bar EURUSD")
        ),
        "the call in flight",
    )
    beat = control.hget(BEAT, "timestamp")
    runner.kill()  # as a supervisor does when the sign of life is old
    lure.unlink()
    control.delete(f"bot:lease:{ACCOUNT}")

    again = stage("Freezer", speed="10", serve=False)
    again.wait_for("the last start ended inside on_bar EURUSD of Freezer-2, as if froz")
    helpers.wait_until(lambda: "Freezer-2" in failing(control), "it is named")
    told = failing(control)["Freezer-2"]
    helpers.wait_until(
        lambda: control.hget(BEAT, "failing") == "{}", "a good bar ends that"
    )
    assert beat != control.hget(BEAT, "timestamp")
    assert "the runner froze in it" in told
    assert "paused until" in told
    assert 0 == again.stop(), again.text


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
