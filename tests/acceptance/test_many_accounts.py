"""Several accounts of one file under one supervisor, as a trader runs them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from runner.exit_codes import ExitCode
from runner.wire.keys import lease

pytestmark = [
    pytest.mark.redis,
    pytest.mark.skipif(os.name == "nt", reason="needs SIGSTOP and SIGKILL"),
    pytest.mark.timeout(300),
]

ACCOUNTS = ("101", "102", "103")
KEYS = {f"MT5RUNNER_API_KEY_{one}": f"key-{one}" for one in ACCOUNTS}


class Fleet:
    """A config server with three accounts, and a supervisor of theirs."""

    def __init__(self, bench, redis_url, control, helpers):
        self.bench, self.control, self.helpers = bench, control, helpers
        seed = helpers.seed()
        (account,) = seed["accounts"]
        seed["accounts"] = [
            account | {"mt5_account_id": one, "api_key": f"key-{one}"}
            for one in ACCOUNTS
        ]
        bench.serve("--redis-url", redis_url, seed=seed)
        self.common = [
            f'api_url = "{bench.address}"',
            f'redis_url = "{redis_url}"',
            f"state_dir = '{bench.folder / 'state'}'",
            "heartbeat_interval = 1",
            "frozen_after = 10",
        ]
        self.supervisor: Any = None

    def start(self, sections, *flags):
        file = self.bench.folder / "fleet.toml"
        lines = [*self.common]
        for account, settings in sections.items():
            lines += [f"[account.{account}]", *settings]
        file.write_text("\n".join(lines) + "\n")
        words = ("-m", "runner", "start", "--config", str(file), *flags)
        self.supervisor = self.bench.start(*words, **KEYS)
        return self.supervisor

    def beat(self, account):
        return self.control.hgetall(f"bot:heartbeat:{account}")

    def pid(self, account):
        """The process that the account's heartbeat comes from; 0 while none does."""
        beat = self.beat(account)
        return int(beat.get("pid", 0)) if beat.get("bot_status") != "DOWN" else 0

    def wait_for_beats(self, *accounts):
        for account in accounts:
            self.helpers.wait_until(
                lambda account=account: self.pid(account),
                f"a heartbeat of {account}\n{self.supervisor.text}",
            )
        return {account: self.pid(account) for account in accounts}

    def wait_for_newer_beat(self, account):
        last = self.beat(account)["timestamp"]
        self.helpers.wait_until(
            lambda: self.beat(account).get("timestamp", last) != last,
            f"a newer heartbeat of {account}",
        )


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def fleet(bench, redis_url, control, helpers) -> Iterator[Fleet]:
    made = Fleet(bench, redis_url, control, helpers)
    yield made
    # A worker that a failed test has left stopped would never see its lifeline end.
    for account in ACCOUNTS:
        if pid := int(made.beat(account).get("pid", 0)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


_WHERE = "(?: inside [^;]+)?"
"""A signal may have met a worker in a plugin's code, which is said then."""

PLAIN = {"101": ["paper_balance = 1000"], "102": ["paper_balance = 2000"], "103": []}


def test_accounts_of_one_file_run_each_with_its_own_and_stop_in_order(fleet):
    """Three heartbeats, one log with the account on each line; SIGTERM: all DOWN, 0."""
    supervisor = fleet.start(PLAIN)
    pids = fleet.wait_for_beats(*ACCOUNTS)
    balances = [float(fleet.beat(one)["current_balance"]) for one in ACCOUNTS]

    assert 0 == supervisor.stop(within=60)

    assert 3 == len(set(pids.values()) - {supervisor.process.pid})
    assert [1000.0, 2000.0, 10_000.0] == balances
    assert ["DOWN"] * 3 == [fleet.beat(one)["bot_status"] for one in ACCOUNTS]
    assert [None] * 3 == [fleet.control.get(lease(one)) for one in ACCOUNTS]
    assert not any(map(is_alive, pids.values()))
    lines = supervisor.text.splitlines()
    labels = re.compile(r"[\d-]{10} [\d:]{8} [A-Z]+ +(10[123] |supervisor: 10[123]: )")
    assert [] == [line for line in lines if not labels.match(line)]
    for account in ACCOUNTS:
        own = [line for line in lines if f" {account} app: connected" in line]
        assert 1 == len(own)
        # The last words of a worker come before the supervisor's word of its end.
        ended = supervisor.text.index(f"supervisor: {account}: stopped")
        assert ended > supervisor.text.rindex(f" {account} app: ")


PACKAGE = """
import sys
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal

class Package(SimulatedTerminal):
    def initialize(self, *words, **named):
        print("initialize", words, sorted(named))
        return super().initialize(*words, **named)

account = int(sys.argv[sys.argv.index("--worker") + 1])
sys.modules[__name__] = Package(login=account, server="Live", balance=float(account))
"""
"""In place of the package that exists on Windows only: a terminal for each worker."""


def test_live_accounts_run_each_on_its_own_terminal(fleet, monkeypatch):
    """Two accounts and a lone one: each is given its path, and none shares one."""
    folder = fleet.bench.folder / "windows"
    folder.mkdir()
    (folder / "MetaTrader5.py").write_text(PACKAGE)
    inherited = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), inherited]))
    live = {
        "101": ["terminal = 'mt5'", "mt5_path = 'C:/one/t.exe'"],
        "102": ["terminal = 'mt5'", "mt5_path = 'C:/two/t.exe'"],
    }

    supervisor = fleet.start(live)
    fleet.wait_for_beats("101", "102")

    balances = [float(fleet.beat(one)["current_balance"]) for one in ("101", "102")]
    assert [101.0, 102.0] == balances
    assert 0 == supervisor.stop(within=60)
    for account, name in {"101": "one", "102": "two"}.items():
        assert f" {account} output: initialize ('C:/{name}/t.exe'" in supervisor.text

    alone = fleet.start(live, "--account", "102")
    alone.wait_for("supervisor: 102: started")
    assert fleet.wait_for_beats("102")["102"] != alone.process.pid
    assert 0 == alone.stop(within=60)


def test_two_live_accounts_on_one_terminal_do_not_start(fleet):
    """One line names both, however the path is written."""
    supervisor = fleet.start(
        {
            "101": ["terminal = 'mt5'", "mt5_path = 'C:/one/t.exe'"],
            "102": ["terminal = 'mt5'", r"mt5_path = 'c:\ONE\T.exe'"],
        }
    )

    assert ExitCode.USAGE == supervisor.wait()
    (line,) = supervisor.text.splitlines()
    assert "settings.account.102.mt5_path" in line
    assert "account 101's terminal too" in line


def test_a_killed_worker_is_started_again_and_the_others_never_notice(fleet):
    """Its account is its own again at once; the others' processes are the same."""
    supervisor = fleet.start(PLAIN)
    before = fleet.wait_for_beats(*ACCOUNTS)

    os.kill(before["102"], signal.SIGKILL)
    fleet.helpers.wait_until(
        lambda: fleet.pid("102") not in {0, before["102"]},
        "a heartbeat of the new process",
    )
    for account in ("101", "103"):
        fleet.wait_for_newer_beat(account)

    assert {"101": before["101"], "103": before["103"]} == {
        one: fleet.pid(one) for one in ("101", "103")
    }
    assert re.search(
        rf"supervisor: 102: it died with exit code -9{_WHERE}; 1 in a row",
        supervisor.text,
    )
    assert "the lease of a dead predecessor is taken over" in supervisor.text
    assert 0 == supervisor.stop(within=60)


def test_a_frozen_worker_is_killed_and_started_again_and_it_is_said(fleet):
    """SIGSTOP is what a hung terminal looks like from outside."""
    supervisor = fleet.start(PLAIN)
    before = fleet.wait_for_beats(*ACCOUNTS)

    os.kill(before["103"], signal.SIGSTOP)
    fleet.helpers.wait_until(
        lambda: fleet.pid("103") not in {0, before["103"]},
        "a heartbeat of the new process",
    )

    said = re.search(
        rf"CRITICAL supervisor: 103: FROZEN: no sign of life for (\d+) s{_WHERE}; kill",
        supervisor.text,
    )
    assert said is not None
    assert 10 <= int(said[1]) < 20
    assert re.search(
        rf"supervisor: 103: it was frozen{_WHERE}; 1 in a row", supervisor.text
    )
    assert not is_alive(before["103"])
    assert [before["101"], before["102"]] == [fleet.pid("101"), fleet.pid("102")]
    assert 0 == supervisor.stop(within=60)


def test_an_account_that_always_crashes_is_held_back_alone(fleet):
    """Its plugin ends the process each time; the others trade on; JSON says it too."""
    folder = fleet.bench.folder / "deadly"
    folder.mkdir()
    (folder / "deadly.py").write_text(
        "import os\nprint('last words \\udc80')\nos._exit(77)\n"
    )
    supervisor = fleet.start(
        PLAIN | {"102": [f"plugin_dirs = ['{folder}']"]}, "--log-format", "json"
    )
    before = fleet.wait_for_beats("101", "103")

    supervisor.wait_for("HELD BACK for 60 s", within=120)
    for account in ("101", "103"):
        fleet.wait_for_newer_beat(account)

    assert before == {one: fleet.pid(one) for one in ("101", "103")}
    assert {} == fleet.beat("102")
    assert 0 == supervisor.stop(within=60)
    lines = [json.loads(line) for line in supervisor.text.splitlines()]
    words = [line for line in lines if line["message"].startswith("last words")]
    assert ["102"] * 5 == [line["account"] for line in words]
    (loud,) = [line for line in lines if "HELD BACK" in line["message"]]
    assert "CRITICAL" == loud["level"]


def test_workers_stop_by_themselves_when_their_supervisor_is_killed(fleet):
    """Nobody trades on unwatched, and the server hears DOWN."""
    supervisor = fleet.start(PLAIN)
    pids = fleet.wait_for_beats(*ACCOUNTS)

    supervisor.kill()

    fleet.helpers.wait_until(
        lambda: not any(map(is_alive, pids.values())), "the workers' end"
    )
    assert ["DOWN"] * 3 == [fleet.beat(one)["bot_status"] for one in ACCOUNTS]


def test_a_second_ctrl_c_kills_what_does_not_stop(fleet):
    """The first asks all; who is in a hurry need not wait for one that hangs."""
    supervisor = fleet.start(PLAIN)
    pids = fleet.wait_for_beats(*ACCOUNTS)
    os.kill(pids["101"], signal.SIGSTOP)

    supervisor.process.send_signal(signal.SIGINT)
    supervisor.wait_for("supervisor: 102: stopped, exit code 0")
    supervisor.wait_for("supervisor: 103: stopped, exit code 0")
    supervisor.process.send_signal(signal.SIGINT)

    assert ExitCode.INTERRUPTED == supervisor.wait()
    assert "supervisor: 101: killed" in supervisor.text
    assert not any(map(is_alive, pids.values()))


def test_a_log_that_nobody_reads_any_more_ends_nothing(fleet):
    """The reader of the pipe is gone: all trade on, and stop when they are asked."""
    reader, writer = os.pipe()
    fleet.bench.output = writer
    supervisor = fleet.start(PLAIN)
    os.close(writer)
    pids = fleet.wait_for_beats(*ACCOUNTS)
    os.close(reader)

    os.kill(pids["101"], signal.SIGKILL)  # so that there is something to say
    fleet.helpers.wait_until(
        lambda: fleet.pid("101") not in {0, pids["101"]}, "a new process"
    )
    fleet.wait_for_newer_beat("102")

    assert pids["102"] == fleet.pid("102")
    supervisor.stop(within=60)
    assert ["DOWN"] * 3 == [fleet.beat(one)["bot_status"] for one in ACCOUNTS]


def test_doctor_checks_each_account_of_the_file(fleet, bench, helpers):
    """A feed that is missing in one section is found, with its account."""
    fleet.start(PLAIN | {"102": ['feed = "csv:EURUSD=none.csv"']})
    words = ("-m", "runner", "doctor", "--json")
    doctor = bench.start(*words, "--config", str(bench.folder / "fleet.toml"), **KEYS)

    assert ExitCode.USAGE == doctor.wait()
    findings = json.loads(doctor.text)
    bad = [one for one in findings if not one["ok"]]
    assert ["account 102, paper"] == [one["detail"].split(":")[0] for one in bad]
    api = [one["detail"] for one in findings if one["check"] == "api"]
    assert [f"{bench.address} knows account {one}" for one in ACCOUNTS] == api


def test_an_account_with_a_wrong_section_ends_alone_and_the_code_says_so(fleet):
    """The others go on until they are stopped; the exit code is the highest."""
    supervisor = fleet.start(
        PLAIN | {"102": ["[account.102.plugins.drawdown]", "nonsense = 1"]}
    )
    fleet.wait_for_beats("101", "103")
    supervisor.wait_for("102: ended for good with exit code 2 (USAGE)")

    assert "accounts that go on: 2" in supervisor.text
    assert re.search(r" 102 output: .*plugins\.drawdown", supervisor.text)
    assert 2 == supervisor.stop(within=60)
