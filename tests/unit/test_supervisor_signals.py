"""The signals that ask for a clean stop."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from runner.supervisor import on_stop_signals

NAMES = [
    name
    for name in ("SIGINT", "SIGTERM", "SIGBREAK", "SIGHUP")
    if hasattr(signal, name)
]


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """Those of the test run come back."""
    numbers = [getattr(signal, name) for name in NAMES]
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize("name", NAMES)
def test_each_asks_for_a_stop_by_its_name(name: str) -> None:
    """Also that of a terminal window which is closed."""
    asked: list[str] = []
    on_stop_signals(asked.append)

    signal.raise_signal(getattr(signal, name))

    assert [name] == asked


@pytest.mark.skipif("SIGHUP" not in NAMES, reason="there is no nohup")
def test_nohup_outlives_the_terminal() -> None:
    """Who ignores that it is closed means it."""
    asked: list[str] = []
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    on_stop_signals(asked.append)

    signal.raise_signal(signal.SIGHUP)

    assert [] == asked
