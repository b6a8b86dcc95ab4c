"""A calendar file, read again when it changes."""

from __future__ import annotations

import gzip
import zlib
from datetime import datetime, timedelta
from pathlib import Path

from plugins.news_pause.events import CalendarError, parse
from plugins.news_pause.source import Delivery

_LOOK_EVERY = timedelta(seconds=30)
_MOST_BYTES = 32 * 1024 * 1024


class CalendarFile:
    """Looks at a file; fulfils `Source` without a thread.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._looked_at: datetime | None = None
        self._stamp: tuple[int, int] | None = None

    def start(self) -> None:
        """Do nothing: it is looked at when somebody asks."""

    def stop(self) -> None:
        """Do nothing, see `start`."""

    def look(self, now: datetime) -> Delivery | None:
        """Read the file if it has changed, at most every 30 s of the market's time."""
        if self._looked_at is not None and abs(now - self._looked_at) < _LOOK_EVERY:
            return None
        self._looked_at = now
        path = self._path
        try:
            status = path.stat()
            stamp = status.st_mtime_ns, status.st_size
            if stamp == self._stamp:
                return None
            text = _read(path)
            self._stamp = stamp
            return Delivery(parse(path.name.lower().removesuffix(".gz"), text))
        except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
            self._stamp = None
            return Delivery(problem=f"{path}: cannot be read: {error}")
        except CalendarError as error:
            return Delivery(problem=f"{path}: {error}")


def _read(path: Path) -> str:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise CalendarError(f"is larger than {_MOST_BYTES} bytes")
    return content.decode("utf-8-sig")
