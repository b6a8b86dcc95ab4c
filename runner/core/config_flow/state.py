"""Where one config stands."""

from __future__ import annotations

import math

import attrs

from runner.core.config_flow.backoff import Backoff, Timing
from runner.core.config_flow.values import Identity, Keys, Trouble


@attrs.frozen(kw_only=True)
class ConfigFlow:
    """Where one config stands.

    Attributes:
        timing: Intervals.
        applied: What trades; None before the first.
        offered: Staged and not yet answered by the loop, oldest first.
        refused: The last body refused and not superseded.
        trouble: What stands between us and the server's config.
        keys: What is known about the version key.
        key: The version last announced; a missing key does not forget it.
        fetching: Whether an answer is outstanding.
        asked_under: The key when it was asked for.
        owed: Whether the server must be asked as soon as back-off allows.
        poll_at: When to ask anyway.
        not_before: What back-off allows.
        backoff: Failures so far.
        lower: How often in a row a lower version came with no key to judge it by.
        may_restore: Whether the disk has not been tried yet.
        is_from_disk: Whether what we have was never vouched for since the start.
    """

    timing: Timing = attrs.field(factory=Timing)
    applied: Identity | None = None
    offered: tuple[Identity, ...] = ()
    refused: Identity | None = None
    trouble: Trouble = Trouble.NONE
    keys: Keys = Keys.SEEN
    key: int | None = None
    fetching: bool = False
    asked_under: int | None = None
    owed: bool = True
    poll_at: float = math.inf
    not_before: float = -math.inf
    backoff: Backoff = attrs.field(
        default=attrs.Factory(lambda flow: Backoff(flow.timing.retry), takes_self=True)
    )
    lower: int = 0
    may_restore: bool = True
    is_from_disk: bool = False

    @property
    def current(self) -> Identity | None:
        """The newest config on its way to trading, else the one that trades."""
        return self.offered[-1] if self.offered else self.applied

    @property
    def due_at(self) -> float:
        """When a Tick makes a Fetch; infinite while one is under way."""
        if self.fetching:
            return math.inf
        return max(-math.inf if self.owed else self.poll_at, self.not_before)

    @property
    def has_live_key(self) -> bool:
        """Whether Redis announces a version now."""
        return self.keys in (Keys.SEEN, Keys.DIFFERS) and self.key is not None

    @property
    def is_settled(self) -> bool:
        """Whether no answer is owed or outstanding."""
        return not (self.owed or self.fetching)
