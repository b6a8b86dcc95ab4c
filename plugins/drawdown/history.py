"""What deals say about balances of the past, and how cash moves what is remembered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import attrs

from plugins.drawdown.marks import Marks
from runner import Deal


def in_order(deals: Sequence[Deal]) -> list[Deal]:
    """Return *deals* from the oldest to the newest."""
    return sorted(deals, key=lambda deal: (deal.time, deal.ticket))


def is_cash(deal: Deal) -> bool:
    """Say whether it moved money into the account or out of it.

    Credit is none: equity is measured without it, so that it moves nothing.
    """
    return deal.is_balance and not deal.is_credit


def balance_at(balance: float, deals: Sequence[Deal], at: datetime) -> float:
    """Return the balance at *at*, as it would be with the cash of today.

    Args:
        balance: The present one.
        deals: Every deal since *at*; earlier ones do no harm.
        at: UTC-aware; a deal of that instant counts as later.
    """
    return balance - sum(_result(deal) for deal in deals if deal.time >= at)


def highest_balance(balance: float, deals: Sequence[Deal]) -> float:
    """Return the highest balance after any of *deals*, with the cash of today.

    Args:
        balance: The present one.
        deals: The newest ones, oldest first.
    """
    highest = balance
    for deal in reversed(deals):
        highest = max(highest, balance)
        balance -= _result(deal)
    return highest


def cash_of(deals: Sequence[Deal]) -> float:
    """Return what *deals* paid in, less what they paid out."""
    return sum(_money(deal) for deal in deals if is_cash(deal))


def count_cash(
    marks: Marks, balance: float, deals: Sequence[Deal], initial: float | None
) -> Marks:
    """Shift what is remembered by what was paid in or out.

    Everything that a loss is counted from moves by the amount, so that it is neither a
    profit nor a loss. Of a withdrawal, what lies above the initial balance is profit
    that is paid out: it leaves the initial balance as it is.

    Args:
        marks: Before *deals*.
        balance: The present one.
        deals: What is new, oldest first.
        initial: The initial balance as it is set; None if it is not.

    Returns:
        *marks* itself if no cash moved and no deal is new.
    """
    if not deals:
        return marks
    before = balance - sum(_money(deal) for deal in deals)
    for deal in deals:
        amount = _money(deal)
        if is_cash(deal) and amount:
            shift = amount
            if initial is not None and amount < 0:
                profit = max(0.0, before - initial - marks.initial_shift)
                shift = min(0.0, amount + profit)
            marks = _shifted(marks, amount, shift)
        before += amount
    newest = max(deal.ticket for deal in deals)
    return attrs.evolve(marks, last_deal=max(newest, marks.last_deal))


def _shifted(marks: Marks, amount: float, initial_shift: float) -> Marks:
    return attrs.evolve(
        marks,
        day_balance=marks.day_balance + amount,
        day_equity=marks.day_equity + amount,
        day_peak_equity=marks.day_peak_equity + amount,
        peak_balance=marks.peak_balance + amount,
        peak_equity=marks.peak_equity + amount,
        peak_day_balance=marks.peak_day_balance + amount,
        initial_shift=marks.initial_shift + initial_shift,
    )


def _money(deal: Deal) -> float:
    return 0.0 if deal.is_credit else deal.profit + deal.costs


def _result(deal: Deal) -> float:
    return 0.0 if deal.is_balance else deal.profit + deal.costs
