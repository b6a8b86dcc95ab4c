"""`runner plugins`: what was found, from where, and what failed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.cli import main

FOLDERS = Path(__file__).parents[1] / "data" / "plugin_dirs"
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run the command in an empty directory; return exit code and output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MT5RUNNER_PLUGIN_DIRS", raising=False)

    def run(*words: str) -> tuple[int, str]:
        code = main(["plugins", *words])
        return code, capsys.readouterr().out

    return run


def _json(run: Run, *words: str) -> tuple[int, dict[str, Any]]:
    code, text = run("--json", *words)
    return code, json.loads(text)


def test_the_built_ins_are_listed(run: Run) -> None:
    """Each plugin stands with its source and hooks, each strategy with parameters."""
    code, text = run()

    lines = [line.split() for line in text.splitlines()]
    assert 0 == code
    assert ["drawdown", "built-in"] in lines
    assert ["TrendFollowingBot", "built-in"] in lines
    assert "check_trading" in text
    assert "lookback_period=100" in text
    assert "could not be loaded" not in text


def test_a_guard_that_waits_for_its_settings_says_so(run: Run, tmp_path: Path) -> None:
    """It runs when the file has a section for it."""
    (tmp_path / "bots.toml").write_text("[plugins.spread]\npoints = 20.0\n")

    _, text = run("--config", "bots.toml")
    _, told = _json(run, "--config", "bots.toml")

    lines = [line.split() for line in text.splitlines()]
    configured = {one["name"]: one["configured"] for one in told["plugins"]}
    assert ["cooldown", "built-in", "(not", "configured)"] in lines
    assert ["spread", "built-in"] in lines
    assert (False, True) == (configured["cooldown"], configured["spread"])


def test_a_folder_is_listed_with_its_paths(run: Run) -> None:
    """The user sees which file a name comes from."""
    code, text = run("--plugin-dir", str(FOLDERS / "good"))

    lines = [line.split() for line in text.splitlines()]
    assert 0 == code
    assert ["max_positions", str(FOLDERS / "good" / "max_positions.py")] in lines
    assert ["Levels", str(FOLDERS / "good" / "levels.py")] in lines
    assert ["Carry", str(FOLDERS / "good" / "portfolio")] in lines


def test_what_failed_is_told_with_file_line_and_remedy(run: Run) -> None:
    """The good one is listed beside the others' failures; the exit code is 3."""
    code, text = run("--plugin-dir", str(FOLDERS / "mixed"))

    folder = FOLDERS / "mixed"
    shown, _, failed = text.partition("could not be loaded: 2\n")
    assert 3 == code
    assert "GoodBot" in shown
    assert [
        f"  typing_error: {folder / 'typing_error.py'}:4",
        "    @hookimpl marks check_ordr, which is no hook",
        "    remedy: did you mean check_order?",
        f"  unfinished: {folder / 'unfinished.py'}:4",
    ] == failed.splitlines()[:4]
    assert "    remedy: correct that line" == failed.splitlines()[-1]


def test_the_way_to_an_error_is_shown(run: Run) -> None:
    """An error that came up in a neighbour's code shows by way of which line."""
    _, text = run("--plugin-dir", str(FOLDERS / "imports"))

    file = FOLDERS / "imports" / "raises.py"
    assert f'by way of {file}:5: LIMIT = read("limit")' in text


def test_no_line_but_a_path_is_wider_than_a_terminal(run: Run) -> None:
    """Eighty columns are enough for everything that can be broken."""
    _, text = run("--plugin-dir", str(FOLDERS / "good"))

    assert [] == [
        line for line in text.splitlines() if len(line) > 80 and os.sep not in line
    ]


def test_json_tells_the_same(run: Run) -> None:
    """Programs get every field, with None where there is no file or line."""
    code, found = _json(run, "--plugin-dir", str(FOLDERS / "mixed"))

    folder = FOLDERS / "mixed"
    [bot] = [each for each in found["strategies"] if each["name"] == "GoodBot"]
    [failure] = [each for each in found["failures"] if each["name"] == "typing_error"]
    path = {"kind": "path", "version": ""}
    assert 3 == code
    assert {
        "name": "GoodBot",
        "source": path | {"name": str(folder / "good_bot.py")},
        "hooks": [],
        "parameters": {},
    } == bot
    assert {
        "name": "typing_error",
        "source": path | {"name": str(folder / "typing_error.py")},
        "file": str(folder / "typing_error.py"),
        "line": 4,
        "message": "@hookimpl marks check_ordr, which is no hook",
        "remedy": "did you mean check_order?",
        "trace": [],
        "refuses_start": False,
    } == failure
    assert found["start_refused"] is None


def test_settings_that_refuse_the_start_are_told(run: Run, tmp_path: Path) -> None:
    """What is enabled and not there is a failure here as well."""
    settings = tmp_path / "runner.toml"
    settings.write_text(
        'enabled_plugins = ["max_position"]\ndisabled_plugins = ["news_pause"]\n'
    )

    code, text = run("--config", str(settings), "--plugin-dir", str(FOLDERS / "good"))

    assert 3 == code
    assert "built-in (disabled)" in text
    assert "`runner start` refuses:" in text
    assert "did you mean max_positions?" in text


def test_a_folder_that_is_not_there_is_a_failure(run: Run, tmp_path: Path) -> None:
    """A mistyped folder is told, and refuses the start."""
    code, found = _json(run, "--plugin-dir", str(tmp_path / "nowhere"))

    [failure] = found["failures"]
    assert 3 == code
    assert failure["refuses_start"]
    assert "expected a folder that can be read" in found["start_refused"]
