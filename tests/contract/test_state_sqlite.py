"""Durable state in a real file: kept, shared by threads, and never lost in silence."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.adapters.state_sqlite import SqliteState
from runner.ports import StateError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the state is kept; its folder does not exist yet."""
    return tmp_path / "states" / "123456.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteState]:
    """An open store."""
    made = SqliteState(path)
    yield made
    made.close()


def test_values_outlive_the_process(path: Path) -> None:
    """What was put is there after a restart."""
    store = SqliteState(path)
    store.put("a", "x", {"n": [1, None, "é"]})
    store.close()

    again = SqliteState(path)

    assert {"n": [1, None, "é"]} == again.get("a", "x")
    again.close()


def test_namespaces_do_not_mix(store: SqliteState) -> None:
    """One key in two namespaces is two values."""
    store.put("a", "x", 1)
    store.put("b", "x", 2)
    store.put("a", "y", 3)

    assert {"x": 1, "y": 3} == store.items("a")
    assert {} == store.items("c")


def test_a_put_replaces_and_a_delete_forgets(store: SqliteState) -> None:
    """The last word counts; forgetting what is not there is no error."""
    store.put("a", "x", 1)
    store.put("a", "x", 2)
    assert 2 == store.get("a", "x")

    store.delete("a", "x")
    store.delete("a", "x")

    assert store.get("a", "x") is None


def test_none_is_a_value_that_reads_as_none(store: SqliteState) -> None:
    """A stored null is listed, and reads like nothing."""
    store.put("a", "x", None)

    assert store.get("a", "x") is None
    assert {"x": None} == store.items("a")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_has_no_words_for_is_refused(
    store: SqliteState, value: float
) -> None:
    """A number that could not be read back is not written; the old one stands."""
    store.put("a", "x", 1)

    with pytest.raises(ValueError, match="JSON"):
        store.put("a", "x", value)

    assert 1 == store.get("a", "x")


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(), st.text(), json_values)
def test_any_json_value_comes_back(
    store: SqliteState, namespace: str, key: str, value: Any
) -> None:
    """Whatever JSON can say is kept to the letter."""
    store.put(namespace, key, value)

    assert value == store.get(namespace, key)


def test_two_threads(store: SqliteState) -> None:
    """The loop and the link write at the same time, and nothing is lost."""
    failures: list[Exception] = []

    def write(name: str) -> None:
        try:
            for number in range(50):
                store.put(name, str(number), number)
                store.items(name)
        except Exception as error:  # noqa: BLE001 - told to the test
            failures.append(error)

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [] == failures
    assert [50] * 4 == [len(store.items(name)) for name in "abcd"]


def test_a_put_is_safe_against_a_power_cut(path: Path, store: SqliteState) -> None:
    """Write-ahead log, synchronised with each transaction."""
    store.put("a", "x", 1)

    assert "wal" == store._connection.execute("PRAGMA journal_mode").fetchone()[0]
    full = 2
    assert full == store._connection.execute("PRAGMA synchronous").fetchone()[0]


def test_a_copy_of_the_files_at_any_moment_is_whole(
    path: Path, store: SqliteState, tmp_path: Path
) -> None:
    """What a killed process leaves behind holds everything that was put."""
    store.put("a", "x", "before")
    left = tmp_path / "left"
    left.mkdir()
    for name in (path.name, f"{path.name}-wal"):
        (left / name).write_bytes((path.parent / name).read_bytes())

    again = SqliteState(left / path.name)

    assert "before" == again.get("a", "x")
    again.close()


@pytest.mark.parametrize(
    "damage",
    [b"this is no database at all, but a text of some length" * 10, b"\0" * 4096, b""],
)
def test_a_damaged_file_is_not_made_anew(path: Path, damage: bytes) -> None:
    """One clear error that says what to do; the file is left as it is."""
    path.parent.mkdir()
    path.write_bytes(damage)

    with pytest.raises(StateError) as caught:
        SqliteState(path)

    assert str(path) in str(caught.value)
    assert "put a backup in its place" in str(caught.value)
    assert damage == path.read_bytes()


def test_damage_in_the_middle_is_found_at_the_start(path: Path) -> None:
    """A file whose head is good and whose pages are not is refused, too."""
    store = SqliteState(path)
    for number in range(200):
        store.put("a", str(number), "x" * 200)
    store._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    content = bytearray(path.read_bytes())
    for place in range(8192, len(content), 4096):
        content[place : place + 200] = b"\xff" * 200
    path.write_bytes(bytes(content))

    with pytest.raises(StateError, match="cannot be read or written"):
        SqliteState(path)


def test_a_value_that_is_no_json_is_damage(path: Path, store: SqliteState) -> None:
    """A value that somebody else wrote is not guessed at."""
    with sqlite3.connect(path) as other:
        other.execute("INSERT INTO state VALUES ('a', 'x', '{')")
    other.close()

    with pytest.raises(StateError, match="a/x is not JSON"):
        store.get("a", "x")


def test_a_file_of_a_newer_runner_is_left_alone(path: Path) -> None:
    """An older runner must not write into a layout that it does not know."""
    SqliteState(path).close()
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 99")
    other.close()

    with pytest.raises(StateError, match="written by a newer runner"):
        SqliteState(path)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A folder where the file should be is an error with its path."""
    place = tmp_path / "a-folder"
    place.mkdir()

    with pytest.raises(StateError, match="a-folder"):
        SqliteState(place)


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    """A state directory that is a file is an error with its path."""
    (tmp_path / "file").write_text("x")

    with pytest.raises(StateError, match="file"):
        SqliteState(tmp_path / "file" / "state.db")


def test_use_after_close_is_an_error(path: Path) -> None:
    """A value that can no longer be kept is not taken for kept."""
    store = SqliteState(path)
    store.close()

    with pytest.raises(StateError):
        store.put("a", "x", 1)


def test_a_locked_file_is_an_error_and_not_a_loss(
    path: Path, store: SqliteState
) -> None:
    """Another process that writes for long is told; the old value stands."""
    store.put("a", "x", 1)
    store._connection.execute("PRAGMA busy_timeout = 50")
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StateError, match="locked"):
            store.put("a", "x", 2)
        other.execute("ROLLBACK")
    other.close()

    assert 1 == store.get("a", "x")
