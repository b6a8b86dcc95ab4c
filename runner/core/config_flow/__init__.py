"""How one config reaches the runner: seen, fetched, staged, applied or refused."""

from __future__ import annotations

from runner.core.config_flow.backoff import RETRY, SLOW, Backoff, Regime, Timing
from runner.core.config_flow.machine import REUSED, step
from runner.core.config_flow.state import ConfigFlow
from runner.core.config_flow.values import (
    ApiKeyChanged,
    Applied,
    BodyCame,
    Command,
    Confirm,
    Event,
    Fault,
    Fetch,
    Identity,
    Keep,
    Keys,
    KeySeen,
    KeyUnknown,
    NotFound,
    Refuse,
    Refused,
    Restore,
    Restored,
    Stage,
    Tick,
    Trouble,
    Unauthorized,
)

__all__ = [
    "RETRY",
    "REUSED",
    "SLOW",
    "ApiKeyChanged",
    "Applied",
    "Backoff",
    "BodyCame",
    "Command",
    "ConfigFlow",
    "Confirm",
    "Event",
    "Fault",
    "Fetch",
    "Identity",
    "Keep",
    "KeySeen",
    "KeyUnknown",
    "Keys",
    "NotFound",
    "Refuse",
    "Refused",
    "Regime",
    "Restore",
    "Restored",
    "Stage",
    "Tick",
    "Timing",
    "Trouble",
    "Unauthorized",
    "step",
]
