"""The fleet as a table: what an operator reads."""

from __future__ import annotations

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
    assert [*row, "trade:4", "1:7"] == lines[1].split()
    assert "    paused: server.bot_status PAUSED" == lines[2]
    assert "    config: $.lot_size: must be > 0, got -1" == lines[3]


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

    assert ["7", "ACTIVE", "-", "5.0", "-", "-", "-", "-"] == row.split()


@pytest.mark.parametrize("field", sorted(BEAT))
def test_a_field_that_cannot_be_read_does_not_hide_the_fleet(field):
    """Another program's heartbeat may hold anything."""
    text = render([_account(BEAT | {field: "{nonsense"}), _account({})], NOW)

    assert 3 <= len(text.splitlines())
    assert "DOWN" in text


def test_a_fleet_without_accounts_says_so():
    """An empty table would look like a fault."""
    assert "no account has a heartbeat in this Redis" == render([], NOW)
