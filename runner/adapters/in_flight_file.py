"""Shows in a file what is being called; it outlives a process that is killed in it."""

from __future__ import annotations

import mmap
from pathlib import Path

_SIZE = 256  # bytes; what does not fit is cut


def read_in_flight(path: Path) -> tuple[str, str] | None:
    """Return name and call that a process is in, or was in when it ended.

    Args:
        path: Its `InFlightFile`.

    Returns:
        None if it is in none, or if nothing can be read.
    """
    try:
        content = path.read_bytes()
    except OSError:
        return None
    return _shown(content)


class InFlightFile:
    """A file in memory; fulfils `runner.host.watch.Marker`.

    To write to it is to write to memory: no call of the system, and the file has it
    whatever ends the process.

    Args:
        path: Made if it is not there.

    Attributes:
        left: Name and call that an earlier process was in when it ended; None if it
            was in none.

    Raises:
        OSError: If the file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        with path.open("ab") as file:
            missing = _SIZE - file.tell()
            if missing > 0:
                file.write(bytes(missing))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _SIZE)
        self._known: dict[tuple[str, str], bytes] = {}
        self.left = _shown(self._map[:])
        self.leave()

    def enter(self, name: str, where: str) -> None:
        """Show that *where* of *name* is being called."""
        key = name, where
        text = self._known.get(key)
        if text is None:
            text = f"{name}\t{where}".encode()[: _SIZE - 1] + b"\0"
            self._known[key] = text
        self._map[: len(text)] = text

    def leave(self) -> None:
        """Show that nothing is being called."""
        self._map[0] = 0

    def close(self) -> None:
        """Let go of the file."""
        self._map.close()


def _shown(content: bytes) -> tuple[str, str] | None:
    text = content.partition(b"\0")[0].decode(errors="replace")
    name, _, where = text.partition("\t")
    return (name, where) if name else None
