"""Public packages that stand on MetaTrader5 run on the simulated module unchanged.

``tox -e peers`` installs them, each without what it depends on, into the folder that
``MT5RUNNER_PEERS`` names; see ``tests/data/mt5_peers``. Every package runs in a
process of its own. Where one of them breaks, the lines say what it does that the real
module would refuse just the same.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PEERS = Path(__file__).parent.parent / "data" / "mt5_peers"
FOLDER = os.environ.get("MT5RUNNER_PEERS", "")

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(
        not (FOLDER and Path(FOLDER).is_dir()),
        reason="MT5RUNNER_PEERS names no folder of packages: run `tox -e peers`",
    ),
]


def run(program: str, folder: Path) -> list[str]:
    """Return what a program prints, which must end well."""
    done = subprocess.run(
        [sys.executable, PEERS / "launch.py", FOLDER, PEERS / f"{program}.py"],
        cwd=folder,  # one of them writes its log there
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    return done.stdout.splitlines()


def test_pdmt5(tmp_path: Path) -> None:
    """pdmt5 1.2.3: every function it wraps, as dictionaries and as tables."""
    assert [
        "version 6231",
        "account 25115284 (1, 28)",
        "terminal (1, 22)",
        "symbols 19 (4, 96)",
        "select True",
        "select True",
        "symbol 5",
        "tick True True",
        "rates (10, 8)",
        "rates (10, 8)",
        "rates (25, 8)",
        "ticks (10, 8)",
        "ticks (97, 8)",
        "margin True",
        "profit 1000.0",
        "check 0",
        "send 10009 Request executed",
        "positions 1 (1, 19)",
        "pending 10009 1",
        "orders (1, 24)",
        "history 1 (1, 24)",
        "deals 2 (2, 18)",
        "refused NOSUCH -4",
        "refused float -2",
    ] == run("use_pdmt5", tmp_path)


def test_pymt5adapter(tmp_path: Path) -> None:
    """pymt5adapter 0.4.4: its context, its functions, its Trade and its Order."""
    assert [
        "account 25115284 6231",
        "ping 0",
        "symbols 19 4",
        "select True",
        "symbol 5 True",
        "rates 10",
        "pos 5",
        "ticks 7",
        "buy 10009 99 adapter",
        "sltp 10009",
        "levels True",
        "sell 10009 2",
        "flatten 10009 1",
        "deals 2",
        "history 4",
        "orders () 0",
        "dict True",
        "close True 0",
        "refused NOT_FOUND",
        "its own fault: spread 100000 True",
    ] == run("use_pymt5adapter", tmp_path)


def test_mt5py(tmp_path: Path) -> None:
    """mt5py 2.0.1: opens, protects, reduces, closes, sizes and reports."""
    assert [
        "account 25115284 USD",
        "preview 0",
        "check True",
        "buy done 10009 0.3",
        "held mt5py 0.006",
        "modify done",
        "partly done",
        "left 0.15",
        "margin True",
        "risk 0.2 USD",
        "limit done 1",
        "cancel done 0",
        "close ['done'] 0",
        "report 3",
        "rates (39, 8)",
        "ticks (153, 8)",
        "refused terminal (-4, 'Terminal: Not found')",
        ("its own fault: order_check failed (-2, 'Invalid \"comment\" argument')"),
    ] == run("use_mt5py", tmp_path)


def test_metatrader5_easyt(tmp_path: Path) -> None:
    """metatrader5EasyT 0.1.11: asks for RETURN, which market execution refuses."""
    assert [
        "initialize True",
        "symbol True ['USDJPY']",
        "rates 5 True",
        "tick True",
        "its own fault: market execution None 0 10030",
        "instant execution buy 1",
        "close None 0",
    ] == run("use_easyt", tmp_path)
