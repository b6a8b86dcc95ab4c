"""Everything between the loop and the server: the loop never waits for a network."""

from __future__ import annotations

from runner.link.events import (
    CommandSeen,
    ConfigConfirmed,
    ConfigMissing,
    ConfigRefused,
    LeaseChanged,
    LinkEvent,
    Origin,
    ServerSeen,
    StrategyConfigStaged,
    TradeConfigStaged,
)
from runner.link.threads import Link

__all__ = [
    "CommandSeen",
    "ConfigConfirmed",
    "ConfigMissing",
    "ConfigRefused",
    "LeaseChanged",
    "Link",
    "LinkEvent",
    "Origin",
    "ServerSeen",
    "StrategyConfigStaged",
    "TradeConfigStaged",
]
