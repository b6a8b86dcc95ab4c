"""What is loaded for an account, and what is said of what is not."""

from __future__ import annotations

import pytest
from memory_store import MemoryStore

from runner.app.plugins import load_plugins
from runner.host.records import PluginError
from runner.settings import RunnerSettings


def test_a_file_that_cannot_be_loaded_is_told_and_left_out(tmp_path, caplog):
    """The others run without it."""
    (tmp_path / "broken.py").write_text("def oops(:")

    _, host = load_plugins(RunnerSettings(plugin_dirs=(str(tmp_path),)), MemoryStore())

    assert "drawdown" in host.plugins
    (line,) = caplog.messages
    assert line.startswith("could not be loaded: broken")


def test_what_refuses_the_start_is_told_once(tmp_path, caplog):
    """By the error itself: a second line of the same looks like a second fault."""
    missing = RunnerSettings(plugin_dirs=(str(tmp_path / "none"),))

    with pytest.raises(PluginError, match="expected a folder that can be read"):
        load_plugins(missing, MemoryStore())

    assert [] == caplog.messages
