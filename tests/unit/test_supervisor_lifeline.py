"""A worker ends with its supervisor."""

from __future__ import annotations

import os
import queue

import pytest

from runner.exit_codes import ExitCode
from runner.supervisor import hold_lifeline
from runner.supervisor.lifeline import STOP
from runner.testing import FakeClock


@pytest.mark.parametrize(
    ("said", "reason"),
    [(STOP, "asked to by the supervisor"), (b"", "the supervisor is gone")],
)
def test_the_end_of_the_pipe_is_a_clean_stop_and_in_the_end_an_unclean_one(
    said, reason
):
    """First it is asked; a process that hangs all the same does not stay for ever."""
    theirs, ours = os.pipe()
    happened: queue.SimpleQueue[object] = queue.SimpleQueue()
    clock = FakeClock()
    thread = hold_lifeline(
        happened.put,
        clock,
        descriptor=theirs,
        stop_within=30.0,
        leave=lambda code: happened.put((code, clock.monotonic())),
    )
    assert happened.empty()

    os.write(ours, said)
    os.close(ours)
    thread.join(timeout=60)
    os.close(theirs)

    assert reason == happened.get_nowait()
    assert (ExitCode.CRASHED, 30.0) == happened.get_nowait()
