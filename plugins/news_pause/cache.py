"""What the feed said last, on disk, shared by all runners of a machine.

One file holds the body and when who may ask again, so that the two cannot disagree. It
is replaced whole and only under a lock of the operating system, which a process that
dies lets go of.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Generator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import attrs

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

LEAST_GAP = timedelta(seconds=150)
"""Between two requests of a machine, whatever happens: the host takes two in five
minutes."""

_CLOCK_WAS_WRONG = timedelta(days=1)
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@attrs.frozen(kw_only=True)
class Note:
    """What is known about the feed.

    Attributes:
        asked_at: When it was last asked, UTC-aware.
        next_at: When it may be asked again, UTC-aware.
        body: The last good answer; empty if there is none.
        former: The last good answer of the week before; empty if there is none.
        etag: That answer's header.
        last_modified: That answer's header.
        failures: Requests in a row that brought nothing.
        problem: What was wrong with the last one; empty if nothing was.
    """

    asked_at: datetime = _NEVER
    next_at: datetime = _NEVER
    body: str = ""
    former: str = ""
    etag: str = ""
    last_modified: str = ""
    failures: int = 0
    problem: str = ""

    def is_due(self, now: datetime) -> bool:
        """Say whether the feed may be asked at *now*, wall-clock time."""
        # An ask from the future was noted by a clock that was wrong.
        return now >= self.next_at or self.asked_at - now > _CLOCK_WAS_WRONG


class Cache:
    """The note of one address in a folder.

    Args:
        folder: Shared by all runners of the machine; made if it is not there.
        url: The feed's address.
    """

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        name = hashlib.sha256(url.encode()).hexdigest()[:16]
        self._path = folder / f"calendar-{name}.json"
        self._lock = folder / f"calendar-{name}.lock"

    def read(self) -> Note:
        """Return the note.

        Raises:
            OSError: If the folder cannot be used.
        """
        with self._locked():
            return self._read()

    def claim(self, now: datetime) -> Note | None:
        """Take the right to ask now, so that nobody else does.

        It is on disk when this returns: also a process that dies has asked.

        Args:
            now: Wall-clock time, UTC-aware.

        Returns:
            The note as it was; None if it is not time to ask.

        Raises:
            OSError: If the folder cannot be used; then nobody may ask.
        """
        with self._locked():
            note = self._read()
            if not note.is_due(now):
                return None
            self._write(attrs.evolve(note, asked_at=now, next_at=now + LEAST_GAP))
            return note

    def write(self, note: Note) -> None:
        """Replace the note.

        Raises:
            OSError: If the folder cannot be used.
        """
        with self._locked():
            self._write(note)

    @contextlib.contextmanager
    def _locked(self) -> Generator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._lock.open("a+b") as file:
            _take(file)
            try:
                yield
            finally:
                _give(file)

    def _read(self) -> Note:
        try:
            return _note(json.loads(self._path.read_text("utf-8")))
        except FileNotFoundError:
            return Note()
        except (ValueError, KeyError, TypeError):
            # Damaged. Somebody wrote it, so somebody asked.
            asked_at = datetime.fromtimestamp(self._path.stat().st_mtime, UTC)
            return Note(asked_at=asked_at, next_at=asked_at + LEAST_GAP)

    def _write(self, note: Note) -> None:
        record = attrs.asdict(note) | {
            "asked_at": note.asked_at.isoformat(),
            "next_at": note.next_at.isoformat(),
        }
        new = self._path.with_suffix(".new")
        with new.open("w", encoding="utf-8") as file:
            json.dump(record, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)


def _note(record: Mapping[str, Any]) -> Note:
    asked_at = datetime.fromisoformat(record["asked_at"])
    next_at = datetime.fromisoformat(record["next_at"])
    if asked_at.utcoffset() is None or next_at.utcoffset() is None:
        raise ValueError("a time without an offset")
    return Note(
        asked_at=asked_at,
        next_at=next_at,
        body=str(record["body"]),
        former=str(record.get("former", "")),
        etag=str(record["etag"]),
        last_modified=str(record["last_modified"]),
        failures=int(record["failures"]),
        problem=str(record["problem"]),
    )


def _take(file: BinaryIO) -> None:
    if sys.platform == "win32":
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_EX)


def _give(file: BinaryIO) -> None:
    if sys.platform == "win32":
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_UN)


def default_folder(platform: str, environ: Mapping[str, str], home: Path) -> Path:
    """Return the user's own cache folder.

    Args:
        platform: As `sys.platform`.
        environ: The environment.
        home: The user's home.
    """
    if platform == "win32":
        base = environ.get("LOCALAPPDATA") or str(home / "AppData" / "Local")
    elif platform == "darwin":
        base = str(home / "Library" / "Caches")
    else:
        base = environ.get("XDG_CACHE_HOME") or str(home / ".cache")
    return Path(base) / "mt5runner"
