"""When to look at Redis, and whether it is there."""

from __future__ import annotations

import math
from collections.abc import Callable

from runner.core.config_flow import Backoff
from runner.link.timing import LinkTiming
from runner.ports import Clock

_NEVER = math.inf


class Looks:
    """The looks at Redis that are wanted, and what came of the last ones.

    Args:
        clock: Time.
        timing: Intervals.
        draw: Random numbers in [0, 1).

    Attributes:
        looked_at: When the last one that succeeded was begun (monotonic seconds).
        is_up: Whether the last one succeeded; true before the first.
    """

    def __init__(
        self, *, clock: Clock, timing: LinkTiming, draw: Callable[[], float]
    ) -> None:
        self._clock = clock
        self._timing = timing
        self._draw = draw
        self._backoff = Backoff(timing.redis)
        # Because somebody waits for it, or as a matter of course; and not before, while
        # Redis is away.
        self._wanted_at = -_NEVER
        self._poll_at = _NEVER
        self._not_before = -_NEVER
        self._lost_at = 0.0
        self.looked_at = -_NEVER
        self.is_up = True

    def want(self, delay: float = 0.0) -> None:
        """Let there be one *delay* seconds from now, if not before."""
        self._wanted_at = min(self._wanted_at, self._clock.monotonic() + delay)

    def due_at(self, *, with_lease: bool) -> float:
        """Return when the next one is due (monotonic seconds).

        Args:
            with_lease: Whether there is a lease that has to be renewed by it.
        """
        renew_at = self.looked_at + self._timing.renew if with_lease else _NEVER
        due = min(self._wanted_at, self._poll_at, renew_at)
        return max(due, self._not_before)

    def begin(self) -> float:
        """Take that one begins; return when (monotonic seconds)."""
        self._wanted_at = _NEVER
        return self._clock.monotonic()

    def fail(self) -> bool:
        """Take that one failed; say whether that is news."""
        now = self._clock.monotonic()
        self._backoff = self._backoff.failed(self._timing.redis)
        self._not_before = now + self._backoff.delay(self._draw())
        self._wanted_at = -_NEVER
        was_up, self.is_up = self.is_up, False
        if was_up:
            self._lost_at = now
        return was_up

    def succeed(self, begun_at: float) -> float | None:
        """Take that the one begun at *begun_at* succeeded.

        Returns:
            For how many seconds Redis had been away; None if it had not.
        """
        poll = self._timing.config.poll
        self._poll_at = begun_at + poll * (0.9 + 0.2 * self._draw())
        self._backoff = Backoff(self._timing.redis)
        self._not_before = -_NEVER
        self.looked_at = begun_at
        was_up, self.is_up = self.is_up, True
        return None if was_up else begun_at - self._lost_at
