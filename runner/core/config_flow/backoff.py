"""How long to wait after a failure, as values."""

from __future__ import annotations

import attrs

_MOST_DOUBLINGS = 30


@attrs.frozen
class Regime:
    """How fast to ask again after failures, in seconds.

    Attributes:
        first: Longest delay after the first failure; it doubles with each further one.
        longest: Where the doubling ends.
    """

    first: float
    longest: float


RETRY = Regime(1.0, 60.0)
"""After no answer, 429 and 5xx (protocol, section 2)."""
SLOW = Regime(60.0, 1800.0)
"""After 401, 403 and 404 (protocol, section 2)."""


@attrs.frozen(kw_only=True)
class Timing:
    """Every interval of the flow, in seconds.

    Attributes:
        poll: Between two requests while Redis is away.
        missing: Between two requests while the version key is missing, or announces
            another version than the server's answer has.
        retry: After no answer, 429 and 5xx.
        slow: After 401, 403 and 404.
    """

    poll: float = 60.0
    missing: float = 600.0
    retry: Regime = RETRY
    slow: Regime = SLOW


@attrs.frozen
class Backoff:
    """Failures so far, as a value. Two successes in a row forget them.

    Attributes:
        regime: Bounds of the delay.
        failures: Since it was last forgotten.
        successes: In a row since the last failure.
    """

    regime: Regime
    failures: int = 0
    successes: int = 0

    def failed(self, regime: Regime) -> Backoff:
        """Count a failure; another regime starts at its own beginning."""
        return Backoff(regime, self.failures + 1 if regime == self.regime else 1)

    def succeeded(self) -> Backoff:
        """Count a success."""
        if self.successes:
            return Backoff(self.regime)
        return attrs.evolve(self, successes=1)

    def delay(self, draw: float, retry_after: float | None = None) -> float:
        """Return the seconds to wait before the next try.

        Args:
            draw: Random number in [0, 1); the delay lies in [d/2, d).
            retry_after: The server's wish in seconds: a floor, spread by a quarter so
                that a fleet told the same does not return as one.
        """
        doublings = min(max(self.failures - 1, 0), _MOST_DOUBLINGS)
        longest = min(self.regime.first * 2.0**doublings, self.regime.longest)
        floor = (retry_after or 0.0) * (1.0 + draw / 4.0)
        return max(longest * (1.0 + draw) / 2.0, floor)
