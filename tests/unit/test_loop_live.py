"""The live loop: what it does in a cycle, in which order, and what stops it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from runner import Bar, Outcome, Side, Strategy, Tick, Timeframe, hookimpl
from runner.host import hookspecs
from runner.link import ConfigConfirmed, LeaseChanged, TradeConfigStaged
from runner.loop.settings import Player
from runner.ports import FeedError, StateError
from runner.testing import make_trade_config


class Recorder:
    """Writes down every hook that an order's way touches."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def take(self) -> list[str]:
        """Return the calls so far and begin anew."""
        taken, self.calls = self.calls, []
        return taken


def _recording(name: str) -> Any:
    def hook(self: Recorder) -> None:
        self.calls.append(name)

    hook.__name__ = name
    return hookimpl(hook)


for _name in (
    "on_started",
    "on_trade_config_applied",
    "on_strategy_config_applied",
    "on_config_refused",
    "on_account",
    "on_bar_closed",
    "check_trading",
    "check_symbol",
    "check_order",
    "choose_volume",
    "on_order_denied",
    "on_order_sent",
    "on_order_result",
    "on_position_closed",
    "on_trading_state_changed",
    "describe_status",
    "choose_heartbeat",
    "on_stopping",
):
    assert hasattr(hookspecs, _name)
    setattr(Recorder, _name, _recording(_name))


@pytest.fixture
def recorder(world):
    """A plugin that comes first and says nothing."""
    world.plugins = {"recorder": Recorder(), **world.plugins}
    world.make()
    return world.plugins["recorder"]


def test_a_bar_with_an_order_calls_every_hook_in_its_place(world, recorder):
    """Config first, then the account, the guards, the order, the bar, the report."""
    world.begin()
    assert [
        "on_started",
        "on_trade_config_applied",
        "on_strategy_config_applied",
        "on_account",
        "check_trading",
        "on_trading_state_changed",
        "describe_status",
        "choose_heartbeat",
    ] == recorder.take()

    world.bar()

    assert [
        "on_account",
        "check_trading",
        "check_symbol",
        "choose_volume",
        "check_order",
        "on_order_sent",
        "on_order_result",
        "on_bar_closed",
        "describe_status",
        "choose_heartbeat",
    ] == recorder.take()
    assert 1 == len(world.opened)


def test_a_stop_ends_with_a_last_heartbeat_and_lets_go_of_the_terminal(world, recorder):
    """STOPPED is reported after the observers were told, and the broker is closed."""
    world.begin()
    recorder.take()
    world.stop.ask("asked to")

    summary = world.loop.run()

    assert "asked to" == summary.reason
    assert "stopped" == world.link.last["state"].lower()
    assert world.link.is_stopped
    assert world.terminal.is_closed
    assert ["on_stopping", "describe_status", "choose_heartbeat"] == recorder.take()[1:]


class Broken(Player):
    """A feed whose third phase cannot be read."""

    def __init__(self) -> None:
        self.played = 0

    def play(self) -> bool:
        self.played += 1
        if self.played > 2:
            raise FeedError("EURUSD.csv:7: expected a price, got 'x'")
        return True

    def pause(self) -> float:
        return 0.0


def test_a_feed_that_cannot_be_read_ends_the_run_with_its_error(world):
    """The run stops cleanly, and says where the file is wrong."""
    world.player = Broken()
    world.make()
    world.trade()
    world.strategy()
    world.link.at_start, world.link.events = world.link.events, []

    summary = world.loop.run()

    assert "EURUSD.csv:7: expected a price, got 'x'" == summary.error
    assert world.link.is_stopped


def test_a_feed_does_not_play_before_its_strategy_is_there(world):
    """A recorded market waits, so that no bar of it is missed."""
    world.player = Broken()
    world.make()
    world.loop.start()
    world.cycle(5)

    assert 0 == world.player.played


# -- what is known from before is heard before anything is opened ----------------------
def test_what_the_server_last_said_is_heard_before_the_first_order(world):
    """After a restart a persisted pause holds in the very first cycle."""
    world.terminal.close_bar("EURUSD")
    world.server(bot_status="PAUSED")
    world.command("EMERGENCY_STOP")
    world.trade()
    world.strategy(name="Restless")
    world.link.at_start, world.link.events = world.link.events, []
    world.loop.start()
    world.bar()
    world.bar()

    assert [] == world.opened
    assert {"PAUSED", "EMERGENCY_STOP"} <= set(world.codes)


def test_a_pause_that_comes_while_the_versions_are_looked_at_counts(world):
    """It counts for the bar in hand, even if the look was not finished in time."""
    world.begin()
    world.server(bot_status="PAUSED")
    world.link.on_refresh, world.link.events = world.link.events, []
    world.link.is_current = False
    world.bar()

    assert [] == world.opened


def test_no_order_goes_out_before_a_trade_config(world):
    """Nothing is known of the account's permissions, so nothing is permitted."""
    world.terminal.close_bar("EURUSD")
    world.loop.start()
    world.strategy(name="Restless")
    world.cycle()
    world.bar()

    assert [] == world.terminal.sent
    assert ["NO_CONFIG"] == world.codes


def test_a_latched_stop_that_cannot_be_read_refuses_the_start(world):
    """Whether a stop is in force is not known, so nothing runs."""
    world.link.is_broken = True

    with pytest.raises(StateError, match="damaged"):
        world.loop.run()


# -- bars ------------------------------------------------------------------------------
def test_a_longer_look_back_applied_at_a_bar_decides_on_that_bar_once(world, eager):
    """The series is read anew while the bar is in hand: it must not come twice."""
    world.begin(name="Restless")
    world.strategy(
        2,
        name="Restless",
        parameters_by_symbol={"EURUSD": eager(lookback_period=2)},
    )
    world.link.on_refresh, world.link.events = world.link.events, []
    world.bar()
    world.cycle()

    assert 1 == len(_buys(world))
    assert [("applied", "strategy:1", 2)] == world.link.done[-1:]
    world.bar()
    assert 2 == len(_buys(world))


def _buys(world: Any) -> list[Any]:
    return [one for one in world.opened if one.side is Side.BUY]


def test_a_series_that_was_empty_takes_the_bar_in_hand_once(world, eager):
    """A paper feed begins with nothing; growing then must not break the run."""
    world.terminal.quote("EURUSD")
    world.loop.start()
    world.trade()
    world.strategy()
    world.cycle()
    world.strategy(2, parameters_by_symbol={"EURUSD": eager(lookback_period=50)})
    world.link.on_refresh, world.link.events = world.link.events, []
    world.bar()
    world.bar()

    assert 2 == len(world.view.series("EURUSD", Timeframe.H1))


def test_of_bars_that_were_missed_only_the_newest_is_a_signal(world):
    """Bars that closed during a short outage are told, and not traded."""
    world.begin(name="Restless")
    world.terminal.unreadable.add("EURUSD")
    world.bar()
    world.bar()
    world.terminal.unreadable.clear()
    world.bar()

    assert 1 == len(_buys(world))
    world.stop.ask("enough")
    assert 3 == world.loop.finish().bars["EURUSD"]


def test_after_a_long_outage_no_missed_bar_is_a_signal(world):
    """The newest one is as old as the outage may make it, and its price is gone."""
    world.begin()
    world.terminal.unreadable.add("EURUSD")
    world.bar()
    world.clock.wait(120)
    world.terminal.unreadable.clear()
    world.cycle()
    assert [] == world.opened

    world.bar()
    assert 1 == len(world.opened)


def test_while_the_account_is_unknown_the_bar_is_kept_and_nobody_is_to_blame(world):
    """A strategy that asks for its positions then would fail through no fault."""
    world.begin()
    world.terminal.is_readable = False
    world.bar()

    assert [] == world.terminal.sent
    assert {} == dict(world.host.failures)
    assert ["ACCOUNT_UNKNOWN"] == world.codes
    assert 1 == world.loop.finish().bars["EURUSD"]


def test_a_symbol_that_the_broker_drops_does_not_end_the_run(world):
    """Its quotes and bars are unknown from then on; nothing is opened in it."""
    world.begin(name="Restless")
    world.terminal.names.remove("EURUSD")
    world.terminal.sent.clear()
    world.bar()
    world.cycle(3)

    assert [] == world.opened


def test_a_position_closed_before_the_first_quote_does_not_end_the_run(world):
    """The market's time is not known then; the account's may change all the same."""
    world.terminal.add("GBPUSD", magic=0)
    world.loop.start()
    world.cycle()
    world.terminal.open.clear()
    world.cycle()

    assert {"GBPUSD": 1} == world.loop.finish().closed


def test_an_answer_that_breaks_our_own_code_leaves_the_order_unknown(world):
    """It may be executed, so nothing is sent in its place and the loop goes on."""
    world.begin()
    world.terminal.error = TypeError("unexpected answer")
    world.bar()
    world.terminal.error = None
    world.bar()

    assert 1 == len(world.opened)
    assert world.desk.is_unresolved(world.magic, "EURUSD")


# -- who may trade at all --------------------------------------------------------------
def test_without_the_lease_nothing_is_opened(world):
    """Another runner may own the account."""
    world.make(epoch=3)
    world.begin(name="Restless")
    world.terminal.sent.clear()
    world.link.events.append(LeaseChanged(held=False))
    world.bar()

    assert [] == world.opened
    assert ["LEASE_LOST"] == world.codes


def test_a_config_from_the_disk_is_as_old_as_the_server_s_last_word(world):
    """Restarting a bot does not make an old permission young."""
    world.terminal.close_bar("EURUSD")
    world.loop.start()
    world.link.events.append(
        TradeConfigStaged(
            config=make_trade_config(),
            origin="last_good",
            saved_at=world.clock.now() - timedelta(hours=25),
        )
    )
    world.strategy(name="Restless")
    world.cycle()
    world.bar()

    assert [] == world.opened
    assert ["CONFIG_STALE"] == world.codes


def test_an_account_without_a_size_for_the_order_gets_none(world):
    """No plugin says how large: nothing is sent."""
    world.plugins = {}
    world.make()
    world.begin()
    world.bar()

    assert [] == world.terminal.sent
    assert Outcome.FILLED is world.terminal.answer


def test_a_bar_that_comes_again_or_too_late_is_not_decided_on_twice(world):
    """A feed that starts anew, or a terminal that repeats itself, ends nothing."""
    world.begin(name="Restless")
    world.bar()
    world.terminal.read["EURUSD", Timeframe.H1] = 0
    world.cycle()

    assert 1 == len(_buys(world))
    world.bar()
    assert 2 == len(_buys(world))


class Curious(Strategy):
    """Asks for its positions on every bar and tick."""

    def on_bar(self, bar: Bar) -> None:
        self.positions()

    def on_tick(self, tick: Tick) -> None:
        self.positions()


def test_a_strategy_that_asks_while_positions_are_unknown_is_not_to_blame(world):
    """It is not called then, so it does not fail and is not paused for it."""
    world.classes["Curious"] = Curious
    world.begin(name="Curious")
    world.terminal.is_readable = False
    world.bar()
    world.bar()

    assert {} == dict(world.host.failures)


def test_only_the_trade_config_s_confirmation_keeps_permissions_young(world):
    """It holds every permission to trade; a strategy's parameters hold none."""
    world.begin(name="Restless")
    world.clock.wait(25 * 3600)
    confirmed = ConfigConfirmed(scope="strategy:1", at=world.clock.now())
    world.link.events.append(confirmed)
    world.terminal.sent.clear()
    world.cycle()
    assert ["CONFIG_STALE"] == world.codes

    confirmed = ConfigConfirmed(scope="trade", at=world.clock.now())
    world.link.events.append(confirmed)
    world.cycle()
    assert [] == world.codes
