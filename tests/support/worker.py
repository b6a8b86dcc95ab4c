"""A worker process with the whole runner in it, made to be killed."""

from __future__ import annotations

import json
import os
import signal
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
from terminal_process import TerminalProcess
from whole_runner import WholeRunner

from runner import Bar, Intents, Parameters, Strategy
from runner.adapters.state_sqlite import SqliteState
from runner.ports import StateStore

MAGIC_SYMBOL = "EURUSD"


@attrs.frozen
class BusyParameters(Parameters):
    """Distances in points, ages in minutes."""

    stop_loss: int = 300
    take_profit: int = 600
    protect_after: int = 2
    part_after: int = 3
    close_after: int = 5


class Busy(Strategy):
    """Enters whenever it is flat, then moves its stop, closes a part, closes."""

    Parameters = BusyParameters

    def on_bar(self, bar: Bar) -> Intents:
        """Decide from what is open alone, so that a restart decides the same."""
        settings = self.parameters[bar.symbol]
        held = self.positions(bar.symbol)
        if not held:
            if not self.is_flat(bar.symbol):
                return None
            enter = self.buy if bar.close >= bar.open else self.sell
            return enter(
                bar.symbol,
                stop_loss=settings.stop_loss,
                take_profit=settings.take_profit,
                volume=0.2,
            )
        position = held[0]
        age = (self.now - position.opened_at) / timedelta(minutes=1)
        if age >= settings.close_after:
            return self.close(bar.symbol)
        if age >= settings.part_after and position.volume > 0.15:
            return self.close(bar.symbol, volume=0.1)
        if age >= settings.protect_after:
            away = 0.0025 if position.side.value == "buy" else -0.0025
            stop = round(position.open_price - away, 5)
            if abs(position.stop_loss - stop) > 0.00001:
                return self.protect(position, stop_loss=stop)
        return None


class Fishing(Strategy):
    """Waits with one order near the market, and lets go what it caught or did not."""

    Parameters = BusyParameters

    def on_bar(self, bar: Bar) -> Intents:
        """Decide from what stands alone, so that a restart decides the same."""
        settings = self.parameters[bar.symbol]
        held, waiting = self.positions(bar.symbol), self.orders(bar.symbol)
        minute = timedelta(minutes=1)
        if held:
            age = (self.now - held[0].opened_at) / minute
            return self.close(bar.symbol) if age >= settings.part_after else None
        if waiting:
            age = (self.now - waiting[0].placed_at) / minute
            return self.cancel(bar.symbol) if age >= settings.protect_after else None
        if not self.is_flat(bar.symbol):
            return None
        return self.buy_limit(
            bar.symbol,
            round(bar.close - 0.0003, 5),
            stop_loss=settings.stop_loss,
            take_profit=settings.take_profit,
            volume=0.2,
        )


class FastClock:
    """A clock that runs faster than the machine's.

    Args:
        factor: Its seconds in one second.
    """

    def __init__(self, factor: float) -> None:
        self._factor = factor
        self._start = time.monotonic()

    def now(self) -> datetime:
        return datetime(2026, 3, 2, tzinfo=UTC) + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return (time.monotonic() - self._start) * self._factor

    def wait(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds) / self._factor)


class Killer:
    """Counts calls, and kills its own process before or after one of them.

    Args:
        at: Number of the call; None for never.
        after: Whether the call is made first.
    """

    def __init__(self, at: int | None = None, *, after: bool = False) -> None:
        self._at, self._after = at, after
        self.calls = 0
        self.names: list[str] = []
        self.is_on = False

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return *function*, counted."""

        def call(*args: Any, **named: Any) -> Any:
            if not self.is_on:
                return function(*args, **named)
            self.calls += 1
            self.names.append(name)
            if self.calls == self._at and not self._after:
                os.kill(os.getpid(), signal.SIGKILL)
            answer = function(*args, **named)
            if self.calls == self._at and self._after:
                os.kill(os.getpid(), signal.SIGKILL)
            return answer

        return call


class Counted:
    """Another object, each call of whose methods a killer counts."""

    def __init__(self, what: Any, killer: Killer) -> None:
        self._what, self._killer = what, killer

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._what, name)
        if not callable(value) or name == "last_error":
            return value
        return self._killer.around(name, value)


@attrs.frozen(kw_only=True)
class Plan:
    """What a worker does.

    Attributes:
        terminal: What it trades on.
        database: What is on its disk.
        number: Which start it is.
        speed: Seconds of its clock in one second.
        killer: Kills it.
    """

    terminal: TerminalProcess
    database: Path
    number: int
    speed: float = 20.0
    killer: Killer | None = None


def fork(plan: Plan, work: Callable[[WholeRunner], Any]) -> int:
    """Start a worker; return its process id.

    Args:
        plan: How.
        work: What it does once it has started; what that returns is written as JSON
            beside the database.
    """
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        store: StateStore = SqliteState(plan.database, survives_power_cut=False)
        terminal: Any = plan.terminal.client()
        if plan.killer is not None:
            terminal = Counted(terminal, plan.killer)
            counted: Any = Counted(store, plan.killer)
            store = counted
        runner = WholeRunner(
            terminal,
            store,
            FastClock(plan.speed),
            (Busy,),
            session=f"start-{plan.number}-{os.getpid()}",
        )
        runner.begin()
        runner.trade()
        runner.strategy("Busy", {MAGIC_SYMBOL: BusyParameters()})
        result_file(plan).write_text(json.dumps(work(runner)))
        code = 0
    except BaseException:  # noqa: BLE001 - of the child, which must not come back
        traceback.print_exc()
    finally:
        os._exit(code)


def result_file(plan: Plan) -> Path:
    """Return where a worker writes what it found."""
    return plan.database.with_suffix(f".{plan.number}.json")


def run(plan: Plan, work: Callable[[WholeRunner], Any], within: float = 60.0) -> Any:
    """Run a worker to its end and return what it found; None if it was killed."""
    pid = fork(plan, work)
    status = wait_for(pid, within)
    if os.WIFSIGNALED(status):
        return None
    if os.WEXITSTATUS(status):
        raise AssertionError(f"the worker ended with {os.WEXITSTATUS(status)}")
    return json.loads(result_file(plan).read_text())


def has_ended(pid: int) -> bool:
    """Return whether a process has ended; it can still be waited for."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def wait_for(pid: int, within: float) -> int:
    """Return the status with which a process ends."""
    until = time.monotonic() + within
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status
        if time.monotonic() > until:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise AssertionError(f"the worker did not end within {within:.0f} s")
        time.sleep(0.002)


def settle(runner: WholeRunner) -> dict[str, Any]:
    """Cycle until nothing is unresolved; return what the runner believes.

    The market must stand still meanwhile.
    """
    quiet = 0
    for _ in range(2000):
        runner.cycle()
        settled = not runner.desk.unresolved and runner.view.positions is not None
        quiet = quiet + 1 if settled else 0
        if quiet > 3:
            break
    runner.cycle(2, seconds=31.0)  # so that the heartbeat is a new one
    return {
        "positions": {
            str(position.ticket): [position.volume, position.stop_loss]
            for position in runner.view.positions or ()
        },
        "unresolved": [request.token for request in runner.desk.unresolved],
        "heartbeat": runner.heartbeat.get("open_positions"),
        "codes": runner.codes,
        "error": runner.view.error,
    }
