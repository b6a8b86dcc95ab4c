"""What the link tells the loop."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import attrs

from runner.core.settings import StrategyConfig, TradeConfig
from runner.ports import LeaseHolder
from runner.wire.commands import Command
from runner.wire.heartbeat import ServerHeartbeat

Origin = Literal["server", "last_good"]


@attrs.frozen(kw_only=True)
class ServerSeen:
    """The server's heartbeat was looked at.

    Attributes:
        heartbeat: What the server last said, each field as it last stood; None if its
            heartbeat was not there this time.
        at: When, UTC-aware; at a start, when the one on disk was seen.
    """

    heartbeat: ServerHeartbeat | None
    at: datetime


@attrs.frozen(kw_only=True)
class CommandSeen:
    """This command is to be obeyed from now on; it is on disk already."""

    command: Command


@attrs.frozen(kw_only=True)
class TradeConfigStaged:
    """A trade config waits for the safe point.

    Attributes:
        config: The config.
        warnings: What is applied around, one line each with its path.
        origin: Where it comes from.
        saved_at: For *last_good*: when the server last vouched for it, UTC-aware.
        body: The parsed JSON that it was made of.
    """

    config: TradeConfig
    warnings: tuple[str, ...] = ()
    origin: Origin = "server"
    saved_at: datetime | None = None
    body: Any = attrs.field(default=None, eq=False, repr=False)


@attrs.frozen(kw_only=True)
class StrategyConfigStaged:
    """A strategy config waits for the safe point; see :class:`TradeConfigStaged`."""

    strategy_id: int
    config: StrategyConfig
    warnings: tuple[str, ...] = ()
    origin: Origin = "server"
    saved_at: datetime | None = None
    body: Any = attrs.field(default=None, eq=False, repr=False)


@attrs.frozen(kw_only=True)
class ConfigRefused:
    """A body was refused whole; what was applied before goes on.

    Attributes:
        scope: ``trade`` or ``strategy:{id}``.
        version: The body's; where unreadable, the announced one, or 0.
        errors: One line each, with its path.
    """

    scope: str
    version: int
    errors: tuple[str, ...]


@attrs.frozen(kw_only=True)
class ConfigMissing:
    """The server gives no config: unknown to it (404), or not for this key (401, 403).

    Attributes:
        scope: ``trade`` or ``strategy:{id}``.
        status: HTTP status.
        detail: For a person.
    """

    scope: str
    status: int
    detail: str


@attrs.frozen(kw_only=True)
class LeaseChanged:
    """The account's lease was lost or won; without it nothing may be opened.

    Attributes:
        held: Whether it is ours.
        epoch: Our fencing number; None while it is not ours.
        holder: Who has it instead, if that is known.
    """

    held: bool
    epoch: int | None = None
    holder: LeaseHolder | None = None


@attrs.frozen(kw_only=True)
class ConfigConfirmed:
    """The server has what we have.

    Attributes:
        scope: ``trade`` or ``strategy:{id}``.
        at: When, UTC-aware.
    """

    scope: str
    at: datetime


LinkEvent = (
    ServerSeen
    | CommandSeen
    | TradeConfigStaged
    | StrategyConfigStaged
    | ConfigRefused
    | ConfigMissing
    | LeaseChanged
    | ConfigConfirmed
)
