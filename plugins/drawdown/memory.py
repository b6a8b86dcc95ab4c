"""The marks of one account: in memory, on disk, and when they are written."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

import attrs

from plugins.drawdown.marks import Marks
from plugins.drawdown.record import from_record, to_record
from runner import DailyReset, PluginState

log = logging.getLogger("mt5runner.plugins.drawdown")

_PEAKS_EVERY = timedelta(seconds=60)


class Memory:
    """Keeps what must survive a restart, one record per account.

    Args:
        state: The plugin's durable values.

    Attributes:
        key: The account's; empty before the first.
        marks: What is remembered about it; None before the first reading.
    """

    def __init__(self, state: PluginState) -> None:
        self._state = state
        self._stored: Marks | None = None
        self._stored_at: datetime | None = None
        self._is_stored = False
        self.key = ""
        self.marks: Marks | None = None

    def turn_to(self, key: str, reset: DailyReset) -> Marks | None:
        """Return what is remembered about that account; None if nothing is.

        Args:
            key: The account's.
            reset: When days begin.

        Raises:
            RecordError: If what is on disk cannot be read.
        """
        if self.marks is not None and key == self.key:
            return self.marks
        self.key, self.marks, self._stored = key, None, None
        record = self._state.get(key)
        if record is not None:
            self._stored = from_record(record, reset)
        return self._stored

    def take(self, marks: Marks) -> None:
        """Remember *marks* from now on; `write` brings them to disk."""
        if marks is not self.marks:
            self._tell(self.marks, marks)
            self.marks, self._is_stored = marks, False

    def write(self, now: datetime, *, has_equity_peaks: bool) -> None:
        """Bring to disk what is not there yet.

        Args:
            now: The market's time, UTC-aware.
            has_equity_peaks: Whether any rule counts from a peak of equity.
        """
        marks, stored = self.marks, self._stored
        if marks is None or self._is_stored:
            return
        if stored is not None and stored == attrs.evolve(
            marks,
            day_peak_equity=stored.day_peak_equity,
            peak_equity=stored.peak_equity,
        ):
            # Peaks of equity may rise with every quote. A crash loses a minute of them
            # at most, and nothing where no rule counts from them.
            if not has_equity_peaks:
                self._is_stored = True
                return
            if self._stored_at and abs(now - self._stored_at) < _PEAKS_EVERY:
                return
        self.write_all(now)

    def write_all(self, now: datetime) -> None:
        """Bring everything to disk, the newest peaks too."""
        if self.marks is not None:
            self._state.put(self.key, to_record(self.marks))
            self._stored, self._stored_at = self.marks, now
            self._is_stored = True

    def _tell(self, old: Marks | None, new: Marks) -> None:
        if old is None:
            # After a start what is latched is told again, and a missed reset is told.
            old = attrs.evolve(self._stored or new, daily=None, maximum=None)
        if new.daily is not None and (old.daily is None or old.daily.at < new.daily.at):
            log.error("entries stop: %s: %s", new.daily.code, new.daily.detail)
        if old.daily is not None and new.daily is None:
            log.warning("the daily limit counts from a new day, entries may go on")
        if new.maximum is not None and old.maximum is None:
            log.error("entries stop: %s: %s", new.maximum.code, new.maximum.detail)
        if old.maximum is not None and new.maximum is None:
            log.warning("the server released the maximum limit; peaks begin anew")
        if new.day_start != old.day_start and new.is_estimated:
            log.warning(
                "nobody looked at the account when the day began at %s: its reference "
                "is estimated",
                f"{new.day_start:%Y-%m-%dT%H:%MZ}",
            )
