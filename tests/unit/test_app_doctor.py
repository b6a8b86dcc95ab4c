"""`runner doctor`: each check finds its trouble and names the remedy."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from runner.adapters.mt5_simulator.pipe import key_file, make_key
from runner.adapters.state_sqlite import SqliteState
from runner.app.doctor import (
    CHECKS,
    Finding,
    check_api,
    check_packages,
    check_plugins,
    check_redis,
    check_state,
    check_state_dir,
    check_terminal,
    examine,
)
from runner.exit_codes import ExitCode
from runner.settings import RunnerSettings


def _only(findings):
    (finding,) = findings
    return finding


def test_our_own_packages_are_found_where_they_belong():
    """Nothing is shadowed in this environment."""
    findings = [one for one in check_packages(RunnerSettings()) if not one.is_note]

    assert [True] == [finding.is_good for finding in findings]


def test_a_folder_that_bears_a_package_s_name_is_noted(tmp_path, monkeypatch):
    """It hides ours as soon as it has an __init__.py."""
    (tmp_path / "strategies").mkdir()
    monkeypatch.chdir(tmp_path)

    notes = [one for one in check_packages(RunnerSettings()) if one.is_note]

    assert "rename it" in _only(notes).remedy


def test_a_state_directory_is_tried_and_left_as_it_was(tmp_path):
    """The probe is gone afterwards."""
    folder = tmp_path / "state"

    assert _only(check_state_dir(RunnerSettings(state_dir=str(folder)))).is_good
    assert [] == list(folder.iterdir())


def test_a_state_directory_that_is_a_file_is_named(tmp_path):
    """With the flag that names another."""
    file = tmp_path / "state"
    file.write_text("")

    finding = _only(check_state_dir(RunnerSettings(state_dir=str(file))))

    assert ExitCode.USAGE == finding.code
    assert "--state-dir" in finding.remedy


def test_a_broken_plugin_file_is_found_with_its_remedy(tmp_path):
    """And those that work are counted all the same."""
    (tmp_path / "broken.py").write_text("def oops(:\n")

    failed, counted = check_plugins(RunnerSettings(plugin_dirs=(str(tmp_path),)))

    assert (ExitCode.PLUGIN, True) == (failed.code, bool(failed.remedy))
    assert "broken.py" in failed.detail
    assert "TrendFollowingBot" in counted.detail


@pytest.mark.parametrize(
    ("changes", "code", "expected"),
    [
        ({"enabled_plugins": ("nix",)}, ExitCode.PLUGIN, "nix: no plugin of this name"),
        ({"disabled_plugins": ("drawdown",)}, ExitCode.PLUGIN, "drawdown: is disabled"),
        (
            {"plugins": {"limit": {}}},
            ExitCode.USAGE,
            "settings.plugins.limit: no plugin of this name runs; did you mean limits?",
        ),
        (
            {"plugins": {"limits": {"orders": 1}}},
            ExitCode.USAGE,
            "plugins.limits.orders: unknown name",
        ),
    ],
)
def test_what_would_refuse_the_start_for_plugins_is_found(changes, code, expected):
    """As `runner start` says it, and with its exit code."""
    settings = attrs.evolve(RunnerSettings(), **changes)

    failed, counted = check_plugins(settings)

    assert (code, True, True) == (failed.code, bool(failed.remedy), counted.is_good)
    assert expected in failed.detail


def test_a_damaged_state_file_is_found(tmp_path):
    """The start would refuse it; a good one, or none, is not worth a word."""
    settings = RunnerSettings(accounts=("1", "2", "3"), state_dir=str(tmp_path))
    SqliteState(tmp_path / "1.db").close()
    (tmp_path / "2.db").write_text("no database")

    finding = _only(check_state(settings))

    assert ExitCode.USAGE == finding.code
    assert "account 2: " in finding.detail
    assert "put a backup in its place" in finding.detail


@pytest.mark.redis
def test_redis_that_answers_lends_its_clock(redis_url):
    """Both findings are good on a machine whose clock is Redis' own."""
    found = list(check_redis(RunnerSettings(redis_url=redis_url)))

    assert [("redis", True), ("clock", True)] == [
        (one.name, one.is_good) for one in found
    ]


def test_redis_that_is_away_is_unreachable_and_none_is_a_note(free_port):
    """Trading without Redis is possible; one that is named has to answer."""
    url = f"redis://127.0.0.1:{free_port}/0"

    assert (
        ExitCode.UNREACHABLE == _only(check_redis(RunnerSettings(redis_url=url))).code
    )
    assert _only(check_redis(RunnerSettings())).is_note


def test_an_api_that_is_away_is_unreachable(free_port, monkeypatch, tmp_path):
    """With the flag that names another."""
    monkeypatch.chdir(tmp_path)
    settings = RunnerSettings(accounts=("7",), api_url=f"http://127.0.0.1:{free_port}")

    finding = _only(check_api(settings))

    assert ExitCode.UNREACHABLE == finding.code
    assert "--api-url" in finding.remedy


def test_a_key_file_that_is_missing_is_named(monkeypatch, tmp_path):
    """No request goes out without the key that was meant."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MT5RUNNER_API_KEY_FILE", str(tmp_path / "none"))

    finding = _only(check_api(RunnerSettings(accounts=("7",))))

    assert ExitCode.USAGE == finding.code
    assert "MT5RUNNER_API_KEY_FILE" in finding.detail


def test_the_paper_terminal_connects_and_a_wrong_feed_is_named(tmp_path):
    """The feed's own message stands in the finding."""
    assert _only(check_terminal(RunnerSettings(accounts=("7",)))).is_good

    missing = f"csv:EURUSD={tmp_path / 'none.csv'}"
    finding = _only(check_terminal(RunnerSettings(accounts=("7",), feed=missing)))

    assert ExitCode.USAGE == finding.code
    assert "none.csv" in finding.detail


def test_a_paper_terminal_of_its_own_that_is_away_is_unreachable(tmp_path, free_port):
    """And the remedy is the command that starts it."""
    make_key(key_file(tmp_path))
    settings = RunnerSettings(
        accounts=("7",), state_dir=str(tmp_path), paper_terminal=free_port
    )

    finding = _only(check_terminal(settings))

    assert ExitCode.UNREACHABLE == finding.code
    assert f"runner terminal --port {free_port}" in finding.remedy


def test_several_accounts_are_each_checked_and_nothing_twice(tmp_path, free_port):
    """What they share is looked at once; terminal and key are each account's own."""
    away = f"http://127.0.0.1:{free_port}"
    one = RunnerSettings(accounts=("1",), state_dir=str(tmp_path), api_url=away)
    two = attrs.evolve(one, accounts=("2",), paper_balance=5.0)
    three = attrs.evolve(one, accounts=("3",), feed="csv:EURUSD=none.csv")

    found = [finding for finding in examine([one, two, three]) if not finding.is_note]

    assert [
        ("packages", True),
        ("state", True),
        ("plugins", True),
        *[("api", False)] * 3,
        ("terminal", True),
        ("terminal", True),
        ("terminal", False),
    ] == [(finding.name, finding.is_good) for finding in found]
    details = [finding.detail for finding in found[3:]]
    assert [f"account {number}" in details[i] for i, number in enumerate("123123")] == [
        True
    ] * 6
    assert "5.00 USD" in details[4]


def test_accounts_with_plugins_of_their_own_have_them_all_loaded(tmp_path):
    """A broken folder of one account's section is found."""
    (tmp_path / "broken.py").write_text("def oops(:\n")
    one = RunnerSettings(accounts=("1",), state_dir=str(tmp_path / "state"))
    two = attrs.evolve(one, accounts=("2",), plugin_dirs=(str(tmp_path),))

    codes = {finding.code for finding in examine([one, two])}

    assert ExitCode.PLUGIN in codes


def test_a_finding_is_one_line_and_one_object():
    """The mark, what was found, and what to do."""
    finding = Finding(
        name="redis", detail="away", remedy="start it", code=ExitCode.UNREACHABLE
    )

    assert "FAIL  redis      away -> start it" == str(finding)
    assert {
        "check": "redis",
        "ok": False,
        "detail": "away",
        "remedy": "start it",
    } == finding.as_json()
    assert "ok    a          b" == str(Finding(name="a", detail="b"))


def test_every_check_of_this_module_is_run():
    """A check that nobody calls finds nothing."""
    text = Path(check_packages.__code__.co_filename).read_text("utf-8")
    written = [
        line.split("(")[0].removeprefix("def ")
        for line in text.splitlines()
        if line.startswith("def check_")
    ]

    assert written == [check.__name__ for check in CHECKS]
