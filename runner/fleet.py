"""The fleet as a table for a terminal; pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from runner.wire.encoding import WireError
from runner.wire.times import read_time

_HEADER = ("ACCOUNT", "STATUS", "SEEN", "EQUITY", "DD DAY/MAX", "OPEN", "CONFIG")
_UNREADABLE = "?"  # of a bot that writes something else than the protocol says


def render(fleet: Sequence[Mapping[str, Any]], now: datetime) -> str:
    """Lay the fleet out as text.

    Args:
        fleet: Accounts as `runner.adapters.redis_fleet.read_fleet` returns them.
        now: Present time, UTC-aware.

    Returns:
        A table, with the reasons of a pause and refused configs below each account.
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


def _notes(account: Mapping[str, Any]) -> list[str]:
    beat: Mapping[str, str] = account["heartbeat"]
    return [
        *(f"paused: {reason}" for reason in _lines(beat.get("pause_reasons"))),
        *(f"config: {error}" for error in _lines(beat.get("config_errors"))),
    ]
