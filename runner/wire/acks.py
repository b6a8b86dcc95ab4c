"""What a bot did with a config or a command, as JSON texts in two hashes."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any, TypeVar

import attrs

from runner.wire.encoding import (
    WireError,
    as_int,
    as_text,
    as_texts,
    read_json_object,
    write_json,
)
from runner.wire.times import read_time, write_time

TRADE_FIELD = "trade"
"""Field of the trade config's acknowledgement in ``bot:config_ack:{account}``."""


def strategy_field(strategy_id: int) -> str:
    """Field of a strategy's acknowledgement in ``bot:config_ack:{account}``."""
    return f"strategy:{strategy_id}"


def command_field(seq: int) -> str:
    """Field of a command's acknowledgement in ``bot:command_ack:{account}``."""
    return str(seq)


class ConfigState(enum.StrEnum):
    """How far a version came."""

    STAGED = "staged"
    """Valid; waits for its safe point."""
    APPLIED = "applied"
    """Trading."""
    REFUSED = "refused"
    """Invalid; the last applied version goes on."""


class CommandState(enum.StrEnum):
    """How far a command came."""

    RECEIVED = "received"
    EXECUTING = "executing"
    DONE = "done"
    FAILED = "failed"


@attrs.frozen(slots=True, kw_only=True)
class ConfigAck:
    """What became of one version of one config.

    Attributes:
        version: The body's version.
        state: How far it came.
        errors: Why it was refused, one line each with its path.
        warnings: What was applied around, one line each with its path.
        at: When, UTC-aware.
        epoch: Fencing number of the session that says so; None without a lease.
    """

    version: int
    state: ConfigState
    at: datetime
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    epoch: int | None = None

    def to_json(self) -> str:
        """Return the hash field's text."""
        return write_json(
            {
                "version": self.version,
                "state": self.state.value,
                "errors": list(self.errors),
                "warnings": list(self.warnings),
                "at": write_time(self.at),
                **_epoch_fields(self.epoch),
            }
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> ConfigAck:
        """Read the hash field's text; unknown keys are ignored.

        Raises:
            WireError: If it has another shape.
        """
        fields = read_json_object("config_ack", text)
        return cls(
            version=as_int("$.version", fields.get("version")),
            state=_state(ConfigState, fields),
            errors=as_texts("$.errors", fields.get("errors", [])),
            warnings=as_texts("$.warnings", fields.get("warnings", [])),
            at=read_time("$.at", as_text("$.at", fields.get("at"))),
            epoch=_epoch(fields),
        )


@attrs.frozen(slots=True, kw_only=True)
class CommandAck:
    """What became of one command.

    Attributes:
        seq: The command's number.
        state: How far it came.
        open_positions: Positions left, as re-read from the broker; None if unknown.
        open_orders: Pending orders left, likewise.
        errors: What went wrong, one line each.
        at: When, UTC-aware.
        epoch: Fencing number of the session that says so; None without a lease.
    """

    seq: int
    state: CommandState
    at: datetime
    open_positions: int | None = None
    open_orders: int | None = None
    errors: tuple[str, ...] = ()
    epoch: int | None = None

    def to_json(self) -> str:
        """Return the hash field's text."""
        return write_json(
            {
                "seq": self.seq,
                "state": self.state.value,
                "open_positions": self.open_positions,
                "open_orders": self.open_orders,
                "errors": list(self.errors),
                "at": write_time(self.at),
                **_epoch_fields(self.epoch),
            }
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> CommandAck:
        """Read the hash field's text; unknown keys are ignored.

        Raises:
            WireError: If it has another shape.
        """
        fields = read_json_object("command_ack", text)
        return cls(
            seq=as_int("$.seq", fields.get("seq")),
            state=_state(CommandState, fields),
            open_positions=_count("$.open_positions", fields.get("open_positions")),
            open_orders=_count("$.open_orders", fields.get("open_orders")),
            errors=as_texts("$.errors", fields.get("errors", [])),
            at=read_time("$.at", as_text("$.at", fields.get("at"))),
            epoch=_epoch(fields),
        )


_State = TypeVar("_State", ConfigState, CommandState)


def _state(kind: type[_State], fields: dict[str, Any]) -> _State:
    value = fields.get("state")
    try:
        return kind(str(value))
    except ValueError:
        raise WireError("$.state", " or ".join(kind), value) from None


def _count(path: str, value: Any) -> int | None:
    return None if value is None else as_int(path, value)


def _epoch_fields(epoch: int | None) -> dict[str, int]:
    return {} if epoch is None else {"epoch": epoch}


def _epoch(fields: dict[str, Any]) -> int | None:
    return _count("$.epoch", fields.get("epoch"))
