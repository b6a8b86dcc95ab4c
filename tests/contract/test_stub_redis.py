from __future__ import annotations

import json
import logging
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import redis
import requests

from runner.wire import keys
from runner.wire.commands import Command
from runner.wire.events import WakeUp, WakeUpType
from runner.wire.heartbeat import SERVER_FIELDS, ServerHeartbeat
from server_stub.functions import (
    update_server_heartbeat_in_redis,
    update_strategy_config_version_in_redis,
    update_trade_config_version_in_redis,
)
from server_stub.publisher import Publisher, spread_ms
from server_stub.redis_link import RedisLink, connect
from server_stub.seed import DEMO, plant
from server_stub.server import StubServer
from server_stub.store import Store
from server_stub.watch import Watch

pytestmark = pytest.mark.redis
DATA = Path(__file__).parents[1] / "data/wire"
ADMIN = {"Authorization": "Api-Key admin"}
SEED_KEYS = {
    "server:heartbeat:123456": 300,
    "bot:trade_config:123456": 86_400,
    "bot:strategy_config:123456:1": 86_400,
}
HEARTBEAT = json.loads((DATA / "bot_heartbeat_seed.json").read_text("utf-8"))


def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    """Return the first true value of *condition*; fail after *seconds*."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds} s")
        time.sleep(0.02)


@pytest.fixture
def client(redis_url: str) -> Iterator[Any]:
    """A client of the real Redis that shows texts."""
    with redis.Redis.from_url(redis_url, decode_responses=True) as made:
        yield made


@pytest.fixture
def store() -> Iterator[Store]:
    """The demo's store."""
    made = Store()
    plant(made, DEMO)
    yield made
    made.close()


class Servers:
    """Starts servers on the demo's store and stops them at the end."""

    def __init__(self, store: Store, url: str):
        self.store = store
        self.url = url
        self.running: list[tuple[StubServer, Any]] = []

    def start(self, *, url: str | None = None, **settings: Any) -> StubServer:
        """Start a server; short heartbeats unless told otherwise."""
        connection = connect(url or self.url)
        defaults: dict[str, Any] = {"heartbeat_interval": 0.2, "admin_key": "admin"}
        server = StubServer(
            store=self.store, redis_client=connection, **(defaults | settings)
        )
        self.running.append((server, connection))
        server.start()
        return server

    def stop(self) -> None:
        """Stop them all."""
        for server, connection in self.running:
            server.stop()
            connection.close()


@pytest.fixture
def servers(store: Store, redis_url: str) -> Iterator[Servers]:
    """Starts servers for one test."""
    made = Servers(store, redis_url)
    yield made
    made.stop()


def patch(server: StubServer, path: str, document: Any) -> Any:
    """PATCH as administrator and return the body."""
    answer = requests.patch(
        server.address + path, json=document, headers=ADMIN, timeout=20
    )
    assert 200 == answer.status_code, answer.text
    return answer.json()


def observed(server: StubServer) -> str:
    """Return the first account's observed status."""
    url = server.address + "/api/admin/fleet/"
    fleet = requests.get(url, headers=ADMIN, timeout=20).json()
    return str(fleet["accounts"][0]["observed_status"])


def beat(client: Any, ttl_ms: int = 60_000, **fields: str) -> None:
    """Write a bot's heartbeat as a bot does."""
    with client.pipeline(transaction=True) as pipeline:
        key = keys.bot_heartbeat("123456")
        pipeline.hset(key, mapping=HEARTBEAT | fields)
        pipeline.pexpire(key, ttl_ms)
        pipeline.execute()


def test_the_seed_s_keys_stand_when_the_server_does(
    servers: Servers, client: Any
) -> None:
    """Fields and TTLs of the seed, before the first request."""
    servers.start(heartbeat_interval=30)

    heartbeat = client.hgetall("server:heartbeat:123456")
    assert list(SERVER_FIELDS) == list(heartbeat)
    assert "ACTIVE" == ServerHeartbeat.from_hash(heartbeat).bot_status
    assert {"version": "5"} == client.hgetall("bot:trade_config:123456")
    assert {"version": "3"} == client.hgetall("bot:strategy_config:123456:1")
    for key, ttl in SEED_KEYS.items():
        assert ttl - 5 <= client.ttl(key) <= ttl
    assert set(SEED_KEYS) == set(client.keys())


def test_the_seed_s_monitoring_commands_work_as_printed(
    servers: Servers, client: Any, redis_url: str
) -> None:
    """redis-cli shows what the seed says it shows."""
    program = shutil.which("redis-cli")
    if program is None:
        pytest.skip("no redis-cli on this machine")
    beat(client)
    servers.start(heartbeat_interval=30)

    def cli(command: str) -> list[str]:
        run = [program or "", "-u", redis_url, *command.split()]
        done = subprocess.run(
            run, capture_output=True, text=True, timeout=20, check=True
        )
        return done.stdout.splitlines()

    alive = cli("HGETALL bot:heartbeat:123456")
    server = cli("HGETALL server:heartbeat:123456")

    assert HEARTBEAT == dict(zip(alive[::2], alive[1::2], strict=True))
    assert list(SERVER_FIELDS) == server[::2]
    assert ["5"] == cli("HGET bot:trade_config:123456 version")
    assert ["3"] == cli("HGET bot:strategy_config:123456:1 version")


def test_a_change_is_in_redis_when_the_patch_is_answered(
    servers: Servers, client: Any
) -> None:
    """The hash first, the wake-up after it; no other strategy or account is told."""
    server = servers.start(heartbeat_interval=30)
    with client.pubsub(ignore_subscribe_messages=True) as channel:
        channel.subscribe(keys.events("123456"), keys.EVENTS_ALL)
        patch(
            server,
            "/api/admin/strategies/1/",
            {"parameters_by_symbol.XAUUSD.stop_loss": 120},
        )
        patch(server, "/api/admin/accounts/123456/", {"bot_status": "PAUSED"})
        versions = (
            client.hget("bot:strategy_config:123456:1", "version"),
            client.hget("bot:trade_config:123456", "version"),
            client.hget("server:heartbeat:123456", "bot_status"),
        )
        messages: list[Any] = []

        def collect() -> bool:
            if message := channel.get_message(timeout=0.1):
                messages.append((message["channel"], WakeUp.from_json(message["data"])))
            return len(messages) == 3

        until(collect)

    assert ("4", "6", "PAUSED") == versions
    own = keys.events("123456")
    assert [
        (
            keys.EVENTS_ALL,
            WakeUp(type=WakeUpType.STRATEGY_CONFIG, strategy_id=1, version=4),
        ),
        (own, WakeUp(type=WakeUpType.TRADE_CONFIG, account="123456", version=6)),
        (own, WakeUp(type=WakeUpType.SERVER_HEARTBEAT, account="123456")),
    ] == messages


def test_every_hash_is_written_with_its_expiry_in_one_transaction(
    servers: Servers, redis_url: str
) -> None:
    """MONITOR sees each HSET and its EXPIRE between one MULTI and its EXEC."""
    commands: list[str] = []
    with redis.Redis.from_url(redis_url) as client, client.monitor() as monitor:
        servers.start(heartbeat_interval=30)
        while "EXEC" not in commands:
            commands.append(monitor.next_command()["command"])

    start = commands.index("MULTI")
    before, inside = commands[:start], commands[start + 1 : -1]
    for key, ttl in SEED_KEYS.items():
        written = [line for line in inside if f" {key}" in line]
        assert ["DEL", "HSET", "EXPIRE"] == [line.split()[0] for line in written]
        assert f"EXPIRE {key} {ttl}" == written[-1]
    assert [] == [line for line in before if line.startswith("HSET")]


def test_no_ttl_lapses_while_the_server_lives(servers: Servers, client: Any) -> None:
    """Keys about to expire, changed by others or deleted come back by themselves."""
    servers.start()
    for key in SEED_KEYS:
        client.expire(key, 5)
    client.hset("bot:trade_config:123456", "version", "99")
    client.delete("bot:strategy_config:123456:1")
    client.set("bot:strategy_config:123456:1", "of another type")

    until(lambda: all(client.ttl(key) > ttl / 2 for key, ttl in SEED_KEYS.items()))

    assert "5" == client.hget("bot:trade_config:123456", "version")
    assert "3" == client.hget("bot:strategy_config:123456:1", "version")


def test_a_server_that_speaks_only_the_seed_writes_only_its_keys(
    servers: Servers, client: Any
) -> None:
    """No command key, no message."""
    servers.store.add_command(None, Command.from_hash({"action": "PAUSE", "seq": "0"}))
    with client.pubsub(ignore_subscribe_messages=True) as channel:
        channel.psubscribe("*")
        server = servers.start(extensions=False, heartbeat_interval=30)
        patch(server, "/api/admin/accounts/123456/", {"bot_status": "PAUSED"})
        until(lambda: "6" == client.hget("bot:trade_config:123456", "version"))
        heard = channel.get_message(timeout=0.3)

    assert heard is None
    assert set(SEED_KEYS) == set(client.keys())


def test_commands_are_hashes_and_asserted_again(servers: Servers, client: Any) -> None:
    """A deleted command comes back; the bot is woken until it acknowledges."""
    server = servers.start()
    url = f"{server.address}/api/admin/accounts/123456/command/"
    sent = {"action": "PAUSE", "reason": "lunch"}
    requests.post(url, json=sent, headers=ADMIN, timeout=20).raise_for_status()
    sent = {"action": "EMERGENCY_STOP"}
    fleet = f"{server.address}/api/admin/command/"
    requests.post(fleet, json=sent, headers=ADMIN, timeout=20).raise_for_status()

    assert "PAUSE" == client.hget("bot:command:123456", "action")
    assert "2" == client.hget("bot:command:all", "seq")
    assert keys.COMMAND_TTL - 5 <= client.ttl("bot:command:123456")
    client.delete("bot:command:123456", "bot:command:all")
    until(lambda: client.exists("bot:command:123456", "bot:command:all") == 2)

    with client.pubsub(ignore_subscribe_messages=True) as channel:
        channel.subscribe(keys.events("123456"))
        message = until(lambda: channel.get_message(timeout=0.1))
        assert WakeUp(type=WakeUpType.COMMAND, account="123456") == (
            WakeUp.from_json(message["data"])
        )
        client.hset(keys.command_ack("123456"), mapping={"1": "{}", "2": "{}"})
        quiet = 0

        def silent() -> bool:
            nonlocal quiet
            heard = channel.get_message(timeout=0.1)
            quiet = 0 if heard else quiet + 1
            return quiet == 8

        until(silent)
    assert client.exists("bot:command:123456")


def test_a_bot_is_down_when_its_heartbeat_expires_and_up_when_it_returns(
    servers: Servers, client: Any
) -> None:
    """Within five seconds, without keyspace events; PAUSED and a clean stop too."""
    server = servers.start(heartbeat_interval=30)
    assert "NEVER_SEEN" == observed(server)
    beat(client, ttl_ms=700)
    assert "ACTIVE" == observed(server)

    started = time.monotonic()
    until(lambda: observed(server) == "DOWN")
    assert time.monotonic() - started < 5.7

    beat(client, bot_status="PAUSED")
    assert "PAUSED" == observed(server)
    beat(client, bot_status="DOWN")
    assert "DOWN" == observed(server)
    beat(client)
    assert "ACTIVE" == observed(server)


def test_down_is_noticed_without_anybody_asking(
    servers: Servers, client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The server itself looks; it says so once per change."""
    caplog.set_level(logging.INFO, "mt5runner.config_server")
    servers.start(heartbeat_interval=0.2)
    beat(client, ttl_ms=1500)

    until(lambda: "the bot of account 123456 is DOWN" in caplog.messages)

    assert [
        "the bot of account 123456 is ACTIVE",
        "the bot of account 123456 is DOWN",
    ] == [m for m in caplog.messages if "bot of account" in m]
    assert "DOWN" == servers.store.observed()["123456"]["status"]


def test_what_was_observed_outlives_a_restart(servers: Servers, client: Any) -> None:
    """A bot that died while the server was away is DOWN, not NEVER_SEEN."""
    first = servers.start()
    beat(client)
    assert "ACTIVE" == observed(first)
    first.stop()
    client.delete(keys.bot_heartbeat("123456"))

    second = servers.start()

    assert "DOWN" == until(lambda: observed(second))


def test_a_heartbeat_of_garbage_breaks_nothing(servers: Servers, client: Any) -> None:
    """A key of the wrong type is no heartbeat; strange fields are shown."""
    server = servers.start()
    client.set(keys.bot_heartbeat("123456"), "text")
    assert "NEVER_SEEN" == observed(server)
    client.delete(keys.bot_heartbeat("123456"))
    client.hset(keys.bot_heartbeat("123456"), mapping={b"\xff": b"\xfe"})
    assert "PAUSED" == observed(server)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.time = datetime(2025, 12, 20, 10, 30, tzinfo=UTC)

    def now(self) -> datetime:
        """Return its time."""
        return self.time

    def advance(self, seconds: float) -> None:
        """Move it on."""
        self.time += timedelta(seconds=seconds)


def test_a_flushed_redis_is_filled_again_and_raises_no_alarm(
    store: Store, redis_url: str, client: Any
) -> None:
    """Bots have the time of one heartbeat's life to be seen again."""
    clock = Clock()
    connection = connect(redis_url)
    link = RedisLink(connection)
    watch = Watch(store=store, link=link, now=clock.now)
    publisher = Publisher(store=store, link=link, now=clock.now)
    publisher.sweep(watch.look())
    beat(client)
    assert "ACTIVE" == watch.look().of("123456").status.value

    client.flushall()
    flushed = watch.look()
    lost = [watch.has_lost_keys]
    publisher.sweep(flushed)
    clock.advance(59)
    during = watch.look()
    lost.append(watch.has_lost_keys)
    clock.advance(2)
    after = watch.look()
    connection.close()

    assert [True, False] == lost
    assert "5" == client.hget("bot:trade_config:123456", "version")
    assert ["ACTIVE", "ACTIVE", "DOWN"] == [
        snapshot.of("123456").status.value for snapshot in (flushed, during, after)
    ]


class OwnRedis:
    """A redis-server that a test may stop and start again."""

    def __init__(self, folder: Path, port: int):
        self.port = port
        self.folder = folder
        self.url = f"redis://127.0.0.1:{port}/0"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        program = shutil.which("redis-server")
        if program is None:
            pytest.skip("no redis-server on this machine")
        run = [program, "--port", str(self.port), "--save", "", "--bind", "127.0.0.1"]
        self.process = subprocess.Popen(run, cwd=self.folder, stdout=subprocess.DEVNULL)

        def answers() -> bool:
            try:
                with redis.Redis.from_url(self.url) as client:
                    return bool(client.ping())
            except redis.ConnectionError:
                return False

        until(answers)

    def stop(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=20)
            self.process = None


@pytest.fixture
def own_redis(tmp_path: Path, free_port: int) -> Iterator[OwnRedis]:
    """A Redis of this test's own, not yet started."""
    made = OwnRedis(tmp_path, free_port)
    yield made
    made.stop()


def test_redis_may_go_and_come(
    servers: Servers, own_redis: OwnRedis, caplog: pytest.LogCaptureFixture
) -> None:
    """REST goes on, one line per change of state, and what was missed is made good."""
    caplog.set_level(logging.INFO, "mt5runner.config_server")
    server = servers.start(url=own_redis.url)
    patch(server, "/api/admin/accounts/123456/", {"bot_status": "PAUSED"})
    assert "NEVER_SEEN" == observed(server)

    own_redis.start()
    with redis.Redis.from_url(own_redis.url, decode_responses=True) as client:
        until(lambda: client.hget("bot:trade_config:123456", "version") == "6")
        beat(client)
        assert "ACTIVE" == until(lambda: observed(server))
    own_redis.stop()
    until(lambda: sum("is unavailable" in m for m in caplog.messages) == 2)
    patch(server, "/api/admin/accounts/123456/", {"bot_status": "ACTIVE"})
    assert "ACTIVE" == observed(server)
    own_redis.start()
    with redis.Redis.from_url(own_redis.url, decode_responses=True) as client:
        until(lambda: client.hget("bot:trade_config:123456", "version") == "7")

    said = [m.split()[2] for m in caplog.messages if m.startswith("Redis is")]
    assert ["unavailable,", "back", "unavailable,", "back"] == said


def test_a_redis_that_never_answers_holds_nobody_up(servers: Servers) -> None:
    """Start, REST and changes go on; the fleet says that Redis is down."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        server = servers.start(url=url)
        body = patch(server, "/api/admin/accounts/123456/", {"bot_status": "PAUSED"})
        fleet = requests.get(
            f"{server.address}/api/admin/fleet/", headers=ADMIN, timeout=20
        )
        server.stop()

    assert 6 == body["version"]
    assert "down" == fleet.json()["redis"]


def test_fifty_writers_leave_the_last_version_in_redis(
    servers: Servers, client: Any
) -> None:
    """Whatever order the announcements take, none takes the version back."""
    server = servers.start(heartbeat_interval=30)
    seen: list[int] = []

    def write(index: int) -> None:
        body = patch(
            server,
            "/api/admin/strategies/1/",
            {"parameters_by_symbol.XAUUSD.stop_loss": 1000 + index},
        )
        announced = client.hget("bot:strategy_config:123456:1", "version")
        seen.append(int(str(announced)) - body["version"])

    threads = [threading.Thread(target=write, args=(i,)) for i in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert 50 == len(seen)
    assert min(seen) >= 0
    assert "53" == client.hget("bot:strategy_config:123456:1", "version")


def test_many_bots_are_asked_to_spread_their_fetches() -> None:
    """A hundred at once do no harm; ten thousand take twenty seconds."""
    assert 0 == spread_ms(100)
    assert 20_000 == spread_ms(10_000)
    assert 60_000 == spread_ms(1_000_000)


def trade_account(**fields: Any) -> Any:
    """Return something like a Django model's instance."""
    return SimpleNamespace(
        **{
            "mt5_account_id": 123456,
            "bot_status": "ACTIVE",
            "account_status": "ACTIVE",
            "subscription_status": "ACTIVE",
            "dd_blocked": False,
            "dd_block_reason": None,
        }
        | fields
    )


def test_the_seed_s_function_writes_the_server_heartbeat(
    client: Any,
) -> None:
    """Called as the seed shows it, with the account alone."""
    account = trade_account(dd_blocked=True, dd_block_reason="daily limit")

    assert update_server_heartbeat_in_redis(account, client=client)

    heartbeat = ServerHeartbeat.from_hash(client.hgetall("server:heartbeat:123456"))
    assert (True, "daily limit") == (heartbeat.dd_blocked, heartbeat.dd_block_reason)
    assert 295 <= client.ttl("server:heartbeat:123456") <= 300


def test_the_seed_s_functions_announce_versions(client: Any) -> None:
    """The version given; or one more than announced, from 1 on."""
    answers = [
        update_trade_config_version_in_redis(123456, client=client),
        update_trade_config_version_in_redis(123456, 7, client=client),
        update_trade_config_version_in_redis(123456, client=client),
        update_strategy_config_version_in_redis(123456, 1, version=3, client=client),
        update_strategy_config_version_in_redis("123456", 1, client=client),
    ]

    assert [1, 7, 8, 3, 4] == answers
    assert "8" == client.hget("bot:trade_config:123456", "version")
    assert "4" == client.hget("bot:strategy_config:123456:1", "version")
    for key in ("bot:trade_config:123456", "bot:strategy_config:123456:1"):
        assert 86_395 <= client.ttl(key) <= 86_400


def test_the_seed_s_functions_find_redis_by_its_variable(
    client: Any, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """REDIS_URL as the seed sets it up; without it there is a clear error."""
    monkeypatch.setenv("REDIS_URL", redis_url)
    assert update_server_heartbeat_in_redis(trade_account())
    assert 1 == update_trade_config_version_in_redis(123456)
    assert client.exists("server:heartbeat:123456")

    monkeypatch.delenv("REDIS_URL")
    with pytest.raises(RuntimeError, match="REDIS_URL is not set"):
        update_trade_config_version_in_redis(123456)


def test_the_seed_s_functions_warn_when_redis_is_away(
    monkeypatch: pytest.MonkeyPatch, free_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A save in the database does not fail for it (seed, Error Handling)."""
    monkeypatch.setenv("REDIS_URL", f"redis://:secret@127.0.0.1:{free_port}/0")

    assert not update_server_heartbeat_in_redis(trade_account())
    assert update_trade_config_version_in_redis(123456) is None
    assert update_strategy_config_version_in_redis(123456, 1, 5) is None
    assert 3 == len(caplog.messages)
    assert "secret" not in caplog.text
