"""The ACL file that deployments start from, loaded by a real redis-server."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from runner.adapters.redis_control import RedisControl
from runner.adapters.redis_fleet import read_fleet
from runner.ports import Exchange, UnavailableError
from runner.wire import keys

ACL_FILE = Path(__file__).parents[2] / "deploy" / "redis-acl"
MINE, OTHER = "123456", "654321"
BOT, SERVER, ADMIN = f"bot-{MINE}", "config-server", "admin"

RENEW = """
if redis.call('get', KEYS[1]) == ARGV[1] then
  return redis.call('pexpire', KEYS[1], ARGV[2])
end
return 0
"""

# redis-py's own annotations are neither complete nor strict.
Connect = Callable[[str], Any]
Act = Callable[[Any], object]


def _users() -> str:
    *shared, bot = ACL_FILE.read_text(encoding="utf-8").splitlines()
    lines = [
        *(line.replace("SERVER_PASSWORD", SERVER) for line in shared),
        f"user {ADMIN} on >{ADMIN} ~* &* +@all",
    ]
    for account in (MINE, OTHER):
        line = bot.replace("BOT_PASSWORD", f"bot-{account}")
        lines.append(line.replace("ACCOUNT", account))
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def acl_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a redis-server that enforces the file for two bots."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server on this machine")
    users = tmp_path_factory.mktemp("redis-acl") / "users.acl"
    users.write_text(_users(), encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    options = f"--port {port} --bind 127.0.0.1 --save {''} --aclfile users.acl"
    process = subprocess.Popen(
        [program, *options.split(" ")],
        cwd=users.parent,
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 20
    while True:
        assert process.poll() is None, "redis-server refused the ACL file"
        try:
            with redis.Redis(port=port, username=ADMIN, password=ADMIN) as admin:
                admin.ping()
            break
        except redis.ConnectionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    yield port
    process.terminate()
    process.wait(timeout=10)


@pytest.fixture
def connect(acl_port: int) -> Iterator[Connect]:
    """Connects as a user of the file; the data is as the server and bots left it."""
    with ExitStack() as stack:

        def as_user(name: str) -> Any:
            client = redis.Redis(port=acl_port, username=name, password=name)
            stack.callback(client.close)
            return client

        admin = as_user(ADMIN)
        admin.flushall()
        admin.hset(keys.server_heartbeat(MINE), "bot_status", "ACTIVE")
        admin.hset(keys.trade_config(MINE), keys.VERSION_FIELD, 5)
        admin.hset(keys.strategy_config(MINE, 1), keys.VERSION_FIELD, 3)
        admin.hset(keys.command(MINE), "seq", 1)
        admin.hset(keys.COMMAND_ALL, "seq", 1)
        admin.hset(keys.bot_heartbeat(OTHER), "bot_status", "ACTIVE")
        yield as_user


def test_a_bot_does_a_whole_control_cycle(
    connect: Connect,
) -> None:
    """A bot writes its heartbeat and reads what is meant for it, in one pipeline."""
    cycle = connect(BOT).pipeline(transaction=True)
    cycle.hset(keys.bot_heartbeat(MINE), mapping={"bot_status": "ACTIVE"})
    cycle.expire(keys.bot_heartbeat(MINE), keys.BOT_HEARTBEAT_TTL)
    cycle.hset(keys.config_ack(MINE), "trade", "{}")
    cycle.hset(keys.command_ack(MINE), "1", "{}")
    cycle.hgetall(keys.server_heartbeat(MINE))
    cycle.hget(keys.trade_config(MINE), keys.VERSION_FIELD)
    cycle.hget(keys.strategy_config(MINE, 1), keys.VERSION_FIELD)
    cycle.hgetall(keys.command(MINE))
    cycle.hgetall(keys.COMMAND_ALL)

    *_, status, trade, strategy, command, fleet = cycle.execute()

    assert {b"bot_status": b"ACTIVE"} == status
    assert (b"5", b"3") == (trade, strategy)
    assert ({b"seq": b"1"}, {b"seq": b"1"}) == (command, fleet)


def test_the_runner_needs_no_more_than_a_bot_may(
    connect: Connect, acl_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The adapter does a whole cycle and has its lease; nothing is refused."""
    connect(SERVER).hset(keys.trade_config(MINE), keys.VERSION_FIELD, 6)
    url = f"redis://{BOT}:{BOT}@127.0.0.1:{acl_port}/0"
    with closing(RedisControl(url, session="host:1:a", random=lambda: 0.5)) as control:
        assert 1 == control.acquire_lease(MINE)
        view = control.exchange(
            Exchange(
                account=MINE,
                heartbeat={"bot_status": "ACTIVE"},
                strategy_ids=(1,),
                config_acks={"trade": "{}"},
                command_acks={"1": "{}"},
                renew_lease=True,
            )
        )
        control.release_lease(MINE)

    assert (6, {1: 3}, True) == (
        view.trade_version,
        view.strategy_versions,
        view.lease_held,
    )
    assert {"seq": "1"} == view.command == view.fleet_command
    assert [] == caplog.messages


def test_a_bot_looks_at_itself_and_is_told_why_not_at_the_fleet(
    connect: Connect, acl_port: int
) -> None:
    """Listing the fleet is the server's right; a bot's refusal says what to do."""
    connect(SERVER).hset(keys.trade_config(MINE), keys.VERSION_FIELD, 6)
    url = f"redis://{BOT}:{BOT}@127.0.0.1:{acl_port}/0"

    [account] = read_fleet(url, [MINE])

    assert 6 == account["trade_config_version"]
    with pytest.raises(UnavailableError, match="name it with --account"):
        read_fleet(url)


def test_a_bot_keeps_its_lease(connect: Connect) -> None:
    """A bot takes, renews by script, counts and releases its own lease."""
    bot = connect(BOT)

    assert bot.set(keys.lease(MINE), "session", nx=True, px=90_000)
    assert 1 == bot.eval(RENEW, 1, keys.lease(MINE), "session", "90000")
    assert 1 == bot.incr(keys.epoch(MINE))
    assert 1 == bot.delete(keys.lease(MINE))


def test_a_bot_is_woken_on_its_own_and_the_fleets_channel(
    connect: Connect,
) -> None:
    """What the server publishes on the bot's two channels arrives."""
    with connect(BOT).pubsub(ignore_subscribe_messages=False) as subscription:
        subscription.subscribe(keys.events(MINE), keys.EVENTS_ALL)
        for _ in range(2):
            assert subscription.get_message(timeout=10)["type"] == "subscribe"
        server = connect(SERVER)

        assert 1 == server.publish(keys.events(MINE), "{}")
        assert 1 == server.publish(keys.EVENTS_ALL, "{}")
        assert b"{}" == subscription.get_message(timeout=10)["data"]
        assert b"{}" == subscription.get_message(timeout=10)["data"]


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(lambda r: r.hgetall(keys.bot_heartbeat(OTHER)), id="read-other"),
        pytest.param(lambda r: r.hset(keys.bot_heartbeat(OTHER), "a", 1), id="write"),
        pytest.param(lambda r: r.get(keys.lease(OTHER)), id="lease-of-other"),
        pytest.param(lambda r: r.hset(keys.trade_config(MINE), "version", 9), id="v"),
        pytest.param(lambda r: r.hset(keys.command(MINE), "seq", 9), id="command"),
        pytest.param(lambda r: r.delete(keys.COMMAND_ALL), id="fleet-command"),
        pytest.param(lambda r: r.expire(keys.server_heartbeat(MINE), 1), id="expire"),
        pytest.param(lambda r: r.publish(keys.EVENTS_ALL, "{}"), id="publish"),
        pytest.param(lambda r: r.keys("*"), id="keys"),
        pytest.param(lambda r: r.scan(), id="scan"),
        pytest.param(lambda r: r.flushall(), id="flushall"),
        pytest.param(lambda r: r.config_get("*"), id="config"),
        pytest.param(lambda r: r.acl_list(), id="acl"),
        pytest.param(lambda r: r.client_list(), id="client-list"),
        pytest.param(
            lambda r: r.eval(
                "return redis.call('hgetall', KEYS[1])", 1, keys.bot_heartbeat(OTHER)
            ),
            id="by-script",
        ),
    ],
)
def test_a_bot_may_do_nothing_else(connect: Connect, act: Act) -> None:
    """Another bot's data, the server's keys and administration are refused."""
    with pytest.raises(redis.ResponseError, match=r"(?i)permission"):
        act(connect(BOT))


def test_a_bot_cannot_listen_to_another(
    connect: Connect,
) -> None:
    """Subscribing to another bot's channel is refused."""
    with connect(BOT).pubsub() as subscription:
        subscription.subscribe(keys.events(OTHER))

        with pytest.raises(redis.ResponseError, match=r"(?i)permission"):
            subscription.get_message(timeout=10)


def test_the_server_publishes_and_reads_the_fleet(
    connect: Connect,
) -> None:
    """The server writes versions and commands, finds heartbeats, and no more."""
    server = connect(SERVER)
    cycle = server.pipeline(transaction=True)
    cycle.hset(keys.trade_config(OTHER), keys.VERSION_FIELD, 1)
    cycle.expire(keys.trade_config(OTHER), keys.CONFIG_VERSION_TTL)
    cycle.hset(keys.command(OTHER), "seq", 2)
    cycle.execute()

    found = list(server.scan_iter(keys.bot_heartbeat("*")))

    assert [keys.bot_heartbeat(OTHER).encode()] == found
    with pytest.raises(redis.ResponseError, match=r"(?i)permission"):
        server.flushall()


def test_nobody_enters_without_a_name(acl_port: int) -> None:
    """The default user is off."""
    with (
        redis.Redis(port=acl_port, retry=Retry(NoBackoff(), 0)) as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.ping()
