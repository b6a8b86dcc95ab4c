"""The last known good config of a strategy that the server does not run any more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from memory_store import MemoryStore

from runner import Parameters
from runner.link import Link
from runner.link.memory import Memory
from runner.testing import FakeClock

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


@attrs.frozen
class TrendParameters(Parameters):
    """One parameter."""

    stop_loss: int = attrs.field(default=100, validator=attrs.validators.gt(0))


def body(version: int = 3, **changes: Any) -> dict[str, Any]:
    """The config of strategy 4 as the server sent it."""
    return {
        "status": "success",
        "version": version,
        "bot_strategy_id": 4,
        "bot_strategy_class": "Trend",
        "bot_status": "ACTIVE",
        "allowed_symbols": ["XAUUSD"],
        "parameters_by_symbol": {"XAUUSD": {"stop_loss": 50}},
    } | changes


@pytest.fixture
def store() -> MemoryStore:
    """An empty disk."""
    return MemoryStore()


def make_link(store: MemoryStore) -> Link:
    """Make a link that is never started: recalling asks nobody."""
    server: Any = None
    return Link(
        account="7",
        control=None,
        server=server,
        clock=FakeClock(NOW),
        store=store,
        find_parameters={"Trend": TrendParameters}.get,
        random=lambda: 0.5,
    )


def test_the_config_that_was_applied_last_is_recalled(store: MemoryStore) -> None:
    """With the strategy's own parameters, checked as if the server had sent it."""
    Memory(store).keep("strategy:4", body(), NOW)

    config = make_link(store).recall(4)

    assert (4, "Trend", 3) == (
        config.bot_strategy_id,
        config.bot_strategy_class,
        config.version,
    )
    assert {"XAUUSD": TrendParameters(50)} == dict(config.parameters_by_symbol)


def test_the_one_before_is_recalled_where_the_last_cannot_be_used(
    store: MemoryStore,
) -> None:
    """Parameters that a newer class refuses do not leave positions unmanaged."""
    memory = Memory(store)
    memory.keep("strategy:4", body(), NOW)
    bad = body(4, parameters_by_symbol={"XAUUSD": {"gone": 1}})
    memory.keep("strategy:4", bad, NOW + timedelta(hours=1))

    assert 3 == make_link(store).recall(4).version


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        (None, "no config of it is on disk"),
        (body(bot_strategy_class="Uninstalled"), "Uninstalled"),
        (body(bot_strategy_id=5), "5"),
    ],
)
def test_why_none_can_be_recalled_is_said(
    store: MemoryStore, kept: Any, message: str
) -> None:
    """Nothing on disk, a class that is not installed, or another strategy's config."""
    if kept is not None:
        Memory(store).keep("strategy:4", kept, NOW)

    with pytest.raises(LookupError, match=message):
        make_link(store).recall(4)
