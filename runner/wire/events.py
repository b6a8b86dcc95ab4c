"""Wake-ups on the pub/sub channels. They say *look now* and nothing else.

Because a wake-up carries no state, none can be wrong: an unknown type or an unreadable
message is a plain *look*, never an error.
"""

from __future__ import annotations

import enum
from typing import Any

import attrs

from runner.wire.encoding import WireError, read_json_object, write_json

MAX_SPREAD_MS = 60_000
"""Longest spread obeyed, in ms: polling would have looked by then."""


class WakeUpType(enum.StrEnum):
    """What changed, as far as the sender knows."""

    TRADE_CONFIG = "trade_config"
    STRATEGY_CONFIG = "strategy_config"
    SERVER_HEARTBEAT = "server_heartbeat"
    COMMAND = "command"
    LOOK = "look"


@attrs.frozen(slots=True, kw_only=True)
class WakeUp:
    """One message of ``bot:events:*``.

    Attributes:
        type: What changed.
        account: The account meant; None for every account.
        strategy_id: The strategy meant, for STRATEGY_CONFIG.
        version: The version that made the sender speak; a hint only.
        spread_ms: When many bots are told at once: look after a random part of it.
    """

    type: WakeUpType = WakeUpType.LOOK
    account: str | None = None
    strategy_id: int | None = None
    version: int | None = None
    spread_ms: int = 0

    def to_json(self) -> str:
        """Return the message as JSON text, without what is not known."""
        fields: dict[str, Any] = {
            "type": self.type.value,
            "account": self.account,
            "strategy_id": self.strategy_id,
            "version": self.version,
            "spread_ms": self.spread_ms or None,
        }
        return write_json({k: v for k, v in fields.items() if v is not None})

    @classmethod
    def from_json(cls, text: str | bytes) -> WakeUp:
        """Read a message; whatever is unknown or unreadable is a plain *look*."""
        try:
            fields = read_json_object("event", text)
        except WireError:
            return cls()
        spread = _whole(fields.get("spread_ms")) or 0
        return cls(
            type=_type(fields.get("type")),
            account=_account(fields.get("account")),
            strategy_id=_whole(fields.get("strategy_id")),
            version=_whole(fields.get("version")),
            spread_ms=min(spread, MAX_SPREAD_MS),
        )


def _type(value: Any) -> WakeUpType:
    try:
        return WakeUpType(str(value))
    except ValueError:
        return WakeUpType.LOOK


def _whole(value: Any) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    return None


def _account(value: Any) -> str | None:
    if isinstance(value, str) and value:
        return value
    number = _whole(value)
    return None if number is None else str(number)
