"""The account's past: done orders and deals, in order of time."""

from __future__ import annotations

import bisect
from typing import Generic, TypeVar

from runner.adapters.mt5_simulator.structs import TradeDeal, TradeOrder

_Record = TypeVar("_Record", TradeDeal, TradeOrder)


class Archive(Generic[_Record]):
    """Records by time, by ticket and by position."""

    def __init__(self) -> None:
        self._records: list[_Record] = []
        self._times: list[int] = []
        self._by_ticket: dict[int, _Record] = {}
        self._by_position: dict[int, list[_Record]] = {}

    def add(self, time: int, record: _Record) -> None:
        """Append *record*, which happened at *time*, not before the one before it."""
        self._records.append(record)
        self._times.append(time)
        self._by_ticket[record.ticket] = record
        self._by_position.setdefault(record.position_id, []).append(record)

    def between(self, first: int, last: int) -> tuple[_Record, ...]:
        """Return the records from *first* to *last*, both seconds and included."""
        start = bisect.bisect_left(self._times, first)
        return tuple(self._records[start : bisect.bisect_right(self._times, last)])

    def with_ticket(self, ticket: int) -> tuple[_Record, ...]:
        """Return the record of that number, if there is one."""
        record = self._by_ticket.get(ticket)
        return () if record is None else (record,)

    def of_position(self, identifier: int) -> tuple[_Record, ...]:
        """Return the records of one position, oldest first."""
        return tuple(self._by_position.get(identifier, ()))


class History:
    """Done orders and deals."""

    def __init__(self) -> None:
        self.deals: Archive[TradeDeal] = Archive()
        self.orders: Archive[TradeOrder] = Archive()
