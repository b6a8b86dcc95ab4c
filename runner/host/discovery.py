"""Finds plugins and strategies: built in, installed, and in the user's folders."""

from __future__ import annotations

import importlib
import logging
import types
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from pathlib import Path
from typing import Any

import attrs

from runner.host.checks import plugin_name
from runner.host.containment import Raised, attempt
from runner.host.explain import explain
from runner.host.findings import Findings
from runner.host.implementations import did_you_mean
from runner.host.markers import PROJECT_NAME
from runner.host.records import (
    BUILT_IN,
    LoadFailure,
    PluginError,
    PluginRecord,
    Source,
    StrategyRecord,
)
from runner.host.user_files import files, load, mount
from runner.plugin import Plugin
from runner.strategy import Strategy

BUILTIN_MODULES = (
    "plugins.heartbeat",
    "plugins.drawdown.guard",
    "plugins.news_pause.guard",
    "plugins.sizing",
    "plugins.limits",
    "plugins.trading_hours",
    "plugins.spread",
    "plugins.slippage",
    "plugins.cooldown",
    "plugins.equity_target",
    "strategies.hooks",
)
"""The modules of the built-ins, as names: the host imports nothing upward."""

ESSENTIAL_PLUGINS = ("heartbeat", "drawdown", "sizing")
"""Built-in plugins that cannot be disabled: without the first the server thinks the
bot dead, without the second nothing limits losses, without the third no order has a
size."""

CONFIGURED_PLUGINS: Sequence[str] = (
    "trading_hours",
    "spread",
    "slippage",
    "cooldown",
    "equity_target",
)
"""Built-in plugins that run only if the settings have a section for them, or name them
among the enabled ones: without settings they would do nothing."""

STRATEGY_GROUP = f"{PROJECT_NAME}.strategies"
PLUGIN_GROUP = f"{PROJECT_NAME}.plugins"

_log = logging.getLogger("mt5runner.host")


@attrs.frozen(kw_only=True)
class Discovery:
    """What was found.

    Attributes:
        strategies: Class name to strategy.
        plugins: Name to plugin: built-ins, then installed ones, then the user's.
        failures: What was found and cannot be used.
    """

    strategies: Mapping[str, StrategyRecord]
    plugins: Mapping[str, PluginRecord]
    failures: tuple[LoadFailure, ...] = ()

    def select(
        self,
        *,
        enabled: Iterable[str] = (),
        disabled: Iterable[str] = (),
        configured: Iterable[str] = (),
    ) -> tuple[PluginRecord, ...]:
        """Return the plugins to run: all that were found but those switched off.

        Args:
            enabled: Names of plugins or strategies that must be there.
            disabled: Names of plugins that shall not run.
            configured: Names of plugins that the settings have a section for.

        Returns:
            Plugins in the order in which they are to be registered.

        Raises:
            PluginError: If an enabled one did not load, an essential one is disabled
                or missing, or a failure is fatal, such as two sources of one name.
        """
        for failure in self.failures:
            if failure.fatal:
                raise failure.error()
        unwanted, enabled = set(disabled), tuple(enabled)
        for name in [*ESSENTIAL_PLUGINS, *enabled]:
            if name not in self.plugins and name not in self.strategies:
                raise self._missing(name, "plugin", {**self.plugins, **self.strategies})
            if name in unwanted:
                raise PluginError(
                    name,
                    self.plugins[name].source if name in self.plugins else None,
                    "is disabled in the settings, but "
                    + ("essential" if name in ESSENTIAL_PLUGINS else "enabled as well"),
                    "take it from the disabled ones",
                )
        for name in sorted(unwanted - self.plugins.keys()):
            hint = did_you_mean(name, self.plugins)
            _log.warning("disabled, but not found: %s %s", name, hint)
        unwanted |= unconfigured([*enabled, *configured])
        return tuple(p for name, p in self.plugins.items() if name not in unwanted)

    def find_strategy(self, name: str) -> StrategyRecord:
        """Return a strategy by its class name.

        Args:
            name: The server's ``bot_strategy_class``.

        Returns:
            Its record.

        Raises:
            PluginError: If there is none, or it failed to load.
        """
        if name in self.strategies:
            return self.strategies[name]
        raise self._missing(name, "strategy", self.strategies)

    def log_failures(self) -> None:
        """Log every failure, one line each."""
        for failure in self.failures:
            _log.error("could not be loaded: %s", failure)

    def _missing(self, name: str, what: str, known: Iterable[str]) -> PluginError:
        for failure in self.failures:
            if failure.name == name:
                return failure.error()
        others = ", ".join(f"{f.name} ({f.source})" for f in self.failures)
        return PluginError(
            name,
            None,
            f"no {what} of this name was found"
            + (f"; these could not be loaded: {others}" if others else ""),
            did_you_mean(name, known)
            or "install it or name its folder; `runner plugins` lists what there is",
        )


def unconfigured(wanted: Iterable[str]) -> set[str]:
    """Return the built-in plugins that do not run since nobody configured them.

    Args:
        wanted: Plugins that are enabled by name, or that have a section of settings.
    """
    return set(CONFIGURED_PLUGINS) - set(wanted)


def discover(
    plugin_dirs: Sequence[Path] = (),
    *,
    builtin_modules: Sequence[str] = BUILTIN_MODULES,
    installed: EntryPoints | None = None,
) -> Discovery:
    """Find all plugins and strategies; a broken one fails alone.

    Args:
        plugin_dirs: The user's folders.
        builtin_modules: Modules of the built-ins.
        installed: Entry points of all groups; None looks at the environment.

    Returns:
        What was found and what could not be used. Nothing is raised for the latter.
    """
    findings = Findings()
    for name in builtin_modules:
        _take_builtin(findings, name)
    points = entry_points() if installed is None else installed
    for group in (STRATEGY_GROUP, PLUGIN_GROUP):
        for point in sorted(points.select(group=group), key=_origin):
            _take_entry_point(findings, point)
    for folder in dict.fromkeys(path.absolute().resolve() for path in plugin_dirs):
        _take_folder(findings, folder)
    findings.refuse_conflicts()
    return Discovery(
        strategies={record.name: record for record in findings.strategies},
        plugins={record.name: record for record in findings.plugins},
        failures=tuple(findings.failures),
    )


def _take_builtin(findings: Findings, name: str) -> None:
    module = attempt(importlib.import_module, name)
    if isinstance(module, Raised):
        findings.failures.append(explain(module, name, BUILT_IN, fatal=True))
    else:
        findings.take_module(module, name, BUILT_IN)


def _origin(point: EntryPoint) -> tuple[str, str]:
    return (point.dist.name if point.dist else "", point.name)


def _take_entry_point(findings: Findings, point: EntryPoint) -> None:
    source = Source.distribution(
        point.dist.name if point.dist else "unknown distribution",
        point.dist.version if point.dist else "",
    )
    loaded: Any = attempt(point.load)
    if isinstance(loaded, Raised):
        findings.failures.append(explain(loaded, point.name, source))
    elif point.group == STRATEGY_GROUP:
        if not (isinstance(loaded, type) and issubclass(loaded, Strategy)):
            findings.fail(
                point.name,
                source,
                f"expected a subclass of runner.Strategy, got {loaded!r}",
                f"let the entry point name the class, not {point.value}",
            )
        elif _named(findings, point, source, loaded.__name__):
            findings.take_strategy(loaded, source)
    elif isinstance(loaded, types.ModuleType):
        findings.take_module(loaded, point.name, source, required=True)
    elif _named(findings, point, source, _plugin_name(loaded) or point.name):
        findings.take_plugin(point.name, loaded, source)


def _plugin_name(obj: object) -> str:
    """Return the name of a plugin class, or nothing for what has no name."""
    if isinstance(obj, type) and issubclass(obj, Plugin):
        return plugin_name(obj)
    return ""


def _named(findings: Findings, point: EntryPoint, source: Source, name: str) -> bool:
    """Note a failure if the entry point has another name than what it names."""
    if point.name != name:
        findings.fail(
            point.name,
            source,
            f"expected the entry point of {point.value} to be called {name}, "
            f"got {point.name}",
            f"write {name} = {point.value!r} in its pyproject.toml",
        )
    return point.name == name


def _take_folder(findings: Findings, folder: Path) -> None:
    source = Source.path(folder)
    entries = attempt(files, folder)
    if isinstance(entries, Raised):
        findings.fail(
            folder.name,
            source,
            f"expected a folder that can be read: {_reason(entries.error)}",
            "create it, or correct --plugin-dir or plugin_dirs",
            fatal=True,
        )
        return
    package = mount(folder)
    for file in entries:
        _take_file(findings, package, file, folder)


def _reason(error: BaseException) -> str:
    text = error.strerror if isinstance(error, OSError) else None
    return text or str(error)


def _take_file(findings: Findings, package: str, file: Path, folder: Path) -> None:
    source = Source.path(file)
    if not file.stem.isidentifier():
        findings.fail(
            file.stem,
            source,
            "expected a file name of letters, digits and _",
            "rename the file",
        )
        return
    module = attempt(load, package, file)
    if isinstance(module, Raised):
        findings.failures.append(explain(module, file.stem, source, folder=folder))
    else:
        findings.take_module(module, file.stem, source)
