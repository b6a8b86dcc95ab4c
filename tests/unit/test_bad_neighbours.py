"""Beside a strategy that misbehaves another one gets its bars, late five times at most.

What is counted is how often the offender is called at all: each time costs the other
one the limit and a little, and no machine makes that number another one.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
import time
from collections.abc import Iterator
from typing import Any, ClassVar

import attrs
import pytest

from runner import Bar, Intents, OrderIntent, Parameters, Strategy, Tick, hookimpl
from runner.host.watch import Watch

LIMIT = 0.3  # seconds; a good call takes less on any machine
GENEROUS = 30.0  # seconds; without a bound a call here would take for ever
OFFENDERS: dict[str, tuple[type[Strategy], str, str]] = {}
"""Kind to class, call and error that the report names."""


class Good(Strategy):
    """Notes when each bar comes."""

    seen: ClassVar[list[tuple[Bar, float]]] = []

    def on_bar(self, bar: Bar) -> Intents:
        """Note it."""
        self.seen.append((bar, time.monotonic()))
        return self.buy(bar.symbol, stop_loss=100)


class Offender(Strategy):
    """Counts how often it is called."""

    calls: ClassVar[int] = 0

    def on_bar(self, bar: Bar) -> Intents:
        """Misbehave."""
        Offender.calls += 1
        wanted: Intents = self.offend(bar)
        return wanted

    def offend(self, bar: Bar) -> Any:
        """Do what is wrong."""


def offender(error: str, where: str = "on_bar EURUSD") -> Any:
    """Register a kind of offender under the class' name."""

    def register(cls: type[Strategy]) -> type[Strategy]:
        OFFENDERS[cls.__name__] = cls, where, error
        return cls

    return register


OVERTIME = f"OvertimeError: took longer than {LIMIT} s"


def _endless() -> Iterator[str]:
    while True:
        yield ""


@offender(OVERTIME)
class Loops(Offender):
    def offend(self, bar: Bar) -> Any:
        while True:
            pass


@offender(OVERTIME)
class LoopsAndForgives(Offender):
    def offend(self, bar: Bar) -> Any:
        while True:
            with contextlib.suppress(Exception):
                while True:
                    pass


@offender(OVERTIME)
class SwallowsOnce(Offender):
    def offend(self, bar: Bar) -> Any:
        try:
            while True:
                pass
        except BaseException:  # noqa: BLE001 - what an author may write
            return self.buy(bar.symbol, stop_loss=100)


@offender(OVERTIME)
class WaitsToBeFlat(Offender):
    """Nothing changes while it runs: the classic."""

    def offend(self, bar: Bar) -> Any:
        while not self.is_flat(bar.symbol):
            pass


@offender(OVERTIME)
class LogsWithoutEnd(Offender):
    def offend(self, bar: Bar) -> Any:
        while True:
            self.log.debug("still here")


@offender(OVERTIME)
class Generates(Offender):
    def offend(self, bar: Bar) -> Any:
        while True:
            if bar.close < 0:
                yield self.buy(bar.symbol)


class _Odd:
    def __repr__(self) -> str:
        while True:
            pass


@offender(OVERTIME)
class ReturnsWhatNeverSaysWhatItIs(Offender):
    def offend(self, bar: Bar) -> Any:
        return [_Odd()]


class _ShyError(Exception):
    def __str__(self) -> str:
        return "".join(itertools.chain.from_iterable(_endless()))


@offender(OVERTIME)
class RaisesWhatNeverSaysItsText(Offender):
    def offend(self, bar: Bar) -> Any:
        raise _ShyError


@offender("ValueError: expected at most 1000 intents")
class FloodsWithoutEnd(Offender):
    def offend(self, bar: Bar) -> Any:
        return itertools.repeat(self.buy(bar.symbol, stop_loss=100))


@offender("RecursionError")
class Recurses(Offender):
    def offend(self, bar: Bar) -> Any:
        return self.offend(bar)


@offender("SystemExit")
class Exits(Offender):
    def offend(self, bar: Bar) -> Any:
        sys.exit("enough")


@offender("CancelledError")
class Cancels(Offender):
    def offend(self, bar: Bar) -> Any:
        raise asyncio.CancelledError


@offender("MemoryError")
class WantsTooMuch(Offender):
    def offend(self, bar: Bar) -> Any:
        return bytes(1 << 62)


@offender("TypeError: EURUSD: these bars are everybody's")
class AddsABar(Offender):
    def offend(self, bar: Bar) -> Any:
        self.bars(bar.symbol).append(bar)


@offender("TypeError: 'mappingproxy' object does not support item assignment")
class AddsASymbol(Offender):
    def offend(self, bar: Bar) -> Any:
        parameters: Any = self.parameters
        parameters["JUNK"] = parameters[bar.symbol]


class _Late(OrderIntent):
    @property
    def increases_exposure(self) -> bool:
        while self.reason:
            pass
        return True


@offender("TypeError: expected OrderIntent")
class WrapsIntents(Offender):
    def offend(self, bar: Bar) -> Any:
        intent = self.buy(bar.symbol, stop_loss=100)
        late = _Late(**attrs.asdict(intent))
        object.__setattr__(late, "reason", "now it loops")
        return late


@offender(OVERTIME, "on_bar_closed")
class LoopsInAHook(Strategy):
    @hookimpl
    def on_bar_closed(self, bar: Bar) -> None:
        Offender.calls += 1
        while True:
            pass

    def on_bar(self, bar: Bar) -> Intents:
        return None


@offender(OVERTIME, "on_tick EURUSD")
class LoopsOnTicks(Strategy):
    def on_tick(self, tick: Tick) -> Intents:
        if not Good.seen:
            return None
        Offender.calls += 1
        while True:
            pass


if sys.platform != "win32":  # where a sleep is not cut short

    @offender(OVERTIME)
    class Sleeps(Offender):
        def offend(self, bar: Bar) -> Any:
            time.sleep(3600)


@pytest.fixture
def beside(world: Any) -> Iterator[Any]:
    """Puts a good strategy behind an offender that holds a position."""
    Good.seen.clear()
    Offender.calls = 0
    world.watch = Watch(LIMIT)
    world.watch.start()

    def begin(kind: str) -> Any:
        world.classes |= {"Good": Good, kind: OFFENDERS[kind][0]}
        world.make()
        parameters = {"EURUSD": Parameters()}
        world.begin(name=kind, parameters_by_symbol=parameters)
        world.terminal.add("EURUSD", world.magic)
        world.cycle()
        world.trade(2, active_bot_id=2)
        world.strategy(name="Good", number=2, parameters_by_symbol=parameters)
        world.cycle()
        assert [1, 2] == list(world.roster.members)
        return world

    yield begin
    world.watch.stop()


def bar(world: Any) -> float:
    """Let a bar close; return the seconds until the good strategy has it."""
    closed_at, before = time.monotonic(), len(Good.seen)
    world.bar()
    ((seen, at),) = Good.seen[before:]
    assert world.terminal.bars["EURUSD"][-1] == seen
    return at - closed_at


@pytest.mark.parametrize("kind", sorted(OFFENDERS))
def test_a_bar_beside_an_offender_arrives_in_the_same_cycle(
    beside: Any, kind: str
) -> None:
    """And is traded; the report names who, in what call, what and when."""
    world = beside(kind)
    sent = len(world.opened)
    waited = bar(world)

    _, where, error = OFFENDERS[kind]
    told = world.host.failures[f"{kind}-1"]
    assert waited < GENEROUS
    assert 1 == Offender.calls
    assert sent + 1 == len(world.opened)
    assert told.startswith(f"{where}: ")
    assert error in told
    assert "(at 2026-03-04T1" in told
    assert "Good-2" not in world.host.failures


@pytest.mark.parametrize("kind", ["Loops", "Exits"])
def test_an_offender_has_five_calls_in_a_row_and_then_none(
    beside: Any, kind: str
) -> None:
    """However many bars come; each of the first five is late by one call at most."""
    world = beside(kind)
    calls = []
    for _ in range(9):
        assert bar(world) < GENEROUS
        calls.append(Offender.calls)

    told = world.host.failures[f"{kind}-1"]
    assert [1, 2, 3, 4, 5, 5, 5, 5, 5] == calls
    assert "5 in a row, last at" in told
    assert told.endswith("; disabled")


def test_a_hook_has_five_calls_in_a_row_and_rests(beside: Any) -> None:
    """A strategy's hook is a plugin's: it may guard, so it is tried again some time."""
    world = beside("LoopsInAHook")
    for _ in range(5):
        assert bar(world) < GENEROUS
    last, _ = Good.seen[-1]
    for _ in range(50):
        world.host.on_bar_closed(bar=last)

    assert 5 == Offender.calls
    assert "5 in a row, last at" in world.host.failures["LoopsInAHook-1"]
    assert "; not called until" in world.host.failures["LoopsInAHook-1"]
