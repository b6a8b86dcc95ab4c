"""Finding plugins and strategies: built in, installed, in the user's folders."""

from __future__ import annotations

import json
import logging
import pickle
import sys
import types
from collections.abc import Iterator
from decimal import Decimal
from importlib.metadata import EntryPoints, distributions
from pathlib import Path
from typing import Any

import attrs
import cattrs
import pytest

from runner import Plugin, Strategy, hookimpl
from runner.host.discovery import (
    BUILTIN_MODULES,
    CONFIGURED_PLUGINS,
    ESSENTIAL_PLUGINS,
    Discovery,
    discover,
)
from runner.host.records import (
    BUILT_IN,
    PluginError,
    PluginRecord,
    Source,
    StrategyRecord,
)

FOLDERS = Path(__file__).parents[1] / "data" / "plugin_dirs"
NOTHING = EntryPoints()


def _find(*folders: str) -> Discovery:
    return discover(
        [FOLDERS / name for name in folders], builtin_modules=(), installed=NOTHING
    )


# -- folders ---------------------------------------------------------------------------
def test_everything_sound_in_a_folder_is_found() -> None:
    """Strategies, plugin classes, marked modules and sub-packages; no helper."""
    found = _find("good")

    assert () == found.failures
    assert {
        "Levels": Source.path(FOLDERS / "good" / "levels.py"),
        "Carry": Source.path(FOLDERS / "good" / "portfolio"),
    } == {name: record.source for name, record in found.strategies.items()}
    assert {
        "max_positions": ("check_order",),
        "weekend": ("check_trading",),
    } == {name: record.hooks for name, record in found.plugins.items()}
    assert ("on_bar_closed",) == found.strategies["Levels"].hooks


def test_a_users_file_hides_no_other_module() -> None:
    """``json`` stays the standard library's; the neighbour is reached relatively."""
    path = list(sys.path)

    cls = _find("good").strategies["Levels"].cls

    module = sys.modules[cls.__module__]
    assert '{"a": 1}' == module.STANDARD
    assert "not what the standard library does" == module.NEIGHBOUR
    assert sys.modules["json"] is json
    assert path == sys.path


def test_classes_of_a_folder_are_like_any_other() -> None:
    """They can be pickled, and structured from plain data."""
    cls: Any = _find("good").strategies["Levels"].cls.Parameters
    converter = cattrs.Converter()
    converter.register_structure_hook(Decimal, lambda value, _: Decimal(value))

    parameters = converter.structure({"distance": "1.5"}, cls)

    assert cls(distance=Decimal("1.5")) == parameters
    assert parameters == pickle.loads(pickle.dumps(parameters))


def test_a_folder_is_mounted_once() -> None:
    """Naming it twice, or looking again, gives the same classes."""
    again = Path(FOLDERS / "good" / ".." / "good")

    first = _find("good").strategies["Levels"].cls
    second = discover([FOLDERS / "good", again], builtin_modules=(), installed=NOTHING)

    assert first is second.strategies["Levels"].cls
    assert () == second.failures


def test_a_broken_file_fails_alone() -> None:
    """The sound one is found; the others are named with file, line and remedy."""
    found = _find("mixed")

    assert ["GoodBot"] == list(found.strategies)
    assert {
        ("typing_error", "typing_error.py", 4, "did you mean check_order?"),
        ("unfinished", "unfinished.py", 4, "correct that line"),
    } == {
        (each.name, Path(each.file).name, each.line, each.remedy)
        for each in found.failures
    }
    assert ("GoodBot",) == tuple(
        record.name for record in [found.find_strategy("GoodBot")]
    )


IMPORTS = {
    "absolute": (
        "absolute.py",
        3,
        "ModuleNotFoundError: No module named 'helper'",
        "import files of this folder relatively: from . import helper",
    ),
    "breaks_off": ("syntax.py", 1, "SyntaxError", "correct that line"),
    "leaves": (
        "leaves.py",
        4,
        "SystemExit: run me as a program",
        "remove the call that ends the program: the file is only imported",
    ),
    "missing_library": (
        "missing_library.py",
        1,
        "ModuleNotFoundError: No module named 'a_library_that_nobody_has'",
        (
            "install a_library_that_nobody_has into the environment of mt5runner, "
            "or correct it"
        ),
    ),
    "missing_sibling": (
        "missing_sibling.py",
        1,
        "ModuleNotFoundError: No module named '_mt5runner_user_",
        f"there is no such file in {FOLDERS / 'imports'}: correct the import",
    ),
    "my-bot": (
        "",
        None,
        "expected a file name of letters, digits and _",
        "rename the file",
    ),
    "raises": (
        "_deeper.py",
        5,
        "JSONDecodeError: Expecting value",
        "correct that line: it runs when mt5runner starts",
    ),
    "syntax": ("syntax.py", 1, "SyntaxError", "correct that line"),
    "wrong_name": (
        "wrong_name.py",
        1,
        "ImportError: cannot import name 'Stratgy' from 'runner'",
        "correct the import",
    ),
}


@pytest.mark.parametrize("stem", IMPORTS)
def test_a_file_that_cannot_be_imported_is_explained(stem: str) -> None:
    """The author's own line nearest to the error is named, not a library's."""
    file, line, message, remedy = IMPORTS[stem]

    [failure] = [each for each in _find("imports").failures if each.name == stem]

    assert (file, line, remedy) == (
        Path(failure.file).name,
        failure.line,
        failure.remedy,
    )
    assert message in failure.message
    assert Source.path(FOLDERS / "imports" / f"{stem}.py") == failure.source


def test_every_file_of_the_folder_fails_but_the_helper() -> None:
    """A file with neither plugin nor strategy is a helper, and no failure."""
    found = _find("imports")

    assert sorted(IMPORTS) == sorted(each.name for each in found.failures)
    assert {} == found.strategies
    assert {} == found.plugins


def test_the_way_to_an_error_shows_the_authors_frames_only() -> None:
    """The traceback is cut: nothing of the host's, of pluggy's or of importlib's."""
    [failure] = [each for each in _find("imports").failures if each.name == "raises"]

    places = [Path(frame.partition(".py:")[0]).name for frame in failure.trace]

    assert ["raises", "_deeper"] == places[:2]
    assert {"__init__", "decoder"} == set(places[2:])
    assert failure.trace[0].endswith('raises.py:5: LIMIT = read("limit")')


def test_a_folder_that_is_not_there_refuses_the_start(tmp_path: Path) -> None:
    """A mistyped folder would be a guard that silently is not there."""
    found = discover([tmp_path / "guards"], builtin_modules=(), installed=NOTHING)

    [failure] = found.failures
    assert failure.fatal
    assert failure.message.startswith("expected a folder that can be read: ")
    assert "Error" not in failure.message
    with pytest.raises(PluginError, match="create it, or correct --plugin-dir"):
        found.select()


def test_a_file_corrected_in_between_is_found(tmp_path: Path) -> None:
    """What failed to import is read again, not remembered."""
    file = tmp_path / "late.py"
    file.write_text("raise ValueError\n")
    before = discover([tmp_path], builtin_modules=(), installed=NOTHING)

    file.write_text(
        "from runner import Strategy\n\n\nclass Late(Strategy):\n"
        "    def on_bar(self, bar):\n        return None\n"
    )
    after = discover([tmp_path], builtin_modules=(), installed=NOTHING)

    assert ["late"] == [each.name for each in before.failures]
    assert ["Late"] == list(after.strategies)


# -- names -----------------------------------------------------------------------------
def test_two_sources_of_one_name_are_both_named_and_neither_is_taken() -> None:
    """Which one would trade is not for chance to decide."""
    found = _find("good", "clash")

    first, second = FOLDERS / "good", FOLDERS / "clash"
    assert {
        "Carry": "two sources offer this strategy: it comes from "
        f"{first / 'portfolio'} and from {second / 'breakout.py'}",
        "weekend": "two sources offer this plugin: it comes from "
        f"{first / 'weekend.py'} and from {second / 'weekend.py'}",
    } == {each.name: each.message for each in found.failures}
    assert ["Levels"] == list(found.strategies)
    assert ["max_positions"] == list(found.plugins)
    with pytest.raises(PluginError, match="two sources offer this"):
        found.select()
    with pytest.raises(PluginError, match="two sources offer this strategy"):
        found.find_strategy("Carry")


def test_a_strategy_that_is_not_there_is_answered_with_the_nearest() -> None:
    """The server's spelling mistake is met with a question."""
    with pytest.raises(PluginError) as caught:
        _find("good").find_strategy("Level")

    assert ("Level: no strategy of this name was found; did you mean Levels?") == str(
        caught.value
    )


def test_a_missing_strategy_tells_what_failed_to_load() -> None:
    """The class may be in one of the files that could not be read."""
    with pytest.raises(PluginError) as caught:
        _find("mixed").find_strategy("Unfinished")

    text = str(caught.value)
    assert "these could not be loaded: " in text
    assert f"unfinished ({FOLDERS / 'mixed' / 'unfinished.py'})" in text
    assert "`runner plugins` lists what there is" in text


# -- installed distributions -----------------------------------------------------------
@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed distributions that this test may import from."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def _install(site: Path, module: str, code: str, entry_points: str) -> EntryPoints:
    (site / f"{module}.py").write_text(code)
    info = site / f"{module}-1.4.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.4\n"
    )
    (info / "entry_points.txt").write_text(entry_points)
    [distribution] = [
        each for each in distributions(path=[str(site)]) if each.name == module
    ]
    return distribution.entry_points


STRATEGY = """
from runner import Strategy


class AcmeTrend(Strategy):
    def on_bar(self, bar):
        return None


class Quiet(Strategy):
    pass


def make():
    return AcmeTrend
"""


def test_an_installed_strategy_is_found_with_name_and_version(site: Path) -> None:
    """The source is the distribution that brought it."""
    points = _install(
        site,
        "acme_trend",
        STRATEGY,
        "[mt5runner.strategies]\nAcmeTrend = acme_trend:AcmeTrend\n",
    )

    found = discover(builtin_modules=(), installed=points)

    assert () == found.failures
    record = found.find_strategy("AcmeTrend")
    assert Source.distribution("acme_trend", "1.4") == record.source
    assert "acme_trend 1.4" == str(record.source)


@pytest.mark.parametrize(
    ("entry", "message", "remedy"),
    [
        (
            "Trend = acme_bad:AcmeTrend",
            (
                "expected the entry point of acme_bad:AcmeTrend to be called "
                "AcmeTrend, got Trend"
            ),
            "write AcmeTrend = 'acme_bad:AcmeTrend' in its pyproject.toml",
        ),
        (
            "make = acme_bad:make",
            "expected a subclass of runner.Strategy, got <function make",
            "let the entry point name the class, not acme_bad:make",
        ),
        (
            "Gone = acme_bad:Gone",
            "AttributeError: module 'acme_bad' has no attribute 'Gone'",
            "correct the entry point, or install the distribution anew",
        ),
        (
            "Gone = acme_gone:Gone",
            "ModuleNotFoundError: No module named 'acme_gone'",
            "install acme_gone into the environment of mt5runner, or correct it",
        ),
        (
            "Quiet = acme_bad:Quiet",
            "expected on_bar or on_tick, found neither",
            "implement one, or start the name of a base class with _",
        ),
    ],
)
def test_a_wrong_strategy_entry_point_is_explained(
    site: Path, entry: str, message: str, remedy: str
) -> None:
    """The distribution is named, and what its author has to correct."""
    points = _install(site, "acme_bad", STRATEGY, f"[mt5runner.strategies]\n{entry}\n")

    [failure] = discover(builtin_modules=(), installed=points).failures

    assert failure.message.startswith(message)
    assert remedy == failure.remedy
    assert "acme_bad 1.4" == str(failure.source)


PLUGINS = """
import attrs

from runner import Plugin, Strategy, hookimpl


class SpreadLimit(Plugin):
    @hookimpl
    def check_trading(self):
        return None


@attrs.define
class Loose:
    @hookimpl
    def on_started(self):
        pass


instance = Loose()
empty = object()


@hookimpl
def check_symbol():
    return None
"""


def test_an_installed_plugin_may_be_a_class_an_object_or_a_module(site: Path) -> None:
    """A module brings its plugin classes and its own marked functions."""
    points = _install(
        site,
        "acme_guards",
        PLUGINS,
        "[mt5runner.plugins]\n"
        "spread_limit = acme_guards:SpreadLimit\n"
        "loose = acme_guards:instance\n"
        "guards = acme_guards\n",
    )

    found = discover(builtin_modules=(), installed=points)

    assert () == found.failures
    assert {
        "guards": ("check_symbol",),
        "loose": ("on_started",),
        "spread_limit": ("check_trading",),
    } == {name: record.hooks for name, record in found.plugins.items()}
    assert isinstance(found.plugins["guards"].obj, types.ModuleType)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            "spread = acme_poor:SpreadLimit",
            (
                "expected the entry point of acme_poor:SpreadLimit to be called "
                "spread_limit, got spread"
            ),
        ),
        (
            "loose = acme_poor:Loose",
            "expected an instance or a module, got the class Loose",
        ),
        ("empty = acme_poor:empty", "expected at least one hook, found none"),
        ("typing = types", "found no plugin and no strategy"),
    ],
)
def test_a_wrong_plugin_entry_point_is_explained(
    site: Path, entry: str, message: str
) -> None:
    """An installed plugin that cannot be used is told apart from a helper."""
    points = _install(site, "acme_poor", PLUGINS, f"[mt5runner.plugins]\n{entry}\n")

    [failure] = discover(builtin_modules=(), installed=points).failures

    assert message == failure.message
    assert "acme_poor 1.4" == str(failure.source)


# -- built-ins and what is selected ----------------------------------------------------
def test_the_built_ins_are_whole() -> None:
    """Every built-in loads, the essential ones among them."""
    found = discover(installed=NOTHING)

    assert () == found.failures
    assert set(ESSENTIAL_PLUGINS) < set(found.plugins)
    assert "TrendFollowingBot" in found.strategies
    records: list[PluginRecord | StrategyRecord] = [
        *found.plugins.values(),
        *found.strategies.values(),
    ]
    assert {BUILT_IN} == {record.source for record in records}


def test_a_built_in_that_is_gone_refuses_the_start() -> None:
    """A damaged installation must not trade without its guards."""
    found = discover(
        builtin_modules=(*BUILTIN_MODULES, "plugins.gone"), installed=NOTHING
    )

    with pytest.raises(PluginError, match=r"plugins\.gone"):
        found.select()


@pytest.fixture(scope="module")
def found() -> Discovery:
    """The built-ins and a folder with sound and broken files."""
    return discover([FOLDERS / "good", FOLDERS / "mixed"], installed=NOTHING)


def test_all_that_was_found_runs_unless_disabled(found: Discovery) -> None:
    """Guards are on by default, and broken files beside them change nothing."""
    everything = [record.name for record in found.select()]
    fewer = [record.name for record in found.select(disabled=["weekend", "news_pause"])]

    assert [
        name for name in found.plugins if name not in CONFIGURED_PLUGINS
    ] == everything
    assert [
        name for name in everything if name not in {"weekend", "news_pause"}
    ] == fewer


def test_a_built_in_that_does_nothing_without_settings_runs_when_it_has_some(
    found: Discovery,
) -> None:
    """Or when it is named; five idle guards would be asked on every cycle."""
    usual = {record.name for record in found.select()}
    configured = found.select(configured=["spread"], enabled=["cooldown"])
    disabled = found.select(configured=["spread"], disabled=["spread"])

    assert {"spread", "cooldown"} == {record.name for record in configured} - usual
    assert usual == {record.name for record in disabled}


@pytest.mark.parametrize("name", ["GoodBot", "max_positions", "drawdown"])
def test_what_is_enabled_and_there_lets_the_start_go_on(
    found: Discovery, name: str
) -> None:
    """Plugins and strategies may be required by name."""
    assert found.select(enabled=[name])


def test_what_is_enabled_and_broken_refuses_the_start(found: Discovery) -> None:
    """The reason is the file's own failure."""
    with pytest.raises(PluginError) as caught:
        found.select(enabled=["unfinished"])

    assert "SyntaxError" in str(caught.value)
    assert 4 == caught.value.line


def test_what_is_enabled_and_nowhere_refuses_the_start(found: Discovery) -> None:
    """A mistyped guard must not be missed silently."""
    with pytest.raises(PluginError, match=r"did you mean max_positions\?"):
        found.select(enabled=["max_position"])


@pytest.mark.parametrize("name", ESSENTIAL_PLUGINS)
def test_essential_plugins_cannot_be_disabled(found: Discovery, name: str) -> None:
    """Nobody trades without limits, sizes or heartbeats by a line of settings."""
    with pytest.raises(PluginError, match="disabled in the settings, but essential"):
        found.select(disabled=[name])


def test_enabled_and_disabled_at_once_is_refused(found: Discovery) -> None:
    """Contradicting settings are not resolved by guessing."""
    with pytest.raises(PluginError, match="disabled in the settings, but enabled as"):
        found.select(enabled=["weekend"], disabled=["weekend"])


def test_disabling_what_is_not_there_is_told(
    found: Discovery, caplog: pytest.LogCaptureFixture
) -> None:
    """A mistyped name leaves its plugin running, so it is said."""
    found.select(disabled=["weekends"])

    assert ["disabled, but not found: weekends did you mean weekend?"] == [
        record.getMessage() for record in caplog.records
    ]


def test_a_missing_essential_plugin_refuses_the_start() -> None:
    """Without the heartbeat's module nothing runs, whoever replaced the built-ins."""
    with pytest.raises(PluginError, match="heartbeat: no plugin of this name"):
        _find("good").select()


def test_failures_are_logged_one_line_each(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A start shows what is missing beside what runs."""
    caplog.set_level(logging.ERROR, "mt5runner.host")

    _find("mixed").log_failures()

    lines = [record.getMessage() for record in caplog.records]
    assert 2 == len(lines)
    assert all(line.startswith("could not be loaded: ") for line in lines)


# -- the register_strategies hook ------------------------------------------------------
def test_hook_register_strategies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Classes made at run time are found under their class names, once each."""
    made = type("MadeBot", (Strategy,), {"on_bar": lambda self, bar: None})

    class Factory(Plugin):
        """Offers a strategy before an instance of it is made."""

        @staticmethod
        @hookimpl
        def register_strategies() -> list[type[Strategy]]:
            return [made, made]

    module: Any = types.ModuleType("made_bots")
    Factory.__module__ = module.__name__
    module.Factory = Factory
    monkeypatch.setitem(sys.modules, "made_bots", module)

    found = discover(builtin_modules=["made_bots"], installed=NOTHING)

    assert () == found.failures
    assert {"MadeBot": made} == {n: r.cls for n, r in found.strategies.items()}
    assert ("register_strategies",) == found.plugins["factory"].hooks


def test_records_say_where_they_come_from() -> None:
    """Every kind of source has one spelling in logs, errors and listings."""
    failure = attrs.evolve(_find("imports").failures[0], file="", line=None)

    assert str(failure).startswith(
        f"absolute ({FOLDERS / 'imports' / 'absolute.py'}): ModuleNotFoundError"
    )
