"""The worker's end of the pipe that its supervisor holds."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

from runner.exit_codes import ExitCode
from runner.ports import Clock

log = logging.getLogger("mt5runner.lifeline")

STOP = b"stop\n"
"""What a supervisor says into the pipe; one that dies says nothing."""

_STOP_WITHIN = 30.0  # seconds for a clean stop, longer than a supervisor waits


def hold_lifeline(
    stop: Callable[[str], None],
    clock: Clock,
    *,
    descriptor: int = 0,
    stop_within: float = _STOP_WITHIN,
    leave: Callable[[int], object] = os._exit,
) -> threading.Thread:
    """Stop when the supervisor says so, and when it is gone.

    Standard input is a pipe whose other end the supervisor alone holds. The system
    closes it when that process ends, however it ends, on Windows and POSIX alike.

    Args:
        stop: Asks for a clean stop; takes the reason.
        clock: For the time that the stop may take.
        descriptor: The pipe.
        stop_within: Seconds after which the process is left as it is. Nobody else
            would end one that hangs.
        leave: Ends the process at once; takes the exit code.

    Returns:
        The thread that listens.
    """

    def listen() -> None:
        # Not through sys.stdin: its lock would be held when the interpreter ends.
        try:
            said = os.read(descriptor, len(STOP))
        except OSError:
            said = b""
        stop("asked to by the supervisor" if said else "the supervisor is gone")
        clock.wait(stop_within)
        log.critical("no clean stop in %.0f s: ended without one", stop_within)
        leave(ExitCode.CRASHED)

    thread = threading.Thread(target=listen, name="lifeline", daemon=True)
    thread.start()
    return thread
