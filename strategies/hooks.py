"""Offers the built-in strategies to the host."""

from __future__ import annotations

from runner import Strategy, hookimpl
from strategies.mean_reversion import MeanReversionBot
from strategies.trend_following import TrendFollowingBot


@hookimpl
def register_strategies() -> list[type[Strategy]]:
    """Return the built-in strategy classes."""
    return [TrendFollowingBot, MeanReversionBot]
