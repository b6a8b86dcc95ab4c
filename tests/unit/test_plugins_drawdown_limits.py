"""The arithmetic of both limits, against what firms publish."""

from __future__ import annotations

import itertools
import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plugins.drawdown.days import advance, first_marks
from plugins.drawdown.latches import hear_server, latch
from plugins.drawdown.limits import TOLERANCE, Limit, daily_limit, max_limit
from plugins.drawdown.marks import Marks
from plugins.drawdown.rules import PRESETS, Rules, rules_of
from plugins.drawdown.settings import DrawdownSettings
from runner import (
    Account,
    DailyPercentOf,
    DailyReference,
    DailyReset,
    DrawdownPreset,
    MaxMode,
    MaxPercentOf,
)
from runner.testing import make_account

PRAGUE = DailyReset.parse("00:00 Europe/Prague")
BROKER = DailyReset.parse("broker")
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
FTMO_2STEP = attrs.evolve(PRESETS[DrawdownPreset.FTMO_2STEP], initial_balance=100_000.0)
FTMO_1STEP = attrs.evolve(PRESETS[DrawdownPreset.FTMO_1STEP], initial_balance=100_000.0)


def reading(balance: float, equity: float | None = None) -> Account:
    """Return a reading; equity is the balance unless it is given."""
    return make_account(balance, equity=balance if equity is None else equity)


def marks(**changes: Any) -> Marks:
    """Return the marks of a day that began at 100,000, changed."""
    fields: dict[str, Any] = {
        "day_start": NOON - 12 * HOUR,
        "day_end": NOON + 12 * HOUR,
        "is_estimated": False,
        "day_balance": 100_000.0,
        "day_equity": 100_000.0,
        "day_peak_equity": 100_000.0,
        "peak_balance": 100_000.0,
        "peak_equity": 100_000.0,
        "peak_day_balance": 100_000.0,
    }
    return Marks(**fields | changes)


# -- what firms publish ----------------------------------------------------------------
@pytest.mark.parametrize(
    ("balance", "daily_floor"), [(100_000, 95_000), (102_000, 97_000), (94_000, 89_000)]
)
def test_ftmo_counts_five_percent_of_initial_from_the_midnight_balance(
    balance: float, daily_floor: float
) -> None:
    """The static 90,000 dominates once it is higher than the day's floor."""
    day = marks(day_balance=balance)

    assert daily_floor == daily_limit(FTMO_2STEP, day, 5.0).floor
    assert 90_000 == max_limit(FTMO_2STEP, day, 10.0).floor
    assert max_limit(FTMO_2STEP, day, 10.0).is_breached(89_999)


def test_a_floating_loss_held_over_midnight_breaches_at_midnight() -> None:
    """FTMO's example: 200,000, +4,000 closed on Monday, -13,000 floating overnight."""
    rules = attrs.evolve(FTMO_2STEP, initial_balance=200_000.0)
    before_midnight = datetime(2026, 1, 12, 22, 59, tzinfo=UTC)
    monday = first_marks(reading(200_000), None, before_midnight - 9 * HOUR, PRAGUE)
    held = reading(204_000, 191_000)

    monday = advance(monday, held, before_midnight, PRAGUE, reading(200_000))
    assert not daily_limit(rules, monday, 5.0).is_breached(held.equity)

    tuesday = advance(monday, held, before_midnight + HOUR / 60, PRAGUE, held)
    limit = daily_limit(rules, tuesday, 5.0)
    assert 194_000 == limit.floor
    assert limit.is_breached(held.equity)


def test_ftmo_1step_trails_the_best_balance_at_the_end_of_a_day() -> None:
    """Day ends at 100k, 104k and 103k have floors of 90k, 94k and 94k."""
    now = datetime(2026, 1, 12, 12, tzinfo=UTC)
    state = first_marks(reading(100_000), None, now, PRAGUE)
    floors = [max_limit(FTMO_1STEP, state, 10.0).floor]
    for end in (104_000, 103_000):
        account = reading(end)
        now += DAY
        state = advance(state, account, now, PRAGUE, account)
        floors.append(max_limit(FTMO_1STEP, state, 10.0).floor)

    assert [90_000, 94_000, 94_000] == floors


@pytest.mark.parametrize(
    ("reference", "balance", "equity", "percent", "floor"),
    [
        ("max_balance_equity", 102_000, 105_000, 5.0, 99_750),  # FundingPips
        ("max_balance_equity", 105_000, 102_000, 5.0, 99_750),
        ("equity", 6_000, 5_123.19, 5.0, 4_867.0305),  # Funds.Pro
        ("balance", 105_000, 99_000, 4.0, 100_800),  # Breakout
    ],
)
def test_a_percentage_of_the_days_reference(
    reference: str, balance: float, equity: float, percent: float, floor: float
) -> None:
    """The published examples of firms that take a percentage of their reference."""
    rules = Rules(daily_reference=DailyReference(reference))
    day = marks(day_balance=balance, day_equity=equity)

    assert floor == pytest.approx(daily_limit(rules, day, percent).floor)


@pytest.mark.parametrize(
    ("peak", "floor"),
    [(100_000, 94_000), (102_000, 95_880), (106_383, 100_000), (150_000, 100_000)],
)
def test_a_trailing_floor_locks_at_the_initial_balance(
    peak: float, floor: float
) -> None:
    """MyFundedCapital: 6 % of the highest closed balance, locked at the start."""
    rules = Rules(trail_lock_at_initial=True, initial_balance=100_000.0)
    limit = max_limit(rules, marks(peak_balance=peak), 6.0)

    assert floor == pytest.approx(limit.floor)
    assert limit.is_breached(floor)
    assert limit.used(floor) == pytest.approx(6.0)


def test_a_trailing_equity_floor_never_falls() -> None:
    """Upside: 4 % of the highest equity; 103,000 gives 98,880, also at 101,000."""
    rules = Rules(max_mode=MaxMode.TRAILING_EQUITY)
    state = marks()
    floors: list[float | None] = []
    for equity in (103_000, 101_000):
        account = reading(100_000, equity)
        state = advance(state, account, NOON, BROKER, account)
        floors.append(max_limit(rules, state, 4.0).floor)

    assert [98_880, 98_880] == floors


def test_an_intraday_peak_with_a_fixed_amount() -> None:
    """HyroTrader: 250 of 5,000 below the day's highest equity, so 4,950 at 5,200."""
    rules = Rules(
        daily_reference=DailyReference.INTRADAY_PEAK_EQUITY,
        daily_percent_of=DailyPercentOf.INITIAL,
        initial_balance=5_000.0,
    )
    limit = daily_limit(rules, marks(day_peak_equity=5_200.0), 5.0)

    assert limit.is_breached(4_950.0)
    assert not limit.is_breached(4_950.01)


def test_the_floor_itself_breaches() -> None:
    """MetaApi lets 95,000 pass and stops 94,999; touching is already ours."""
    limit = daily_limit(Rules(), marks(), 5.0)

    assert limit.is_breached(94_999.0)
    assert limit.is_breached(95_000.0)
    assert not limit.is_breached(95_000.01)
    assert 5.0 == limit.used(95_000.0)


@pytest.mark.parametrize(
    ("day", "hour"),
    [
        ((2026, 1, 15), 1),
        ((2026, 3, 10), 2),
        ((2026, 3, 31), 1),
        ((2026, 7, 1), 1),
        ((2026, 10, 27), 2),
        ((2026, 11, 3), 1),
    ],
)
def test_prague_midnight_moves_on_the_servers_clock(
    day: tuple[int, int, int], hour: int
) -> None:
    """Server time is New York + 7 h; between the two switches they differ by 2 h."""
    noon = datetime(*day, 12, tzinfo=ZoneInfo("Europe/Prague"))
    reset = PRAGUE.latest(noon)
    server = reset.astimezone(ZoneInfo("America/New_York")) + timedelta(hours=7)

    assert (*day, hour) == (server.year, server.month, server.day, server.hour)


# -- resets ----------------------------------------------------------------------------
def test_the_brokers_day_begins_at_five_in_new_york() -> None:
    """That is midnight of New York + 7 h, in winter and summer."""
    winter, summer = datetime(2026, 1, 15, 23, tzinfo=UTC), NOON.replace(month=7)

    assert datetime(2026, 1, 15, 22, tzinfo=UTC) == BROKER.latest(winter)
    assert datetime(2026, 7, 14, 21, tzinfo=UTC) == BROKER.latest(summer)


zones = st.sampled_from(
    [
        "broker",
        "00:00 Europe/Prague",
        "00:30 UTC",
        "23:00 Europe/Berlin",
        "02:30 America/New_York",
        "23:59 Pacific/Apia",
        "12:00 Australia/Lord_Howe",
    ]
)
instants = st.floats(0.0, 9000.0).map(lambda days: NOON - days * DAY)


@example("23:59 Pacific/Apia", datetime(2011, 12, 30, 10, 30, tzinfo=UTC))
@example("02:30 America/New_York", datetime(2026, 3, 8, 7, 15, tzinfo=UTC))
@example("02:30 America/New_York", datetime(2025, 11, 2, 6, 45, tzinfo=UTC))
@given(zones, instants)
def test_every_instant_lies_in_exactly_one_day(text: str, now: datetime) -> None:
    """Also on the days when clocks change, and where a date was skipped."""
    reset = DailyReset.parse(text)
    start, end = reset.latest(now), reset.following(now)

    assert start <= now < end
    assert timedelta(0) < end - start <= timedelta(hours=50)
    assert end == reset.following(start)
    assert start == reset.latest(start)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00:00",
        "Europe/Prague",
        "25:00 UTC",
        "00:00 Mars/Olympus",
        "0:00 UTC",
        "00:00 ../UTC",
        "00:00  UTC",
        "brokers",
    ],
)
def test_a_reset_that_cannot_be_read_says_how_to_write_it(text: str) -> None:
    """The error shows both forms."""
    with pytest.raises(ValueError, match="daily_reset: expected 'broker', or HH:MM"):
        DailyReset.parse(text)


# -- the day ---------------------------------------------------------------------------
def test_a_day_counts_from_the_reading_at_the_reset() -> None:
    """At the very instant, too, equity may be seen before a swap or after it."""
    midnight = datetime(2026, 1, 15, 23, tzinfo=UTC)
    state = first_marks(reading(100.0), None, NOON, PRAGUE)

    state = advance(state, reading(90.0, 80.0), midnight, PRAGUE, reading(100.0))

    assert (90.0, 100.0, 100.0) == (
        state.day_balance,
        state.day_equity,
        state.day_peak_equity,
    )
    assert (midnight, midnight + DAY) == (state.day_start, state.day_end)
    assert not state.is_estimated


def test_between_two_readings_the_stricter_one_counts() -> None:
    """A gap at the opening after the reset does not lower the reference."""
    state = first_marks(reading(100.0), None, NOON, PRAGUE)
    after = datetime(2026, 1, 15, 23, 5, tzinfo=UTC)

    state = advance(state, reading(90.0, 105.0), after, PRAGUE, reading(95.0, 100.0))

    assert (95.0, 105.0) == (state.day_balance, state.day_equity)


def test_a_reset_that_nobody_saw_is_estimated_strictly() -> None:
    """What counts equity takes the higher of balance and equity now."""
    state = first_marks(reading(100.0), None, NOON, PRAGUE)

    state = advance(state, reading(90.0, 97.0), NOON + 3 * DAY, PRAGUE, None)

    assert state.is_estimated
    for reference in DailyReference:
        limit = daily_limit(Rules(daily_reference=reference), state, 5.0)
        known = reference is DailyReference.BALANCE
        assert (90.0 if known else 97.0) == limit.anchor


def test_the_clock_rolls_the_day_not_a_trade() -> None:
    """A reading that shows nothing new still begins the day."""
    account = reading(100.0)
    state = first_marks(account, None, NOON, PRAGUE)

    rolled = advance(state, account, state.day_end, PRAGUE, account)

    assert state.day_end == rolled.day_start


def test_a_clock_that_goes_back_a_little_keeps_the_day() -> None:
    """A late quote of yesterday must not make the day's loss forgotten."""
    state = first_marks(reading(100.0), None, NOON, PRAGUE)
    yesterday = state.day_start - HOUR

    assert state is advance(state, reading(96.0), yesterday, PRAGUE, reading(96.0))


def test_another_recording_begins_its_own_day_and_keeps_the_latches() -> None:
    """A paper account that is run again over old bars; a block stays for that day."""
    state = first_marks(reading(100.0), None, NOON, PRAGUE)
    state = latch(
        state, daily_limit(Rules(), state, 5.0), Limit(1, 1, None), 90, NOON, 1
    )
    past = datetime(2014, 5, 1, 12, tzinfo=UTC)

    again = advance(state, reading(100.0), past, PRAGUE, None)
    assert PRAGUE.latest(past) == again.day_start
    assert again.daily is not None

    next_day = advance(again, reading(100.0), past + DAY, PRAGUE, reading(100.0))
    assert next_day.daily is None


def test_the_first_marks_believe_the_servers_peak() -> None:
    """After a reinstallation the peak is not forgotten."""
    assert 120.0 == first_marks(reading(100.0), 120.0, NOON, BROKER).peak_balance
    assert 100.0 == first_marks(reading(100.0), 80.0, NOON, BROKER).peak_balance
    assert 100.0 == first_marks(reading(100.0), None, NOON, BROKER).peak_balance


# -- limits ----------------------------------------------------------------------------
def test_without_a_percentage_there_is_no_limit_but_a_figure() -> None:
    """The loss is still reported."""
    limit = daily_limit(Rules(), marks(), None)

    assert limit.floor is None
    assert not limit.is_breached(1.0)
    assert 10.0 == limit.used(90_000.0)


def test_a_peak_below_the_initial_balance_does_not_count() -> None:
    """An account that only lost trails from where it began."""
    rules = Rules(initial_balance=100_000.0)

    limit = max_limit(rules, marks(peak_balance=97_000.0), 10.0)
    assert 100_000.0 == limit.anchor


def test_an_unreadable_equity_counts_as_a_breach() -> None:
    """NaN is neither above nor below; it must not pass."""
    assert Limit(100.0, 100.0, 5.0).is_breached(math.nan)
    assert Limit(math.nan, 100.0, 5.0).is_breached(100.0)


amounts = st.floats(1.0, 1e8)
percents = st.floats(0.01, 100.0)
rules = st.builds(
    Rules,
    daily_reference=st.sampled_from(DailyReference),
    daily_percent_of=st.sampled_from(DailyPercentOf),
    max_mode=st.sampled_from(MaxMode),
    max_percent_of=st.sampled_from(MaxPercentOf),
    trail_lock_at_initial=st.booleans(),
    initial_balance=amounts,
)
readings = st.builds(make_account, amounts, equity=amounts)


@given(rules, st.lists(readings, min_size=2, max_size=20), percents, st.data())
def test_used_and_breached_agree(
    rules: Rules, accounts: list[Account], percent: float, data: st.DataObject
) -> None:
    """A limit is breached when, and only when, its percentage is used up."""
    state = first_marks(accounts[0], None, NOON, BROKER)
    now = NOON
    for before, account in itertools.pairwise(accounts):
        now += data.draw(st.timedeltas(timedelta(0), 2 * DAY))
        state = advance(state, account, now, BROKER, before)
    equity = accounts[-1].equity
    for limit in (
        daily_limit(rules, state, percent),
        max_limit(rules, state, percent),
    ):
        used = limit.used(equity)
        slack = 0.0001 / limit.base * 100 + 1e-9 * percent
        if limit.is_breached(equity):
            assert used >= percent - slack
        else:
            assert used <= percent + slack


@given(rules, st.lists(readings, min_size=2, max_size=30), percents)
def test_a_trailing_floor_only_rises(
    rules: Rules, accounts: list[Account], percent: float
) -> None:
    """No reading lowers the maximum floor."""
    state = first_marks(accounts[0], None, NOON, BROKER)
    floors: list[float] = []
    for hour, account in enumerate(accounts):
        state = advance(state, account, NOON + 7 * hour * HOUR, BROKER, accounts[0])
        floor = max_limit(rules, state, percent).floor
        assert floor is not None
        floors.append(floor)

    for before, after in itertools.pairwise(floors):
        assert after >= before - TOLERANCE


@given(st.lists(readings, min_size=1, max_size=30))
def test_within_a_day_the_reference_stands(accounts: list[Account]) -> None:
    """Readings move the peaks, never what the day began with."""
    state = first = first_marks(accounts[0], None, NOON, BROKER)
    for minute, account in enumerate(accounts):
        state = advance(state, account, NOON + minute * HOUR / 60, BROKER, account)

    assert (first.day_balance, first.day_equity, first.day_start) == (
        state.day_balance,
        state.day_equity,
        state.day_start,
    )
    highest = max(first.day_equity, *(one.equity for one in accounts))
    assert highest == state.day_peak_equity
    assert max(one.balance for one in accounts) == state.peak_balance


# -- latches ---------------------------------------------------------------------------
NO_LIMIT = Limit(100.0, 100.0, None)


def test_a_daily_breach_is_latched_with_its_figures() -> None:
    """The figures are those of the breach, so that the reason does not flicker."""
    state = marks(day_balance=10_000.0, day_equity=10_000.0)
    limit = daily_limit(Rules(), state, 5.0)

    state = latch(state, limit, NO_LIMIT, 9_489.10, NOON, 7)

    assert state.daily is not None
    assert "DAILY_DRAWDOWN" == state.daily.code
    assert (
        "used=5.11% limit=5% floor=9500.00 equity=9489.10 until=2026-01-16T00:00Z"
        == state.daily.detail
    )
    assert state is latch(state, limit, NO_LIMIT, 9_000.0, NOON + HOUR, 7)


def test_a_recovery_does_not_release_the_day() -> None:
    """Once breached the day stays breached, until the next one begins."""
    state = first_marks(reading(100.0), None, NOON, BROKER)
    state = latch(state, daily_limit(Rules(), state, 5.0), NO_LIMIT, 94.0, NOON, 1)

    recovered = advance(state, reading(100.0), NOON + HOUR, BROKER, reading(94.0))
    assert recovered.daily is not None

    next_day = advance(recovered, reading(100.0), state.day_end, BROKER, reading(100.0))
    assert next_day.daily is None


def test_the_maximum_survives_the_days() -> None:
    """Only a release ends it."""
    state = first_marks(reading(100.0), None, NOON, BROKER)
    state = latch(state, NO_LIMIT, max_limit(Rules(), state, 10.0), 90.0, NOON, 1)

    later = advance(state, reading(150.0), NOON + 30 * DAY, BROKER, reading(90.0))

    assert later.maximum is not None
    assert "MAX_DRAWDOWN" == later.maximum.code
    assert (
        "used=10.00% limit=10% floor=90.00 equity=90.00 until=released"
        == later.maximum.detail
    )


def held(config_version: int = 5) -> Marks:
    """Return marks with a maximum latch set under that trade config."""
    state = first_marks(reading(100.0), None, NOON, BROKER)
    limit = max_limit(Rules(), state, 10.0)
    return latch(state, NO_LIMIT, limit, 89.0, NOON, config_version)


def hear(state: Marks, *configs: tuple[int, bool]) -> Marks:
    """Let the server's configs (version, dd_blocked) come one after the other."""
    for version, is_blocked in configs:
        state = hear_server(state, reading(89.0), version, is_blocked)
    return state


@pytest.mark.parametrize(
    "configs",
    [
        [(5, False)],
        [(6, False)],
        [(6, False), (7, False)],
        [(6, True)],
        [(6, True), (6, False)],
        [(6, True), (5, False)],
        [(6, True), (4, False)],
        [(5, True), (6, False)],  # blocked before the breach, for the day's limit
    ],
    ids=str,
)
def test_what_does_not_release(configs: list[tuple[int, bool]]) -> None:
    """An old config, or one whose block was not for this breach, releases nothing."""
    assert hear(held(), *configs).maximum is not None


@pytest.mark.parametrize(
    "configs",
    [
        [(6, True), (7, False)],
        [(6, False), (7, True), (9, False)],
        [(5, True), (6, False), (7, True), (8, False)],
        [(2, True), (3, False)],  # a server restored from a backup
    ],
    ids=str,
)
def test_an_operator_releases_by_blocking_and_unblocking(
    configs: list[tuple[int, bool]],
) -> None:
    """Two configs after the breach: one that blocks, a newer one that does not."""
    state = hear(held(), *configs)

    assert state.maximum is None
    assert (89.0, 89.0, 89.0) == (
        state.peak_balance,
        state.peak_equity,
        state.peak_day_balance,
    )
    assert not max_limit(Rules(), state, 10.0).is_breached(89.0)


def test_a_static_limit_latches_again_after_a_release() -> None:
    """Its floor does not move, so an account below it stays stopped."""
    static = Rules(max_mode=MaxMode.STATIC, initial_balance=100.0)
    state = hear(held(), (6, True), (7, False))

    again = latch(state, NO_LIMIT, max_limit(static, state, 10.0), 89.0, NOON, 7)
    assert again.maximum is not None


# -- settings --------------------------------------------------------------------------
def test_the_defaults_are_the_strict_ones_that_need_nothing_else() -> None:
    """Higher of balance and equity, broker's midnight, trailing the balance."""
    assert Rules() == rules_of(DrawdownSettings())


def test_a_setting_replaces_the_presets_choice() -> None:
    """Also where the preset says otherwise, and false is a choice too."""
    settings = DrawdownSettings(
        preset=DrawdownPreset.FTMO_2STEP,
        initial_balance=50_000.0,
        daily_reference=DailyReference.EQUITY,
        trail_lock_at_initial=False,
    )

    expected = attrs.evolve(
        PRESETS[DrawdownPreset.FTMO_2STEP],
        daily_reference=DailyReference.EQUITY,
        initial_balance=50_000.0,
    )
    assert expected == rules_of(settings)


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_every_preset_can_be_used(preset: str) -> None:
    """Its reset is readable, and its limits can be computed."""
    chosen = rules_of(
        DrawdownSettings(preset=DrawdownPreset(preset), initial_balance=100_000.0)
    )

    DailyReset.parse(chosen.daily_reset)
    assert 95_000.0 == daily_limit(chosen, marks(), 5.0).floor
    assert 90_000.0 == max_limit(chosen, marks(), 10.0).floor


@pytest.mark.parametrize(
    ("settings", "needed_by"),
    [
        ({"max_mode": "static"}, "max_mode = 'static'"),
        ({"max_percent_of": "initial"}, "max_percent_of = 'initial'"),
        ({"daily_percent_of": "initial"}, "daily_percent_of = 'initial'"),
        ({"trail_lock_at_initial": True}, "trail_lock_at_initial"),
        ({"preset": "ftmo_2step"}, "max_mode = 'static'"),
    ],
    ids=str,
)
def test_todays_balance_is_never_taken_for_the_initial_one(
    settings: dict[str, Any], needed_by: str
) -> None:
    """The common way to lose a limit by a restart; so it has to be given."""
    missing = rules_of(DrawdownSettings(**settings)).missing

    assert missing is not None
    assert missing.startswith(f"initial_balance: {needed_by} needs")


@pytest.mark.parametrize(
    "settings",
    [
        {"preset": "ftmo"},
        {"daily_reference": "peak"},
        {"daily_reset": "midnight"},
        {"max_mode": "trailing"},
        {"initial_balance": 0.0},
    ],
    ids=str,
)
def test_senseless_settings_are_refused(settings: dict[str, Any]) -> None:
    """A mistyped choice must not leave the default in force."""
    with pytest.raises(ValueError, match=str(next(iter(settings.values())))):
        DrawdownSettings(**settings)


def test_offsets_other_than_utc_are_the_same_instant() -> None:
    """A market time with another offset begins the same day."""
    local = NOON.astimezone(timezone(timedelta(hours=2)))

    assert BROKER.latest(NOON) == BROKER.latest(local)
