"""A third party's wheel, installed by pip into a fresh environment, is found."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest

import runner

GUARD = """
from __future__ import annotations

from runner import Deny, OrderIntent, Plugin, hookimpl


class NoGold(Plugin):
    @hookimpl
    def check_order(self, intent: OrderIntent) -> Deny | None:
        return Deny("NO_GOLD") if intent.symbol == "XAUUSD" else None
"""
STRATEGY = """
from __future__ import annotations

import attrs
from runner import Bar, Intents, Parameters, Strategy


@attrs.frozen
class AcmeParameters(Parameters):
    stop_loss: int = 300


class AcmeBreakout(Strategy):
    Parameters = AcmeParameters

    def on_bar(self, bar: Bar) -> Intents:
        return self.buy(bar.symbol, stop_loss=self.parameters[bar.symbol].stop_loss)
"""
ENTRY_POINTS = """
[mt5runner.strategies]
AcmeBreakout = acme_bots.breakout:AcmeBreakout

[mt5runner.plugins]
no_gold = acme_bots.guards:NoGold
"""


class Environment:
    """A fresh virtual environment that sees the runner and its libraries."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        venv.EnvBuilder(with_pip=True, symlinks=os.name != "nt").create(folder)
        scripts = sysconfig.get_path("scripts", "venv", {"base": str(folder)})
        self.python = Path(scripts) / ("python.exe" if os.name == "nt" else "python")
        site = Path(
            sysconfig.get_path(
                "purelib", "venv", {"base": str(folder), "platbase": str(folder)}
            )
        )
        visible = [Path(runner.__file__).parents[1], sysconfig.get_path("purelib")]
        (site / "visible.pth").write_text("\n".join(map(str, visible)))

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run Python with *words* and return what it printed."""
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("MT5RUNNER_", "PIP_", "PYTHON", "COV"))
        }
        return subprocess.run(
            [self.python, *words],
            cwd=self.folder,
            env=clean,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    def install(self, wheel: Path) -> None:
        """Install a wheel with pip, from the file alone."""
        done = self.run(
            "-m", "pip", "install", "--no-index", "--no-deps", "--quiet", str(wheel)
        )
        assert 0 == done.returncode, done.stderr

    def plugins(self, *flags: str) -> subprocess.CompletedProcess[str]:
        """Run `runner plugins`."""
        code = "import sys; from runner.cli import main; sys.exit(main(sys.argv[1:]))"
        return self.run("-c", code, "plugins", *flags)


def _wheel(folder: Path, version: str, modules: dict[str, str]) -> Path:
    """Write a wheel by hand, so that the test needs no build tool and no network."""
    info = f"acme_bots-{version}.dist-info"
    files = {f"acme_bots/{name}.py": code for name, code in modules.items()} | {
        "acme_bots/__init__.py": "",
        f"{info}/METADATA": (
            f"Metadata-Version: 2.1\nName: acme-bots\nVersion: {version}\n"
        ),
        f"{info}/WHEEL": (
            "Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\n"
            "Tag: py3-none-any\n"
        ),
        f"{info}/entry_points.txt": ENTRY_POINTS,
    }
    record = "".join(
        f"{name},sha256={_digest(text)},{len(text.encode())}\n"
        for name, text in files.items()
    )
    path = folder / f"acme_bots-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.writestr(f"{info}/RECORD", f"{record}{info}/RECORD,,\n")
    return path


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """One environment for all tests of this file: making it takes seconds."""
    return Environment(tmp_path_factory.mktemp("wheel") / "venv")


def _of_acme(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in found if each["source"]["name"] == "acme-bots"]


def test_an_installed_wheel_is_found_with_its_version(
    environment: Environment, tmp_path: Path
) -> None:
    """Strategy and guard are listed with distribution, version and hooks."""
    modules = {"breakout": STRATEGY, "guards": GUARD}
    environment.install(_wheel(tmp_path, "1.2.0", modules))

    as_json = environment.plugins("--json")
    as_text = environment.plugins()

    found = json.loads(as_json.stdout)
    source = {"kind": "distribution", "name": "acme-bots", "version": "1.2.0"}
    assert [
        {
            "name": "no_gold",
            "source": source,
            "hooks": ["check_order"],
            "disabled": False,
            "configured": True,
        }
    ] == _of_acme(found["plugins"])
    assert [
        {
            "name": "AcmeBreakout",
            "source": source,
            "hooks": [],
            "parameters": {"stop_loss": "300"},
        }
    ] == _of_acme(found["strategies"])
    assert [] == found["failures"]
    assert (0, 0) == (as_json.returncode, as_text.returncode)
    assert "acme-bots 1.2.0" in as_text.stdout


@pytest.mark.redis
def test_an_installed_strategy_runs_by_the_name_that_the_server_says(
    environment: Environment, tmp_path: Path, bench: Any, helpers: Any, redis_url: str
) -> None:
    """The server names the class: it trades, under the guard of the same wheel."""
    modules = {"breakout": STRATEGY, "guards": GUARD}
    environment.install(_wheel(tmp_path, "1.2.0", modules))
    seed = helpers.seed()
    seed["strategies"][0] |= {
        "bot_strategy_class": "AcmeBreakout",
        "parameters_by_symbol": {"EURUSD": {"stop_loss": 120}, "XAUUSD": {}},
    }
    bench.serve("--redis-url", redis_url, seed=seed)
    feed = helpers.busy_market(bench.folder, bars=60)
    bench.python = str(environment.python)

    run = bench.run(
        "--redis-url",
        redis_url,
        "--feed",
        feed,
        "--speed",
        "max",
        "--exit-when-feed-ends",
    )

    assert 0 == run.wait(), run.text
    assert {"EURUSD"} == set(re.findall(r"open buy (\w+)", run.text))
    assert "NO_GOLD" in run.text


def test_a_wheel_with_a_broken_guard_is_named_and_the_rest_runs(
    environment: Environment, tmp_path: Path
) -> None:
    """After a bad update the strategy is there, and the guard is told."""
    modules = {"breakout": STRATEGY, "guards": "import acme_secrets\n"}
    environment.install(_wheel(tmp_path, "1.3.0", modules))

    done = environment.plugins("--json")

    found = json.loads(done.stdout)
    [failure] = found["failures"]
    assert 3 == done.returncode
    assert ["AcmeBreakout"] == [each["name"] for each in _of_acme(found["strategies"])]
    assert ("no_gold", "1.3.0", 1) == (
        failure["name"],
        failure["source"]["version"],
        failure["line"],
    )
    assert failure["file"].endswith("guards.py")
    assert "No module named 'acme_secrets'" in failure["message"]
    assert failure["remedy"].startswith("install acme_secrets")


def test_the_environment_is_the_fresh_one(environment: Environment) -> None:
    """The wheel did not land in the environment that runs the tests."""
    done = environment.run("-c", "import sys; print(sys.prefix)")

    assert environment.folder.resolve() == Path(done.stdout.strip()).resolve()
    assert environment.folder.resolve() != Path(sys.prefix).resolve()
