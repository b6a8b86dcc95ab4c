"""What the flow of a config takes and gives."""

from __future__ import annotations

import enum

import attrs


class Trouble(enum.Enum):
    """What stands between us and the server's present config."""

    NONE = "none"
    UNREACHABLE = "unreachable"
    UNAUTHORIZED = "unauthorized"
    NOT_FOUND = "not found"
    STALE = "stale"


class Keys(enum.Enum):
    """What is known about the version key."""

    SEEN = "seen"
    DIFFERS = "differs"
    MISSING = "missing"
    AWAY = "away"


@attrs.frozen(kw_only=True)
class Identity:
    """Which config a body is.

    Attributes:
        version: The body's own; None if it could not be read.
        versioned: Digest of the fields whose change must raise the version.
        content: Digest of every field that is applied.
    """

    version: int | None
    versioned: str
    content: str


@attrs.frozen
class KeySeen:
    """Redis was read; *version* is None where the key is missing."""

    version: int | None


@attrs.frozen
class KeyUnknown:
    """Redis could not be read, or there is none."""


@attrs.frozen
class BodyCame:
    """A whole JSON body for this scope came; *errors* say what is wrong with it."""

    identity: Identity
    errors: tuple[str, ...] = ()


@attrs.frozen
class Fault:
    """No answer, or none that says anything about the config."""

    retry_after: float | None = None


@attrs.frozen
class Unauthorized:
    """The server does not accept the API key (401, 403)."""

    retry_after: float | None = None


@attrs.frozen
class NotFound:
    """The server does not know the account or the strategy (404)."""

    retry_after: float | None = None


@attrs.frozen
class ApiKeyChanged:
    """Another API key is in place."""


@attrs.frozen
class Restored:
    """The last known good config was found on disk and staged."""

    identity: Identity


@attrs.frozen
class Applied:
    """The loop applied a staged version."""

    version: int


@attrs.frozen
class Refused:
    """The loop could not apply a staged version."""

    version: int


@attrs.frozen
class Tick:
    """Time has passed."""


Event = (
    KeySeen
    | KeyUnknown
    | BodyCame
    | Fault
    | Unauthorized
    | NotFound
    | ApiKeyChanged
    | Restored
    | Applied
    | Refused
    | Tick
)


@attrs.frozen
class Fetch:
    """Ask the server; one of the answers must be fed back."""


@attrs.frozen
class Stage:
    """Hand the body to the loop."""

    identity: Identity


@attrs.frozen
class Confirm:
    """The server has what we have."""


@attrs.frozen
class Refuse:
    """Report and acknowledge that the body is not applied."""

    identity: Identity
    errors: tuple[str, ...]


@attrs.frozen
class Restore:
    """Nothing is applied and the server gave nothing to apply: try the disk."""


@attrs.frozen
class Keep:
    """Store the applied body as the last known good one."""

    identity: Identity


Command = Fetch | Stage | Confirm | Refuse | Restore | Keep
Commands = tuple[Command, ...]
