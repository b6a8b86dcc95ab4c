"""What happens to what is open when a window comes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from plugins.news_pause.settings import OnEnter
from plugins.news_pause.windows import Periods, Window
from runner import Demand, PendingOrder, Position, Side

_IS_LOSING: Mapping[OnEnter, bool] = {
    OnEnter.CLOSE_LOSING: True,
    OnEnter.CLOSE_PROFITABLE: False,
}


def closing_window(periods: Periods, now: datetime) -> Window | None:
    """Return the window for which positions are closed or protected at *now*.

    None also while nothing may be closed: what was not closed in time is held through.
    """
    if periods.holding.at(now) is not None:
        return None
    return periods.closing.at(now)


def judged(
    action: OnEnter,
    positions: Sequence[Position],
    before: Mapping[int, bool],
) -> dict[int, bool]:
    """Return which positions are to be closed, as each was when it was first seen.

    A loser that recovers after it could not be closed at once is closed all the same,
    and a winner that falls after the news is not: what decides is how it stood when
    the window came.

    Args:
        action: What is to happen.
        positions: Own positions in windows now.
        before: Ticket to what was decided at the last reading.
    """
    return {
        one.ticket: before.get(one.ticket, _closes(action, one)) for one in positions
    }


def _closes(action: OnEnter, position: Position) -> bool:
    if action is OnEnter.CLOSE_ALL:
        return True
    wanted = _IS_LOSING.get(action)
    return wanted is not None and wanted == (position.profit + position.swap < 0)


def protections(positions: Sequence[Position]) -> dict[int, float]:
    """Return the stops at the entry price of what is in profit and lacks one there."""
    return {
        one.ticket: one.open_price
        for one in positions
        if one.profit > 0 and not _is_protected(one)
    }


def _is_protected(position: Position) -> bool:
    if position.side is Side.BUY:
        return position.stop_loss >= position.open_price
    return 0 < position.stop_loss <= position.open_price


def demands(
    windows: Collection[Window],
    closing: Mapping[int, bool],
    protect: Mapping[int, float],
    cancel: Sequence[PendingOrder],
) -> Demand | None:
    """Return what is demanded, or None.

    Args:
        windows: What it is about; the first is named.
        closing: Ticket to whether the position is to be closed.
        protect: Ticket to where the stop is to stand.
        cancel: What is to be removed.
    """
    close = tuple(ticket for ticket, wanted in closing.items() if wanted)
    if not close and not protect and not cancel:
        return None
    first = min(windows, key=lambda window: window.start)
    return Demand(
        code="NEWS_EXIT",
        detail=str(first),
        close=close,
        cancel=tuple(order.ticket for order in cancel),
        protect=dict(protect),
    )
