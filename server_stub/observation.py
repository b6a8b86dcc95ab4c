"""What the server concludes from the heartbeats that it sees, as pure code."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

import attrs

from runner.wire.documents import BotStatus
from runner.wire.times import read_time, write_time

_NO_FIELDS: Mapping[str, str] = MappingProxyType({})


class ObservedStatus(enum.StrEnum):
    """What a bot is, as far as its heartbeats tell."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    DOWN = "DOWN"
    NEVER_SEEN = "NEVER_SEEN"


@attrs.frozen(slots=True, kw_only=True)
class Observation:
    """What is known of one bot.

    Attributes:
        status: What it is.
        since: When that began, UTC-aware; None for a bot never seen.
        last_seen: When a heartbeat was last there, UTC-aware.
        heartbeat: Hash fields of the present heartbeat; empty once it has expired.
        config_acks: Fields of ``bot:config_ack:{account}``.
        command_acks: Fields of ``bot:command_ack:{account}``.
    """

    status: ObservedStatus = ObservedStatus.NEVER_SEEN
    since: datetime | None = None
    last_seen: datetime | None = None
    heartbeat: Mapping[str, str] = _NO_FIELDS
    config_acks: Mapping[str, str] = _NO_FIELDS
    command_acks: Mapping[str, str] = _NO_FIELDS

    def to_document(self) -> dict[str, Any]:
        """Return what a restarted server has to know."""
        return {
            "status": self.status.value,
            "since": write_time(self.since),
            "last_seen": write_time(self.last_seen),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Observation:
        """Read what :meth:`to_document` returned."""
        return cls(
            status=ObservedStatus(document["status"]),
            since=_time(document["since"]),
            last_seen=_time(document["last_seen"]),
        )


NEVER_SEEN = Observation()
_NO_BOTS: Mapping[str, Observation] = MappingProxyType({})


@attrs.frozen(slots=True, kw_only=True)
class Reading:
    """What Redis held of one account at one look."""

    heartbeat: Mapping[str, str] = _NO_FIELDS
    config_acks: Mapping[str, str] = _NO_FIELDS
    command_acks: Mapping[str, str] = _NO_FIELDS


@attrs.frozen(slots=True, kw_only=True)
class Snapshot:
    """Every bot at one time.

    Attributes:
        redis: ``up``, ``down``, or ``none`` for a server that was given none.
        bots: Account to what is known of its bot.
    """

    redis: str = "none"
    bots: Mapping[str, Observation] = _NO_BOTS

    def of(self, mt5_account_id: str) -> Observation:
        """Return what is known of one bot."""
        return self.bots.get(mt5_account_id, NEVER_SEEN)


def observed(
    known: Observation, reading: Reading, *, now: datetime, grace: bool
) -> Observation:
    """Return what is known of a bot after one more look.

    A missing heartbeat means DOWN (seed, Error Handling), unless *grace* says that
    Redis itself was away or emptied: then absence tells nothing about the bot.

    Args:
        known: What was known before.
        reading: What Redis holds now.
        now: The time of the look, UTC-aware.
        grace: Whether absence tells nothing at present.
    """
    seen = bool(reading.heartbeat)
    if seen:
        said = reading.heartbeat.get("bot_status", "")
        status = _SAID.get(said, ObservedStatus.PAUSED)
    elif known.status is ObservedStatus.NEVER_SEEN or grace:
        status = known.status
    else:
        status = ObservedStatus.DOWN
    return Observation(
        status=status,
        since=known.since if status is known.status else now,
        last_seen=now if seen else known.last_seen,
        heartbeat=reading.heartbeat,
        config_acks=reading.config_acks,
        command_acks=reading.command_acks,
    )


# A bot that says nothing we know is alive, and is not taken for one that trades.
_SAID = {
    BotStatus.ACTIVE.value: ObservedStatus.ACTIVE,
    BotStatus.PAUSED.value: ObservedStatus.PAUSED,
    BotStatus.DOWN.value: ObservedStatus.DOWN,
}


def _time(text: str) -> datetime | None:
    return read_time("time", text) if text else None
