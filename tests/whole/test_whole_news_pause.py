"""Every setting of the news pause, from the settings file to orders at the terminal."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import attrs
import pytest
from news_scene import (
    MAGIC,
    MINUTE,
    ONE,
    Always,
    Leaver,
    Once,
    Scene,
    calendar,
    event,
    row,
)

from plugins.news_pause.settings import NewsPauseSettings
from runner import Action, Demand, NewsEvent, Position, hookimpl

TESTED = {
    "preset": "test_preset_ftmo_forbids_entries_and_exits_for_two_minutes",
    "sources": "test_sources_are_asked_in_order",
    "calendar": "test_calendar_stops_entries_around_its_events",
    "feed_url": "test_feed_url_is_asked",
    "cache_dir": "test_cache_dir_is_shared",
    "poll_minutes": "test_poll_minutes_is_the_time_between_two_requests",
    "windows": "test_windows_are_as_wide_as_their_impact_says",
    "on_enter_window": "test_on_enter_window_deals_with_what_is_open",
    "cancel_pendings": "test_cancel_pendings_removes_own_orders_alone",
    "block_exits": "test_block_exits_holds_strategies_in",
    "include": "test_include_lets_only_matching_titles_count",
    "exclude": "test_exclude_lets_matching_titles_not_count",
    "all_events": "test_all_events_says_from_which_impact_on",
    "symbols": "test_symbols_replace_the_brokers_currencies",
    "when_unknown": "test_when_unknown_blocks_or_allows",
    "api": "test_api_is_where_the_server_is_asked",
}
"""Setting to a test that fails when it is wired to nothing."""


def test_every_setting_has_such_a_test() -> None:
    """A setting without one is not part of the contract."""
    here = Path(__file__).parent
    text = "\n".join(path.read_text("utf-8") for path in here.glob("test_*.py"))

    assert [field.name for field in attrs.fields(NewsPauseSettings)] == list(TESTED)
    assert [] == [name for name in TESTED.values() if f"def {name}(" not in text]


def free(first: int, last: int) -> list[int]:
    """Return the minutes in which a bar's decision is sent, both included."""
    return list(range(first, last + 1))


def stopped(scene: Scene, symbol: str = "EURUSD") -> list[int]:
    """Return the minutes from 12:02 to 13:59 in which nothing was opened."""
    opened = set(scene.journal.minutes(symbol=symbol))
    return [minute for minute in range(-58, 60) if minute not in opened]


# -- entries ---------------------------------------------------------------------------
def test_calendar_stops_entries_around_its_events(tmp_path: Path) -> None:
    """Half an hour before and after, in EURUSD, and not in EURGBP."""
    scene = Scene({"calendar": calendar(tmp_path)}, symbols=("EURUSD", "EURGBP"))

    scene.play()

    assert free(-30, 29) == stopped(scene)
    assert [] == stopped(scene, "EURGBP")
    assert {"NEWS_WINDOW"} == {code for _, _, code in scene.journal.denied}


def test_windows_are_as_wide_as_their_impact_says(tmp_path: Path) -> None:
    """As a pair of minutes or by name; an impact without one stops nothing."""
    path = calendar(tmp_path, row(-40, impact="Low"), row(), row(30, impact="Medium"))
    windows = {"High": [10, 5], "Medium": {"block_before": 3, "block_after": 7}}
    scene = Scene({"calendar": path, "windows": windows})

    scene.play()

    assert free(-10, 4) + free(27, 36) == stopped(scene)


def test_windows_that_overlap_and_events_at_one_minute_are_one(tmp_path: Path) -> None:
    """Five events make one window, without a gap and not a minute longer."""
    rows = [row(), row(title="Core CPI m/m"), row(8), row(16), row(16, "EUR")]
    path = calendar(tmp_path, *rows)
    scene = Scene({"calendar": path, "windows": {"High": [5, 5]}})

    scene.play()

    assert free(-5, 20) == stopped(scene)


def test_include_lets_only_matching_titles_count(tmp_path: Path) -> None:
    """A firm's own list of restricted events."""
    path = calendar(tmp_path, row(-30, title="ISM"), row(title="Core CPI m/m"))
    scene = Scene(
        {"calendar": path, "windows": {"High": [5, 5]}, "include": ["cpi", "payroll"]}
    )

    scene.play()

    assert free(-5, 4) == stopped(scene)


def test_exclude_lets_matching_titles_not_count(tmp_path: Path) -> None:
    """It wins over what is included."""
    path = calendar(tmp_path, row(-30, title="CPI y/y"), row(title="Core CPI m/m"))
    scene = Scene(
        {
            "calendar": path,
            "windows": {"High": [5, 5]},
            "include": ["cpi"],
            "exclude": ["y/y"],
        }
    )

    scene.play()

    assert free(-5, 4) == stopped(scene)


@pytest.mark.parametrize(
    ("threshold", "minutes"),
    [("Medium", free(-5, 4)), ("High", []), ("Low", free(-5, 4))],
)
def test_all_events_says_from_which_impact_on(
    threshold: str, minutes: list[int], tmp_path: Path
) -> None:
    """An OPEC meeting of medium impact is about everything, or about nothing."""
    path = calendar(tmp_path, row(currency="All", impact="Medium"))
    scene = Scene(
        {"calendar": path, "windows": {"Medium": [5, 5]}, "all_events": threshold}
    )

    scene.play()

    assert minutes == stopped(scene)


def test_symbols_replace_the_brokers_currencies(tmp_path: Path) -> None:
    """EURGBP minds the dollar, since somebody says so, and EURUSD no longer does."""
    scene = Scene(
        {
            "calendar": calendar(tmp_path),
            "windows": {"High": [5, 5]},
            "symbols": {"EURGBP": ["USD"], "EURUSD": ["EUR"]},
        },
        symbols=("EURUSD", "EURGBP"),
    )

    scene.play()

    assert [] == stopped(scene)
    assert free(-5, 4) == stopped(scene, "EURGBP")


@pytest.mark.parametrize(("word", "opens"), [("block", False), ("allow", True)])
def test_when_unknown_blocks_or_allows(word: str, opens: bool, tmp_path: Path) -> None:
    """The calendar ends on the Saturday before."""
    path = calendar(tmp_path, row(-7 * 24 * 60))
    scene = Scene({"calendar": path, "when_unknown": word})

    scene.play()

    assert opens is bool(scene.journal.minutes())
    assert "UNKNOWN" == scene.news["state"]
    if not opens:
        assert {"NEWS_UNKNOWN"} == {code for _, _, code in scene.journal.denied}


class Almanac:
    """A plugin that knows news."""

    def __init__(self, *events: NewsEvent) -> None:
        self.events = events

    @hookimpl
    def choose_calendar(self, now: datetime) -> Sequence[NewsEvent] | None:
        return self.events or None


@pytest.mark.parametrize(
    ("sources", "minutes"),
    [
        (["plugin", "file"], free(-35, -26)),
        (["file", "plugin"], free(-5, 4)),
        (["file"], free(-5, 4)),
    ],
    ids=str,
)
def test_sources_are_asked_in_order(
    sources: list[str], minutes: list[int], tmp_path: Path
) -> None:
    """The first that knows the week counts, alone; who is not named is not heard."""
    scene = Scene(
        {
            "calendar": calendar(tmp_path),
            "sources": sources,
            "windows": {"High": [5, 5]},
        },
        plugins={"almanac": Almanac(event(-30))},
    )

    scene.play()

    assert minutes == stopped(scene)


def test_the_next_source_counts_where_the_first_knows_nothing(tmp_path: Path) -> None:
    """A plugin that still has last week's news."""
    scene = Scene(
        {"calendar": calendar(tmp_path), "windows": {"High": [5, 5]}},
        plugins={"almanac": Almanac(event(-7 * 24 * 60))},
    )

    scene.play()

    assert free(-5, 4) == stopped(scene)


def test_what_a_plugin_said_is_known_after_a_restart() -> None:
    """Also if the plugin itself says nothing yet."""
    settings = {"windows": {"High": [5, 5]}}
    first = Scene(settings, plugins={"almanac": Almanac(event())})

    again = Scene(settings, store=first.store)
    again.play()

    assert free(-5, 4) == stopped(again)


def test_without_any_calendar_entries_go_on(caplog: pytest.LogCaptureFixture) -> None:
    """As ever: the server's default asks for a pause that nobody can give."""
    scene = Scene({})

    scene.play()

    assert [] == stopped(scene)
    assert {"state": "NO_CALENDAR"} == scene.news
    assert 1 == caplog.text.count("there is no calendar")


def test_the_server_switches_it_in_both_directions(tmp_path: Path) -> None:
    """Off in the middle of a window, and on again, without a restart."""
    scene = Scene({"calendar": calendar(tmp_path)})

    scene.play(until=-15)
    scene.switch(on=False)
    scene.play(until=10)
    scene.switch(on=True)
    scene.play()

    assert free(-30, -15) + free(11, 29) == stopped(scene)
    assert "CLEAR" == scene.news["state"]


# -- exits -----------------------------------------------------------------------------
def falls(n: int) -> float:
    """Return a price that falls, so that what was bought at noon loses."""
    return 1.1 - n * 0.0001


def rises(n: int) -> float:
    """Return a price that rises."""
    return 1.1 + n * 0.0001


CLOSING = {"High": {"block_before": 5, "block_after": 5, "close_before": 20}}


@pytest.mark.parametrize(
    ("action", "price", "minutes"),
    [
        ("none", falls, []),
        ("close_all", falls, [-20]),
        ("close_all", rises, [-20]),
        ("close_losing", falls, [-20]),
        ("close_losing", rises, []),
        ("close_profitable", falls, []),
        ("close_profitable", rises, [-20]),
        ("breakeven", falls, []),
        ("breakeven", rises, []),
    ],
)
def test_on_enter_window_deals_with_what_is_open(
    action: str, price: Any, minutes: list[int], tmp_path: Path
) -> None:
    """From `close_before` on, by how the position stands then."""
    windows = {"High": [5, 5]} if action == "none" else CLOSING
    scene = Scene(
        {
            "calendar": calendar(tmp_path),
            "windows": windows,
            "on_enter_window": action,
        },
        strategy=Once,
        price=price,
    )

    scene.play()

    assert minutes == scene.journal.minutes(Action.CLOSE)
    protects = action == "breakeven" and price is rises
    assert ([-20] if protects else []) == scene.journal.minutes(Action.PROTECT)
    stops = [one.sl for one in scene.positions]
    opens = [one.price_open for one in scene.positions]
    assert (opens if protects else [0.0] * len(opens)) == stops


def test_entries_stop_as_soon_as_positions_are_closed(tmp_path: Path) -> None:
    """Else a strategy that is always in would buy back what was closed."""
    scene = Scene(
        {
            "calendar": calendar(tmp_path),
            "windows": CLOSING,
            "on_enter_window": "close_all",
        }
    )

    scene.play()

    assert free(-20, 4) == stopped(scene)
    assert scene.journal.minutes(Action.CLOSE)


def deal(magic: int, **changes: Any) -> dict[str, Any]:
    """Return a market order as a program sends it."""
    request = {"action": 1, "symbol": "EURUSD", "volume": 0.01, "type": 0}
    return request | {"magic": magic, "type_filling": 1} | changes


def test_positions_of_others_are_never_closed(tmp_path: Path) -> None:
    """Neither a person's nor another program's."""
    scene = Scene(
        {"calendar": calendar(tmp_path), "on_enter_window": "close_all"}, strategy=Once
    )
    scene.play(until=-50)
    foreign = {scene.order(**deal(0)), scene.order(**deal(77))}

    scene.play()

    assert foreign == {one.ticket for one in scene.positions}


@pytest.mark.parametrize("restarts", [False, True])
def test_who_was_judged_a_winner_is_not_closed_when_it_falls_later(
    restarts: bool, tmp_path: Path
) -> None:
    """How it stood when the window came decides, over a restart too."""

    def turns(n: int) -> float:
        return 1.1 + (n if n < 50 else 100 - 2 * n) * 0.0001

    settings = {
        "calendar": calendar(tmp_path),
        "windows": CLOSING,
        "on_enter_window": "close_losing",
    }
    scene = Scene(settings, strategy=Once, price=turns)

    if restarts:
        scene.play(until=-5)
        (position,) = scene.positions
        assert position.profit < 0
        scene.restart()
    scene.play()

    (position,) = scene.positions
    assert position.profit < 0
    assert [] == scene.journal.minutes(Action.CLOSE)


@pytest.mark.parametrize("cancels", [True, False])
def test_cancel_pendings_removes_own_orders_alone(
    cancels: bool, tmp_path: Path
) -> None:
    """From `close_before` on; at the latest when entries stop, as for every reason."""
    width: Any = [10, 5]
    if cancels:
        width = {"block_before": 10, "block_after": 5, "close_before": 30}
    scene = Scene(
        {
            "calendar": calendar(tmp_path),
            "windows": {"High": width},
            "cancel_pendings": cancels,
        },
        strategy=Once,
    )
    scene.play(until=-50)
    pending = {"action": 5, "type": 2, "price": 1.0, "type_filling": 2}
    own = scene.order(**deal(MAGIC, **pending))
    foreign = scene.order(**deal(0, **pending))

    scene.play(until=-31)
    before = {one.ticket for one in scene.orders}
    scene.play(until=-20)
    early = {one.ticket for one in scene.orders}
    scene.play()

    assert {own, foreign} == before
    assert ({foreign} if cancels else {own, foreign}) == early
    assert {foreign} == {one.ticket for one in scene.orders}


@pytest.mark.parametrize(("blocks", "minutes"), [(True, [5]), (False, [-10])])
def test_block_exits_holds_strategies_in(
    blocks: bool, minutes: list[int], tmp_path: Path
) -> None:
    """A strategy that wants out from 12:50 on gets out when the window is over."""
    scene = Scene(
        {
            "calendar": calendar(tmp_path),
            "windows": {"High": [10, 5]},
            "block_exits": blocks,
        },
        strategy=Leaver,
    )

    scene.play()

    assert minutes == scene.journal.minutes(Action.CLOSE)[:1]
    codes = {code for _, intent, code in scene.journal.denied if not intent.side}
    assert ({"NEWS_NO_EXIT"} if blocks else set()) == codes


def test_strategies_may_still_close_between_close_before_and_the_window(
    tmp_path: Path,
) -> None:
    """Entries have stopped by then; what a firm forbids begins with the window."""
    scene = Scene(
        {
            "calendar": calendar(tmp_path),
            "windows": CLOSING,
            "cancel_pendings": True,
            "block_exits": True,
        },
        strategy=Leaver,
    )

    scene.play()

    assert [-10] == scene.journal.minutes(Action.CLOSE)


def test_an_unknown_week_holds_no_strategy_in(tmp_path: Path) -> None:
    """Not knowing stops what opens, and nothing that closes."""
    scene = Scene(
        {
            "calendar": calendar(tmp_path, row(-7 * 24 * 60), row(7 * 24 * 60)),
            "preset": "ftmo",
        },
        strategy=Leaver,
    )
    scene.play(until=-55)
    (tmp_path / "calendar.json").write_text(json.dumps([row(-7 * 24 * 60)]))

    scene.play()

    assert "UNKNOWN" == scene.news["state"]
    assert [-10] == scene.journal.minutes(Action.CLOSE)


def test_preset_ftmo_forbids_entries_and_exits_for_two_minutes(tmp_path: Path) -> None:
    """What is given beside it replaces its choice."""
    path = calendar(tmp_path)
    entering = Scene({"calendar": path, "preset": "ftmo"})
    leaving = Scene({"calendar": path, "preset": "ftmo"}, strategy=Leaver)
    wider = Scene({"calendar": path, "preset": "ftmo", "windows": {"High": [9, 9]}})

    for scene in (entering, leaving, wider):
        scene.play()

    assert free(-2, 1) == stopped(entering)
    assert free(-9, 8) == stopped(wider)
    assert [-10] == leaving.journal.minutes(Action.CLOSE)


def test_what_could_not_be_closed_before_a_forbidden_window_is_held(
    tmp_path: Path,
) -> None:
    """The broker refuses until the window begins: to close inside is a breach, too."""
    scene = Scene(
        {
            "calendar": calendar(tmp_path),
            "windows": CLOSING,
            "on_enter_window": "close_all",
            "block_exits": True,
        },
        strategy=Once,
    )
    scene.play(until=-21)
    scene.broker.refuses = True
    scene.play(until=-4)
    tried = [at for at, one in scene.journal.sent if one.action is Action.CLOSE]
    scene.broker.refuses = False
    scene.play()

    assert tried
    assert max(tried) < ONE - 5 * MINUTE
    assert 1 == len(scene.positions)


class Panic:
    """A guard that wants everything closed at one o'clock."""

    @hookimpl
    def demand_exits(self, positions: Sequence[Position], now: datetime) -> Any:
        if now < datetime(2026, 3, 4, 13, tzinfo=now.tzinfo) or not positions:
            return None
        tickets = tuple(position.ticket for position in positions)
        return Demand(code="PANIC", close=tickets)


def test_a_risk_exit_goes_on_in_a_forbidden_window_and_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Once, by a guard's demand or by a command."""
    by_guard = Scene(
        {"calendar": calendar(tmp_path), "preset": "ftmo"},
        strategy=Once,
        plugins={"panic": Panic()},
    )
    by_command = Scene(
        {"calendar": calendar(tmp_path), "preset": "ftmo"}, strategy=Once
    )
    by_command.play(until=-1)
    by_command.runner.command("FLATTEN")

    with caplog.at_level(logging.WARNING, "mt5runner.plugins.news_pause"):
        by_guard.play()
        by_command.play()

    assert [0] == by_guard.journal.minutes(Action.CLOSE)
    assert [0] == by_command.journal.minutes(Action.CLOSE)
    told = [line for line in caplog.messages if "risk goes first" in line]
    assert ["panic", "FLATTEN"] == [line.split()[0] for line in told]


def crashes(n: int) -> float:
    """Return a price that loses a hundred pips from one o'clock on."""
    return 1.1 if n <= 60 else 1.09


@pytest.mark.parametrize("preset", ["ftmo", "default"])
def test_the_drawdown_guard_closes_in_a_forbidden_window_and_the_conflict_is_told(
    preset: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """At once, in the very minute of the news; where exits are free nobody is told."""
    scene = Scene(
        {"calendar": calendar(tmp_path), "preset": preset},
        strategy=Once,
        price=crashes,
        guards={
            "drawdown": {
                "on_breach": "flatten",
                "positions_without_stop": "ignore",
                "buffer_percent": 0.0,
            }
        },
        risk={"daily_dd_limit_percent": 0.0005},
    )
    scene.play(until=-1)
    (held,) = scene.positions

    with caplog.at_level(logging.WARNING, "mt5runner.plugins.news_pause"):
        scene.play()

    closed = [one for _, one in scene.journal.sent if one.action is Action.CLOSE]
    assert [("drawdown", held.ticket)] == [(one.strategy, one.ticket) for one in closed]
    (minute,) = scene.journal.minutes(Action.CLOSE)
    assert 0 <= minute < 2
    assert [] == list(scene.positions)
    told = [line for line in caplog.messages if "risk goes first" in line]
    assert (["drawdown"] if preset == "ftmo" else []) == [
        line.split()[0] for line in told
    ]


def test_the_server_switches_exits_free_in_a_forbidden_window(tmp_path: Path) -> None:
    """A strategy that wants out from 12:50 on gets out in the next minute."""
    scene = Scene(
        {
            "calendar": calendar(tmp_path),
            "windows": {"High": [15, 15]},
            "block_exits": True,
        },
        strategy=Leaver,
    )

    scene.play(until=-4)
    scene.switch(on=False)
    scene.play()

    assert [-3] == scene.journal.minutes(Action.CLOSE)


def test_an_account_that_is_always_in_is_flat_in_every_window(tmp_path: Path) -> None:
    """Two symbols, one of them concerned: the other one keeps what it has."""
    scene = Scene(
        {
            "calendar": calendar(tmp_path),
            "windows": {"High": [5, 5]},
            "on_enter_window": "close_all",
        },
        strategy=Always,
        symbols=("EURUSD", "EURGBP"),
    )

    scene.play(until=0)

    open_now = {one.symbol for one in scene.positions}
    assert {"EURGBP"} == open_now
