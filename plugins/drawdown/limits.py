"""The two limits as arithmetic over what is remembered."""

from __future__ import annotations

import attrs

from plugins.drawdown.marks import Marks
from plugins.drawdown.rules import Rules
from runner import DailyPercentOf, DailyReference, MaxMode, MaxPercentOf

TOLERANCE = 0.00005
"""Half of the last place that money has on the wire."""
_LEAST_BASE = 0.01


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
        touch: Whether an equity at the floor is a breach.
        floor: The equity at which it is reached; None for no limit.
    """

    anchor: float
    base: float
    percent: float | None
    touch: bool = True
    floor: float | None = attrs.field(
        init=False, default=attrs.Factory(_floor, takes_self=True)
    )

    def used(self, equity: float) -> float:
        """Return the loss in percent of the base, never below 0."""
        # A payout of more than the day began with leaves no base.
        return max(0.0, self.anchor - equity) / max(self.base, _LEAST_BASE) * 100

    def share(self, equity: float) -> float | None:
        """Return the loss in percent of what the limit allows; None for no limit."""
        return None if self.percent is None else self.used(equity) / self.percent * 100

    def figures(self, equity: float) -> str:
        """Return what a person wants to know about the limit at *equity*."""
        floor = "none" if self.floor is None else f"{self.floor:.2f}"
        return (
            f"used={self.used(equity):.2f}% limit={self.percent:g}% "
            f"floor={floor} equity={equity:.2f}"
        )

    def is_breached(self, equity: float) -> bool:
        """Say whether *equity* reaches the floor; an unreadable figure counts."""
        floor = self.floor
        if floor is None:
            return False
        if self.touch:
            return not equity > floor + TOLERANCE
        return not equity > floor - TOLERANCE

    def is_near(self, equity: float, fraction: float | None) -> bool:
        """Say whether that *fraction* of what the limit allows is used up."""
        if fraction is None or self.percent is None:
            return False
        soft = self.anchor - fraction * self.percent / 100 * self.base
        return not equity > soft + TOLERANCE


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
        base = _initial(rules, marks)
    return Limit(anchor, base, percent, rules.touch_breaches)


def max_limit(rules: Rules, marks: Marks, percent: float | None) -> Limit:
    """Return the maximum limit that *rules* make of *marks*.

    A trailing peak is never below the initial balance, if that is given. A lock keeps
    the floor at or below the initial balance.
    """
    anchor = 0.0 if rules.initial_balance is None else _initial(rules, marks)
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
        base = _initial(rules, marks)
    if rules.trail_lock_at_initial and percent is not None:
        anchor = min(anchor, _initial(rules, marks) + percent / 100 * base)
    return Limit(anchor, base, percent, rules.touch_breaches)


def _initial(rules: Rules, marks: Marks) -> float:
    if rules.initial_balance is None:
        raise ValueError("initial_balance: the rules need it")
    return rules.initial_balance + marks.initial_shift
