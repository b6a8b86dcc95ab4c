"""Which config a body is, told by digests of its fields."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, cast

from runner.core.config_flow import Identity
from runner.wire.documents import (
    STRATEGY_CONFIG_FIELDS,
    STRATEGY_VERSION_FIELDS,
    TRADE_CONFIG_FIELDS,
    TRADE_VERSION_FIELDS,
)

_ENVELOPE = {"status", "version"}
# Readings of the account, which change with every deal, are no configuration.
_READINGS = {"current_balance", "peak_balance"}
_TRADE_CONTENT = frozenset(TRADE_CONFIG_FIELDS) - _READINGS - _ENVELOPE
_STRATEGY_CONTENT = frozenset(STRATEGY_CONFIG_FIELDS) - _ENVELOPE


def identify_trade_config(body: Any) -> Identity:
    """Say which trade config a parsed body is."""
    return _identify(body, TRADE_VERSION_FIELDS, _TRADE_CONTENT)


def identify_strategy_config(body: Any) -> Identity:
    """Say which strategy config a parsed body is."""
    return _identify(body, STRATEGY_VERSION_FIELDS, _STRATEGY_CONTENT)


def _identify(
    body: Any, versioned: frozenset[str], content: frozenset[str]
) -> Identity:
    fields: Mapping[str, object] = {}
    if isinstance(body, dict):
        fields = cast("Mapping[str, object]", body)
    version = fields.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 0:
        version = None
    return Identity(
        version=version,
        versioned=_digest(fields, versioned),
        content=_digest(fields, content),
    )


def _digest(fields: Mapping[str, object], names: frozenset[str]) -> str:
    chosen = {name: value for name, value in fields.items() if name in names}
    text = json.dumps(chosen, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
