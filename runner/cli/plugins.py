"""`runner plugins`: what was found, from where, what it implements, what failed."""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.cli.flags import add_config_flag, add_plugin_flag, load_settings
from runner.exit_codes import ExitCode

if TYPE_CHECKING:
    from runner.host.discovery import Discovery
    from runner.host.records import LoadFailure, Source, StrategyRecord

HELP = "list plugins and strategies: from where, which hooks, what failed and why"

_WIDTH = 80


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's flags."""
    add_plugin_flag(parser)
    add_config_flag(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Look for plugins and print them; exit code 3 if anything failed."""
    from runner.host.discovery import discover, unconfigured
    from runner.host.records import PluginError

    settings = load_settings(arguments)
    discovery = discover([Path(folder) for folder in settings.plugin_dirs])
    disabled = frozenset(settings.disabled_plugins)
    refusal = ""
    try:
        discovery.select(enabled=settings.enabled_plugins, disabled=disabled)
    except PluginError as error:
        refusal = str(error)
    marks = dict.fromkeys(
        unconfigured([*settings.enabled_plugins, *settings.plugins]), "not configured"
    ) | dict.fromkeys(disabled, "disabled")
    if arguments.json:
        print(json.dumps(_as_json(discovery, marks, refusal), indent=2))
    else:
        print("\n".join(_as_text(discovery, marks, refusal)))
    return ExitCode.PLUGIN if discovery.failures or refusal else ExitCode.DONE


def _as_json(
    discovery: Discovery, marks: Mapping[str, str], refusal: str
) -> dict[str, Any]:
    return {
        "plugins": [
            {
                "name": record.name,
                "source": _source(record.source),
                "hooks": list(record.hooks),
                "disabled": marks.get(record.name) == "disabled",
                "configured": marks.get(record.name) != "not configured",
            }
            for record in discovery.plugins.values()
        ],
        "strategies": [
            {
                "name": record.name,
                "source": _source(record.source),
                "hooks": list(record.hooks),
                "parameters": _parameters(record),
            }
            for record in discovery.strategies.values()
        ],
        "failures": [
            {
                "name": failure.name,
                "source": _source(failure.source),
                "file": failure.file or None,
                "line": failure.line,
                "message": failure.message,
                "remedy": failure.remedy,
                "trace": list(failure.trace),
                "refuses_start": failure.fatal,
            }
            for failure in discovery.failures
        ],
        "start_refused": refusal or None,
    }


def _source(source: Source) -> dict[str, str]:
    return {
        "kind": source.kind.value,
        "name": source.name,
        "version": source.version,
    }


def _parameters(record: StrategyRecord) -> dict[str, str]:
    """Return parameter to default, as the author wrote it."""
    import attrs

    return {
        field.name: "..." if hasattr(field.default, "factory") else repr(field.default)
        for field in attrs.fields(record.cls.Parameters)
    }


def _as_text(
    discovery: Discovery, marks: Mapping[str, str], refusal: str
) -> Iterable[str]:
    plugins, strategies = discovery.plugins.values(), discovery.strategies.values()
    names = [*discovery.plugins, *discovery.strategies]
    column = max([12, *map(len, names)]) + 4
    yield f"plugins: {len(plugins)}"
    for plugin in plugins:
        mark = f" ({marks[plugin.name]})" if plugin.name in marks else ""
        yield f"  {plugin.name:<{column - 2}}{plugin.source}{mark}"
        yield from _wrapped(", ".join(plugin.hooks), column)
    yield f"\nstrategies: {len(strategies)}"
    for strategy in strategies:
        yield f"  {strategy.name:<{column - 2}}{strategy.source}"
        parameters = _parameters(strategy).items()
        yield from _wrapped(", ".join(f"{k}={v}" for k, v in parameters), column)
        yield from _wrapped(", ".join(strategy.hooks), column)
    if discovery.failures:
        yield f"\ncould not be loaded: {len(discovery.failures)}"
    for failure in discovery.failures:
        yield from _failure(failure)
    if refusal:
        yield "\n`runner start` refuses:"
        yield from _wrapped(refusal, 4)


def _failure(failure: LoadFailure) -> Iterable[str]:
    place = f"{failure.file}:{failure.line}" if failure.line else failure.file
    source = str(failure.source)
    origin = [] if place.startswith(source) else [source]
    yield f"  {failure.name}: {' '.join([*origin, place]).strip()}"
    yield from _wrapped(failure.message, 4)
    for frame in failure.trace[:-1]:  # the last one is the place itself
        yield f"    by way of {frame}"
    yield from _wrapped(f"remedy: {failure.remedy}", 4)


def _wrapped(text: str, indent: int) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=" " * indent,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
