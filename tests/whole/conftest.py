"""What several tests of the whole runner need."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from account_run import AccountRun
from guarded_account import GuardedAccount


@pytest.fixture
def make(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[..., GuardedAccount]]:
    """Make accounts under a guard, its settings as in a settings file.

    Whatever was denied on them must be in the log, with its reason.
    """
    caplog.set_level(logging.INFO, "mt5runner")
    made: list[GuardedAccount] = []

    def make(guard: str, *, also: Any = None, **settings: Any) -> GuardedAccount:
        made.append(GuardedAccount({guard: settings}, **(also or {})))
        return made[-1]

    yield make
    lines = [record.getMessage() for record in caplog.get_records("call")]
    told = "".join(line for line in lines if line.startswith("denied "))
    assert [] == [
        code for account in made for code in account.denied.codes if code not in told
    ]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AccountRun]:
    """A server that knows an account, and what starts that account."""
    monkeypatch.chdir(tmp_path)
    project = logging.getLogger("mt5runner")
    handlers, level, propagate = project.handlers[:], project.level, project.propagate
    made = AccountRun(tmp_path)
    yield made
    made.close()
    project.handlers[:], project.propagate = handlers, propagate
    project.setLevel(level)
