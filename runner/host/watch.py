"""Bounds the time of authors' code: a call that takes too long is broken off.

A thread sees that one and the same call goes on for longer than it may and sends the
trading thread a signal; the signal's handler raises `OvertimeError` inside the call.
Python runs a handler in the thread that it interrupts, between two of its steps. So the
handler knows exactly where it strikes, and strikes only

- while the call that is overdue is still open: a signal that comes late, or in the next
  call, does nothing;
- where the innermost code is not the runner's own, nor of the machinery that keeps
  locks: the runner's work for an author (to write a value to disk, to log) is finished
  first. An author's loop that does nothing but have work done would hardly ever be met
  outside of it, since a thread gets its turn while another writes. So from the first
  signal that met such work on, the author's next call into it is refused.

An author's `except` or `finally` may swallow the error: the signal is sent again until
the call is over, and whatever it returns or raises then, it has taken too long. What
waits in C (a socket, a library's loop) is not reached until it comes back to Python; if
it never does, the loop is frozen, and whoever watches the process ends it. For that
case the call in flight is marked outside the process (`Marker`).

That a call took too long depends on the machine, not on what came in. So it is noted
(`Breaks`), and a replay breaks off the same calls without waiting for their time.
"""

from __future__ import annotations

import _thread
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import ParamSpec, Protocol, TypeVar, cast

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


class Breaks(Protocol):
    """Notes which calls were broken off, or knows which have to be."""

    def due(self, name: str, where: str) -> str | None:
        """Return with which error the call that begins has to end; None for none.

        It is begun all the same, and broken off at once: what its author changes before
        anything else, it has changed then too.
        """
        ...

    def note(self, name: str, where: str, error: str) -> None:
        """Take that *where* of *name* ended with that error for its time."""
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
        breaks: Notes which calls were broken off; None for nobody.
    """

    def __init__(
        self,
        limit: float | None = None,
        interrupt: Callable[[int], None] = _interrupt,
    ) -> None:
        self._limit = limit
        self.marker: Marker | None = None
        self.breaks: Breaks | None = None
        self._interrupt = interrupt
        self._number = 0
        self._is_open = False
        self._overdue = 0
        self._told = ""
        self._tracer = sys.gettrace()
        self._is_refusing = False
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
        due = None if self.breaks is None else self.breaks.due(name, where)
        self._number += 1
        if self.marker is not None:
            self.marker.enter(name, where)
        answer: T | Raised | None = None
        where_it_was = None
        self._is_open = True
        if due is not None:
            self.break_off(due)
        try:
            answer = attempt(function, *args, **kwargs)
        except OvertimeError as error:
            is_late, where_it_was = True, error.__traceback__
        else:
            is_late = self._overdue == self._number
        finally:
            self._is_open = False
            if self._is_refusing:
                self._is_refusing = False
                sys.settrace(self._tracer)
            if self.marker is not None:
                self.marker.leave()
        if is_late:
            text = self._told or f"took longer than {self._limit:g} s"
            self._told = ""
            if self.breaks is not None:
                self.breaks.note(name, where, text)
            return Raised(OvertimeError(text).with_traceback(where_it_was))
        return cast("T | Raised", answer)

    def break_off(self, error: str) -> bool:
        """Break off the open call, as if its time were over.

        Args:
            error: What it is told.

        Returns:
            Whether a call is open.
        """
        if self._is_open:
            self._told = error
            self._overdue = self._number
        return self._is_open

    def _strike(self, _signum: int, frame: FrameType | None) -> None:
        """Break off the call that is overdue; runs in the main thread."""
        if not self._is_open or self._overdue != self._number:
            return
        if not _is_spared(frame):
            raise OvertimeError
        if not self._is_refusing:
            self._tracer, self._is_refusing = sys.gettrace(), True
        sys.settrace(self._refuse)

    def _refuse(self, frame: FrameType, event: str, _: object) -> None:
        """Break off the overdue call as it enters the runner's code: nothing is begun.

        A trace function, called where any function begins.
        """
        is_due = self._is_open and self._overdue == self._number
        if is_due and event == "call" and not _is_spared(frame.f_back):
            raise OvertimeError

    def _look(self, limit: float) -> None:
        pause = min(_LONGEST_LOOK, limit / _LOOKS)
        seen, since, next_look = 0, 0.0, pause
        while not self._stopped.wait(next_look):
            number = self._number if self._is_open else 0
            now = time.monotonic()
            if number != seen:
                seen, since = number, now
            is_over = number != 0 and (now - since >= limit or self._overdue == number)
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
