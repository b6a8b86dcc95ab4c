"""A wish to stop, expressed by a signal, a timer or the loop itself."""

from __future__ import annotations


class StopRequest:
    """Holds the first reason to stop; safe to ask from a signal handler or thread."""

    def __init__(self) -> None:
        self.reason = ""

    def ask(self, reason: str) -> None:
        """Ask for a clean stop; only the first reason is kept."""
        self.reason = self.reason or reason
