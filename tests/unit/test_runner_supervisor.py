from __future__ import annotations

import itertools
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from runner.exit_codes import ExitCode
from runner.supervisor import Supervisor, delay_after, worker_command


class RealClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)


def always_new() -> Callable[[str], float]:
    """Signs of life of a worker that is never frozen."""
    numbers = itertools.count()
    return lambda _: float(next(numbers))


def test_restarts_back_off_from_a_second_to_a_minute():
    """A crash loop is contained."""
    assert [1, 2, 4, 8, 16, 32, 60, 60] == [delay_after(n) for n in range(1, 9)]


def test_a_worker_gets_the_same_words_with_its_own_account_alone():
    """Whatever else was said on the command line holds for every worker."""
    words = ["start", "--account", "1", "--speed", "2", "--account=2", "-v"]

    command = worker_command(words, "2")

    assert ["start", "--speed", "2", "-v", "--account", "2"] == command[4:]


def test_a_worker_that_dies_is_started_again_and_the_others_never_notice(tmp_path):
    """One worker crashes once; the other runs on under its first process."""
    mark = tmp_path / "died"
    crash_once = (
        f"import pathlib,sys; p=pathlib.Path({str(mark)!r});"
        "d=p.exists(); p.touch(); sys.exit(0 if d else 9)"
    )
    log: list[str] = []

    def command(account: str) -> list[str]:
        log.append(account)
        code = crash_once if account == "a" else "import time; time.sleep(2)"
        return [sys.executable, "-c", code]

    supervisor = Supervisor(["a", "b"], command, RealClock(), always_new())
    code = supervisor.run()

    assert ExitCode.DONE == code
    assert ["a", "b", "a"] == log


def test_a_worker_that_could_not_load_its_plugins_is_not_started_again():
    """Codes that would only repeat themselves are final and are passed on."""
    supervisor = Supervisor(
        ["a"],
        lambda _: [sys.executable, "-c", "import sys; sys.exit(3)"],
        RealClock(),
        always_new(),
    )

    assert ExitCode.PLUGIN == supervisor.run()


def test_a_stop_lets_every_worker_end_by_itself(tmp_path: Path):
    """Workers are asked, not killed: each can write its last words."""
    program = (
        "import signal,sys,time,pathlib\n"
        "def stop(*_):\n"
        "    pathlib.Path(sys.argv[1]).write_text('stopped'); sys.exit(0)\n"
        "for name in ('SIGTERM','SIGBREAK'):\n"
        "    if hasattr(signal,name): signal.signal(getattr(signal,name), stop)\n"
        "pathlib.Path(sys.argv[1]).write_text('ready')\n"
        "while True: time.sleep(0.05)\n"
    )
    files = {name: tmp_path / name for name in "ab"}
    supervisor = Supervisor(
        ["a", "b"],
        lambda name: [sys.executable, "-c", program, str(files[name])],
        RealClock(),
        always_new(),
    )
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    deadline = time.monotonic() + 20
    while not all(f.exists() and f.read_text() == "ready" for f in files.values()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    supervisor.stop()
    thread.join(timeout=20)

    assert ["stopped", "stopped"] == [file.read_text() for file in files.values()]
    assert [0, 0] == [worker.code for worker in supervisor.workers]


def test_a_frozen_worker_is_killed_and_started_again(tmp_path: Path):
    """A worker that runs but shows no sign of life is replaced; its first start was."""
    mark = tmp_path / "froze"
    freeze_once = (
        f"import pathlib,sys,time; p=pathlib.Path({str(mark)!r});"
        "d=p.exists(); p.touch(); sys.exit(0) if d else time.sleep(600)"
    )
    supervisor = Supervisor(
        ["a"],
        lambda _: [sys.executable, "-c", freeze_once],
        RealClock(),
        lambda _: 1.0,
        start_within=2.0,
    )

    assert ExitCode.DONE == supervisor.run()
    assert 1 == supervisor.workers[0].failures
