"""The link as the loop sees it: real Redis, real HTTP, real threads, real faults."""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import redis

from runner.adapters.config_http import ConfigHttp, HttpTiming
from runner.adapters.redis_control import RedisControl, RedisTiming
from runner.adapters.state_sqlite import SqliteState
from runner.adapters.system_clock import SystemClock
from runner.core.config_flow import Regime, Timing
from runner.link import (
    CommandSeen,
    ConfigConfirmed,
    ConfigMissing,
    ConfigRefused,
    LeaseChanged,
    Link,
    LinkEvent,
    ServerSeen,
    StrategyConfigStaged,
    TradeConfigStaged,
)
from runner.link.timing import LinkTiming
from runner.ports import Exchange, Fetched, LeaseHolder, ServerView, UnavailableError
from runner.strategy import Parameters
from runner.wire import keys
from runner.wire.acks import CommandAck, CommandState, ConfigAck, ConfigState
from runner.wire.commands import Command, CommandAction, commands_body

ACCOUNT = "123456"
TRADE = "/api/bot/trade-config/123456/"
STRATEGY = "/api/bot/strategy-config/123456/1/"
COMMANDS = "/api/bot/commands/123456/"
BEAT = {"mt5_account_id": ACCOUNT, "bot_status": "ACTIVE"}
SAMPLES = Path(__file__).parents[1] / "data" / "wire"
TIMING = LinkTiming(
    config=Timing(
        poll=0.3, missing=3.0, retry=Regime(0.05, 0.4), slow=Regime(0.4, 3.0)
    ),
    redis=Regime(0.05, 0.2),
    renew=0.2,
    together=0.01,
    recent=0.2,
)


@attrs.frozen
class TrendParameters(Parameters):
    """The parameters that the seed prints."""

    threshold_points: int = 50
    stop_loss: int = attrs.field(default=100, validator=attrs.validators.gt(0))
    take_profit: int = 200
    lookback_period: int = 100


def find_parameters(name: str) -> type[Parameters] | None:
    """One strategy is installed."""
    return TrendParameters if name == "TrendFollowingBot" else None


def body(name: str, **changes: Any) -> dict[str, Any]:
    """One of the seed's bodies."""
    sample: dict[str, Any] = json.loads((SAMPLES / name).read_text("utf-8"))
    return sample | changes


class Loop:
    """A loop that applies what it is given, at a safe point of its own."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.events: list[LinkEvent] = []
        self.applied: list[tuple[str, int]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            self.link.wait(0.02)
            for event in self.link.take():
                self.events.append(event)
                match event:
                    case TradeConfigStaged(config=config):
                        self.applied.append(("trade", config.version))
                        self.link.applied("trade", config.version, [])
                        self.link.watch([1])
                    case StrategyConfigStaged(config=config):
                        self.applied.append(("strategy:1", config.version))
                        self.link.applied("strategy:1", config.version, [])
                    case _:
                        pass

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def close(self) -> None:
        self._stop.set()
        self._thread.join()


class House:
    """Everything that a link needs, and what must be closed again."""

    def __init__(self, folder: Path, api_url: str) -> None:
        self.folder = folder
        self.api_url = api_url
        self.key: str | None = "key"
        self._closing: list[Callable[[], None]] = []

    def link(
        self, redis_url: str | None, session: str = "here:12:x", **options: Any
    ) -> Link:
        """Make a link; a second one shares the first one's disk."""
        control = None
        if redis_url is not None:
            timing = RedisTiming(timeout=0.5, ping=0.2, retry=Regime(0.05, 0.2))
            control = RedisControl(
                redis_url, session=session, random=random.random, timing=timing
            )
        store = SqliteState(self.folder / f"{session.partition(':')[0]}.db")
        self._closing.append(store.close)
        server = ConfigHttp(
            self.api_url,
            api_key=lambda: self.key,
            timing=HttpTiming(connect=0.5, read=0.3, total=0.6),
        )
        parts = {
            "account": ACCOUNT,
            "control": control,
            "server": server,
            "clock": SystemClock(),
            "store": store,
            "find_parameters": find_parameters,
            "random": random.random,
            "timing": TIMING,
        }
        link = Link(**(parts | options))
        self._closing.append(lambda: link.stop(None))
        return link

    def loop(self, link: Link) -> Loop:
        """Start the link and a loop on it."""
        link.start()
        loop = Loop(link)
        self._closing.append(loop.close)
        return loop

    def close(self) -> None:
        while self._closing:
            self._closing.pop()()


@pytest.fixture
def house(tmp_path: Path, api: Any) -> Iterator[House]:
    """An API with the seed's two configs, and room for links."""
    api.answers[TRADE] = api.json(body("trade_config.json"))
    api.answers[STRATEGY] = api.json(body("strategy_config.json"))
    made = House(tmp_path, api.url)
    yield made
    made.close()


@pytest.fixture
def client(redis_url: str) -> Iterator[Any]:
    """The server's own eyes and hands in Redis, with the seed's keys in place."""
    with redis.Redis.from_url(redis_url, decode_responses=True) as made:
        made.hset(keys.trade_config(ACCOUNT), "version", 5)
        made.hset(keys.strategy_config(ACCOUNT, 1), "version", 3)
        made.hset(keys.server_heartbeat(ACCOUNT), "bot_status", "ACTIVE")
        yield made


def acknowledged(client: Any, scope: str) -> ConfigAck | None:
    """What the server sees of a config."""
    text = client.hget(keys.config_ack(ACCOUNT), scope)
    return None if text is None else ConfigAck.from_json(text)


def acknowledged_version(client: Any) -> int | None:
    """The version of the strategy config that the server sees acknowledged."""
    ack = acknowledged(client, "strategy:1")
    return None if ack is None else ack.version


def publish(api: Any, client: Any, version: int, **changes: Any) -> None:
    """Change the strategy config on the server: API first, then its key."""
    changed = body("strategy_config.json", version=version, **changes)
    api.answers[STRATEGY] = api.json(changed)
    client.hset(keys.strategy_config(ACCOUNT, 1), "version", version)


# -- the usual -------------------------------------------------------------------------
def test_boot_fresh(
    house: House, redis_url: str, client: Any, eventually: Callable[..., Any]
) -> None:
    """Scenario boot-fresh: both configs applied, acknowledged and kept."""
    loop = house.loop(house.link(redis_url))

    eventually(lambda: acknowledged(client, "strategy:1"))
    assert [("trade", 5), ("strategy:1", 3)] == loop.applied
    trade = acknowledged(client, "trade")
    assert trade is not None
    assert (5, ConfigState.APPLIED) == (trade.version, trade.state)
    assert isinstance(loop.events[0], ServerSeen)


def test_push_fast(
    house: House, redis_url: str, client: Any, api: Any, eventually: Callable[..., Any]
) -> None:
    """Scenario push-fast: a wake-up brings a change to trading and back at once."""
    slow = attrs.evolve(TIMING, config=Timing(poll=600.0))
    loop = house.loop(house.link(redis_url, timing=slow))
    eventually(lambda: acknowledged(client, "strategy:1"))
    eventually(lambda: client.pubsub_numsub(keys.events(ACCOUNT))[0][1] == 1)

    publish(api, client, 4)
    client.publish(keys.events(ACCOUNT), '{"type":"strategy_config","version":4}')

    eventually(lambda: acknowledged_version(client) == 4, within=2.0)
    assert ("strategy:1", 4) == loop.applied[-1]


def test_push_only_dead(
    house: House, redis_url: str, client: Any, api: Any, eventually: Callable[..., Any]
) -> None:
    """Scenario push-only-dead: without any wake-up the poll brings it."""
    loop = house.loop(house.link(redis_url))
    eventually(lambda: acknowledged(client, "strategy:1"))

    publish(api, client, 4)

    eventually(lambda: ("strategy:1", 4) in loop.applied)


def test_a_server_that_speaks_only_the_seed(
    house: House, redis_url: str, client: Any, api: Any, eventually: Callable[..., Any]
) -> None:
    """No version keys at the start, no extensions ever: fetched, polled, applied."""
    client.flushall()
    loop = house.loop(house.link(redis_url))
    eventually(lambda: ("strategy:1", 3) in loop.applied)

    client.hset(keys.server_heartbeat(ACCOUNT), "bot_status", "ACTIVE")
    publish(api, client, 4)

    eventually(lambda: ("strategy:1", 4) in loop.applied)


def test_a_beat_is_written_at_once(
    house: House, redis_url: str, client: Any, eventually: Callable[..., Any]
) -> None:
    """A heartbeat does not wait for the next poll."""
    slow = attrs.evolve(TIMING, config=Timing(poll=600.0))
    link = house.link(redis_url, timing=slow)
    house.loop(link)

    link.beat(BEAT)

    eventually(lambda: client.hgetall(keys.bot_heartbeat(ACCOUNT)) == BEAT)
    assert 55 < client.ttl(keys.bot_heartbeat(ACCOUNT)) <= 60


def test_single_flight(
    house: House, redis_url: str, client: Any, api: Any, eventually: Callable[..., Any]
) -> None:
    """Scenario single-flight: twenty wake-ups during a slow GET make two GETs."""
    loop = house.loop(house.link(redis_url))
    eventually(lambda: ("strategy:1", 3) in loop.applied)
    before, gate = api.count(STRATEGY), threading.Event()
    quick = api.json(body("strategy_config.json", version=23))

    def slow(request: Any) -> None:
        gate.wait(10.0)
        quick(request)

    api.answers[STRATEGY] = slow
    for version in range(4, 24):
        client.hset(keys.strategy_config(ACCOUNT, 1), "version", version)
        client.publish(keys.events(ACCOUNT), "{}")
        time.sleep(0.005)
    gate.set()

    eventually(lambda: ("strategy:1", 23) in loop.applied)
    assert api.count(STRATEGY) - before <= 2


# -- refusals --------------------------------------------------------------------------
def test_atomic_symbols(
    house: House, redis_url: str, client: Any, api: Any, eventually: Callable[..., Any]
) -> None:
    """Scenario atomic-symbols: one bad value, nothing changes, its path is told."""
    loop = house.loop(house.link(redis_url))
    eventually(lambda: acknowledged(client, "strategy:1"))
    bad = body("strategy_config.json")["parameters_by_symbol"]
    bad["XAUUSD"] = bad["XAUUSD"] | {"stop_loss": -5}

    publish(api, client, 4, parameters_by_symbol=bad)

    eventually(lambda: acknowledged_version(client) == 4)
    ack = acknowledged(client, "strategy:1")
    assert ack is not None
    error = "$.parameters_by_symbol.XAUUSD.stop_loss: must be > 0, got -5"
    assert (ConfigState.REFUSED, (error,)) == (ack.state, ack.errors)
    assert [ConfigRefused(scope="strategy:1", version=4, errors=(error,))] == (
        loop.of(ConfigRefused)
    )
    before = api.count(STRATEGY)
    time.sleep(0.5)
    assert before == api.count(STRATEGY)
    assert ("strategy:1", 3) == loop.applied[-1]
    publish(api, client, 5)
    eventually(lambda: ("strategy:1", 5) in loop.applied)


# -- outages ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    "fault", ["truncated", "html", "drip", "500", "429", "redirect", "huge", "silent"]
)
def test_fetch_after_failed_hint(
    house: House,
    redis_url: str,
    client: Any,
    api: Any,
    eventually: Callable[..., Any],
    fault: str,
) -> None:
    """Scenario fetch-after-failed-hint: whatever went wrong, the version comes."""
    loop = house.loop(house.link(redis_url))
    eventually(lambda: ("strategy:1", 3) in loop.applied)
    good = body("strategy_config.json", version=4)
    before = api.count(STRATEGY)
    api.answers[STRATEGY] = {
        "truncated": api.truncated(good),
        "html": api.raw(b"<html>Sorry</html>"),
        "drip": api.dripping(headers=False),
        "500": api.json({}, 500),
        "429": api.json({}, 429, Retry_After="1"),
        "redirect": api.raw(b"", 302, Location="http://example.invalid/"),
        "huge": api.raw(b'"' + b"x" * 2_000_000 + b'"'),
        "silent": api.silent(),
    }[fault]
    client.hset(keys.strategy_config(ACCOUNT, 1), "version", 4)
    eventually(lambda: api.count(STRATEGY) > before)
    assert ("strategy:1", 3) == loop.applied[-1]

    api.answers[STRATEGY] = api.json(good)

    eventually(lambda: ("strategy:1", 4) in loop.applied)
    assert [] == loop.of(ConfigRefused)


def test_unauthorized(
    house: House, redis_url: str, client: Any, api: Any, eventually: Callable[..., Any]
) -> None:
    """Scenario unauthorized: a replaced key file is seen, the heartbeat goes on."""
    timing = attrs.evolve(
        TIMING, config=attrs.evolve(TIMING.config, slow=Regime(600.0, 600.0))
    )
    link = house.link(redis_url, timing=timing)
    loop = house.loop(link)
    eventually(lambda: ("strategy:1", 3) in loop.applied)
    good = api.json(body("strategy_config.json", version=4))

    def guarded(request: Any) -> None:
        is_new = request.headers["Authorization"] == "Api-Key new"
        (good if is_new else api.json({"detail": "wrong key"}, 403))(request)

    api.answers[STRATEGY] = guarded
    client.hset(keys.strategy_config(ACCOUNT, 1), "version", 4)
    eventually(lambda: loop.of(ConfigMissing))
    link.beat(BEAT)
    eventually(lambda: client.hgetall(keys.bot_heartbeat(ACCOUNT)) == BEAT)

    house.key = "new"

    eventually(lambda: ("strategy:1", 4) in loop.applied)


def test_a_hanging_api_does_not_delay_a_stop(
    house: House, redis_url: str, client: Any, api: Any, eventually: Callable[..., Any]
) -> None:
    """Scenario estop-online: commands and heartbeats do not wait for the API."""
    link = house.link(redis_url)
    loop = house.loop(link)
    eventually(lambda: ("strategy:1", 3) in loop.applied)
    before = api.count(STRATEGY)
    api.answers[STRATEGY] = api.dripping(headers=True)
    client.hset(keys.strategy_config(ACCOUNT, 1), "version", 4)
    eventually(lambda: api.count(STRATEGY) > before)

    stop = Command(action=CommandAction.EMERGENCY_STOP, seq=1)
    client.hset(keys.command(ACCOUNT), mapping=stop.to_hash())
    client.publish(keys.events(ACCOUNT), '{"type":"command"}')

    eventually(lambda: loop.of(CommandSeen), within=1.0)
    done = CommandAck(
        seq=1, state=CommandState.DONE, at=SystemClock().now(), open_positions=0
    )
    link.acknowledge_command(done)
    eventually(
        lambda: (
            (text := client.hget(keys.command_ack(ACCOUNT), "1"))
            and CommandAck.from_json(text).state is CommandState.DONE
        )
    )


def test_redis_goes_and_comes_back(
    house: House,
    faulty_redis: Any,
    client: Any,
    api: Any,
    eventually: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Without Redis the API brings configs and commands; then all is caught up."""
    caplog.set_level(logging.INFO)
    link = house.link(faulty_redis.url)
    loop = house.loop(link)
    eventually(lambda: ("strategy:1", 3) in loop.applied)
    faulty_redis.mode = "close"
    faulty_redis.cut()
    stop = Command(action=CommandAction.PAUSE, seq=1)
    api.answers[COMMANDS] = api.json(commands_body(None, stop))
    api.answers[STRATEGY] = api.json(body("strategy_config.json", version=4))

    eventually(lambda: ("strategy:1", 4) in loop.applied)
    eventually(lambda: loop.of(CommandSeen))
    assert link.refresh(5.0) is False
    link.beat(BEAT | {"n": "old"})
    link.beat(BEAT | {"n": "new"})
    faulty_redis.mode = "pass"

    eventually(lambda: client.hget(keys.bot_heartbeat(ACCOUNT), "n") == "new")
    eventually(lambda: acknowledged_version(client) == 4)
    said = [record.getMessage() for record in caplog.records]
    assert 1 == sum("Redis is away" in line for line in said)
    assert 1 == sum("Redis is back" in line for line in said)


def test_flush(
    house: House, redis_url: str, client: Any, api: Any, eventually: Callable[..., Any]
) -> None:
    """Scenario flush: nothing is reset, nothing stormed; the next publish counts."""
    loop = house.loop(house.link(redis_url))
    eventually(lambda: ("strategy:1", 3) in loop.applied)
    before, applied = len(api.requests), list(loop.applied)

    client.flushall()
    time.sleep(0.5)
    assert applied == loop.applied
    assert len(api.requests) - before <= 2

    publish(api, client, 4)
    eventually(lambda: ("strategy:1", 4) in loop.applied)


def test_boot_lkg_offline(
    house: House, redis_url: str, client: Any, api: Any, eventually: Callable[..., Any]
) -> None:
    """Scenario boot-lkg-offline: with everything down, what ran before runs again."""
    first = house.link(redis_url)
    loop = house.loop(first)
    eventually(lambda: ("strategy:1", 3) in loop.applied)
    eventually(lambda: acknowledged(client, "strategy:1"))
    stop = Command(action=CommandAction.PAUSE, seq=9)
    client.hset(keys.COMMAND_ALL, mapping=stop.to_hash())
    eventually(lambda: loop.of(CommandSeen))
    house.close()
    api.answers = {path: api.json({}, 503) for path in (TRADE, STRATEGY, COMMANDS)}

    again = house.loop(house.link("redis://127.0.0.1:1/0"))

    eventually(lambda: ("strategy:1", 3) in again.applied)
    assert [ServerSeen, CommandSeen, TradeConfigStaged, StrategyConfigStaged] == [
        type(event) for event in again.events
    ]
    assert {"last_good"} == {
        event.origin
        for event in again.of(TradeConfigStaged) + again.of(StrategyConfigStaged)
    }
    api.answers[TRADE] = api.json(body("trade_config.json"))
    eventually(lambda: again.of(ConfigConfirmed))


def test_boot_nothing(
    house: House, free_port: int, api: Any, eventually: Callable[..., Any]
) -> None:
    """Scenario boot-nothing: waits without a hot loop, and starts when it can."""
    api.answers[TRADE] = api.json({}, 503)
    loop = house.loop(house.link(f"redis://127.0.0.1:{free_port}/0"))
    eventually(lambda: api.count(TRADE) >= 3)
    time.sleep(0.3)
    assert [] == loop.applied
    assert api.count(TRADE) <= 12

    api.answers[TRADE] = api.json(body("trade_config.json"))

    eventually(lambda: ("strategy:1", 3) in loop.applied)


def test_without_redis(house: House, api: Any, eventually: Callable[..., Any]) -> None:
    """No Redis is named: everything comes from the API."""
    link = house.link(None)
    assert link.acquire_lease() is None
    loop = house.loop(link)
    eventually(lambda: ("strategy:1", 3) in loop.applied)

    api.answers[STRATEGY] = api.json(body("strategy_config.json", version=4))

    eventually(lambda: ("strategy:1", 4) in loop.applied)
    assert link.refresh(5.0) is False


# -- before trading --------------------------------------------------------------------
def test_refresh_brings_a_change_before_it_returns(
    house: House, redis_url: str, client: Any, api: Any, eventually: Callable[..., Any]
) -> None:
    """Seed, Trade Config Update Check: before trading, what is announced is here."""
    slow = attrs.evolve(TIMING, config=Timing(poll=600.0))
    link = house.link(redis_url, timing=slow)
    loop = house.loop(link)
    eventually(lambda: acknowledged(client, "strategy:1"))
    loop.close()
    time.sleep(0.25)
    link.take()
    publish(api, client, 4)

    assert link.refresh(5.0)

    staged = [one for one in link.take() if isinstance(one, StrategyConfigStaged)]
    assert [4] == [one.config.version for one in staged]


def test_refresh_waits_no_longer_than_told(
    house: House, redis_url: str, client: Any, api: Any, eventually: Callable[..., Any]
) -> None:
    """A slow API does not hold a bar up for longer than the loop allows."""
    link = house.link(redis_url)
    loop = house.loop(link)
    eventually(lambda: ("strategy:1", 3) in loop.applied)
    api.answers[STRATEGY] = api.silent()
    client.hset(keys.strategy_config(ACCOUNT, 1), "version", 4)
    time.sleep(0.25)

    began = time.monotonic()
    assert link.refresh(0.1) is False
    assert time.monotonic() - began < 0.45


def test_refresh_does_not_wait_for_a_server_that_does_not_answer(
    house: House, redis_url: str, client: Any, api: Any, eventually: Callable[..., Any]
) -> None:
    """An API that hangs holds up the first bar and no other."""
    calm = attrs.evolve(TIMING, config=attrs.evolve(TIMING.config, poll=600.0))
    link = house.link(redis_url, timing=calm)
    loop = house.loop(link)
    eventually(lambda: ("strategy:1", 3) in loop.applied)
    api.answers[STRATEGY] = api.silent()
    client.hset(keys.strategy_config(ACCOUNT, 1), "version", 4)
    before = api.count(STRATEGY)
    time.sleep(0.25)
    assert link.refresh(5.0) is False
    eventually(lambda: api.count(STRATEGY) >= before + 2)

    began = time.monotonic()
    assert link.refresh(5.0) is False
    assert time.monotonic() - began < 0.4


def test_refresh_of_what_was_just_seen_costs_nothing(
    house: House, redis_url: str, client: Any, eventually: Callable[..., Any]
) -> None:
    """A hundred bars in a second ask Redis a few times, not a hundred."""
    calm = attrs.evolve(TIMING, config=Timing(poll=600.0), recent=60.0)
    link = house.link(redis_url, timing=calm)
    house.loop(link)
    eventually(lambda: acknowledged(client, "strategy:1"))
    eventually(lambda: link.refresh(1.0))
    before = client.info("stats")["total_commands_processed"]

    assert all(link.refresh(1.0) for _ in range(1000))

    assert client.info("stats")["total_commands_processed"] - before < 50


# -- the lease -------------------------------------------------------------------------
def test_two_runners(house: House, redis_url: str, client: Any) -> None:
    """Scenario two-runners: the second learns who has the account."""
    first, second = house.link(redis_url), house.link(redis_url, "there:13:y")

    assert 1 == first.acquire_lease()
    holder = second.acquire_lease()

    assert isinstance(holder, LeaseHolder)
    assert ("here", 12) == (holder.host, holder.pid)


def test_a_lease_is_given_back_by_a_stop(
    house: House, redis_url: str, client: Any
) -> None:
    """Also by a runner that never came to start its loop."""
    link = house.link(redis_url)
    link.acquire_lease()

    link.stop(None)

    assert client.get(keys.lease(ACCOUNT)) is None


def test_a_clean_stop(
    house: House, redis_url: str, client: Any, eventually: Callable[..., Any]
) -> None:
    """Scenario down: the last heartbeat says DOWN, the lease is free, threads end."""
    link = house.link(redis_url)
    link.acquire_lease()
    loop = house.loop(link)
    eventually(lambda: ("strategy:1", 3) in loop.applied)
    loop.close()

    link.stop(BEAT | {"bot_status": "DOWN"})

    assert "DOWN" == client.hget(keys.bot_heartbeat(ACCOUNT), "bot_status")
    assert client.get(keys.lease(ACCOUNT)) is None
    assert [] == [
        thread.name
        for thread in threading.enumerate()
        if thread.name.startswith("mt5runner-link")
    ]


def test_a_stop_ends_in_time_whatever_hangs(
    house: House, faulty_redis: Any, api: Any, eventually: Callable[..., Any]
) -> None:
    """A stop takes five seconds at most."""
    link = house.link(faulty_redis.url)
    loop = house.loop(link)
    eventually(lambda: ("strategy:1", 3) in loop.applied)
    loop.close()
    faulty_redis.mode = "blackhole"

    began = time.monotonic()
    link.stop(BEAT)

    assert time.monotonic() - began < 6.0


def test_self_fence(
    house: House, faulty_redis: Any, client: Any, eventually: Callable[..., Any]
) -> None:
    """Scenario self-fence: cut from Redis for too long, the lease counts as lost."""
    link = house.link(faulty_redis.url)
    link._lease._give_up = 0.6
    link.acquire_lease()
    loop = house.loop(link)
    eventually(lambda: ("strategy:1", 3) in loop.applied)
    assert [] == loop.of(LeaseChanged)

    faulty_redis.mode = "blackhole"
    eventually(lambda: loop.of(LeaseChanged))
    assert [LeaseChanged(held=False)] == loop.of(LeaseChanged)

    faulty_redis.mode = "pass"
    faulty_redis.cut()
    eventually(lambda: len(loop.of(LeaseChanged)) > 1)
    assert LeaseChanged(held=True, epoch=1) == loop.of(LeaseChanged)[-1]


def test_a_lease_that_could_not_be_asked_for(
    house: House, faulty_redis: Any, client: Any, eventually: Callable[..., Any]
) -> None:
    """Redis was away at the start: the lease is taken as soon as it can be."""
    faulty_redis.mode = "close"
    link = house.link(faulty_redis.url)
    with pytest.raises(UnavailableError):
        link.acquire_lease()
    loop = house.loop(link)

    faulty_redis.mode = "pass"

    eventually(lambda: LeaseChanged(held=True, epoch=1) in loop.events)
    assert "here:12:x" == client.get(keys.lease(ACCOUNT))


# -- our own bugs ----------------------------------------------------------------------
class Stumbling:
    """A control plane with a bug in every third call."""

    def __init__(self) -> None:
        self.calls = 0

    def exchange(self, exchange: Exchange) -> ServerView:
        self.calls += 1
        if self.calls % 3 == 1:
            raise RuntimeError("a bug of ours")
        return ServerView(server_heartbeat={"bot_status": "ACTIVE"}, trade_version=5)

    def acquire_lease(self, account: str) -> None:
        return None

    def release_lease(self, account: str) -> None:
        """Nothing to give back."""

    def listen(self, account: str, on_wake_up: Any, stop: threading.Event) -> None:
        if self.calls < 5:
            raise RuntimeError("another bug of ours")
        stop.wait()

    def close(self) -> None:
        """Nothing to close."""


def test_a_bug_of_ours_ends_nothing(
    house: House,
    eventually: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever the thread stumbles over is logged, and it goes on."""
    control = Stumbling()
    link = house.link(None, control=control)
    loop = house.loop(link)

    eventually(lambda: control.calls >= 5)
    eventually(lambda: ("trade", 5) in loop.applied)

    assert "the link stumbled and goes on" in caplog.text
    assert link.refresh(0.0) in (True, False)


class Broken:
    """A server client that raises, against its contract."""

    def trade_config(self, account: str) -> Fetched:
        raise RuntimeError("a bug of ours")

    strategy_config = command = trade_config

    def key_changed(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing to close."""


def test_a_bug_in_asking_is_a_fault(
    house: House, eventually: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """The asking thread survives as well, and what failed is asked again."""
    house.loop(house.link(None, server=Broken()))

    eventually(lambda: caplog.text.count("asking the server failed") >= 3)


def test_take_of_nothing_is_nothing(house: House) -> None:
    """Before the start and in every quiet cycle there is nothing to take."""
    link = house.link(None)

    assert [] == link.take()
    link.wait(0.01)
