"""What the heartbeat tells of news."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from plugins.news_pause.windows import Window, Windows

_MOST_TOLD = 5  # windows in a heartbeat


def summary(windows: Mapping[str, Windows], now: datetime) -> dict[str, Any]:
    """Say what holds now, or what comes next, for the heartbeat.

    Args:
        windows: Symbol to its windows.
        now: The market's time, UTC-aware.

    Returns:
        A JSON value whose ``state`` is BLOCKED or CLEAR, with the next ``windows``.
    """
    return _present(windows, now) | {"windows": _coming(windows, now)}


def _coming(windows: Mapping[str, Windows], now: datetime) -> list[dict[str, Any]]:
    symbols: dict[Window, list[str]] = {}
    for name, of_symbol in windows.items():
        for window in of_symbol.coming(now, _MOST_TOLD):
            symbols.setdefault(window, []).append(name)
    ordered = sorted(symbols, key=lambda window: (window.start, window.end))
    return [
        {
            "from": _time(window.start),
            "until": _time(window.end),
            "symbols": sorted(symbols[window]),
            "events": [
                {
                    "at": _time(event.at),
                    "currency": event.currency,
                    "impact": event.impact,
                    "title": event.title,
                }
                for event in window.events
            ],
        }
        for window in ordered[:_MOST_TOLD]
    ]


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _present(windows: Mapping[str, Windows], now: datetime) -> dict[str, Any]:
    held = {
        name: window
        for name, of_symbol in windows.items()
        if (window := of_symbol.at(now)) is not None
    }
    if held:
        first = min(held.values(), key=lambda window: window.end)
        return {
            "state": "BLOCKED",
            "event": f"{first.events[0].currency} {first.events[0].title}",
            "until": _time(first.end),
            "symbols": sorted(held),
        }
    coming = [
        window
        for of_symbol in windows.values()
        if (window := of_symbol.following(now)) is not None
    ]
    if not coming:
        return {"state": "CLEAR"}
    first = min(coming, key=lambda window: window.start)
    return {
        "state": "CLEAR",
        "next_event": f"{first.events[0].currency} {first.events[0].title}",
        "next_from": _time(first.start),
    }
