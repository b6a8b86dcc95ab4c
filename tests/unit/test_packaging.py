"""What the wheel holds and what importing it does."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.resources
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import runner
from runner.host.discovery import PLUGIN_GROUP, STRATEGY_GROUP

DISTRIBUTION = "mt5-strategy-runner"
PACKAGES = ["plugins", "runner", "server_stub", "strategies"]
PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"

SURVEY = """
import importlib, json, logging, pkgutil, sys

modules, loggers = [], {}
for package in sys.argv[1:]:
    root = importlib.import_module(package)
    modules.append(package)
    for found in pkgutil.walk_packages(root.__path__, f"{package}."):
        module = importlib.import_module(found.name)
        modules.append(found.name)
        for value in vars(module).values():
            if isinstance(value, (logging.Logger, logging.LoggerAdapter)):
                loggers[found.name] = value.name
print(json.dumps({
    "modules": modules,
    "loggers": loggers,
    "known": sorted(logging.root.manager.loggerDict),
    "loaded": sorted({name.partition(".")[0] for name in sys.modules}),
}))
"""


@pytest.fixture(scope="module")
def survey() -> dict[str, Any]:
    """What a fresh interpreter holds after importing every module that we ship."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SURVEY, *PACKAGES],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.fixture
def distribution() -> importlib.metadata.Distribution:
    """The installed wheel."""
    try:
        found = importlib.metadata.distribution(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("runs against the checkout: no distribution is installed")
    if '"editable"' in (found.read_text("direct_url.json") or ""):
        pytest.skip("runs against an editable installation, which holds no files")
    return found


def test_the_version_is_the_one_in_pyproject() -> None:
    """`runner.__version__` and the version that is built are the same."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]

    assert project["version"] == runner.__version__


def test_the_version_is_the_one_in_the_metadata(
    distribution: importlib.metadata.Distribution,
) -> None:
    """`runner.__version__` and the version that is installed are the same."""
    assert distribution.version == runner.__version__


@pytest.mark.parametrize("name", runner.__all__)
def test_each_public_name_can_be_imported(name: str) -> None:
    """What `runner` promises to authors is there when it is asked for."""
    assert getattr(runner, name) is not None
    assert name in dir(runner)


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_says_that_it_is_typed(package: str) -> None:
    """Type checkers of third parties use our annotations in every package."""
    assert importlib.resources.files(package).joinpath("py.typed").is_file()


def test_the_wheel_installs_four_packages_and_nothing_else(
    distribution: importlib.metadata.Distribution,
) -> None:
    """No tests, documentation or stray module lands in site-packages."""
    tops = {
        path.parts[0]
        for path in distribution.files or []
        if not path.parts[0].startswith("..") and path.parts[0] != "__pycache__"
    }

    assert set(PACKAGES) == {top for top in tops if not top.endswith(".dist-info")}


def test_the_wheel_names_its_commands(
    distribution: importlib.metadata.Distribution,
) -> None:
    """The three console scripts exist and can be called."""
    scripts = distribution.entry_points.select(group="console_scripts")

    assert {"runner", "mt5runner", "config-server-stub"} == scripts.names
    assert all(callable(script.load()) for script in scripts)


def test_the_wheel_claims_no_global_name_but_its_own(
    distribution: importlib.metadata.Distribution,
) -> None:
    """Built-ins are known by name, so the wheel fills none of its own groups."""
    others = {
        (entry.group, entry.name)
        for entry in distribution.entry_points
        if entry.group != "console_scripts"
    }

    assert {("pytest11", "mt5runner")} == others


def test_third_parties_are_found_by_groups_of_our_name() -> None:
    """The names of the groups are the contract with every published plugin."""
    assert "mt5runner.strategies" == STRATEGY_GROUP
    assert "mt5runner.plugins" == PLUGIN_GROUP


def test_our_pytest_plugin_is_in_use(
    distribution: importlib.metadata.Distribution, request: pytest.FixtureRequest
) -> None:
    """The fixtures are loaded under a name that pytest has not taken itself."""
    assert distribution.entry_points.select(group="pytest11")

    plugin = request.config.pluginmanager.get_plugin("mt5runner")

    assert importlib.import_module("runner.testing.fixtures") is plugin


@pytest.mark.parametrize(
    "heavy", ["MetaTrader5", "fakeredis", "lupa", "pandas", "pyarrow"]
)
def test_no_module_imports_a_heavy_library_by_itself(
    survey: dict[str, Any], heavy: str
) -> None:
    """Heavy or Windows-only libraries are imported when needed, not before."""
    assert heavy not in survey["loaded"]


def test_every_logger_has_the_projects_name(survey: dict[str, Any]) -> None:
    """One line of configuration reaches every logger that we own."""
    named = survey["loggers"]

    assert named
    assert [] == [
        f"{module}: {name}"
        for module, name in named.items()
        if name != "mt5runner" and not name.startswith("mt5runner.")
    ]
    assert [] == [
        name for name in survey["known"] if name.partition(".")[0] in PACKAGES
    ]
