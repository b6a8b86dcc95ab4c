"""Durable state in one SQLite file."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from runner.ports import StateError

_SCHEMA = 1
_BUSY_SECONDS = 5.0
_T = TypeVar("_T")


class SqliteState:
    """JSON values by namespace and key. A put is on disk when it returns.

    Usable from several threads. The file is never made anew over a damaged one: what
    it holds (a latched stop, an order under way) must not be forgotten in silence.

    Args:
        path: The file; its folder is made if missing.
        survives_power_cut: Whether a put waits for the disk itself. Without, it
            survives the death of the process only, and is many times faster: enough
            for a paper account, whose terminal dies with the process anyway.

    Raises:
        StateError: If the file cannot be opened, is damaged, or was written by a
            newer version of the runner.
    """

    def __init__(self, path: Path, *, survives_power_cut: bool = True) -> None:
        self._path = path
        self._survives_power_cut = survives_power_cut
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_file() and path.stat().st_size == 0:
                # SQLite would take it for a new database.
                raise self._error("the file is empty")
            self._connection = sqlite3.connect(
                path,
                timeout=_BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
        except (OSError, sqlite3.Error) as error:
            raise self._error(error) from error
        try:
            self._open()
        except StateError:
            self._connection.close()
            raise
        except sqlite3.Error as error:
            self._connection.close()
            raise self._error(error) from error

    def _open(self) -> None:
        run = self._connection.execute
        run("PRAGMA journal_mode = WAL")
        # WAL with the usual NORMAL loses the newest transactions on a power cut.
        run(f"PRAGMA synchronous = {'FULL' if self._survives_power_cut else 'NORMAL'}")
        (verdict,) = run("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise self._error(verdict)
        (schema,) = run("PRAGMA user_version").fetchone()
        if schema > _SCHEMA:
            raise StateError(
                f"{self._path}: written by a newer runner (layout {schema}, this one "
                f"knows {_SCHEMA}); start the newer one, or use another state directory"
            )
        run(
            "CREATE TABLE IF NOT EXISTS state (namespace TEXT NOT NULL, "
            "key TEXT NOT NULL, value TEXT NOT NULL, "
            "PRIMARY KEY (namespace, key)) WITHOUT ROWID"
        )
        run(f"PRAGMA user_version = {_SCHEMA}")

    def get(self, namespace: str, key: str) -> Any | None:
        """Return the JSON value last put, or None."""
        row = self._run(
            lambda connection: connection.execute(
                "SELECT value FROM state WHERE namespace = ? AND key = ?",
                (namespace, key),
            ).fetchone()
        )
        return None if row is None else self._read(row[0], namespace, key)

    def put(self, namespace: str, key: str, value: Any) -> None:
        """Store a JSON value durably.

        Raises:
            ValueError: If *value* has no JSON form (NaN and infinities have none).
            StateError: If it could not be written; the former value stands.
        """
        text = json.dumps(value, allow_nan=False, separators=(",", ":"))
        self._run(
            lambda connection: connection.execute(
                "INSERT INTO state VALUES (?, ?, ?) "
                "ON CONFLICT (namespace, key) DO UPDATE SET value = excluded.value",
                (namespace, key, text),
            )
        )

    def delete(self, namespace: str, key: str) -> None:
        """Forget a value; nothing happens if there is none."""
        self._run(
            lambda connection: connection.execute(
                "DELETE FROM state WHERE namespace = ? AND key = ?", (namespace, key)
            )
        )

    def items(self, namespace: str) -> Mapping[str, Any]:
        """Return every value of *namespace* by key."""
        rows = self._run(
            lambda connection: connection.execute(
                "SELECT key, value FROM state WHERE namespace = ? ORDER BY key",
                (namespace,),
            ).fetchall()
        )
        return {key: self._read(value, namespace, key) for key, value in rows}

    def close(self) -> None:
        """Flush and close; further use raises StateError."""
        with self._lock:
            self._connection.close()

    def _run(self, action: Callable[[sqlite3.Connection], _T]) -> _T:
        with self._lock:
            try:
                return action(self._connection)
            except sqlite3.Error as error:
                raise self._error(error) from error

    def _read(self, text: str, namespace: str, key: str) -> Any:
        try:
            return json.loads(text)
        except ValueError as error:
            raise self._error(f"{namespace}/{key} is not JSON") from error

    def _error(self, reason: object) -> StateError:
        return StateError(
            f"{self._path}: the state cannot be read or written ({reason}). Check the "
            "disk and the rights; if the file is damaged, put a backup in its place, "
            "or move it away and check the account by hand before trading: stops, "
            "orders under way and drawdown references are kept in it"
        )
