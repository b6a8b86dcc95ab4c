"""What one run did."""

from __future__ import annotations

from collections import Counter

import attrs


@attrs.frozen(kw_only=True)
class Summary:
    """What one run did.

    Attributes:
        bars: Symbol to the number of closed bars handled.
        closed: Symbol to the number of positions closed.
        profit: Symbol to the profit of those, account currency.
        still_open: Symbol to the number of positions that are open at the end.
        balance: Last known balance; None if never read.
        reason: Why it stopped.
        error: What was wrong with the feed; empty if nothing was.
    """

    bars: Counter[str]
    closed: Counter[str]
    profit: dict[str, float]
    still_open: Counter[str]
    balance: float | None
    reason: str
    error: str = ""
