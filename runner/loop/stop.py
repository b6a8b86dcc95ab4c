"""A wish to stop, expressed by a signal, a timer or the loop itself."""

from __future__ import annotations


class StopRequest:
    """Holds the first reason to stop; safe to ask from a signal handler or thread.

    Attributes:
        is_restart: Whether whoever started the process is to start it again.
    """

    def __init__(self) -> None:
        self._reason = ""
        self.is_restart = False

    @property
    def reason(self) -> str:
        """The first reason to stop; empty for none."""
        return self._reason

    def ask(self, reason: str) -> None:
        """Ask for a clean stop; only the first reason is kept."""
        self._reason = self._reason or reason

    def ask_restart(self, reason: str) -> None:
        """Ask for a clean stop after which the process is started again."""
        if not self._reason:
            self.is_restart = True
            self.ask(reason)
