"""A file that one process of this machine can hold; the system frees it at its end."""

from __future__ import annotations

import errno
import os
import socket
import sys
from pathlib import Path
from typing import BinaryIO

from runner.ports import LeaseHolder

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_PLACE = 1 << 20  # the byte that is locked on Windows, beyond what can be read
_HELD = {errno.EACCES, errno.EAGAIN, errno.EDEADLK}


class LockFile:
    """Says whether another process uses what lies beside the file.

    Args:
        path: Made if it is not there, and left where it is: to remove it would let two
            processes lock two files of the same name.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def take(self) -> LeaseHolder | None:
        """Take it, without waiting.

        Returns:
            None if it is ours now; who has it, if another process does.

        Raises:
            OSError: If it can be neither taken nor found taken.
        """
        file = self._path.open("a+b")
        try:
            _lock(file)
        except OSError as error:
            with file:
                if error.errno not in _HELD:
                    raise
                file.seek(0)
                pid = file.read(20)
            number = int(pid) if pid.isdigit() else 0
            return LeaseHolder(session="", host=socket.gethostname(), pid=number)
        file.truncate(0)
        file.write(str(os.getpid()).encode())
        file.flush()
        self._file = file
        return None

    def release(self) -> None:
        """Let go of it; nothing happens if it is not ours."""
        if self._file is None:
            return
        with self._file as file:
            _unlock(file)
        self._file = None


def _lock(file: BinaryIO) -> None:
    if sys.platform == "win32":
        file.seek(_PLACE)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        file.seek(0)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _unlock(file: BinaryIO) -> None:
    if sys.platform == "win32":
        file.seek(_PLACE)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_UN)
