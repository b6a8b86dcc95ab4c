"""When a worker counts as frozen, when it may start again, and how it all ended."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from runner.exit_codes import ExitCode

FINAL = frozenset({ExitCode.DONE, ExitCode.USAGE, ExitCode.PLUGIN})
"""Codes after which a restart would only repeat the same answer."""

HEALTHY_AFTER = 600.0
"""Seconds of life after which a crash counts as the first again."""

HELD_BACK_FROM = 5
"""Crashes in a row from which an account is held back."""

_FIRST_DELAY = 1.0  # seconds
_FIRST_HOLD = 60.0
_LONGEST_HOLD = 600.0


@attrs.frozen(kw_only=True)
class Bounds:
    """How long a supervisor waits for a worker, in seconds.

    Attributes:
        frozen_after: Without a sign of life before it is killed.
        start_within: For the first sign of life.
        stop_within: For a clean stop.
    """

    frozen_after: float = 120.0
    start_within: float = 180.0
    stop_within: float = 15.0


@attrs.frozen
class Pulse:
    """What is known of a worker's life, in monotonic seconds.

    Attributes:
        started_at: When its process began.
        sign: The last sign of life; None before any.
        changed_at: When that sign was new; None before the first of this process.
    """

    started_at: float
    sign: float | None = None
    changed_at: float | None = None

    def see(self, sign: float | None, now: float) -> Pulse:
        """Take what the sign of life is *now*.

        Only that it changes counts, on this process's own clock: a clock that is set,
        or a machine that slept, is no reason to kill anybody.
        """
        if sign == self.sign:
            return self
        return attrs.evolve(self, sign=sign, changed_at=now)

    def silent_too_long(self, now: float, bounds: Bounds) -> float | None:
        """Return the seconds of a silence that is too long; None while it is not."""
        if self.changed_at is None:
            silent, limit = now - self.started_at, bounds.start_within
        else:
            silent, limit = now - self.changed_at, bounds.frozen_after
        return silent if silent >= limit else None


def crashes_in_a_row(before: int, lived: float) -> int:
    """Count a crash.

    Args:
        before: Crashes in a row before this one.
        lived: Seconds that the process had lived.
    """
    return 1 if lived >= HEALTHY_AFTER else before + 1


def delay_after(crashes: int) -> float:
    """Return the seconds to wait before a restart.

    From a second on, doubled each time; held back, from a minute on to ten.

    Args:
        crashes: Crashes in a row, at least 1.
    """
    if crashes < HELD_BACK_FROM:
        return _FIRST_DELAY * 2.0 ** (crashes - 1)
    doublings = min(crashes - HELD_BACK_FROM, 10)  # no overflow after a year
    return min(_LONGEST_HOLD, _FIRST_HOLD * 2.0**doublings)


def exit_code_of_all(codes: Iterable[ExitCode]) -> ExitCode:
    """Return the supervisor's exit code.

    Args:
        codes: Each worker's own.

    Returns:
        0 if every worker ended well, else the highest code of any.
    """
    return max(codes, default=ExitCode.DONE)
