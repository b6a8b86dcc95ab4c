"""A simulated terminal in a process of its own, with a test at its controls."""

from __future__ import annotations

import multiprocessing
import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from typing import Any

from terminal_truth import Truth, truth_of

from runner import Bar, Timeframe
from runner.adapters.mt5_simulator.client import RemoteTerminal
from runner.adapters.mt5_simulator.driver import drive
from runner.adapters.mt5_simulator.faults import Faults
from runner.adapters.mt5_simulator.service import TerminalService
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal

START = datetime(2026, 3, 2, tzinfo=UTC)
_PHASE_EVERY = 0.004  # seconds between two phases while the market goes on


class Waves:
    """An endless market: twenty minutes up, twenty minutes down."""

    timeframe = Timeframe.M1

    def __init__(self, symbol: str = "EURUSD") -> None:
        self.symbols = (symbol,)

    def bars(self) -> Iterable[Bar]:
        """Yield bars of a minute; 40 points each, over weekends too."""
        price, at, number = 1.1, START, 0
        while True:
            step = 0.0004 if (number // 20) % 2 == 0 else -0.0004
            close = round(price + step, 5)
            low, high = sorted((price, close))
            yield Bar(
                self.symbols[0], Timeframe.M1, at, price, high, low, close, 50, 10
            )
            price, at, number = close, at + timedelta(minutes=1), number + 1


class TerminalProcess:
    """Runs a terminal in a child process, until `close`.

    Args:
        options: Of the `SimulatedTerminal`.
        warm_up: Bars that are history at the start.
        drops_comments: Whether the broker keeps no comments.
    """

    def __init__(
        self,
        *,
        options: Mapping[str, Any] | None = None,
        warm_up: int = 30,
        drops_comments: bool = False,
    ) -> None:
        self.key = secrets.token_hex(16).encode()
        ours, theirs = multiprocessing.Pipe()
        self._pipe = ours
        self.pid = os.fork()
        if not self.pid:  # the child
            ours.close()
            _run(theirs, self.key, dict(options or {}), warm_up, drops_comments)
        theirs.close()
        self.port: int = self._pipe.recv()

    def client(self) -> RemoteTerminal:
        """Return a client that is not connected yet."""
        return RemoteTerminal(self.port, self.key)

    def _do(self, what: str, argument: Any = None) -> Any:
        self._pipe.send((what, argument))
        return self._pipe.recv()

    def go(self) -> None:
        """Let the market go on by itself."""
        self._do("go")

    def halt(self) -> None:
        """Let the market stand still."""
        self._do("halt")

    def step(self, phases: int = 2) -> None:
        """Move the market by so many phases; a bar has two."""
        self._do("step", phases)

    def fail(self, faults: Faults | None) -> None:
        """Let calls fail as planned, from now on."""
        self._do("faults", faults)

    def truth(self) -> Truth:
        """Return what stands there."""
        truth: Truth = self._do("truth")
        return truth

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        os.waitpid(self.pid, 0)


def _run(
    pipe: Connection,
    key: bytes,
    options: dict[str, Any],
    warm_up: int,
    drops_comments: bool,
) -> None:
    try:
        terminal = SimulatedTerminal(**options)
        if drops_comments:
            drop_comments(terminal)
        driver = drive(terminal, Waves())
        for _ in range(2 * warm_up):
            driver.advance()
        service = TerminalService(terminal, key=key)
        pipe.send(service.port)
        _obey(pipe, terminal, service, driver.advance)
    except (EOFError, OSError):
        pass
    finally:
        os._exit(0)


def _obey(
    pipe: Connection,
    terminal: SimulatedTerminal,
    service: TerminalService,
    advance: Callable[[], bool],
) -> None:
    goes_on, phases = False, 0
    while True:
        if not pipe.poll(_PHASE_EVERY if goes_on else None):
            with service.lock:
                advance()
            phases += 1
            continue
        what, argument = pipe.recv()
        answer: Any = None
        with service.lock:
            if what == "step":
                for _ in range(argument):
                    advance()
                phases += argument
            elif what == "faults":
                terminal.faults = argument
            elif what == "truth":
                answer = truth_of(terminal, phases)
            else:
                goes_on = what == "go"
        pipe.send(answer)


def drop_comments(terminal: SimulatedTerminal) -> None:
    """Let the broker drop every comment, as some do."""
    desk = terminal.server
    keep = desk.send

    def send(request: Any, *more: Any) -> Any:
        bare = type(request)(
            "" if name == "comment" else value
            for name, value in zip(request.__match_args__, request, strict=True)
        )
        return keep(bare, *more)

    vars(desk)["send"] = send
