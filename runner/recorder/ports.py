"""A script between the loop and its ports: what is called, and what is answered.

The recorder and the replay are two scripts. The one lets every call through and writes
down what came of it, the other lets none through and answers from what was written.
Both see the same calls because both use what is made here.
"""

from __future__ import annotations

import inspect
import math
import typing
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol, TypeVar, cast

import attrs

from runner.core.orders import OrderResult
from runner.link import Link
from runner.loop.build import Surroundings
from runner.loop.settings import LoopSettings, Player
from runner.loop.stop import StopRequest
from runner.ports import Broker, Clock, MarketData, StateStore

T = TypeVar("T")

PORTS: Mapping[str, type] = {
    "broker": Broker,
    "clock": Clock,
    "link": Link,
    "market": MarketData,
    "player": Player,
    "store": StateStore,
}
"""Name to everything through which something enters the loop."""

LEFT_OUT = frozenset(
    {
        "broker.connect",  # before the loop, and with the password
        "link.acquire_lease",  # before the loop
        "link.key_changed",  # by signals
        "store.close",  # after the loop
    }
)
"""Calls that the loop never makes; through a script they cannot be made."""

_WITHOUT_EFFECT = {"link.start", "link.wait", "clock.wait"}


@attrs.frozen(slots=True)
class Call:
    """A call that the loop can make.

    Attributes:
        name: Port and method, such as ``market.tick``.
        kind: The type of its answer.
        parameters: Names of its arguments, in order.
        is_decision: Whether it does something outside, so that its arguments are a
            decision; it is written down before it is made.
    """

    name: str
    kind: Any
    parameters: tuple[str, ...] = ()
    is_decision: bool = False

    def order(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[Any, ...]:
        """Return the arguments in the order of the parameters."""
        if not kwargs:
            return args
        rest = self.parameters[len(args) :]
        return (*args, *(kwargs[name] for name in rest if name in kwargs))


class Script(Protocol):
    """What stands between the loop and its ports."""

    def call(
        self, call: Call, function: Callable[..., Any], args: tuple[Any, ...]
    ) -> Any:
        """Return the answer of *function* to *args*, or raise what it raises."""
        ...


class CountingScript(Script, Protocol):
    """A script that counts.

    Attributes:
        calls: How many calls are in the journal.
    """

    calls: int


def calls_of(port: str) -> Mapping[str, Call]:
    """Return every call of a port by the method's name."""
    calls: dict[str, Call] = {}
    for method, function in inspect.getmembers(PORTS[port], inspect.isfunction):
        name = f"{port}.{method}"
        if method.startswith("_") or name in LEFT_OUT:
            continue
        kind = typing.get_type_hints(function)["return"]
        acts = kind in (type(None), OrderResult) and name not in _WITHOUT_EFFECT
        parameters = tuple(inspect.signature(function).parameters)[1:]
        calls[method] = Call(name, kind, parameters, is_decision=acts)
    return calls


def through(port: str, script: Script, inner: T) -> T:
    """Return *inner* with *script* before each of its methods.

    Args:
        port: Its name in `PORTS`; methods that the port does not have are left out.
        script: Answers.
        inner: What fulfils the port.
    """
    return cast("T", _Through(port, script, lambda method: getattr(inner, method)))


def without(port: str, script: Script) -> Any:
    """Return a port that has nothing behind it: *script* answers for it."""
    return _Through(port, script, lambda method: _nothing)


def _nothing(*args: Any) -> Any:
    raise RuntimeError("a script let a call through to nothing")


class _Through:
    def __init__(
        self,
        port: str,
        script: Script,
        function_of: Callable[[str], Callable[..., Any]],
    ) -> None:
        for method, call in calls_of(port).items():
            setattr(self, method, _through(script, call, function_of(method)))


def _through(
    script: Script, call: Call, function: Callable[..., Any]
) -> Callable[..., Any]:
    def method(*args: Any, **kwargs: Any) -> Any:
        return script.call(call, function, call.order(args, kwargs))

    return method


class MillisecondClock:
    """A clock that shows whole milliseconds, so that most readings are the last one.

    Args:
        clock: The clock behind it.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now(self) -> datetime:
        """Return the present time, UTC-aware."""
        now = self._clock.now()
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start; never goes back."""
        return math.floor(self._clock.monotonic() * 1000) / 1000

    def wait(self, seconds: float) -> None:
        """Wait *seconds*."""
        self._clock.wait(seconds)


class ScriptedStop(StopRequest):
    """A wish to stop, heard through a script: when it is heard decides what is done.

    Args:
        script: Answers.
        inner: The wish itself, as signals express it.
    """

    _REASON = Call("stop.reason", str)
    _ASK = Call("stop.ask", type(None), ("reason",), is_decision=True)
    _RESTART = Call("stop.ask_restart", type(None), ("reason",), is_decision=True)

    def __init__(self, script: Script, inner: StopRequest) -> None:
        super().__init__()
        self._script = script
        self._inner = inner

    @property
    def reason(self) -> str:
        """The first reason to stop; empty for none."""
        answer: str = self._script.call(self._REASON, lambda: self._inner.reason, ())
        return answer

    def ask(self, reason: str) -> None:
        """Ask for a clean stop; only the first reason is kept."""
        self._script.call(self._ASK, self._inner.ask, (reason,))

    def ask_restart(self, reason: str) -> None:
        """Ask for a clean stop after which the process is started again."""
        self._script.call(self._RESTART, self._inner.ask_restart, (reason,))


_SETTINGS = Call("app.settings", LoopSettings)
_LEARN = Call("plugins.learn", Any, ("what",))


def settings_through(script: Script, settings: LoopSettings | None) -> LoopSettings:
    """Return how the loop is to run: *settings*, or those that were recorded."""
    answer: LoopSettings = script.call(_SETTINGS, lambda: settings, ())
    return answer


def learn_through(script: Script, what: str, read: Callable[[], Any]) -> Any:
    """Return what a plugin reads of the world by itself (`PluginState.learn`)."""

    def read_it(_: str) -> Any:
        return read()

    return script.call(_LEARN, read_it, (what,))


_BROKEN = ("name", "where", "error", "after")
BROKEN_OFF = Call("watch.broken_off", type(None), _BROKEN)
"""A call of an author's code ended for its time: an input, since machines differ.

*after* is how many calls of the journal it had made before.
"""


class NotedBreaks:
    """Writes down which calls were broken off; fulfils `runner.host.watch.Breaks`.

    Args:
        script: The recorder.
    """

    def __init__(self, script: CountingScript) -> None:
        self._script = script
        self._began_at = 0

    def due(self, name: str, where: str) -> None:
        """Return None: no call has to be broken off."""
        self._began_at = self._script.calls

    def note(self, name: str, where: str, error: str) -> None:
        """Write down that *where* of *name* ended with that error for its time."""
        after = self._script.calls - self._began_at
        self._script.call(BROKEN_OFF, lambda *_: None, (name, where, error, after))


def resident_through(
    script: Script, read: Callable[[], int | None]
) -> Callable[[], int | None]:
    """Return what tells how much memory is in use: *read*, or what was recorded."""
    return lambda: cast("int | None", learn_through(script, "memory in use", read))


def scripted(script: Script, around: Surroundings) -> Surroundings:
    """Return *around* with *script* before everything but the store.

    The store comes with the script before it already: plugins read it before there
    is a loop.
    """
    player = around.player
    return Surroundings(
        market=through("market", script, around.market),
        broker=through("broker", script, around.broker),
        link=through("link", script, around.link),
        store=around.store,
        clock=through("clock", script, MillisecondClock(around.clock)),
        stop=ScriptedStop(script, around.stop),
        player=None if player is None else through("player", script, player),
        resident=resident_through(script, around.resident),
    )
