"""The server's database: sqlite3, one transaction per change, durable on return."""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

import attrs

from runner.wire.commands import Command
from server_stub.records import AccountRecord, StrategyRecord

_Record = TypeVar("_Record", AccountRecord, StrategyRecord)

_SCHEMA_VERSION = 2
_SCHEMA = """
CREATE TABLE accounts (
    mt5_account_id TEXT PRIMARY KEY,
    key_hash TEXT NOT NULL,
    version INTEGER NOT NULL,
    document TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX accounts_by_key ON accounts (key_hash);
CREATE TABLE strategies (
    strategy_id INTEGER PRIMARY KEY,
    version INTEGER NOT NULL,
    document TEXT NOT NULL
);
CREATE TABLE commands (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    mt5_account_id TEXT,
    command TEXT NOT NULL
);
CREATE INDEX commands_by_level ON commands (mt5_account_id, seq);
CREATE TABLE observed (
    mt5_account_id TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
"""
# Since version 2; a file of version 1 gets it when it is opened.
_CALENDAR_SCHEMA = """
CREATE TABLE calendar (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    events TEXT NOT NULL
)
"""


class ExistsError(ValueError):
    """What should be created is there already."""


class StoreError(ValueError):
    """The file is not a database of this server."""


@attrs.frozen(slots=True)
class Edit(Generic[_Record]):
    """What one transaction made of a record."""

    before: _Record
    after: _Record


class Store:
    """Accounts, strategies, commands, a calendar and what was observed of bots.

    Every method may be called from any thread. A change is on disk when its method
    returns, whole, also if the process is killed then.

    Args:
        path: The database file; ``:memory:`` for one that ends with the process.

    Raises:
        StoreError: If *path* is another kind of file, or cannot be opened.
    """

    def __init__(self, path: str | Path = ":memory:") -> None:
        self._lock = threading.RLock()
        try:
            self._database = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, timeout=10
            )
        except sqlite3.Error as error:
            raise StoreError(f"{path}: cannot be opened: {error}") from error
        try:
            self._prepare(path)
        except sqlite3.Error as error:
            self._database.close()
            raise StoreError(f"{path}: not a database of ours: {error}") from error
        except StoreError:
            self._database.close()
            raise

    def _prepare(self, path: str | Path) -> None:
        self._database.execute("PRAGMA journal_mode = WAL")
        # FULL: after a power cut a version must not be given out a second time.
        self._database.execute("PRAGMA synchronous = FULL")
        with self.transaction():
            (found,) = self._database.execute("PRAGMA user_version").fetchone()
            if found == 0:
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    self._database.execute(statement)
            if found in {0, 1}:
                self._database.execute(_CALENDAR_SCHEMA)
                self._database.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
            elif found != _SCHEMA_VERSION:
                raise StoreError(
                    f"{path}: has schema {found}, expected {_SCHEMA_VERSION}; "
                    f"it was written by another version of the server"
                )

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Make every change inside all or nothing; an exception undoes them."""
        with self._lock:
            if self._is_open():
                yield
                return
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._database.execute("COMMIT")
            except BaseException:
                if self._is_open():
                    self._database.execute("ROLLBACK")
                raise

    def _is_open(self) -> bool:
        return self._database.in_transaction

    def _rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._database.execute(query, values).fetchall()

    def accounts(self) -> list[AccountRecord]:
        """Return every account, in the order of its id."""
        query = (
            "SELECT mt5_account_id, version, document FROM accounts "
            "ORDER BY length(mt5_account_id), mt5_account_id"
        )
        return [_account(row) for row in self._rows(query)]

    def account_ids(self) -> list[str]:
        """Return the id of every account."""
        return [row[0] for row in self._rows("SELECT mt5_account_id FROM accounts")]

    def account(self, mt5_account_id: str) -> AccountRecord | None:
        """Return one account; None if there is none such."""
        query = (
            "SELECT mt5_account_id, version, document FROM accounts "
            "WHERE mt5_account_id = ?"
        )
        rows = self._rows(query, mt5_account_id)
        return _account(rows[0]) if rows else None

    def add_account(self, record: AccountRecord, api_key: str) -> None:
        """Create an account with the key that opens it; only the key's hash is kept.

        Raises:
            ExistsError: If there is one with this id.
        """
        values = (
            record.mt5_account_id,
            _hash(api_key),
            record.version,
            _json(record.document),
        )
        with self.transaction():
            if self.account(record.mt5_account_id) is not None:
                raise ExistsError(f"account {record.mt5_account_id} exists already")
            self._database.execute("INSERT INTO accounts VALUES (?, ?, ?, ?)", values)

    def edit_account(
        self, mt5_account_id: str, edit: Callable[[AccountRecord], AccountRecord]
    ) -> Edit[AccountRecord]:
        """Replace an account by what *edit* makes of it, in one transaction.

        Raises:
            KeyError: If there is none such.
        """
        with self.transaction():
            before = self.account(mt5_account_id)
            if before is None:
                raise KeyError(mt5_account_id)
            after = edit(before)
            self._database.execute(
                "UPDATE accounts SET version = ?, document = ? "
                "WHERE mt5_account_id = ?",
                (after.version, _json(after.document), mt5_account_id),
            )
        return Edit(before, after)

    def set_key(self, mt5_account_id: str, api_key: str) -> None:
        """Let *api_key*, and no other, open the account from now on."""
        with self.transaction():
            self._database.execute(
                "UPDATE accounts SET key_hash = ? WHERE mt5_account_id = ?",
                (_hash(api_key), mt5_account_id),
            )

    def is_key(self, api_key: str) -> bool:
        """Return whether *api_key* opens any account."""
        query = "SELECT 1 FROM accounts WHERE key_hash = ? LIMIT 1"
        return bool(self._rows(query, _hash(api_key)))

    def opens(self, api_key: str, mt5_account_id: str) -> bool:
        """Return whether *api_key* opens this account."""
        query = "SELECT key_hash FROM accounts WHERE mt5_account_id = ?"
        rows = self._rows(query, mt5_account_id)
        return bool(rows) and hmac.compare_digest(rows[0][0], _hash(api_key))

    def strategies(self) -> list[StrategyRecord]:
        """Return every strategy, in the order of its id."""
        query = "SELECT strategy_id, version, document FROM strategies ORDER BY 1"
        return [_strategy(row) for row in self._rows(query)]

    def strategy(self, strategy_id: int) -> StrategyRecord | None:
        """Return one strategy; None if there is none such."""
        query = (
            "SELECT strategy_id, version, document FROM strategies "
            "WHERE strategy_id = ?"
        )
        rows = self._rows(query, strategy_id)
        return _strategy(rows[0]) if rows else None

    def add_strategy(self, record: StrategyRecord) -> None:
        """Create a strategy.

        Raises:
            ExistsError: If there is one with this id.
        """
        values = (record.strategy_id, record.version, _json(record.document))
        with self.transaction():
            if self.strategy(record.strategy_id) is not None:
                raise ExistsError(f"strategy {record.strategy_id} exists already")
            self._database.execute("INSERT INTO strategies VALUES (?, ?, ?)", values)

    def edit_strategy(
        self, strategy_id: int, edit: Callable[[StrategyRecord], StrategyRecord]
    ) -> Edit[StrategyRecord]:
        """Replace a strategy by what *edit* makes of it, in one transaction.

        Raises:
            KeyError: If there is none such.
        """
        with self.transaction():
            before = self.strategy(strategy_id)
            if before is None:
                raise KeyError(strategy_id)
            after = edit(before)
            self._database.execute(
                "UPDATE strategies SET version = ?, document = ? WHERE strategy_id = ?",
                (after.version, _json(after.document), strategy_id),
            )
        return Edit(before, after)

    def add_command(self, mt5_account_id: str | None, command: Command) -> Command:
        """Store a command with the next ``seq``; one counter serves all levels.

        Args:
            mt5_account_id: The account meant; None for the fleet.
            command: What is wanted; its own ``seq`` is ignored.

        Returns:
            The command with its number.
        """
        with self.transaction():
            cursor = self._database.execute(
                "INSERT INTO commands (mt5_account_id, command) VALUES (?, ?)",
                (mt5_account_id, _json(command.to_document())),
            )
            return attrs.evolve(command, seq=int(cursor.lastrowid or 0))

    def command(self, mt5_account_id: str | None) -> Command | None:
        """Return the newest command of an account, or of the fleet for None."""
        query = (
            "SELECT seq, command FROM commands WHERE mt5_account_id IS ? "
            "ORDER BY seq DESC LIMIT 1"
        )
        rows = self._rows(query, mt5_account_id)
        return _command(*rows[0]) if rows else None

    def commands(self) -> dict[str | None, Command]:
        """Return the newest command of every level that has one."""
        query = (
            "SELECT mt5_account_id, MAX(seq), command FROM commands "
            "GROUP BY mt5_account_id"
        )
        return {row[0]: _command(row[1], row[2]) for row in self._rows(query)}

    def calendar(self) -> list[dict[str, str]]:
        """Return the events of the calendar, in order of time; empty if none is."""
        rows = self._rows("SELECT events FROM calendar")
        return json.loads(rows[0][0]) if rows else []

    def set_calendar(self, events: list[dict[str, str]]) -> None:
        """Replace the calendar; no events take it away."""
        with self.transaction():
            self._database.execute("DELETE FROM calendar")
            if events:
                self._database.execute(
                    "INSERT INTO calendar VALUES (1, ?)", (_json(events),)
                )

    def observed(self) -> dict[str, dict[str, Any]]:
        """Return what was last observed of every bot, as it was stored."""
        rows = self._rows("SELECT mt5_account_id, value FROM observed")
        return {row[0]: json.loads(row[1]) for row in rows}

    def set_observed(self, values: Mapping[str, Mapping[str, Any]]) -> None:
        """Store what was observed, by account."""
        with self.transaction():
            self._database.executemany(
                "INSERT OR REPLACE INTO observed VALUES (?, ?)",
                [(account, _json(value)) for account, value in values.items()],
            )

    def close(self) -> None:
        """Close the database; the store is of no use afterwards."""
        with self._lock:
            self._database.close()


def _hash(api_key: str) -> str:
    return hashlib.sha256(api_key.encode()).hexdigest()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _account(row: tuple[Any, ...]) -> AccountRecord:
    return AccountRecord(
        mt5_account_id=row[0], version=row[1], document=json.loads(row[2])
    )


def _strategy(row: tuple[Any, ...]) -> StrategyRecord:
    return StrategyRecord(
        strategy_id=row[0], version=row[1], document=json.loads(row[2])
    )


def _command(seq: int, document: str) -> Command:
    return attrs.evolve(Command.from_document(json.loads(document)), seq=seq)
