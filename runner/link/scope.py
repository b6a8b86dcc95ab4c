"""One config on its way: carries out what its flow decides."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol, assert_never

import attrs

from runner.core import config_flow as flows
from runner.core.config_flow import ConfigFlow, Identity, Timing, Trouble
from runner.core.settings import StrategyConfig, TradeConfig
from runner.link.events import (
    ConfigConfirmed,
    ConfigMissing,
    ConfigRefused,
    LinkEvent,
    Origin,
    StrategyConfigStaged,
    TradeConfigStaged,
)
from runner.link.memory import Memory
from runner.ports import Clock, ConfigServer, Fetched
from runner.serde import (
    ConfigErrors,
    ForeignBodyError,
    structure_strategy_config,
    structure_trade_config,
)
from runner.serde.identities import identify_strategy_config, identify_trade_config
from runner.strategy import Parameters
from runner.wire.acks import TRADE_FIELD, ConfigAck, ConfigState, strategy_field

log = logging.getLogger("mt5runner.link")

_Config = TradeConfig | StrategyConfig
Ask = Callable[[ConfigServer], Fetched]


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


@attrs.frozen
class _Body:
    body: Any
    config: _Config | None = None
    warnings: tuple[str, ...] = ()


class Scope:
    """One config of the account.

    Args:
        name: ``trade`` or ``strategy:{id}``.
        ask: How the server is asked.
        identify: Says which config a body is.
        structure: Makes the config; ConfigErrors or ForeignBodyError.
        bench: What it works with.
    """

    def __init__(
        self,
        name: str,
        *,
        ask: Ask,
        identify: Callable[[Any], Identity],
        structure: Callable[[Any], tuple[_Config, tuple[str, ...]]],
        bench: Bench,
    ) -> None:
        self.name = name
        self.ask = ask
        self.flow = ConfigFlow(timing=bench.timing)
        self._identify = identify
        self._structure = structure
        self._office = bench.office
        self._memory = bench.memory
        self._clock = bench.clock
        self._bodies: dict[Identity, _Body] = {}
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
        errors: tuple[str, ...] = ()
        body = _Body(fetched.body)
        try:
            config, warnings = self._structure(fetched.body)
            body = _Body(fetched.body, config, warnings)
        except ForeignBodyError as error:
            self._answer = attrs.evolve(fetched, detail=f"the body is {error}")
            return flows.Fault(fetched.retry_after)
        except ConfigErrors as error:
            errors = error.errors
        identity = self._identify(fetched.body)
        self._bodies[identity] = body
        self._came = identity.version
        return flows.BodyCame(identity, errors)

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

    def _stage(self, body: _Body, origin: Origin, saved_at: datetime | None) -> None:
        config, warnings = body.config, body.warnings
        if config is None:
            raise AssertionError("a body with errors was staged")
        self._warnings = {config.version: warnings}
        if isinstance(config, TradeConfig):
            self._office.emit(
                TradeConfigStaged(
                    config=config, warnings=warnings, origin=origin, saved_at=saved_at
                )
            )
        else:
            self._office.emit(
                StrategyConfigStaged(
                    strategy_id=config.bot_strategy_id,
                    config=config,
                    warnings=warnings,
                    origin=origin,
                    saved_at=saved_at,
                )
            )

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
                config, warnings = self._structure(kept.body)
            except (ConfigErrors, ForeignBodyError) as error:
                log.error(  # noqa: TRY400 - the traceback says nothing more
                    "%s: the last known good config cannot be used: %s",
                    self.name,
                    error,
                )
                continue
            identity = self._identify(kept.body)
            body = _Body(kept.body, config, warnings)
            self._bodies[identity] = body
            self._feed(flows.Restored(identity))
            log.warning(
                "%s: the last known good config, version %d of %s, is used",
                self.name,
                config.version,
                kept.vouched_at,
            )
            self._stage(body, "last_good", kept.vouched_at)
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


def trade_scope(account: str, bench: Bench) -> Scope:
    """Make the scope of the trade config."""
    return Scope(
        TRADE_FIELD,
        ask=lambda server: server.trade_config(account),
        identify=identify_trade_config,
        structure=lambda body: structure_trade_config(body, account),
        bench=bench,
    )


def strategy_scope(
    account: str,
    strategy_id: int,
    find_parameters: Callable[[str], type[Parameters] | None],
    bench: Bench,
) -> Scope:
    """Make the scope of one strategy's config."""
    return Scope(
        strategy_field(strategy_id),
        ask=lambda server: server.strategy_config(account, strategy_id),
        identify=identify_strategy_config,
        structure=lambda body: structure_strategy_config(
            body, strategy_id, find_parameters
        ),
        bench=bench,
    )
