"""What the link's thread does: looks at Redis, and feeds the flows."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection, Mapping

import attrs

from runner.core.config_flow import Trouble
from runner.link.commands import Commands
from runner.link.events import LinkEvent
from runner.link.kinds import Ask, strategy_kind, trade_kind
from runner.link.lease import Lease
from runner.link.looks import Looks
from runner.link.memory import Memory
from runner.link.scope import Bench, Scope
from runner.link.server import ServerWords
from runner.link.timing import LinkTiming
from runner.ports import (
    Clock,
    ControlPlane,
    Exchange,
    Fetched,
    LeaseHolder,
    ServerView,
    UnavailableError,
)
from runner.strategy import Parameters
from runner.wire.acks import (
    TRADE_FIELD,
    CommandAck,
    ConfigAck,
    strategy_field,
)
from runner.wire.events import WakeUp
from runner.wire.keys import BOT_HEARTBEAT_TTL

log = logging.getLogger("mt5runner.link")

_NEVER = math.inf


@attrs.frozen(kw_only=True)
class Picture:
    """The state at the end of a turn.

    Attributes:
        is_redis_up: Whether the last look at Redis succeeded.
        looked_at: When the last that did was begun (monotonic seconds).
        is_settled: Whether no config is being asked for, of a server that answers.
        is_current: Whether nothing that is announced is still to be fetched.
    """

    is_redis_up: bool
    looked_at: float
    is_settled: bool
    is_current: bool


class Worker:
    """Owns the flows. Called by one thread only.

    Args:
        account: The account id that the server knows.
        control: Redis; None polls the API alone.
        clock: Time.
        memory: What outlives a restart.
        find_parameters: The parameters class of a strategy class's name.
        lease: The account's lease.
        emit: Tells the loop.
        fetch: Asks the server; the answer comes back by the callable given to it.
        random: Random numbers in [0, 1).
        timing: Intervals.
    """

    def __init__(
        self,
        *,
        account: str,
        control: ControlPlane | None,
        clock: Clock,
        memory: Memory,
        find_parameters: Callable[[str], type[Parameters] | None],
        lease: Lease,
        emit: Callable[[LinkEvent], None],
        fetch: Callable[[Ask, Callable[[Fetched], None]], None],
        random: Callable[[], float],
        timing: LinkTiming,
    ) -> None:
        self._account = account
        self._control = control
        self._clock = clock
        self._memory = memory
        self._find_parameters = find_parameters
        self._lease = lease
        self.emit = emit
        self._fetch = fetch
        self.draw = random
        self._timing = timing
        self._bench = Bench(
            office=self, memory=memory, clock=clock, timing=timing.config
        )
        self._scopes: dict[str, Scope] = {}
        self._strategies: dict[int, Scope] = {}
        self._words = ServerWords(memory=memory, clock=clock, emit=emit)
        self._commands = Commands(
            post=self, memory=memory, clock=clock, timing=timing.config
        )
        self._config_acks: dict[str, str] = {}
        self._beat: tuple[Mapping[str, str], float] | None = None
        self._looks = Looks(clock=clock, timing=timing, draw=random)
        self._claimed_at = -_NEVER

    # -- from the loop -----------------------------------------------------------------
    def recall(self) -> None:
        """Tell what is known from before; StateError if that is damaged."""
        self._words.recall()
        self._commands.recall()

    def begin(self) -> None:
        """Ask for the first time."""
        self._scopes[TRADE_FIELD] = Scope(trade_kind(self._account), self._bench)
        if self._control is None:
            self._commands.poll(0.0)
            self._commands.ask()
            self._scopes[TRADE_FIELD].lose_key()
        else:
            self._look(first=True)

    def beat(self, fields: Mapping[str, str]) -> None:
        """Send these heartbeat fields as soon as may be; newer ones replace them."""
        self._beat = (fields, self._clock.monotonic())
        self.look()

    def watch(self, strategy_ids: Collection[int]) -> None:
        """Follow these strategies' configs and no others."""
        for strategy_id in [one for one in self._strategies if one not in strategy_ids]:
            scope = self._strategies.pop(strategy_id)
            del self._scopes[scope.name]
            self._config_acks.pop(scope.name, None)
        for strategy_id in strategy_ids:
            if strategy_id not in self._strategies:
                kind = strategy_kind(self._account, strategy_id, self._find_parameters)
                scope = Scope(kind, self._bench)
                self._strategies[strategy_id] = self._scopes[scope.name] = scope
                if self.is_redis_up:
                    self.look()
                else:
                    scope.lose_key()

    def applied(self, name: str, version: int) -> None:
        """Take that the loop applied a version."""
        if name in self._scopes:
            self._scopes[name].applied(version)

    def refused(self, name: str, version: int, errors: Collection[str]) -> None:
        """Take that the loop could not apply a version."""
        if name in self._scopes:
            self._scopes[name].refused(version, tuple(errors))

    def waits(self, name: str, version: int) -> None:
        """Take that the loop will apply a version later."""
        if name in self._scopes:
            self._scopes[name].waits(version)

    def acknowledge_command(self, ack: CommandAck) -> None:
        """Tell the server what became of a command."""
        self._commands.acknowledge(ack)

    def look(self, delay: float = 0.0) -> None:
        """Look at Redis *delay* seconds from now, if not before."""
        self._looks.want(delay)

    def wake_up(self, message: WakeUp) -> None:
        """Take a wake-up."""
        if message.account in (None, self._account):
            spread = message.spread_ms / 1000.0 * self.draw()
            self.look(spread + self._timing.together)

    def change_api_key(self) -> None:
        """Take that another API key is in place."""
        for scope in list(self._scopes.values()):
            scope.change_api_key()

    def finish(self, last_heartbeat: Mapping[str, str] | None) -> None:
        """Send what is left and give the lease back."""
        if self._control is None:
            return
        if last_heartbeat is not None:
            self._beat = (last_heartbeat, self._clock.monotonic())
        try:
            self._control.exchange(self._exchange())
            if self._lease.epoch is not None:
                self._control.release_lease(self._account)
        except UnavailableError as error:
            log.warning("the last heartbeat could not be sent: %s", error)

    # -- what others ask ---------------------------------------------------------------
    @property
    def is_redis_up(self) -> bool:
        """Whether the last look at Redis succeeded."""
        return self._control is not None and self._looks.is_up

    @property
    def picture(self) -> Picture:
        """What other threads may know of the present state."""
        flows = [scope.flow for scope in self._scopes.values()]
        return Picture(
            is_redis_up=self.is_redis_up,
            looked_at=self._looks.looked_at,
            is_settled=not any(
                flow.fetching and flow.trouble is Trouble.NONE for flow in flows
            ),
            is_current=self.is_redis_up and all(flow.is_settled for flow in flows),
        )

    @property
    def is_unauthorized(self) -> bool:
        """Whether a changed API key would change anything."""
        return any(
            scope.flow.trouble is Trouble.UNAUTHORIZED
            for scope in self._scopes.values()
        )

    # -- a turn ------------------------------------------------------------------------
    def turn(self) -> float:
        """Do what is due.

        Returns:
            Seconds until something is due again; infinite for never.
        """
        now = self._clock.monotonic()
        if self._next_look() <= now:
            self._look()
        if self._commands.due_at <= now:
            self._commands.ask()
        for scope in list(self._scopes.values()):
            if scope.flow.due_at <= now:
                scope.tick()
        dues = [scope.flow.due_at for scope in self._scopes.values()]
        due = min([self._next_look(), self._commands.due_at, *dues])
        return max(0.0, due - self._clock.monotonic())

    def fail(self, error: BaseException) -> None:
        """Take that the thread stumbled: what it knows of Redis is not to be used."""
        if self._control is not None:
            self._lose_redis(f"internal error: {error!r}")

    def _next_look(self) -> float:
        if self._control is None:
            return _NEVER
        return self._looks.due_at(with_lease=self._lease.is_used)

    def _look(self, *, first: bool = False) -> None:
        if self._control is None:
            return
        begun_at = self._looks.begin()
        exchange = self._exchange()
        beat = self._beat
        try:
            view = self._control.exchange(exchange)
        except UnavailableError as error:
            self._lose_redis(str(error), first=first)
            return
        if exchange.heartbeat is not None and self._beat is beat:
            self._beat = None
        away = self._looks.succeed(begun_at)
        if away is not None:
            log.info("Redis is back after %.0f s", away)
        self._commands.rest()
        self._see(view, begun_at)

    def _exchange(self) -> Exchange:
        # Perhaps another runner's account: reading is free, writing would say wrong
        # things.
        if not self._lease.may_write:
            return Exchange(account=self._account, strategy_ids=tuple(self._strategies))
        heartbeat: Mapping[str, str] | None = None
        if self._beat is not None:
            fields, made_at = self._beat
            # A loop that has hung since must not look alive.
            if self._clock.monotonic() - made_at < BOT_HEARTBEAT_TTL:
                heartbeat = fields
        return Exchange(
            account=self._account,
            heartbeat=heartbeat,
            strategy_ids=tuple(self._strategies),
            config_acks=dict(self._config_acks),
            command_acks=self._commands.acks,
            renew_lease=self._lease.epoch is not None,
        )

    def _lose_redis(self, reason: str, *, first: bool = False) -> None:
        if self._looks.fail():
            poll = self._timing.config.poll
            log.warning(
                "Redis is away (%s): trading goes on, the API is asked every %g s",
                reason,
                poll,
            )
            # At the start before any config: a stop must be known before anything
            # trades.
            self._commands.poll(0.0 if first else poll * self.draw())
            if first:
                self._commands.ask()
        for scope in list(self._scopes.values()):
            scope.lose_key()

    # -- what was seen -----------------------------------------------------------------
    def _see(self, view: ServerView, asked_at: float) -> None:
        self._see_lease(view, asked_at)
        self._words.see(view.server_heartbeat)
        self._commands.see(view.command, view.fleet_command)
        versions: dict[str, int | None] = {TRADE_FIELD: view.trade_version}
        for strategy_id, version in view.strategy_versions.items():
            versions[strategy_field(strategy_id)] = version
        for name, version in versions.items():
            scope = self._scopes.get(name)
            if scope is None:
                continue
            scope.see_key(version)
            if view.server_heartbeat is not None:
                scope.confirm_by_key(version)

    def _see_lease(self, view: ServerView, asked_at: float) -> None:
        lease = self._lease
        if view.lease_held:
            self._tell(lease.renew(asked_at))
        elif lease.is_used and (view.lease_held is False or lease.epoch is None):
            self._claim(asked_at)

    def _claim(self, now: float) -> None:
        if self._control is None or now - self._claimed_at < self._timing.renew:
            return
        self._claimed_at = now
        try:
            answer = self._control.acquire_lease(self._account)
        except UnavailableError as error:
            log.warning("the lease could not be asked for: %s", error)
            return
        if isinstance(answer, LeaseHolder):
            self._tell(self._lease.lose(answer))
            return
        if answer is None:
            self._lease.forgo()
        else:
            self._tell(self._lease.acquire(answer, now))
        self.hurry()  # with what could not be written until now

    # -- what scopes and commands need -------------------------------------------------
    @property
    def epoch(self) -> int | None:
        """Our fencing number."""
        return self._lease.epoch

    def hurry(self) -> None:
        """Look soon, together with what else is to be told."""
        self.look(self._timing.together)

    def fetch_commands(self, answer: Callable[[Fetched], None], /) -> None:
        """Ask the API for the commands."""
        account = self._account
        self._fetch(lambda server: server.command(account), answer)

    def acknowledge(self, scope: str, ack: ConfigAck) -> None:
        """Tell the server what became of a config."""
        if scope in self._scopes:
            ack = attrs.evolve(ack, epoch=self._lease.epoch)
            self._config_acks[scope] = ack.to_json()
            self.hurry()

    def fetch(self, scope: Scope) -> None:
        """Ask the server for a scope's config."""

        def answer(fetched: Fetched) -> None:
            if self._scopes.get(scope.name) is scope:
                scope.answer(fetched)

        self._fetch(scope.kind.ask, answer)

    def _tell(self, event: LinkEvent | None) -> None:
        if event is not None:
            self.emit(event)
