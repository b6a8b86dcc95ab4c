"""Real bars under a real calendar, through the whole runner."""

from __future__ import annotations

import csv
import gzip
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from news_scene import Always, Journal
from news_weeks import MINUTE, Weekend
from whole_runner import MemoryStore, WholeRunner

from runner import Action, Bar, Intents, Parameters, Timeframe
from runner.adapters.feeds.spec import open_feed, parse_spec
from runner.adapters.mt5_simulator.driver import drive
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal
from runner.loop.pacing import Pacer
from runner.testing import FakeClock

pytestmark = pytest.mark.data
HALF_AN_HOUR = timedelta(minutes=30)
LAST_KNOWN = datetime.fromisoformat("2026-02-01T05:00:00+00:00")
"""The Sunday after the calendar's last event, at midnight in New York."""


class Flipper(Always):
    """Wants out at every bar if it is in, and in if it is out."""

    def on_bar(self, bar: Bar) -> Intents:
        if self.is_flat(bar.symbol):
            return super().on_bar(bar)
        return self.close(bar.symbol)


def events(path: Path, currencies: set[str]) -> list[datetime]:
    """Return when each high-impact event of *currencies* is."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [
            datetime.fromisoformat(row["date"])
            for row in csv.DictReader(file)
            if row["impact"] == "High" and row["country"] in currencies | {"All"}
        ]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("frame", ["H1_2024-2026", "M15_2026"])
def test_no_entry_is_made_inside_any_window(
    frame: str, market_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A strategy that always wants in, over EURUSD and GBPUSD, two years of news."""
    names = ("EURUSD", "GBPUSD")
    bars = market_data / "bars"
    calendar = market_data / "calendar" / "ff_high_impact_2020-2026.csv.gz"
    files = ",".join(f"{name}={bars / f'{name}_{frame}_mt5.csv.gz'}" for name in names)
    feed = open_feed(parse_spec(f"csv:{files}"), zone=None, start=LAST_KNOWN)
    terminal = SimulatedTerminal(balance=1e9)
    clock, journal = FakeClock(), Journal()
    driver = drive(terminal, feed)
    runner = WholeRunner(
        terminal,
        MemoryStore(),
        clock,
        (Flipper,),
        settings={"news_pause": {"calendar": str(calendar)}},
        plugins={"journal": journal},
        player=Pacer(driver, clock, 0.0),
        timeframe=Timeframe[frame.split("_", maxsplit=1)[0]],
    )
    runner.trade(auto_pause_on_news=True, enabled_symbols=names, lot_size=0.01)
    runner.strategy("Flipper", {name: Parameters() for name in names})
    runner.begin()
    while driver.next_at is not None:
        runner.cycle()

    entries = [
        (at, one.symbol) for at, one in journal.sent if one.action is Action.OPEN
    ]
    minded = {name: events(calendar, {name[:3], name[3:]}) for name in names}
    inside = [
        (at, symbol)
        for at, symbol in entries
        if any(
            event - HALF_AN_HOUR <= at < event + HALF_AN_HOUR
            for event in minded[symbol]
        )
    ]
    denied = [
        (at, intent.symbol)
        for at, intent, code in journal.denied
        if code == "NEWS_WINDOW"
    ]
    unknown = {at for at, _, code in journal.denied if code == "NEWS_UNKNOWN"}
    total = sum(len(one) for one in minded.values())
    with capsys.disabled():
        sys.stdout.write(
            f"\n{frame}: {len(entries)} entries, {total} events minded, "
            f"{len(denied)} denied in windows, {len(inside)} entries inside, "
            f"{len(unknown)} times unknown\n"
        )
    assert [] == inside
    assert [] == [at for at, _ in entries if at >= LAST_KNOWN]
    assert all(at >= LAST_KNOWN for at in unknown)
    assert all(
        any(event - HALF_AN_HOUR <= at < event + HALF_AN_HOUR for event in minded[name])
        for at, name in denied
    )
    if frame.startswith("H1"):
        assert len(entries) > 1000
        assert len(denied) > 100
    else:
        assert unknown


DAYS = {
    "payrolls": ("2025-04-04T12:00", "2025-04-04T12:50"),
    "central bank and indices": ("2025-07-24T11:50", "2025-07-24T14:00"),
    "rates": ("2025-09-17T17:30", "2025-09-17T18:45"),
    "inflation": ("2025-10-24T12:00", "2025-10-24T14:00"),
}
"""Hours in which news of several currencies come close to each other."""
ODD = {"High": [13.5, 0.5]}
CLOSING = {"High": {"block_before": 5, "block_after": 3, "close_before": 17}}


@pytest.mark.parametrize("closes", [False, True], ids=["odd minutes", "close_before"])
@pytest.mark.parametrize("day", DAYS)
def test_every_minute_outside_a_window_trades_and_none_inside(
    day: str, *, closes: bool, market_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An entry is tried each minute, at the real times of real news: all are counted.

    No recorded bars finer than an hour lie inside the calendar, so these are made.
    """
    start, end = (datetime.fromisoformat(f"{text}+00:00") for text in DAYS[day])
    path = market_data / "calendar" / "ff_high_impact_2020-2026.csv.gz"
    names = ("EURUSD", "GBPUSD", "EURGBP")
    settings = {"windows": CLOSING, "on_enter_window": "close_all"}
    scene = Weekend(
        Path(),
        "",
        [(start, end + HALF_AN_HOUR)],
        symbols=names,
        calendar=str(path),
        **settings if closes else {"windows": ODD},
    )
    scene.play(end + MINUTE)

    before, after = (17.0, 3.0) if closes else (13.5, 0.5)
    # A strategy that has just begun decides on the second bar.
    tried = [start + n * MINUTE for n in range(2, round((end - start) / MINUTE))]
    told: list[str] = []
    for name in names:
        times = {at for at in events(path, {name[:3], name[3:]}) if start <= at < end}
        inside = [
            at
            for at in tried
            if any(one - before * MINUTE <= at < one + after * MINUTE for one in times)
        ]
        free = [at for at in tried if at not in inside]
        opened = [at for at in scene.entries(name) if at < end]
        told.append(f"{name} {len(times)} times, {len(free)}+{len(inside)}")
        assert free == opened
        if not times:
            assert name == "EURGBP"
            continue
        assert {min(inside) - MINUTE, max(inside) + MINUTE} <= set(opened)
        # What was opened in the last free minute is closed in the next one: by the
        # strategy, unless a demand does it before that is asked.
        by = "news_pause" if closes else "Renewed"
        assert set(inside) & set(scene.closed(name, by)) == {
            at for at in inside if at - MINUTE in free
        }
    assert {"NEWS_WINDOW"} == {code for _, _, code in scene.journal.denied}
    with capsys.disabled():
        sys.stdout.write(f"\n{day}: {'; '.join(told)}\n")
