"""One strategy as the loop sees it: its intents, its errors, its pauses."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import attrs
import pytest

from runner import (
    Account,
    Action,
    Bar,
    BarSeries,
    Deny,
    Intents,
    OrderIntent,
    Parameters,
    PendingKind,
    PendingOrder,
    Position,
    Side,
    Strategy,
    SymbolSpec,
    Tick,
    Timeframe,
    TradeConfig,
    hookimpl,
)
from runner.core.failures import FailurePolicy, HealthState
from runner.host.manager import PluginHost
from runner.host.records import BUILT_IN, PluginError, StrategyRecord
from runner.host.strategies import HostedStrategy, bars_needed
from runner.host.watch import Watch
from runner.testing import MemoryState

NOW = datetime(2026, 3, 4, 10, tzinfo=UTC)
BAR = Bar("EURUSD", Timeframe.H1, NOW - timedelta(hours=1), 1.1, 1.2, 1.0, 1.15)
GOLD = attrs.evolve(BAR, symbol="XAUUSD")
TICK = Tick("EURUSD", NOW, 1.1, 1.1002)


class Context:
    """A context with two symbols, and a position in a third one."""

    def __init__(self, strategy_id: int | None = 4) -> None:
        self.now = NOW
        self.strategy_id = strategy_id
        self.parameters: Mapping[str, Any] = {
            "EURUSD": Parameters(),
            "XAUUSD": Parameters(),
        }

    @property
    def account(self) -> Account:
        """Not known yet: what touches it at the wrong time is seen."""
        raise RuntimeError("the account is unknown")

    def bars(self, symbol: str) -> BarSeries:
        """Return an empty series."""
        return BarSeries(symbol, Timeframe.H1, 10)

    def tick(self, symbol: str) -> Tick | None:
        """Return the quote."""
        return TICK

    def symbol(self, name: str) -> SymbolSpec:
        """Know no symbol."""
        raise KeyError(name)

    def positions(self, symbol: str | None = None) -> Sequence[Position]:
        """Return one old position in GBPUSD."""
        held = Position(
            ticket=1,
            symbol="GBPUSD",
            side=Side.BUY,
            volume=0.1,
            opened_at=NOW,
            open_price=1.3,
        )
        return [held] if symbol in {None, "GBPUSD"} else []

    def orders(self, symbol: str | None = None) -> Sequence[PendingOrder]:
        """Return one pending order in USDJPY."""
        waiting = PendingOrder(
            ticket=2,
            symbol="USDJPY",
            side=Side.BUY,
            kind=PendingKind.LIMIT,
            volume=0.1,
            price=140.0,
            placed_at=NOW,
        )
        return [waiting] if symbol in {None, "USDJPY"} else []

    @property
    def state(self) -> MemoryState:
        """Remember nothing."""
        return MemoryState()

    def state_of(self, ticket: int) -> MemoryState:
        """Remember nothing of any position."""
        return MemoryState()

    def is_flat(self, symbol: str) -> bool:
        """Say whether nothing is held."""
        return symbol != "GBPUSD"


class Scripted(Strategy):
    """Does on each call what the test says."""

    script: ClassVar[Callable[[Any, Any], Any]] = lambda strategy, given: None
    started = 0
    stopped = 0

    def on_start(self) -> None:
        """Count."""
        type(self).started += 1

    def on_stop(self) -> None:
        """Count."""
        type(self).stopped += 1

    def on_bar(self, bar: Bar) -> Intents:
        """Do as told."""
        answer: Intents = type(self).script(self, bar)
        return answer

    def on_tick(self, tick: Tick) -> Intents:
        """Do as told."""
        answer: Intents = type(self).script(self, tick)
        return answer


def _scripted(script: Callable[[Any, Any], Any]) -> type[Scripted]:
    return type("Bot", (Scripted,), {"script": script})


def _hosted(
    cls: type[Strategy],
    host: PluginHost | None = None,
    strategy_id: int | None = 4,
    **policy: Any,
) -> HostedStrategy:
    return HostedStrategy(
        StrategyRecord(name=cls.__name__, cls=cls, source=BUILT_IN),
        Context(strategy_id),
        host or PluginHost(),
        policy=FailurePolicy(**policy),
    )


def _raise(error: BaseException) -> Any:
    raise error


# -- what it returns -------------------------------------------------------------------
def _one(strategy: Strategy, given: Any) -> Intents:
    return strategy.buy("EURUSD")


def _generated(strategy: Strategy, given: Any) -> Iterator[OrderIntent]:
    yield strategy.buy("EURUSD")
    yield strategy.close("XAUUSD")


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (lambda strategy, given: None, []),
        (lambda strategy, given: [], []),
        (_one, [(Action.OPEN, "EURUSD")]),
        (lambda s, given: (s.buy("EURUSD"),), [(Action.OPEN, "EURUSD")]),
        (_generated, [(Action.OPEN, "EURUSD"), (Action.CLOSE, "XAUUSD")]),
        (lambda s, given: s.close("GBPUSD"), [(Action.CLOSE, "GBPUSD")]),
    ],
    ids=["none", "empty", "one", "tuple", "generator", "exit of an old symbol"],
)
def test_none_one_and_several_intents_become_a_list(
    script: Callable[[Any, Any], Any], expected: list[tuple[Action, str]]
) -> None:
    """A strategy may return nothing, one intent or any iterable of them."""
    hosted = _hosted(_scripted(script))

    from_bar = hosted.on_bar(BAR, NOW)
    from_tick = hosted.on_tick(TICK, NOW)

    assert expected == [(intent.action, intent.symbol) for intent in from_bar]
    assert from_bar == from_tick
    assert HealthState.RUNNING is hosted.health.state


class Tricky(OrderIntent):
    """An author's code in it would run when the order is carried out."""

    def __init__(self, intent: OrderIntent) -> None:
        super().__init__(**attrs.asdict(intent))


FOREIGN = OrderIntent(
    strategy="Other", strategy_id=4, symbol="EURUSD", action=Action.CLOSE
)


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (
            lambda s, given: True,
            "TypeError: expected OrderIntent, several, or None; got True",
        ),
        (
            lambda s, given: "buy",
            "TypeError: expected OrderIntent, several, or None; got 'b'",
        ),
        (
            lambda s, given: [s.buy("EURUSD"), None],
            "TypeError: expected OrderIntent, several, or None; got None",
        ),
        (
            lambda s, given: FOREIGN,
            "ValueError: expected an intent of strategy Bot with id 4, got one of Oth",
        ),
        (
            lambda s, given: attrs.evolve(s.buy("EURUSD"), strategy_id=5),
            "ValueError: expected an intent of strategy Bot with id 4, got one of Bot",
        ),
        (
            lambda s, given: s.buy("USDJPY"),
            "ValueError: expected an intent in one of its symbols (EURUSD, XAUUSD), ",
        ),
        (
            lambda s, given: s.buy("GBPUSD"),
            "ValueError: expected an intent in one of its symbols (EURUSD, XAUUSD), ",
        ),
        (lambda s, given: s.buy("EURUSD", volume=-1), "ValueError: volume: must be"),
        (
            lambda s, given: s.buy("EURUSD", stop_loss=float("inf")),
            "ValueError: stop_loss: must be > 0 and finite, got inf",
        ),
        (lambda s, given: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda s, given: _raise(SystemExit(1)), "SystemExit: 1"),
        (
            lambda s, given: (_raise(ValueError("late")) for _ in "x"),
            "ValueError: late",
        ),
        (
            lambda s, given: itertools.repeat(s.close("EURUSD")),
            "ValueError: expected at most 1000 intents, got more",
        ),
        (
            lambda s, given: Tricky(s.close("EURUSD")),
            "TypeError: expected OrderIntent, several, or None; got Tricky(",
        ),
    ],
)
def test_what_it_raises_or_returns_wrongly_is_its_own_failure(
    script: Callable[[Any, Any], Any], error: str
) -> None:
    """No intent of such a call is carried out, not even the sound ones."""
    host = PluginHost()
    hosted = _hosted(_scripted(script), host)

    assert [] == hosted.on_bar(BAR, NOW)
    assert HealthState.PAUSED is hosted.health.state
    assert hosted.health.error.startswith(error)
    assert host.failures["Bot-4"].startswith(f"on_bar EURUSD: {error}")


def test_an_interrupt_passes() -> None:
    """Ctrl-C while a strategy computes stops the runner."""
    hosted = _hosted(_scripted(lambda s, given: _raise(KeyboardInterrupt())))

    with pytest.raises(KeyboardInterrupt):
        hosted.on_bar(BAR, NOW)


# -- pauses ----------------------------------------------------------------------------
def test_a_failing_strategy_is_paused_retried_and_disabled(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is called when its pause is over, and not again after the last failure."""
    caplog.set_level(logging.INFO, "mt5runner.host")
    calls: list[datetime] = []
    now = NOW

    def fail(strategy: Strategy, given: Any) -> None:
        calls.append(now)
        raise ValueError("no")

    host = PluginHost()
    hosted = _hosted(_scripted(fail), host, limit=3)
    while now < NOW + timedelta(hours=1):
        hosted.on_bar(BAR, now)
        now += timedelta(seconds=10)

    assert [NOW + timedelta(seconds=s) for s in (0, 30, 90)] == calls
    assert HealthState.DISABLED is hosted.health.state
    row = "3 in a row, last at 2026-03-04T10:01:30Z"
    assert {"Bot-4": f"on_bar EURUSD: ValueError: no ({row}); disabled"} == (
        host.failures
    )
    assert [
        "Bot-4 failed in on_bar EURUSD: ValueError: no",
        "Bot-4 is paused until 2026-03-04T10:00:30Z; failures in a row: 1",
        "Bot-4 is disabled; failures in a row: 3",
    ] == [record.getMessage().splitlines()[0] for record in caplog.records]


def test_a_success_ends_the_pause() -> None:
    """Failures in a row are what counts."""
    healthy = [False, True, False, True, False, True]

    def sometimes(strategy: Strategy, given: Any) -> Intents:
        return strategy.buy("EURUSD") if healthy.pop(0) else _raise(ValueError())

    host = PluginHost()
    hosted = _hosted(_scripted(sometimes), host, limit=2)
    now = NOW
    intents = []
    for _ in range(6):
        intents += hosted.on_bar(BAR, now)
        now += timedelta(minutes=1)

    assert 3 == len(intents)
    assert HealthState.RUNNING is hosted.health.state
    assert {} == host.failures


def test_an_order_in_a_symbol_that_vanished_can_still_be_cancelled() -> None:
    """What a strategy has waiting somewhere it may take back, and place no more."""
    hosted = _hosted(_scripted(lambda strategy, given: strategy.cancel("USDJPY")))
    placing = _hosted(_scripted(lambda one, given: one.buy_limit("USDJPY", 130.0)))

    assert [Action.CANCEL] == [one.action for one in hosted.on_bar(BAR, NOW)]
    assert [] == placing.on_bar(BAR, NOW)


def test_a_strategy_that_fails_in_one_symbol_is_not_saved_by_another() -> None:
    """Bars of a sound symbol do not hide that the other one always fails."""

    def fail_on_gold(strategy: Strategy, given: Bar) -> Intents:
        return _raise(ValueError()) if given.symbol == "XAUUSD" else None

    hosted = _hosted(_scripted(fail_on_gold), limit=3)
    now = NOW
    for _ in range(3):
        hosted.on_bar(BAR, now)
        hosted.on_bar(GOLD, now)
        now += timedelta(hours=1)

    assert HealthState.DISABLED is hosted.health.state


def test_one_failing_strategy_is_none_of_the_others_business() -> None:
    """The other strategy of the account trades on."""
    host = PluginHost()
    failing = _hosted(_scripted(lambda s, given: 1 / 0), host, strategy_id=1)
    sound = _hosted(_scripted(_one), host, strategy_id=2)

    assert [] == failing.on_bar(BAR, NOW)
    assert 1 == len(sound.on_bar(BAR, NOW))
    assert ["Bot-1"] == list(host.failures)


def test_new_parameters_give_a_disabled_strategy_another_chance() -> None:
    """What the server corrected needs no restart of the runner."""
    host = PluginHost()
    hosted = _hosted(_scripted(lambda s, given: 1 / 0), host, limit=1)
    hosted.on_bar(BAR, NOW)
    disabled = hosted.health.state

    hosted.renew()

    assert HealthState.DISABLED is disabled
    assert HealthState.RUNNING is hosted.health.state
    assert {} == host.failures


# -- start and stop --------------------------------------------------------------------
def test_it_is_started_once_and_stopped_once() -> None:
    """A bar starts it if nobody did; the end takes its hooks off the host."""
    cls = _scripted(lambda s, given: None)
    host = PluginHost()
    hosted = _hosted(cls, host)

    hosted.start(NOW)
    hosted.on_bar(BAR, NOW)
    hosted.on_tick(TICK, NOW)
    registered = list(host.plugins)
    hosted.stop(NOW)

    assert (1, 1) == (cls.started, cls.stopped)
    assert ["Bot-4"] == registered
    assert {} == host.plugins


def test_a_start_that_fails_is_tried_again_when_due() -> None:
    """A strategy that cannot start yet is paused like any other, and made anew."""
    made: list[Strategy] = []

    class Late(Scripted):
        """Can start at the second try."""

        def on_start(self) -> None:
            """Fail once."""
            made.append(self)
            if len(made) == 1:
                raise OSError("not yet")

    host = PluginHost()
    hosted = _hosted(Late, host)

    hosted.start(NOW)
    after_failure = (hosted.health.state, dict(host.plugins), dict(host.failures))
    hosted.on_bar(BAR, NOW + timedelta(seconds=1))
    hosted.on_bar(BAR, NOW + timedelta(seconds=30))

    assert (
        HealthState.PAUSED,
        {},
        {
            "Late-4": "on_start: OSError: not yet (at 2026-03-04T10:00:00Z); "
            "paused until 2026-03-04T10:00:30Z"
        },
    ) == after_failure
    assert 2 == len(made)
    assert made[0] is not made[1]
    assert HealthState.RUNNING is hosted.health.state
    assert {} == host.failures


def test_an_init_that_raises_is_a_failed_start() -> None:
    """No part of an author's class can stop the runner."""

    class Broken(Scripted):
        """Cannot be made."""

        def __init__(self, context: Any) -> None:
            super().__init__(context)
            raise SystemExit("no licence")

    hosted = _hosted(Broken)

    hosted.start(NOW)

    assert "SystemExit: no licence" == hosted.health.error


def test_a_stop_that_fails_still_takes_it_off_the_host(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The end of one strategy cannot be refused by it."""

    class Clinging(Scripted):
        """Will not stop."""

        def on_stop(self) -> None:
            """Fail."""
            raise ValueError("never")

    host = PluginHost()
    hosted = _hosted(Clinging, host)
    hosted.start(NOW)

    hosted.stop(NOW)

    assert {} == host.plugins
    assert "ValueError: never" in caplog.text


# -- broken off ------------------------------------------------------------------------
class Slow(Scripted):
    """Its time is over on every bar until it is the third instance; a guard as well."""

    watch: ClassVar[Watch]
    log_of: ClassVar[list[str]]
    slow_until: ClassVar[int]
    starts: ClassVar[int]

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self.log_of.append("made")
        self.number = self.log_of.count("made")

    def on_start(self) -> None:
        """Start, so many times."""
        if self.number > self.starts:
            raise OSError("no more")

    def on_bar(self, bar: Bar) -> Intents:
        """Buy, too late."""
        self.log_of.append(f"bar {self.number}")
        if self.number < self.slow_until:
            self.watch.break_off("took too long")
        return self.buy("EURUSD")

    def on_stop(self) -> None:
        """Say goodbye."""
        self.log_of.append(f"stop {self.number}")

    @hookimpl
    def check_trading(self, config: TradeConfig) -> Deny | None:
        return Deny("CAREFUL", str(self.number))


@pytest.fixture
def slow() -> Iterator[tuple[HostedStrategy, PluginHost, list[str]]]:
    """Such a strategy, its host, and what it did."""
    watch = Watch()
    Slow.watch, Slow.log_of, Slow.slow_until, Slow.starts = watch, [], 3, 100
    host = PluginHost(watch)
    yield _hosted(Slow, host), host, Slow.log_of
    del Slow.watch, Slow.log_of, Slow.slow_until, Slow.starts


def test_a_strategy_that_was_broken_off_is_made_anew(
    slow: tuple[HostedStrategy, PluginHost, list[str]],
    hook_arguments: dict[str, dict[str, Any]],
) -> None:
    """It may have stopped between any two steps; what it guards stays guarded."""
    hosted, host, did = slow
    now, denials, failing, intents = NOW, [], [], []
    for _ in range(4):
        intents += hosted.on_bar(BAR, now)
        denials += host.check_trading(**hook_arguments["check_trading"])
        failing.append(host.failures.get("Slow-4", ""))
        now += timedelta(minutes=5)
    hosted.stop(now)

    assert ["made", "bar 1", "made", "bar 2", "made", "bar 3", "bar 3", "stop 3"] == did
    assert ["1", "2", "3", "3"] == [denial.deny.detail for denial in denials]
    assert 2 == len(intents)
    said = "on_bar EURUSD: runner.host.containment.OvertimeError: took too long"
    row = "2 in a row, last at 2026-03-04T10:05:00Z"
    assert [
        f"{said} (at 2026-03-04T10:00:00Z); paused until 2026-03-04T10:00:30Z",
        f"{said} ({row}); paused until 2026-03-04T10:06:00Z",
        "",
        "",
    ] == failing


def test_one_that_cannot_start_again_still_guards(
    slow: tuple[HostedStrategy, PluginHost, list[str]],
    hook_arguments: dict[str, dict[str, Any]],
) -> None:
    """Nobody may enter because a guard was broken off."""
    hosted, host, _ = slow
    Slow.starts = 1
    hosted.on_bar(BAR, NOW)
    hosted.on_bar(BAR, NOW + timedelta(minutes=5))

    denials = host.check_trading(**hook_arguments["check_trading"])

    assert "on_start: OSError: no more" in str(host.failures)
    assert ["2"] == [denial.deny.detail for denial in denials]


def test_a_strategy_that_is_broken_off_again_and_again_is_disabled(
    slow: tuple[HostedStrategy, PluginHost, list[str]],
) -> None:
    """A new instance is no new chance: five failures in a row are five."""
    hosted, host, did = slow
    Slow.slow_until = 100
    now = NOW
    for _ in range(60):
        hosted.on_bar(BAR, now)
        now += timedelta(minutes=1)

    assert 5 == did.count("made") == len([one for one in did if "bar" in one])
    assert "5 in a row" in host.failures["Slow-4"]
    assert host.failures["Slow-4"].endswith("; disabled")


# -- as a plugin -----------------------------------------------------------------------
def test_a_strategy_may_implement_hooks(
    hook_arguments: dict[str, dict[str, Any]],
) -> None:
    """Each instance is a plugin of its own, under its class name and id."""

    class Careful(Scripted):
        """A strategy that is a guard as well."""

        @hookimpl
        def check_trading(self, config: TradeConfig) -> Deny | None:
            return Deny("CAREFUL", f"version={config.version}")

    host = PluginHost()
    first, second = _hosted(Careful, host, 1), _hosted(Careful, host, None)
    first.start(NOW)
    second.start(NOW)

    denials = host.check_trading(**hook_arguments["check_trading"])

    assert ["Careful-1", "Careful"] == [denial.plugin for denial in denials]


# -- bars needed -----------------------------------------------------------------------
@attrs.frozen
class Periods(Parameters):
    """Two periods."""

    slow_period: int = 50
    fast_period: int = 20


def _record(answer: Any) -> StrategyRecord:
    def needed(cls: type[Strategy], parameters: Any) -> Any:
        return _raise(answer) if isinstance(answer, Exception) else answer

    cls = type("Bot", (Scripted,), {"bars_needed": classmethod(needed)})
    return StrategyRecord(name="Bot", cls=cls, source=BUILT_IN)


def test_the_bars_needed_are_asked_of_the_class() -> None:
    """The default counts the longest period."""
    record = StrategyRecord(name="Bot", cls=Scripted, source=BUILT_IN)

    assert 50 == bars_needed(record, Periods(), Watch())
    assert 0 == bars_needed(_record(0), Periods(), Watch())


@pytest.mark.parametrize("answer", [KeyError("slow"), None, "50", 1.5, -1, True])
def test_a_wrong_number_of_bars_is_an_error_of_that_strategy(answer: Any) -> None:
    """What an author computes from parameters may be anything."""
    with pytest.raises(PluginError, match="bars_needed: expected a whole number"):
        bars_needed(_record(answer), Periods(), Watch())
