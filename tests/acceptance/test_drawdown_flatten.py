"""A breach that closes, as a user runs it: processes, Redis, a config server."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

pytestmark = pytest.mark.redis

OPENED = re.compile(r"open (?:buy|sell) (\w+) [\d.]+ at")
CLOSED = re.compile(r"closed (?:long|short) [\d.]+ EURUSD")


def falling_market(folder, helpers):
    """A market that rises until something is bought, then falls for good."""
    file = helpers.BarFile(
        folder / "EURUSD.csv", datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
    )
    price = 1.1
    file.add(price)
    for _ in range(20):
        price += 0.0005
        file.add(price)
    for _ in range(44):
        price -= 0.001
        file.add(price)
    for n in range(4000):
        price += 0.0005 if (n // 20) % 2 == 0 else -0.0005
        file.add(price)
    return f"csv:EURUSD={file.write()}"


def seed_of(helpers):
    """Positions of 0.1 lots whose stop is far away, and closing after a breach."""
    seed = helpers.seed()
    account = seed["accounts"][0]
    account["trade_config"] |= {"enabled_symbols": ["EURUSD"], "lot_size": 0.1}
    account["risk_config"] |= {
        "daily_dd_limit_percent": 50.0,
        "max_account_dd_percent": 90.0,
        "preset": "default",
        "on_breach": "flatten",
    }
    seed["strategies"][0]["parameters_by_symbol"] = {
        "EURUSD": {
            "threshold_points": 0,
            "stop_loss": 4500,
            "take_profit": 900,
            "lookback_period": 5,
        }
    }
    return seed


def test_a_breach_is_closed_and_stays_until_a_person_releases_it(
    bench, redis_url, control, helpers
):
    """Closed out, told to server and fleet, blocked after kill -9, then released."""
    bench.serve("--redis-url", redis_url, seed=seed_of(helpers))
    flags = (
        "--redis-url",
        redis_url,
        "--feed",
        falling_market(bench.folder, helpers),
        "--speed",
        "600",
        "--heartbeat-interval",
        "1",
    )
    runner = bench.run(*flags)
    runner.wait_for("orders: open buy EURUSD")
    # A person lowers the limit while the position loses. risk_config alone would raise
    # no version, so something else is changed with it.
    low = {"max_account_dd_percent": 1.0}
    bench.patch_account(risk_config=low, trade_config={"lot_size": 0.11})
    runner.wait_for("drawdown demands exits: MAX_DRAWDOWN")

    def beat():
        return control.hgetall("bot:heartbeat:123456")

    helpers.wait_until(
        lambda: (
            beat().get("dd_blocked") == "true" and beat().get("open_positions") == "0"
        ),
        "a heartbeat that is blocked and flat",
    )
    assert 1 == len(OPENED.findall(runner.text))
    assert 1 == len(CLOSED.findall(runner.text))
    said = beat()
    assert "PAUSED" == said["bot_status"]
    assert said["dd_block_reason"].startswith("MAX_DRAWDOWN: used=1.")
    assert 100 <= float(said["max_dd_limit_used"])
    assert 1 <= float(said["max_dd_percent"])
    fleet = bench.admin("GET", "fleet/").json()["accounts"][0]
    assert "true" == str(fleet["heartbeat"]["dd_blocked"]).lower()
    runner.kill()
    control.delete("bot:lease:123456")

    again = bench.run(*flags)
    again.wait_for("MAX_DRAWDOWN")
    helpers.wait_until(
        lambda: (
            beat().get("session") != said["session"]
            and beat().get("trading_state") == "LATCHED"
        ),
        "a heartbeat of the second start, latched",
    )
    bench.patch_account(dd_blocked=True)
    version = bench.admin("GET", "accounts/123456/").json()["version"]
    helpers.wait_until(
        lambda: beat().get("trade_config_version") == str(version),
        "the bot to know the block",
    )
    assert [] == OPENED.findall(again.text)
    high = {"max_account_dd_percent": 90.0}
    bench.patch_account(dd_blocked=False, risk_config=high)
    again.wait_for("the server released the maximum limit")
    helpers.wait_until(lambda: OPENED.findall(again.text), "an entry after the release")


def test_a_choice_that_does_not_exist_is_refused_with_its_path(
    bench, redis_url, control, helpers
):
    """By the server, so that nothing of it reaches the bot."""
    bench.serve("--redis-url", redis_url, seed=seed_of(helpers))

    answer = bench.patch_account(risk_config={"preset": "ftmo"})

    assert 400 == answer.status_code
    assert "$.risk_config.preset: must be default or static or" in answer.text
