"""A wish to stop, expressed by a signal, a timer or the loop itself."""

from __future__ import annotations


class StopRequest:
    """Holds the first reason to stop; safe to ask from a signal handler or thread.

    Attributes:
        reason: The first reason; empty for none.
        is_restart: Whether whoever started the process is to start it again.
    """

    def __init__(self) -> None:
        self.reason = ""
        self.is_restart = False

    def ask(self, reason: str) -> None:
        """Ask for a clean stop; only the first reason is kept."""
        self.reason = self.reason or reason

    def ask_restart(self, reason: str) -> None:
        """Ask for a clean stop after which the process is started again."""
        if not self.reason:
            self.is_restart = True
            self.ask(reason)
