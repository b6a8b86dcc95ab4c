"""Collects what discovery meets: each thing is taken, or its failure noted."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from runner.host.checks import (
    check_instance,
    check_name,
    check_plugin_class,
    check_strategy_class,
    plugin_name,
)
from runner.host.containment import Raised, attempt
from runner.host.explain import explain
from runner.host.implementations import (
    Implementation,
    defined_in,
    implementations,
    near_misses,
)
from runner.host.records import (
    LoadFailure,
    PluginError,
    PluginRecord,
    Source,
    StrategyRecord,
)
from runner.plugin import Plugin
from runner.strategy import Strategy

REGISTER_STRATEGIES = "register_strategies"
Record = TypeVar("Record", PluginRecord, StrategyRecord)


class Findings:
    """What was found, in order, and what is wrong with the rest."""

    def __init__(self) -> None:
        self.strategies: list[StrategyRecord] = []
        self.plugins: list[PluginRecord] = []
        self.failures: list[LoadFailure] = []

    def take_module(
        self,
        module: types.ModuleType,
        name: str,
        source: Source,
        *,
        required: bool = False,
    ) -> None:
        """Take the strategies, plugin classes and hooks that *module* defines.

        Args:
            module: A user's file or a built-in module.
            name: Of the plugin that the module itself is if it has marked functions.
            source: Where it came from.
            required: Whether it must hold anything: a user's file may be a helper.
        """
        before = len(self.strategies) + len(self.plugins) + len(self.failures)
        for cls in _public_classes(module):
            if issubclass(cls, Strategy):
                self.take_strategy(cls, source)
            elif issubclass(cls, Plugin):
                self.take_plugin(plugin_name(cls), cls, source)
        self._take(name, source, lambda: self._take_functions(module, name, source))
        found = len(self.strategies) + len(self.plugins) + len(self.failures) - before
        near = near_misses(module)
        if not found and (near or required):
            self.fail(
                name,
                source,
                ", but ".join(["found no plugin and no strategy", *near]),
                "correct the name and write @hookimpl above it"
                if near
                else "define a plugin, or mark functions with @hookimpl",
            )

    def take_strategy(self, cls: type[Strategy], source: Source) -> None:
        """Take a strategy class if it passes every check."""
        self._take(cls.__name__, source, lambda: self._take_strategy(cls, source))

    def take_plugin(self, name: str, obj: object, source: Source) -> None:
        """Take a plugin class, object or module if it passes every check."""
        self._take(name, source, lambda: self._take_plugin(name, obj, source))

    def fail(
        self,
        name: str,
        source: Source,
        message: str,
        remedy: str,
        *,
        fatal: bool = False,
    ) -> None:
        """Note something that cannot be used."""
        self.failures.append(
            LoadFailure(
                name=name, source=source, message=message, remedy=remedy, fatal=fatal
            )
        )

    def refuse_conflicts(self) -> None:
        """Drop what two sources offer under one name, and note both sources."""
        self.strategies = self._unique(
            "strategy", self.strategies, lambda each: each.cls
        )
        self.plugins = self._unique("plugin", self.plugins, lambda each: each.obj)

    # -- taking ------------------------------------------------------------------------
    def _take(self, name: str, source: Source, take: Callable[[], None]) -> None:
        raised = attempt(take)
        if not isinstance(raised, Raised):
            return
        error = raised.error
        if isinstance(error, PluginError):
            self.failures.append(
                LoadFailure(
                    name=error.plugin,
                    source=source,
                    message=error.message,
                    remedy=error.remedy,
                    file=error.file,
                    line=error.line,
                )
            )
        else:  # an author's metaclass or descriptor raised while it was looked at
            self.failures.append(explain(raised, name, source))

    def _take_strategy(self, cls: type[Strategy], source: Source) -> None:
        found = check_strategy_class(cls, source=source)
        self.strategies.append(
            StrategyRecord(
                name=cls.__name__, cls=cls, source=source, hooks=_hooks(found)
            )
        )

    def _take_plugin(self, name: str, obj: object, source: Source) -> None:
        check_name(name, source)
        cls: Any = obj
        if isinstance(obj, type) and issubclass(cls, Plugin):
            found = check_plugin_class(cls, name=name, source=source)
        else:
            check_instance(cls, name=name, source=source)
            found = implementations(cls, name=name, source=source)
        self._keep(name, cls, source, found)

    def _take_functions(
        self, module: types.ModuleType, name: str, source: Source
    ) -> None:
        found = implementations(module, name=name, source=source, required=False)
        if found:
            check_name(name, source)
            self._keep(name, module, source, found)

    def _keep(
        self, name: str, obj: object, source: Source, found: tuple[Implementation, ...]
    ) -> None:
        self.plugins.append(
            PluginRecord(name=name, source=source, hooks=_hooks(found), obj=obj)
        )
        for each in found:
            if each.hook == REGISTER_STRATEGIES:
                self._ask_strategies(name, getattr(obj, each.attribute), source)

    def _ask_strategies(
        self, name: str, register: Callable[[], Iterable[object]], source: Source
    ) -> None:
        classes = attempt(lambda: list(register()))
        if isinstance(classes, Raised):
            self.failures.append(explain(classes, name, source, fatal=True))
            return
        for cls in classes:
            if isinstance(cls, type) and issubclass(cls, Strategy):
                self.take_strategy(cls, source)
            else:
                self.fail(
                    name,
                    source,
                    f"{REGISTER_STRATEGIES}: expected subclasses of runner.Strategy, "
                    f"got {cls!r}",
                    "return classes, not instances or names",
                    fatal=True,
                )

    def _unique(
        self, what: str, records: list[Record], thing: Callable[[Record], object]
    ) -> list[Record]:
        by_name: dict[str, list[Record]] = {}
        for record in records:
            same = by_name.setdefault(record.name, [])
            if not any(thing(record) is thing(other) for other in same):
                same.append(record)
        for name, same in by_name.items():
            if len(same) > 1:
                sources = " and from ".join(str(record.source) for record in same)
                self.fail(
                    name,
                    same[-1].source,
                    f"two sources offer this {what}: it comes from {sources}",
                    "rename or remove one of the two",
                    fatal=True,
                )
        return [same[0] for same in by_name.values() if len(same) == 1]


def _public_classes(module: types.ModuleType) -> list[type]:
    classes = [
        value
        for name, value in vars(module).items()
        if isinstance(value, type)
        and not name.startswith("_")
        and not inspect.isabstract(value)
        and defined_in(value, module)
    ]
    return list(dict.fromkeys(classes))


def _hooks(found: Iterable[Implementation]) -> tuple[str, ...]:
    return tuple(each.hook for each in found)
