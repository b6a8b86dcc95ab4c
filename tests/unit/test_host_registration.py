"""What is refused when plugins are looked for: who, where, why, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner import Plugin, hookimpl
from runner.host.discovery import Discovery, discover
from runner.host.manager import PluginHost
from runner.host.records import BUILT_IN, PluginError, Source

FOLDER = Path(__file__).parents[1] / "data" / "plugin_dirs" / "unusable"

REFUSED = {
    "unknown_hook": (
        "unknown_hook",
        4,
        "@hookimpl marks check_ordr, which is no hook",
        "did you mean check_order?",
    ),
    "no_hook_like_it": (
        "no_hook_like_it",
        4,
        "@hookimpl marks frobnicate, which is no hook",
        "see the hooks in the docs",
    ),
    "unmarked": (
        "unmarked",
        9,
        (
            "check_order has a hook's name but is no function marked with @hookimpl, "
            "so it would never be called"
        ),
        "write @hookimpl above it, or rename it",
    ),
    "unmarked_function": (
        "unmarked_function",
        1,
        (
            "check_order has a hook's name but is no function marked with @hookimpl, "
            "so it would never be called"
        ),
        "write @hookimpl above it, or rename it",
    ),
    "nearly": (
        "nearly",
        None,
        "found no plugin and no strategy, but check_orders (did you mean check_order?)",
        "correct the name and write @hookimpl above it",
    ),
    "no_hooks": (
        "no_hooks",
        None,
        (
            "expected at least one hook, found none, "
            "but chek_order (did you mean check_order?)"
        ),
        "implement a hook and mark it with @hookimpl",
    ),
    "unknown_argument": (
        "unknown_argument",
        4,
        (
            "check_order has no argument intnet; expected any of: intent, magic, "
            "account, positions, orders, unresolved, symbol, symbols, tick, "
            "config, now"
        ),
        "did you mean intent?",
    ),
    "argument_with_default": (
        "argument_with_default",
        4,
        (
            "check_order: argument now has a default, and arguments with defaults are "
            "never filled"
        ),
        "drop the default",
    ),
    "keyword_only": (
        "keyword_only",
        4,
        "check_order: argument intent is keyword-only, but arguments come by position",
        "drop the * before it",
    ),
    "starred": (
        "starred",
        4,
        "check_trading has **everything, which a hook never fills",
        "name the arguments it needs, of: account, config, now",
    ),
    "without_self": (
        "without_self",
        5,
        "on_started is a method without self",
        "add self as its first parameter",
    ),
    "wrong_argument_type": (
        "wrong_argument_type",
        4,
        "check_order: argument intent is annotated int, expected OrderIntent",
        "correct the annotation",
    ),
    "wrong_return_type": (
        "wrong_return_type",
        4,
        "check_order: the return value is annotated bool, expected Deny | None",
        "correct the annotation",
    ),
    "wrapper": (
        "wrapper",
        4,
        (
            "check_order is a wrapper, but each plugin is called by itself, so there "
            "is nothing to wrap"
        ),
        "write it as a plain hook",
    ),
    "old_wrapper": (
        "old_wrapper",
        4,
        (
            "on_started is a wrapper, but each plugin is called by itself, so there is "
            "nothing to wrap"
        ),
        "write it as a plain hook",
    ),
    "awaits": (
        "awaits",
        4,
        "check_order is async, but the runner awaits nothing",
        "write it with def",
    ),
    "yields": (
        "yields",
        4,
        "on_started is a generator, so its body would never run",
        "return the value instead of yielding it",
    ),
    "twice": (
        "twice",
        9,
        "check_trading is implemented twice, by check_trading and once_more",
        "keep one of the two",
    ),
    "settings_without_attrs": (
        "limit",
        None,
        "LimitSettings is no attrs class, so its fields would be ignored",
        "write @attrs.frozen above it",
    ),
    "settings_without_default": (
        "limit",
        None,
        "Settings.limit has no default",
        "give it one: every setting must have a value when none is set",
    ),
    "settings_of_another_kind": (
        "limit",
        None,
        (
            "expected Settings to be a subclass of runner.PluginSettings, "
            "got <class 'dict'>"
        ),
        "write class Settings(runner.PluginSettings)",
    ),
    "odd_name": (
        "my guard",
        None,
        (
            "expected a name of letters, digits, '_', '-' and '.', starting with a "
            "letter, got 'my guard'"
        ),
        "give it another name",
    ),
    "idle_strategy": (
        "Idle",
        None,
        "expected on_bar or on_tick, found neither",
        "implement one, or start the name of a base class with _",
    ),
    "async_strategy": (
        "Awaits",
        5,
        "on_bar is async, but the runner awaits nothing",
        "write it with def",
    ),
    "unknown_reload": (
        "Bot",
        None,
        (
            "Parameters.lookback_period: expected reload to be one of live, flat_only, "
            "restart, got 'flat-only'"
        ),
        "correct the metadata",
    ),
    "registers_from_strategy": (
        "Bot",
        8,
        "register_strategies is never asked of a strategy",
        "move it to a module or a plugin class",
    ),
    "registers_from_instance": (
        "maker",
        5,
        (
            "register_strategies is asked before an instance is made, but is written "
            "as an instance's method"
        ),
        "write @staticmethod above it and drop self",
    ),
    "register_raises": (
        "register_raises",
        6,
        "OSError: no strategies today",
        "correct that line: it runs when mt5runner starts",
    ),
    "registers_nonsense": (
        "registers_nonsense",
        None,
        "register_strategies: expected subclasses of runner.Strategy, got 'Breakout'",
        "return classes, not instances or names",
    ),
}


@pytest.fixture(scope="module")
def found() -> Discovery:
    """What is found in a folder where every file is wrong in its own way."""
    return discover([FOLDER], builtin_modules=())


@pytest.mark.parametrize("stem", REFUSED)
def test_each_mistake_is_named_with_place_and_remedy(
    found: Discovery, stem: str
) -> None:
    """A mistake is reported once: by name, file, line, what is wrong, what to do."""
    file = FOLDER / f"{stem}.py"
    name, line, message, remedy = REFUSED[stem]

    [failure] = [each for each in found.failures if each.source == Source.path(file)]

    assert (name, line, message, remedy) == (
        failure.name,
        failure.line,
        failure.message,
        failure.remedy,
    )
    assert failure.line is None or str(file) == failure.file


def test_every_file_of_the_folder_is_in_the_table(found: Discovery) -> None:
    """No sample of a mistake is left without its expectation."""
    assert sorted(REFUSED) == sorted(path.stem for path in FOLDER.glob("*.py"))
    assert len(REFUSED) == len(found.failures)


def test_only_the_sound_parts_of_such_files_are_kept(found: Discovery) -> None:
    """The plugins that offer strategies stay; of the refused things nothing does."""
    assert ["register_raises", "registers_nonsense"] == list(found.plugins)
    assert [] == list(found.strategies)


def test_an_error_tells_everything_on_one_line(found: Discovery) -> None:
    """Logs and the command line show who, where, what and the remedy together."""
    [failure] = [each for each in found.failures if each.name == "unknown_hook"]

    assert (
        f"unknown_hook ({FOLDER / 'unknown_hook.py'}:4): @hookimpl marks check_ordr, "
        "which is no hook; did you mean check_order?"
    ) == str(failure)


class Quiet(Plugin):
    """Implements one hook."""

    @hookimpl
    def on_started(self) -> None:
        """Do nothing."""


def test_a_class_in_place_of_an_instance_is_refused() -> None:
    """A forgotten pair of brackets is said in those words."""
    with pytest.raises(PluginError) as caught:
        PluginHost().attach("quiet", Quiet, BUILT_IN)

    assert "expected an instance or a module, got the class Quiet" == (
        caught.value.message
    )
    assert "write Quiet(), or make it a subclass of runner.Plugin" == (
        caught.value.remedy
    )


def test_a_second_plugin_of_one_name_is_refused_naming_both_sources(
    memory_state: object,
) -> None:
    """Two plugins of one name cannot be told apart in settings and errors."""
    host = PluginHost()
    host.attach("quiet", Quiet(None, memory_state), BUILT_IN)  # type: ignore[arg-type]

    with pytest.raises(PluginError) as caught:
        host.attach(
            "quiet",
            Quiet(None, memory_state),  # type: ignore[arg-type]
            Source.distribution("acme", "1.2"),
        )

    assert (
        "quiet (acme 1.2): a plugin of this name is registered already, from "
        "built-in; rename or disable one of the two"
    ) == str(caught.value)
    assert {"quiet": BUILT_IN} == host.plugins
