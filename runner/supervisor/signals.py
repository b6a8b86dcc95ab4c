"""The signals that ask for a clean stop."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType


def on_stop_signals(stop: Callable[[str], None]) -> None:
    """Call *stop* with the signal's name on Ctrl-C, SIGTERM and Ctrl-Break.

    The handlers are set once: a second Ctrl-C interrupts at once.
    """

    def handle(number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        stop(signal.Signals(number).name)

    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, handle)
