from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from runner.settings import RunnerSettings, SettingsError
from runner.settings_sources import load, read_dotenv, secret


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
        ({"MT5RUNNER_TIMEFRAME": "H5"}, r"expected one of M1, .*MN1, got \"H5\"$"),
        ({"MT5RUNNER_SPEED": "fast"}, "^speed: expected a number > 0"),
        ({"MT5RUNNER_API_URL": "ftp://host"}, "api_url: expected http://HOST"),
        ({"MT5RUNNER_API_URL": "http://"}, "api_url: expected http://HOST"),
        ({"MT5RUNNER_API_URL": "https://[::1"}, "api_url: expected http://HOST"),
        ({"MT5RUNNER_API_URL": "https://u:p@host"}, "without user and password"),
        ({"REDIS_URL": "localhost:6379"}, "redis_url: expected redis://HOST:PORT/0"),
        ({"REDIS_URL": "redis://host:x/0"}, "redis_url: expected redis://HOST:PORT/0"),
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


@pytest.mark.parametrize(
    "variable",
    [
        "MT5RUNNER_POLL_INTERVALL",
        "MT5RUNNER_ACCOUNT",
        "MT5RUNNER_PLUGIN_DIR",
        "MT5RUNNER_APIKEY",
        "MT5RUNNER_MT5_PASWORD_FILE",
    ],
)
def test_a_misspelt_variable_is_an_error_with_a_suggestion(variable):
    """It would be without effect, and nobody would know."""
    with pytest.raises(SettingsError, match=rf"{variable}: .*did you mean MT5RUNNER_"):
        load({}, {variable: "1"})


def test_a_table_in_the_environment_is_refused():
    """Plugins' settings stand in the file alone."""
    with pytest.raises(SettingsError, match=r"MT5RUNNER_PLUGINS: .*--config"):
        load({}, {"MT5RUNNER_PLUGINS": "limits"})


def test_secrets_and_variables_of_others_are_no_misspelt_settings():
    """A program that is run by us may have names that begin like ours."""
    environ = {
        "MT5RUNNER_API_KEY_123456_FILE": "x",
        "MT5RUNNER_MT5_PASSWORD": "x",
        "MT5RUNNER_SEED": "x",
        "OTHER_POLL_INTERVALL": "x",
    }

    assert load({}, {}) == load({}, environ)


def test_no_error_shows_the_password_of_an_address():
    """It would stand in the log."""
    with pytest.raises(SettingsError) as raised:
        load({}, {"MT5RUNNER_API_URL": "ftp://user:hunter2@host"})

    assert "hunter2" not in str(raised.value)
    assert "ftp://***@host" in str(raised.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_files_are_utf_8_with_or_without_a_byte_order_mark(tmp_path: Path, encoding):
    """Editors of Windows put one there."""
    toml, dotenv, key = tmp_path / "a.toml", tmp_path / ".env", tmp_path / "key"
    toml.write_text('state_dir = "é"', encoding)
    dotenv.write_text("A=é", encoding)
    key.write_text("hunter2\n", encoding)

    assert "é" == load({}, {}, str(toml)).state_dir
    assert {"A": "é"} == read_dotenv(dotenv)
    assert "hunter2" == secret("KEY", {"KEY_FILE": str(key)})


def test_a_file_in_another_encoding_is_named(tmp_path: Path):
    """PowerShell's > writes UTF-16."""
    file = tmp_path / "any"
    file.write_text("A=1", "utf-16")

    with pytest.raises(SettingsError, match=r"--config .*any: expected UTF-8"):
        load({}, {}, str(file))
    with pytest.raises(SettingsError, match=r"any: expected UTF-8"):
        read_dotenv(file)
    with pytest.raises(SettingsError, match=r"^KEY_FILE .*any: expected UTF-8"):
        secret("KEY", {"KEY_FILE": str(file)})


@pytest.mark.parametrize("place", ["", "account.7."])
def test_a_speed_in_the_file_that_is_none_has_its_place(tmp_path: Path, place):
    """As any other setting there."""
    file = tmp_path / "runner.toml"
    file.write_text(f'{place}speed = "fast"\n')

    with pytest.raises(SettingsError, match=rf"^settings\.{place}speed: expected"):
        load({}, {}, str(file))


def test_a_broken_line_of_dotenv_is_not_shown(tmp_path: Path):
    """It may be a secret on two lines."""
    file = tmp_path / ".env"
    file.write_text("hunter2\n")

    with pytest.raises(SettingsError) as raised:
        read_dotenv(file)

    assert "hunter2" not in str(raised.value)


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
