"""The fleet as a table for a terminal; pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from runner.wire.encoding import WireError
from runner.wire.times import read_time

_HEADER = (
    "ACCOUNT",
    "STATUS",
    "SEEN",
    "EQUITY",
    "DD DAY/MAX",
    "OPEN",
    "NEWS",
    "CONFIG",
)
_UNREADABLE = "?"  # of a bot that writes something else than the protocol says


def render(fleet: Sequence[Mapping[str, Any]], now: datetime) -> str:
    """Lay the fleet out as text.

    Args:
        fleet: Accounts as `runner.adapters.redis_fleet.read_fleet` returns them.
        now: Present time, UTC-aware.

    Returns:
        A table, with the reasons of a pause, news that stop entries and refused
        configs below each account.
    """
    if not fleet:
        return "no account has a heartbeat in this Redis"
    rows = [_HEADER, *(_row(account, now) for account in fleet)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(_HEADER))]
    lines: list[str] = []
    for row, account in zip(rows, [None, *fleet], strict=True):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        lines.append("  ".join(cells).rstrip())
        if account is not None:
            lines += [f"    {note}" for note in _notes(account)]
    return "\n".join(lines)


def _row(account: Mapping[str, Any], now: datetime) -> tuple[str, ...]:
    beat: Mapping[str, str] = account["heartbeat"]
    daily, maximum = beat.get("daily_dd_percent"), beat.get("max_dd_percent")
    versions = _applied(beat)
    asked = account.get("trade_config_version")
    behind = (
        ""
        if asked is None or str(asked) == versions.get("trade")
        else f" (asked {asked})"
    )
    config = " ".join(f"{name}:{version}" for name, version in versions.items())
    return (
        str(account["mt5_account_id"]),
        str(account["observed_status"]),
        _age(beat.get("timestamp"), now),
        beat.get("equity") or beat.get("current_balance") or "-",
        f"{_percent(daily)} {_percent(maximum)}",
        _positions(beat),
        _word(_news(beat).get("state")) or "-",
        (config or "-") + behind,
    )


def _positions(beat: Mapping[str, str]) -> str:
    held, foreign = beat.get("open_positions"), beat.get("foreign_positions")
    if not held:
        return "-"
    return held if foreign in (None, "", "0") else f"{held} ({foreign} foreign)"


def _percent(text: str | None) -> str:
    try:
        return f"{float(text):.1f}%" if text else "-"
    except ValueError:
        return _UNREADABLE


def _applied(beat: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    if beat.get("trade_config_version"):
        found["trade"] = beat["trade_config_version"]
    strategies = _json(beat.get("strategy_versions"))
    if isinstance(strategies, dict):
        versions = cast("dict[str, Any]", strategies)
        found |= {name: str(version) for name, version in versions.items()}
    return found


def _age(timestamp: str | None, now: datetime) -> str:
    if not timestamp:
        return "-"
    try:
        seconds = (now - read_time("timestamp", timestamp)).total_seconds()
    except WireError:
        return _UNREADABLE
    return f"{max(0, round(seconds))} s ago"


def _json(text: str | None) -> Any:
    """Read what another program may have written; None if it cannot be read."""
    try:
        return json.loads(text or "null")
    except ValueError:
        return None


def _lines(text: str | None) -> list[str]:
    found = _json(text)
    if not isinstance(found, list):
        return []
    return [str(line) for line in cast("list[object]", found)]


def _news(beat: Mapping[str, str]) -> Mapping[str, Any]:
    found = _json(beat.get("news"))
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _word(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _news_notes(beat: Mapping[str, str]) -> list[str]:
    news = _news(beat)
    state, problem = _word(news.get("state")), _word(news.get("problem"))
    if state == "UNKNOWN":
        goes_on = news.get("when_unknown") == "allow"
        then = "entries go on" if goes_on else "entries stop"
        # The reason holds what is wrong with sources.
        return [f"news: unknown, {then}: {_word(news.get('reason')) or problem}"]
    notes: list[str] = []
    if state == "BLOCKED":
        named: Any = news.get("symbols")
        symbols = cast("list[object]", named) if isinstance(named, list) else []
        notes.append(
            f"news: entries in {', '.join(map(str, symbols)) or _UNREADABLE} stop, the "
            f"first until {_word(news.get('until')) or _UNREADABLE}: "
            f"{_word(news.get('event')) or _UNREADABLE}"
        )
    if state == "NO_CALENDAR":
        notes.append("news: there is no calendar, entries go on through all news")
    if problem:
        notes.append(f"news: {problem}")
    return notes


def _failing_notes(beat: Mapping[str, str]) -> list[str]:
    found = _json(beat.get("failing"))
    if not isinstance(found, dict):
        return []
    failing = cast("dict[str, Any]", found)
    return [f"failing: {name}: {error}" for name, error in failing.items()]


def _notes(account: Mapping[str, Any]) -> list[str]:
    beat: Mapping[str, str] = account["heartbeat"]
    return [
        *(f"paused: {reason}" for reason in _lines(beat.get("pause_reasons"))),
        *_failing_notes(beat),
        *_news_notes(beat),
        *(f"config: {error}" for error in _lines(beat.get("config_errors"))),
    ]
