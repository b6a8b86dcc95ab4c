"""The simulated server's clock over the changes of 2026: no bar lost, none twice.

New York changes on 8 March at 07:00 UTC and on 1 November at 06:00 UTC, Prague on
29 March and on 25 October at 01:00 UTC, all on Sundays.

The mark ``behaviour`` names the section and the source of a rule; see
``test_mt5_simulator_behaviour.py``.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import attrs
import numpy as np
import pytest

from runner.adapters.feeds.synthetic import SyntheticFeed
from runner.adapters.mt5_simulator import constants as mt5
from runner.adapters.mt5_simulator.bars import Records
from runner.adapters.mt5_simulator.driver import Driver, drive
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal
from runner.core.market import Bar, Tick, Timeframe
from runner.core.server_time import ServerZone

NEW_YORK, PRAGUE, COORDINATED = "America/New_York+7", "Europe/Prague", "UTC"
ZONES = (NEW_YORK, PRAGUE, COORDINATED)
DAY = timedelta(days=1)
M15 = Timeframe.M15.duration
FRAMES = {
    Timeframe.M15: mt5.TIMEFRAME_M15,
    Timeframe.H1: mt5.TIMEFRAME_H1,
    Timeframe.H4: mt5.TIMEFRAME_H4,
    Timeframe.D1: mt5.TIMEFRAME_D1,
}


def at(text: str) -> datetime:
    """Return an ISO time as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def wall(text: str) -> int:
    """Return an ISO time of the server's wall clock as the module counts it."""
    return round(at(text).timestamp())


def shown(time: int) -> str:
    """Return a time of the module as it reads on the server's clock."""
    return datetime.fromtimestamp(time, UTC).strftime("%a %d %b %H:%M")


@attrs.define
class Span:
    """A made market's bars from *start* to *end*, where *is_open* says so."""

    start: datetime
    end: datetime
    at_weekends: bool = True
    timeframe: Timeframe = Timeframe.M15
    symbols: Iterable[str] = ("EURUSD",)

    def bars(self) -> Iterator[Bar]:
        """Yield them in order."""
        made = SyntheticFeed(
            self.symbols, timeframe=self.timeframe, start=self.start
        ).bars()
        for bar in itertools.takewhile(lambda bar: bar.opens_at < self.end, made):
            if self.at_weekends or is_forex_open(bar.opens_at):
                yield bar


def is_forex_open(time: datetime) -> bool:
    """Say whether currencies are traded: Sunday 17:00 to Friday 17:00 in New York."""
    shifted = time.astimezone(ZoneInfo("America/New_York")).replace(tzinfo=None)
    return (shifted + timedelta(hours=7)).weekday() < 5


def played(
    zone: str, start: str, days: float, *, at_weekends: bool = True
) -> tuple[SimulatedTerminal, list[Bar]]:
    """Return a terminal after a span of market, and the bars that were played."""
    terminal = new(zone)
    span = Span(at(start), at(start) + days * DAY, at_weekends)
    made = list(span.bars())
    driver = drive(terminal, span)
    for _ in range(2 * len(made)):  # without the quote that ends a feed
        driver.advance()
    return terminal, made


def new(zone: str) -> SimulatedTerminal:
    """Return a terminal on a server in *zone*, with a swap of 1 a lot and night."""
    terminal = SimulatedTerminal(
        server_zone=ServerZone.parse(zone),
        symbols={"EURUSD": {"swap_long": -1.0, "swap_mode": 4}},
        balance=1e6,
    )
    terminal.initialize()
    terminal.symbol_select("EURUSD")
    return terminal


def rates(terminal: SimulatedTerminal, timeframe: Timeframe) -> Records:
    """Return every bar."""
    found = terminal.copy_rates_from_pos("EURUSD", FRAMES[timeframe], 0, 90_000)
    assert found is not None
    return found


CHANGES = [
    # zone, Friday before, day of the change, seconds that the clock goes forward
    (NEW_YORK, "2026-03-06", "2026-03-08", 3600),
    (NEW_YORK, "2026-03-27", "2026-03-29", 0),
    (NEW_YORK, "2026-10-23", "2026-10-25", 0),
    (NEW_YORK, "2026-10-30", "2026-11-01", -3600),
    (PRAGUE, "2026-03-06", "2026-03-08", 0),
    (PRAGUE, "2026-03-27", "2026-03-29", 3600),
    (PRAGUE, "2026-10-23", "2026-10-25", -3600),
    (PRAGUE, "2026-10-30", "2026-11-01", 0),
    (COORDINATED, "2026-03-06", "2026-03-08", 0),
    (COORDINATED, "2026-03-27", "2026-03-29", 0),
    (COORDINATED, "2026-10-23", "2026-10-25", 0),
    (COORDINATED, "2026-10-30", "2026-11-01", 0),
]


@pytest.mark.behaviour("6", "D")
@pytest.mark.parametrize(
    ("zone", "midnight", "opens"),
    [
        # 17:00 in New York, whatever London and Prague do.
        (NEW_YORK, "2026-03-06T22:00", "Sat 07 Mar 00:00"),
        (NEW_YORK, "2026-03-08T21:00", "Mon 09 Mar 00:00"),
        (NEW_YORK, "2026-03-29T21:00", "Mon 30 Mar 00:00"),
        (NEW_YORK, "2026-10-25T21:00", "Mon 26 Oct 00:00"),
        (NEW_YORK, "2026-10-31T21:00", "Sun 01 Nov 00:00"),
        (NEW_YORK, "2026-11-01T22:00", "Mon 02 Nov 00:00"),
        (PRAGUE, "2026-03-08T23:00", "Mon 09 Mar 00:00"),
        (PRAGUE, "2026-03-28T23:00", "Sun 29 Mar 00:00"),
        (PRAGUE, "2026-03-29T22:00", "Mon 30 Mar 00:00"),
        (PRAGUE, "2026-10-24T22:00", "Sun 25 Oct 00:00"),
        (PRAGUE, "2026-10-25T23:00", "Mon 26 Oct 00:00"),
        (COORDINATED, "2026-03-29T00:00", "Sun 29 Mar 00:00"),
        (COORDINATED, "2026-11-02T00:00", "Mon 02 Nov 00:00"),
    ],
)
def test_day_begins_at_the_servers_midnight(
    zone: str, midnight: str, opens: str
) -> None:
    """The last quote before it is of yesterday's bar, the next opens today's."""
    terminal = new(zone)
    for moment in (at(midnight) - timedelta(seconds=1), at(midnight)):
        terminal.quote("EURUSD", 1.1, 1.1001, moment)

    days = terminal.copy_rates_from_pos("EURUSD", mt5.TIMEFRAME_D1, 0, 2)

    assert days is not None
    assert 2 == len(days)
    assert opens == shown(days["time"][1])
    info = terminal.symbol_info("EURUSD")
    assert info is not None
    assert days["time"][1] == info.time


@pytest.mark.parametrize(("zone", "friday", "sunday", "forward"), CHANGES)
@pytest.mark.parametrize("timeframe", FRAMES)
def test_no_bar_is_lost_and_none_comes_twice(
    zone: str, friday: str, sunday: str, forward: int, timeframe: Timeframe
) -> None:
    """In a market that never closes only the hour that the clock skips is missing."""
    terminal, made = played(zone, friday, 4)

    bars = rates(terminal, timeframe)

    steps = Counter(np.diff(bars["time"]).tolist())
    length = timeframe.value * 60
    assert [0] * len(bars) == (bars["time"] % length).tolist()
    skipped = max(0, forward) if length <= 3600 else 0
    assert {length, length + skipped} == set(steps)
    assert (1 if skipped else len(bars) - 1) == steps[length + skipped]
    # Nothing of the market is missing, whichever bar it went into.
    assert sum(bar.tick_volume for bar in made) == bars["tick_volume"].sum()
    assert max(bar.high for bar in made) == bars["high"].max()
    assert (made[0].open, made[-1].close) == (bars["open"][0], bars["close"][-1])


@pytest.mark.parametrize(("zone", "friday", "sunday", "forward"), CHANGES)
def test_day_of_the_change_has_its_hours(
    zone: str, friday: str, sunday: str, forward: int
) -> None:
    """It is 23, 24 or 25 hours long, all of them in its one daily bar."""
    terminal, made = played(zone, friday, 4)
    begins = terminal.market.zone.to_utc(wall(sunday))
    ends = terminal.market.zone.to_utc(wall(sunday) + 86_400)

    days = rates(terminal, Timeframe.D1)

    assert 86_400 - forward == ends - begins
    within = [bar for bar in made if begins <= bar.opens_at.timestamp() < ends]
    (day,) = days[days["time"] == wall(sunday)]
    assert sum(bar.tick_volume for bar in within) == day["tick_volume"]
    assert (within[0].open, within[-1].close) == (day["open"], day["close"])


def test_hour_that_comes_twice_goes_into_its_bar() -> None:
    """Both passes of 08:00 on 1 November are one H1 bar; the clock stands still."""
    terminal, made = played(NEW_YORK, "2026-11-01", 1)

    hours = rates(terminal, Timeframe.H1)

    first, last = at("2026-11-01T05:00"), at("2026-11-01T07:00")
    twice = [bar for bar in made if first <= bar.opens_at < last]
    assert 8 == len(twice)
    (hour,) = hours[hours["time"] == wall("2026-11-01T08:00")]
    assert (
        twice[0].open,
        max(bar.high for bar in twice),
        min(bar.low for bar in twice),
        twice[-1].close,
        sum(bar.tick_volume for bar in twice),
    ) == tuple(hour)[1:6]


@pytest.mark.behaviour("7", "F")
@pytest.mark.parametrize(
    ("zone", "monday", "h1", "h4", "days"),
    [
        # Five days of 24 hours, on both sides of both changes.
        (NEW_YORK, "2026-03-02", 120, 30, 5),
        (NEW_YORK, "2026-03-09", 120, 30, 5),
        (NEW_YORK, "2026-03-30", 120, 30, 5),
        (NEW_YORK, "2026-10-26", 120, 30, 5),
        (NEW_YORK, "2026-11-02", 120, 30, 5),
        # Sunday's stub and Friday's end: 23:00, but 22:00 while only America changed.
        (PRAGUE, "2026-03-02", 120, 31, 6),
        (PRAGUE, "2026-03-09", 120, 31, 6),
        (PRAGUE, "2026-03-30", 120, 31, 6),
        (PRAGUE, "2026-10-26", 120, 31, 6),
        (PRAGUE, "2026-11-02", 120, 31, 6),
        (COORDINATED, "2026-03-02", 120, 31, 6),
        (COORDINATED, "2026-03-09", 120, 31, 6),
    ],
)
def test_week_of_currencies_has_its_bars(
    zone: str, monday: str, h1: int, h4: int, days: int
) -> None:
    """From Sunday 17:00 in New York to Friday 17:00, by the server's clock."""
    start = at(monday) - 2 * DAY
    terminal, made = played(
        zone, start.replace(tzinfo=None).isoformat(), 7, at_weekends=False
    )

    counts = [
        len(rates(terminal, each))
        for each in (Timeframe.H1, Timeframe.H4, Timeframe.D1)
    ]

    assert 480 == len(made)
    assert [h1, h4, days] == counts


@pytest.mark.behaviour("7", "F")
@pytest.mark.parametrize(
    ("zone", "monday", "first"),
    [
        (NEW_YORK, "2026-03-02", "Mon 02 Mar 00:00"),
        (NEW_YORK, "2026-03-09", "Mon 09 Mar 00:00"),
        (NEW_YORK, "2026-10-26", "Mon 26 Oct 00:00"),
        (NEW_YORK, "2026-11-02", "Mon 02 Nov 00:00"),
        (PRAGUE, "2026-03-02", "Sun 01 Mar 23:00"),
        (PRAGUE, "2026-03-09", "Sun 08 Mar 22:00"),
        (PRAGUE, "2026-03-30", "Sun 29 Mar 23:00"),
        (PRAGUE, "2026-10-26", "Sun 25 Oct 22:00"),
        (PRAGUE, "2026-11-02", "Sun 01 Nov 23:00"),
        (COORDINATED, "2026-03-02", "Sun 01 Mar 22:00"),
        (COORDINATED, "2026-03-09", "Sun 08 Mar 21:00"),
    ],
)
def test_week_of_currencies_opens(zone: str, monday: str, first: str) -> None:
    """The first bar of the week, where America and Europe change on other days."""
    start = at(monday) - 2 * DAY
    terminal, _ = played(
        zone, start.replace(tzinfo=None).isoformat(), 3, at_weekends=False
    )

    assert first == shown(rates(terminal, Timeframe.H1)["time"][0])


@pytest.mark.behaviour("7", "D")
@pytest.mark.parametrize(("zone", "friday", "sunday", "forward"), CHANGES)
def test_ranges_meet_without_a_gap(
    zone: str, friday: str, sunday: str, forward: int
) -> None:
    """Ranges that end and begin on every hour of the change add up to the whole."""
    terminal, _ = played(zone, friday, 4)
    first, last = wall(friday) - 86_400, wall(sunday) + 3 * 86_400
    whole = terminal.copy_rates_range("EURUSD", mt5.TIMEFRAME_M15, first, last)
    ticks = terminal.copy_ticks_range("EURUSD", first, last, mt5.COPY_TICKS_ALL)
    assert whole is not None
    assert ticks is not None

    for hour in range(12):
        middle = wall(sunday) + hour * 3600
        halves = [
            terminal.copy_rates_range("EURUSD", mt5.TIMEFRAME_M15, *ends)
            for ends in ((first, middle - 1), (middle, last))
        ]
        assert whole["time"].tolist() == [
            time for half in halves if half is not None for time in half["time"]
        ]
        back = terminal.copy_rates_from(
            "EURUSD", mt5.TIMEFRAME_M15, middle - 1, len(whole)
        )
        assert back is not None
        assert halves[0] is not None
        assert halves[0]["time"].tolist() == back["time"].tolist()
        onward = terminal.copy_ticks_from("EURUSD", middle, 90_000, mt5.COPY_TICKS_ALL)
        assert onward is not None
        assert ticks[ticks["time"] >= middle].tolist() == onward.tolist()


@pytest.mark.behaviour("7", "W")
@pytest.mark.parametrize(("zone", "friday", "sunday", "forward"), CHANGES)
def test_ticks_never_go_back(zone: str, friday: str, sunday: str, forward: int) -> None:
    """Every phase leaves a tick, in order of time and of milliseconds."""
    terminal, made = played(zone, friday, 4)

    ticks = terminal.copy_ticks_range("EURUSD", 1, 2**31 - 1, mt5.COPY_TICKS_ALL)

    assert ticks is not None
    assert 2 * len(made) == len(ticks)
    assert (np.diff(ticks["time_msc"]) >= 0).all()
    assert (ticks["time_msc"] // 1000 == ticks["time"]).all()


@attrs.define
class Ticks:
    """A feed of given ticks."""

    content: Sequence[Tick]
    symbols: Iterable[str] = ("EURUSD",)

    def ticks(self) -> Iterable[Tick]:
        """Yield the given ticks."""
        return iter(self.content)


@pytest.mark.parametrize(("zone", "friday", "sunday", "forward"), CHANGES)
def test_bars_of_ticks_are_neither_lost_nor_twice(
    zone: str, friday: str, sunday: str, forward: int
) -> None:
    """A tick a minute makes an M1 bar a minute; the hour that repeats goes into one."""
    terminal = new(zone)
    start = at(sunday) - 6 * M15
    minutes = 60 * 14
    driver: Driver = drive(
        terminal,
        Ticks(
            [
                Tick(
                    symbol="EURUSD",
                    time=start + timedelta(minutes=minute),
                    bid=1.1,
                    ask=1.1001,
                )
                for minute in range(minutes)
            ]
        ),
    )
    while driver.advance():
        pass

    bars = terminal.copy_rates_from_pos("EURUSD", mt5.TIMEFRAME_M1, 1, 90_000)

    assert bars is not None
    assert minutes == bars["tick_volume"].sum()
    assert minutes - (60 if forward < 0 else 0) == len(bars)
    assert {60, 60 + max(0, forward)} == set(np.diff(bars["time"]).tolist())


@pytest.mark.behaviour("6", "D")
@pytest.mark.parametrize(
    ("zone", "opened", "until", "nights"),
    [
        # One night, at 17:00 in New York: 22:00 UTC in winter, 21:00 in summer.
        (NEW_YORK, "2026-03-06T20:00", "2026-03-06T21:59", 0),
        (NEW_YORK, "2026-03-06T20:00", "2026-03-06T22:00", 1),
        (NEW_YORK, "2026-03-09T20:00", "2026-03-09T20:59", 0),
        (NEW_YORK, "2026-03-09T20:00", "2026-03-09T21:00", 1),
        (NEW_YORK, "2026-10-30T20:00", "2026-10-30T21:00", 1),
        (NEW_YORK, "2026-11-02T20:00", "2026-11-02T21:59", 0),
        (NEW_YORK, "2026-11-02T20:00", "2026-11-02T22:00", 1),
        # Wednesday's night is three, on both sides of the changes.
        (NEW_YORK, "2026-03-04T20:00", "2026-03-04T22:00", 3),
        (NEW_YORK, "2026-03-11T20:00", "2026-03-11T21:00", 3),
        (NEW_YORK, "2026-11-04T20:00", "2026-11-04T22:00", 3),
        (PRAGUE, "2026-03-25T20:00", "2026-03-25T22:59", 0),
        (PRAGUE, "2026-03-25T20:00", "2026-03-25T23:00", 3),
        (PRAGUE, "2026-04-01T20:00", "2026-04-01T22:00", 3),
        (PRAGUE, "2026-10-28T20:00", "2026-10-28T22:59", 0),
        (PRAGUE, "2026-10-28T20:00", "2026-10-28T23:00", 3),
        (COORDINATED, "2026-03-11T20:00", "2026-03-12T00:00", 3),
        # A weekend has Friday's night only, also where a clock changes in it.
        (NEW_YORK, "2026-03-06T20:00", "2026-03-09T12:00", 1),
        (NEW_YORK, "2026-10-30T20:00", "2026-11-02T12:00", 1),
        (PRAGUE, "2026-03-27T20:00", "2026-03-30T12:00", 1),
        (PRAGUE, "2026-10-23T20:00", "2026-10-26T12:00", 1),
        # Seven nights a week, wherever it begins.
        (NEW_YORK, "2026-03-04T12:00", "2026-03-11T12:00", 7),
        (NEW_YORK, "2026-10-29T12:00", "2026-11-05T12:00", 7),
        (PRAGUE, "2026-03-26T12:00", "2026-04-02T12:00", 7),
        (PRAGUE, "2026-10-20T12:00", "2026-10-27T12:00", 7),
        (COORDINATED, "2026-03-06T12:00", "2026-03-13T12:00", 7),
    ],
)
def test_nights_are_the_servers(
    zone: str, opened: str, until: str, nights: int
) -> None:
    """Swap accrues at the server's midnight, three times on Wednesday."""
    terminal = new(zone)
    terminal.quote("EURUSD", 1.1, 1.1001, at(opened))
    terminal.order_send({"action": 1, "symbol": "EURUSD", "volume": 1.0, "type": 0})

    terminal.quote("EURUSD", 1.1, 1.1001, at(until))

    assert [-float(nights)] == [held.swap for held in terminal.positions_get() or ()]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("start", ["2026-03-05", "2026-10-22"])
def test_nights_do_not_depend_on_how_often_quotes_come(zone: str, start: str) -> None:
    """Quote by quote over both changes the swap is what one quote at the end brings."""
    often, once = new(zone), new(zone)
    for terminal in (often, once):
        terminal.quote("EURUSD", 1.1, 1.1001, at(start))
        terminal.order_send({"action": 1, "symbol": "EURUSD", "volume": 1.0, "type": 0})

    for minutes in range(0, 30 * 24 * 60, 30):
        time = at(start) + timedelta(minutes=minutes)
        often.quote("EURUSD", 1.1, 1.1001, time)
    once.quote("EURUSD", 1.1, 1.1001, time)

    (held,), (other,) = often.positions_get() or (), once.positions_get() or ()
    assert held.swap == other.swap
    assert held.swap < -28


@pytest.mark.behaviour("6", "D")
@pytest.mark.parametrize(
    ("zone", "placed", "lapses"),
    [
        (NEW_YORK, "2026-03-08T12:00", "2026-03-08T21:00"),
        (NEW_YORK, "2026-11-01T12:00", "2026-11-01T22:00"),
        (PRAGUE, "2026-03-29T00:30", "2026-03-29T22:00"),
        (PRAGUE, "2026-10-25T00:30", "2026-10-25T23:00"),
        (COORDINATED, "2026-10-25T00:30", "2026-10-26T00:00"),
    ],
)
def test_day_order_lapses_at_the_servers_midnight(
    zone: str, placed: str, lapses: str
) -> None:
    """Also at the end of the day that is an hour shorter or longer."""
    terminal = new(zone)
    terminal.quote("EURUSD", 1.1, 1.1001, at(placed))
    terminal.order_send(
        {
            "action": 5,
            "symbol": "EURUSD",
            "volume": 0.1,
            "type": 2,
            "price": 1.05,
            "type_time": 1,
            "type_filling": 2,
        }
    )

    terminal.pass_time(at(lapses) - timedelta(seconds=1))
    assert 1 == terminal.orders_total()
    terminal.pass_time(at(lapses))
    assert 0 == terminal.orders_total()


@pytest.mark.behaviour("6", "D")
@pytest.mark.parametrize(("zone", "friday", "sunday", "forward"), CHANGES)
def test_deals_stay_in_order_of_time(
    zone: str, friday: str, sunday: str, forward: int
) -> None:
    """A deal an hour over the change: every one is found by its time, in order."""
    terminal = new(zone)
    for hour in range(72):
        terminal.quote("EURUSD", 1.1, 1.1001, at(friday) + timedelta(hours=hour))
        terminal.order_send(
            {"action": 1, "symbol": "EURUSD", "volume": 0.01, "type": hour % 2}
        )

    deals = (terminal.history_deals_get(1, 2**31 - 1) or ())[1:]

    assert 72 == len(deals)
    times = [deal.time for deal in deals]
    assert sorted(times) == times
    for deal in deals:
        found = terminal.history_deals_get(deal.time, deal.time)
        assert deal in (found or ())
