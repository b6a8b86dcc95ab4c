"""One log out of many processes: the account on each line, and nobody waits for it."""

from __future__ import annotations

import json
import logging
import queue
import re
import threading
from collections import Counter
from typing import TextIO

from runner.logs import ROOT, formatter

log = logging.getLogger("mt5runner.supervisor")

_MOST_LINES = 10_000  # that wait to be printed


def labelled(line: bytes, account: str, log_format: str) -> str:
    """Return a worker's line as the one log shows it.

    What the worker has logged stands as it is. Anything else, such as a traceback or
    a native library's last words, becomes a line of the log with the account on it.

    Args:
        line: What the worker printed.
        account: The worker's account.
        log_format: ``text`` or ``json``.
    """
    text = line.decode("utf-8", "backslashreplace").rstrip("\r\n")
    if _is_log_line(text, account, log_format):
        return text
    record = logging.LogRecord(
        f"{ROOT}.output", logging.WARNING, "", 0, text, None, None
    )
    return formatter(log_format, account).format(record)


def _is_log_line(text: str, account: str, log_format: str) -> bool:
    if log_format != "json":
        time = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
        pattern = rf"{time} [A-Z]+ +{re.escape(account)} "
        return re.match(pattern, text) is not None
    if not text.startswith("{"):
        return False
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):  # not JSON, or nested without end
        return False
    return bool(fields.get("account") == account)


class Printer:
    """A stream whose writers never wait; fulfils what `logging.StreamHandler` needs.

    Whoever reads the log may be slow or gone. Neither may hold up a worker, whose
    silence would look like a frozen terminal, nor end the supervisor. Lines that find
    no room are lost, counted and told.

    Args:
        stream: Where the lines go.
        most: Lines that may wait.
        accounts: Who share that room, beside the supervisor: one that prints without
            end has no more than its part, and takes nobody's lines away.
    """

    def __init__(
        self, stream: TextIO, most: int = _MOST_LINES, accounts: int = 0
    ) -> None:
        self._stream = stream
        self._waiting: queue.Queue[tuple[str, str] | None] = queue.Queue(most)
        self._part = most // (accounts + 1)
        self._used: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._lost = 0
        self._thread = threading.Thread(target=self._print, name="log", daemon=True)
        self._thread.start()

    def write(self, text: str, account: str = "") -> None:
        """Take text that ends a line.

        Args:
            text: The text.
            account: Whose worker printed it; empty for the supervisor's own.
        """
        with self._lock:
            has_room = not account or self._used[account] < self._part
            if has_room:
                try:
                    self._waiting.put_nowait((account, text))
                except queue.Full:
                    has_room = False
            if has_room:
                self._used[account] += 1
            else:
                self._lost += 1

    def flush(self) -> None:
        """Do nothing: the thread flushes."""

    def close(self, within: float) -> None:
        """Print what waits, for at most *within* seconds."""
        try:
            self._waiting.put(None, timeout=within)
        except queue.Full:
            return
        self._thread.join(timeout=within)

    def _print(self) -> None:
        while (taken := self._waiting.get()) is not None:
            account, text = taken
            with self._lock:
                self._used[account] -= 1
            try:
                self._stream.write(text)
                self._stream.flush()
            except (OSError, ValueError):  # no reader, no room on the disk, closed
                with self._lock:
                    self._lost += 1
                continue
            with self._lock:
                lost, self._lost = self._lost, 0
            if lost:
                log.error(
                    "%d lines of this log were lost: its reader did not keep up", lost
                )
