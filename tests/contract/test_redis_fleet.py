"""The fleet as a real Redis holds it."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from runner.adapters.redis_fleet import read_fleet

pytestmark = pytest.mark.redis


def test_keys_that_another_program_has_spoilt_hide_no_other_account(
    redis_url: str,
) -> None:
    """What cannot be read is not known, and only that."""
    make: Any = redis.Redis  # whose types differ from version to version
    with make.from_url(redis_url) as client:
        client.hset("bot:heartbeat:1", "bot_status", "ACTIVE")
        client.hset("bot:trade_config:1", "version", "4")
        client.hset("bot:heartbeat:2", "bot_status", "PAUSED")
        client.hset("bot:trade_config:2", "version", "newest")
        client.set("bot:heartbeat:3", "of another kind")

    fleet = read_fleet(redis_url)

    assert [("1", "ACTIVE", 4), ("2", "PAUSED", None), ("3", "DOWN", None)] == [
        (one["mt5_account_id"], one["observed_status"], one["trade_config_version"])
        for one in fleet
    ]
    assert {} == fleet[2]["heartbeat"]
