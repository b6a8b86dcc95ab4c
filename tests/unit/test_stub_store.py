from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from runner.wire.commands import Command, CommandAction
from server_stub.changes import edited_account, new_account, new_strategy
from server_stub.records import AccountRecord
from server_stub.store import ExistsError, Store, StoreError


def account(number: str = "1") -> AccountRecord:
    """Return an account with the defaults."""
    return new_account({"mt5_account_id": number}, lambda _: None).record


def set_lots(store: Store, lots: float) -> int:
    """Change account 1 and return its new version."""
    sent = {"trade_config.lot_size": lots}
    done = store.edit_account(
        "1", lambda record: edited_account(record, sent, lambda _: None).record
    )
    return done.after.version


@pytest.fixture
def store() -> Iterator[Store]:
    """An empty store in memory."""
    opened = Store()
    yield opened
    opened.close()


def test_what_was_stored_is_there_after_reopening(tmp_path: Path) -> None:
    """Accounts, keys, strategies, commands and what was observed."""
    file = tmp_path / "config.db"
    first = Store(file)
    first.add_account(account(), "key")
    first.add_strategy(new_strategy({"bot_strategy_class": "A"}, 3))
    first.add_command("1", Command(action=CommandAction.PAUSE, seq=0, reason="x"))
    first.set_observed({"1": {"status": "DOWN"}})
    first.close()

    again = Store(file)
    found = again.account("1"), again.opens("key", "1"), again.observed()
    strategy, command = again.strategy(3), again.command("1")
    again.close()

    assert (account(), True, {"1": {"status": "DOWN"}}) == found
    assert strategy == new_strategy({"bot_strategy_class": "A"}, 3)
    assert Command(action=CommandAction.PAUSE, seq=1, reason="x") == command


def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    """Two changes and an exception: neither change is there."""

    def change() -> None:
        with store.transaction():
            store.add_account(account("1"), "a")
            store.add_account(account("2"), "b")
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        change()

    assert [] == store.accounts()


def test_an_edit_that_raises_changes_nothing(store: Store) -> None:
    """The record stays as it was, and the store goes on working."""
    store.add_account(account(), "key")

    def edit(record: AccountRecord) -> AccountRecord:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        store.edit_account("1", edit)

    assert account() == store.account("1")
    assert account() == store.edit_account("1", lambda record: record).after


def test_fifty_writers_use_each_version_once(store: Store) -> None:
    """Concurrent changes get versions without a gap and without reuse."""
    store.add_account(account(), "key")
    seen: list[int] = []

    def write(index: int) -> None:
        seen.append(set_lots(store, 0.02 + index / 100))

    threads = [threading.Thread(target=write, args=(i,)) for i in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    assert list(range(2, 52)) == sorted(seen)


def test_two_processes_on_one_file_do_not_lose_a_change(tmp_path: Path) -> None:
    """A second store on the same file sees what the first one wrote."""
    one, other = Store(tmp_path / "c.db"), Store(tmp_path / "c.db")
    one.add_account(account(), "key")
    for number, store in enumerate((one, other, one)):
        set_lots(store, 0.02 + number / 100)
    found = other.account("1")
    one.close()
    other.close()

    assert found is not None
    assert 4 == found.version


def test_a_key_opens_its_own_account_only(store: Store) -> None:
    """And no longer once it was replaced."""
    store.add_account(account("1"), "first")
    store.add_account(account("2"), "second")

    assert store.opens("first", "1")
    assert not store.opens("first", "2")
    assert not store.opens("first", "3")
    assert store.is_key("second")
    store.set_key("2", "third")
    assert not store.is_key("second")
    assert store.opens("third", "2")


def test_a_key_is_not_in_the_file(tmp_path: Path) -> None:
    """Whoever reads the database cannot act as a bot."""
    file = tmp_path / "c.db"
    store = Store(file)
    store.add_account(account(), "a-very-secret-key")
    store.close()

    assert b"a-very-secret-key" not in file.read_bytes()


def test_what_exists_is_not_created_again(store: Store) -> None:
    """The second one is refused, the first stays."""
    store.add_account(account(), "key")
    strategy = new_strategy({"bot_strategy_class": "A"}, 1)
    store.add_strategy(strategy)

    with pytest.raises(ExistsError, match="account 1 exists already"):
        store.add_account(account(), "other")
    with pytest.raises(ExistsError, match="strategy 1 exists already"):
        store.add_strategy(attrs.evolve(strategy, version=9))
    assert store.opens("key", "1")


def test_command_numbers_rise_over_all_levels(store: Store) -> None:
    """An acknowledgement by number is of one command, account's or fleet's."""
    pause = Command(action=CommandAction.PAUSE, seq=99)
    run = Command(action=CommandAction.RUN, seq=0)

    numbers = [store.add_command(level, pause).seq for level in ("1", None, "2", "1")]
    last = store.add_command(None, run)

    assert [1, 2, 3, 4] == numbers
    assert attrs.evolve(run, seq=5) == last == store.command(None)
    assert {None: 5, "1": 4, "2": 3} == {
        level: command.seq for level, command in store.commands().items()
    }
    assert store.command("3") is None


@pytest.mark.parametrize("content", [b"no database at all, but long enough" * 9])
def test_another_kind_of_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """It is named and not overwritten."""
    file = tmp_path / "notes.txt"
    file.write_bytes(content)

    with pytest.raises(StoreError, match=r"notes\.txt"):
        Store(file)
    assert content == file.read_bytes()


def test_a_database_of_another_version_is_refused(tmp_path: Path) -> None:
    """An old program does not write into a new database."""
    file = tmp_path / "c.db"
    database = sqlite3.connect(file)
    database.execute("PRAGMA user_version = 7")
    database.close()

    with pytest.raises(StoreError, match="has schema 7, expected 2"):
        Store(file)


def test_a_folder_that_is_not_there_is_an_error_of_ours(tmp_path: Path) -> None:
    """The path stands in the message."""
    with pytest.raises(StoreError, match="nowhere"):
        Store(tmp_path / "nowhere" / "c.db")


@pytest.mark.parametrize("missing", ["edit_account", "edit_strategy"])
def test_what_does_not_exist_cannot_be_edited(store: Store, missing: str) -> None:
    """KeyError names it."""
    edit: Any = getattr(store, missing)

    with pytest.raises(KeyError):
        edit("7" if missing == "edit_account" else 7, lambda record: record)
