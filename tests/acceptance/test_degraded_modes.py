"""What a runner does while Redis, the API, or both are away."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

pytestmark = pytest.mark.redis

OPENED = re.compile(r"open (?:buy|sell) \w+ [\d.]+ at")


def opened(runner):
    """How many positions the runner has opened."""
    return len(OPENED.findall(runner.text))


@pytest.fixture
def own_redis(bench, free_port, helpers):
    """A redis-server that a test may stop and start again."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server on this machine")
    words = [program, "--port", str(free_port), "--save", ""]

    class Redis:
        url = f"redis://127.0.0.1:{free_port}/0"
        process = None

        def start(self):
            self.process = subprocess.Popen(
                words,
                cwd=bench.folder,
                stdout=subprocess.DEVNULL,
            )

        def stop(self):
            if self.process is not None:
                self.process.kill()
                self.process.wait(timeout=10)
                self.process = None

    made = Redis()
    yield made
    made.stop()


def test_a_server_that_speaks_only_the_seed_configures_a_runner(
    bench, redis_url, helpers
):
    """No push, no extension: fetched at the start, a new version seen by polling."""
    bench.serve("--redis-url", redis_url, "--no-extensions", seed=helpers.seed())
    runner = bench.run(
        "--redis-url",
        redis_url,
        "--feed",
        helpers.busy_market(bench.folder),
        "--speed",
        "1200",
        "--poll-interval",
        "1",
    )
    helpers.wait_until(lambda: opened(runner) > 1, "trades")
    answer = bench.patch_strategy(**{"parameters_by_symbol.XAUUSD.stop_loss": 140})
    assert 200 == answer.status_code

    runner.wait_for("XAUUSD.stop_loss: 100 -> 140", within=20)

    assert 0 == runner.stop()


def test_with_everything_away_at_the_first_start_it_waits_and_trades_nothing(
    bench, own_redis, free_port, helpers
):
    """It says what it waits for, and starts by itself when all is there."""
    bench.address = "http://127.0.0.1:9"
    runner = bench.run(
        "--redis-url",
        own_redis.url,
        "--feed",
        helpers.busy_market(bench.folder, bars=30_000),
        "--speed",
        "600",
        "--poll-interval",
        "1",
    )
    runner.wait_for("NO_CONFIG")
    assert 0 == opened(runner)
    assert runner.process.poll() is None
    assert 0 == runner.stop()


def test_when_redis_goes_away_it_trades_on_and_polls_the_api(bench, own_redis, helpers):
    """One line when it goes, one when it is back; a new version comes by the API."""
    own_redis.start()
    bench.serve("--redis-url", own_redis.url, seed=helpers.seed())
    runner = bench.run(
        "--redis-url",
        own_redis.url,
        "--feed",
        helpers.busy_market(bench.folder, bars=30_000),
        "--speed",
        "1200",
        "--poll-interval",
        "1",
        "--heartbeat-interval",
        "1",
    )
    helpers.wait_until(lambda: opened(runner) > 1, "trades")
    own_redis.stop()
    before = opened(runner)
    helpers.wait_until(lambda: opened(runner) > before + 2, "trades without Redis")
    assert (
        200
        == bench.patch_strategy(
            **{"parameters_by_symbol.XAUUSD.stop_loss": 130}
        ).status_code
    )
    runner.wait_for("XAUUSD.stop_loss: 100 -> 130", within=30)
    lost = [
        line for line in runner.text.splitlines() if "Redis" in line and "WARN" in line
    ]
    own_redis.start()
    helpers.wait_until(
        lambda: len([n for n in runner.text.splitlines() if "Redis" in n]) > len(lost),
        "the line that Redis is back",
        within=30,
    )

    assert 1 == len(lost), lost
    assert 0 == runner.stop()


def test_when_the_api_goes_away_a_restart_trades_on_the_last_good_config(
    bench, redis_url, control, helpers
):
    """The config on disk is used, and its age is shown."""
    server = bench.serve("--redis-url", redis_url, seed=helpers.seed())
    feed = helpers.busy_market(bench.folder, bars=20_000)
    flags = ("--redis-url", redis_url, "--feed", feed, "--speed", "1200")
    runner = bench.run(*flags)
    helpers.wait_until(lambda: opened(runner) > 1, "trades")
    assert 0 == runner.stop()
    server.kill()

    again = bench.run(*flags)

    again.wait_for("last known good")
    helpers.wait_until(lambda: opened(again) > 1, "trades")
    assert 0 == again.stop()


def test_a_bad_body_of_a_careless_server_is_refused_whole(
    bench, redis_url, control, helpers
):
    """A server that does not check: refused with the path, the last one trades on."""
    bodies = careless_bodies(helpers)

    class Careless(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            kind = "strategy" if "strategy-config" in self.path else "trade"
            content = json.dumps(bodies[kind]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Careless)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        bench.address = f"http://127.0.0.1:{server.server_address[1]}"
        control.hset("bot:strategy_config:123456:1", "version", 1)
        control.hset("bot:trade_config:123456", "version", 1)
        runner = bench.run(
            "--redis-url",
            redis_url,
            "--feed",
            helpers.busy_market(bench.folder, bars=30_000),
            "--speed",
            "1200",
            "--poll-interval",
            "1",
            "--heartbeat-interval",
            "1",
        )
        helpers.wait_until(lambda: opened(runner) > 1, "trades")
        version = 1
        for bad, path in (
            (
                {"stop_loss": -5},
                "$.parameters_by_symbol.XAUUSD.stop_loss: must be > 0, got -5",
            ),
            ({"stop_loss": "many"}, "$.parameters_by_symbol.XAUUSD.stop_loss:"),
            ({"stop_los": 5}, "$.parameters_by_symbol.XAUUSD.stop_los:"),
        ):
            version += 1
            good = helpers.PARAMETERS["XAUUSD"]
            bodies["strategy"] = bodies["strategy"] | {
                "version": version,
                "parameters_by_symbol": helpers.PARAMETERS | {"XAUUSD": good | bad},
            }
            control.hset("bot:strategy_config:123456:1", "version", version)

            def refused(path=path):
                lines = json.loads(
                    control.hget("bot:heartbeat:123456", "config_errors") or "[]"
                )
                return any(path in line for line in lines)

            helpers.wait_until(refused, f"{path} in the heartbeat", within=30)
            before = opened(runner)
            helpers.wait_until(lambda n=before: opened(runner) > n, "trades go on")
        status = subprocess.run(
            [*status_command(), "--redis-url", redis_url],
            capture_output=True,
            text=True,
            check=True,
            cwd=bench.folder,
        )
        assert "$.parameters_by_symbol.XAUUSD.stop_los:" in status.stdout
        assert "did you mean" in status.stdout
        versions = json.loads(control.hget("bot:heartbeat:123456", "strategy_versions"))
        assert {"1": 1} == versions
        assert 0 == runner.stop()
    finally:
        server.shutdown()
        server.server_close()


def status_command():
    """The words of `runner status`."""
    return [sys.executable, "-P", "-m", "runner", "status"]


def careless_bodies(helpers):
    """The two documents, as a server that checks nothing sends them."""
    seed = helpers.seed()
    account, strategy = seed["accounts"][0], seed["strategies"][0]
    trade = {k: v for k, v in account.items() if k not in ("mt5_account_id", "api_key")}
    return {
        "trade": {"status": "success", "version": 1, "dd_blocked": False} | trade,
        "strategy": {
            "status": "success",
            "version": 1,
            "bot_strategy_id": 1,
            "is_pair_trading": False,
        }
        | {k: v for k, v in strategy.items() if k != "id"},
    }
