"""What the server says about entries is obeyed, each reason for itself."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest

pytestmark = pytest.mark.redis

OPENED = re.compile(r"open (?:buy|sell) \w+ [\d.]+ at")
CLOSED = re.compile(r"closed (?:long|short) ")


@pytest.fixture
def running(bench, redis_url, control, helpers):
    """A runner that trades every few bars against a server with a fast heartbeat."""
    bench.serve(
        "--redis-url", redis_url, "--heartbeat-interval", "1", seed=helpers.seed()
    )
    feed = helpers.busy_market(bench.folder, bars=20_000)
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
        "2",
    )
    helpers.wait_until(lambda: len(OPENED.findall(runner.text)) > 3, "trades")
    helpers.wait_until(
        lambda: control.hget("bot:heartbeat:123456", "bot_status") == "ACTIVE",
        "a heartbeat that says ACTIVE",
    )
    return runner


def beat(control):
    """Return the bot's heartbeat."""
    return control.hgetall("bot:heartbeat:123456")


RESTRICTIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "bot_status": ({"bot_status": "PAUSED"}, {"bot_status": "ACTIVE"}),
    "subscription_status": (
        {"subscription_status": "EXPIRED"},
        {"subscription_status": "ACTIVE"},
    ),
    "account_status": ({"account_status": "INACTIVE"}, {"account_status": "ACTIVE"}),
    "dd_blocked": (
        {"dd_blocked": True, "dd_block_reason": "too much"},
        {"dd_blocked": False, "dd_block_reason": None},
    ),
}


@pytest.mark.parametrize(
    "name", ["bot_status", "subscription_status", "account_status", "dd_blocked"]
)
def test_no_exposure_is_added_while_the_server_says_no(
    running, bench, control, helpers, name
):
    """Entries stop, exits go on, the heartbeat says why; lifted, it trades again."""
    restrict, lift = RESTRICTIONS[name]
    assert 200 == bench.patch_account(**restrict).status_code
    helpers.wait_until(
        lambda: beat(control).get("bot_status") == "PAUSED", "a PAUSED heartbeat"
    )
    reasons = json.loads(beat(control)["pause_reasons"])
    assert any(name in reason for reason in reasons)
    opened = len(OPENED.findall(running.text))
    helpers.wait_until(
        lambda: beat(control)["open_positions"] == "0", "exits that go on"
    )
    until = time.monotonic() + 2
    helpers.wait_until(lambda: time.monotonic() > until, "two seconds of market")
    assert opened == len(OPENED.findall(running.text))

    assert 200 == bench.patch_account(**lift).status_code
    helpers.wait_until(
        lambda: len(OPENED.findall(running.text)) > opened, "new trades", within=30
    )
    assert CLOSED.search(running.text)
    assert "ACTIVE" == helpers.wait_until(
        lambda: beat(control)["bot_status"] == "ACTIVE" and "ACTIVE", "ACTIVE again"
    )


def test_a_paused_strategy_adds_nothing(running, bench, control, helpers):
    """The strategy's own bot_status stops its entries alone."""
    assert 200 == bench.patch_strategy(bot_status="PAUSED").status_code
    running.wait_for("STRATEGY_PAUSED")
    opened = len(OPENED.findall(running.text))
    helpers.wait_until(lambda: beat(control)["open_positions"] == "0", "exits")
    assert opened == len(OPENED.findall(running.text))

    assert 200 == bench.patch_strategy(bot_status="ACTIVE").status_code
    helpers.wait_until(lambda: len(OPENED.findall(running.text)) > opened, "trades")


def test_a_command_to_flatten_closes_everything_and_is_acknowledged(
    running, bench, control, helpers
):
    """FLATTEN: positions closed, DONE with evidence, no entry until RUN."""
    answer = bench.admin(
        "POST",
        "accounts/123456/command/",
        {"action": "FLATTEN", "reason": "test", "issued_by": "tests"},
    )
    assert answer.status_code in (200, 201), answer.text
    seq = answer.json()["command"]["seq"]

    def done():
        text = control.hget("bot:command_ack:123456", str(seq))
        return text and json.loads(text)["state"] == "done"

    helpers.wait_until(done, "the acknowledgement")
    assert "0" == helpers.wait_until(
        lambda: beat(control)["open_positions"] == "0" and "0", "a flat account"
    )
    opened = len(OPENED.findall(running.text))
    bench.admin("POST", "accounts/123456/command/", {"action": "RUN", "reason": "go"})
    helpers.wait_until(lambda: len(OPENED.findall(running.text)) > opened, "trades")


def test_a_subscription_that_has_run_out_opens_nothing(bench, redis_url, helpers):
    """Past `subscription_expiry` a whole market goes by without an entry."""
    seed = helpers.seed(subscription_expiry="2020-01-01T00:00:00Z")
    bench.serve("--redis-url", redis_url, seed=seed)

    runner = bench.run(
        "--redis-url",
        redis_url,
        "--speed",
        "max",
        "--exit-when-feed-ends",
        "--feed",
        helpers.busy_market(bench.folder, bars=300),
    )

    assert 0 == runner.wait(), runner.text
    assert "config.subscription_expiry EXPIRED" in runner.text
    assert [] == OPENED.findall(runner.text)
