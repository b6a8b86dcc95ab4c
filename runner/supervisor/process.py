"""A worker's process and the two pipes to it; the same on Windows and POSIX."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from collections.abc import Callable, Sequence
from typing import IO

from runner.supervisor.lifeline import STOP

_LONGEST_LINE = 65_536  # bytes; a longer one is cut into several
_ENVIRONMENT = {
    # One encoding on every system, so that a line can be read back.
    "PYTHONIOENCODING": "utf-8:backslashreplace",
    # What a plugin printed last is not lost with the process.
    "PYTHONUNBUFFERED": "1",
    # A crash in native code says where it was.
    "PYTHONFAULTHANDLER": "1",
}


class WorkerProcess:
    """A running worker.

    Its standard output and error come here line by line; its standard input is the
    lifeline.

    Args:
        command: Program and arguments.
        on_line: Takes each line that it prints, from a thread of its own.

    Raises:
        OSError: If it cannot be started.
    """

    def __init__(
        self, command: Sequence[str], on_line: Callable[[bytes], None]
    ) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | _ENVIRONMENT,
            # Ctrl-C in a terminal reaches the supervisor alone, which then asks each.
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            process_group=0,
        )
        self.pid = self._process.pid
        self._reader = threading.Thread(
            target=_pass_on,
            args=(self._process.stdout, on_line),
            name=f"output-{self.pid}",
            daemon=True,
        )
        try:
            self._reader.start()
        except RuntimeError as error:
            self.kill()
            raise OSError(str(error)) from error

    def poll(self) -> int | None:
        """Return its exit code; None while it runs."""
        return self._process.poll()

    def ask_to_stop(self) -> None:
        """Ask for a clean stop, and close the lifeline."""
        pipe = self._process.stdin
        with contextlib.suppress(OSError, ValueError):  # it ended before it was asked
            if pipe is not None:
                pipe.write(STOP)
                pipe.close()

    def kill(self) -> int:
        """End it at once and return its exit code."""
        self._process.kill()
        return self._process.wait()

    def last_lines(self, within: float) -> None:
        """Wait until all that an ended process had printed was passed on.

        Args:
            within: Seconds; a process that it started may still hold the pipe.
        """
        self.ask_to_stop()  # for nothing but the pipe's end on this side
        self._reader.join(timeout=within)


def _pass_on(pipe: IO[bytes], on_line: Callable[[bytes], None]) -> None:
    with pipe, contextlib.suppress(OSError, ValueError):
        while line := pipe.readline(_LONGEST_LINE):
            on_line(line)
