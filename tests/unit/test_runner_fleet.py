"""The fleet as a table: what an operator reads."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from runner.fleet import render

NOW = datetime(2026, 3, 4, 12, 0, 30, tzinfo=UTC)
BEAT = {
    "bot_status": "PAUSED",
    "timestamp": "2026-03-04T12:00:00+00:00",
    "current_balance": "10000.0000",
    "equity": "9990.0000",
    "daily_dd_percent": "1.25",
    "max_dd_percent": "3.0",
    "open_positions": "2",
    "trade_config_version": "4",
    "strategy_versions": '{"1": 7}',
    "pause_reasons": '["server.bot_status PAUSED"]',
    "news": '{"state": "CLEAR", "windows": []}',
    "config_errors": '["$.lot_size: must be > 0, got -1"]',
}


def _account(beat: dict[str, str], **fields: Any) -> dict[str, Any]:
    return {
        "mt5_account_id": "7",
        "observed_status": beat.get("bot_status", "DOWN"),
        "heartbeat": beat,
        "trade_config_version": 4,
    } | fields


def test_an_account_has_its_figures_and_below_them_its_reasons():
    """One line of figures, then why it is paused and what was refused."""
    lines = render([_account(BEAT)], NOW).splitlines()

    row = ["7", "PAUSED", "30", "s", "ago", "9990.0000", "1.2%", "3.0%", "2"]
    assert [*row, "CLEAR", "trade:4", "1:7"] == lines[1].split()
    assert "    paused: server.bot_status PAUSED" == lines[2]
    assert "    config: $.lot_size: must be > 0, got -1" == lines[3]


def test_what_fails_is_named_with_its_call_its_error_and_its_time():
    """As the bot says it; what is no such object says nothing."""
    told = "on_bar EURUSD: OvertimeError (at 2026-03-04T12:00:00Z); disabled"
    some = render([_account(BEAT | {"failing": json.dumps({"Bot-2": told})})], NOW)
    none = [render([_account(BEAT | {"failing": x})], NOW) for x in ("{}", "[1]", "{")]

    assert f"    failing: Bot-2: {told}" in some.splitlines()
    assert not any("failing" in text for text in none)


def test_foreign_positions_stand_beside_the_count():
    """Positions that the bot did not open are told apart; none is not worth a word."""
    some = render([_account(BEAT | {"foreign_positions": "1"})], NOW)
    none = render([_account(BEAT | {"foreign_positions": "0"})], NOW)

    assert "2 (1 foreign)" in some
    assert "foreign" not in none


def test_a_version_that_is_not_applied_yet_is_seen():
    """What the server announces stands beside what is applied."""
    text = render([_account(BEAT, trade_config_version=5)], NOW)

    assert "trade:4 1:7 (asked 5)" in text


def test_a_bot_that_speaks_only_the_seed_has_a_row_too():
    """Fields that it does not write are dashes."""
    beat = {"bot_status": "ACTIVE", "current_balance": "5.0"}

    row = render([_account(beat, trade_config_version=None)], NOW).splitlines()[1]

    assert ["7", "ACTIVE", "-", "5.0", "-", "-", "-", "-", "-"] == row.split()


@pytest.mark.parametrize(
    ("news", "notes"),
    [
        (
            {
                "state": "BLOCKED",
                "event": "USD CPI",
                "until": "13:00Z",
                "symbols": ["EURUSD", "GER40"],
            },
            ["news: entries in EURUSD, GER40 stop, the first until 13:00Z: USD CPI"],
        ),
        (
            {
                "state": "UNKNOWN",
                "reason": "feed: HTTP 429",
                "when_unknown": "block",
                "problem": "feed: HTTP 429",
            },
            ["news: unknown, entries stop: feed: HTTP 429"],
        ),
        (
            {"state": "UNKNOWN", "reason": "x", "when_unknown": "allow"},
            ["news: unknown, entries go on: x"],
        ),
        ({"state": "CLEAR", "problem": "feed: HTTP 500"}, ["news: feed: HTTP 500"]),
        (
            {"state": "NO_CALENDAR"},
            ["news: there is no calendar, entries go on through all news"],
        ),
        ({"state": "OFF"}, []),
        ({"state": "CLEAR", "next_event": "USD CPI"}, []),
    ],
    ids=lambda value: str(value.get("state")) if isinstance(value, dict) else "",
)
def test_news_have_a_column_and_what_stops_entries_a_line(
    news: dict[str, Any], notes: list[str]
) -> None:
    """Until when, by what, in which symbols; or why nobody knows."""
    beat = BEAT | {"news": json.dumps(news)}

    lines = render([_account(beat)], NOW).splitlines()

    assert news["state"] in lines[1].split()
    assert notes == [line.strip() for line in lines if line.startswith("    news:")]


@pytest.mark.parametrize(
    "news",
    ["[]", "3", '{"state": 3}', '{"state": "BLOCKED"}', '{"state": "UNKNOWN"}'],
)
def test_news_of_another_shape_do_not_hide_the_fleet(news: str) -> None:
    """Such as those of a plugin of somebody's own."""
    text = render([_account(BEAT | {"news": news}), _account({})], NOW)

    assert 3 <= len(text.splitlines())


@pytest.mark.parametrize("field", sorted(BEAT))
def test_a_field_that_cannot_be_read_does_not_hide_the_fleet(field):
    """Another program's heartbeat may hold anything."""
    text = render([_account(BEAT | {field: "{nonsense"}), _account({})], NOW)

    assert 3 <= len(text.splitlines())
    assert "DOWN" in text


def test_a_fleet_without_accounts_says_so():
    """An empty table would look like a fault."""
    assert "no account has a heartbeat in this Redis" == render([], NOW)
