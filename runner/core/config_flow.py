"""How one config reaches the runner: seen, fetched, staged, applied or refused.

One :class:`ConfigFlow` follows one *scope*: the trade config, or one strategy's config.
It is a value; :func:`step` takes an event and returns the next value and the commands
to carry out. Times are monotonic seconds, *draw* is a random number in [0, 1).

=============== ============================ ==================================
event           when                         what follows
=============== ============================ ==================================
KeySeen(v)      v is another than before     an answer is owed, unless v is the
                                             version we have
KeySeen(None)   the key is missing           no information: ask at the slow
                                             rate while it stays missing
KeyUnknown      Redis is away                poll the API
BodyCame        older than the key under     stale: nothing is kept, ask again
                which it was asked for       with back-off
..              what we have                 Confirm
..              our version, other content   Refuse (VERSION_REUSED)
..              with errors                  Refuse; not asked again until the
                                             key changes
..              anything else                Stage
NotModified     --                           as the last body once more
Fault           no answer, 429, 5xx, broken  back-off, 1 s doubling to 60 s
Unauthorized    401, 403                     back-off, 1 min doubling to 30 min;
                                             at once after ApiKeyChanged
NotFound        404                          likewise; at once after a new key
Applied(v)      the loop's safe point        Keep as last known good
Refused(v)      the loop cannot apply it     the applied one goes on
Restored(i)     answer to Restore            as staged, unconfirmed
Tick            :attr:`ConfigFlow.due_at`    Fetch
=============== ============================ ==================================

Whatever the event, a Fetch follows when one is due and none is under way: there is
never more than one, and a key that changed under way is asked for once more after it.

Source: protocol, section 2 (Versions, What the bot does with an answer).
"""

from __future__ import annotations

import enum
import math

import attrs

REUSED = "VERSION_REUSED"
"""Code of the refusal of a body that has our version but other content."""

_LOWER_REPEATED = 3
_MOST_DOUBLINGS = 30


@attrs.frozen
class Regime:
    """How fast to ask again after failures, in seconds.

    Attributes:
        first: Longest delay after the first failure; it doubles with each further one.
        longest: Where the doubling ends.
    """

    first: float
    longest: float


RETRY = Regime(1.0, 60.0)
"""After no answer, 429 and 5xx (protocol, section 2)."""
SLOW = Regime(60.0, 1800.0)
"""After 401, 403 and 404 (protocol, section 2)."""


@attrs.frozen(kw_only=True)
class Timing:
    """Every interval of the flow, in seconds.

    Attributes:
        poll: Between two requests while Redis is away.
        missing: Between two requests while the version key is missing.
        retry: After no answer, 429 and 5xx.
        slow: After 401, 403 and 404.
    """

    poll: float = 60.0
    missing: float = 600.0
    retry: Regime = RETRY
    slow: Regime = SLOW


@attrs.frozen
class Backoff:
    """Failures so far, as a value. Two successes in a row forget them.

    Attributes:
        regime: Bounds of the delay.
        failures: Since it was last forgotten.
        successes: In a row since the last failure.
    """

    regime: Regime
    failures: int = 0
    successes: int = 0

    def failed(self, regime: Regime) -> Backoff:
        """Count a failure; another regime starts at its own beginning."""
        return Backoff(regime, self.failures + 1 if regime == self.regime else 1)

    def succeeded(self) -> Backoff:
        """Count a success."""
        if self.successes:
            return Backoff(self.regime)
        return attrs.evolve(self, successes=1)

    def delay(self, draw: float, retry_after: float | None = None) -> float:
        """Return the seconds to wait before the next try.

        Args:
            draw: Random number in [0, 1); the delay lies in [d/2, d).
            retry_after: The server's wish in seconds: a floor, spread by a quarter so
                that a fleet told the same does not return as one.
        """
        doublings = min(max(self.failures - 1, 0), _MOST_DOUBLINGS)
        longest = min(self.regime.first * 2.0**doublings, self.regime.longest)
        floor = (retry_after or 0.0) * (1.0 + draw / 4.0)
        return max(longest * (1.0 + draw) / 2.0, floor)


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
class NotModified:
    """The server says that its last body still stands (304)."""


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
    | NotModified
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
        last: The last body, for a 304.
        lower: How often in a row a lower version came with no key to judge it by.
        may_restore: Whether the disk has not been tried yet.
    """

    timing: Timing = Timing()
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
    last: BodyCame | None = None
    lower: int = 0
    may_restore: bool = True

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
    def is_settled(self) -> bool:
        """Whether no answer is owed or outstanding."""
        return not (self.owed or self.fetching)


def step(
    flow: ConfigFlow, event: Event, *, now: float, draw: float
) -> tuple[ConfigFlow, Commands]:
    """Take *event* and return what follows.

    Args:
        flow: Where the config stands.
        event: What happened.
        now: Monotonic seconds.
        draw: Random number in [0, 1), for every delay of this step.

    Raises:
        LookupError: If the loop answers for a version that it was not offered.
    """
    flow, commands = _receive(flow, event, now, draw)
    if flow.due_at <= now:
        flow = attrs.evolve(
            flow, fetching=True, asked_under=flow.key, owed=False, poll_at=math.inf
        )
        commands += (Fetch(),)
    return flow, commands


def _receive(
    flow: ConfigFlow, event: Event, now: float, draw: float
) -> tuple[ConfigFlow, Commands]:
    match event:
        case KeySeen(version):
            return _see_key(flow, version, now, draw), ()
        case KeyUnknown():
            return _poll(flow, Keys.AWAY, now, draw), ()
        case BodyCame():
            return _judge(_answered(flow, now, draw), event, now, draw)
        case NotModified():
            if flow.last is None:
                return _receive(flow, Fault(), now, draw)
            return _receive(flow, flow.last, now, draw)
        case Fault(retry_after):
            return _fail(flow, Trouble.UNREACHABLE, retry_after, now, draw)
        case Unauthorized(retry_after):
            return _fail(flow, Trouble.UNAUTHORIZED, retry_after, now, draw)
        case NotFound(retry_after):
            unknown = attrs.evolve(flow, may_restore=False)
            return _fail(unknown, Trouble.NOT_FOUND, retry_after, now, draw)
        case ApiKeyChanged():
            if flow.trouble is Trouble.UNAUTHORIZED:
                return _ask_now(flow, now), ()
            return flow, ()
        case Restored(identity):
            if flow.current is None:
                return attrs.evolve(flow, offered=(identity,)), ()
            return flow, ()
        case Applied(version):
            place = _find(flow, version)
            identity = flow.offered[place]
            rest = flow.offered[place + 1 :]
            return attrs.evolve(flow, applied=identity, offered=rest), (Keep(identity),)
        case Refused(version):
            place = _find(flow, version)
            return attrs.evolve(
                flow,
                refused=flow.offered[place],
                offered=flow.offered[:place] + flow.offered[place + 1 :],
            ), ()
        case Tick():
            return flow, ()


def _find(flow: ConfigFlow, version: int) -> int:
    for place, identity in enumerate(flow.offered):
        if identity.version == version:
            return place
    raise LookupError(f"version {version} is not staged")


def _see_key(
    flow: ConfigFlow, version: int | None, now: float, draw: float
) -> ConfigFlow:
    if version is None:
        return _poll(flow, Keys.MISSING, now, draw)
    flow = attrs.evolve(flow, keys=Keys.SEEN, poll_at=math.inf)
    if version == flow.key:
        return flow
    flow = attrs.evolve(flow, key=version)
    if flow.current is not None and version == flow.current.version:
        return flow
    if flow.trouble is Trouble.NOT_FOUND:
        return _ask_now(flow, now)
    return attrs.evolve(flow, owed=True)


def _poll(flow: ConfigFlow, keys: Keys, now: float, draw: float) -> ConfigFlow:
    # The first one falls anywhere into the interval: a whole fleet loses its keys at
    # the same moment and must not ask at the same moment.
    if flow.keys is keys:
        return flow
    return attrs.evolve(flow, keys=keys, poll_at=now + draw * _interval(flow, keys))


def _interval(flow: ConfigFlow, keys: Keys) -> float:
    return {
        Keys.SEEN: math.inf,
        Keys.MISSING: flow.timing.missing,
        Keys.AWAY: flow.timing.poll,
    }[keys]


def _answered(flow: ConfigFlow, now: float, draw: float) -> ConfigFlow:
    interval = _interval(flow, flow.keys)
    return attrs.evolve(
        flow, fetching=False, poll_at=now + interval * (0.9 + 0.2 * draw)
    )


def _ask_now(flow: ConfigFlow, now: float) -> ConfigFlow:
    fresh = Backoff(flow.timing.retry)
    return attrs.evolve(flow, owed=True, not_before=now, backoff=fresh)


def _fail(
    flow: ConfigFlow,
    trouble: Trouble,
    retry_after: float | None,
    now: float,
    draw: float,
) -> tuple[ConfigFlow, Commands]:
    slow = trouble in (Trouble.UNAUTHORIZED, Trouble.NOT_FOUND)
    backoff = flow.backoff.failed(flow.timing.slow if slow else flow.timing.retry)
    flow = attrs.evolve(
        _answered(flow, now, draw),
        trouble=trouble,
        owed=True,
        backoff=backoff,
        not_before=now + backoff.delay(draw, retry_after),
    )
    return _restore(flow)


def _restore(flow: ConfigFlow) -> tuple[ConfigFlow, Commands]:
    if flow.current is None and flow.may_restore:
        return attrs.evolve(flow, may_restore=False), (Restore(),)
    return flow, ()


def _judge(
    flow: ConfigFlow, body: BodyCame, now: float, draw: float
) -> tuple[ConfigFlow, Commands]:
    lower = _lower(flow, body.identity)
    flow = attrs.evolve(flow, last=body, lower=lower)
    if _is_stale(flow, body.identity):
        return _fail(flow, Trouble.STALE, None, now, draw)
    identity, current = body.identity, flow.current
    moved = flow.key not in (flow.asked_under, identity.version)
    flow = attrs.evolve(
        flow,
        trouble=Trouble.NONE,
        backoff=flow.backoff.succeeded(),
        owed=moved,
        lower=0,
    )
    if current is not None and identity.version == current.version:
        if identity.versioned != current.versioned:
            reused = f"$.version: {REUSED}: {identity.version} came with other content"
            return _refuse(flow, BodyCame(identity, (reused,)))
        if identity.content == current.content:
            return attrs.evolve(flow, refused=None), (Confirm(),)
        if flow.offered:
            # The loop names what it answers for by its version alone, so two with
            # one version must not wait for it; the next poll brings it again.
            return flow, ()
    if body.errors:
        return _refuse(flow, body)
    if identity == flow.refused:
        return flow, ()
    offered = (*flow.offered, identity)
    return attrs.evolve(flow, offered=offered, refused=None), (Stage(identity),)


def _lower(flow: ConfigFlow, identity: Identity) -> int:
    current = flow.current
    if current is None or current.version is None or identity.version is None:
        return 0
    return flow.lower + 1 if identity.version < current.version else 0


def _is_stale(flow: ConfigFlow, identity: Identity) -> bool:
    if identity.version is None:
        return False
    if flow.asked_under is not None:
        return identity.version < flow.asked_under
    # No key to judge by: a replica that lags is told from a server restored from a
    # backup by asking again.
    return 0 < flow.lower < _LOWER_REPEATED


def _refuse(flow: ConfigFlow, body: BodyCame) -> tuple[ConfigFlow, Commands]:
    reported = body.identity == flow.refused
    flow, restore = _restore(attrs.evolve(flow, refused=body.identity))
    if reported:
        return flow, restore
    return flow, (Refuse(body.identity, body.errors), *restore)
