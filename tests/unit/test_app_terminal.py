"""From settings to a terminal that can be connected to."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import pytest

from runner.adapters.mt5_simulator.pipe import key_file, make_key
from runner.adapters.mt5_simulator.service import TerminalService
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal
from runner.app.paper import PAPER_SERVER
from runner.app.terminal import open_terminal
from runner.settings import RunnerSettings
from runner.testing import FakeClock


@pytest.fixture
def _package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The terminal's package, which exists on Windows only."""
    terminal = SimulatedTerminal(login=7, server="S")
    monkeypatch.setitem(sys.modules, "MetaTrader5", terminal)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("_package")
def test_among_several_accounts_no_terminal_is_guessed():
    """Without a path the module would take any that it finds."""
    settings = RunnerSettings(accounts=("7",), terminal="mt5")

    with pytest.raises(ValueError, match="terminal path: required"):
        open_terminal(settings, "7", FakeClock(), among=2).connect()

    assert 7 == open_terminal(settings, "7", FakeClock(), among=1).connect().login


@pytest.mark.usefixtures("_package")
def test_path_server_and_password_are_the_account_s_own(monkeypatch):
    """Each goes to the terminal that it belongs to."""
    monkeypatch.setenv("MT5RUNNER_MT5_PASSWORD", "of all")
    monkeypatch.setenv("MT5RUNNER_MT5_PASSWORD_7", "of seven")
    settings = RunnerSettings(
        accounts=("7",), terminal="mt5", mt5_path="C:/7/t.exe", mt5_server="S"
    )

    login = open_terminal(settings, "7", FakeClock(), among=2).login

    assert ("C:/7/t.exe", "S", "of seven", 7) == (
        login.terminal_path,
        login.server,
        login.password,
        login.account,
    )


def test_a_paper_terminal_of_another_account_is_refused(tmp_path):
    """As the real one is: two runners would trade one account."""
    terminal = SimulatedTerminal(login=7, server=PAPER_SERVER)
    key = make_key(key_file(tmp_path))
    with closing(TerminalService(terminal, key=key)) as service:
        settings = RunnerSettings(state_dir=str(tmp_path), paper_terminal=service.port)
        mine = open_terminal(settings, "7", FakeClock())
        assert 7 == mine.connect().login
        mine.adapter.close()

        with pytest.raises(ValueError, match="Authorization failed"):
            open_terminal(settings, "8", FakeClock()).connect()
