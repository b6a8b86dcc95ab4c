"""What the loop needs to know about how it shall run."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

import attrs

from runner.core.market import Timeframe
from runner.core.restart import RestartPolicy


class Player(Protocol):
    """Plays a feed into the simulated terminal."""

    def play(self) -> bool:
        """Let the market go on as far as it is due; False when the feed has ended."""
        ...

    def pause(self) -> float:
        """Return the seconds until the market goes on; 0.0 for at once."""
        ...


@attrs.frozen(kw_only=True)
class LoopSettings:
    """How the loop runs.

    Attributes:
        account: The account id that the server knows.
        session: Unique mark of this start.
        host: Host name.
        pid: Process id.
        version: The runner's own version.
        timeframe: Bars for strategies that name none.
        cycle: Seconds between two cycles when nothing happens.
        max_config_age: Beyond this age of the configuration only exits go on.
        exit_when_feed_ends: Whether to stop when the player's feed has ended.
        epoch: Fencing number of the lease; None without a lease.
        server_peak: Whether the server's peak balance is of this account; on paper it
            is of another one.
        account_lasts: Whether the account outlives this process; one on paper begins
            anew with each start.
        on_restart: What becomes of what an earlier start left open.
        memory_limit_mb: Megabytes in use from which on entries stop.
    """

    account: str
    session: str
    host: str
    pid: int
    version: str
    timeframe: Timeframe
    cycle: float = 0.2
    max_config_age: timedelta = timedelta(hours=24)
    exit_when_feed_ends: bool = False
    epoch: int | None = None
    server_peak: bool = True
    account_lasts: bool = True
    on_restart: RestartPolicy = RestartPolicy.ADOPT
    memory_limit_mb: int = 2048
