"""What is remembered about an account, and how readings move it.

The day is rolled by the clock. The daily latch ends with its day, the maximum latch
only by a release.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import attrs

from plugins.drawdown.settings import DailyReset
from runner import Account

OTHER_TIMELINE = timedelta(days=8)
"""No pause of a market is as long: a time further back is another recording's."""


@attrs.frozen(slots=True, kw_only=True)
class Latch:
    """A breach that keeps entries stopped.

    Attributes:
        code: DAILY_DRAWDOWN or MAX_DRAWDOWN.
        detail: The figures of the breach.
        at: When it was measured, UTC-aware.
        config_version: The trade config in force at the breach.
        told_version: The later trade config in which the server blocked, too.
    """

    code: str
    detail: str
    at: datetime
    config_version: int
    told_version: int | None = None


@attrs.frozen(slots=True, kw_only=True)
class Marks:
    """What must be remembered about one account. Money is in account currency.

    Attributes:
        day_start: The reset that began this day, UTC-aware.
        day_end: The next reset, UTC-aware.
        is_estimated: Whether nobody looked at the account at *day_start*.
        day_balance: Balance at *day_start*.
        day_equity: Equity at *day_start*.
        day_peak_equity: Highest equity since *day_start*.
        peak_balance: Highest balance ever.
        peak_equity: Highest equity ever.
        peak_day_balance: Highest balance at any reset.
        daily: The daily limit's latch; None while it holds.
        maximum: The maximum limit's latch; None while it holds.
    """

    day_start: datetime
    day_end: datetime
    is_estimated: bool
    day_balance: float
    day_equity: float
    day_peak_equity: float
    peak_balance: float
    peak_equity: float
    peak_day_balance: float
    daily: Latch | None = None
    maximum: Latch | None = None


def first_marks(
    account: Account, server_peak: float | None, now: datetime, reset: DailyReset
) -> Marks:
    """Return the marks of an account that nothing is known about.

    Args:
        account: Its present reading; the day is counted from it.
        server_peak: The highest balance that the server remembers.
        now: The market's time, UTC-aware.
        reset: When days begin.
    """
    return Marks(
        day_start=reset.latest(now),
        day_end=reset.following(now),
        is_estimated=True,
        day_balance=account.balance,
        day_equity=account.equity,
        day_peak_equity=account.equity,
        peak_balance=max(account.balance, server_peak or 0.0),
        peak_equity=account.equity,
        peak_day_balance=account.balance,
    )


def advance(
    marks: Marks,
    account: Account,
    now: datetime,
    reset: DailyReset,
    before: Account | None,
) -> Marks:
    """Move the marks by one reading of the account.

    The day is rolled by the clock, never by a trade. The reference is the reading at
    the reset, or the higher one of the last before and the first after it. If nobody
    looked before it, the higher one of balance and equity is taken for both, so that
    the estimate errs towards the stricter floor.

    Args:
        marks: Up to the reading before.
        account: The present reading.
        now: The market's time, UTC-aware.
        reset: When days begin.
        before: The reading before; None after a start.

    Returns:
        *marks* itself if nothing changed.
    """
    balance, equity = account.balance, account.equity
    if now >= marks.day_end or now < marks.day_start - OTHER_TIMELINE:
        marks = _roll(marks, account, now, reset, before)
    if (
        equity > marks.day_peak_equity
        or equity > marks.peak_equity
        or balance > marks.peak_balance
    ):
        marks = attrs.evolve(
            marks,
            day_peak_equity=max(equity, marks.day_peak_equity),
            peak_equity=max(equity, marks.peak_equity),
            peak_balance=max(balance, marks.peak_balance),
        )
    return marks


def _roll(
    marks: Marks,
    account: Account,
    now: datetime,
    reset: DailyReset,
    before: Account | None,
) -> Marks:
    day_start = reset.latest(now)
    balance, equity = account.balance, account.equity
    if before is None:
        balance = equity = max(balance, equity)
    elif now != day_start:
        balance, equity = max(balance, before.balance), max(equity, before.equity)
    daily = marks.daily
    if daily is not None and now < marks.day_start:
        daily = attrs.evolve(daily, at=now)
    elif daily is not None and daily.at < day_start:
        daily = None
    return attrs.evolve(
        marks,
        day_start=day_start,
        day_end=reset.following(now),
        is_estimated=before is None,
        day_balance=balance,
        day_equity=equity,
        day_peak_equity=equity,
        peak_day_balance=max(balance, marks.peak_day_balance),
        daily=daily,
    )
