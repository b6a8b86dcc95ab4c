"""The link's threads, and the loop's side of the queues between."""

from __future__ import annotations

import logging
import math
import queue
import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress

from runner.core.config_flow import RETRY, Backoff, Timing
from runner.core.settings import StrategyConfig
from runner.link.events import LinkEvent, StrategyConfigStaged
from runner.link.kinds import Ask, strategy_kind
from runner.link.lease import Lease
from runner.link.memory import Memory
from runner.link.timing import LinkTiming
from runner.link.worker import Picture, Worker
from runner.ports import (
    Clock,
    ConfigServer,
    ControlPlane,
    Fetched,
    LeaseHolder,
    StateStore,
    UnavailableError,
)
from runner.serde import ConfigErrors, ForeignBodyError
from runner.strategy import Parameters
from runner.wire.acks import CommandAck

log = logging.getLogger("mt5runner.link")

_STOP_WITHIN = 5.0  # seconds
_LONGEST_WAIT = 1.0  # seconds; also how often a changed API key is looked for


class Link:
    """Everything between the loop and the server.

    One thread looks at Redis and decides, one asks the API, one listens for wake-ups.
    No method but `refresh`, `wait`, `acquire_lease` and `stop` waits for anything.

    Args:
        account: The account id that the server knows.
        control: Redis; None polls the API alone.
        server: The API.
        clock: Time.
        store: What outlives a restart.
        find_parameters: The parameters class of a strategy class's name; None if no
            such strategy is installed.
        random: Random numbers in [0, 1).
        poll_interval: Seconds between two looks at the versions.
        timing: Every interval; then *poll_interval* is not used.
    """

    def __init__(
        self,
        *,
        account: str,
        control: ControlPlane | None,
        server: ConfigServer,
        clock: Clock,
        store: StateStore,
        find_parameters: Callable[[str], type[Parameters] | None],
        random: Callable[[], float],
        poll_interval: float = 60.0,
        timing: LinkTiming | None = None,
    ) -> None:
        timing = timing or LinkTiming(config=Timing(poll=poll_interval))
        self._account = account
        self._control = control
        self._server = server
        self._clock = clock
        self._timing = timing
        self._events: deque[LinkEvent] = deque()
        self._has_events = threading.Event()
        self._inbox: deque[Callable[[], None]] = deque()
        self._has_mail = threading.Event()
        self._asks: queue.SimpleQueue[tuple[Ask, Callable[[Fetched], None]] | None]
        self._asks = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._waiting: list[tuple[float, threading.Event]] = []
        self._threads: list[threading.Thread] = []
        self._lease = Lease()
        self._memory = Memory(store)
        self._find_parameters = find_parameters
        self._worker = Worker(
            account=account,
            control=control,
            clock=clock,
            memory=self._memory,
            find_parameters=find_parameters,
            lease=self._lease,
            emit=self._emit,
            fetch=lambda ask, answer: self._asks.put((ask, answer)),
            random=random,
            timing=timing,
        )
        self._picture: Picture = self._worker.picture

    # -- the loop's side ---------------------------------------------------------------
    def acquire_lease(self) -> int | LeaseHolder | None:
        """Take the account's lease; call it before `start`.

        Returns:
            The fencing number if it is ours; who has it, if another runner does; None
            if there are no leases here (no Redis, or it does not permit them).

        Raises:
            UnavailableError: If Redis cannot be asked. The lease is then asked for as
                soon as it can be, and a `LeaseChanged` says what came of it.
        """
        if self._control is None:
            return None
        asked_at = self._clock.monotonic()
        try:
            answer = self._control.acquire_lease(self._account)
        except UnavailableError:
            self._lease.want()
            raise
        if isinstance(answer, int):
            self._lease.acquire(answer, asked_at)
        return answer

    def start(self) -> None:
        """Start the threads. The first events are what is known from before.

        Raises:
            StateError: If it is not known whether a stop is latched.
        """
        self._worker.recall()
        self._post(self._worker.begin)
        self._spawn("link", self._run)
        self._spawn("link-api", self._run_asks)
        if self._control is not None:
            self._spawn("link-wake-ups", self._run_wake_ups)

    def stop(self, last_heartbeat: Mapping[str, str] | None) -> None:
        """Send the last heartbeat and what is left, give the lease back, and end.

        Takes five seconds at most.

        Args:
            last_heartbeat: Hash fields with DOWN; None sends none.
        """

        def finish() -> None:
            self._worker.finish(last_heartbeat)

        until = self._clock.monotonic() + _STOP_WITHIN
        self._stopping.set()
        self._post(finish)
        if not self._threads:
            self._open_mail()
        self._asks.put(None)
        self._server.close()
        for thread in self._threads:
            thread.join(max(0.0, until - self._clock.monotonic()))
        if self._control is not None:
            self._control.close()

    def beat(self, fields: Mapping[str, str]) -> None:
        """Send these heartbeat fields now; only the newest are ever sent."""
        self._post(lambda: self._worker.beat(fields))

    def watch(self, strategy_ids: Collection[int]) -> None:
        """Follow these strategies' configs and no others."""
        wanted = tuple(strategy_ids)
        self._post(lambda: self._worker.watch(wanted))

    def recall(self, strategy_id: int) -> StrategyConfig:
        """Return a strategy's last known good config, whether it is watched or not.

        Raises:
            LookupError: If there is none, or none that can be used now.
        """
        kind = strategy_kind(self._account, strategy_id, self._find_parameters)
        problem = "no config of it is on disk"
        for kept in self._memory.kept(kind.name):
            try:
                event = kind.check(kept.body).stage("last_good", kept.vouched_at)
            except (ConfigErrors, ForeignBodyError) as error:
                problem = str(error)
                continue
            if isinstance(event, StrategyConfigStaged):
                return event.config
        raise LookupError(problem)

    def take(self) -> list[LinkEvent]:
        """Return what happened since the last call, in order; never waits."""
        lapsed = self._lease.lapse(self._clock.monotonic())
        if lapsed is not None:
            self._events.append(lapsed)
        if not self._events:
            return []
        self._has_events.clear()
        taken: list[LinkEvent] = []
        with suppress(IndexError):
            while True:
                taken.append(self._events.popleft())
        return taken

    def wait(self, seconds: float) -> None:
        """Wait until something happens, *seconds* at most."""
        self._has_events.wait(seconds)

    def refresh(self, timeout: float) -> bool:
        """Look at the versions before trading, and wait for what that brings.

        A look within the last second is good enough, and a server that is known not to
        answer is not waited for. What came is in `take`.

        Args:
            timeout: Longest wait in seconds.

        Returns:
            Whether what we know is current; False at once while Redis is away.
        """
        seen = self._picture
        now = self._clock.monotonic()
        if not seen.is_redis_up or self._stopping.is_set():
            return False
        if seen.is_settled and now - seen.looked_at < self._timing.recent:
            return seen.is_current
        done = threading.Event()

        def ask() -> None:
            self._worker.look()
            self._waiting.append((now, done))

        self._post(ask)
        return done.wait(timeout) and self._picture.is_current

    def applied(self, scope: str, version: int, changes: Sequence[str]) -> None:
        """Take from the safe point that *version* is trading.

        It is acknowledged, and its body becomes the last known good one.

        Args:
            scope: ``trade`` or ``strategy:{id}``.
            version: The config's version.
            changes: What changed, one line each.
        """
        log.debug("%s config %d applied: %s", scope, version, "; ".join(changes))
        self._post(lambda: self._worker.applied(scope, version))

    def refused(self, scope: str, version: int, errors: Sequence[str]) -> None:
        """Take that the loop could not apply *version*."""
        self._post(lambda: self._worker.refused(scope, version, errors))

    def staged(self, scope: str, version: int) -> None:
        """Take that *version* waits until the strategy is flat."""
        self._post(lambda: self._worker.waits(scope, version))

    def acknowledge_command(self, ack: CommandAck) -> None:
        """Tell the server what became of a command."""
        self._post(lambda: self._worker.acknowledge_command(ack))

    def key_changed(self) -> None:
        """Ask again at once where the old API key was not accepted."""
        self._post(self._worker.change_api_key)

    # -- the threads -------------------------------------------------------------------
    def _spawn(self, name: str, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, name=f"mt5runner-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _post(self, mail: Callable[[], None]) -> None:
        self._inbox.append(mail)
        self._has_mail.set()

    def _emit(self, event: LinkEvent) -> None:
        self._events.append(event)
        self._has_events.set()

    def _run(self) -> None:
        backoff = Backoff(RETRY)
        while True:
            try:
                self._serve()
            except Exception as error:
                # A fault of ours must not end the heartbeat and the commands.
                log.exception("the link stumbled and goes on")
                with suppress(Exception):
                    self._worker.fail(error)
                    self._picture = self._worker.picture
                self._release_waiting()
                backoff = backoff.failed(RETRY)
                self._stopping.wait(backoff.delay(0.0))
            else:
                return

    def _serve(self) -> None:
        while True:
            self._has_mail.clear()
            self._open_mail()
            if self._stopping.is_set() and not self._inbox:
                self._release_waiting()
                return
            pause = self._worker.turn()
            self._picture = self._worker.picture
            self._answer_waiting()
            if self._worker.is_unauthorized and self._server.key_changed():
                self._worker.change_api_key()
                continue
            self._has_mail.wait(min(pause, _LONGEST_WAIT))

    def _open_mail(self) -> None:
        while self._inbox:
            self._inbox.popleft()()

    def _answer_waiting(self) -> None:
        seen = self._picture
        if not seen.is_redis_up:
            self._release_waiting()
        elif seen.is_settled:
            self._release_waiting(seen.looked_at)

    def _release_waiting(self, looked_at: float = math.inf) -> None:
        waiting, self._waiting = self._waiting, []
        for asked_at, done in waiting:
            if asked_at <= looked_at:
                done.set()
            else:
                self._waiting.append((asked_at, done))

    def _run_asks(self) -> None:
        while (ask := self._asks.get()) is not None:
            if self._stopping.is_set():
                return
            question, answer = ask
            try:
                fetched = question(self._server)
            except Exception as error:
                log.exception("asking the server failed")
                fetched = Fetched(status=0, detail=repr(error))
            self._post(lambda a=answer, f=fetched: a(f))  # type: ignore[misc]  # bound now

    def _run_wake_ups(self) -> None:
        control = self._control
        if control is None:
            return
        backoff = Backoff(RETRY)
        while not self._stopping.is_set():
            try:
                control.listen(
                    self._account,
                    lambda message: self._post(lambda: self._worker.wake_up(message)),
                    self._stopping,
                )
            except Exception:
                log.exception("listening for wake-ups stumbled and goes on")
                backoff = backoff.failed(RETRY)
                self._stopping.wait(backoff.delay(0.0))
