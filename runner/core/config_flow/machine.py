"""How one config reaches the runner: seen, fetched, staged, applied or refused.

One :class:`ConfigFlow` follows one *scope*: the trade config, or one strategy's config.
It is a value; :func:`step` takes an event and returns the next value and the commands
to carry out. Times are monotonic seconds, *draw* is a random number in [0, 1).

=============== ============================ ==================================
event           when                         what follows
=============== ============================ ==================================
KeySeen(v)      v is another than before     an answer is owed, unless v is the
                                             version we have
KeySeen(v)      v as before, but the body    ask at the slow rate while it stays
                that came had another        so: a server whose publishing lags,
                                             or one restored from a backup
KeySeen(None)   the key is missing           no information: ask at the slow
                                             rate while it stays missing
KeyUnknown      Redis is away                poll the API
BodyCame        older than the key under     stale: nothing is kept, ask again
                which it was asked for       with back-off
..              what we have                 Confirm
..              our content under a lower    Confirm
                version, while no key is
                there
..              our version, other content   Refuse (VERSION_REUSED); Stage if ours
                                             is from disk and was not confirmed
..              with errors                  Refuse; not asked again until the
                                             key changes
..              anything else                Stage
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

import math
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from runner.core.config_flow.backoff import Backoff
from runner.core.config_flow.state import ConfigFlow
from runner.core.config_flow.values import (
    ApiKeyChanged,
    Applied,
    BodyCame,
    Commands,
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

REUSED = "VERSION_REUSED"
"""Code of the refusal of a body that has our version but other content."""

_LOWER_REPEATED = 3


@attrs.frozen
class _Moment:
    """When something happens, and the random number for the delays that follow."""

    now: float
    draw: float


_Step = tuple[ConfigFlow, Commands]
_Rule = Callable[[ConfigFlow, Any, _Moment], _Step]


def step(flow: ConfigFlow, event: Event, *, now: float, draw: float) -> _Step:
    """Take *event* and return what follows.

    Args:
        flow: Where the config stands.
        event: What happened.
        now: Monotonic seconds.
        draw: Random number in [0, 1), for every delay of this step.

    Returns:
        Where it stands now, and the commands to carry out, in order.

    Raises:
        LookupError: If the loop answers for a version that it was not offered.
    """
    flow, commands = _RULES[type(event)](flow, event, _Moment(now, draw))
    if flow.due_at <= now:
        flow = attrs.evolve(
            flow, fetching=True, asked_under=flow.key, owed=False, poll_at=math.inf
        )
        commands += (Fetch(),)
    return flow, commands


# -- the key ---------------------------------------------------------------------------
def _on_key_seen(flow: ConfigFlow, event: KeySeen, at: _Moment) -> _Step:
    version = event.version
    if version is None:
        return _poll(flow, Keys.MISSING, at), ()
    is_news, current = version != flow.key, flow.current
    if not is_news and _differs(flow, version):
        return _poll(flow, Keys.DIFFERS, at), ()
    flow = attrs.evolve(flow, keys=Keys.SEEN, key=version, poll_at=math.inf)
    if not is_news:
        return flow, ()
    if current is not None and version == current.version:
        return attrs.evolve(flow, refused=None), ()
    if flow.trouble is Trouble.NOT_FOUND:
        return _ask_now(flow, at), ()
    return attrs.evolve(flow, owed=True), ()


def _differs(flow: ConfigFlow, version: int) -> bool:
    """Say whether the server answered with another version than its key has."""
    if not flow.is_settled:
        return False
    refused = flow.refused is not None and flow.refused.version in (version, None)
    current = flow.current
    return not refused and (current is None or version != current.version)


def _on_key_unknown(flow: ConfigFlow, event: KeyUnknown, at: _Moment) -> _Step:
    return _poll(flow, Keys.AWAY, at), ()


def _poll(flow: ConfigFlow, keys: Keys, at: _Moment) -> ConfigFlow:
    # The first one falls anywhere into the interval: a whole fleet loses its keys at
    # the same moment and must not ask at the same moment.
    if flow.keys is keys:
        return flow
    poll_at = at.now + at.draw * _interval(flow, keys)
    return attrs.evolve(flow, keys=keys, poll_at=poll_at)


def _interval(flow: ConfigFlow, keys: Keys) -> float:
    return {
        Keys.SEEN: math.inf,
        Keys.DIFFERS: flow.timing.missing,
        Keys.MISSING: flow.timing.missing,
        Keys.AWAY: flow.timing.poll,
    }[keys]


# -- answers without a config ----------------------------------------------------------
def _on_fault(flow: ConfigFlow, event: Fault, at: _Moment) -> _Step:
    return _fail(flow, Trouble.UNREACHABLE, event.retry_after, at)


def _on_unauthorized(flow: ConfigFlow, event: Unauthorized, at: _Moment) -> _Step:
    return _fail(flow, Trouble.UNAUTHORIZED, event.retry_after, at)


def _on_not_found(flow: ConfigFlow, event: NotFound, at: _Moment) -> _Step:
    # What the server does not know is not started from the disk either.
    unknown = attrs.evolve(flow, may_restore=False)
    return _fail(unknown, Trouble.NOT_FOUND, event.retry_after, at)


def _on_api_key_changed(flow: ConfigFlow, event: ApiKeyChanged, at: _Moment) -> _Step:
    if flow.trouble is Trouble.UNAUTHORIZED:
        return _ask_now(flow, at), ()
    return flow, ()


def _ask_now(flow: ConfigFlow, at: _Moment) -> ConfigFlow:
    fresh = Backoff(flow.timing.retry)
    return attrs.evolve(flow, owed=True, not_before=at.now, backoff=fresh)


def _fail(
    flow: ConfigFlow, trouble: Trouble, retry_after: float | None, at: _Moment
) -> _Step:
    slow = trouble in (Trouble.UNAUTHORIZED, Trouble.NOT_FOUND)
    backoff = flow.backoff.failed(flow.timing.slow if slow else flow.timing.retry)
    flow = attrs.evolve(
        _answered(flow, at),
        trouble=trouble,
        owed=True,
        backoff=backoff,
        not_before=at.now + backoff.delay(at.draw, retry_after),
    )
    return _restore(flow)


def _answered(flow: ConfigFlow, at: _Moment) -> ConfigFlow:
    interval = _interval(flow, flow.keys) * (0.9 + 0.2 * at.draw)
    return attrs.evolve(flow, fetching=False, poll_at=at.now + interval)


def _restore(flow: ConfigFlow) -> _Step:
    if flow.current is None and flow.may_restore:
        return attrs.evolve(flow, may_restore=False), (Restore(),)
    return flow, ()


# -- a body ----------------------------------------------------------------------------
def _on_body(flow: ConfigFlow, body: BodyCame, at: _Moment) -> _Step:
    identity, current = body.identity, flow.current
    flow = attrs.evolve(flow, lower=_count_lower(flow, identity))
    # A server that counts in Redis alone begins again when its key has expired.
    is_ours = (
        current is not None
        and flow.lower > 0
        and identity.content == current.content
        and not flow.has_live_key
    )
    if not is_ours and _is_stale(flow, identity):
        return _fail(flow, Trouble.STALE, None, at)
    flow = attrs.evolve(
        _answered(flow, at),
        trouble=Trouble.NONE,
        backoff=flow.backoff.succeeded(),
        # A key that changed under way, to what this body is not, is asked for again.
        owed=flow.key not in (flow.asked_under, identity.version),
        lower=0,
    )
    if is_ours:
        return _confirm(flow)
    if current is not None and identity.version == current.version:
        return _on_same_version(flow, body, current)
    return _on_new_version(flow, body)


def _confirm(flow: ConfigFlow) -> _Step:
    return attrs.evolve(flow, refused=None, is_from_disk=False), (Confirm(),)


def _count_lower(flow: ConfigFlow, identity: Identity) -> int:
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


def _on_same_version(flow: ConfigFlow, body: BodyCame, current: Identity) -> _Step:
    identity = body.identity
    if identity.versioned != current.versioned and not flow.is_from_disk:
        reused = f"$.version: {REUSED}: {identity.version} came with other content"
        return _refuse(flow, BodyCame(identity, (reused,)))
    if identity.content == current.content:
        return _confirm(flow)
    if flow.offered:
        # The loop names what it answers for by its version alone, so two with one
        # version must not wait for it; the next poll brings this one again.
        return flow, ()
    return _on_new_version(flow, body)


def _on_new_version(flow: ConfigFlow, body: BodyCame) -> _Step:
    if body.errors:
        return _refuse(flow, body)
    if body.identity == flow.refused:
        return flow, ()
    others = [one for one in flow.offered if one.version != body.identity.version]
    flow = attrs.evolve(
        flow, offered=(*others, body.identity), refused=None, is_from_disk=False
    )
    return flow, (Stage(body.identity),)


def _refuse(flow: ConfigFlow, body: BodyCame) -> _Step:
    reported = body.identity == flow.refused
    flow, restore = _restore(attrs.evolve(flow, refused=body.identity))
    if reported:
        return flow, restore
    return flow, (Refuse(body.identity, body.errors), *restore)


# -- the loop and the disk -------------------------------------------------------------
def _on_restored(flow: ConfigFlow, event: Restored, at: _Moment) -> _Step:
    if flow.current is not None:
        return flow, ()
    return attrs.evolve(flow, offered=(event.identity,), is_from_disk=True), ()


def _on_applied(flow: ConfigFlow, event: Applied, at: _Moment) -> _Step:
    place = _find(flow, event.version)
    identity, rest = flow.offered[place], flow.offered[place + 1 :]
    return attrs.evolve(flow, applied=identity, offered=rest), (Keep(identity),)


def _on_refused(flow: ConfigFlow, event: Refused, at: _Moment) -> _Step:
    place = _find(flow, event.version)
    rest = flow.offered[:place] + flow.offered[place + 1 :]
    return attrs.evolve(flow, refused=flow.offered[place], offered=rest), ()


def _find(flow: ConfigFlow, version: int) -> int:
    for place, identity in enumerate(flow.offered):
        if identity.version == version:
            return place
    raise LookupError(f"version {version} is not staged")


def _on_tick(flow: ConfigFlow, event: Tick, at: _Moment) -> _Step:
    return flow, ()


_RULES: Mapping[type, _Rule] = {
    KeySeen: _on_key_seen,
    KeyUnknown: _on_key_unknown,
    BodyCame: _on_body,
    Fault: _on_fault,
    Unauthorized: _on_unauthorized,
    NotFound: _on_not_found,
    ApiKeyChanged: _on_api_key_changed,
    Restored: _on_restored,
    Applied: _on_applied,
    Refused: _on_refused,
    Tick: _on_tick,
}
