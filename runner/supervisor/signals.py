"""The signals that ask for a clean stop."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType


def on_stop_signals(stop: Callable[[str], None]) -> None:
    """Call *stop* with the signal's name on Ctrl-C, SIGTERM, Ctrl-Break and SIGHUP.

    SIGHUP comes when a terminal window or an SSH session is closed; where it is
    ignored, as under nohup, it stays so. The handlers are set once: a second Ctrl-C
    interrupts at once.
    """

    def handle(number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        stop(signal.Signals(number).name)

    for name in ("SIGINT", "SIGTERM", "SIGBREAK", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is None:
            continue
        if name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN:
            continue
        signal.signal(number, handle)
