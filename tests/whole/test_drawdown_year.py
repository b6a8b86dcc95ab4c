"""Random strategies over years of real bars: how far beyond a limit can it get?

The market can jump over a floor between two looks, and closing costs something. Nothing
else may take the account further. The test prints by how much each preset was exceeded.
MT5RUNNER_DRAWDOWN_BARS says how many hours to play for each preset; 0 plays all.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest
from memory_store import MemoryStore
from whole_runner import WholeRunner

from plugins.drawdown.rules import PRESETS
from runner import Bar, Intents, Parameters, Strategy, Timeframe
from runner.adapters.feeds.spec import open_feed, parse_spec
from runner.adapters.mt5_simulator.driver import drive
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal
from runner.testing import FakeClock

PAIRS = ("EURUSD", "GBPUSD")
DEPOSIT, COMMISSION = 100_000.0, 3.5
BARS = int(os.environ.get("MT5RUNNER_DRAWDOWN_BARS", "6200"))


class Gambler(Strategy):
    """Opens something large every few hours, half of it without a stop."""

    Parameters = Parameters
    chance = random.Random(7)

    def on_bar(self, bar: Bar) -> Intents:
        chance = self.chance
        if not self.is_flat(bar.symbol):
            return self.close(bar.symbol) if chance.random() < 0.05 else None
        if chance.random() < 0.4:
            return None
        way = self.buy if chance.random() < 0.5 else self.sell
        return way(
            bar.symbol,
            volume=round(chance.uniform(0.5, 8.0), 2),
            stop_loss=chance.choice([None, chance.randint(100, 900)]),
            take_profit=chance.randint(100, 900),
        )


@attrs.frozen
class Bars:
    """Bars in memory; fulfils `ports.Feed`."""

    all: Sequence[Bar]
    symbols: Sequence[str] = PAIRS
    timeframe: Timeframe = Timeframe.H1

    def bars(self) -> Iterator[Bar]:
        """Yield them in order of time."""
        return iter(self.all)


@attrs.define
class Worst:
    """How far equity fell below a floor, in percent of the deposit."""

    between_looks: float = 0.0
    at_reset: float = 0.0
    daily: int = 0
    maximum: int = 0


@pytest.fixture(scope="module")
def bars(market_data: Path) -> list[Bar]:
    """Hours of the two pairs, in order of time."""
    files = ",".join(
        f"{pair}={market_data}/bars/{pair}_H1_2024-2026_mt5.csv.gz" for pair in PAIRS
    )
    start = datetime(2024, 1, 1, tzinfo=UTC)
    feed: Any = open_feed(parse_spec(f"csv:{files}"), zone=None, start=start)
    found = list(feed.bars())
    return found if BARS == 0 else found[: BARS * len(PAIRS)]


def live(bars: Sequence[Bar], preset: str, mode: str, worst: Worst) -> int:
    """Play *bars* until they end or the maximum is reached; return how many it took."""
    terminal: Any = SimulatedTerminal(balance=DEPOSIT, commission=COMMISSION)
    runner = WholeRunner(
        terminal,
        MemoryStore(),
        FakeClock(bars[0].opens_at),
        (Gambler,),
        settings={
            "drawdown": {
                "preset": preset,
                "initial_balance": DEPOSIT,
                "positions_without_stop": mode,
            }
        },
        timeframe=Timeframe.H1,
    )
    driver = drive(terminal, Bars(bars))
    driver.advance()
    runner.begin()
    runner.trade(
        enabled_symbols=PAIRS,
        daily_dd_limit_percent=3.0,
        max_account_dd_percent=8.0,
        on_breach="flatten",
    )
    runner.strategy("Gambler", dict.fromkeys(PAIRS, Parameters()))
    runner.cycle(2, seconds=1.0)
    before, phases, codes = terminal.account_info().equity, 1, list[str]()
    floors = floors_of(runner)
    while driver.advance():
        phases += 1
        shown = terminal.account_info().equity
        lots = sum(held.volume for held in terminal.account.positions.values())
        runner.cycle(1, seconds=0.5)
        after, new = terminal.account_info().equity, floors_of(runner)
        told, codes = codes, runner.codes
        if codes and codes != told and "RISK" not in codes[0]:
            is_daily = codes == ["DAILY_DRAWDOWN"]
            worst.daily += is_daily
            worst.maximum += not is_daily
            assert {} == terminal.account.positions
            floor, rise = max(new), max(0.0, max(new) - max(floors))
            beyond = floor - after
            costs = lots * COMMISSION + 0.02 * (1 + len(PAIRS))
            # At the look before, the account was above its floor; so it fell by this
            # jump, by what a new day asks for, and by what opening and closing cost.
            assert before > max(floors)
            assert beyond <= before - shown + rise + costs
            percent = beyond / DEPOSIT * 100
            if rise:
                worst.at_reset = max(worst.at_reset, percent)
            else:
                worst.between_looks = max(worst.between_looks, percent)
        if codes == ["MAX_DRAWDOWN"]:
            break
        before, floors = shown, new
    return max(2, phases // 2 * len(PAIRS))


def floors_of(runner: WholeRunner) -> tuple[float, float]:
    """Return both floors as a heartbeat would tell them now."""
    account: Any = runner.view.account
    status = runner.host.describe_status(account=account, now=runner.view.now)
    return float(status["daily_dd_floor"]), float(status["max_dd_floor"])


@pytest.mark.data
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("preset", [preset.value for preset in PRESETS])
@pytest.mark.parametrize("mode", ["refuse", "ignore"])
def test_no_limit_is_exceeded_by_more_than_a_jump_and_its_costs(
    bars: list[Bar], preset: str, mode: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Account after account, each until its maximum is reached, on real hours."""
    Gambler.chance = random.Random(preset)
    if mode == "refuse":
        bars = bars[: len(bars) // 4]
    worst, begin, lives = Worst(), 0, 0
    while begin < len(bars) - 200:
        begin += live(bars[begin:], preset, mode, worst)
        lives += 1
    with capsys.disabled():
        print(  # noqa: T201 - a figure for people
            f"\n{preset}, without stop {mode}: {len(bars) // len(PAIRS)} hours, "
            f"{lives} accounts, "
            f"{worst.daily} daily and {worst.maximum} maximum breaches; beyond the "
            f"limit {worst.between_looks:.3f} % of the deposit between two looks, "
            f"{worst.at_reset:.3f} % when a day began"
        )
    if mode == "ignore":
        assert 0 < worst.daily
        assert 0 < worst.maximum
    else:  # every entry was checked with its stop: only a jump over stops breaches
        assert worst.daily + worst.maximum <= 2
