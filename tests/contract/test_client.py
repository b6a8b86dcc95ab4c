"""The seed's bot-side helper functions, by name and position, over real wires."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import redis

from runner import client
from runner.ports import UnavailableError
from runner.wire import keys
from runner.wire.heartbeat import BotHeartbeat

ACCOUNT = 123456


@pytest.fixture
def server(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Redis, found by its variable."""
    monkeypatch.setenv("REDIS_URL", redis_url)
    with redis.Redis.from_url(redis_url, decode_responses=True) as made:
        yield made


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        (
            "send_heartbeat_redis",
            "mt5_account_id bot_status balance peak_balance dd_blocked dd_block_reason",
        ),
        ("get_server_heartbeat_from_redis", "mt5_account_id"),
        ("get_trade_config_version_from_redis", "mt5_account_id"),
        ("get_strategy_config_version_from_redis", "mt5_account_id strategy_id"),
        ("fetch_trade_config_from_api", "mt5_account_id"),
        ("fetch_strategy_config_from_api", "mt5_account_id strategy_id"),
    ],
)
def test_names_and_arguments_are_the_seeds(name: str, arguments: str) -> None:
    """Seed, Bot-Side Functions: what is written there can be called here."""
    parameters = inspect.signature(getattr(client, name)).parameters.values()

    assert arguments.split() == [
        one.name for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD
    ]


def test_send_heartbeat(server: Any) -> None:
    """Seed, key 1: every field, alive for 60 seconds."""
    client.send_heartbeat_redis(ACCOUNT, "ACTIVE", 10000.0, "12000.0000", False)

    fields = server.hgetall(keys.bot_heartbeat(ACCOUNT))
    heartbeat = BotHeartbeat.from_hash(fields)
    assert ("123456", "ACTIVE", Decimal(10000), Decimal(12000), False, None) == (
        heartbeat.mt5_account_id,
        heartbeat.bot_status,
        heartbeat.current_balance,
        heartbeat.peak_balance,
        heartbeat.dd_blocked,
        heartbeat.dd_block_reason,
    )
    assert 8 == len(fields)
    assert 55 < server.ttl(keys.bot_heartbeat(ACCOUNT)) <= 60


def test_send_heartbeat_of_a_blocked_bot(server: Any) -> None:
    """The reason comes as the sixth argument, as the seed has it."""
    client.send_heartbeat_redis(ACCOUNT, "PAUSED", 1, 2, True, "daily limit")

    fields = server.hgetall(keys.bot_heartbeat(ACCOUNT))
    assert ("true", "daily limit") == (fields["dd_blocked"], fields["dd_block_reason"])


@pytest.mark.parametrize(
    ("status", "balance"), [("RUNNING", 1.0), ("ACTIVE", float("nan"))]
)
def test_a_heartbeat_of_nonsense_is_not_sent(
    server: Any, status: str, balance: float
) -> None:
    """What has no form on the wire is an error here, not there."""
    with pytest.raises(ValueError, match=r"RUNNING|number"):
        client.send_heartbeat_redis(ACCOUNT, status, balance, 1.0, False)

    assert {} == server.hgetall(keys.bot_heartbeat(ACCOUNT))


def test_a_heartbeat_that_redis_refuses_is_an_error(server: Any) -> None:
    """Nobody should believe that it was written."""
    server.config_set("maxmemory", 1)
    try:
        with pytest.raises(UnavailableError, match="refused the heartbeat"):
            client.send_heartbeat_redis(ACCOUNT, "ACTIVE", 1, 1, False)
    finally:
        server.config_set("maxmemory", 0)


def test_server_heartbeat(server: Any) -> None:
    """Seed, Heartbeat & Status Check Loop: read as the seed reads it."""
    assert client.get_server_heartbeat_from_redis(ACCOUNT) is None
    server.hset(
        keys.server_heartbeat(ACCOUNT),
        mapping={
            "bot_status": "PAUSED",
            "account_status": "ACTIVE",
            "subscription_status": "EXPIRED",
            "dd_blocked": "True",
            "dd_block_reason": "",
            "last_update": "2026-01-05T12:00:00+00:00",
        },
    )

    assert {
        "bot_status": "PAUSED",
        "account_status": "ACTIVE",
        "subscription_status": "EXPIRED",
        "dd_blocked": True,
        "dd_block_reason": None,
        "last_update": datetime(2026, 1, 5, 12, tzinfo=UTC),
    } == client.get_server_heartbeat_from_redis(ACCOUNT)


def test_versions(server: Any) -> None:
    """Seed, keys 3 and 4: None where nothing is announced."""
    assert client.get_trade_config_version_from_redis(ACCOUNT) is None
    assert client.get_strategy_config_version_from_redis(ACCOUNT, 1) is None
    server.hset(keys.trade_config(ACCOUNT), "version", 5)
    server.hset(keys.strategy_config(ACCOUNT, 1), "version", 3)

    assert 5 == client.get_trade_config_version_from_redis(ACCOUNT)
    assert 3 == client.get_strategy_config_version_from_redis(ACCOUNT, 1)


def test_fetch(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seed, API endpoints: the bodies as they come, with the bot's key."""
    monkeypatch.setenv("MT5RUNNER_API_URL", api.url)
    monkeypatch.setenv("MT5RUNNER_API_KEY", "demo-key")
    api.answers[keys.trade_config_path(ACCOUNT)] = api.json({"version": 5})
    api.answers[keys.strategy_config_path(ACCOUNT, 1)] = api.json({"version": 3})

    assert {"version": 5} == client.fetch_trade_config_from_api(ACCOUNT)
    assert {"version": 3} == client.fetch_strategy_config_from_api(ACCOUNT, 1)
    assert {"Api-Key demo-key"} == {
        headers["Authorization"] for _, headers in api.requests
    }


def test_arguments_win_over_the_environment(
    api: Any, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script may talk to several servers."""
    monkeypatch.setenv("MT5RUNNER_API_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("MT5RUNNER_API_KEY", "other")
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    api.answers[keys.trade_config_path(ACCOUNT)] = api.json({"version": 5})

    body = client.fetch_trade_config_from_api(ACCOUNT, api_url=api.url, api_key="mine")
    client.send_heartbeat_redis(ACCOUNT, "ACTIVE", 1, 1, False, redis_url=redis_url)

    assert {"version": 5} == body
    assert "Api-Key mine" == api.requests[-1][1]["Authorization"]


def test_a_refusal_carries_status_and_reason(api: Any) -> None:
    """The seed's error body says why."""
    path = keys.trade_config_path(ACCOUNT)
    api.answers[path] = api.json({"status": "error", "detail": "wrong key"}, 403)

    with pytest.raises(UnavailableError, match="HTTP 403: wrong key"):
        client.fetch_trade_config_from_api(ACCOUNT, api_url=api.url)


def test_what_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says which variable is missing."""
    for name in ("REDIS_URL", "MT5RUNNER_API_URL"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(UnavailableError, match="REDIS_URL is not set"):
        client.get_trade_config_version_from_redis(ACCOUNT)
    with pytest.raises(UnavailableError, match="MT5RUNNER_API_URL is not set"):
        client.fetch_trade_config_from_api(ACCOUNT)


def test_redis_away() -> None:
    """A Redis that is not there is an error, not a missing version."""
    with pytest.raises(UnavailableError):
        client.get_trade_config_version_from_redis(
            ACCOUNT, redis_url="redis://127.0.0.1:1/0"
        )
