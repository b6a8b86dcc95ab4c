"""A strategy as the loop sees it: what it raises or returns wrongly stays with it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import islice
from typing import TypeVar, cast

from runner.core.failures import (
    DEFAULT_POLICY,
    HEALTHY,
    FailurePolicy,
    Health,
)
from runner.core.market import Bar, Tick
from runner.core.orders import OrderIntent
from runner.host.containment import OvertimeError, Raised, attempt
from runner.host.freezes import Freezes
from runner.host.manager import PluginHost
from runner.host.records import PluginError, StrategyRecord
from runner.host.watch import Watch
from runner.strategy import Parameters, Strategy, StrategyContext

T = TypeVar("T")

_MOST_INTENTS = 1000
"""That one call may return; an endless iterable must not fill the memory."""

_log = logging.getLogger("mt5runner.host")


def bars_needed(record: StrategyRecord, parameters: Parameters, watch: Watch) -> int:
    """Ask a strategy class how many closed bars it needs.

    Args:
        record: The strategy.
        parameters: Of one symbol.
        watch: Bounds the time of the call.

    Returns:
        A number of bars, the bar being handled not counted.

    Raises:
        PluginError: If `Strategy.bars_needed` raises or returns no whole number.
    """
    answer: object = watch.attempt(
        record.name, "bars_needed", record.cls.bars_needed, parameters
    )
    if isinstance(answer, int) and not isinstance(answer, bool) and answer >= 0:
        return answer
    raise PluginError(
        record.name,
        record.source,
        f"bars_needed: expected a whole number of bars, got {answer}",
        "correct bars_needed or the parameters",
    )


class HostedStrategy:
    """One strategy on one account.

    A failing strategy is paused alone, tried again with back-off, and disabled after a
    number of failures in a row (`runner.core.failures`). While it is paused it is not
    called: its entries stop, its positions keep the stops that lie with the broker.

    One that was broken off for its time may have stopped between any two steps, so that
    what it keeps in memory fits nothing any more: the next try is a new instance's. Its
    hooks stay until then, since a guard may be among them.

    One in which an earlier start of the runner froze has failed before it begins.

    Attributes:
        record: The class and its source.
        name: Under which it is registered and its errors are reported: the class name,
            with the server's id where it has one.
    """

    def __init__(
        self,
        record: StrategyRecord,
        context: StrategyContext,
        host: PluginHost,
        *,
        policy: FailurePolicy = DEFAULT_POLICY,
        freezes: Freezes | None = None,
    ) -> None:
        self.record = record
        number = context.strategy_id
        self.name = record.name if number is None else f"{record.name}-{number}"
        self._context = context
        self._host = host
        self._policy = policy
        self._health = HEALTHY
        self._strategy: Strategy | None = None
        self._freezes = freezes
        self._is_new = True

    @property
    def health(self) -> Health:
        """How it fares: state, failures in a row, last error, time of the next try."""
        return self._health

    def start(self, now: datetime) -> None:
        """Make the instance, register its hooks and call `Strategy.on_start`.

        A strategy that fails here is tried again like one that fails on a bar.

        Args:
            now: UTC-aware.
        """
        if self._is_new:
            self._is_new = False
            self._take_freeze(now)
        if self._strategy is not None or not self._health.may_run(now):
            return
        made = self._make()
        if isinstance(made, Raised):
            self._failed("on_start", made, now)
        else:
            self._strategy = made
            self._succeeded("on_start")

    def stop(self, now: datetime) -> None:
        """Call `Strategy.on_stop` and take its hooks off the host.

        Args:
            now: UTC-aware.
        """
        if self._strategy is not None:
            self._call("on_stop", now, self._strategy.on_stop)
        self._strategy = None
        self._host.detach(self.name)
        self._host.forget_failures(self.name)

    def renew(self) -> None:
        """Forget its failures; for when its parameters have changed."""
        self._health = HEALTHY
        self._host.forget_failures(self.name)
        self._forget_freezes()

    def on_bar(self, bar: Bar, now: datetime) -> list[OrderIntent]:
        """Let it decide on a closed bar.

        Args:
            bar: The bar that has just closed.
            now: UTC-aware.

        Returns:
            Its intents; none if it is paused, disabled or fails.
        """
        return self._ask(
            f"on_bar {bar.symbol}", now, lambda strategy: strategy.on_bar(bar)
        )

    def on_tick(self, tick: Tick, now: datetime) -> list[OrderIntent]:
        """Let it decide on a quote.

        Args:
            tick: The latest quote.
            now: UTC-aware.

        Returns:
            Its intents; none if it is paused, disabled or fails.
        """
        return self._ask(
            f"on_tick {tick.symbol}", now, lambda strategy: strategy.on_tick(tick)
        )

    # -- calls -------------------------------------------------------------------------
    def _make(self) -> Strategy | Raised:
        watch = self._host.watch
        strategy = watch.attempt(self.name, "__init__", self.record.cls, self._context)
        if isinstance(strategy, Raised):
            return strategy
        # One that was broken off may be a guard: from here on this one guards in its
        # place, even if it cannot start.
        guards = self.name in self._host.plugins
        self._host.detach(self.name, keeps_failures=True)
        attached = attempt(
            self._host.attach, self.name, strategy, self.record.source, required=False
        )
        if isinstance(attached, Raised):
            return attached
        started = watch.attempt(self.name, "on_start", strategy.on_start)
        if isinstance(started, Raised):
            if not guards:
                self._host.detach(self.name, keeps_failures=True)
            return started
        return strategy

    def _ask(
        self, where: str, now: datetime, decide: Callable[[Strategy], object]
    ) -> list[OrderIntent]:
        self.start(now)
        strategy = self._strategy
        if strategy is None or not self._health.may_run(now):
            return []
        return self._call(where, now, lambda: self._intents(decide(strategy))) or []

    def _call(self, where: str, now: datetime, function: Callable[[], T]) -> T | None:
        answer = self._host.watch.attempt(self.name, where, function)
        if isinstance(answer, Raised):
            if isinstance(answer.error, OvertimeError):
                self._strategy = None
            self._failed(where, answer, now)
            return None
        if self._health.failures:
            self._succeeded(where)
        return answer

    def _succeeded(self, where: str) -> None:
        had_failed = self._health.failures > 0
        self._health = self._health.succeeded(where)
        self._host.report_success(self.name, where)
        if had_failed and not self._health.failures:
            self._forget_freezes()

    def _take_freeze(self, now: datetime) -> None:
        freeze = None if self._freezes is None else self._freezes.of(self.name)
        if freeze is None:
            return
        self._health = Health(failures=freeze.count - 1)
        error = TimeoutError("the runner froze in it, and was ended from outside")
        self._failed(freeze.where, Raised(error), now)

    def _forget_freezes(self) -> None:
        if self._freezes is not None:
            self._freezes.forget(self.name)

    def _failed(self, where: str, raised: Raised, now: datetime) -> None:
        before = self._health.state
        health = self._health.failed(where, str(raised), now, self._policy)
        self._health = health
        state = (
            "disabled"
            if health.retry_at is None
            else f"paused until {health.retry_at:%Y-%m-%dT%H:%M:%SZ}"
        )
        self._host.report_failure(self.name, where, raised, now, state=state)
        if health.state is not before:
            _log.error(
                "%s is %s; failures in a row: %d", self.name, state, health.failures
            )

    # -- what it returned --------------------------------------------------------------
    def _intents(self, returned: object) -> list[OrderIntent]:
        """Check what the strategy returned: all of it is taken, or nothing."""
        if returned is None:
            return []
        if isinstance(returned, OrderIntent):
            found: list[object] = [returned]
        elif isinstance(returned, Iterable):
            several = cast("Iterable[object]", returned)
            found = list(islice(several, _MOST_INTENTS + 1))
        else:
            raise TypeError(f"expected OrderIntent, several, or None; got {returned!r}")
        if len(found) > _MOST_INTENTS:
            raise ValueError(f"expected at most {_MOST_INTENTS} intents, got more")
        return [self._own(each) for each in found]

    def _own(self, intent: object) -> OrderIntent:
        # A subclass could run its author's code later, where nobody bounds its time.
        if type(intent) is not OrderIntent:
            raise TypeError(f"expected OrderIntent, several, or None; got {intent!r}")
        expected = (self.record.name, self._context.strategy_id)
        if (intent.strategy, intent.strategy_id) != expected:
            raise ValueError(
                "expected an intent of strategy {} with id {}, got one of {} with id "
                "{}: make intents with self.buy, sell, close and protect".format(
                    *expected, intent.strategy, intent.strategy_id
                )
            )
        symbols = self._context.parameters
        if intent.symbol not in symbols and (
            intent.increases_exposure
            or not (
                self._context.positions(intent.symbol)
                or self._context.orders(intent.symbol)
            )
        ):
            raise ValueError(
                f"expected an intent in one of its symbols ({', '.join(symbols)}), "
                f"got {intent.symbol}"
            )
        return intent
