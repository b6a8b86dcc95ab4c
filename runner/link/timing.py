"""Every interval of the link."""

from __future__ import annotations

import attrs

from runner.core.config_flow import Regime, Timing

# A heartbeat that is not written for a minute means DOWN, so the cap is short.
_REDIS = Regime(1.0, 15.0)


@attrs.frozen(kw_only=True)
class LinkTiming:
    """Every interval of the link, in seconds.

    Attributes:
        config: Of the configs.
        redis: Between two tries while Redis is away.
        renew: Longest time between two renewals of the lease.
        together: How long acknowledgements and wake-ups wait for company.
        recent: Age up to which a look at Redis is good enough before trading.
    """

    config: Timing = attrs.field(factory=Timing)
    redis: Regime = _REDIS
    renew: float = 20.0
    together: float = 0.05
    recent: float = 1.0
