"""The two limits as arithmetic over what is remembered."""

from __future__ import annotations

import attrs

from plugins.drawdown.marks import Marks
from plugins.drawdown.settings import (
    DailyPercentOf,
    DailyReference,
    MaxMode,
    MaxPercentOf,
    Rules,
)

TOLERANCE = 0.00005
"""Half of the last place that money has on the wire."""


def _floor(limit: Limit) -> float | None:
    if limit.percent is None:
        return None
    return limit.anchor - limit.percent / 100 * limit.base


@attrs.frozen(slots=True)
class Limit:
    """One limit: so many percent of *base* below *anchor*.

    Attributes:
        anchor: What the loss is counted from.
        base: What the percentage is a percentage of.
        percent: None for no limit.
        floor: The equity at which it is reached; None for no limit.
    """

    anchor: float
    base: float
    percent: float | None
    floor: float | None = attrs.field(
        init=False, default=attrs.Factory(_floor, takes_self=True)
    )

    def used(self, equity: float) -> float:
        """Return the loss in percent of the base, never below 0."""
        return max(0.0, (self.anchor - equity) / self.base * 100)

    def is_breached(self, equity: float) -> bool:
        """Say whether *equity* is at the floor or below; an unreadable floor counts."""
        floor = self.floor
        return floor is not None and not equity > floor + TOLERANCE


def daily_limit(rules: Rules, marks: Marks, percent: float | None) -> Limit:
    """Return the daily limit that *rules* make of *marks*."""
    match rules.daily_reference:
        case DailyReference.BALANCE:
            anchor = marks.day_balance
        case DailyReference.EQUITY:
            anchor = marks.day_equity
        case DailyReference.MAX_BALANCE_EQUITY:
            anchor = max(marks.day_balance, marks.day_equity)
        case DailyReference.INTRADAY_PEAK_EQUITY:
            anchor = marks.day_peak_equity
    base = anchor
    if rules.daily_percent_of is DailyPercentOf.INITIAL:
        base = _initial(rules)
    return Limit(anchor, base, percent)


def max_limit(rules: Rules, marks: Marks, percent: float | None) -> Limit:
    """Return the maximum limit that *rules* make of *marks*.

    A trailing peak is never below the initial balance, if that is given. A lock keeps
    the floor at or below the initial balance.
    """
    anchor = rules.initial_balance or 0.0
    match rules.max_mode:
        case MaxMode.STATIC:
            pass
        case MaxMode.TRAILING_BALANCE:
            anchor = max(anchor, marks.peak_balance)
        case MaxMode.TRAILING_EOD_BALANCE:
            anchor = max(anchor, marks.peak_day_balance)
        case MaxMode.TRAILING_EQUITY:
            anchor = max(anchor, marks.peak_equity)
    base = anchor
    if rules.max_percent_of is MaxPercentOf.INITIAL:
        base = _initial(rules)
    if rules.trail_lock_at_initial and percent is not None:
        anchor = min(anchor, _initial(rules) + percent / 100 * base)
    return Limit(anchor, base, percent)


def _initial(rules: Rules) -> float:
    if rules.initial_balance is None:
        raise ValueError("initial_balance: the rules need it")
    return rules.initial_balance
