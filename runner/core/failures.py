"""What follows when a strategy fails: a pause, another try, and at last its end.

One failing strategy is paused alone; each failure in a row doubles the pause; after
`FailurePolicy.limit` failures in a row it is disabled. A success where it had failed
clears the record.

======== ================================== ==================
state    failed                             succeeded
======== ================================== ==================
RUNNING  PAUSED, tried again when due       RUNNING
PAUSED   PAUSED for longer, then DISABLED   RUNNING
DISABLED DISABLED                           DISABLED
======== ================================== ==================
"""

from __future__ import annotations

import enum
from datetime import datetime, timedelta

import attrs


class HealthState(enum.Enum):
    """Whether a strategy is called."""

    RUNNING = "running"
    """It is called."""
    PAUSED = "paused"
    """It failed, and is called again when the pause is over."""
    DISABLED = "disabled"
    """It failed too often in a row, and is not called again."""


@attrs.frozen(slots=True, kw_only=True)
class FailurePolicy:
    """How failures are answered.

    Attributes:
        limit: Failures in a row after which a strategy is disabled.
        first_pause: How long the first failure pauses it; doubled by each further one.
        longest_pause: No pause is longer.
    """

    limit: int = attrs.field(default=5, validator=attrs.validators.ge(1))
    first_pause: timedelta = timedelta(seconds=30)
    longest_pause: timedelta = timedelta(minutes=15)

    def pause(self, failures: int) -> timedelta:
        """Return the pause after so many failures in a row, at least one."""
        factor: int = 1 << min(failures - 1, 32)
        return min(self.first_pause * factor, self.longest_pause)


DEFAULT_POLICY = FailurePolicy()


@attrs.frozen(slots=True, kw_only=True)
class Health:
    """How a strategy fares.

    Attributes:
        state: Whether it is called.
        failures: Failures in a row.
        where: The call that failed last, such as ``on_bar EURUSD``; empty if none.
        error: The last error of the row; empty if none.
        retry_at: When a paused one is called again, UTC-aware; None otherwise.
    """

    state: HealthState = HealthState.RUNNING
    failures: int = 0
    where: str = ""
    error: str = ""
    retry_at: datetime | None = None

    def may_run(self, now: datetime) -> bool:
        """Say whether the strategy is to be called at *now* (UTC-aware)."""
        match self.state:
            case HealthState.RUNNING:
                return True
            case HealthState.PAUSED:
                return self.retry_at is None or now >= self.retry_at
            case HealthState.DISABLED:
                return False

    def failed(
        self, where: str, error: str, now: datetime, policy: FailurePolicy
    ) -> Health:
        """Return the health after a failure.

        Args:
            where: The call that failed.
            error: The error on one line.
            now: UTC-aware.
            policy: How failures are answered.

        Returns:
            Paused, or disabled when this was one failure too many.
        """
        failures = self.failures + 1
        disabled = self.state is HealthState.DISABLED or failures >= policy.limit
        return Health(
            state=HealthState.DISABLED if disabled else HealthState.PAUSED,
            failures=failures,
            where=where,
            error=error,
            retry_at=None if disabled else now + policy.pause(failures),
        )

    def succeeded(self, where: str) -> Health:
        """Return the health after a success.

        Args:
            where: The call that succeeded. Another call's success clears nothing: a
                strategy that fails on every bar must not be saved by its ticks.

        Returns:
            A clean record if *where* is what had failed, else the same health.
        """
        if self.state is HealthState.PAUSED and where == self.where:
            return HEALTHY
        return self


HEALTHY = Health()
