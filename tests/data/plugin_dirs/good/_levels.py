"""A private helper: not looked at by the runner, imported by its neighbours."""

from __future__ import annotations


def above(close: float, highs: list[float]) -> bool:
    return close > max(highs)
