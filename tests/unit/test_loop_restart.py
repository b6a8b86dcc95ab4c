"""What a start finds open: adopted, closed first, or refused; and what is foreign."""

from __future__ import annotations

import logging

import pytest

from runner import Action, Bar, Intents, Outcome, Strategy, StrategyConfig
from runner.core.identity import magic_number
from runner.core.restart import RestartPolicy
from runner.ports import UnavailableError

FLATTEN, REFUSE = RestartPolicy.FLATTEN, RestartPolicy.REFUSE


class Leaver(Strategy):
    """Opens when flat; what it holds it closes on the next bar."""

    def on_bar(self, bar: Bar) -> Intents:
        if self.is_flat(bar.symbol):
            return self.buy(bar.symbol, stop_loss=100)
        return self.close(bar.symbol)


def restart(world, **changes):
    """Start anew on the same terminal and the same disk."""
    seen = world.store.texts
    world.make(**changes)
    assert seen is world.store.texts


def held(world):
    """Start once, and hold a position of strategy 1."""
    world.begin()
    world.bar()
    (ticket,) = world.terminal.open
    return ticket


def remember(world, eager, name="Eager", number=1, symbol="EURUSD"):
    """Let a config of a strategy be on disk."""
    world.link.last_good[number] = StrategyConfig(
        version=3,
        bot_strategy_id=number,
        bot_strategy_class=name,
        bot_status="ACTIVE",
        allowed_symbols=(symbol,),
        parameters_by_symbol={symbol: eager()},
    )


# -- the policies ----------------------------------------------------------------------
def test_adopt_lets_the_owner_go_on(world, caplog):
    """The default: the position is the strategy's again, and it opens no second."""
    ticket = held(world)
    restart(world)

    with caplog.at_level(logging.INFO):
        world.begin()
        world.bar()

    assert [ticket] == list(world.terminal.open)
    assert [] == world.codes
    assert f"adopted from an earlier start: position {ticket}" in caplog.text


@pytest.mark.parametrize("is_disk_lost", [False, True])
def test_flatten_closes_before_anything_is_opened(world, is_disk_lost):
    """What is left is closed, also if only the derived number says that it is ours."""
    ticket = held(world)
    if is_disk_lost:
        world.store.texts.clear()
    restart(world, on_restart=FLATTEN)
    sent = len(world.terminal.sent)

    world.begin()
    world.cycle(2)
    assert [(Action.CLOSE, ticket)] == [
        (one.action, one.ticket) for one in world.terminal.sent[sent:]
    ]
    assert [] == world.codes

    world.bar()
    assert 1 == len(world.terminal.open)
    assert ticket not in world.terminal.open


def test_flatten_holds_entries_back_for_as_long_as_the_market_is_closed(world):
    """A refused close is tried again, and nothing is opened beside it."""
    ticket = held(world)
    restart(world, on_restart=FLATTEN)
    world.terminal.answer = Outcome.REJECTED
    opened = len(world.opened)

    world.begin(name="Restless")
    world.bar()
    world.cycle(12)

    assert [ticket] == list(world.terminal.open)
    assert ["LEFT_OPEN"] == world.codes
    assert "FLATTENING" == world.link.beats[-1]["state"]
    assert opened == len(world.opened)
    closes = [one for one in world.terminal.sent if one.action is Action.CLOSE]
    assert len(closes) >= 2

    world.terminal.answer = Outcome.FILLED
    world.cycle(6)
    assert {} == world.terminal.open
    assert [] == world.codes


def test_flatten_leaves_foreign_positions_alone(world):
    """Only what is ours is closed."""
    held(world)
    world.terminal.add("EURUSD", magic=0, ticket=99)
    restart(world, on_restart=FLATTEN)

    world.begin()
    world.cycle(2)

    assert [99] == list(world.terminal.open)


def test_flatten_waits_for_an_order_of_unknown_outcome(world):
    """An order of the earlier start that was executed after all is closed too."""
    world.begin()
    world.terminal.error = UnavailableError("the line is cut")
    world.bar()
    world.terminal.error = None
    token = world.opened[-1].token
    restart(world, on_restart=FLATTEN)
    world.begin()
    assert ["LEFT_OPEN"] == world.codes

    world.terminal.add("EURUSD", world.magic, ticket=50, comment=token)
    world.cycle(40)

    assert {} == world.terminal.open
    assert [] == world.codes


@pytest.mark.parametrize("is_disk_lost", [False, True])
def test_refuse_does_not_start_and_says_what_is_open(world, is_disk_lost):
    """The run ends with an error that names the position; nothing was sent."""
    ticket = held(world)
    if is_disk_lost:
        world.store.texts.clear()
    restart(world, on_restart=REFUSE)
    sent = len(world.terminal.sent)
    world.trade()
    world.strategy()
    world.link.at_start, world.link.events = world.link.events, []
    world.terminal.close_bar("EURUSD")

    summary = world.loop.run()

    assert f"position {ticket} buy 0.1 EURUSD" in summary.error
    assert "on_restart" in summary.error
    assert sent == len(world.terminal.sent)
    assert world.link.is_stopped


def test_refuse_starts_where_nothing_is_left(world):
    """Foreign positions are no reason to refuse, and later ones of ours neither."""
    world.terminal.add("EURUSD", magic=0, ticket=99)
    restart(world, on_restart=REFUSE)

    world.begin()
    world.bar()
    world.cycle(3)

    assert 1 == len(world.opened)
    assert not world.stop.reason


def test_refuse_waits_while_the_positions_are_unknown(world):
    """Unknown is not nothing: it neither stops nor opens."""
    ticket = held(world)
    restart(world, on_restart=REFUSE)
    world.terminal.is_readable = False
    world.begin()
    assert not world.stop.reason
    assert "LEFT_OPEN" in world.codes

    world.terminal.is_readable = True
    world.cycle()

    assert world.stop.reason
    assert [ticket] == list(world.terminal.open)


# -- the owner -------------------------------------------------------------------------
def test_a_replaced_strategy_goes_on_managing_after_a_restart(world, eager):
    """It closes what it holds by its own rule, opens nothing, and then stops."""
    world.classes["Leaver"] = Leaver
    world.begin(name="Leaver", parameters_by_symbol={"EURUSD": Leaver.Parameters()})
    world.bar()
    assert 1 == len(world.terminal.open)
    restart(world)
    remember(world, Leaver.Parameters, "Leaver")

    world.loop.start()
    world.trade(active_bot_id=2)
    world.cycle(2)
    assert [1] == list(world.roster.members)
    assert world.roster.members[1].is_leaving
    world.bar()
    world.cycle()

    assert {} == world.terminal.open
    assert {} == world.roster.members
    assert 1 == len(world.opened)


@pytest.mark.parametrize("is_on_disk", [True, False])
def test_what_nobody_manages_is_told_for_as_long_as_it_is_open(
    world, eager, is_on_disk, caplog
):
    """The class or the config is gone: the position stays, the heartbeat says so."""
    ticket = held(world)
    restart(world)
    if is_on_disk:
        remember(world, eager, name="Uninstalled")
    world.loop.start()
    world.trade(active_bot_id=2)

    world.cycle(5)

    why = "not found" if is_on_disk else "no config of it is on disk"
    assert "strategy:1: what it holds in EURUSD" in world.link.beats[-1]["errors"]
    assert why in world.link.beats[-1]["errors"]
    assert 1 == caplog.text.count("is managed by nobody")
    assert [ticket] == list(world.terminal.open)

    world.terminal.open.clear()
    world.cycle(2)
    assert "" == world.link.beats[-1]["errors"]


def test_a_symbol_that_the_config_does_not_name_is_managed_by_nobody(world, eager):
    """An engaged strategy gets no bars of a symbol without parameters."""
    held(world)
    restart(world)
    remember(world, eager, symbol="XAUUSD")
    world.loop.start()
    world.trade(active_bot_id=2)

    world.cycle(2)

    assert "its config does not name it" in world.link.beats[-1]["errors"]


def test_an_owner_is_tried_again_while_the_terminal_does_not_answer(world, eager):
    """Bars that cannot be read now are no reason to give a position up."""
    held(world)
    restart(world)
    remember(world, eager)
    world.loop.start()
    world.trade(active_bot_id=2)
    world.terminal.unreadable.add("EURUSD")
    world.cycle(2)
    assert {} == world.roster.members

    world.terminal.unreadable.clear()
    world.cycle()

    assert [1] == list(world.roster.members)


# -- collisions ------------------------------------------------------------------------
def test_a_strategy_with_the_number_of_another_is_refused(world):
    """Both ids are named, and it never trades; the first one's number stays its own."""
    magic = magic_number("7", 1)
    world.store.put("magics", "40", magic)
    restart(world)

    world.begin()
    world.bar()

    assert [] == world.opened
    assert ("refused", "strategy:1", 1) in world.link.done
    assert "strategies 40 and 1" in world.link.beats[-1]["errors"]
    assert {magic: 40} == world.roster.owners


# -- foreign positions -----------------------------------------------------------------
def test_a_foreign_position_is_told_once_when_it_comes_and_when_it_goes(world, caplog):
    """It is left alone, and no cycle repeats it."""
    world.begin()
    world.terminal.add("XAUUSD", magic=0, ticket=99)
    with caplog.at_level(logging.INFO):
        world.cycle(3)
        world.terminal.open.clear()
        world.cycle(3)

    assert 1 == caplog.text.count("position 99 is not ours and left alone")
    assert 1 == caplog.text.count("position 99, which is not ours, is gone")
