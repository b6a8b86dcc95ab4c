"""How a breach is latched, and how the server releases it."""

from __future__ import annotations

from datetime import datetime

import attrs

from plugins.drawdown.limits import Limit
from plugins.drawdown.marks import Latch, Marks
from runner import Account


def latch(
    marks: Marks,
    daily: Limit,
    maximum: Limit,
    equity: float,
    now: datetime,
    config_version: int,
    *,
    closes: bool = False,
) -> Marks:
    """Latch what is breached and not latched yet.

    Args:
        marks: After `advance`.
        daily: The daily limit.
        maximum: The maximum limit.
        equity: The present one.
        now: The market's time, UTC-aware.
        config_version: The trade config in force.
        closes: Whether a breach closes what is open.

    Returns:
        *marks* itself if nothing is breached anew.
    """
    if marks.daily is None and daily.is_breached(equity):
        until = f"{marks.day_end:%Y-%m-%dT%H:%MZ}"
        marks = attrs.evolve(
            marks,
            daily=Latch(
                code="DAILY_DRAWDOWN",
                detail=f"{daily.figures(equity)} until={until}",
                at=now,
                config_version=config_version,
                is_unfinished=closes,
            ),
        )
    if marks.maximum is None and maximum.is_breached(equity):
        marks = attrs.evolve(
            marks,
            maximum=Latch(
                code="MAX_DRAWDOWN",
                detail=f"{maximum.figures(equity)} until=released",
                at=now,
                config_version=config_version,
                is_unfinished=closes,
            ),
        )
    return marks


def hear_server(
    marks: Marks, account: Account, config_version: int, is_blocked: bool
) -> Marks:
    """Release the maximum latch once an operator has cleared it on the server.

    That takes two trade configs after the breach: one in which the server blocks, too,
    and a newer one in which it does not. A config from before the breach, or one that
    never blocked, releases nothing. The peaks begin anew with the release; a static
    limit does not move, so that an account below it is latched again at once.

    Args:
        marks: Of the account.
        account: Its present reading.
        config_version: Of the trade config in force.
        is_blocked: Its ``dd_blocked``.

    Returns:
        *marks* itself if nothing changed.
    """
    held = marks.maximum
    if held is None or config_version == held.config_version:
        return marks
    if is_blocked:
        if held.told_version == config_version:
            return marks
        told = attrs.evolve(held, told_version=config_version)
        return attrs.evolve(marks, maximum=told)
    if held.told_version is None or config_version <= held.told_version:
        return marks
    return attrs.evolve(
        marks,
        maximum=None,
        peak_balance=account.balance,
        peak_equity=account.equity,
        peak_day_balance=account.balance,
    )


def settle(marks: Marks, *, is_left: bool) -> Marks:
    """Note whether a breach has anything left to close.

    A daily latch whose day is over ends when nothing is left.

    Args:
        marks: Of the account.
        is_left: Whether anything is open that a breach shall close.

    Returns:
        *marks* itself if nothing changed.
    """
    daily, maximum = marks.daily, marks.maximum
    if daily is not None and daily.is_unfinished != is_left:
        daily = attrs.evolve(daily, is_unfinished=is_left)
    if daily is not None and not is_left and daily.at < marks.day_start:
        daily = None
    if maximum is not None and maximum.is_unfinished != is_left:
        maximum = attrs.evolve(maximum, is_unfinished=is_left)
    if daily is marks.daily and maximum is marks.maximum:
        return marks
    return attrs.evolve(marks, daily=daily, maximum=maximum)
