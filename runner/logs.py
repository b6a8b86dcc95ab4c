"""Log lines: readable text or one JSON object a line, the account on each."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Protocol

ROOT = "mt5runner"

_TIME = "%Y-%m-%d %H:%M:%S"
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}


class TextFormatter(logging.Formatter):
    """``2026-03-02 12:30:05 INFO    123456 orders: text``, in local time.

    Args:
        account: Shown on each line; empty for none.
    """

    def __init__(self, account: str) -> None:
        super().__init__()
        self._account = f"{account} " if account else ""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record on one line, a traceback below it."""
        time = datetime.fromtimestamp(record.created).astimezone().strftime(_TIME)
        part = record.name.removeprefix(f"{ROOT}.")
        text = record.getMessage()
        line = f"{time} {record.levelname:<7} {self._account}{part}: {text}"
        if record.exc_info:
            line = f"{line}\n{self.formatException(record.exc_info)}"
        return line


class JsonFormatter(logging.Formatter):
    """One JSON object a line, fields of ``extra`` included.

    Args:
        account: Value of the ``account`` field.
    """

    def __init__(self, account: str) -> None:
        super().__init__()
        self._account = account

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as a JSON object."""
        fields: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "account": self._account,
            "message": record.getMessage(),
        }
        fields |= {
            name: value
            for name, value in record.__dict__.items()
            if name not in _STANDARD and not name.startswith("_")
        }
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return json.dumps(fields, default=str)


class Stream(Protocol):
    """Where log lines go."""

    def write(self, text: str, /) -> object:
        """Take a line with its end."""
        ...

    def flush(self) -> object:
        """Pass it on."""
        ...


def formatter(log_format: str, account: str) -> logging.Formatter:
    """Return what makes lines of records.

    Args:
        log_format: ``text`` or ``json``.
        account: Shown on each line; empty for none.
    """
    return JsonFormatter(account) if log_format == "json" else TextFormatter(account)


def set_up(
    log_format: str,
    account: str = "",
    *,
    verbose: bool = False,
    stream: Stream | None = None,
) -> None:
    """Send the project's log to standard error.

    Args:
        log_format: ``text`` or ``json``.
        account: Shown on each line.
        verbose: Whether debug lines are shown too.
        stream: Where to send it instead.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter(log_format, account))
    root = logging.getLogger(ROOT)
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    root.propagate = False
