"""Ends the process when its work is done, whatever threads were left behind in it."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

from runner.ports import Clock

log = logging.getLogger("mt5runner.app")

_WITHIN = 5.0  # seconds


def end_within(
    code: int,
    clock: Clock,
    *,
    seconds: float = _WITHIN,
    leave: Callable[[int], object] = os._exit,
) -> None:
    """Let the process end soon: Python waits for every thread that is no daemon.

    A strategy or plugin may have left one that never ends. Threads that do end, such as
    a pool's, get their time.

    Args:
        code: The exit code.
        clock: For the time that threads have.
        seconds: How long that is.
        leave: Ends the process at once; takes the exit code.
    """
    main = threading.main_thread()
    left = [one for one in threading.enumerate() if one is not main and not one.daemon]
    if not left:
        return

    def wait() -> None:
        clock.wait(seconds)
        names = ", ".join(one.name for one in left if one.is_alive())
        log.warning("ended without threads that were left running: %s", names)
        leave(code)

    threading.Thread(target=wait, name="end", daemon=True).start()
