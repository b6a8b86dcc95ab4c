"""The command line's names are a contract."""

from __future__ import annotations

import pytest

from runner.cli import COMMANDS, build_parser, main
from runner.exit_codes import ExitCode

LINES = {
    "dev": "--plugin-dir a --exit-after 5 --speed max --port 0 --redis-url redis://h/0",
    "start": "--account 1 --account 2 --api-url http://h --redis-url redis://h/0 "
    "--plugin-dir a --plugin-dir b --terminal mt5 --feed synthetic:seed=1 --speed 10 "
    "--state-dir s --heartbeat-interval 3 --poll-interval 4 --log-format json "
    "--standby --exit-when-feed-ends --on-restart refuse",
    "terminal": "--account 1 --port 0 --feed synthetic:seed=1 --speed 10 --symbols s "
    "--server-timezone UTC --faults f --state-dir s --config c --log-format json",
    "plugins": "--plugin-dir a --plugin-dir b --json",
    "doctor": "--account 1 --api-url http://h --json --terminal mt5 --feed synthetic "
    "--paper-terminal 1 --symbols s --server-timezone UTC",
    "status": "--account 1 --watch --json",
}


def test_every_command_is_listed_in_the_help(capsys):
    """And nothing in it is wider than a terminal."""
    with pytest.raises(SystemExit):
        build_parser().parse_args(["--help"])
    text = capsys.readouterr().out

    assert set(LINES) <= set(COMMANDS)
    assert [] == [name for name in COMMANDS if f"    {name}" not in text]


@pytest.mark.parametrize("command", LINES)
def test_every_flag_of_the_contract_is_accepted(command):
    """The names that the documentation and other programs use."""
    arguments = build_parser().parse_args([command, *LINES[command].split()])

    assert command == arguments.command


def test_numbers_are_read_as_their_settings_read_them():
    """`max` is no number, and stands for as fast as it goes."""
    parsed = build_parser().parse_args(["start", *LINES["start"].split()])

    assert ["1", "2"] == parsed.accounts
    assert (10.0, 3.0, 4.0) == (
        parsed.speed,
        parsed.heartbeat_interval,
        parsed.poll_interval,
    )
    assert 0.0 == build_parser().parse_args(["start", "--speed", "max"]).speed


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["start", "--speed", "0"], "speed: expected a number > 0 or 'max', got '0'"),
        (["start", "--speed", "fast"], "got 'fast'"),
        (["start", "--poll-interval", "x"], "poll_interval: expected a number"),
        (["dev", "--port", "70000"], "invalid port value: '70000'"),
        (["terminal", "--port", "70000"], "invalid port value: '70000'"),
        (["dev", "--exit-after", "0"], "invalid number of seconds value: '0'"),
        (["start", "--terminal", "mt4"], "invalid choice: 'mt4'"),
    ],
)
def test_a_wrong_word_is_refused_with_what_was_expected(words, expected, capsys):
    """Exit code 2, and the flag is named."""
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args(words)

    assert ExitCode.USAGE == ended.value.code
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["start"], "runner start: name an account: --account ID"),
        (
            ["start", "--account", "1", "--account", "1"],
            "accounts: name each only once",
        ),
        (["start", "--account", "../x"], "accounts: expected letters, digits"),
        (["start", "--account", "1", "--heartbeat-interval", "60"], "must be < 60"),
        (["status", "--redis-url", "host"], "redis_url: expected redis://HOST"),
        (["status"], "runner status: name Redis: --redis-url URL or REDIS_URL"),
        ([], "check everything that a run needs"),
        (
            ["start", "--account", "1", "--config", "none.toml"],
            "none.toml: No such file",
        ),
    ],
)
def test_a_setting_that_cannot_be_used_is_one_line_and_code_2(
    words, expected, capsys, monkeypatch, tmp_path
):
    """Nothing starts; the line says what to do."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REDIS_URL", raising=False)

    assert ExitCode.USAGE == main(words)
    assert expected in capsys.readouterr().err


def test_a_fleet_in_a_redis_that_is_away_is_code_4(capsys, free_port):
    """Not an empty fleet."""
    code = main(["status", "--redis-url", f"redis://127.0.0.1:{free_port}/0"])

    assert ExitCode.UNREACHABLE == code
    assert "runner status: Redis:" in capsys.readouterr().err
