"""Every parameter of the built-in strategies, from the server's body to orders."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from whole_runner import MemoryStore, WholeRunner, utc

from runner import Strategy
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal
from runner.testing import FakeClock
from strategies.mean_reversion import MeanReversionBot
from strategies.trend_following import TrendFollowingBot

PAIR = "EURUSD"
FLAT = [1.1] * 8
WAVES = [1.0999, 1.1001] * 10
"""A mean of 1.1 and a deviation of ten points."""


class BotAccount:
    """A built-in strategy on EURUSD, one price a minute.

    Args:
        bot: Its class.
        **parameters: What the server says.
    """

    def __init__(self, bot: type[Strategy], **parameters: Any) -> None:
        self.terminal: Any = SimulatedTerminal(symbols={PAIR: {"spread": 0}})
        self.now = utc("2026-03-04 10:00")
        self.runner = WholeRunner(
            self.terminal, MemoryStore(), FakeClock(self.now), (bot,)
        )
        self._quote(1.1)
        self.runner.begin()
        self.runner.trade(enabled_symbols=(PAIR,))
        self.runner.strategy(bot.__name__, {PAIR: bot.Parameters(**parameters)})
        self.runner.cycle(2)

    def _quote(self, price: float) -> None:
        self.terminal.quote(PAIR, price, price, self.now)

    def play(self, *prices: float) -> None:
        """Let minutes pass; a bar closes when the next one's first price comes."""
        for price in prices:
            self.now += timedelta(minutes=1)
            self._quote(price)
            self.runner.cycle(2, seconds=30)

    @property
    def held(self) -> list[Any]:
        """What is open."""
        return list(self.terminal.positions_get() or ())

    @property
    def sides(self) -> str:
        """What is open: B for a long position, S for a short one."""
        return "".join("BS"[one.type] for one in self.held)


# -- trend following -------------------------------------------------------------------
def follow(**parameters: Any) -> BotAccount:
    """Return an account whose strategy looks back over five bars."""
    usual = {"threshold_points": 0, "lookback_period": 5}
    return BotAccount(TrendFollowingBot, **usual | parameters)


@pytest.mark.parametrize(("points", "opens"), [(99, True), (100, False)])
def test_threshold_points_is_how_far_a_bar_must_close(points: int, opens: bool) -> None:
    """Beyond the channel, upward and downward."""
    for price, side in ((1.101, "B"), (1.099, "S")):
        account = follow(threshold_points=points)
        account.play(*FLAT, price, price)

        assert (side if opens else "") == account.sides


@pytest.mark.parametrize(("bars", "opens"), [(5, True), (9, False)])
def test_lookback_period_is_what_makes_the_channel(bars: int, opens: bool) -> None:
    """A high eight bars ago is in it, or is not."""
    account = follow(lookback_period=bars)
    account.play(1.1, 1.102, *[1.101] * 7, 1.1015, 1.1015)

    assert opens is bool(account.held)


@pytest.mark.parametrize(("stop", "target"), [(100, 200), (250, 340)])
def test_stop_loss_and_take_profit_stand_at_the_broker(stop: int, target: int) -> None:
    """In points from the quote."""
    account = follow(stop_loss=stop, take_profit=target)
    account.play(*FLAT, 1.101, 1.101)

    (held,) = account.held
    levels = held.price_open - held.sl, held.tp - held.price_open
    assert [stop, target] == [round(one * 100_000) for one in levels]


# -- mean reversion --------------------------------------------------------------------
def revert(**parameters: Any) -> BotAccount:
    """Return an account whose strategy looks back over twenty bars."""
    return BotAccount(MeanReversionBot, **{"lookback_period": 20} | parameters)


@pytest.mark.parametrize(("deviations", "opens"), [(2.5, True), (3.5, False)])
def test_entry_deviations_is_how_far_opens(deviations: float, opens: bool) -> None:
    """From the mean, on both sides; the bar is three deviations away."""
    for price, side in ((1.0997, "B"), (1.1003, "S")):
        account = revert(entry_deviations=deviations)
        account.play(*WAVES, price, price)

        assert (side if opens else "") == account.sides


@pytest.mark.parametrize(("bars", "opens"), [(10, True), (30, False)])
def test_lookback_period_makes_mean_and_deviation(bars: int, opens: bool) -> None:
    """What was wild long ago counts, or does not."""
    account = revert(lookback_period=bars)
    account.play(*[1.09, 1.11] * 5, *WAVES, 1.0997, 1.0997)

    assert opens is bool(account.held)


@pytest.mark.parametrize(("deviations", "closes"), [(0.0, False), (1.5, True)])
def test_exit_deviations_is_how_near_closes(deviations: float, closes: bool) -> None:
    """A deviation below the mean is near enough, or is not; the mean itself is."""
    account = revert(exit_deviations=deviations)
    account.play(*WAVES, 1.0997, 1.0997)
    assert "B" == account.sides

    account.play(1.09989)
    assert closes is not bool(account.held)
    account.play(1.1001)
    assert [] == account.held


@pytest.mark.parametrize("stop", [300, 450])
def test_stop_loss_of_the_reversion_stands_at_the_broker(stop: int) -> None:
    """In points from the quote."""
    account = revert(stop_loss=stop)
    account.play(*WAVES, 1.0997, 1.0997)

    (held,) = account.held
    assert stop == round((held.price_open - held.sl) * 100_000)


@pytest.mark.parametrize(("minutes", "closes"), [(5, True), (60, False)])
def test_holding_minutes_is_the_longest_life(minutes: int, closes: bool) -> None:
    """Though the price never comes back."""
    account = revert(holding_minutes=minutes)
    account.play(*WAVES, 1.0997, 1.0997)
    account.play(*[1.0990] * 4)
    assert 1 == len(account.held)
    (first,) = account.held

    account.play(1.0990)
    assert closes is (first.ticket not in {one.ticket for one in account.held})
