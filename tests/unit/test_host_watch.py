"""Calls of authors' code end in time, and nothing else is ever interrupted."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from runner.host.containment import OvertimeError, Raised
from runner.host.watch import Watch, interrupt_by_flag, interrupt_by_kill

LIMIT = 0.1
LONG = 60.0  # seconds; what a call would take that nobody breaks off
POSIX = pytest.mark.skipif(os.name == "nt", reason="no pthread_kill")


@contextmanager
def _watching(
    interrupt: Callable[[int], None] = interrupt_by_flag, limit: float = LIMIT
) -> Iterator[Watch]:
    watch = Watch(limit, interrupt)
    watch.start()
    try:
        yield watch
    finally:
        watch.stop()


def _spin(seconds: float = LONG) -> str:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass
    return "done"


def _spins_and_swallows_once() -> str:
    try:
        return _spin()
    except:  # noqa: E722 - what an author may write
        return _spin()


def _spins_while_it_cleans_up() -> str:
    try:
        return _spin()
    finally:
        _spin()


def _spins_and_forgives_exceptions() -> str:
    while True:
        with contextlib.suppress(Exception):
            _spin()


def _waits_for_a_lock() -> str:
    threading.Event().wait(LONG)
    return "done"


def _generates() -> list[int]:
    return [1 for _ in iter(int, 1)]


@contextmanager
def _log() -> Iterator[logging.Logger]:
    log = logging.getLogger("mt5runner.test_host_watch")
    handler = logging.FileHandler(os.devnull)
    log.addHandler(handler)
    log.propagate = False
    try:
        yield log
    finally:
        log.removeHandler(handler)
        handler.close()
        log.propagate = True


def _logs() -> None:
    with _log() as log:
        while True:
            log.error("and on")


def _logs_from_c() -> None:
    with _log() as log:
        any(map(log.error, itertools.repeat("and on")))


class _ShyError(Exception):
    def __str__(self) -> str:
        return _spin()


def _raises_what_never_says_it() -> None:
    raise _ShyError


@pytest.mark.parametrize(
    "interrupt",
    [interrupt_by_flag, pytest.param(interrupt_by_kill, marks=POSIX)],
)
@pytest.mark.parametrize(
    "endless",
    [
        _spin,
        _spins_and_swallows_once,
        _spins_while_it_cleans_up,
        _spins_and_forgives_exceptions,
        _generates,
        _logs,
        _logs_from_c,
        _raises_what_never_says_it,
    ],
)
def test_an_endless_call_is_broken_off(
    endless: Callable[[], Any], interrupt: Callable[[int], None]
) -> None:
    """Whatever the author catches, on Windows' way and on POSIX'."""
    with _watching(interrupt) as watch:
        began = time.monotonic()
        answer = watch.attempt("bot", "on_bar", endless)

    assert isinstance(answer, Raised)
    assert str(answer).endswith("OvertimeError: took longer than 0.1 s")
    assert time.monotonic() - began < LONG / 2


def test_the_report_says_in_which_line_it_was_broken_off() -> None:
    """An author looks for the loop there."""
    with _watching() as watch:
        answer = watch.attempt("bot", "on_bar", _spins_and_forgives_exceptions)

    assert isinstance(answer, Raised)
    assert ["_spins_and_forgives_exceptions", "_spin"] == [
        frame.name for frame in answer.frames()
    ]


@POSIX
@pytest.mark.parametrize("wait", [lambda: time.sleep(LONG), _waits_for_a_lock])
def test_on_posix_a_sleep_and_a_wait_are_broken_off_too(
    wait: Callable[[], Any],
) -> None:
    """A real signal wakes what waits in the system."""
    with _watching(interrupt_by_kill) as watch:
        began = time.monotonic()
        answer = watch.attempt("bot", "on_bar", wait)

    assert isinstance(answer, Raised)
    assert time.monotonic() - began < LONG / 2


def test_who_traces_this_process_goes_on_after_a_call_that_was_broken_off() -> None:
    """Coverage and debuggers are put aside for the end of an overdue call alone."""
    before = sys.gettrace()
    with _watching() as watch:
        watch.attempt("bot", "on_bar", _logs)

    assert before is sys.gettrace()


def _turns_it_into_its_own() -> str:
    try:
        return _spin()
    except BaseException:  # noqa: BLE001 - what an author may write
        raise ValueError("of its own") from None


def test_what_becomes_of_the_interruption_is_not_the_authors_to_say() -> None:
    """An error made of it depends on the instant, and could not be replayed."""
    with _watching() as watch:
        answer = watch.attempt("bot", "on_bar", _turns_it_into_its_own)

    assert "took longer than 0.1 s" in str(answer)


@pytest.mark.parametrize(
    "error",
    [asyncio.CancelledError(), GeneratorExit(), type("Odd", (BaseException,), {})()],
)
def test_what_libraries_derive_from_base_exception_is_contained(
    error: BaseException,
) -> None:
    """Such as the end of a task in a strategy that uses asyncio."""

    def call() -> None:
        raise error

    answer = Watch().attempt("bot", "on_bar", call)

    assert isinstance(answer, Raised)
    assert error is answer.error


def test_the_users_second_ctrl_c_goes_through() -> None:
    """Nobody's call may keep it."""

    def call() -> None:
        raise KeyboardInterrupt

    watch = Watch()
    with pytest.raises(KeyboardInterrupt):
        watch.attempt("bot", "on_bar", call)

    assert "done" == watch.attempt("bot", "on_bar", lambda: "done")


def test_a_call_that_returns_too_late_has_failed() -> None:
    """Nothing could break it off: its answer is of a market that is gone."""
    with _watching(lambda _thread: None) as watch:
        late = watch.attempt("bot", "on_bar", _spin, LIMIT * 5)
        soon = watch.attempt("bot", "on_bar", lambda: "done")

    assert isinstance(late, Raised)
    assert isinstance(late.error, OvertimeError)
    assert "done" == soon


def test_a_call_in_time_is_left_alone() -> None:
    """Many of them take longer than the limit together."""
    with _watching(limit=1.0) as watch:
        answers = [watch.attempt("bot", "on_bar", _spin, 0.05) for _ in range(30)]

    assert ["done"] * 30 == answers


def test_a_signal_that_comes_late_interrupts_nobody() -> None:
    """Not the host between two calls, not the next call."""
    asked: list[int] = []
    with _watching(asked.append, limit=0.5) as watch:
        watch.attempt("bot", "on_bar", _spin, 1.0)
        number = getattr(signal, "SIGUSR1", signal.SIGABRT)
        signal.raise_signal(number)
        between = _spin(LIMIT / 10)

        def next_call() -> str:
            signal.raise_signal(number)
            return _spin(LIMIT / 10)

        after = watch.attempt("bot", "on_bar", next_call)

    assert [] != asked
    assert ("done", "done") == (between, after)


def test_the_runners_own_work_is_finished_first() -> None:
    """A value that a hook writes to disk is written wholly, then the hook ends."""
    done: list[str] = []
    own: dict[str, Any] = {"__name__": "runner.made", "time": time, "done": done}
    exec(  # a module of the runner's, as far as its frames tell
        "def write(seconds):\n"
        "    until = time.monotonic() + seconds\n"
        "    while time.monotonic() < until:\n"
        "        pass\n"
        "    done.append('written')\n",
        own,
    )

    def hook() -> None:
        own["write"](LIMIT * 5)
        _spin()

    with _watching() as watch:
        answer = watch.attempt("guard", "on_account", hook)

    assert ["written"] == done
    assert isinstance(answer, Raised)


def test_work_for_an_overdue_call_is_the_last_that_is_begun() -> None:
    """Also where every signal meets the runner's code and none the author's."""
    asked: list[int] = []
    works: list[str] = []
    number = getattr(signal, "SIGUSR1", signal.SIGABRT)
    own: dict[str, Any] = {
        "__name__": "runner.made",
        "asked": asked,
        "works": works,
        "strike": partial(signal.raise_signal, number),
    }
    exec(
        "def work():\n"
        "    while not asked:\n"
        "        pass\n"
        "    strike()\n"
        "    works.append('done')\n",
        own,
    )

    def loop() -> None:
        for _ in range(1000):
            own["work"]()

    with _watching(asked.append) as watch:
        answer = watch.attempt("bot", "on_bar", loop)

    assert ["done"] == works
    assert isinstance(answer, Raised)


def test_calls_about_as_long_as_the_limit_never_harm_the_caller() -> None:
    """The signal comes before, in and after the end of the call, thousands of times."""
    limit = 0.002
    answers: list[object] = []
    with _watching(limit=limit) as watch:
        for number in range(1500):
            seconds = limit * (0.9 + 0.4 * (number % 50) / 50)
            answers.append(watch.attempt("bot", "on_bar", _spin, seconds))

    assert {str, Raised} >= {type(answer) for answer in answers}
    assert 1500 == len(answers)


def _asks_another_first(watch: Watch) -> str:
    watch.attempt("guard", "on_account", lambda: None)
    return _spin()


def _asks_another_that_spins(watch: Watch) -> str:
    watch.attempt("guard", "on_account", _spin)
    return "done"


@pytest.mark.parametrize("asks", [_asks_another_first, _asks_another_that_spins])
def test_a_call_inside_a_call_belongs_to_the_outer_one(
    asks: Callable[[Watch], str],
) -> None:
    """The time is counted once, and the outer one is broken off."""
    with _watching() as watch:
        began = time.monotonic()
        answer = watch.attempt("bot", "on_bar", asks, watch)

    assert isinstance(answer, Raised)
    assert time.monotonic() - began < LONG / 2


def test_without_a_limit_nothing_is_watched() -> None:
    """Tests and replays that do not ask for it have no thread and no signal."""
    before = signal.getsignal(signal.SIGABRT), threading.active_count()
    watch = Watch()
    watch.start()

    assert "done" == watch.attempt("bot", "on_bar", _spin, 0.01)
    assert before == (signal.getsignal(signal.SIGABRT), threading.active_count())
    watch.stop()


def test_only_the_main_thread_can_be_watched() -> None:
    """Others get no signals, so that a bound would be a promise not kept."""
    errors: list[BaseException] = []

    def start() -> None:
        try:
            Watch(LIMIT).start()
        except RuntimeError as error:
            errors.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()

    assert ["the main thread alone can be watched"] == [str(one) for one in errors]


def test_the_call_in_flight_is_marked_and_the_mark_taken_back() -> None:
    """Also after a failure, since only an end inside a call leaves it."""
    marks: list[object] = []

    class Marker:
        def enter(self, name: str, where: str) -> None:
            marks.append((name, where))

        def leave(self) -> None:
            marks.append("left")

        def close(self) -> None:
            marks.append("closed")

    watch = Watch()
    watch.marker = Marker()
    watch.attempt("bot", "on_bar EURUSD", lambda: 1 / 0)
    watch.stop()

    assert [("bot", "on_bar EURUSD"), "left", "closed"] == marks
