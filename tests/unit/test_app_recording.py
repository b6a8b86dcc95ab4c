"""What a journal says of the run in its header, and what it must not say."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest

from plugins.sizing import Sizing, SizingSettings
from runner.app.recording import header, how_it_ended, journal_folder, open_recorder
from runner.app.replay import replay
from runner.host.discovery import discover
from runner.host.manager import PluginHost
from runner.host.records import BUILT_IN
from runner.loop.build import Surroundings
from runner.loop.stop import StopRequest
from runner.recorder.ports import calls_of, through
from runner.recorder.segments import runs_of
from runner.replay.reading import JournalError, find_run, read_lines
from runner.settings import RunnerSettings, SettingsError
from runner.testing import FakeClock


def made_header(settings: RunnerSettings, memory_state: Any) -> dict[str, Any]:
    """Return the header of a run with one plugin."""
    host = PluginHost()
    host.attach("sizing", Sizing(SizingSettings(), memory_state), BUILT_IN)
    nothing: Any = None
    around = Surroundings(
        market=nothing,
        broker=nothing,
        link=nothing,
        store=nothing,
        clock=FakeClock(),
        stop=StopRequest(),
    )
    return header(settings, "7", discover(), host, around)


def test_the_header_names_what_decides(memory_state):
    """Versions, the code of each plugin that runs and of each strategy."""
    made = made_header(RunnerSettings(), memory_state)

    assert ("7", False) == (made["account"], made["has_player"])
    assert ["sizing"] == list(made["plugins"])
    assert {"TrendFollowingBot", "MeanReversionBot"} <= made["strategies"].keys()
    assert {"mt5runner", "python", "numpy", "pandas"} == made["versions"].keys()
    assert 16 == len(made["plugins"]["sizing"])
    assert made == json.loads(json.dumps(made))


def test_settings_that_look_like_secrets_are_left_out_and_named(memory_state):
    """Addresses lose their user; where Redis and the API are is not written at all."""
    settings = RunnerSettings(
        redis_url="redis://user:redis-pass@host/0",
        api_url="https://api.example",
        plugins={
            "feed": {
                "api_key": "abc",
                "auth": {"Token": "abc", "retries": 3},
                "url": "https://me:feed-pass@news.example/a?token=feed-pass",
                "paths": [Path("a")],
            }
        },
    )

    made = made_header(settings, memory_state)

    assert made["settings"]["plugins"] == {
        "feed": {
            "auth": {"retries": 3},
            "url": "https://news.example/a",
            "paths": ["a"],
        }
    }
    assert ["plugins.feed.api_key", "plugins.feed.auth.Token"] == made["left_out"]
    assert "pass" not in json.dumps(made)
    assert "example/0" not in json.dumps(made)


def test_keys_and_passwords_that_the_runner_knows_are_masked(tmp_path, monkeypatch):
    """The API key, the terminal's password and that of Redis."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MT5RUNNER_API_KEY", "key-of-the-api")
    monkeypatch.setenv("MT5RUNNER_MT5_PASSWORD", "word-of-terminal")
    settings = RunnerSettings(
        redis_url="redis://user:word%21of-redis@host/0", journal=str(tmp_path / "j")
    )
    recorder = open_recorder(settings, "7", FakeClock())
    assert recorder is not None
    recorder.begin(lambda: {"says": "key-of-the-api"})
    market: Any = SimpleNamespace(**dict.fromkeys(calls_of("market")))
    market.tick = lambda name: None
    port = through("market", recorder, market)
    for word in (
        "key-of-the-api",
        "word-of-terminal",
        "word%21of-redis",
        "word!of-redis",
    ):
        port.tick(word)
    recorder.close("done")

    run = find_run(tmp_path / "j")
    assert {"says": "***"} == run.header
    assert ['"***"'] * 4 == [
        line.text.split("[")[2].split("]")[0] for line in list(read_lines(run))[:-1]
    ]


def test_journals_lie_in_the_state_directory_unless_they_are_told_otherwise():
    """On by default: nobody switches it on after the day it was needed."""
    settings = RunnerSettings(state_dir="state")

    assert Path("state/journal") == journal_folder(settings)
    assert Path("far") == journal_folder(attrs.evolve(settings, journal="far"))
    assert None is journal_folder(attrs.evolve(settings, journal="off"))


def test_a_file_in_the_folders_place_is_refused(tmp_path):
    """That can never work, and whoever wrote it means something else."""
    (tmp_path / "j").write_text("")
    settings = RunnerSettings(journal=str(tmp_path / "j"))

    with pytest.raises(SettingsError, match="expected a folder, got a file"):
        open_recorder(settings, "7", FakeClock())
    assert () == tuple(runs_of(tmp_path / "j"))


def test_a_journal_whose_header_says_too_little_is_refused(tmp_path):
    """What the loop ran on would have to be guessed."""
    recorder = open_recorder(RunnerSettings(journal=str(tmp_path)), "7", FakeClock())
    assert recorder is not None
    recorder.begin(lambda: {"account": "7", "settings": {"terminal": "paper"}})
    recorder.close("done")

    with pytest.raises(JournalError, match="its header is damaged"):
        replay(tmp_path, RunnerSettings())


def test_a_run_that_an_error_ended_says_which():
    """On one line."""
    assert "ValueError: no such luck" == how_it_ended(ValueError("no such\nluck"))


def test_the_password_of_redis_may_stand_behind_a_question_mark(tmp_path, monkeypatch):
    """The client takes it there, too."""
    monkeypatch.chdir(tmp_path)
    url = "redis://host/0?password=word-of-redis"
    settings = RunnerSettings(redis_url=url, journal=str(tmp_path / "j"))
    recorder = open_recorder(settings, "7", FakeClock())
    assert recorder is not None
    recorder.begin(lambda: {"says": "word-of-redis"})
    recorder.close("done")

    assert {"says": "***"} == find_run(tmp_path / "j").header
