"""Bounds the time of authors' code: a call that takes too long is broken off.

A thread sees that one and the same call goes on for longer than it may and sends the
trading thread a signal; the signal's handler raises `OvertimeError` inside the call.
Python runs a handler in the thread that it interrupts, between two of its steps. So the
handler knows exactly where it strikes, and strikes only

- while the call that is overdue is still open: a signal that comes late, or in the next
  call, does nothing;
- where the innermost code is not the runner's own, nor of the machinery that keeps
  locks: the runner's work for an author (to write a value to disk, to log) is finished
  first.

An author's `except` or `finally` may swallow the error: the signal is sent again until
the call is over. What waits in C (a socket, a library's loop) is not reached until it
comes back to Python; if it never does, the loop is frozen, and whoever watches the
process ends it. For that case the call in flight is marked outside the process
(`Marker`).
"""

from __future__ import annotations

import _thread
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import ParamSpec, Protocol, TypeVar

from runner.host.containment import OvertimeError, Raised, attempt

P = ParamSpec("P")
T = TypeVar("T")

_SIGNAL = getattr(signal, "SIGUSR1", signal.SIGABRT)
"""On Windows SIGABRT, of the few that it knows the one that nothing else sends; a real
abort ends the process all the same."""

_LOOKS = 8  # at a call within its limit; so it is broken off an eighth later at most
_LONGEST_LOOK = 0.25  # seconds
_AGAIN = 0.02  # seconds between two signals to a call that goes on
_SPARED = frozenset({"runner", "pluggy", "attr", "attrs", "logging"})
"""Packages whose code finishes what it does: the runner's, what it works with, and
logging, which holds locks that every thread needs. So does the import of a module."""
_IMPORT = "importlib._bootstrap"


class Marker(Protocol):
    """Shows, outside this process, what is being called."""

    def enter(self, name: str, where: str) -> None:
        """Show that *where* of *name* is being called."""
        ...

    def leave(self) -> None:
        """Show that nothing of an author's is being called."""
        ...

    def close(self) -> None:
        """Show nothing any more."""
        ...


def interrupt_by_kill(thread: int) -> None:
    """Signal a thread on POSIX; it wakes from sleep and sockets too."""
    signal.pthread_kill(thread, _SIGNAL)


def interrupt_by_flag(_thread_id: int) -> None:
    """Let the main thread see a signal that nobody sent; the way of Windows."""
    _thread.interrupt_main(_SIGNAL)


_interrupt = interrupt_by_kill if hasattr(signal, "pthread_kill") else interrupt_by_flag


class Watch:
    """Calls authors' code one call at a time, each within its time.

    Between `start` and `stop`, which must be called in the main thread, calls are
    bounded; without them they are only contained.

    Args:
        limit: Seconds that a call may take; None for no bound.
        interrupt: How the main thread is made to see the signal.

    Attributes:
        marker: Shows the call in flight; None for none.
    """

    def __init__(
        self,
        limit: float | None = None,
        interrupt: Callable[[int], None] = _interrupt,
    ) -> None:
        self._limit = limit
        self.marker: Marker | None = None
        self._interrupt = interrupt
        self._number = 0
        self._is_open = False
        self._overdue = 0
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._target = 0
        self._before: object = None

    def start(self) -> None:
        """Begin to watch.

        Raises:
            RuntimeError: If this is not the main thread, which alone gets signals.
        """
        if self._limit is None:
            return
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("the main thread alone can be watched")
        self._target = threading.get_ident()
        self._before = signal.signal(_SIGNAL, self._strike)
        self._stopped.clear()
        self._thread = threading.Thread(
            target=self._look, args=(self._limit,), name="watch", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer, and let go of the marker."""
        if self.marker is not None:
            self.marker.close()
            self.marker = None
        if self._thread is None:
            return
        self._stopped.set()
        self._thread.join()
        self._thread = None
        previous = self._before if callable(self._before) else signal.SIG_DFL
        signal.signal(_SIGNAL, previous)

    def attempt(
        self,
        name: str,
        where: str,
        function: Callable[P, T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T | Raised:
        """Call *function* within its time and contain what it raises.

        Args:
            name: The plugin or strategy.
            where: What of it is called.
            function: Code of its author.
            *args: Passed on.
            **kwargs: Passed on.

        Returns:
            What *function* returned, or what it raised. A call that took too long has
            raised `OvertimeError`, whatever became of it.
        """
        if self._is_open:  # an author's code called something that calls another's
            return attempt(function, *args, **kwargs)
        self._number += 1
        if self.marker is not None:
            self.marker.enter(name, where)
        # To close the call is the first thing that happens on each way out: between a
        # `try` that ends or an `except` that begins and that store, no handler can run.
        answer: T | Raised
        try:
            self._is_open = True
            answer = attempt(function, *args, **kwargs)
            self._is_open = False
        except OvertimeError as error:
            self._is_open = False
            answer = Raised(error)
        except BaseException:
            self._is_open = False
            raise
        if self.marker is not None:
            self.marker.leave()
        if self._overdue == self._number and not isinstance(answer, Raised):
            return Raised(self._error())
        return answer

    def _error(self) -> OvertimeError:
        return OvertimeError(f"took longer than {self._limit:g} s")

    def _strike(self, _signum: int, frame: FrameType | None) -> None:
        """Break off the call that is overdue; runs in the main thread."""
        is_due = self._is_open and self._overdue == self._number
        if is_due and not _is_spared(frame):
            raise self._error()

    def _look(self, limit: float) -> None:
        pause = min(_LONGEST_LOOK, limit / _LOOKS)
        seen, since, next_look = 0, 0.0, pause
        while not self._stopped.wait(next_look):
            number = self._number if self._is_open else 0
            now = time.monotonic()
            if number != seen:
                seen, since = number, now
            is_over = number != 0 and now - since >= limit
            next_look = _AGAIN if is_over else pause
            if is_over:
                self._overdue = number
                self._interrupt(self._target)


def _is_spared(frame: FrameType | None) -> bool:
    """Say whether the innermost code is the runner's, or works for it.

    From the innermost outward, the first frame decides that is not of the standard
    library, which works for its caller.
    """
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        package = module.partition(".")[0]
        if package in _SPARED or module.startswith(_IMPORT):
            return True
        if package not in sys.stdlib_module_names:
            return False
        frame = frame.f_back
    return True
