"""News windows: from a calendar's text to a denial."""

from __future__ import annotations

import csv
import gzip
import io
import json
import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.news_pause.currencies import currencies_of
from plugins.news_pause.events import Calendar, CalendarError, parse
from plugins.news_pause.guard import NewsPause
from plugins.news_pause.report import summary
from plugins.news_pause.settings import NewsPauseSettings
from plugins.news_pause.windows import Window, Windows, periods_for
from runner import Deny, NewsEvent, TradeConfig
from runner.testing import make_account, make_plugin, make_symbol, make_trade_config

PAYROLLS_AT = datetime(2025, 4, 4, 12, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = 60 * MINUTE
ON = make_trade_config(
    auto_pause_on_news=True, enabled_symbols=("XAUUSD", "EURUSD", "EURGBP")
)
OFF = make_trade_config(auto_pause_on_news=False)
FEED = [
    {
        "title": "Prelim Industrial Production m/m",
        "country": "JPY",
        "date": "2025-03-30T19:50:00-04:00",
        "impact": "Low",
        "forecast": "1.9%",
        "previous": "-1.1%",
    },
    {
        "title": "OPEC-JMMC Meetings",
        "country": "All",
        "date": "2025-04-02T06:00:00-04:00",
        "impact": "Medium",
        "forecast": "",
        "previous": "",
    },
    {
        "title": "Non-Farm Employment Change",
        "country": "USD",
        "date": "2025-04-04T08:30:00-04:00",
        "impact": "High",
        "forecast": "137K",
        "previous": "151K",
    },
    {
        "title": "Unemployment Rate",
        "country": "USD",
        "date": "2025-04-04T08:30:00-04:00",
        "impact": "High",
        "forecast": "4.1%",
        "previous": "4.1%",
    },
]


def as_csv(rows: list[dict[str, str]]) -> str:
    """Return the rows as a CSV file's text."""
    text = io.StringIO()
    writer = csv.DictWriter(text, ["date", "country", "impact", "title", "forecast"])
    writer.writeheader()
    for row in rows:
        writer.writerow({name: row[name] for name in writer.fieldnames})
    return text.getvalue()


def event(minutes: float = 0, currency: str = "USD", **changes: str) -> NewsEvent:
    """Return a high-impact event that many minutes after the payrolls."""
    at = PAYROLLS_AT + minutes * MINUTE
    return NewsEvent(
        at, currency, changes.get("impact", "High"), changes.get("title", "T")
    )


# -- calendars -------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "text"), [("ff.json", json.dumps(FEED)), ("Ff.CSV", as_csv(FEED))]
)
def test_both_formats_give_the_same_events(name: str, text: str) -> None:
    """The weekly feed's rows, with their New York offsets turned into UTC."""
    calendar = parse(name, text)

    assert (
        NewsEvent(PAYROLLS_AT, "USD", "High", "Non-Farm Employment Change")
        == (calendar.events[2])
    )
    assert ["JPY", "ALL", "USD", "USD"] == [one.currency for one in calendar.events]


def test_a_calendar_reaches_over_the_whole_weeks_of_its_events() -> None:
    """The feed's week goes from Sunday to Saturday in New York."""
    calendar = parse("ff.json", json.dumps(FEED))

    assert datetime(2025, 3, 30, 4, tzinfo=UTC) == calendar.since
    assert datetime(2025, 4, 6, 4, tzinfo=UTC) == calendar.until


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("a.json", "", "expected JSON"),
        ("a.json", "<!DOCTYPE html><title>Request Denied</title>", "expected JSON"),
        ("a.json", "[]", "holds no events"),
        ("a.json", "{}", "expected a list of events"),
        ("a.json", "[1]", r"\$\[0\]: expected an event, got 1"),
        ("a.json", "[" * 100_000, "expected JSON"),
        ("a.csv", "", "expected the columns"),
        ("a.csv", "<html>\n", "expected the columns"),
        ("a.csv", "date,country,impact,title\n", "holds no events"),
        ("a.csv", "date,currency,impact,title\n", "country not found"),
        ("a.csv", 'date,country,impact,title\n"x', "unexpected end"),
        ("a.xml", "<a/>", "must end in .json, .csv"),
    ],
)
def test_what_is_no_calendar_is_refused(name: str, text: str, complaint: str) -> None:
    """An empty list is refused too: no events are not the same as no news."""
    with pytest.raises(CalendarError, match=complaint):
        parse(name, text)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("date", "2025-04-04T08:30:00"),
        ("date", "04-04-2025"),
        ("date", ""),
        ("country", None),
        ("country", " "),
        ("impact", 3),
        ("title", ""),
    ],
)
def test_one_bad_row_refuses_all(field: str, value: Any) -> None:
    """Which event it hides cannot be known; the error names row and field."""
    rows: list[dict[str, Any]] = [*FEED, FEED[0] | {field: value}]

    with pytest.raises(CalendarError, match=rf"\$\[4\].{field}: expected"):
        parse("a.json", json.dumps(rows))


@given(st.text())
def test_any_text_is_a_calendar_or_an_error(text: str) -> None:
    """No garbage from the network raises anything else."""
    for name in ("a.json", "a.csv"):
        try:
            calendar = parse(name, text)
        except CalendarError:
            continue
        assert calendar.events


# -- symbols ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "stated", "currencies"),
    [
        ("EURUSD", ("EUR", "USD"), {"EUR", "USD"}),
        ("EURUSD.r", ("EUR", "USD"), {"EUR", "USD"}),
        ("EURGBP", ("EUR", "GBP"), {"EUR", "GBP"}),
        ("XAUUSD", ("XAU", "USD"), {"XAU", "USD"}),
        ("XAUEUR", ("XAU", "EUR"), {"XAU", "EUR", "USD"}),
        ("GOLD.i#", ("USD", "USD"), {"USD"}),
        ("GER40.cash", ("EUR", "EUR"), {"EUR"}),
        ("USDCNH", ("USD", "CNH"), {"USD", "CNH", "CNY"}),
        ("BTCUSD", ("BTC", "USD"), {"BTC", "USD"}),
        ("EURUSD", (), {"EUR", "USD"}),
        ("usdjpym", (), {"USD", "JPY"}),
        ("XAUUSD", (), {"USD"}),
        ("GOLDm", (), {"USD"}),
        ("US30", (), {"USD"}),
        ("GER40Cash#", (), {"EUR"}),
        ("UK100", (), {"GBP"}),
        ("JP225", (), {"JPY"}),
        ("XYZ", (), {"ALL"}),
    ],
)
def test_a_symbol_minds_its_currencies(
    name: str, stated: tuple[str, ...], currencies: set[str]
) -> None:
    """The broker's word first, the name only without it; nobody's symbol minds all."""
    assert currencies == currencies_of(name, stated)


def test_the_user_overrides_the_broker() -> None:
    """Case does not matter, and an empty list frees a symbol from news."""
    overrides = {"XAUUSD": ("usd", "eur"), "BTCUSD": ()}

    assert {"USD", "EUR"} == currencies_of("XAUUSD", ("XAU", "USD"), overrides)
    assert set() == currencies_of("BTCUSD", ("BTC", "USD"), overrides)


# -- windows ---------------------------------------------------------------------------
def windows(*events: NewsEvent, **settings: Any) -> Windows:
    """Return the windows of a dollar symbol."""
    return periods_for(
        events, frozenset({"USD"}), NewsPauseSettings(**settings)
    ).entries


@pytest.mark.parametrize(
    ("minutes", "is_inside"),
    [(-30.01, False), (-30, True), (0, True), (29.99, True), (30, False)],
)
def test_a_window_is_half_open(minutes: float, is_inside: bool) -> None:
    """From its start on, no longer at its end."""
    now = PAYROLLS_AT + minutes * MINUTE

    assert is_inside == (windows(event()).at(now) is not None)


def test_each_impact_has_its_own_width() -> None:
    """What is not named stops nothing."""
    found = windows(
        event(0),
        event(200, impact="Medium"),
        event(400, impact="Low"),
        event(600, impact="Holiday"),
        windows={"High": (2, 3), "Medium": (15, 0)},
    )

    assert [(-2, 3), (185, 200)] == [
        ((one.start - PAYROLLS_AT) / MINUTE, (one.end - PAYROLLS_AT) / MINUTE)
        for one in found.windows
    ]


def test_an_unknown_impact_is_as_bad_as_the_worst_known() -> None:
    """A word that the source did not use before must not pass as harmless."""
    found = windows(
        event(impact="Severe"), windows={"High": (30, 20), "Medium": (5, 40)}
    )

    assert 70 * MINUTE == found.windows[0].end - found.windows[0].start


def test_only_a_symbols_own_currencies_and_all_count() -> None:
    """A dollar event is nothing to EURGBP; OPEC is something to everyone."""
    events = [event(), event(100, "ALL"), event(200, "GBP")]

    found = periods_for(events, frozenset({"EUR", "GBP"}), NewsPauseSettings()).entries

    assert ["ALL", "GBP"] == [one.events[0].currency for one in found.windows]


def test_titles_can_be_chosen() -> None:
    """By patterns, in any case; what is excluded wins."""
    events = [
        event(0, title="Non-Farm Employment Change"),
        event(200, title="CPI m/m"),
        event(400, title="Core CPI m/m"),
    ]

    found = windows(*events, include=("non-farm", "cpi"), exclude=("^core",))

    assert ["Non-Farm Employment Change", "CPI m/m"] == [
        one.events[0].title for one in found.windows
    ]


def test_windows_that_overlap_are_one() -> None:
    """The denial names the first event and how many more."""
    found = windows(event(0, title="A"), event(20, title="B"), event(60, title="C"))

    (window,) = found.windows
    assert "event=USD A and 2 more at=2025-04-04T12:30Z until=2025-04-04T14:00Z" == str(
        window
    )


minutes = st.integers(-5000, 5000)


@given(
    st.lists(
        st.tuples(minutes, st.sampled_from(["High", "Medium", "Low"])), max_size=30
    ),
    minutes,
)
def test_merged_windows_hold_exactly_where_an_events_own_does(
    events: list[tuple[int, str]], at: int
) -> None:
    """Merging and searching change nothing but the speed."""
    widths = {"High": (30, 45), "Medium": (15, 0)}
    now = PAYROLLS_AT + at * MINUTE
    found = windows(
        *(event(minute, impact=impact) for minute, impact in events), windows=widths
    )

    expected = any(
        minute - widths[impact][0] <= at < minute + widths[impact][1]
        for minute, impact in events
        if impact in widths
    )
    assert expected == (found.at(now) is not None)
    following = found.following(now)
    assert following is None or following.start > now


def test_the_summary_names_what_holds_and_what_comes() -> None:
    """For the heartbeat: the window that ends first, or the next to begin."""
    both = {"XAUUSD": windows(event()), "EURGBP": Windows.of([])}
    window = {
        "from": "2025-04-04T12:00:00Z",
        "until": "2025-04-04T13:00:00Z",
        "symbols": ["XAUUSD"],
        "events": [
            {
                "at": "2025-04-04T12:30:00Z",
                "currency": "USD",
                "impact": "High",
                "title": "T",
            }
        ],
    }

    assert {
        "state": "BLOCKED",
        "event": "USD T",
        "until": "2025-04-04T13:00:00Z",
        "symbols": ["XAUUSD"],
        "windows": [window],
    } == summary(both, PAYROLLS_AT)
    assert {
        "state": "CLEAR",
        "next_event": "USD T",
        "next_from": "2025-04-04T12:00:00Z",
        "windows": [window],
    } == summary(both, PAYROLLS_AT - 60 * MINUTE)
    assert {"state": "CLEAR", "windows": []} == summary(both, PAYROLLS_AT + HOUR)


def test_the_summary_tells_the_next_windows_with_all_their_symbols() -> None:
    """Each with its own end: one symbol may be free again before another."""
    shared = [event(n * 200, title=f"E{n}") for n in range(9)]
    euro = [event(20, "EUR"), *shared]
    dollar = windows(*shared)
    both = periods_for(euro, frozenset({"USD", "EUR"}), NewsPauseSettings()).entries
    found = summary({"XAUUSD": dollar, "US30": dollar, "EURUSD": both}, PAYROLLS_AT)

    told = [(one["until"][11:16], one["symbols"]) for one in found["windows"]]
    assert [
        ("13:00", ["US30", "XAUUSD"]),
        ("13:20", ["EURUSD"]),
        ("16:20", ["EURUSD", "US30", "XAUUSD"]),
        ("19:40", ["EURUSD", "US30", "XAUUSD"]),
        ("23:00", ["EURUSD", "US30", "XAUUSD"]),
    ] == told
    assert ["E0", "T"] == [one["title"] for one in found["windows"][1]["events"]]


# -- the guard -------------------------------------------------------------------------
def ask(
    plugin: NewsPause,
    symbol: str = "EURUSD",
    now: datetime = PAYROLLS_AT,
    config: TradeConfig = ON,
) -> Deny | None:
    """Ask the guard about a symbol."""
    return plugin.check_symbol(make_symbol(symbol), config, now)


def news(plugin: NewsPause, now: datetime = PAYROLLS_AT) -> Mapping[str, Any]:
    """Return what the guard reports."""
    state: dict[str, Any] = json.loads(
        plugin.describe_status(make_account(), now)["news"]
    )
    return state


def rewrite(path: Path, text: str) -> None:
    """Write the file anew, with a time of change of its own."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(text)
    os.utime(path, ns=(before + 10**9, before + 10**9))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A calendar of the week of the payrolls."""
    path = tmp_path / "ff_calendar_thisweek.json"
    rewrite(path, json.dumps(FEED))
    return path


@pytest.fixture
def plugin(path: Path) -> NewsPause:
    """A guard with that calendar, switched on by the server."""
    plugin = make_plugin(NewsPause, calendar=path)
    plugin.on_trade_config_applied(ON, PAYROLLS_AT - 60 * MINUTE)
    return plugin


def test_a_dollar_event_stops_gold_and_euro_but_not_the_cross(
    plugin: NewsPause,
) -> None:
    """The issue's own example."""
    deny = Deny(
        "NEWS_WINDOW",
        "event=USD Non-Farm Employment Change and 1 more "
        "at=2025-04-04T12:30Z until=2025-04-04T13:00Z",
    )

    assert deny == ask(plugin, "XAUUSD")
    assert deny == ask(plugin, "EURUSD")
    assert ask(plugin, "EURGBP") is None
    assert ask(plugin, "EURUSD", PAYROLLS_AT + 30 * MINUTE) is None


def test_the_server_switches_it(plugin: NewsPause) -> None:
    """At any time, without a restart."""
    assert ask(plugin, config=OFF) is None
    assert ask(plugin, config=ON) is not None


def test_the_status_knows_the_window_before_anyone_asks(plugin: NewsPause) -> None:
    """Enabled symbols are known by name; the broker's currencies are not needed."""
    assert "BLOCKED" == news(plugin)["state"]
    assert ["EURUSD", "XAUUSD"] == news(plugin)["symbols"]
    later = news(plugin, PAYROLLS_AT + 60 * MINUTE)
    assert {"state": "CLEAR", "windows": []} == later


def test_the_brokers_currencies_replace_the_names(plugin: NewsPause) -> None:
    """A symbol whose name says nothing is stopped until its rules are known."""
    odd = make_symbol("#ABC", currency_base="EUR", currency_profit="GBP")
    unnamed = make_symbol("#ABC", currency_base="", currency_profit="")

    assert plugin.check_symbol(unnamed, ON, PAYROLLS_AT) is not None
    assert plugin.check_symbol(odd, ON, PAYROLLS_AT) is None


def test_a_name_that_says_nothing_is_not_reported_before_the_terminal_was_asked(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor warned of; a broker that states nothing either is, once."""
    config = make_trade_config(auto_pause_on_news=True, enabled_symbols=("#ABC",))
    plugin = make_plugin(NewsPause, calendar=path)
    plugin.on_trade_config_applied(config, PAYROLLS_AT)
    before, warned = news(plugin), list(caplog.messages)

    for _ in range(2):
        unnamed = make_symbol("#ABC", currency_base="", currency_profit="")
        assert plugin.check_symbol(unnamed, config, PAYROLLS_AT) is not None

    assert "CLEAR" == before["state"]
    assert [] == warned
    assert "BLOCKED" == news(plugin)["state"]
    (message,) = caplog.messages
    assert "#ABC: its currencies are unknown" in message


def test_without_a_calendar_nothing_is_stopped_and_it_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Loudly, and once, however often the server's config changes."""
    plugin = make_plugin(NewsPause)

    with caplog.at_level(logging.WARNING, "mt5runner.plugins.news_pause"):
        for _ in range(2):
            plugin.on_trade_config_applied(ON, PAYROLLS_AT)

    assert ask(plugin) is None
    assert {"state": "NO_CALENDAR"} == news(plugin)
    (message,) = caplog.messages
    assert "entries go on through all news" in message
    plugin.on_trade_config_applied(OFF, PAYROLLS_AT)
    assert {"state": "OFF"} == news(plugin)


@pytest.mark.parametrize(
    "now",
    [PAYROLLS_AT + timedelta(days=3), PAYROLLS_AT - timedelta(days=7)],
    ids=["next week", "last week"],
)
def test_a_week_that_the_calendar_does_not_reach_is_unknown(
    path: Path, now: datetime
) -> None:
    """On Friday evening the feed knows nothing of Monday: that is not no news."""
    blocking = make_plugin(NewsPause, calendar=path)
    allowing = make_plugin(NewsPause, calendar=path, when_unknown="allow")

    deny = ask(blocking, now=now)

    assert deny is not None
    assert deny == Deny(
        "NEWS_UNKNOWN", "file: the calendar reaches from 2025-03-30 to 2025-04-06"
    )
    assert ask(allowing, now=now) is None
    for plugin in (blocking, allowing):
        plugin.on_trade_config_applied(ON, now)
        assert "UNKNOWN" == news(plugin, now)["state"]


@pytest.mark.parametrize(
    "text",
    ["", "[]", "<html>Request Denied</html>", '[{"title": "x"}]', None],
    ids=["empty", "no events", "html", "half a row", "gone"],
)
def test_a_broken_file_never_replaces_a_good_calendar(
    plugin: NewsPause, path: Path, text: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """The good one stays in force, the status and one line of the log tell."""
    if text is None:
        path.unlink()
    else:
        rewrite(path, text)

    with caplog.at_level(logging.ERROR, "mt5runner.plugins.news_pause"):
        for minute in range(5):
            assert ask(plugin, now=PAYROLLS_AT + minute * MINUTE) is not None

    (message,) = caplog.messages
    assert str(path) in message
    assert "the calendar read before stays in force" in message
    assert str(path) in news(plugin)["problem"]
    assert "BLOCKED" == news(plugin)["state"]


@pytest.mark.parametrize("text", ["", "[]", "<html>", None])
def test_a_broken_file_at_the_start_leaves_the_news_unknown(
    tmp_path: Path, text: str | None
) -> None:
    """A calendar that was asked for and is not there blocks; it says why."""
    path = tmp_path / "calendar.json"
    if text is not None:
        path.write_text(text)

    deny = ask(make_plugin(NewsPause, calendar=path))

    assert deny is not None
    assert "NEWS_UNKNOWN" == deny.code
    assert str(path) in deny.detail


def test_a_new_calendar_is_read_when_the_file_changes(
    plugin: NewsPause, path: Path
) -> None:
    """Within half a minute, without a restart; a good one ends the trouble."""
    assert ask(plugin, now=PAYROLLS_AT) is not None
    rewrite(path, "[]")
    ask(plugin, now=PAYROLLS_AT + MINUTE)

    rewrite(path, json.dumps([FEED[0], FEED[1]]))

    assert ask(plugin, now=PAYROLLS_AT + 2 * MINUTE) is None
    assert "problem" not in news(plugin)


def test_a_file_that_comes_back_as_it_was_is_good_again(
    plugin: NewsPause, path: Path
) -> None:
    """Some programs write a file by moving it away and back."""
    aside = path.rename(path.with_suffix(".bak"))
    ask(plugin)
    assert "problem" in news(plugin)

    aside.rename(path)
    ask(plugin, now=PAYROLLS_AT + MINUTE)

    assert "problem" not in news(plugin)


@pytest.mark.parametrize("name", ["c.json.gz", "c.csv.gz", "c.csv"])
def test_packed_and_plain_files_are_read(tmp_path: Path, name: str) -> None:
    """Also with a byte order mark, which spreadsheets like to write."""
    text = json.dumps(FEED) if "json" in name else as_csv(FEED)
    content = text.encode("utf-8-sig")
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)

    assert ask(make_plugin(NewsPause, calendar=path)) is not None


@pytest.mark.parametrize(
    "content", [b"no gzip", gzip.compress(b"[]" * 50, mtime=0)[:-9]]
)
def test_a_damaged_packed_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """A download that broke off is no calendar."""
    path = tmp_path / "c.json.gz"
    path.write_bytes(content)

    deny = ask(make_plugin(NewsPause, calendar=path))

    assert deny is not None
    assert "cannot be read" in deny.detail


def test_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    """It is not guessed at."""
    path = tmp_path / "c.json"
    path.write_bytes(b'[{"title": "\xe9"}]')

    deny = ask(make_plugin(NewsPause, calendar=path))

    assert deny is not None
    assert "cannot be read" in deny.detail


@pytest.mark.parametrize(
    "settings",
    [
        {"windows": {"high": (30, 30)}},
        {"windows": {"High": (-1, 30)}},
        {"windows": {"High": (0, 1e9)}},
        {"include": ("(",)},
        {"exclude": ("*",)},
        {"when_unknown": "maybe"},
        {"symbols": {"XAUUSD": ("dollar",)}},
        {"symbols": {"XAUUSD": ("USD", "")}},
    ],
    ids=str,
)
def test_senseless_settings_are_refused(settings: dict[str, Any]) -> None:
    """A mistyped impact must not switch the pause off."""
    with pytest.raises(ValueError, match=r"must be|valid WhenUnknown"):
        NewsPauseSettings(**settings)


@pytest.mark.data
def test_the_real_calendar_is_read_whole(market_data: Path) -> None:
    """Six years of high-impact events; a payroll Friday stops the dollar."""
    path = market_data / "calendar" / "ff_high_impact_2020-2026.csv.gz"
    plugin = make_plugin(NewsPause, calendar=path)

    assert ask(plugin, "EURUSD", PAYROLLS_AT) is not None
    assert ask(plugin, "EURGBP", PAYROLLS_AT) is None
    calendar = plugin._almanac.at(PAYROLLS_AT)
    assert calendar is not None
    assert 4700 == len(calendar.events)


def test_a_calendar_of_no_events_cannot_be_made() -> None:
    """Neither by a file nor by hand."""
    with pytest.raises(CalendarError, match="holds no events"):
        Calendar.of([])


def test_windows_that_touch_are_one() -> None:
    """No instant between them is free."""
    first = Window(PAYROLLS_AT, PAYROLLS_AT + MINUTE, (event(),))
    second = Window(PAYROLLS_AT + MINUTE, PAYROLLS_AT + 2 * MINUTE, (event(1),))

    assert 1 == len(Windows.of([second, first]).windows)
