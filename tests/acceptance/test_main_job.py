"""The main job: trades on paper, and a parameter changed on the server trades."""

from __future__ import annotations

import json
import re
import time

import pytest

pytestmark = pytest.mark.redis

FILLED = re.compile(r"open (buy|sell) (\w+) ([\d.]+) at ([\d.]+), stop ([\d.]+)")


def stops(text: str, symbol: str, point: float) -> list[int]:
    """Distances in points between entry and stop of every order in *symbol*."""
    return [
        round(abs(float(price) - float(stop)) / point)
        for _, name, _, price, stop in FILLED.findall(text)
        if name == symbol
    ]


@pytest.fixture
def running(bench, redis_url, helpers):
    """A server and a runner that trades both symbols every few bars."""
    bench.serve("--redis-url", redis_url, seed=helpers.seed())
    feed = helpers.busy_market(bench.folder)
    runner = bench.run(
        "--redis-url",
        redis_url,
        "--feed",
        feed,
        "--speed",
        "1200",
        "--heartbeat-interval",
        "1",
        "--poll-interval",
        "60",
    )
    helpers.wait_until(
        lambda: (
            {name for _, name, *_ in FILLED.findall(runner.text)}
            == {"EURUSD", "XAUUSD"}
        ),
        "trades on both symbols",
    )
    return runner


def test_a_changed_stop_is_applied_to_its_symbol_within_a_second(
    running, bench, control, helpers
):
    """PATCH one stop: acknowledged under a second, the next order uses it alone."""
    version = bench.admin("GET", "strategies/1/").json()["version"]
    answer = bench.patch_strategy(**{"parameters_by_symbol.XAUUSD.stop_loss": 150})
    asked_at = time.monotonic()
    assert 200 == answer.status_code

    def acknowledged():
        text = control.hget("bot:config_ack:123456", "strategy:1")
        ack = json.loads(text) if text else {}
        return ack.get("version") == version + 1 and ack["state"] == "applied"

    helpers.wait_until(acknowledged, "acknowledgement")
    took = time.monotonic() - asked_at
    running.wait_for("XAUUSD.stop_loss: 100 -> 150")
    before, *_ = running.text.partition("XAUUSD.stop_loss: 100 -> 150")
    helpers.wait_until(
        lambda: stops(running.text[len(before) :], "XAUUSD", 0.01),
        "an order with the new stop",
    )
    after = running.text[len(before) :]

    assert took < 5  # generous for a loaded machine; the log shows the real figure
    assert {100} == set(stops(before, "XAUUSD", 0.01))
    assert {150} == set(stops(after, "XAUUSD", 0.01))
    assert {110} == set(stops(running.text, "EURUSD", 0.00001))


@pytest.mark.parametrize(
    ("parameters", "path"),
    [
        ({"stop_loss": -5}, "$.parameters_by_symbol.XAUUSD.stop_loss"),
        ({"stop_loss": "many"}, "$.parameters_by_symbol.XAUUSD.stop_loss"),
        ({"stop_los": 5}, "$.parameters_by_symbol.XAUUSD.stop_los"),
    ],
)
def test_the_server_refuses_what_cannot_trade(bench, helpers, parameters, path):
    """400 with the path of every error, and nothing is stored."""
    bench.serve(seed=helpers.seed())
    before = bench.admin("GET", "strategies/1/").json()
    changed = helpers.PARAMETERS | {"XAUUSD": helpers.PARAMETERS["XAUUSD"] | parameters}

    answer = bench.patch_strategy(parameters_by_symbol=changed)

    assert 400 == answer.status_code
    assert any(line.startswith(path) for line in answer.json()["errors"])
    assert before == bench.admin("GET", "strategies/1/").json()


def test_the_seeds_keys_fields_and_times_to_live_stand_in_redis(
    running, control, helpers
):
    """What the seed's monitoring commands show is there, each key with its TTL."""
    helpers.wait_until(
        lambda: control.hget("bot:heartbeat:123456", "bot_status") == "ACTIVE",
        "a heartbeat that says ACTIVE",
    )
    beat = control.hgetall("bot:heartbeat:123456")
    assert {
        "mt5_account_id",
        "timestamp",
        "bot_status",
        "current_balance",
        "peak_balance",
        "dd_blocked",
        "dd_block_reason",
        "last_seen",
    } <= beat.keys()
    assert ("123456", "ACTIVE", "false", "") == (
        beat["mt5_account_id"],
        beat["bot_status"],
        beat["dd_blocked"],
        beat["dd_block_reason"],
    )
    assert re.fullmatch(r"\d+\.\d{4}", beat["current_balance"])
    assert {
        "bot_status",
        "account_status",
        "subscription_status",
        "dd_blocked",
        "dd_block_reason",
        "last_update",
    } == control.hgetall("server:heartbeat:123456").keys()
    assert control.hget("bot:trade_config:123456", "version").isdecimal()
    assert control.hget("bot:strategy_config:123456:1", "version").isdecimal()
    assert 0 < control.ttl("bot:heartbeat:123456") <= 60
    assert 60 < control.ttl("server:heartbeat:123456") <= 300
    assert 3600 < control.ttl("bot:trade_config:123456") <= 86_400
    assert 3600 < control.ttl("bot:strategy_config:123456:1") <= 86_400
    assert {-1} & {control.ttl(key) for key in control.scan_iter("*")} == set()


def test_a_clean_stop_says_down_and_releases_the_lease(running, control):
    """SIGTERM: exit 0, a last heartbeat that says DOWN, no lease left behind."""
    assert control.exists("bot:lease:123456")

    code = running.stop()

    assert 0 == code, running.text
    assert "DOWN" == control.hget("bot:heartbeat:123456", "bot_status")
    assert not control.exists("bot:lease:123456")
