from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from runner.settings import RunnerSettings, SettingsError, load, read_dotenv, secret


def test_defaults_are_paper_on_this_machine():
    """Nothing set means nothing risked."""
    settings = load({}, {})

    assert ("paper", "http://127.0.0.1:8000", None) == (
        settings.terminal,
        settings.api_url,
        settings.redis_url,
    )


def test_a_flag_beats_the_environment_and_that_beats_the_file(tmp_path: Path):
    """The nearer to the command, the stronger."""
    file = tmp_path / "runner.toml"
    file.write_text('poll_interval = 5\nheartbeat_interval = 6\nstate_dir = "f"\n')
    environ = {"MT5RUNNER_POLL_INTERVAL": "7", "MT5RUNNER_HEARTBEAT_INTERVAL": "8"}

    settings = load({"poll_interval": 9.0}, environ, str(file))

    assert (9.0, 8.0, "f") == (
        settings.poll_interval,
        settings.heartbeat_interval,
        settings.state_dir,
    )


def test_redis_url_is_the_seeds_variable_and_ours_goes_before_it():
    """REDIS_URL alone is enough (seed, Configure Environment Variable)."""
    seed = {"REDIS_URL": "redis://a/0"}

    assert "redis://a/0" == load({}, seed).redis_url
    both = seed | {"MT5RUNNER_REDIS_URL": "redis://b/0"}
    assert "redis://b/0" == load({}, both).redis_url


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"MT5RUNNER_POLL_INTERVAL": "often"}, "poll_interval: expected a number"),
        ({"MT5RUNNER_POLL_INTERVAL": "-1"}, "poll_interval: must be > 0, got -1"),
        ({"MT5RUNNER_TERMINAL": "mt4"}, "terminal: "),
        ({"MT5RUNNER_SPEED": "fast"}, "speed: expected a number > 0 or 'max'"),
        ({"MT5RUNNER_STANDBY": "maybe"}, "standby: expected true or false"),
        ({"MT5RUNNER_TIMEFRAME": "H5"}, "timeframe: "),
        ({"MT5RUNNER_ON_RESTART": "close"}, "on_restart: .*adopt.*flatten.*refuse"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(environ, message):
    """One line says which setting, what was expected and what came."""
    with pytest.raises(SettingsError, match=message):
        load({}, environ)


def test_an_unknown_name_in_the_file_is_an_error_with_a_suggestion(tmp_path: Path):
    """A misspelt setting must not be silently without effect."""
    file = tmp_path / "runner.toml"
    file.write_text("poll_intervall = 5\n")

    with pytest.raises(SettingsError, match=r"did you mean .poll_interval"):
        load({}, {}, str(file))


def test_a_file_that_is_not_toml_is_named(tmp_path: Path):
    """The error carries the file and the place."""
    file = tmp_path / "runner.toml"
    file.write_text("poll_interval = = 5\n")

    with pytest.raises(SettingsError, match=r"runner\.toml: .*line 1"):
        load({}, {}, str(file))


def test_dotenv_lines_are_read_and_a_broken_one_is_named(tmp_path: Path):
    """Comments, quotes and export are understood; anything else has its line named."""
    file = tmp_path / ".env"
    file.write_text("# hello\nexport A='1'\nB = two\n\n")
    assert {"A": "1", "B": "two"} == read_dotenv(file)

    file.write_text("A=1\nnonsense\n")
    with pytest.raises(SettingsError, match=r"\.env:2: expected NAME=value"):
        read_dotenv(file)


def test_a_secret_file_is_read_again_each_time_and_an_account_has_its_own(
    tmp_path: Path,
):
    """A replaced key is seen; the account's own key goes before the common one."""
    file = tmp_path / "key"
    file.write_text("one\n")
    environ = {"KEY_FILE": str(file), "KEY_7": "seven"}

    assert "one" == secret("KEY", environ, "8")
    file.write_text("two\n")
    assert "two" == secret("KEY", environ, "8")
    assert "seven" == secret("KEY", environ, "7")
    assert None is secret("OTHER", environ, "7")


def test_no_secret_is_a_setting():
    """Secrets come from the environment alone, so no printed setting can show one."""
    names = {field.name for field in attrs.fields(RunnerSettings)}
    assert set() == {
        name for name in names if name.endswith(("_key", "password", "secret"))
    }
