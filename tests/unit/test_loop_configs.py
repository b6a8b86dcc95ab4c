"""Configs at the safe point: whole or not at all, and who runs on them."""

from __future__ import annotations

import logging
from typing import Any

import attrs
import pytest

from runner import Deny, hookimpl
from runner.core.identity import magic_number
from runner.link import ConfigConfirmed, ConfigMissing, ConfigRefused
from runner.testing import make_trade_config


def _applied(world: Any) -> list[int]:
    scope = "strategy:1"
    return [
        v for what, name, v in world.link.done if (what, name) == ("applied", scope)
    ]


def test_a_terminal_that_fails_between_two_symbols_leaves_the_old_config_whole(
    world, eager
):
    """Neither symbol gets its new parameters before both can have them."""
    world.begin()
    world.terminal.close_bar("XAUUSD")
    world.terminal.unreadable.add("XAUUSD")
    both = {"EURUSD": eager(stop_loss=50), "XAUUSD": eager()}
    world.strategy(2, parameters_by_symbol=both)
    world.cycle(3)

    member = world.roster.members[1]
    assert {"EURUSD": eager()} == dict(member.context.parameters)
    assert [1] == _applied(world)

    world.terminal.unreadable.clear()
    world.cycle()
    assert both == dict(member.context.parameters)
    assert [1, 2] == _applied(world)


def test_a_restart_only_change_refuses_the_version_whole(world, eager):
    """The live change beside it is not applied either, and the error has its path."""
    world.begin()
    wanted = {"EURUSD": eager(stop_loss=50, fixed=1)}
    world.strategy(2, parameters_by_symbol=wanted)
    world.cycle()

    assert ("refused", "strategy:1", 2) == world.link.done[-1]
    assert {"EURUSD": eager()} == dict(world.roster.members[1].context.parameters)
    assert "$.parameters_by_symbol.EURUSD.fixed" in world.configs.errors[0]


def test_the_log_says_what_a_trade_config_changed_and_nothing_else(world, caplog):
    """The place and both values of a member, not the whole of what it stands in."""
    world.begin()
    settings = attrs.evolve(make_trade_config().trade_config, lot_size=0.03)
    with caplog.at_level(logging.INFO, "mt5runner.config"):
        world.trade(2, trade_config=settings, dd_block_reason="why")
        world.cycle()

    (line,) = [one for one in caplog.messages if one.startswith("trade config 2")]
    assert (
        "trade config 2 applied: dd_block_reason: None -> 'why', "
        "trade_config.lot_size: 0.1 -> 0.03"
    ) == line


def test_a_flat_only_change_waits_and_a_newer_version_takes_its_place(world, eager):
    """What waited and was superseded is never applied."""
    world.begin()
    world.bar()
    world.strategy(2, parameters_by_symbol={"EURUSD": eager(wide=True)})
    world.cycle(3)
    assert ("staged", "strategy:1", 2) == world.link.done[-1]
    assert 1 == world.link.done.count(("staged", "strategy:1", 2))

    world.strategy(3, parameters_by_symbol={"EURUSD": eager(wide=True, stop_loss=70)})
    world.cycle()
    assert [1] == _applied(world)
    world.terminal.open.clear()
    world.cycle(2)

    assert [1, 3] == _applied(world)


def test_unknown_positions_are_not_flat_for_a_waiting_config(world, eager):
    """While the terminal does not answer nothing that needs flatness is applied."""
    world.begin()
    world.bar()
    world.strategy(2, parameters_by_symbol={"EURUSD": eager(wide=True)})
    world.cycle()
    world.terminal.open.clear()
    world.terminal.is_readable = False
    world.cycle(3)

    assert [1] == _applied(world)


def test_a_vanished_symbol_is_managed_until_it_is_flat_and_then_forgotten(world, eager):
    """It keeps parameters, bars and quotes while held, and opens nothing."""
    world.begin()
    world.bar()
    world.terminal.close_bar("XAUUSD")
    world.strategy(2, parameters_by_symbol={"XAUUSD": eager()})
    world.cycle(2)
    assert {"EURUSD", "XAUUSD"} == set(world.roster.symbols)

    world.terminal.open.clear()
    world.bar()
    assert 1 == len(world.opened)
    world.cycle()

    assert ["XAUUSD"] == world.roster.symbols


def test_a_symbol_that_the_broker_does_not_have_is_named_and_the_others_trade(
    world, eager
):
    """It is a shortcoming of what is applied, not a reason to refuse the rest."""
    world.begin(parameters_by_symbol={"EURUSD": eager(), "NOPE": eager()})
    world.bar()

    assert 1 == len(world.opened)
    assert "$.parameters_by_symbol.NOPE: not traded" in world.configs.errors[0]
    assert not world.roster.members[1].may_enter("NOPE")


def test_a_symbol_that_the_broker_drops_does_not_go_on_with_old_parameters(
    world, eager
):
    """A version whose symbol cannot be prepared does not trade its former values."""
    world.begin(parameters_by_symbol={"EURUSD": eager(), "XAUUSD": eager()})
    world.terminal.names.remove("XAUUSD")
    wanted = {"EURUSD": eager(), "XAUUSD": eager(stop_loss=5)}
    world.strategy(2, parameters_by_symbol=wanted)
    world.cycle()

    assert ["EURUSD"] == world.roster.symbols


def test_another_active_strategy_opens_while_the_old_one_manages_what_it_holds(
    world, eager
):
    """The old one leaves when it is flat; each has its own number."""
    world.begin()
    world.bar()
    world.trade(2, active_bot_id=2)
    world.strategy(1, name="Restless", number=2)
    world.cycle()
    assert (2,) == world.link.watched
    assert {1, 2} == set(world.roster.members)
    assert world.roster.members[1].is_leaving

    world.bar()
    numbers = {request.magic for request in world.opened[1:]}
    assert {magic_number("7", 2)} == numbers
    world.terminal.open.pop(1001)
    world.cycle(2)
    assert {2} == set(world.roster.members)


def test_a_strategy_that_becomes_active_again_while_it_holds_goes_on(world):
    """It never left: it may open again once it is flat."""
    world.begin()
    world.bar()
    world.trade(2, active_bot_id=2)
    world.cycle()
    world.trade(3, active_bot_id=1)
    world.cycle()
    world.terminal.open.clear()
    world.cycle()
    world.bar()

    assert 2 == len(world.opened)


def test_a_strategy_with_a_position_in_a_symbol_that_it_lost_does_not_leave(world):
    """What it holds from before a restart counts, whatever its config names now."""
    world.begin()
    world.terminal.add("XAUUSD", world.magic)
    world.cycle()
    world.trade(2, active_bot_id=None)
    world.cycle(2)

    assert {1} == set(world.roster.members)


def test_the_same_id_with_another_class_waits_until_the_old_one_is_flat(world):
    """Two classes never trade under one number."""
    world.begin()
    world.bar()
    world.strategy(2, name="Restless")
    world.cycle()
    assert "Eager" == world.roster.members[1].hosted.record.name

    world.terminal.open.clear()
    world.cycle(2)
    assert "Restless" == world.roster.members[1].hosted.record.name


def test_an_unknown_class_is_refused_and_the_old_strategy_goes_on(world):
    """The error says where in the body, and what to do."""
    world.begin()
    world.strategy(2, name="Typo")
    world.cycle()

    assert ("refused", "strategy:1", 2) == world.link.done[-1]
    assert "$.bot_strategy_class: Typo" in world.configs.errors[0]
    assert "Eager" == world.roster.members[1].hosted.record.name


def test_a_number_is_known_from_the_trade_config_on_and_over_restarts(world):
    """A FLATTEN finds positions even where our own state was lost."""
    world.terminal.add("EURUSD", world.magic)
    world.loop.start()
    world.trade()
    world.cycle()
    assert {world.magic} == world.roster.magics

    world.make()
    assert {world.magic} == world.roster.magics


def test_a_full_disk_does_not_end_the_run_when_a_strategy_starts(world):
    """Its number stays in memory; it opens nothing while nothing can be written."""
    world.store.is_writable = False
    world.begin()
    world.bar()

    assert [] == world.terminal.sent
    assert {world.magic} == world.roster.magics


@pytest.mark.parametrize("ending", ["confirmed", "applied", "replaced"])
def test_an_error_leaves_the_heartbeat_when_it_is_over(world, ending):
    """Confirmed by the server, superseded, or of a strategy that nobody asks for."""
    world.begin()
    refused = ConfigRefused(scope="strategy:1", version=2, errors=("$.x: wrong",))
    world.link.events.append(refused)
    missing = ConfigMissing(scope="trade", status=403, detail="wrong key")
    world.link.events.append(missing)
    world.cycle()
    assert ("$.x: wrong", "trade: wrong key") == world.configs.errors

    match ending:
        case "confirmed":
            for scope in ("trade", "strategy:1"):
                event = ConfigConfirmed(scope=scope, at=world.clock.now())
                world.link.events.append(event)
        case "applied":
            world.trade(2)
            world.strategy(3)
        case _:
            world.trade(2, active_bot_id=9)
    world.cycle()

    assert () == world.configs.errors


# -- the trader's own reasons ----------------------------------------------------------
class Deaf:
    """Hears every denial."""

    def __init__(self) -> None:
        self.codes: list[str] = []

    @hookimpl
    def on_order_denied(self, denials: Any) -> None:
        self.codes = [said.deny.code for said in denials]


@pytest.fixture
def heard(world):
    """A plugin that hears every denial."""
    world.plugins["deaf"] = Deaf()
    world.make()
    return world.plugins["deaf"]


def _leave(world: Any) -> None:
    world.terminal.add("EURUSD", world.magic)
    world.cycle()
    world.trade(2, active_bot_id=None)


def _take(world: Any) -> None:
    world.terminal.is_hedging = False
    world.terminal.add("EURUSD", 0)


def _lose(world: Any) -> None:
    world.terminal.answer = world.terminal.answer.UNKNOWN
    world.bar()


@pytest.mark.parametrize(
    ("code", "arrange"),
    [
        (
            "STRATEGY_PAUSED",
            lambda w: w.strategy(2, name="Restless", bot_status="PAUSED"),
        ),
        (
            "SYMBOL_NOT_ALLOWED",
            lambda w: w.strategy(2, name="Restless", allowed_symbols=()),
        ),
        ("SYMBOL_NOT_ENABLED", lambda w: w.trade(2, enabled_symbols=("XAUUSD",))),
        ("PAUSED", lambda w: w.trade(2, bot_status="PAUSED")),
        ("STRATEGY_NOT_ACTIVE", _leave),
        ("SYMBOL_TAKEN", _take),
        ("ORDER_UNRESOLVED", _lose),
    ],
)
def test_each_reason_of_the_host_denies_an_opening(world, heard, code, arrange):
    """The strategy wants an entry on the bar and does not get it."""
    world.begin(name="Restless")
    world.terminal.sent.clear()
    arrange(world)
    world.cycle()
    before = len(world.opened)
    world.bar()

    assert before == len(world.opened)
    assert code in heard.codes


def test_a_quote_that_cannot_be_read_is_not_replaced_by_an_older_one(world, heard):
    """An order would be sized and judged on a price that nobody sees any more."""
    world.begin(name="Restless")
    world.cycle()
    world.terminal.sent.clear()
    world.terminal.close_bar("EURUSD")
    tick = world.terminal.quotes.pop("EURUSD")
    world.cycle()

    assert [] == world.opened
    assert ["UNKNOWN"] == heard.codes
    assert tick.time >= world.view.newest_tick_at
    assert None is world.view.ticks.get("EURUSD")


class Refusing:
    """Denies every order, exits too."""

    @hookimpl
    def check_order(self) -> Deny:
        return Deny("NO")


def test_a_guard_s_no_stops_an_opening_and_a_broken_guard_does_too(world, heard):
    """What it raised is a denial: exposure does not rise on an error."""

    class Raising:
        @hookimpl
        def check_order(self) -> None:
            raise RuntimeError("bug")

    world.plugins |= {"refusing": Refusing(), "raising": Raising()}
    world.make()
    world.begin()
    world.bar()

    assert [] == world.terminal.sent
    assert {"NO", "GUARD_FAILED"} == set(heard.codes)


def test_the_same_denial_is_logged_once(world, caplog):
    """A paused strategy that wants to enter on every bar does not fill the log."""
    caplog.set_level("INFO", "mt5runner.loop")
    world.begin(name="Restless")
    world.trade(2, bot_status="PAUSED")
    world.cycle()
    for _ in range(5):
        world.bar()

    denied = [line for line in caplog.messages if line.startswith("denied")]
    assert 1 == len(denied)
