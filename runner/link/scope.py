"""One config on its way: carries out what its flow decides."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, assert_never

import attrs

from runner.core import config_flow as flows
from runner.core.config_flow import ConfigFlow, Identity, Timing, Trouble
from runner.link.events import (
    ConfigConfirmed,
    ConfigMissing,
    ConfigRefused,
    LinkEvent,
    Origin,
)
from runner.link.kinds import Checked, ConfigKind
from runner.link.memory import Memory
from runner.ports import Clock, Fetched
from runner.serde import ConfigErrors, ForeignBodyError
from runner.wire.acks import ConfigAck, ConfigState

log = logging.getLogger("mt5runner.link")


class Office(Protocol):
    """What a scope needs of the worker around it."""

    def emit(self, event: LinkEvent, /) -> None:
        """Tell the loop."""
        ...

    def acknowledge(self, scope: str, ack: ConfigAck) -> None:
        """Tell the server."""
        ...

    def fetch(self, scope: Scope) -> None:
        """Ask the server; the answer comes back by `Scope.answer`."""
        ...

    def draw(self) -> float:
        """Return a random number in [0, 1)."""
        ...


@attrs.frozen(kw_only=True)
class Bench:
    """What every scope works with.

    Attributes:
        office: The worker around it.
        memory: Last known good configs.
        clock: Time.
        timing: Intervals.
    """

    office: Office
    memory: Memory
    clock: Clock
    timing: Timing


class Scope:
    """One config of the account.

    Args:
        kind: Which config it is.
        bench: What it works with.
    """

    def __init__(self, kind: ConfigKind, bench: Bench) -> None:
        self.kind = kind
        self.name = kind.name
        self.flow = ConfigFlow(timing=bench.timing)
        self._office = bench.office
        self._memory = bench.memory
        self._clock = bench.clock
        self._bodies: dict[Identity, Checked] = {}
        self._warnings: dict[int, tuple[str, ...]] = {}
        self._answer = Fetched(status=0)
        self._came: int | None = None
        self._told: ConfigState | None = None
        self._troubled_since: float | None = None

    # -- what happens ------------------------------------------------------------------
    def see_key(self, version: int | None) -> None:
        """Take the announced version; None for a missing key."""
        self._feed(flows.KeySeen(version))

    def lose_key(self) -> None:
        """Take that Redis is away."""
        self._feed(flows.KeyUnknown())

    def change_api_key(self) -> None:
        """Take that another API key is in place."""
        self._feed(flows.ApiKeyChanged())

    def tick(self) -> None:
        """Take that time has passed."""
        self._feed(flows.Tick())

    def answer(self, fetched: Fetched) -> None:
        """Take the server's answer."""
        self._answer = fetched
        self._feed(self._read(fetched))

    def applied(self, version: int) -> None:
        """Take that the loop applied *version*."""
        if not self._answered(flows.Applied(version)):
            return
        self._acknowledge(
            version, ConfigState.APPLIED, warnings=self._warnings.get(version, ())
        )

    def refused(self, version: int, errors: Sequence[str]) -> None:
        """Take that the loop could not apply *version*."""
        if self._answered(flows.Refused(version)):
            self._acknowledge(version, ConfigState.REFUSED, errors=errors)

    def waits(self, version: int) -> None:
        """Take that the loop will apply *version* later."""
        self._acknowledge(version, ConfigState.STAGED)

    def confirm_by_key(self, version: int | None) -> None:
        """Take that a live server announces *version*."""
        current = self.flow.current
        if (
            version is not None
            and current is not None
            and current.version == version
            and self.flow.refused is None
        ):
            self._confirm()

    # -- what follows ------------------------------------------------------------------
    def _read(self, fetched: Fetched) -> flows.Event:
        match fetched.status:
            case 200 | 304 if fetched.body is not None:
                return self._read_body(fetched)
            case 401 | 403:
                return flows.Unauthorized(fetched.retry_after)
            case 404 | 410:
                return flows.NotFound(fetched.retry_after)
            case _:
                return flows.Fault(fetched.retry_after)

    def _read_body(self, fetched: Fetched) -> flows.Event:
        identity = self.kind.identify(fetched.body)
        self._came = identity.version
        try:
            self._bodies[identity] = self.kind.check(fetched.body)
        except ForeignBodyError as error:
            self._answer = attrs.evolve(fetched, detail=f"the body is {error}")
            return flows.Fault(fetched.retry_after)
        except ConfigErrors as error:
            return flows.BodyCame(identity, error.errors)
        return flows.BodyCame(identity)

    def _answered(self, event: flows.Applied | flows.Refused) -> bool:
        try:
            self._feed(event)
        except LookupError as error:
            log.error("%s: %s", self.name, error)  # noqa: TRY400 - it says it all
            return False
        return True

    def _feed(self, event: flows.Event) -> None:
        before = self.flow
        self.flow, commands = flows.step(
            before, event, now=self._clock.monotonic(), draw=self._office.draw()
        )
        if self.flow.trouble is not before.trouble:
            self._tell_trouble(before.trouble)
        for command in commands:
            self._carry_out(command)
        self._bodies = {one: self._bodies[one] for one in self.flow.offered}

    def _carry_out(self, command: flows.Command) -> None:
        match command:
            case flows.Fetch():
                self._office.fetch(self)
            case flows.Stage(identity):
                self._stage(self._bodies[identity], "server", None)
            case flows.Confirm():
                self._confirm()
            case flows.Refuse(identity, errors):
                self._refuse(identity, errors)
            case flows.Restore():
                self._restore()
            case flows.Keep(identity):
                body = self._bodies[identity].body
                self._memory.keep(self.name, body, self._clock.now())
            case _:
                assert_never(command)

    def _stage(
        self, checked: Checked, origin: Origin, saved_at: datetime | None
    ) -> None:
        self._warnings = {checked.version: checked.warnings}
        self._office.emit(checked.stage(origin, saved_at))

    def _confirm(self) -> None:
        now, applied = self._clock.now(), self.flow.applied
        self._memory.confirm(self.name, now)
        self._office.emit(ConfigConfirmed(scope=self.name, at=now))
        if (
            self._told is ConfigState.REFUSED
            and applied is not None
            and applied.version is not None
        ):
            # The server took the refused one back: say what trades.
            self._acknowledge(applied.version, ConfigState.APPLIED)

    def _refuse(self, identity: Identity, errors: tuple[str, ...]) -> None:
        version = identity.version
        if version is None:
            version = self.flow.asked_under or 0
        for error in errors:
            log.error("%s config %d refused: %s", self.name, version, error)
        self._office.emit(
            ConfigRefused(scope=self.name, version=version, errors=errors)
        )
        self._acknowledge(version, ConfigState.REFUSED, errors=errors)

    def _restore(self) -> None:
        for kept in self._memory.kept(self.name):
            try:
                checked = self.kind.check(kept.body)
            except (ConfigErrors, ForeignBodyError) as error:
                log.error(  # noqa: TRY400 - the traceback says nothing more
                    "%s: the last known good config cannot be used: %s",
                    self.name,
                    error,
                )
                continue
            log.warning(
                "%s: the last known good config, version %d of %s, is used",
                self.name,
                checked.version,
                kept.vouched_at,
            )
            identity = self.kind.identify(kept.body)
            self._bodies[identity] = checked
            self._feed(flows.Restored(identity))
            self._stage(checked, "last_good", kept.vouched_at)
            return
        log.warning("%s: nothing to trade on yet, waiting for the server", self.name)

    def _acknowledge(
        self,
        version: int,
        state: ConfigState,
        *,
        errors: Sequence[str] = (),
        warnings: Sequence[str] = (),
    ) -> None:
        ack = ConfigAck(
            version=version,
            state=state,
            at=self._clock.now(),
            errors=tuple(errors),
            warnings=tuple(warnings),
        )
        self._told = state
        self._office.acknowledge(self.name, ack)

    def _tell_trouble(self, before: Trouble) -> None:
        status, detail = self._answer.status, self._answer.detail
        now = self._clock.monotonic()
        if before is Trouble.NONE:
            self._troubled_since = now
        match self.flow.trouble:
            case Trouble.NONE:
                since = now if self._troubled_since is None else self._troubled_since
                log.info(
                    "%s: the server answers again after %.0f s", self.name, now - since
                )
            case Trouble.UNREACHABLE:
                log.warning(
                    "%s: no config from the server (%s), asking again with back-off",
                    self.name,
                    detail or f"HTTP {status}",
                )
            case Trouble.STALE:
                log.warning(
                    "%s: the server answers version %s, older than the %s announced; "
                    "it is not applied",
                    self.name,
                    self._came,
                    self.flow.asked_under,
                )
            case Trouble.UNAUTHORIZED | Trouble.NOT_FOUND:
                log.error("%s: HTTP %d: %s", self.name, status, detail or "no detail")
                self._office.emit(
                    ConfigMissing(scope=self.name, status=status, detail=detail)
                )
