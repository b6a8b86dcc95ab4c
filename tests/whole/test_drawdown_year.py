"""Random strategies over years of real bars: how far beyond a limit can it get?

What each firm publishes is reckoned here a second time, from the terminal's own balance
and equity, and the guard is held against it at every look: it latches exactly when the
published limit is reached, closes everything at once, and lets go with the firm's day.
So an account falls beneath a floor by no more than one jump of the market and what
opening and closing cost. The test prints by how much each preset was exceeded.

MT5RUNNER_DRAWDOWN_BARS says how many hours to play for each preset; 0 plays all.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

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
DAILY, MAXIMUM = 0.03, 0.08
CENT, POINT, LOT = 0.01, 0.00001, 100_000
# Looks without a position, more than a day, after which an account is left.
IDLE = 60
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


# -- what the firms publish, reckoned a second time ------------------------------------
NEW_YORK = ("America/New_York", 7)
PRAGUE = ("Europe/Prague", 0)
MOSCOW = ("Etc/GMT-3", 0)


@attrs.frozen
class Published:
    """A firm's two limits in words of this file.

    Attributes:
        clock: Zone, and hours that the firm's clock is ahead of it.
        counts_equity: Whether a day counts from the higher of balance and equity.
        of_deposit: Whether the daily percentage is one of the deposit.
        trails: What the account's floor follows: nothing, the highest balance, or the
            highest balance at the end of a day.
        touch: Whether an equity at the floor is a breach.
    """

    clock: tuple[str, int]
    counts_equity: bool = False
    of_deposit: bool = False
    trails: str = ""
    touch: bool = True


PUBLISHED: Mapping[str, Published] = {
    "default": Published(NEW_YORK, counts_equity=True, trails="balance"),
    "static": Published(NEW_YORK, counts_equity=True),
    "ftmo_2step": Published(PRAGUE, of_deposit=True),
    "ftmo_1step": Published(PRAGUE, of_deposit=True, trails="day"),
    "fundednext": Published(NEW_YORK),
    "fundingpips": Published(MOSCOW, counts_equity=True),
    "metaapi_day": Published(NEW_YORK, trails="balance", touch=False),
}


class Firm:
    """Watches one account as its firm would, and knows nothing of the guard.

    Attributes:
        daily: The equity at which the day's limit is reached.
        maximum: The same of the account's limit.
        is_paused: Whether the day's limit was reached on this day.
        is_out: Whether the account's limit was reached.
        has_begun: Whether a day began at the last look.
        carried: Tickets of positions that are older than the day.
        slipped: Whether a stop of the day was filled worse than it stood.
        costs: What the deals since the last look cost, spreads included.
    """

    def __init__(self, rules: Published, terminal: Any) -> None:
        self._rules, self._terminal = rules, terminal
        self._account = terminal.account
        self._zone = ZoneInfo(rules.clock[0])
        self._day: date | None = None
        self._reference = self._peak = self._peak_day = DEPOSIT
        self._balance = self._equity = self._after_deals = DEPOSIT
        self._last_deal = 0
        self._stops: dict[int, tuple[int, float]] = {}
        self.carried: frozenset[int] = frozenset()
        self.slipped = False
        self.costs = 0.0
        self.daily = self.maximum = 0.0
        self.is_paused = self.is_out = self.has_begun = False

    def look(self, now: datetime) -> float:
        """Take in what the market made of the account; return the equity."""
        equity: float = self._account.figures().equity
        local = now.astimezone(self._zone) + timedelta(hours=self._rules.clock[1])
        self.has_begun = self._day not in (None, local.date())
        if self.has_begun:
            self._reference = self._balance
            if self._rules.counts_equity:
                self._reference = max(self._balance, self._equity, equity)
            self._peak_day = max(self._peak_day, self._balance)
            self.is_paused = self.slipped = False
            self.carried = frozenset(self._stops)
        self._day, self._equity = local.date(), equity
        self._watch_stops()
        self._count_deals(now)
        self.is_paused = self.is_paused or self._is_reached(self.daily, equity)
        self.is_out = self.is_out or self._is_reached(self.maximum, equity)
        return equity

    def look_again(self, now: datetime) -> float:
        """Take in what the runner made of it; return the equity."""
        equity: float = self._account.figures().equity
        self._balance, self._equity = self._account.balance, max(self._equity, equity)
        self._count_deals(now)
        self._watch_stops()
        return equity

    def _count_deals(self, now: datetime) -> None:
        # A balance is high, too, if it is for as long as it takes to the next deal.
        deals: Sequence[Any] = ()
        self.costs = 0.0
        if self._account.balance != self._after_deals:  # every deal costs something
            wall = self._terminal.wall_msc(now) // 1000
            deals = self._terminal.history_deals_get(wall - 7200, wall + 60)
        for deal in deals:
            if deal.ticket > self._last_deal and deal.symbol:
                self._last_deal = deal.ticket
                result = deal.profit + deal.commission + deal.swap + deal.fee
                self._after_deals = round(self._after_deals + result, 2)
                self.costs += deal.volume * COMMISSION + 2 * CENT
                if deal.entry == self._terminal.DEAL_ENTRY_IN:
                    quote = self._terminal.symbol_info_tick(deal.symbol)
                    self.costs += (quote.ask - quote.bid) * LOT * deal.volume
                self._peak = max(self._peak, self._after_deals)
        assert self._after_deals == self._account.balance
        rules = self._rules
        of_day = DEPOSIT if rules.of_deposit else self._reference
        self.daily = self._reference - DAILY * of_day
        self.maximum = (1 - MAXIMUM) * DEPOSIT
        if rules.trails == "balance":
            self.maximum = (1 - MAXIMUM) * self._peak
        elif rules.trails == "day":
            self.maximum = self._peak_day - MAXIMUM * DEPOSIT

    def _watch_stops(self) -> None:
        held = self._account.positions
        for ticket, (sign, stop) in self._stops.items():
            if ticket not in held:
                closed = self._terminal.history_deals_get(position=ticket)[-1]
                is_worse = (stop - closed.price) * sign > POINT / 2
                self.slipped = self.slipped or bool(stop and is_worse)
        self._stops = {
            ticket: (1 if one.is_buy else -1, one.sl) for ticket, one in held.items()
        }

    def _is_reached(self, floor: float, equity: float) -> bool:
        return equity < floor + (CENT if self._rules.touch else -CENT) / 2


# -- the run ---------------------------------------------------------------------------
@attrs.define
class Worst:
    """How far equity fell below a floor, in percent of the deposit."""

    between_looks: float = 0.0
    at_reset: float = 0.0
    daily: int = 0
    maximum: int = 0

    def note(self, firm: Firm, beyond: float) -> None:
        """Keep the worst of it."""
        self.daily += not firm.is_out
        self.maximum += firm.is_out
        percent = beyond / DEPOSIT * 100
        if firm.has_begun:
            self.at_reset = max(self.at_reset, percent)
        else:
            self.between_looks = max(self.between_looks, percent)


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
    """Play *bars* until the account is at its end; return how many it took.

    That is when its maximum is reached, or when it is so near to it that nothing which
    the strategy wants is let through any more.
    """
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
        daily_dd_limit_percent=DAILY * 100,
        max_account_dd_percent=MAXIMUM * 100,
        on_breach="flatten",
    )
    runner.strategy("Gambler", dict.fromkeys(PAIRS, Parameters()))
    firm, now = Firm(PUBLISHED[preset], terminal), runner.view.now
    runner.cycle(2, seconds=1.0)
    firm.look(driver.now or now)
    firm.look_again(driver.now or now)
    before, phases, idle, is_over = DEPOSIT, 1, 0, False
    while not is_over and driver.advance():
        assert driver.now is not None
        phases += 1
        was_paused = firm.is_paused
        stood = firm.maximum if was_paused else max(firm.daily, firm.maximum)
        shown = firm.look(driver.now)
        held = terminal.account.positions
        idle = 0 if held else idle + 1
        # Few heartbeats, since nobody reads them: they are a third of the time. That
        # nothing is left to close is seen a look after the last close.
        runner.cycle(2 if firm.has_begun else 1, seconds=0.01)
        after = firm.look_again(driver.now)
        where = driver.now, firm.daily, firm.maximum, shown
        # Everything is opened and closed at the quotes of the look itself.
        assert shown - after <= firm.costs + CENT, where
        if not (firm.is_out or firm.is_paused):
            assert [] == runner.codes, where
        else:
            code = "MAX_DRAWDOWN" if firm.is_out else "DAILY_DRAWDOWN"
            assert [code] == runner.codes, where
            assert {} == held, where
            if firm.is_out or firm.has_begun or not was_paused:
                # So what it fell since is one jump of the market, and those costs.
                assert before > stood, where
                worst.note(firm, max(firm.daily, firm.maximum) - after)
                if mode == "refuse":
                    # Every entry was checked with its stop, against the day's floors.
                    rose = bool(firm.carried) or PUBLISHED[preset].trails == "balance"
                    assert firm.slipped or rose, where
        before, is_over = shown, firm.is_out or idle >= IDLE
    return max(2, phases // 2 * len(PAIRS))


@pytest.mark.data
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("preset", "mode"),
    [
        *((preset.value, "refuse") for preset in PRESETS),
        # Without stops an account breaches every few days: one preset for each clock,
        # reference and kind of maximum will do.
        *((name, "ignore") for name in ("default", "ftmo_1step", "fundingpips")),
    ],
)
def test_no_limit_is_exceeded_by_more_than_a_jump_and_its_costs(
    bars: list[Bar], preset: str, mode: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Account after account, each until its maximum is reached, on real hours."""
    Gambler.chance = random.Random(preset)
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


def test_every_preset_is_reckoned_a_second_time() -> None:
    """A preset that no firm of this file has would be held against nothing."""
    assert {preset.value for preset in PRESETS} == set(PUBLISHED)
