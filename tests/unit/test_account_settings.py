"""Sections of a settings file: what differs between accounts."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.account_settings import load_each
from runner.settings import SettingsError, load, secret

TWO_TERMINALS = r"""
terminal = "mt5"
[account.1]
mt5_path = 'C:\MT5 one\terminal64.exe'
[account.2]
mt5_path = 'C:\MT5 two\terminal64.exe'
"""


@pytest.fixture
def write(tmp_path: Path):
    def write_file(text: str) -> str:
        file = tmp_path / "fleet.toml"
        file.write_text(text)
        return str(file)

    return write_file


def test_accounts_that_have_a_section_run_in_the_file_s_order(write):
    """Each with what the file says for all, and its own before it."""
    file = write(
        'feed = "synthetic:seed=1"\nspeed = 2\n'
        "[account.20]\npaper_balance = 5\n"
        '[account.10]\nfeed = "synthetic:seed=2"\nspeed = "max"\n'
    )

    second, first = load_each({}, {}, file)

    assert (("20",), 5.0, "synthetic:seed=1", 2.0) == (
        second.accounts,
        second.paper_balance,
        second.feed,
        second.speed,
    )
    assert (("10",), 10_000.0, "synthetic:seed=2", 0.0) == (
        first.accounts,
        first.paper_balance,
        first.feed,
        first.speed,
    )
    assert ("20", "10") == load({}, {}, file).accounts


def test_environment_and_flags_go_before_every_section(write):
    """The nearer to the command, the stronger, for all accounts."""
    file = write("[account.1]\npoll_interval = 5\npaper_balance = 7\n[account.2]\n")
    environ = {"MT5RUNNER_POLL_INTERVAL": "9"}

    each = load_each({"paper_balance": 8.0}, environ, file)

    assert [(9.0, 8.0)] * 2 == [(one.poll_interval, one.paper_balance) for one in each]


def test_tables_are_merged_name_by_name(write):
    """A section that sets one value of a plugin does not lose the others."""
    file = write(
        '[plugins.news_pause]\ncalendar = "c.csv"\nbefore = 30\n'
        '[symbol_aliases]\nXAUUSD = "GOLD"\n'
        "[account.1.plugins.news_pause]\nbefore = 10\n"
        "[account.1.plugins.drawdown]\nx = 1\n"
        '[account.1.symbol_aliases]\nUS100 = "NAS"\n'
        "[account.2]\n"
    )

    one, two = load_each({}, {}, file)

    assert {
        "news_pause": {"calendar": "c.csv", "before": 10},
        "drawdown": {"x": 1},
    } == one.plugins
    assert {"XAUUSD": "GOLD", "US100": "NAS"} == one.symbol_aliases
    assert {"news_pause": {"calendar": "c.csv", "before": 30}} == two.plugins
    assert {"XAUUSD": "GOLD"} == two.symbol_aliases


def test_an_account_named_on_the_command_line_runs_alone(write):
    """With its section; what is wrong in another's does not stop it."""
    file = write("[account.1]\npaper_balance = -1\n[account.2]\npaper_balance = 6\n")

    (two,) = load_each({"accounts": ("2",)}, {}, file)

    assert (("2",), 6.0) == (two.accounts, two.paper_balance)


def test_accounts_without_a_section_have_what_holds_for_all(write):
    """A list of accounts may have sections for some of them."""
    file = write('accounts = ["1", "2"]\npaper_balance = 3\n[account.2]\nspeed = 4\n')

    each = load_each({}, {}, file)

    assert [("1", 3.0, 1.0), ("2", 3.0, 4.0)] == [
        (one.accounts[0], one.paper_balance, one.speed) for one in each
    ]
    assert () == load_each({}, {}, write("paper_balance = 3\n"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'accounts = ["1"]\n[account.2]\n',
            "settings.account.2: not among accounts = ['1']; add it there, or remove",
        ),
        ("[account.1]\npaper_balance = 0\n", "settings.account.1.paper_balance: must"),
        ("[account.1]\npaper_balanze = 1\n", 'did you mean "paper_balance"'),
        ('[account.1]\nmt5_login = "x"\n', "settings.account.1.mt5_login: expected"),
        (
            '[account.1]\nstate_dir = "x"\n',
            "settings.account.1.state_dir: holds for all accounts; put it above",
        ),
        ("[account.1]\nfrozen_after = 9\n", "settings.account.1.frozen_after: holds"),
        ('[account."../x"]\n', "settings.accounts: expected letters, digits"),
        ("[account]\n1 = 5\n", "settings.account.1: expected a table"),
        ('account = "1"\n', "settings.account: expected a table for each account"),
        ("frozen_after = 1\n[account.1]\n", "settings.frozen_after: must be >= 5"),
        (
            "frozen_after = 5\n[account.1]\nstrategy_time_limit = 2.6\n",
            "strategy_time_limit: must be at most half of frozen_after, which is 5, ",
        ),
    ],
)
def test_what_cannot_be_used_is_named_with_its_place_in_the_file(text, message, write):
    """Nothing starts."""
    with pytest.raises(SettingsError) as refused:
        load_each({}, {}, write(text))

    assert message in str(refused.value)


def test_every_error_of_every_section_is_told_at_once(write):
    """Nobody mends a file line by line."""
    file = write("[account.1]\nfedd = 1\nmt5_login = 1.5\n[account.2]\nx = 1\n")

    with pytest.raises(SettingsError) as refused:
        load_each({}, {}, file)

    assert [
        "settings.account.1.fedd",
        "settings.account.1.mt5_login",
        "settings.account.2.x",
    ] == sorted(line.split(":")[0] for line in str(refused.value).splitlines())


def test_each_live_account_has_its_own_terminal(write):
    """That is what a file with several of them is for."""
    one, two = load_each({}, {}, write(TWO_TERMINALS))

    assert [r"C:\MT5 one\terminal64.exe", r"C:\MT5 two\terminal64.exe"] == [
        one.mt5_path,
        two.mt5_path,
    ]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "mt5_path = 'c:/mt5 ONE/./Terminal64.exe'",
            "settings.account.2.mt5_path: c:/mt5 ONE/./Terminal64.exe is account 1's",
        ),
        ("", "settings.account.2.mt5_path: missing"),
        (
            "mt5_path = 'D:\\two.exe'\nmt5_login = 1",
            "settings.account.2.mt5_login: 1 is account 1's too",
        ),
    ],
)
def test_two_accounts_on_one_terminal_or_login_are_refused(path, message, write):
    """One would be read and traded through the other's; both are named."""
    text = TWO_TERMINALS.partition("mt5_path = 'C:\\MT5 two")[0] + path + "\n"

    with pytest.raises(SettingsError) as refused:
        load_each({}, {}, write(text))

    assert message in str(refused.value)


def test_one_path_from_the_environment_cannot_serve_two_accounts(write):
    """It holds for all of them."""
    with pytest.raises(SettingsError, match="is account 1's terminal too"):
        load_each({}, {"MT5RUNNER_MT5_PATH": "C:/t.exe"}, write(TWO_TERMINALS))


def test_the_same_login_at_two_brokers_is_two_accounts(write):
    """Login numbers are the broker's own."""
    text = TWO_TERMINALS.replace("[account.1]", '[account.1]\nmt5_server = "A"')
    text = text.replace("[account.2]", '[account.2]\nmt5_server = "B"\nmt5_login = 1')

    assert 2 == len(load_each({}, {}, write(text)))


def test_paper_accounts_need_no_terminal(write):
    """A path that is shared by paper accounts is not used."""
    file = write('mt5_path = "C:/t.exe"\n[account.1]\n[account.2]\nterminal = "mt5"\n')

    assert ["paper", "mt5"] == [one.terminal for one in load_each({}, {}, file)]


def test_each_account_has_its_own_password(tmp_path: Path):
    """From its variable or its file; the common one is for those that have none."""
    file = tmp_path / "password"
    file.write_text("of two\n")
    environ = {
        "MT5RUNNER_MT5_PASSWORD": "of all",
        "MT5RUNNER_MT5_PASSWORD_1": "of one",
        "MT5RUNNER_MT5_PASSWORD_2_FILE": str(file),
    }

    assert ["of one", "of two", "of all"] == [
        secret("MT5RUNNER_MT5_PASSWORD", environ, account) for account in "123"
    ]
