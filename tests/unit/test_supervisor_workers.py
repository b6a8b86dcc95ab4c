"""Workers are real processes here; only what they run is made up."""

from __future__ import annotations

import itertools
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from runner.adapters.system_clock import SystemClock
from runner.exit_codes import ExitCode
from runner.supervisor import Seat, seal, worker_command
from runner.supervisor.policy import Bounds
from runner.supervisor.supervisor import Supervisor

HEEDS_ITS_LIFELINE = "import sys; sys.stdin.readline(); print('bye', flush=True)"
HEEDS_NOTHING = "import time; print('up', flush=True); time.sleep(600)"


def says(code: int) -> str:
    """Return how a program ends as the runner does that says *code*."""
    return f"raise SystemExit({seal(code)})"


class Run:
    """A supervisor of made-up programs, and what its workers printed."""

    def __init__(
        self,
        programs: dict[str, str | Callable[[], str]],
        sign_of_life: Callable[[str], float | None] | None = None,
        in_flight: Callable[[str], tuple[str, str] | None] = lambda _: None,
        **bounds: float,
    ) -> None:
        self.started: list[str] = []
        self.lines: list[tuple[str, str]] = []
        self._programs = programs
        numbers = itertools.count()
        self.supervisor = Supervisor(
            list(programs),
            command=self._command,
            clock=SystemClock(),
            # A new number each time it is asked: never frozen.
            sign_of_life=sign_of_life or (lambda _: float(next(numbers))),
            in_flight=in_flight,
            on_line=lambda account, line: self.lines.append((account, line.decode())),
            bounds=Bounds(**bounds),
        )

    def _command(self, account: str) -> Sequence[str]:
        self.started.append(account)
        program = self._programs[account]
        code = program if isinstance(program, str) else program()
        return [sys.executable, "-c", f"{code}\n{says(0)}"]

    def until(self, condition: Callable[[], Any]) -> int:
        """Run until *condition*, then stop; return the exit code."""
        codes: list[int] = []
        thread = threading.Thread(target=lambda: codes.append(self.supervisor.run()))
        thread.start()
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        self.supervisor.stop()
        thread.join(timeout=60)
        return codes[0]


def in_turn(*programs: str) -> Callable[[], str]:
    """Another program at each start."""
    return iter(programs).__next__


def test_a_worker_gets_the_same_words_and_its_place():
    """Whatever was said on the command line holds; its account is the last word."""
    words = ["start", "--acc", "1", "--speed", "2", "--account=2", "-v"]

    command = worker_command(words, Seat("2", "mark", 3))

    assert [*words, "--worker", "2", "mark", "3"] == command[4:]
    assert Seat("2", "mark", 3) == Seat.parse(command[-3:])


def test_a_worker_that_dies_is_started_again_and_the_others_never_notice():
    """One worker crashes once; the other runs on under its first process."""
    run = Run(
        {"a": in_turn("import sys; sys.exit(9)", "print('again')"), "b": "print('b')"}
    )

    assert ExitCode.DONE == run.supervisor.run()
    assert ["a", "b", "a"] == run.started
    assert {("a", "again\n"), ("b", "b\n")} == set(run.lines)


@pytest.mark.parametrize("code", [0, 3])
def test_a_worker_that_somebody_else_ended_is_started_again(code, caplog):
    """A strategy that calls ``os._exit``, a library that aborts: nobody's wish."""
    run = Run({"a": in_turn(f"import os; os._exit({code})", "")})

    assert ExitCode.DONE == run.supervisor.run()
    assert ["a", "a"] == run.started
    assert f"a: it died with exit code {code}; 1 in a row, again in 1 s" in (
        caplog.messages
    )


def test_it_is_said_in_whose_code_a_worker_froze_or_died(caplog):
    """As far as the worker's own mark says it; one left by another is not believed."""
    signs = {"freezes": itertools.chain([0.0], itertools.repeat(1.0))}
    dies = "import time; time.sleep(1); exit(9)"
    run = Run(
        {
            "freezes": in_turn(HEEDS_NOTHING, ""),
            "dies": in_turn(dies, ""),
            "dies early": in_turn(dies, ""),
        },
        sign_of_life=lambda account: (
            time.monotonic()
            if account == "dies"
            else next(signs.get(account, iter([0])))
        ),
        in_flight=lambda account: (f"Bot of {account}", "on_bar EURUSD"),
        frozen_after=2.0,
        start_within=50.0,
    )

    assert ExitCode.DONE == run.supervisor.run()
    inside = "inside on_bar EURUSD of Bot of"
    told = caplog.messages
    assert f"freezes: FROZEN: no sign of life for 2 s {inside} freezes; killed" in told
    assert f"freezes: it was frozen {inside} freezes; 1 in a row, again in 1 s" in told
    died = "it died with exit code 9"
    assert f"dies: {died} {inside} dies; 1 in a row, again in 1 s" in told
    assert f"dies early: {died}; 1 in a row, again in 1 s" in told


def test_a_worker_that_could_not_load_its_plugins_is_not_started_again(caplog):
    """Codes that would only repeat themselves are final, said, and passed on."""
    run = Run({"a": says(3), "b": says(2)})

    assert ExitCode.PLUGIN == run.supervisor.run()
    assert ["a", "b"] == run.started
    ended = "a: ended for good with exit code 3 (PLUGIN); accounts that go on: "
    assert any(line.startswith(ended) for line in caplog.messages)


def test_a_stop_lets_every_worker_end_by_itself():
    """Workers are asked, not killed, and their last words are heard."""
    ready = "print('up', flush=True);" + HEEDS_ITS_LIFELINE
    run = Run({"a": ready, "b": ready})

    code = run.until(lambda: [("a", "up\n"), ("b", "up\n")] == sorted(run.lines))

    assert ExitCode.DONE == code
    assert [("a", "bye\n"), ("b", "bye\n")] == sorted(run.lines[2:])
    assert [0, 0] == [worker.code for worker in run.supervisor.workers]


def test_a_worker_that_does_not_stop_is_killed_and_the_code_says_so(caplog):
    """It gets its time and no more; the one beside it ends well."""
    ready = "print('up', flush=True);" + HEEDS_ITS_LIFELINE
    run = Run({"a": HEEDS_NOTHING, "b": ready}, stop_within=5.0)

    code = run.until(lambda: len(run.lines) == 2)

    assert ExitCode.CRASHED == code
    assert "a: no stop in 5 s; killed" in caplog.messages
    assert 0 == run.supervisor.workers[1].code
    assert ("b", "bye\n") == run.lines[-1]


def test_a_frozen_worker_is_killed_and_started_again(caplog):
    """A worker that runs but shows no sign of life is replaced; its first start was."""
    numbers = itertools.count(2)
    run = Run(
        {"a": in_turn(HEEDS_NOTHING, "print('again')")},
        sign_of_life=lambda _: next(numbers) if len(run.started) > 1 else 1.0,
        start_within=2.0,
    )

    assert ExitCode.DONE == run.supervisor.run()
    assert ("a", "again\n") == run.lines[-1]
    assert "a: FROZEN: no sign of life for 2 s; killed" in caplog.messages


def test_a_program_that_cannot_be_started_is_tried_again(caplog):
    """An operating system without room for a process is no end of the others."""
    missing = iter(
        [["/no/such/program"], [sys.executable, "-c", f"print('here'); {says(0)}"]]
    )
    run = Run({"a": "print('a')", "b": ""})
    run.supervisor._command = lambda account: (
        next(missing) if account == "b" else run._command(account)
    )

    assert ExitCode.DONE == run.supervisor.run()
    assert {("a", "a\n"), ("b", "here\n")} == set(run.lines)
    assert any("b: it could not be started: " in line for line in caplog.messages)


@pytest.mark.parametrize("megabytes", [4])
def test_a_worker_that_prints_much_is_never_held_up_by_a_full_pipe(megabytes):
    """Long lines, no line end at the last, bytes that are no text: all is read."""
    size = megabytes * 1_000_000
    program = (
        "import sys; out = sys.stdout.buffer;"
        f"out.write(b'x' * {size}); out.write(b'\\n\\xff\\xfe\\n'); out.write(b'end')"
    )
    run = Run({"a": program})
    read: list[bytes] = []
    run.supervisor._on_line = lambda _account, line: read.append(line)

    assert ExitCode.DONE == run.supervisor.run()
    text = b"".join(read)
    assert size == text.count(b"x")
    assert [b"\xff\xfe\n", b"end"] == read[-2:]


def test_the_last_words_of_a_crash_in_native_code_are_heard():
    """A library that takes the process down still says where it was."""
    crash = "import ctypes; print('before'); ctypes.string_at(0)"
    run = Run({"a": in_turn(crash, "print('again')")})

    assert ExitCode.DONE == run.supervisor.run()
    text = "".join(line for _, line in run.lines)
    assert text.startswith("before\n")
    assert re.search(r"(?i)fatal.*\n(.*\n)*.*most recent call first", text)
    assert text.endswith("again\n")


def test_a_traceback_is_heard_to_its_end():
    """Its last line says what was wrong."""
    run = Run({"a": in_turn("raise ValueError('the reason')", "")})

    assert ExitCode.DONE == run.supervisor.run()
    assert ("a", "ValueError: the reason\n") == run.lines[-1]


def test_a_grandchild_that_holds_the_pipe_holds_up_nobody():
    """A worker's end is seen by its process, not by its pipe."""
    program = (
        "import subprocess, sys;"
        "left = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(99)'],"
        " stdin=subprocess.DEVNULL); print(left.pid, flush=True)"
    )
    run = Run({"a": program})

    assert ExitCode.DONE == run.supervisor.run()
    ((_, pid),) = run.lines
    os.kill(int(pid), signal.SIGTERM)  # raises if it had gone before


def test_an_error_of_the_supervisor_s_own_leaves_nobody_behind():
    """Whatever ends it, its workers end with it."""
    calls = itertools.count()

    def broken(_account: str) -> float:
        if next(calls) > 2:
            raise KeyboardInterrupt
        return 1.0

    run = Run({"a": HEEDS_NOTHING}, sign_of_life=broken)

    with pytest.raises(KeyboardInterrupt):
        run.supervisor.run()

    assert [None] == [worker.process for worker in run.supervisor.workers]
