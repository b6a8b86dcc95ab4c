"""Every hook is documented in full, has a test, and its example runs."""

from __future__ import annotations

import functools
import inspect
import re
import sys
import textwrap
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner import Denial, Deny, Plugin
from runner.host.discovery import ESSENTIAL_PLUGINS, discover
from runner.host.findings import Findings
from runner.host.implementations import SPECS
from runner.host.manager import PluginHost
from runner.host.records import PluginRecord, Source
from runner.plugin import PluginSettings

ROOT = Path(__file__).parents[2]
HERE = Source.path(Path(__file__))
KINDS = {
    "register": "records",
    "on": "None",
    "check": "`Deny` or None",
    "demand": "`Demand`, several, or None",
    "choose": "a value or None",
    "describe": "heartbeat fields",
}

_SECTIONS = (
    r"\A[A-Z][^\n]+\.$",
    r"^\*Called\* ",
    r"^Args:$",
    r"^Returns:$",
    r"^\*If it raises\*",
    r"^\*Built-in\*: ",
    r"^Example:$",
    r"^    \.\. code-block:: python$",
    r"^\.\. versionadded:: \d+\.\d+$",
)


def _docstring(hook: str) -> str:
    return inspect.getdoc(SPECS[hook]) or ""


def _example(hook: str) -> str:
    _, _, rest = _docstring(hook).partition(".. code-block:: python\n")
    code, _, _ = rest.partition("\n.. versionadded::")
    return textwrap.dedent(code)


@functools.cache
def _names_of_tests() -> frozenset[str]:
    files = sorted((ROOT / "tests" / "unit").glob("test_*.py"))
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    return frozenset(re.findall(r"^def (test_\w+)\(", text, re.MULTILINE))


@pytest.fixture
def example(request: pytest.FixtureRequest) -> Iterator[types.ModuleType]:
    """The example of a hook, imported as a module of its own."""
    hook: str = request.param
    module = types.ModuleType(f"example_of_{hook}")
    sys.modules[module.__name__] = module
    exec(compile(_example(hook), f"<{module.__name__}>", "exec"), vars(module))
    yield module
    del sys.modules[module.__name__]


@pytest.mark.parametrize("hook", SPECS)
def test_every_hook_has_every_section_in_order(hook: str) -> None:
    """Authors find the same answers in the same place, for each hook."""
    spec, text = SPECS[hook], _docstring(hook)
    returns = spec.__annotations__["return"] != "None"
    wanted = [
        section
        for section in _SECTIONS
        if not (section == r"^Args:$" and not inspect.signature(spec).parameters)
        and not (section == r"^Returns:$" and not returns)
    ]

    places = [
        match.start() if (match := re.search(section, text, re.MULTILINE)) else None
        for section in wanted
    ]

    assert [] == [wanted[i] for i, place in enumerate(places) if place is None]
    assert sorted(place for place in places if place is not None) == places


@pytest.mark.parametrize("hook", SPECS)
def test_every_argument_is_documented_in_order(hook: str) -> None:
    """The text names the arguments of the specification and no others."""
    _, _, rest = _docstring(hook).partition("\nArgs:\n")
    block, _, _ = rest.partition("\n\n")

    documented = re.findall(r"^    (\w+): ", block, re.MULTILINE)

    assert list(inspect.signature(SPECS[hook]).parameters) == documented


@pytest.mark.parametrize("hook", SPECS)
def test_every_hook_has_a_test(hook: str) -> None:
    """A hook without a test of its own is not part of the contract."""
    assert f"test_hook_{hook}" in _names_of_tests()


@pytest.mark.parametrize("hook", SPECS)
def test_every_hook_is_of_a_known_kind(hook: str) -> None:
    """The prefix fixes what is returned and what happens when it raises."""
    assert hook.partition("_")[0] in KINDS


def test_the_built_ins_named_in_the_documentation_are_those_that_implement() -> None:
    """*Built-in* tells the truth about every hook."""
    found = discover().plugins.values()
    by_hook = {
        hook: {
            record.name
            for record in found
            if hook in record.hooks and str(record.source) == "built-in"
        }
        for hook in SPECS
    }
    known = {record.name for record in found}
    named = {
        hook: known
        & set(
            re.findall(
                r"``([\w.]+)``",
                _docstring(hook).partition("*Built-in*: ")[2].partition("\n\n")[0],
            )
        )
        for hook in SPECS
    }

    assert by_hook == named
    assert set(ESSENTIAL_PLUGINS) < set.union(*by_hook.values())


def _records(module: types.ModuleType) -> list[PluginRecord]:
    findings = Findings()
    findings.take_module(module, "example", HERE)
    assert [] == findings.failures
    return findings.plugins


@pytest.mark.parametrize(
    ("hook", "example"),
    [(hook, hook) for hook in SPECS if hook != "register_strategies"],
    indirect=["example"],
)
def test_every_example_is_a_plugin_that_works(
    hook: str,
    example: types.ModuleType,
    hook_arguments: dict[str, dict[str, Any]],
    memory_state: Any,
) -> None:
    """The example passes every check, and all its hooks can be called."""
    records = _records(example)
    host = PluginHost()
    host.load(
        records,
        make_settings=lambda name, cls: cls(),
        state_for=lambda name: memory_state,
    )

    answers = {
        each: getattr(host, each)(**hook_arguments[each])
        for record in records
        for each in record.hooks
        if each != "on_plugin_error"
    }

    assert hook in {*answers, "on_plugin_error"}
    assert {} == host.failures
    if hook.startswith("choose"):
        assert answers[hook]


@pytest.mark.parametrize("example", ["register_strategies"], indirect=True)
def test_the_example_of_register_strategies_offers_strategies(
    example: types.ModuleType,
) -> None:
    """The classes are found under the names that the server may use."""
    findings = Findings()
    findings.take_module(example, "example", HERE)

    assert [] == findings.failures
    assert ["BuyEURUSD", "BuyXAUUSD"] == [each.name for each in findings.strategies]


GUARDS = {
    "check_trading": [],
    "check_symbol": [],
    "check_order": [],
    "on_account": [],
    "on_position_closed": [Denial("cooldown", Deny("COOLDOWN", "until=10:30"))],
}


@pytest.mark.parametrize(
    ("hook", "example"), [(hook, hook) for hook in GUARDS], indirect=["example"]
)
def test_the_guards_of_the_examples_say_what_they_claim(
    hook: str,
    example: types.ModuleType,
    hook_arguments: dict[str, dict[str, Any]],
    memory_state: Any,
) -> None:
    """In the sample situation they abstain, or deny with code and figures."""
    host = PluginHost()
    for record in _records(example):
        cls: Any = record.obj
        is_class = isinstance(cls, type) and issubclass(cls, Plugin)
        plugin = cls(PluginSettings(), memory_state) if is_class else cls
        host.attach(record.name, plugin, HERE)
    if hook.startswith("on_"):
        getattr(host, hook)(**hook_arguments[hook])
        hook = "check_trading"

    denials = getattr(host, hook)(**hook_arguments[hook])

    assert GUARDS[example.__name__.removeprefix("example_of_")] == denials


@pytest.mark.parametrize("prefix", KINDS)
def test_the_pages_name_every_kind(prefix: str) -> None:
    """The table of kinds in the documentation is whole."""
    page = (ROOT / "docs" / "hooks.md").read_text(encoding="utf-8")

    assert re.search(rf"^\| `{prefix}_\*` \|", page, re.MULTILINE)


def test_the_page_pulls_in_the_specifications() -> None:
    """The reference is the docstrings themselves: there is no second text."""
    page = (ROOT / "docs" / "hooks.md").read_text(encoding="utf-8")

    assert ".. automodule:: runner.host.hookspecs" in page
