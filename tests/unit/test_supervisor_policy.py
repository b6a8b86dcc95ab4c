"""When a worker counts as frozen, when it starts again, how it all ended."""

from __future__ import annotations

import pytest

from runner.exit_codes import ExitCode
from runner.supervisor.policy import (
    FINAL,
    HEALTHY_AFTER,
    HELD_BACK_FROM,
    Bounds,
    Pulse,
    crashes_in_a_row,
    delay_after,
    exit_code_of_all,
)
from runner.supervisor.seat import seal, unseal

BOUNDS = Bounds(frozen_after=10.0, start_within=30.0)


def test_restarts_back_off_and_are_held_back_up_to_ten_minutes():
    """The delay grows to a stated maximum and stays there, however often."""
    delays = [delay_after(crashes) for crashes in range(1, 11)]

    assert [1, 2, 4, 8, 60, 120, 240, 480, 600, 600] == delays
    assert 60 == delay_after(HELD_BACK_FROM)
    assert 600 == delay_after(10_000)


def test_a_crash_after_a_healthy_life_is_the_first_again():
    """Crashes in a row are those that follow each other within the window."""
    assert 4 == crashes_in_a_row(3, lived=HEALTHY_AFTER - 1)
    assert 1 == crashes_in_a_row(3, lived=HEALTHY_AFTER)


def test_a_start_has_longer_than_a_silence():
    """Until the first sign the start's bound holds, also where an old sign lies."""
    pulse = Pulse(started_at=100.0, sign=7.0)

    assert None is pulse.see(7.0, 129.0).silent_too_long(129.0, BOUNDS)
    assert 30.0 == pulse.see(7.0, 130.0).silent_too_long(130.0, BOUNDS)


def test_a_silence_counts_from_the_last_change_of_the_sign():
    """Whatever the sign's own number says: another clock wrote it."""
    pulse = Pulse(started_at=100.0).see(9e9, 110.0).see(-5.0, 120.0)

    assert None is pulse.see(-5.0, 129.0).silent_too_long(129.0, BOUNDS)
    assert 10.0 == pulse.see(-5.0, 130.0).silent_too_long(130.0, BOUNDS)


def test_a_sign_that_vanishes_is_a_change_and_then_a_silence():
    """A file that somebody deleted is written anew by a worker that lives."""
    pulse = Pulse(started_at=0.0).see(1.0, 5.0).see(None, 6.0)

    assert None is pulse.silent_too_long(15.0, BOUNDS)
    assert 10.0 == pulse.silent_too_long(16.0, BOUNDS)


def test_a_terminal_has_time_to_connect_anew():
    """To reconnect takes 100 s, to start one and log in up to 160."""
    assert (True, True) == (Bounds().frozen_after > 100, Bounds().start_within > 160)


def test_only_codes_that_would_repeat_themselves_are_final():
    """A lease lapses and a server comes back, so those are tried again."""
    assert {ExitCode.DONE, ExitCode.USAGE, ExitCode.PLUGIN} == FINAL


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ([], ExitCode.DONE),
        ([ExitCode.DONE, ExitCode.DONE], ExitCode.DONE),
        ([ExitCode.DONE, ExitCode.PLUGIN, ExitCode.USAGE], ExitCode.PLUGIN),
        ([ExitCode.DONE, ExitCode.CRASHED], ExitCode.CRASHED),
    ],
)
def test_the_code_of_all_is_the_highest(codes, expected):
    """And one that a service manager can read."""
    assert expected == exit_code_of_all(codes)


@pytest.mark.parametrize("code", list(ExitCode))
def test_what_a_worker_says_is_read_back(code):
    """Each code of the runner's, as far as a process can end with it on POSIX."""
    if code is not ExitCode.INTERRUPTED:  # never said: nobody is left to say it
        assert seal(code) < 256
    assert code is unseal(seal(code))


@pytest.mark.parametrize(
    "code",
    [
        *ExitCode,  # a strategy that calls os._exit, argparse, an abort on Windows
        -9,  # killed, as POSIX tells it
        0xC0000005,  # an access violation, as Windows does
        255,
    ],
)
def test_a_code_that_the_runner_did_not_say_is_no_wish_of_its(code):
    """Such an account is started again, whatever the number."""
    assert unseal(code) is None
