"""The guards shown in the documentation do what their pages claim."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest

from runner import Action, Deny, OrderIntent, Outcome, Tick
from runner.host.discovery import discover
from runner.host.manager import PluginHost
from runner.plugin import PluginSettings

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
Arguments = dict[str, dict[str, Any]]


def _host(name: str, state: Any, **settings: Any) -> PluginHost:
    found = discover([EXAMPLES], builtin_modules=())

    def make_settings(name: str, cls: type[PluginSettings]) -> PluginSettings:
        return cls(**settings)

    host = PluginHost()
    host.load(
        [found.plugins[name]], make_settings=make_settings, state_for=lambda _: state
    )
    return host


def _denied(host: PluginHost, arguments: Arguments, **changes: Any) -> list[Deny]:
    denials = host.check_order(**arguments["check_order"] | changes)
    return [denial.deny for denial in denials]


def _exit(arguments: Arguments) -> OrderIntent:
    intent: OrderIntent = arguments["check_order"]["intent"]
    return attrs.evolve(intent, action=Action.CLOSE, side=None)


def test_everything_in_the_examples_folder_is_found() -> None:
    """The folder of the documentation is a sound plugin folder."""
    found = discover([EXAMPLES], builtin_modules=())

    assert () == found.failures
    assert {"daily_entries", "max_spread", "one_position"} <= set(found.plugins)
    assert "Breakout" in found.strategies


@pytest.mark.parametrize(
    ("ask", "denied"),
    [
        (2400.30, []),
        (2400.31, [Deny("WIDE_SPREAD", "spread=21.0 limit=20.0")]),
        (2400.60, [Deny("WIDE_SPREAD", "spread=50.0 limit=20.0")]),
    ],
)
def test_the_spread_guard_denies_above_its_limit(
    ask: float, denied: list[Deny], hook_arguments: Arguments, memory_state: Any
) -> None:
    """At 20 points a spread of 20 points passes, a wider one does not."""
    host = _host("max_spread", memory_state, points=20.0 + 1e-6)
    tick = Tick("XAUUSD", hook_arguments["check_order"]["now"], 2400.10, ask)

    assert denied == _denied(host, hook_arguments, tick=tick)


def test_the_spread_guard_lets_exits_pass(
    hook_arguments: Arguments, memory_state: Any
) -> None:
    """A wide spread is no reason to keep a position."""
    host = _host("max_spread", memory_state, points=1)

    assert [] == _denied(host, hook_arguments, intent=_exit(hook_arguments))


def test_the_daily_guard_counts_across_restarts(
    hook_arguments: Arguments, memory_state: Any
) -> None:
    """Filled entries count, a new host with the same state goes on counting."""
    sent = hook_arguments["on_order_result"]
    first = _host("daily_entries", memory_state, limit=2)
    first.on_order_result(**sent)
    rejected = attrs.evolve(sent["result"], outcome=Outcome.REJECTED)
    first.on_order_result(**sent | {"result": rejected})
    before = _denied(first, hook_arguments)

    second = _host("daily_entries", memory_state, limit=2)
    second.on_order_result(**sent)

    assert [] == before
    assert [Deny("DAILY_ENTRIES", "opened=2 limit=2")] == _denied(
        second, hook_arguments
    )
    assert [] == _denied(second, hook_arguments, intent=_exit(hook_arguments))


def test_one_position_is_enough_for_the_smallest_guard(
    hook_arguments: Arguments, memory_state: Any
) -> None:
    """Entries are denied while anything is open."""
    host = _host("one_position", memory_state)

    denied = _denied(host, hook_arguments, positions=[object()])

    assert [Deny("ONE_POSITION", "open=1")] == denied
    assert [] == _denied(host, hook_arguments)
