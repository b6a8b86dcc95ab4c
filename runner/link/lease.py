"""Whether the account's lease is ours, told without asking a network."""

from __future__ import annotations

import threading

from runner.link.events import LeaseChanged
from runner.ports import LeaseHolder
from runner.wire.keys import LEASE_GIVE_UP


class Lease:
    """The lease as this runner may count on it. Usable from any thread.

    The broker checks no token, so a holder that cannot renew must stop before another
    may start: `LEASE_GIVE_UP` seconds after the last renewal the lease counts as lost,
    whatever the thread that renews it is doing.

    Args:
        give_up: Seconds without renewal after which it counts as lost.
    """

    def __init__(self, give_up: float = LEASE_GIVE_UP) -> None:
        self._give_up = give_up
        self._lock = threading.Lock()
        self._is_used = False
        self._epoch: int | None = None
        self._renewed_at = 0.0
        self._is_held = False
        self._holder: LeaseHolder | None = None

    @property
    def is_used(self) -> bool:
        """Whether this runner trades under a lease at all."""
        return self._is_used

    @property
    def epoch(self) -> int | None:
        """Our fencing number; None while we have none."""
        return self._epoch

    @property
    def may_write(self) -> bool:
        """Whether what we write about the account is the account's own word."""
        return not self._is_used or self._epoch is not None

    def want(self) -> None:
        """Trade under a lease, though none could be asked for yet."""
        with self._lock:
            self._is_used = True

    def forgo(self) -> None:
        """Trade without a lease: there are none here."""
        with self._lock:
            self._is_used = False

    def acquire(self, epoch: int, at: float) -> LeaseChanged | None:
        """Take that it is ours since *at* (monotonic seconds)."""
        with self._lock:
            was_held = self._is_held
            self._is_used = self._is_held = True
            self._epoch, self._renewed_at, self._holder = epoch, at, None
            return None if was_held else LeaseChanged(held=True, epoch=epoch)

    def renew(self, at: float) -> LeaseChanged | None:
        """Take that it was renewed by a request sent at *at* (monotonic seconds)."""
        with self._lock:
            if self._epoch is None:
                return None
            was_held, self._is_held = self._is_held, True
            self._renewed_at = at
            return None if was_held else LeaseChanged(held=True, epoch=self._epoch)

    def lose(self, holder: LeaseHolder) -> LeaseChanged | None:
        """Take that another runner has it."""
        with self._lock:
            is_news = self._is_held or self._holder != holder
            self._is_used, self._is_held = True, False
            self._epoch, self._holder = None, holder
            return LeaseChanged(held=False, holder=holder) if is_news else None

    def lapse(self, now: float) -> LeaseChanged | None:
        """Give it up if it was not renewed for too long."""
        with self._lock:
            if not self._is_held or now - self._renewed_at <= self._give_up:
                return None
            self._is_held = False
            return LeaseChanged(held=False)
