"""What is remembered about an account, and for how long a breach holds."""

from __future__ import annotations

from datetime import datetime

import attrs


@attrs.frozen(slots=True, kw_only=True)
class Latch:
    """A breach that keeps entries stopped.

    Attributes:
        code: DAILY_DRAWDOWN or MAX_DRAWDOWN.
        detail: The figures of the breach.
        at: When it was measured, UTC-aware.
        config_version: The trade config in force at the breach.
        told_version: The later trade config in which the server blocked, too.
        is_unfinished: Whether something is left to close. Until it is closed, no reset
            ends the latch.
    """

    code: str
    detail: str
    at: datetime
    config_version: int
    told_version: int | None = None
    is_unfinished: bool = False


@attrs.frozen(slots=True, kw_only=True)
class Marks:
    """What must be remembered about one account. Money is in account currency.

    Equity is without credit. What was paid in or out later shifts every figure, so
    that they can be compared with the account as it is.

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
        last_deal: Ticket of the newest deal that is counted; 0 for none.
        initial_balance: The initial balance as it is set; None if it is not.
        initial_shift: By how much payments moved it since it is set so.
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
    last_deal: int = 0
    initial_balance: float | None = None
    initial_shift: float = 0.0
    daily: Latch | None = None
    maximum: Latch | None = None
