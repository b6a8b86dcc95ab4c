"""The state that an operator wants a bot, or the whole fleet, to be in.

A command is a level, not a message: the highest ``seq`` of a level counts, and the
stricter of the account's and the fleet's is what a bot obeys.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from runner.wire.documents import SUCCESS
from runner.wire.encoding import (
    WireError,
    as_int,
    as_object,
    as_text,
    read_int,
    read_text,
    write_int,
    write_text,
)
from runner.wire.times import read_optional_time, write_time


class CommandAction(enum.StrEnum):
    """What is wanted, from the mildest to the strictest."""

    RUN = "RUN"
    """Trade."""
    PAUSE = "PAUSE"
    """Reduce only: no entry, exits and stops go on."""
    FLATTEN = "FLATTEN"
    """Cancel pending orders, close positions, then as PAUSE."""
    EMERGENCY_STOP = "EMERGENCY_STOP"
    """As FLATTEN, latched until a RUN."""

    @property
    def strictness(self) -> int:
        """Rank among the actions; a higher one wins."""
        return list(CommandAction).index(self)


def read_action(field: str, text: str | None) -> CommandAction:
    """Read an action.

    Raises:
        WireError: If it is none of the four.
    """
    try:
        return CommandAction(text or "")
    except ValueError:
        expected = "RUN, PAUSE, FLATTEN or EMERGENCY_STOP"
        raise WireError(field, expected, text) from None


@attrs.frozen(slots=True, kw_only=True)
class Command:
    """The desired state of one level (account or fleet).

    Attributes:
        action: What is wanted.
        seq: Number that only rises; one counter serves accounts and fleet alike, so an
            acknowledgement names its command by it.
        issued_at: When, UTC-aware; None if not said.
        issued_by: Who; empty if not said.
        reason: Why; empty if not said.
    """

    action: CommandAction
    seq: int
    issued_at: datetime | None = None
    issued_by: str = ""
    reason: str = ""

    def to_hash(self) -> dict[str, str]:
        """Return the hash fields."""
        return {
            "action": self.action.value,
            "seq": write_int(self.seq),
            "issued_at": write_time(self.issued_at),
            "issued_by": write_text(self.issued_by),
            "reason": write_text(self.reason),
        }

    @classmethod
    def from_hash(cls, fields: Mapping[str, str]) -> Command:
        """Read the hash; unknown fields are ignored.

        Raises:
            WireError: If the action is unknown or a value is unreadable.
        """
        return cls(
            action=read_action("action", fields.get("action")),
            seq=read_int("seq", fields.get("seq"), minimum=0),
            issued_at=read_optional_time("issued_at", fields.get("issued_at")),
            issued_by=read_text(fields.get("issued_by")) or "",
            reason=read_text(fields.get("reason")) or "",
        )

    def to_document(self) -> dict[str, Any]:
        """Return the command as a JSON object."""
        return {**self.to_hash(), "seq": self.seq}

    @classmethod
    def from_document(cls, document: Any, path: str = "$") -> Command:
        """Read a JSON object; unknown fields are ignored.

        Args:
            document: A parsed JSON value.
            path: Where it stands, for the errors.

        Raises:
            WireError: If it is no object or a value is unreadable.
        """
        fields = as_object(path, document)
        texts = {
            name: as_text(f"{path}.{name}", fields.get(name) or "")
            for name in ("action", "issued_at", "issued_by", "reason")
        }
        issued_at = texts["issued_at"]
        return cls(
            action=read_action(f"{path}.action", texts["action"]),
            seq=as_int(f"{path}.seq", fields.get("seq")),
            issued_at=read_optional_time(f"{path}.issued_at", issued_at),
            issued_by=texts["issued_by"],
            reason=texts["reason"],
        )


def newest(known: Command | None, seen: Command | None) -> Command | None:
    """Return the one with the higher ``seq``; *known* if they are equal."""
    if known is None or seen is None:
        return known or seen
    return seen if seen.seq > known.seq else known


def effective(
    account_command: Command | None, fleet_command: Command | None
) -> Command | None:
    """Return the stricter of the two levels; the account's if they are equal."""
    if account_command is None or fleet_command is None:
        return account_command or fleet_command
    if fleet_command.action.strictness > account_command.action.strictness:
        return fleet_command
    return account_command


def commands_body(
    account_command: Command | None, fleet_command: Command | None
) -> dict[str, Any]:
    """Return the body of ``GET /api/bot/commands/{account}/``."""
    return {
        "status": SUCCESS,
        "command": account_command and account_command.to_document(),
        "fleet_command": fleet_command and fleet_command.to_document(),
    }


def read_commands_body(body: Any) -> tuple[Command | None, Command | None]:
    """Read that body: the account's command and the fleet's, None where there is none.

    Raises:
        WireError: If it has another shape.
    """
    fields = as_object("$", body)
    account, fleet = fields.get("command"), fields.get("fleet_command")
    return (
        None if account is None else Command.from_document(account, "$.command"),
        None if fleet is None else Command.from_document(fleet, "$.fleet_command"),
    )
