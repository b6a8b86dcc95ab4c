"""What is checked of plugin and strategy classes before an instance is made of them."""

from __future__ import annotations

import inspect
import re
from typing import Any

import attrs

from runner.core.reload import LIVE, RELOADS
from runner.host.containment import attempt
from runner.host.implementations import Implementation, Subject, implementations
from runner.host.records import Source
from runner.plugin import Plugin, PluginSettings
from runner.strategy import Parameters, Strategy

_NAME = re.compile(r"[A-Za-z_][\w.-]*")
_WORD_STARTS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def plugin_name(cls: type[Plugin]) -> str:
    """Return the name of a plugin class: its own, or its class name in snake_case."""
    return cls.name or _WORD_STARTS.sub("_", cls.__name__).lower()


def check_name(name: object, source: Source) -> None:
    """Refuse a name that cannot be written in settings.

    Args:
        name: Of a plugin.
        source: Where it came from, for errors.

    Raises:
        PluginError: If it holds more than letters, digits, ``_``, ``-`` and ``.``.
    """
    if not (isinstance(name, str) and _NAME.fullmatch(name)):
        raise Subject(str(name), source).error(
            "expected a name of letters, digits, '_', '-' and '.', starting with a "
            f"letter, got {name!r}",
            "give it another name",
        )


def check_instance(obj: object, *, name: str, source: Source) -> None:
    """Refuse a class where an instance or a module is expected.

    Args:
        obj: What is to be registered.
        name: Its name, for errors.
        source: Where it came from, for errors.

    Raises:
        PluginError: If it is a class.
    """
    if isinstance(obj, type):
        raise Subject(name, source).error(
            f"expected an instance or a module, got the class {obj.__name__}",
            f"write {obj.__name__}(), or make it a subclass of runner.Plugin",
        )


def check_plugin_class(
    cls: type[Plugin], *, name: str, source: Source
) -> tuple[Implementation, ...]:
    """Check a plugin class.

    Args:
        cls: The class.
        name: Its name, for errors.
        source: Where it came from, for errors.

    Returns:
        Its implementations, in the order of a run.

    Raises:
        PluginError: At the first thing that is wrong.
    """
    subject = Subject(name, source)
    found = implementations(cls, name=name, source=source)
    for each in found:
        if each.hook.startswith("register_") and not each.static:
            raise subject.error(
                f"{each.hook} is asked before an instance is made, "
                "but is written as an instance's method",
                "write @staticmethod above it and drop self",
                each.function,
            )
    _check_fields(subject, "Settings", cls.Settings, PluginSettings)
    return found


def check_strategy_class(
    cls: type[Strategy], *, source: Source
) -> tuple[Implementation, ...]:
    """Check a strategy class.

    Args:
        cls: The class.
        source: Where it came from, for errors.

    Returns:
        Its implementations of hooks, in the order of a run; often none.

    Raises:
        PluginError: At the first thing that is wrong.
    """
    subject = Subject(cls.__name__, source)
    methods = [
        getattr(cls, name)
        for name in ("on_bar", "on_tick")
        if getattr(cls, name) is not getattr(Strategy, name)
    ]
    if not methods:
        raise subject.error(
            "expected on_bar or on_tick, found neither",
            "implement one, or start the name of a base class with _",
        )
    for method in methods:
        if inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method):
            raise subject.error(
                f"{method.__name__} is async, but the runner awaits nothing",
                "write it with def",
                method,
            )
    _check_fields(subject, "Parameters", cls.Parameters, Parameters)
    for field in attrs.fields(cls.Parameters):
        reload = field.metadata.get("reload", LIVE)
        if reload not in RELOADS:
            raise subject.error(
                f"Parameters.{field.name}: expected reload to be one of "
                f"{', '.join(RELOADS)}, got {reload!r}",
                "correct the metadata",
            )
    found = implementations(cls, name=cls.__name__, source=source, required=False)
    for each in found:
        if each.hook.startswith("register_"):
            raise subject.error(
                f"{each.hook} is never asked of a strategy",
                "move it to a module or a plugin class",
                each.function,
            )
    return found


def _check_fields(subject: Subject, what: str, cls: Any, base: type) -> None:
    if not (isinstance(cls, type) and issubclass(cls, base)):
        raise subject.error(
            f"expected {what} to be a subclass of runner.{base.__name__}, got {cls!r}",
            f"write class {what}(runner.{base.__name__})",
        )
    # Raised, where they cannot be resolved, is true as well: there are some.
    annotated: object = attempt(inspect.get_annotations, cls)
    if "__attrs_attrs__" not in vars(cls) and annotated:
        raise subject.error(
            f"{cls.__name__} is no attrs class, so its fields would be ignored",
            "write @attrs.frozen above it",
        )
    for field in attrs.fields(cls):  # type: ignore[arg-type]  # base is attrs
        if field.init and field.default is attrs.NOTHING:
            raise subject.error(
                f"{what}.{field.name} has no default",
                "give it one: every setting must have a value when none is set",
            )
