"""Who uses an account's state, between real processes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runner.adapters.lock_file import LockFile
from runner.ports import LeaseHolder

HOLDS = """
import os
import sys
from pathlib import Path
from runner.adapters.lock_file import LockFile
lock = LockFile(Path(sys.argv[1]))
print(lock.take(), os.getpid(), flush=True)
sys.stdin.read()
"""


def test_another_process_is_named_and_frees_it_however_it_ends(
    tmp_path: Path, eventually: Any
) -> None:
    """Nothing is left to be removed by hand after a kill."""
    path = tmp_path / "7.lock"
    other = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with other:
        assert other.stdout is not None
        taken, pid = other.stdout.readline().split()
        assert "None" == taken
        lock = LockFile(path)

        held_by = lock.take()
        other.kill()
        other.wait()

    mine = socket.gethostname()
    assert LeaseHolder(session="", host=mine, pid=int(pid)) == held_by
    eventually(lambda: lock.take() is None)
    lock.release()


def test_what_is_let_go_of_can_be_taken_again(tmp_path: Path) -> None:
    """The file stays; it says who had it last until somebody else has it."""
    first, second = LockFile(tmp_path / "7.lock"), LockFile(tmp_path / "7.lock")
    assert first.take() is None
    held_by = second.take()
    assert held_by is not None
    assert os.getpid() == held_by.pid

    first.release()
    first.release()

    assert second.take() is None
    second.release()


def test_a_folder_that_is_not_there_is_no_other_holder(tmp_path: Path) -> None:
    """It is told as what it is."""
    with pytest.raises(FileNotFoundError):
        LockFile(tmp_path / "none" / "7.lock").take()
