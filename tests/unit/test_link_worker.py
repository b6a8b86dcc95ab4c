"""What the link does about every outage and every surprise, by a clock of our own."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from runner.adapters.state_sqlite import SqliteState
from runner.link.events import (
    CommandSeen,
    ConfigConfirmed,
    ConfigMissing,
    ConfigRefused,
    LeaseChanged,
    LinkEvent,
    ServerSeen,
    StrategyConfigStaged,
    TradeConfigStaged,
)
from runner.link.kinds import Ask
from runner.link.lease import Lease
from runner.link.memory import Memory
from runner.link.timing import LinkTiming
from runner.link.worker import Worker
from runner.ports import Exchange, Fetched, LeaseHolder, ServerView, UnavailableError
from runner.strategy import Parameters
from runner.wire.acks import CommandAck, CommandState, ConfigAck, ConfigState
from runner.wire.commands import Command, CommandAction, commands_body
from runner.wire.events import WakeUp

ACCOUNT = "123456"
START = datetime(2026, 1, 5, 12, tzinfo=UTC)
OTHER = LeaseHolder(session="other:7:x", host="other", pid=7)


@attrs.frozen
class Settings(Parameters):
    """Parameters of the one strategy."""

    stop_loss: int = attrs.field(default=100, validator=attrs.validators.gt(0))


def trade_body(version: int, **fields: Any) -> dict[str, Any]:
    """A trade config."""
    return {
        "status": "success",
        "version": version,
        "bot_status": "ACTIVE",
        "account_status": "ACTIVE",
        "subscription_status": "ACTIVE",
        "dd_blocked": False,
        "risk_config": {
            "dd_protection_enabled": True,
            "daily_dd_limit_percent": 5,
            "max_account_dd_percent": 10,
        },
        "trade_config": {
            "enabled_symbols": ["XAUUSD"],
            "lot_size": 0.01 * version,
            "auto_pause_on_news": False,
            "dynamic_position_sizing_enabled": False,
        },
        "active_bot_id": 1,
        **fields,
    }


def strategy_body(version: int, stop_loss: Any = 100) -> dict[str, Any]:
    """The config of strategy 1."""
    return {
        "status": "success",
        "version": version,
        "bot_strategy_id": 1,
        "bot_strategy_class": "Trend",
        "bot_status": "ACTIVE",
        "allowed_symbols": ["XAUUSD"],
        "parameters_by_symbol": {"XAUUSD": {"stop_loss": stop_loss}},
    }


@attrs.define(slots=False)
class World:
    """Redis, the API, the clock and the loop around a worker."""

    folder: Path
    has_redis: bool = True
    seconds: float = 0.0
    draw: float = 0.5
    is_redis_up: bool = True
    redis: ServerView = attrs.field(factory=ServerView)
    lease_answer: LeaseHolder | int | None = 1
    is_lease_held: bool | None = True
    api: dict[str, Fetched] = attrs.field(factory=dict)
    sent: list[Exchange] = attrs.field(factory=list)
    asked: list[str] = attrs.field(factory=list)
    pending: list[tuple[Ask, Callable[[Fetched], None]]] = attrs.field(factory=list)
    events: list[LinkEvent] = attrs.field(factory=list)
    released: int = 0
    lease: Lease = attrs.field(factory=Lease)
    worker: Worker = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.store = SqliteState(self.folder / "state.db")
        self.worker = Worker(
            account=ACCOUNT,
            control=self if self.has_redis else None,
            clock=self,
            memory=Memory(self.store),
            find_parameters=lambda name: Settings if name == "Trend" else None,
            lease=self.lease,
            emit=self.events.append,
            fetch=lambda ask, answer: self.pending.append((ask, answer)),
            random=lambda: self.draw,
            timing=LinkTiming(),
        )

    # -- the clock ---------------------------------------------------------------------
    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def wait(self, seconds: float) -> None:
        raise AssertionError("the worker never waits")

    # -- Redis -------------------------------------------------------------------------
    def exchange(self, exchange: Exchange) -> ServerView:
        if not self.is_redis_up:
            raise UnavailableError("connection refused")
        self.sent.append(exchange)
        versions = {
            one: self.redis.strategy_versions.get(one) for one in exchange.strategy_ids
        }
        return attrs.evolve(
            self.redis,
            strategy_versions=versions,
            lease_held=self.is_lease_held if exchange.renew_lease else None,
        )

    def acquire_lease(self, account: str) -> LeaseHolder | int | None:
        if not self.is_redis_up:
            raise UnavailableError("connection refused")
        return self.lease_answer

    def release_lease(self, account: str) -> None:
        self.released += 1

    def listen(self, *_: Any) -> None:
        raise AssertionError("the worker does not listen")

    def close(self) -> None:
        self.store.close()

    # -- the API -----------------------------------------------------------------------
    def trade_config(self, account: str) -> Fetched:
        return self._get("trade")

    def strategy_config(self, account: str, strategy_id: int) -> Fetched:
        return self._get(f"strategy:{strategy_id}")

    def command(self, account: str) -> Fetched:
        return self._get("command")

    def key_changed(self) -> bool:
        return False

    def _get(self, name: str) -> Fetched:
        self.asked.append(name)
        return self.api.get(name, Fetched(status=404, detail="unknown"))

    # -- what a test does --------------------------------------------------------------
    def begin(self) -> None:
        self.worker.recall()
        self.worker.begin()
        self.settle()

    def settle(self, *, answer: bool = True) -> None:
        """Let everything happen that is due now."""
        for _ in range(20):
            pause = self.worker.turn()
            if self.pending and answer:
                ask, reply = self.pending.pop(0)
                reply(ask(self))
            elif pause > 0:
                return
        raise AssertionError("the worker is busy for ever")

    def pass_time(self, seconds: float) -> None:
        """Let *seconds* pass, stopping wherever something is due."""
        until = self.seconds + seconds
        for _ in range(2000):
            pause = self.worker.turn()
            if self.pending or self.seconds + pause > until:
                if not self.pending:
                    break
            else:
                self.seconds += pause
            self.settle()
        self.seconds = until
        self.settle()

    def take(self, *kinds: type) -> list[Any]:
        taken = [event for event in self.events if isinstance(event, kinds or object)]
        self.events.clear()
        return taken

    def publish(self, trade: int | None, strategy: int | None = None) -> None:
        """Announce versions, together with a live server heartbeat."""
        self.redis = attrs.evolve(
            self.redis,
            server_heartbeat={"bot_status": "ACTIVE", "dd_blocked": "False"},
            trade_version=trade,
            strategy_versions={1: strategy},
        )

    def serve(self, trade: int, strategy: int | None = None) -> None:
        """Let the API have these versions."""
        self.api["trade"] = Fetched(status=200, body=trade_body(trade))
        if strategy is not None:
            body = strategy_body(strategy, 100 + strategy)
            self.api["strategy:1"] = Fetched(status=200, body=body)

    def trade(self, version: int) -> None:
        """Start, and bring a trade config to trading."""
        self.publish(version)
        self.serve(version)
        self.begin()
        self.worker.applied("trade", version)
        self.settle()
        self.pass_time(1.0)
        self.take()
        self.sent.clear()
        self.asked.clear()

    def trade_both(self, trade: int, strategy: int) -> None:
        """Start, and bring a trade and a strategy config to trading."""
        self.publish(trade, strategy)
        self.serve(trade, strategy)
        self.begin()
        self.worker.applied("trade", trade)
        self.worker.watch([1])
        self.settle()
        self.worker.applied("strategy:1", strategy)
        self.pass_time(1.0)
        self.take()
        self.sent.clear()
        self.asked.clear()

    def ack(self, scope: str) -> ConfigAck:
        return ConfigAck.from_json(self.sent[-1].config_acks[scope])


@pytest.fixture
def make(tmp_path: Path) -> Any:
    """Makes a world; every store is closed afterwards."""
    worlds: list[World] = []

    def make_world(**options: Any) -> World:
        worlds.append(World(folder=tmp_path, **options))
        return worlds[-1]

    yield make_world
    for world in worlds:
        world.close()


@pytest.fixture
def world(make: Any) -> World:
    """A world with Redis and the API in order."""
    made: World = make()
    return made


def logged(caplog: pytest.LogCaptureFixture, words: str) -> int:
    """How many log lines have *words*."""
    return sum(words in record.getMessage() for record in caplog.records)


# -- the usual -------------------------------------------------------------------------
def test_boot_fresh(world: World) -> None:
    """Scenario boot-fresh: one GET, staged, acknowledged when applied."""
    world.publish(1)
    world.serve(1)

    world.begin()

    seen, staged = world.take()
    assert isinstance(seen, ServerSeen)
    assert isinstance(staged, TradeConfigStaged)
    assert (1, "server", None) == (
        staged.config.version,
        staged.origin,
        staged.saved_at,
    )
    assert ["trade"] == world.asked
    world.worker.applied("trade", 1)
    world.pass_time(0.1)
    assert (1, ConfigState.APPLIED) == (
        world.ack("trade").version,
        world.ack("trade").state,
    )


def test_versions_are_looked_at_with_each_beat(world: World) -> None:
    """Scenario version-higher: the next heartbeat's round trip brings it."""
    world.trade(5)
    world.publish(6)
    world.serve(6)

    world.worker.beat({"bot_status": "ACTIVE"})
    world.settle()

    assert {"bot_status": "ACTIVE"} == world.sent[0].heartbeat
    (staged,) = world.take(TradeConfigStaged)
    assert 6 == staged.config.version


def test_without_beats_versions_are_polled_with_jitter(world: World) -> None:
    """Seed, Trade Config Update Check: every 60 seconds, spread by a tenth."""
    world.trade(5)
    for draw, seconds in ((0.0, 54.0), (0.5, 60.0), (0.999, 66.0)):
        world.draw = draw
        world.worker.look()
        world.settle()
        before = len(world.sent)
        world.pass_time(seconds - 0.5)
        assert before == len(world.sent)
        world.pass_time(1.0)
        assert before + 1 == len(world.sent)


def test_a_watched_strategy_is_fetched_at_once(world: World) -> None:
    """The active strategy's config follows the trade config that names it."""
    world.publish(1, 3)
    world.serve(1, 3)
    world.begin()
    world.take()

    world.worker.watch([1])
    world.settle()

    (staged,) = world.take(StrategyConfigStaged)
    assert (1, 3, Settings(103)) == (
        staged.strategy_id,
        staged.config.version,
        staged.config.parameters_by_symbol["XAUUSD"],
    )
    assert (1,) == world.sent[-1].strategy_ids


def test_a_strategy_that_is_not_watched_is_forgotten(world: World) -> None:
    """Its version is not asked for, its acknowledgement not repeated."""
    world.trade_both(1, 3)
    world.worker.watch([])
    world.worker.look()
    world.settle()

    assert () == world.sent[-1].strategy_ids
    assert {"trade"} == set(world.sent[-1].config_acks)


def test_an_answer_for_a_forgotten_strategy_is_dropped(world: World) -> None:
    """A fetch may outlive the wish for it."""
    world.publish(1, 3)
    world.serve(1, 3)
    world.begin()
    world.worker.watch([1])
    world.settle(answer=False)
    world.worker.watch([])
    world.take()

    world.settle()

    assert [] == world.take(StrategyConfigStaged)


def test_ack_repeats(world: World) -> None:
    """Scenario ack-repeats: an acknowledgement is in every round trip."""
    world.trade(5)
    world.is_redis_up = False
    world.publish(6)
    world.serve(6)
    world.worker.beat({"n": "1"})
    world.settle()
    world.is_redis_up = True
    world.pass_time(60.0)

    world.worker.applied("trade", 6)
    for _ in range(3):
        world.worker.beat({"n": "2"})
        world.settle()
        assert 6 == world.ack("trade").version


def test_what_waits_for_flat_is_acknowledged_as_staged(world: World) -> None:
    """The server sees that a version has come and is not trading yet."""
    world.trade(5)
    world.publish(6)
    world.serve(6)
    world.worker.look()
    world.settle()

    world.worker.waits("trade", 6)
    world.pass_time(0.1)

    assert (6, ConfigState.STAGED) == (
        world.ack("trade").version,
        world.ack("trade").state,
    )


def test_only_the_newest_heartbeat_is_sent_once(world: World) -> None:
    """A heartbeat is written with fresh content or not at all."""
    world.trade(5)
    world.worker.beat({"n": "1"})
    world.worker.beat({"n": "2"})
    world.settle()
    world.worker.look()
    world.settle()

    assert [{"n": "2"}, None] == [one.heartbeat for one in world.sent]


# -- refusals --------------------------------------------------------------------------
def test_a_bad_body_is_refused_and_the_last_one_goes_on(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Scenario nack-no-loop: told once with its path, not fetched again."""
    world.trade_both(1, 3)
    world.publish(1, 4)
    body = strategy_body(4, -5)
    world.api["strategy:1"] = Fetched(status=200, body=body)

    for _ in range(20):
        world.worker.beat({})
        world.pass_time(30.0)

    error = "$.parameters_by_symbol.XAUUSD.stop_loss: must be > 0, got -5"
    assert [ConfigRefused(scope="strategy:1", version=4, errors=(error,))] == (
        world.take(ConfigRefused)
    )
    assert ["strategy:1"] == world.asked
    assert (4, ConfigState.REFUSED, (error,)) == (
        world.ack("strategy:1").version,
        world.ack("strategy:1").state,
        world.ack("strategy:1").errors,
    )
    assert 1 == logged(caplog, error)


def test_version_reused(world: World) -> None:
    """Scenario version-reused: our version with other content is refused, loudly."""
    world.trade(5)
    world.publish(4)
    body = trade_body(5, bot_status="PAUSED")
    world.api["trade"] = Fetched(status=200, body=body)

    world.worker.look()
    world.settle()

    (refused,) = world.take(ConfigRefused)
    assert ("$.version: VERSION_REUSED: 5 came with other content",) == refused.errors
    world.pass_time(0.1)
    assert ConfigState.REFUSED is world.ack("trade").state


def test_a_server_that_contradicts_us_does_not_confirm_us(world: World) -> None:
    """A key with our version is no agreement after another body of that version."""
    world.trade(5)
    world.is_redis_up = False
    world.api["trade"] = Fetched(status=200, body=trade_body(5, bot_status="PAUSED"))
    world.worker.look()
    world.pass_time(70.0)
    assert 1 == len(world.take(ConfigRefused))

    world.is_redis_up = True
    world.pass_time(70.0)

    assert [] == world.take(ConfigConfirmed)


def test_a_refusal_is_over_when_the_server_takes_it_back(world: World) -> None:
    """The acknowledgement says again what trades."""
    world.trade_both(1, 3)
    world.publish(1, 4)
    world.api["strategy:1"] = Fetched(status=200, body=strategy_body(4, -5))
    world.worker.look()
    world.pass_time(1.0)
    assert ConfigState.REFUSED is world.ack("strategy:1").state

    world.publish(1, 3)
    world.worker.look()
    world.pass_time(1.0)

    assert (3, ConfigState.APPLIED) == (
        world.ack("strategy:1").version,
        world.ack("strategy:1").state,
    )


def test_a_strategy_that_is_watched_again_is_confirmed_by_304(world: World) -> None:
    """A tag that outlived our interest brings the body that it stands for."""
    world.trade_both(1, 3)
    world.worker.watch([])
    body = strategy_body(3, 103)
    world.api["strategy:1"] = Fetched(status=304, body=body)
    world.worker.watch([1])
    world.settle()

    (staged,) = world.take(StrategyConfigStaged)
    assert 3 == staged.config.version


def test_a_304_without_a_body_is_a_fault(world: World) -> None:
    """A server that confirms what we never had says nothing."""
    world.publish(1)
    world.api["trade"] = Fetched(status=304)
    world.begin()
    assert [] == world.take(TradeConfigStaged, ConfigConfirmed)

    world.serve(1)
    world.pass_time(2.0)
    assert 1 == len(world.take(TradeConfigStaged))


def test_the_loop_may_refuse_what_was_valid(world: World) -> None:
    """A change that needs a restart is acknowledged with its reason."""
    world.trade_both(1, 3)
    world.publish(1, 4)
    world.serve(1, 4)
    world.worker.look()
    world.settle()

    world.worker.refused("strategy:1", 4, ["$.x: cannot change while running"])
    world.pass_time(0.1)

    ack = world.ack("strategy:1")
    assert (4, ConfigState.REFUSED, ("$.x: cannot change while running",)) == (
        ack.version,
        ack.state,
        ack.errors,
    )
    kept = list(Memory(world.store).kept("strategy:1"))
    assert [3] == [one.body["version"] for one in kept]


def test_a_body_that_is_no_config_at_all_keeps_what_we_have(world: World) -> None:
    """Scenario lkg-poison: neither memory nor disk nor the loop see anything of it."""
    world.trade(5)
    world.publish(6)
    world.api["trade"] = Fetched(status=0, detail="truncated body")

    world.worker.look()
    world.settle()

    assert [] == world.take(TradeConfigStaged, ConfigRefused)
    kept = list(Memory(world.store).kept("trade"))
    assert [5] == [one.body["version"] for one in kept]


def test_another_accounts_body_is_a_fault(world: World) -> None:
    """What is not for this account is asked for again, not refused."""
    world.trade(5)
    world.publish(6)
    body = trade_body(6, mt5_account_id=999)
    world.api["trade"] = Fetched(status=200, body=body)
    world.worker.look()
    world.settle()
    assert [] == world.take(TradeConfigStaged, ConfigRefused)

    world.serve(6)
    world.pass_time(2.0)

    (staged,) = world.take(TradeConfigStaged)
    assert 6 == staged.config.version


def test_an_answer_that_was_not_asked_for_is_reported(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The loop applied something that was not staged: a bug, said and survived."""
    world.trade(5)

    world.worker.applied("trade", 99)
    world.worker.applied("strategy:9", 1)

    assert 1 == logged(caplog, "version 99 is not staged")


# -- outages ---------------------------------------------------------------------------
def test_redis_away(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """The API is polled, each change of state is said once, newest heartbeat sent."""
    caplog.set_level(logging.INFO)
    world.trade(5)
    world.is_redis_up = False
    for number in range(10):
        world.worker.beat({"n": str(number)})
        world.pass_time(30.0)
    assert 3 <= world.asked.count("trade") <= 6
    assert 1 == logged(caplog, "Redis is away")

    world.is_redis_up = True
    world.pass_time(15.0)

    assert [{"n": "9"}] == [one.heartbeat for one in world.sent if one.heartbeat]
    assert 1 == logged(caplog, "Redis is back after")
    before = world.asked.count("trade")
    world.worker.beat({})
    world.pass_time(300.0)
    assert before == world.asked.count("trade")


def test_a_change_is_seen_while_redis_is_away(world: World) -> None:
    """Without Redis a new version comes by polling the API."""
    world.trade(5)
    world.is_redis_up = False
    world.worker.look()
    world.settle()
    world.serve(6)

    world.pass_time(70.0)

    (staged,) = world.take(TradeConfigStaged)
    assert 6 == staged.config.version


def test_a_heartbeat_is_retried_within_its_interval(world: World) -> None:
    """Scenario hb-shape-and-one-loss: one lost beat does not look like DOWN."""
    world.trade(5)
    world.is_redis_up = False
    world.worker.beat({"n": "1"})
    world.settle()
    world.is_redis_up = True

    world.pass_time(1.0)

    assert [{"n": "1"}] == [one.heartbeat for one in world.sent]


def test_a_hung_loop_does_not_look_alive(world: World) -> None:
    """A heartbeat that is older than its own life is not sent when Redis returns."""
    world.trade(5)
    world.is_redis_up = False
    world.worker.beat({"n": "1"})
    world.pass_time(61.0)
    world.is_redis_up = True
    world.pass_time(20.0)

    assert world.sent
    assert all(one.heartbeat is None for one in world.sent)


def test_wake_ups_do_not_storm_a_redis_that_is_away(world: World) -> None:
    """Nothing shortens the pause between two tries."""
    world.trade(5)
    tries = 0

    def count(exchange: Exchange) -> ServerView:
        nonlocal tries
        tries += 1
        raise UnavailableError("refused")

    world.worker._control.exchange = count  # type: ignore[union-attr, method-assign]
    for _ in range(600):
        world.worker.wake_up(WakeUp())
        world.worker.beat({})
        world.pass_time(0.1)

    assert 4 <= tries <= 12


def test_boot_lkg_offline(world: World, make: Any) -> None:
    """Scenario boot-lkg-offline: the last good configs run, their age is told."""
    world.trade_both(5, 3)
    world.pass_time(3600.0)
    world.store.close()
    again: World = make(is_redis_up=False)
    again.seconds = 7200.0
    again.api = {
        "trade": Fetched(status=0, detail="refused"),
        "strategy:1": Fetched(status=503),
    }

    again.begin()
    again.worker.applied("trade", 5)
    again.worker.watch([1])
    again.settle()

    trade, strategy = again.take(TradeConfigStaged, StrategyConfigStaged)
    assert ("last_good", 5) == (trade.origin, trade.config.version)
    assert ("last_good", 3) == (strategy.origin, strategy.config.version)
    assert START + timedelta(seconds=3200) < trade.saved_at < again.now()
    again.pass_time(120.0)
    assert again.asked.count("trade") > 3


def test_boot_nothing(make: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Scenario boot-nothing: waits, says for what, and does not hammer."""
    world: World = make(is_redis_up=False)
    world.api = {"trade": Fetched(status=0, detail="refused")}

    world.begin()
    world.pass_time(600.0)

    assert [] == world.take(TradeConfigStaged)
    assert 10 <= world.asked.count("trade") <= 25
    assert 1 == logged(caplog, "nothing to trade on yet")
    assert 1 == logged(caplog, "no config from the server")


def test_a_last_good_config_that_no_longer_fits_is_passed_over(
    world: World, make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A newer plugin may not take what an older one did."""
    world.trade_both(1, 3)
    Memory(world.store).keep("strategy:1", strategy_body(9, -1), START)
    world.store.close()
    again: World = make(is_redis_up=False)
    again.api = {"strategy:1": Fetched(status=503)}
    again.begin()
    again.worker.watch([1])
    again.settle()

    (staged,) = again.take(StrategyConfigStaged)
    assert 3 == staged.config.version
    assert 1 == logged(caplog, "cannot be used")


@pytest.mark.parametrize("status", [401, 403])
def test_unauthorized(
    world: World, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Scenario unauthorized: loud, slow, never for good; at once with another key."""
    world.trade(5)
    world.publish(6)
    world.api["trade"] = Fetched(status=status, detail="wrong key")
    world.worker.look()
    world.settle()

    assert [ConfigMissing(scope="trade", status=status, detail="wrong key")] == (
        world.take(ConfigMissing)
    )
    world.pass_time(3600.0)
    assert 5 <= world.asked.count("trade") <= 9
    assert 1 == logged(caplog, f"HTTP {status}: wrong key")
    assert world.worker.is_unauthorized

    world.serve(6)
    world.worker.change_api_key()
    world.settle()
    (staged,) = world.take(TradeConfigStaged)
    assert 6 == staged.config.version
    assert not world.worker.is_unauthorized


def test_an_unknown_strategy_is_not_started(world: World, make: Any) -> None:
    """404 is loud; the strategy is not started, also not from the disk."""
    world.trade_both(1, 3)
    world.store.close()
    again: World = make()
    again.publish(1)
    again.serve(1)
    again.api["strategy:1"] = Fetched(status=404, detail="no strategy 1")
    again.begin()
    again.worker.watch([1])
    again.settle()
    again.api["strategy:1"] = Fetched(status=503)
    again.pass_time(3600.0)

    missing = ConfigMissing(scope="strategy:1", status=404, detail="no strategy 1")
    assert [missing] == again.take(StrategyConfigStaged, ConfigMissing)


def test_a_running_strategy_keeps_its_config_on_404(world: World) -> None:
    """404 takes nothing away from what runs."""
    world.trade_both(1, 3)
    world.publish(1, 4)
    world.api["strategy:1"] = Fetched(status=404, detail="no strategy 1")

    world.worker.look()
    world.settle()

    assert [
        ConfigMissing(scope="strategy:1", status=404, detail="no strategy 1")
    ] == world.take(ConfigMissing, StrategyConfigStaged, ConfigRefused)


def test_flush(make: Any) -> None:
    """Scenario flush: a flushed Redis changes nothing and causes no storm."""
    first: list[float] = []
    for number in range(20):
        world: World = make(draw=number / 20)
        world.store.delete("link", "last_good:trade")
        world.trade(5)
        world.redis = ServerView()
        world.worker.beat({})
        world.settle()
        assert [] == world.take(TradeConfigStaged, ConfigRefused)
        flushed_at = world.seconds
        while not world.asked:
            world.worker.beat({})
            world.pass_time(10.0)
        first.append(world.seconds - flushed_at)
        world.close()

    for start in range(0, 600, 60):
        assert sum(start <= seconds < start + 60 for seconds in first) <= 4


def test_a_seed_only_server_without_version_keys(world: World) -> None:
    """Its config is fetched at the start, and then at the slow rate."""
    world.serve(1)
    world.begin()
    world.worker.applied("trade", 1)
    world.serve(2)

    world.pass_time(700.0)

    assert [1, 2] == [one.config.version for one in world.take(TradeConfigStaged)]


def test_without_redis_everything_comes_from_the_api(make: Any) -> None:
    """No Redis is named: configs and commands are polled, nothing is sent."""
    world: World = make(has_redis=False)
    world.serve(1)
    stop = Command(action=CommandAction.EMERGENCY_STOP, seq=1)
    world.begin()
    world.worker.beat({"n": "1"})
    world.worker.applied("trade", 1)
    world.worker.watch([1])
    world.serve(2, 1)
    world.api["command"] = Fetched(status=200, body=commands_body(stop, None))

    world.pass_time(2000.0)

    taken: list[tuple[type, Any]] = [
        (type(event), event.command if isinstance(event, CommandSeen) else event.config)
        for event in world.take(TradeConfigStaged, StrategyConfigStaged, CommandSeen)
    ]
    assert {
        (TradeConfigStaged, 1),
        (TradeConfigStaged, 2),
        (StrategyConfigStaged, 1),
        (CommandSeen, 1),
    } == {
        (kind, value.seq if kind is CommandSeen else value.version)
        for kind, value in taken
    }
    assert [] == world.sent


# -- the server's heartbeat ------------------------------------------------------------
def test_server_silent(world: World, make: Any) -> None:
    """Scenario server-silent: a restriction outlives the key, and a restart."""
    world.redis = ServerView(
        server_heartbeat={"bot_status": "PAUSED", "dd_blocked": "True"}
    )
    world.begin()
    world.redis = ServerView()
    world.worker.look()
    world.settle()
    last = world.take(ServerSeen)[-1]
    assert last.heartbeat is None
    world.store.close()

    again: World = make()
    again.seconds = 500.0
    again.begin()

    first = again.take()[0]
    assert isinstance(first, ServerSeen)
    assert first.heartbeat is not None
    assert ("PAUSED", True) == (first.heartbeat.bot_status, first.heartbeat.dd_blocked)
    assert START == first.at


def test_silence_in_a_field_lifts_nothing(world: World) -> None:
    """A heartbeat that leaves a field out or empty does not clear it."""
    world.redis = ServerView(
        server_heartbeat={
            "bot_status": "PAUSED",
            "subscription_status": "EXPIRED",
            "dd_blocked": "1",
            "dd_block_reason": "daily",
        }
    )
    world.begin()
    world.redis = ServerView(server_heartbeat={"bot_status": "", "last_update": ""})
    world.worker.look()
    world.settle()

    heartbeat = world.take(ServerSeen)[-1].heartbeat
    assert ("PAUSED", "EXPIRED", True, "daily") == (
        heartbeat.bot_status,
        heartbeat.subscription_status,
        heartbeat.dd_blocked,
        heartbeat.dd_block_reason,
    )


def test_one_unreadable_field_does_not_hide_the_others(world: World) -> None:
    """Scenario hint-garbage: a PAUSED counts beside a field of nonsense."""
    world.redis = ServerView(
        server_heartbeat={
            "bot_status": "PAUSED",
            "dd_blocked": "maybe",
            "last_update": "yesterday",
        }
    )

    world.begin()

    heartbeat = world.take(ServerSeen)[0].heartbeat
    assert ("PAUSED", None) == (heartbeat.bot_status, heartbeat.dd_blocked)


def test_the_same_heartbeat_is_written_to_disk_once(world: World) -> None:
    """A disk is not written to every 30 seconds for a new time stamp."""
    world.publish(1)
    world.begin()
    world.store.put("link", "server_heartbeat", "untouched")
    for second in range(5):
        world.redis = attrs.evolve(
            world.redis,
            server_heartbeat={
                "bot_status": "ACTIVE",
                "dd_blocked": "False",
                "last_update": f"2026-01-05T12:00:0{second}Z",
            },
        )
        world.worker.look()
        world.settle()

    assert "untouched" == world.store.get("link", "server_heartbeat")


def test_a_live_server_with_our_version_confirms_it(world: World) -> None:
    """The config's age is since the server last agreed, by key or by body."""
    world.trade_both(5, 3)
    world.worker.look()
    world.settle()
    assert {"trade", "strategy:1"} == {
        event.scope for event in world.take(ConfigConfirmed)
    }

    world.redis = attrs.evolve(world.redis, server_heartbeat=None)
    world.worker.look()
    world.settle()
    assert [] == world.take(ConfigConfirmed)


# -- commands --------------------------------------------------------------------------
STOP = Command(action=CommandAction.EMERGENCY_STOP, seq=5, reason="test")
PAUSE = Command(action=CommandAction.PAUSE, seq=6)
RUN = Command(action=CommandAction.RUN, seq=7)


def acks(world: World) -> Mapping[str, CommandState]:
    """The acknowledgements of the last round trip."""
    return {
        seq: CommandAck.from_json(text).state
        for seq, text in world.sent[-1].command_acks.items()
    }


def test_a_command_is_on_disk_when_the_loop_hears_of_it(world: World) -> None:
    """Scenario estop-online: persisted, told to the loop, acknowledged."""
    world.trade(5)
    world.redis = attrs.evolve(world.redis, command=STOP.to_hash())
    stored: list[Any] = []
    world.worker.emit = lambda event: stored.append(
        (event, world.store.get("link", "commands"))
    )
    world.worker.look()
    world.settle()

    ((event, record),) = [pair for pair in stored if isinstance(pair[0], CommandSeen)]
    assert STOP == event.command
    assert STOP.to_document() == record["account"]
    world.pass_time(0.1)
    assert {"5": CommandState.RECEIVED} == acks(world)


def test_estop_bot_offline(world: World, make: Any) -> None:
    """Scenario estop-bot-offline: a stopped bot restarts stopped, also offline."""
    world.trade(5)
    world.redis = attrs.evolve(world.redis, command=STOP.to_hash())
    world.worker.look()
    world.settle()
    world.store.close()
    again: World = make(is_redis_up=False)
    again.api = {"trade": Fetched(status=0), "command": Fetched(status=0)}

    again.begin()

    kinds = [type(event) for event in again.take()]
    assert [ServerSeen, CommandSeen, TradeConfigStaged] == kinds


def test_estop_redis_down(world: World) -> None:
    """Scenario estop-redis-down: the command comes from the API within one poll."""
    world.trade(5)
    world.is_redis_up = False
    body = commands_body(STOP, None)
    world.api["command"] = Fetched(status=200, body=body)
    world.worker.look()
    world.settle()

    world.pass_time(66.0)

    assert [CommandSeen(command=STOP)] == world.take(CommandSeen)


def test_a_command_is_asked_for_before_any_config(make: Any) -> None:
    """At a start without Redis, a stop is known before anything may trade."""
    world: World = make(is_redis_up=False)
    world.serve(1)
    body = commands_body(STOP, None)
    world.api["command"] = Fetched(status=200, body=body)

    world.begin()

    assert ["command", "trade"] == world.asked
    assert [CommandSeen, TradeConfigStaged] == [type(one) for one in world.take()]


def test_a_server_without_commands_is_asked_rarely(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that speaks only the seed has no such path, and that is no error."""
    caplog.set_level(logging.INFO)
    world.trade(5)
    world.is_redis_up = False
    world.worker.look()
    world.settle()

    world.pass_time(3600.0)

    assert 3 <= world.asked.count("command") <= 10
    assert 1 == logged(caplog, "no commands from the API")


def test_a_server_that_is_not_there_is_called_no_answer(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """There is no HTTP status 0, and nobody should have to look for it."""
    caplog.set_level(logging.INFO)
    world.api["command"] = Fetched(status=0, detail="refused")
    world.is_redis_up = False
    world.worker.look()
    world.settle()

    world.pass_time(60.0)

    assert 1 == logged(caplog, "no commands from the API (no answer)")


def test_garbage_from_the_commands_path_is_survived(world: World) -> None:
    """A body of another shape says nothing."""
    world.trade(5)
    world.is_redis_up = False
    bodies: list[Any] = [None, [], {"command": {"action": "GO", "seq": 1}}]
    for body in bodies:
        world.api["command"] = Fetched(status=200, body=body)
        world.worker.look()
        world.pass_time(120.0)

    assert [] == world.take(CommandSeen)


def test_cmd_unknown(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Scenario cmd-unknown: an unknown action is answered with FAILED, once."""
    world.trade(5)
    hash_ = {"action": "DANCE", "seq": "8"}
    world.redis = attrs.evolve(world.redis, fleet_command=hash_)
    for _ in range(3):
        world.worker.look()
        world.settle()
        world.pass_time(0.1)

    assert {"8": CommandState.FAILED} == acks(world)
    assert 1 == logged(caplog, "cannot be obeyed")
    assert [] == world.take(CommandSeen)


def test_a_command_of_garbage_is_survived(world: World) -> None:
    """Without a number there is nothing to answer."""
    world.trade(5)
    world.redis = attrs.evolve(world.redis, command={"action": "STOP", "seq": "x"})
    world.worker.look()
    world.settle()

    assert {} == acks(world)


def test_the_loops_word_replaces_the_receipt(world: World) -> None:
    """Evidence of the loop is repeated with each round trip until a new command."""
    world.trade(5)
    world.redis = attrs.evolve(world.redis, command=STOP.to_hash())
    world.worker.look()
    world.settle()
    done = CommandAck(seq=5, state=CommandState.DONE, at=START, open_positions=0)
    world.worker.acknowledge_command(done)
    world.pass_time(0.1)
    assert {"5": CommandState.DONE} == acks(world)

    world.redis = attrs.evolve(world.redis, command=RUN.to_hash())
    world.worker.look()
    world.settle()
    world.pass_time(0.1)
    assert {"7": CommandState.RECEIVED} == acks(world)


def test_the_stricter_level_wins(world: World) -> None:
    """A fleet's pause holds against the account's RUN, and both are received."""
    world.trade(5)
    world.redis = attrs.evolve(world.redis, fleet_command=PAUSE.to_hash())
    world.worker.look()
    world.settle()
    world.redis = attrs.evolve(world.redis, command=RUN.to_hash())
    world.worker.look()
    world.settle()
    world.pass_time(0.1)

    assert [CommandSeen(command=PAUSE)] == world.take(CommandSeen)
    assert {"6": CommandState.RECEIVED, "7": CommandState.RECEIVED} == acks(world)


# -- wake-ups --------------------------------------------------------------------------
def test_a_wake_up_looks_at_once(world: World) -> None:
    """Scenario push-fast: a wake-up without spread is acted on within 0.1 s."""
    world.trade(5)
    world.publish(6)
    world.serve(6)

    world.worker.wake_up(WakeUp())
    world.pass_time(0.1)

    assert 6 == world.take(TradeConfigStaged)[0].config.version


def test_a_wake_up_for_many_is_spread(world: World) -> None:
    """Scenario herd: each bot looks after its own random part of the spread."""
    world.trade(5)
    world.draw = 0.75
    world.worker.wake_up(WakeUp(spread_ms=20_000))

    world.pass_time(14.9)
    assert [] == world.sent
    world.pass_time(0.3)
    assert 1 == len(world.sent)


def test_many_wake_ups_make_one_look(world: World) -> None:
    """A flood of messages is one look."""
    world.trade(5)
    for _ in range(1000):
        world.worker.wake_up(WakeUp())
    world.pass_time(0.1)

    assert 1 == len(world.sent)


def test_a_wake_up_for_another_account_is_ignored(world: World) -> None:
    """The fleet's channel may speak of one account."""
    world.trade(5)
    world.worker.wake_up(WakeUp(account="999"))
    world.pass_time(1.0)

    assert [] == world.sent


# -- the lease -------------------------------------------------------------------------
def test_the_lease_is_renewed_with_each_look_and_every_20_seconds(
    world: World,
) -> None:
    """Heartbeats may be rarer than a lease needs them."""
    world.lease.acquire(1, at=0.0)
    world.trade(5)

    world.pass_time(61.0)

    assert 3 == len(world.sent)
    assert all(one.renew_lease for one in world.sent)
    assert 1 == world.worker._lease.epoch


def test_acknowledgements_carry_the_fencing_number(world: World) -> None:
    """A server can tell whose word it is."""
    world.lease.acquire(7, at=0.0)
    world.trade(5)
    world.worker.look()
    world.settle()

    assert 7 == world.ack("trade").epoch


def test_takeover(world: World) -> None:
    """Scenario takeover: who lost the lease writes nothing more, and says it once."""
    world.lease.acquire(1, at=0.0)
    world.trade(5)
    world.is_lease_held, world.lease_answer = False, OTHER
    world.worker.beat({"n": "1"})
    world.settle()
    assert [LeaseChanged(held=False, holder=OTHER)] == world.take(LeaseChanged)

    for _ in range(4):
        world.worker.beat({"n": "2"})
        world.pass_time(30.0)

    late = world.sent[1:]
    assert late
    assert all(one.heartbeat is None and not one.config_acks for one in late)
    assert [] == world.take(LeaseChanged)
    world.lease_answer, world.is_lease_held = 3, True
    world.worker.beat({"n": "3"})
    world.pass_time(30.0)
    assert [LeaseChanged(held=True, epoch=3)] == world.take(LeaseChanged)
    world.worker.beat({"n": "4"})
    world.settle()
    assert {"n": "4"} == world.sent[-1].heartbeat


def test_a_lease_that_could_not_be_asked_for_is_asked_for_later(make: Any) -> None:
    """Scenario two-runners: Redis was away at the start, another runner is found."""
    world: World = make(is_redis_up=False)
    world.lease.want()
    world.serve(1)
    world.begin()
    world.worker.beat({"n": "1"})
    world.is_redis_up, world.lease_answer = True, OTHER
    world.pass_time(15.0)

    assert [LeaseChanged(held=False, holder=OTHER)] == world.take(LeaseChanged)
    assert world.sent
    assert all(one.heartbeat is None for one in world.sent)


@pytest.mark.parametrize("answer", [1, None])
def test_a_heartbeat_waits_until_the_lease_is_known(make: Any, answer: Any) -> None:
    """Nothing is written about an account that may be another runner's."""
    world: World = make(is_redis_up=False)
    world.lease.want()
    world.serve(1)
    world.begin()
    world.worker.beat({"n": "1"})
    world.is_redis_up, world.lease_answer = True, answer
    world.pass_time(15.0)

    assert [None, {"n": "1"}] == [one.heartbeat for one in world.sent][:2]


def test_a_clean_stop(world: World) -> None:
    """The last heartbeat says DOWN, and the lease is given back."""
    world.lease.acquire(1, at=0.0)
    world.trade(5)

    world.worker.finish({"bot_status": "DOWN"})

    assert {"bot_status": "DOWN"} == world.sent[-1].heartbeat
    assert 1 == world.released


def test_a_stop_without_redis_is_no_error(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """What cannot be sent is said."""
    world.trade(5)
    world.is_redis_up = False

    world.worker.finish({"bot_status": "DOWN"})

    assert 1 == logged(caplog, "the last heartbeat could not be sent")


# -- and in between --------------------------------------------------------------------
def test_the_picture_tells_whether_everything_is_known(world: World) -> None:
    """Before trading: nothing announced is still to be fetched."""
    world.trade(5)
    assert world.worker.picture.is_current

    world.publish(6)
    world.serve(6)
    world.worker.look()
    world.worker.turn()
    seen = world.worker.picture
    assert (False, False, True) == (seen.is_settled, seen.is_current, seen.is_redis_up)
    world.settle()
    assert world.worker.picture.is_current


def test_a_bug_of_ours_is_treated_as_an_outage(world: World) -> None:
    """What the worker stumbled over leaves it asking again, not believing."""
    world.trade(5)

    world.worker.fail(RuntimeError("bug"))

    assert not world.worker.is_redis_up
    world.pass_time(15.0)
    assert world.worker.is_redis_up


def test_nothing_is_due_when_nothing_is_to_be_done(make: Any) -> None:
    """Without Redis and with everything known, the next poll is all there is."""
    world: World = make(has_redis=False)
    world.serve(1)
    world.begin()
    world.worker.applied("trade", 1)

    assert 0.0 < world.worker.turn() < math.inf
