"""What goes through the pipe between a terminal's process and a program's.

The two know each other by a key in a file, and only what the other one has signed for
is read: nothing of a stranger's is ever unpickled. Values keep their types on the way,
since the terminal's rules of arguments are about types.
"""

from __future__ import annotations

import copyreg
import io
import os
import pickle
import secrets
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import attrs

from runner.adapters.mt5_simulator import structs
from runner.adapters.mt5_simulator.structs import StructSequence

HOST: Final = "127.0.0.1"
"""Nobody but this machine is listened to."""
_KEY_BYTES: Final = 32
_KEY_FILE: Final = "terminal.key"


@attrs.frozen(slots=True)
class Call:
    """A function to call."""

    function: str
    args: tuple[Any, ...]
    named: dict[str, Any]


@attrs.frozen(slots=True)
class Reply:
    """What it returned or raised, and what `last_error` says after it."""

    value: Any
    raised: Exception | None
    error: tuple[int, str]


def _rebuild(name: str, values: tuple[Any, ...]) -> StructSequence:
    made: StructSequence = getattr(structs, name)(values)
    return made


def _reduce(record: StructSequence) -> tuple[Any, ...]:
    return _rebuild, (type(record).__name__, tuple(record))


class _Pickler(pickle.Pickler):
    # Records refuse to be pickled, as the real module's do. On this way they may.
    dispatch_table = copyreg.dispatch_table | {
        kind: _reduce
        for kind in vars(structs).values()
        if isinstance(kind, type)
        and issubclass(kind, StructSequence)
        and kind is not StructSequence
    }


def send(connection: Connection, message: Call | Reply) -> None:
    """Send *message*; OSError if the other side is gone."""
    buffer = io.BytesIO()
    _Pickler(buffer, protocol=pickle.HIGHEST_PROTOCOL).dump(message)
    connection.send_bytes(buffer.getvalue())


def receive(connection: Connection) -> Any:
    """Return the next message, however long it takes; EOFError or OSError if none."""
    return pickle.loads(connection.recv_bytes())  # noqa: S301 - signed for, see above


def key_file(state_dir: Path) -> Path:
    """Return where the key of the terminals that use *state_dir* is kept."""
    return state_dir / _KEY_FILE


def make_key(path: Path) -> bytes:
    """Return the key in *path*; make one that only this user can read, if none is.

    Raises:
        OSError: If it can neither be read nor written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return read_key(path)
    key = secrets.token_hex(_KEY_BYTES).encode()
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)
    return key


def read_key(path: Path) -> bytes:
    """Return the key in *path*.

    Raises:
        OSError: If it cannot be read.
    """
    return path.read_bytes().strip()
