"""A strategy in which the runner froze does not freeze it at every start."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from runner.adapters.in_flight_file import InFlightFile
from runner.app.watching import take_over
from runner.core.failures import HealthState
from runner.host.freezes import Freeze, Freezes
from runner.host.watch import Watch
from runner.supervisor import in_flight_file


def left_in(path: Path) -> tuple[str, str] | None:
    """Return what a new start finds in the file, and let go of it."""
    file = InFlightFile(path)
    file.close()
    return file.left


# -- the file --------------------------------------------------------------------------
def test_what_is_in_flight_outlives_a_process_that_is_killed(tmp_path: Path) -> None:
    """Nobody asks the process to write anything down."""
    path = tmp_path / "1.in-flight"
    program = """
        import os, sys, pathlib
        from runner.adapters.in_flight_file import InFlightFile
        file = InFlightFile(pathlib.Path(sys.argv[1]))
        file.enter("Bot-1", "a longer call than the next")
        file.enter("Bot-1", "on_bar EURUSD")
        os.kill(os.getpid(), 9)
    """
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(path)], check=False
    )

    assert ("Bot-1", "on_bar EURUSD") == left_in(path)
    assert left_in(path) is None  # told once


def test_a_call_that_ended_leaves_nothing(tmp_path: Path) -> None:
    """Most of the time nothing is in flight."""
    path = tmp_path / "1.in-flight"
    file = InFlightFile(path)
    file.enter("Bot-1", "on_bar EURUSD")
    file.leave()
    file.close()

    assert left_in(path) is None


def test_a_name_that_is_too_long_is_cut(tmp_path: Path) -> None:
    """The rest is enough to know it by."""
    path = tmp_path / "1.in-flight"
    file = InFlightFile(path)
    file.enter("Ä" * 300, "on_bar")
    file.close()
    left = left_in(path)

    assert left is not None
    assert left[0].startswith("Ä" * 100)


# -- what is kept ----------------------------------------------------------------------
def test_freezes_in_a_row_are_counted_until_forgotten(world: Any) -> None:
    """On disk, by name."""
    freezes = Freezes(world.store)
    freezes.note("Bot-1", "on_tick EURUSD")
    second = freezes.note("Bot-1", "on_bar EURUSD")
    other = freezes.of("Bot-2")
    freezes.forget("Bot-1")

    assert Freeze("on_bar EURUSD", 2) == second
    assert other is None
    assert freezes.of("Bot-1") is None


def test_a_damaged_record_is_one_freeze(world: Any) -> None:
    """It pauses the strategy, as any does."""
    world.store.put("freezes", "Bot-1", {"count": "many"})

    assert Freeze("an unreadable record", 1) == Freezes(world.store).of("Bot-1")


def test_a_full_disk_does_not_stop_a_success(world: Any) -> None:
    """The next start pauses once more; this one goes on."""
    freezes = Freezes(world.store)
    freezes.note("Bot-1", "on_bar EURUSD")
    world.store.is_writable = False

    freezes.forget("Bot-1")

    assert freezes.of("Bot-1") is not None


# -- the start after it ----------------------------------------------------------------
def _froze(world: Any, folder: Path, times: int, where: str) -> None:
    path = in_flight_file(folder, "7")
    for _ in range(times):
        dead = InFlightFile(path)
        dead.enter("Eager-1", where)
        dead.close()
        watch = Watch()
        take_over(watch, path, world.store)
        watch.stop()


def test_a_start_after_a_freeze_names_it_and_marks_calls_from_then_on(
    world: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In the log at once; the file is the new process's."""
    path = in_flight_file(tmp_path, "7")
    _froze(world, tmp_path, 2, "on_bar EURUSD")
    watch = Watch()
    take_over(watch, path, world.store)
    seen: list[bytes] = []
    watch.attempt("Bot-1", "on_tick", lambda: seen.append(path.read_bytes()))
    watch.stop()

    assert (
        "the last start ended inside on_bar EURUSD of Eager-1, as if frozen "
        "(2 in a row)"
    ) in caplog.text
    assert seen[0].startswith(b"Bot-1\ton_tick\0")
    assert left_in(path) is None


def test_a_state_directory_that_takes_no_file_is_told(
    world: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The start goes on; only a freeze would not be remembered."""
    watch = Watch()
    take_over(watch, tmp_path / "nowhere" / "7.in-flight", world.store)

    assert watch.marker is None
    assert "a freeze would not be remembered" in caplog.text


def test_a_strategy_in_which_the_runner_froze_starts_paused(
    world: Any, tmp_path: Path
) -> None:
    """It is reported, tried again when due, and clean after a success."""
    _froze(world, tmp_path, 1, "on_bar EURUSD")
    world.begin()
    hosted = world.roster.members[1].hosted
    health, failures = hosted.health, dict(world.host.failures)
    began = world.view.now
    world.bar()  # an hour later

    assert (HealthState.PAUSED, began + timedelta(seconds=30)) == (
        health.state,
        health.retry_at,
    )
    assert failures["Eager-1"].startswith("on_bar EURUSD: TimeoutError: the runner")
    assert (1, HealthState.RUNNING) == (len(world.opened), hosted.health.state)
    assert Freezes(world.store).of("Eager-1") is None


def test_a_strategy_that_froze_the_runner_five_times_is_disabled(
    world: Any, tmp_path: Path
) -> None:
    """Until its parameters change."""
    _froze(world, tmp_path, 5, "on_bar EURUSD")
    world.begin()
    for _ in range(5):
        world.bar()
    hosted = world.roster.members[1].hosted
    before = hosted.health.state, len(world.opened)
    world.strategy(2)
    world.bar()

    assert (HealthState.DISABLED, 0) == before
    assert 1 == len(world.opened)
    assert Freezes(world.store).of("Eager-1") is None
