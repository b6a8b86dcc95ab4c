"""How readings and deals move what is remembered: the first marks, and each next ones.

The day is rolled by the clock. The daily latch ends with its day, the maximum latch
only by a release.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import attrs

from plugins.drawdown.history import balance_at, highest_balance
from plugins.drawdown.marks import Marks
from runner import Account, DailyReset, Deal

OTHER_TIMELINE = timedelta(days=8)
"""No pause of a market is as long: a time further back is another recording's."""

_DEALS_REACH = timedelta(days=31)
"""How far back the deals go that are told after a start."""

_DAY = timedelta(days=1)


def day_end(day_start: datetime, reset: DailyReset) -> datetime:
    """Return when the day that began at *day_start* ends.

    That is at once if by *reset* no day begins then: the choice was changed meanwhile,
    and a day that began at another time has another reference.
    """
    if reset.latest(day_start) != day_start:
        return day_start
    return reset.following(day_start)


def first_marks(
    account: Account,
    server_peak: float | None,
    now: datetime,
    reset: DailyReset,
    deals: Sequence[Deal] = (),
) -> Marks:
    """Return the marks of an account that nothing is known about.

    The day's reference is what the account's deals say that the balance was at the
    reset; the peaks of balance are the highest of what the deals say and what the
    server remembers. A peak of equity counts from now.

    Args:
        account: Its present reading.
        server_peak: The highest balance that the server remembers.
        now: The market's time, UTC-aware.
        reset: When days begin.
        deals: The account's, oldest first.
    """
    day_start = reset.latest(now)
    day_balance = balance_at(account.balance, deals, day_start)
    day_equity = max(day_balance, account.equity)
    peak_balance = highest_balance(account.balance, deals)
    first = min((deal.time for deal in deals), default=day_start)
    return Marks(
        day_start=day_start,
        day_end=reset.following(now),
        is_estimated=True,
        day_balance=day_balance,
        day_equity=day_equity,
        day_peak_equity=day_equity,
        peak_balance=max(peak_balance, server_peak or 0.0),
        peak_equity=account.equity,
        peak_day_balance=max(
            day_balance,
            account.balance,
            *_at_resets(account, first, day_start, reset, deals),
        ),
        last_deal=max((deal.ticket for deal in deals), default=0),
    )


def advance(
    marks: Marks,
    account: Account,
    now: datetime,
    reset: DailyReset,
    before: Account | None,
    *,
    deals: Sequence[Deal] = (),
    new: Sequence[Deal] = (),
) -> Marks:
    """Move the marks by one reading of the account.

    The day is rolled by the clock, never by a trade. The balance at the reset is what
    the deals since then say that it was. The equity is the higher one of the last
    reading before the reset and the first that is not: at the same instant swaps are
    charged, and nobody knows on which side of them a firm looks. If nobody looked
    before it, equity cannot be told: the higher one of that balance and the equity now
    is taken, so that the estimate errs towards the stricter floor.

    Args:
        marks: Up to the reading before, shifted by what was paid in or out since.
        account: The present reading.
        now: The market's time, UTC-aware.
        reset: When days begin.
        before: The reading before, shifted likewise; None after a start.
        deals: Every deal of the day and of a day before now, oldest first.
        new: Of these, those since the reading before.

    Returns:
        *marks* itself if nothing changed.
    """
    if now >= marks.day_end or now < marks.day_start - OTHER_TIMELINE:
        marks = _roll(marks, account, now, reset, before, deals=deals, new=new)
    equity, balance = account.equity, highest_balance(account.balance, new)
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
    *,
    deals: Sequence[Deal],
    new: Sequence[Deal],
) -> Marks:
    day_start = reset.latest(now)
    balance, equity = balance_at(account.balance, deals, day_start), account.equity
    if before is None:
        equity = max(balance, equity)
    else:
        equity = max(equity, before.equity)
        if not new and now != day_start:  # nothing says why it differs
            balance = max(balance, before.balance)
    peak = equity
    if timedelta(0) <= marks.day_start - day_start <= _DAY:
        peak = max(peak, marks.day_peak_equity)  # the same day, now from earlier on
    daily = marks.daily
    if daily is not None and now < marks.day_start:
        daily = attrs.evolve(daily, at=now)
    elif daily is not None and daily.at < day_start and not daily.is_unfinished:
        daily = None
    return attrs.evolve(
        marks,
        day_start=day_start,
        day_end=reset.following(now),
        is_estimated=before is None,
        day_balance=balance,
        day_equity=equity,
        day_peak_equity=peak,
        peak_day_balance=max(
            balance,
            marks.peak_day_balance,
            *_at_resets(account, marks.day_end, day_start, reset, deals),
        ),
        daily=daily,
    )


def _at_resets(
    account: Account,
    since: datetime,
    day_start: datetime,
    reset: DailyReset,
    deals: Sequence[Deal],
) -> list[float]:
    """Return the balances at the resets from *since* on, before the latest one."""
    found: list[float] = []
    at = reset.latest(max(since, day_start - _DEALS_REACH))
    while at < day_start:
        found.append(balance_at(account.balance, deals, at))
        at = reset.following(at)
    return found
