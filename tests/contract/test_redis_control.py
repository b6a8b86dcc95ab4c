"""The control plane over a real redis-server, over fakeredis, and over a bad link."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from runner.adapters.embedded_redis import EmbeddedRedis
from runner.adapters.redis_control import RedisControl, RedisTiming
from runner.core.config_flow import Regime
from runner.ports import Exchange, LeaseHolder, UnavailableError
from runner.wire import keys
from runner.wire.events import WakeUp, WakeUpType

ACCOUNT = "123456"
QUICK = RedisTiming(timeout=0.5, ping=0.2, retry=Regime(0.05, 0.2))
BEAT = {"mt5_account_id": ACCOUNT, "bot_status": "ACTIVE"}


def connect(url: str, session: str = "here:12:mark") -> RedisControl:
    """A control plane with short time-outs."""
    return RedisControl(url, session=session, random=random.random, timing=QUICK)


@pytest.fixture
def control(redis_url: str) -> Iterator[RedisControl]:
    """The control plane on the real redis-server."""
    made = connect(redis_url)
    yield made
    made.close()


@pytest.fixture
def client(redis_url: str) -> Iterator[Any]:
    """The server's own eyes and hands in Redis."""
    with redis.Redis.from_url(redis_url, decode_responses=True) as made:
        yield made


@pytest.fixture(params=["redis-server", "fakeredis"])
def any_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A real redis-server, and the embedded one."""
    if request.param == "redis-server":
        yield request.getfixturevalue("redis_url")
        return
    embedded = EmbeddedRedis()
    embedded.start()
    yield embedded.url
    embedded.stop()


# -- one cycle -------------------------------------------------------------------------
def test_a_whole_cycle(any_url: str) -> None:
    """Heartbeat, acknowledgements, versions, commands and lease in one round trip."""
    control = connect(any_url)
    with redis.Redis.from_url(any_url, decode_responses=True, protocol=2) as client:
        client.hset(keys.server_heartbeat(ACCOUNT), "bot_status", "PAUSED")
        client.hset(keys.trade_config(ACCOUNT), "version", 5)
        client.hset(keys.strategy_config(ACCOUNT, 1), "version", 3)
        client.hset(keys.command(ACCOUNT), mapping={"action": "RUN", "seq": 1})
        client.hset(keys.COMMAND_ALL, mapping={"action": "PAUSE", "seq": 2})
        assert 1 == control.acquire_lease(ACCOUNT)

        view = control.exchange(
            Exchange(
                account=ACCOUNT,
                heartbeat=BEAT,
                strategy_ids=(1, 2),
                config_acks={"trade": "{}"},
                command_acks={"1": "{}"},
                renew_lease=True,
            )
        )

        assert {"bot_status": "PAUSED"} == view.server_heartbeat
        assert 5 == view.trade_version
        assert {1: 3, 2: None} == view.strategy_versions
        assert {"action": "RUN", "seq": "1"} == view.command
        assert {"action": "PAUSE", "seq": "2"} == view.fleet_command
        assert view.lease_held is True
        assert view.heartbeat_written
        assert BEAT == client.hgetall(keys.bot_heartbeat(ACCOUNT))
        assert {"trade": "{}"} == client.hgetall(keys.config_ack(ACCOUNT))
        assert {"1": "{}"} == client.hgetall(keys.command_ack(ACCOUNT))
        for key, ttl in (
            (keys.bot_heartbeat(ACCOUNT), 60),
            (keys.config_ack(ACCOUNT), 86_400),
            (keys.command_ack(ACCOUNT), 7 * 86_400),
            (keys.lease(ACCOUNT), 90),
        ):
            assert ttl - 5 < client.ttl(key) <= ttl
    control.close()


def test_nothing_is_there(any_url: str) -> None:
    """Missing keys are no information."""
    control = connect(any_url)

    view = control.exchange(Exchange(account=ACCOUNT, strategy_ids=(1,)))

    assert (None, None, None, None, None) == (
        view.server_heartbeat,
        view.trade_version,
        view.command,
        view.fleet_command,
        view.lease_held,
    )
    assert {1: None} == view.strategy_versions
    assert not view.heartbeat_written
    control.close()


def test_one_round_trip(faulty_redis: Any) -> None:
    """However many strategies: one packet there, whatever is asked."""
    control = connect(faulty_redis.url)
    control.acquire_lease(ACCOUNT)
    before = faulty_redis.requests

    control.exchange(
        Exchange(
            account=ACCOUNT,
            heartbeat=BEAT,
            strategy_ids=tuple(range(50)),
            config_acks={"trade": "{}"},
            command_acks={"1": "{}"},
            renew_lease=True,
        )
    )

    assert before + 1 == faulty_redis.requests
    control.close()


def test_fields_of_an_earlier_runner_do_not_stay(
    control: RedisControl, client: Any
) -> None:
    """A heartbeat replaces the one before, whoever wrote that."""
    key = keys.bot_heartbeat(ACCOUNT)
    client.hset(key, mapping={"old": "1", "bot_status": "DOWN"})

    control.exchange(Exchange(account=ACCOUNT, heartbeat=BEAT))

    assert BEAT == client.hgetall(key)


def test_hint_garbage(
    control: RedisControl, client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Scenario hint-garbage: no information, said once; the heartbeat goes on."""
    client.hset(keys.trade_config(ACCOUNT), "version", "abc")
    client.set(keys.strategy_config(ACCOUNT, 1), "not a hash")
    client.set(keys.server_heartbeat(ACCOUNT), "neither")
    client.hset(keys.command(ACCOUNT), mapping={b"action": b"\xff\xfe"})
    client.hset(keys.strategy_config(ACCOUNT, 2), "version", 7)
    client.set(keys.config_ack(ACCOUNT), "nor this")

    for _ in range(3):
        view = control.exchange(
            Exchange(
                account=ACCOUNT,
                heartbeat=BEAT,
                strategy_ids=(1, 2),
                config_acks={"trade": "{}"},
            )
        )

    assert (None, None) == (view.trade_version, view.server_heartbeat)
    assert {1: None, 2: 7} == view.strategy_versions
    assert {"action": "\ufffd\ufffd"} == view.command
    assert BEAT == client.hgetall(keys.bot_heartbeat(ACCOUNT))
    assert {"trade": "{}"} == client.hgetall(keys.config_ack(ACCOUNT))
    assert 3 == len(caplog.records)

    client.delete(keys.strategy_config(ACCOUNT, 1))
    caplog.clear()
    caplog.set_level(logging.INFO)
    control.exchange(Exchange(account=ACCOUNT, strategy_ids=(1,)))
    assert ["version of strategy 1: Redis answers again"] == [
        record.getMessage() for record in caplog.records
    ]


def test_a_heartbeat_key_of_another_type_is_replaced(
    control: RedisControl, client: Any
) -> None:
    """What stands in the way of the heartbeat is put away."""
    client.set(keys.bot_heartbeat(ACCOUNT), "garbage")

    view = control.exchange(Exchange(account=ACCOUNT, heartbeat=BEAT))

    assert view.heartbeat_written
    assert BEAT == client.hgetall(keys.bot_heartbeat(ACCOUNT))


def test_a_full_redis_still_tells_what_it_knows(
    control: RedisControl, client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Writes are refused for want of memory: said once, and reading goes on."""
    client.hset(keys.trade_config(ACCOUNT), "version", 5)
    client.config_set("maxmemory", 1)
    try:
        for _ in range(2):
            view = control.exchange(Exchange(account=ACCOUNT, heartbeat=BEAT))
    finally:
        client.config_set("maxmemory", 0)

    assert (5, False) == (view.trade_version, view.heartbeat_written)
    assert 1 == len(caplog.records)
    assert "heartbeat: nothing from Redis: command not allowed" in caplog.text


def test_a_replica_is_no_place_for_heartbeats(
    control: RedisControl, client: Any, free_port: int
) -> None:
    """After a failover the old master is read-only: away, until one can write."""
    control.exchange(Exchange(account=ACCOUNT, heartbeat=BEAT))
    client.replicaof("127.0.0.1", free_port)
    try:
        with pytest.raises(UnavailableError):
            control.exchange(Exchange(account=ACCOUNT, heartbeat=BEAT))
    finally:
        client.replicaof("NO", "ONE")

    view = control.exchange(Exchange(account=ACCOUNT, heartbeat=BEAT))
    assert view.heartbeat_written


# -- a bad link ------------------------------------------------------------------------
def test_nobody_listens(free_port: int) -> None:
    """A refused connection is told as Redis being away."""
    control = connect(f"redis://127.0.0.1:{free_port}/0")

    with pytest.raises(UnavailableError):
        control.exchange(Exchange(account=ACCOUNT))
    control.close()


@pytest.mark.parametrize("url", ["", "nowhere", "http://x"])
def test_an_address_that_is_none(url: str) -> None:
    """A wrong address is told before anything starts."""
    with pytest.raises(ValueError, match="scheme"):
        connect(url)


def test_a_wrong_password_is_told_without_it(redis_url: str) -> None:
    """Scenario secrets: the error tells neither user nor password."""
    url = redis_url.replace("redis://", "redis://me:hunter2@")
    control = connect(url)

    with pytest.raises(UnavailableError) as caught:
        control.exchange(Exchange(account=ACCOUNT))

    assert "hunter2" not in str(caught.value)
    control.close()


def test_hb_redis_hang(faulty_redis: Any, client: Any) -> None:
    """Scenario hb-redis-hang: a server that never answers is left in time."""
    control = connect(faulty_redis.url)
    control.exchange(Exchange(account=ACCOUNT, heartbeat=BEAT))
    faulty_redis.mode = "blackhole"

    began = time.monotonic()
    with pytest.raises(UnavailableError):
        control.exchange(Exchange(account=ACCOUNT, heartbeat=BEAT))
    assert time.monotonic() - began < 5.0

    faulty_redis.mode = "pass"
    faulty_redis.cut()
    assert control.exchange(Exchange(account=ACCOUNT, heartbeat=BEAT)).heartbeat_written
    control.close()


def test_a_lost_reply_writes_nothing_twice(faulty_redis: Any, client: Any) -> None:
    """The library's retries add an entry twice; every write here may be repeated."""
    control = connect(faulty_redis.url)
    assert 1 == control.acquire_lease(ACCOUNT)
    faulty_redis.mode = "drop_reply"
    for _ in range(2):
        with pytest.raises(UnavailableError):
            control.exchange(
                Exchange(account=ACCOUNT, heartbeat=BEAT, renew_lease=True)
            )
        with pytest.raises(UnavailableError):
            control.acquire_lease(ACCOUNT)

    faulty_redis.mode = "pass"
    assert 1 == control.acquire_lease(ACCOUNT)
    assert "1" == client.get(keys.epoch(ACCOUNT))
    assert BEAT == client.hgetall(keys.bot_heartbeat(ACCOUNT))
    control.close()


def test_one_cut_connection_is_not_noticed(faulty_redis: Any) -> None:
    """A connection that was closed while idle costs one more try, not a heartbeat."""
    control = connect(faulty_redis.url)
    control.exchange(Exchange(account=ACCOUNT))

    faulty_redis.cut()

    assert control.exchange(Exchange(account=ACCOUNT, heartbeat=BEAT)).heartbeat_written
    control.close()


def test_a_restarted_redis_is_found_again(faulty_redis: Any) -> None:
    """Scenario redis-failover-empty: connections that die are made anew."""
    control = connect(faulty_redis.url)
    control.exchange(Exchange(account=ACCOUNT))
    faulty_redis.mode = "close"
    faulty_redis.cut()
    with pytest.raises(UnavailableError):
        control.exchange(Exchange(account=ACCOUNT))

    faulty_redis.mode = "pass"

    control.exchange(Exchange(account=ACCOUNT))
    control.close()


# -- a strict server -------------------------------------------------------------------
SEED_ONLY = (
    "-@all +auth +hello +ping +select +hset +hget +hgetall +expire +multi +exec "
    f"~{keys.bot_heartbeat(ACCOUNT)} %R~{keys.server_heartbeat(ACCOUNT)} "
    f"%R~{keys.trade_config(ACCOUNT)} %R~{keys.strategy_config(ACCOUNT, 1)}"
)


@pytest.fixture
def seed_only_url(redis_url: str, client: Any) -> Iterator[str]:
    """A user who may do what the seed does, and nothing else."""
    client.execute_command("ACL", "SETUSER", "seed", "on", ">pw", *SEED_ONLY.split())
    yield redis_url.replace("redis://", "redis://seed:pw@")
    client.execute_command("ACL", "DELUSER", "seed")


def test_a_server_that_permits_the_seed_alone(
    seed_only_url: str, client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Every extension is optional: what is not permitted is left out, said once."""
    client.hset(keys.server_heartbeat(ACCOUNT), "bot_status", "ACTIVE")
    client.hset(keys.trade_config(ACCOUNT), "version", 5)
    client.hset(keys.strategy_config(ACCOUNT, 1), "version", 3)
    control = connect(seed_only_url)
    assert control.acquire_lease(ACCOUNT) is None

    for _ in range(3):
        view = control.exchange(
            Exchange(
                account=ACCOUNT,
                heartbeat=BEAT,
                strategy_ids=(1,),
                config_acks={"trade": "{}"},
                command_acks={"1": "{}"},
            )
        )

    assert view.heartbeat_written
    assert ({"bot_status": "ACTIVE"}, 5, {1: 3}, None) == (
        view.server_heartbeat,
        view.trade_version,
        view.strategy_versions,
        view.command,
    )
    assert BEAT == client.hgetall(keys.bot_heartbeat(ACCOUNT))
    assert 0 < client.ttl(keys.bot_heartbeat(ACCOUNT)) <= 60
    assert [
        "no lease",
        "command: nothing from Redis",
        "fleet command: nothing from Redis",
        "config_ack: nothing from Redis",
        "command_ack: nothing from Redis",
    ] == [
        record.getMessage().partition(":")[0]
        if record.getMessage().startswith("no lease")
        else ":".join(record.getMessage().split(":")[:2])
        for record in caplog.records
        if record.levelno >= logging.WARNING
    ]
    control.close()


def test_no_permission_to_listen_is_no_reason_to_spin(
    seed_only_url: str, client: Any, eventually: Callable[..., Any]
) -> None:
    """Without wake-ups polling goes on, and the server is not stormed."""
    control = connect(seed_only_url)
    before = client.info("stats")["total_connections_received"]
    with listening(control) as woken:
        time.sleep(0.6)
    made = client.info("stats")["total_connections_received"] - before

    assert [] == woken
    assert 1 <= made <= 15
    control.close()


# -- the lease -------------------------------------------------------------------------
def test_two_runners(any_url: str) -> None:
    """Scenario two-runners: the second one is told who has the account."""
    first, second = connect(any_url, "alpha:12:x"), connect(any_url, "beta:13:y")
    assert 1 == first.acquire_lease(ACCOUNT)

    holder = second.acquire_lease(ACCOUNT)

    assert LeaseHolder(session="alpha:12:x", host="alpha", pid=12) == holder
    assert "process 12 on alpha (session alpha:12:x)" == str(holder)
    second.release_lease(ACCOUNT)
    assert first.exchange(Exchange(account=ACCOUNT, renew_lease=True)).lease_held
    first.release_lease(ACCOUNT)
    assert 2 == second.acquire_lease(ACCOUNT)
    for control in (first, second):
        control.close()


def test_takeover(any_url: str) -> None:
    """Scenario takeover: after a lapse another takes it; the first renews no more."""
    first, second = connect(any_url, "alpha:12:x"), connect(any_url, "beta:13:y")
    first.acquire_lease(ACCOUNT)
    with redis.Redis.from_url(any_url, protocol=2) as client:
        client.delete(keys.lease(ACCOUNT))
    assert 2 == second.acquire_lease(ACCOUNT)

    renew = Exchange(account=ACCOUNT, renew_lease=True)
    assert first.exchange(renew).lease_held is False
    second.release_lease(ACCOUNT)
    assert first.exchange(renew).lease_held is False
    assert 3 == first.acquire_lease(ACCOUNT)
    assert first.exchange(renew).lease_held is True
    for control in (first, second):
        control.close()


def test_a_dead_predecessor_s_lease_is_taken_over(any_url: str) -> None:
    """Workers of one supervisor bear its mark; it starts one when the last has ended.

    The fencing number is a new one all the same, and others' leases are left alone.
    """
    dead, new = connect(any_url, "alpha:12:x"), connect(any_url, "alpha:13:x")
    other, away = connect(any_url, "alpha:14:y"), connect(any_url, "beta:15:x")
    plain = connect(any_url, "alpha")
    assert 1 == dead.acquire_lease(ACCOUNT)
    for control in (other, away, plain):
        assert isinstance(control.acquire_lease(ACCOUNT), LeaseHolder)

    assert 2 == new.acquire_lease(ACCOUNT)

    renew = Exchange(account=ACCOUNT, renew_lease=True)
    assert new.exchange(renew).lease_held is True
    assert dead.exchange(renew).lease_held is False
    for control in (dead, new, other, away, plain):
        control.close()


def test_a_lease_that_lapsed_and_nobody_took_goes_on(any_url: str) -> None:
    """After an outage or a flush the holder is still the holder."""
    control = connect(any_url)
    control.acquire_lease(ACCOUNT)
    renew = Exchange(account=ACCOUNT, renew_lease=True)
    with redis.Redis.from_url(any_url, protocol=2, decode_responses=True) as client:
        client.delete(keys.lease(ACCOUNT))
        assert control.exchange(renew).lease_held is True
        client.flushall()
        assert control.exchange(renew).lease_held is True
        assert "1" == client.get(keys.epoch(ACCOUNT))
        assert 80_000 < client.pttl(keys.lease(ACCOUNT)) <= 90_000
        assert client.ttl(keys.epoch(ACCOUNT)) > 86_400
    control.close()


def test_a_session_of_another_form_is_shown_as_it_is(any_url: str) -> None:
    """Another program's lease counts, whatever it writes into it."""
    control = connect(any_url)
    with redis.Redis.from_url(any_url, protocol=2) as client:
        client.set(keys.lease(ACCOUNT), "somebody", px=60_000)

    holder = control.acquire_lease(ACCOUNT)

    assert LeaseHolder(session="somebody") == holder
    assert "session somebody" == str(holder)
    control.close()


# -- wake-ups --------------------------------------------------------------------------
class listening:  # noqa: N801 - used as a statement
    """Listens in a thread of its own; gives the list of what came."""

    def __init__(self, control: RedisControl) -> None:
        self._stop = threading.Event()
        self.woken: list[WakeUp] = []
        self._thread = threading.Thread(
            target=control.listen, args=(ACCOUNT, self.woken.append, self._stop)
        )

    def __enter__(self) -> list[WakeUp]:
        self._thread.start()
        return self.woken

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10.0)
        assert not self._thread.is_alive()


def test_push_fast(any_url: str, eventually: Callable[..., Any]) -> None:
    """Scenario push-fast: a message on either channel is passed on."""
    control = connect(any_url)
    with (
        redis.Redis.from_url(any_url, protocol=2) as client,
        listening(control) as woken,
    ):
        eventually(lambda: len(woken) == 2)
        assert [WakeUp(), WakeUp()] == woken

        client.publish(keys.events(ACCOUNT), '{"type":"command","spread_ms":5}')
        client.publish(keys.EVENTS_ALL, b"\xff garbage")
        client.publish(keys.events("999"), "not ours")
        eventually(lambda: len(woken) == 4)

    assert [WakeUp(type=WakeUpType.COMMAND, spread_ms=5), WakeUp()] == woken[2:]
    control.close()


def test_push_half_open(
    faulty_redis: Any, client: Any, eventually: Callable[..., Any]
) -> None:
    """Scenario push-half-open: noticed by pings, subscribed anew, and looked again."""
    control = connect(faulty_redis.url)
    with listening(control) as woken:
        eventually(lambda: len(woken) == 2)
        faulty_redis.mode = "blackhole"
        before = faulty_redis.accepted
        client.publish(keys.events(ACCOUNT), "lost")
        eventually(lambda: faulty_redis.accepted > before)

        faulty_redis.mode = "pass"
        eventually(lambda: len(woken) >= 4)
        client.publish(keys.events(ACCOUNT), '{"type":"command"}')
        eventually(lambda: WakeUp(type=WakeUpType.COMMAND) in woken)
    control.close()


def test_push_lost(
    faulty_redis: Any, client: Any, eventually: Callable[..., Any]
) -> None:
    """Scenario push-lost: a cut subscription comes back and says *look*."""
    control = connect(faulty_redis.url)
    with listening(control) as woken:
        for cuts in range(1, 4):
            eventually(lambda n=cuts: len(woken) >= 2 * n)
            faulty_redis.cut()
        eventually(lambda: len(woken) >= 8)
    control.close()


def test_a_silent_channel_is_no_dead_one(redis_url: str, client: Any) -> None:
    """Pings that are answered keep a subscription on which nobody speaks."""
    control = connect(redis_url)
    with listening(control) as woken:
        time.sleep(0.9)
        assert 1 == client.pubsub_numsub(keys.events(ACCOUNT))[0][1]

    assert [WakeUp(), WakeUp()] == woken
    control.close()


def test_clean_close(faulty_redis: Any) -> None:
    """Scenario clean-close: a server that closes at once is not hammered."""
    faulty_redis.mode = "close"
    control = connect(faulty_redis.url)

    with listening(control) as woken:
        time.sleep(0.6)

    assert [] == woken
    assert 1 <= faulty_redis.accepted <= 20
    control.close()


def test_listening_ends_while_redis_hangs(faulty_redis: Any) -> None:
    """A stop does not wait for a server that never answers."""
    control = connect(faulty_redis.url)
    with listening(control):
        faulty_redis.mode = "blackhole"
        time.sleep(0.1)
    control.close()


def test_losing_the_subscription_is_said_once(
    faulty_redis: Any, eventually: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """One line when wake-ups are lost, one when they are back."""
    caplog.set_level(logging.INFO)
    control = connect(faulty_redis.url)
    with listening(control) as woken:
        eventually(lambda: len(woken) == 2)
        faulty_redis.mode = "close"
        faulty_redis.cut()
        time.sleep(0.6)
        faulty_redis.mode = "pass"
        eventually(lambda: len(woken) == 4)
    control.close()

    ours = [r.getMessage() for r in caplog.records if r.name == "mt5runner.redis"]
    assert 2 == len(ours)
    assert ours[0].startswith("no wake-ups, polling goes on")
    assert "wake-ups are back" == ours[1]
