"""The process ends, whatever a strategy or plugin left running in it."""

from __future__ import annotations

import subprocess
import sys
import textwrap

PROGRAM = """
    import logging, sys, threading
    from runner.adapters.system_clock import SystemClock
    from runner.app.ending import end_within
    logging.basicConfig(stream=sys.stdout)
    never = threading.Event()
    threading.Thread(target={target}, name="trainer").start()
    end_within(7, SystemClock(), seconds={seconds})
    sys.exit(7)
"""


def ended(target: str, seconds: float) -> tuple[int, str]:
    """Return exit code and output of a process that left a thread behind."""
    program = textwrap.dedent(PROGRAM.format(target=target, seconds=seconds))
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout


def test_a_thread_that_never_ends_holds_nobody_up():
    """Python alone would wait for it for ever; the code stays what it was."""
    code, text = ended("never.wait", 0.3)

    assert 7 == code
    assert "ended without threads that were left running: trainer" in text


def test_a_thread_that_ends_has_its_time():
    """A pool that is at its last piece of work finishes it."""
    code, text = ended("lambda: (threading.Event().wait(0.3), print('saved'))", 50)

    assert (7, "saved\n") == (code, text)
