"""What the link remembers over a restart, also over damage."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from memory_store import MemoryStore

from runner.core.command_flow import CommandFlow
from runner.link.memory import Memory
from runner.ports import StateError
from runner.wire.commands import Command, CommandAction
from runner.wire.heartbeat import ServerHeartbeat

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture
def store() -> MemoryStore:
    """An empty store."""
    return MemoryStore()


def damage(store: MemoryStore, key: str) -> None:
    """Change one kept body without its checksum."""
    kept: Any = store.get("link", key)
    store.put("link", key, kept | {"body": {"version": 99}})


def test_two_generations_are_kept(store: MemoryStore) -> None:
    """The config before the last applied one is the second choice."""
    memory = Memory(store)
    for version in (1, 2, 3):
        memory.keep("trade", {"version": version}, NOW)

    assert [3, 2] == [kept.body["version"] for kept in Memory(store).kept("trade")]


def test_the_same_config_again_is_no_generation(store: MemoryStore) -> None:
    """Applying the same body twice does not push the older one out."""
    memory = Memory(store)
    for hour, version in enumerate((1, 2, 2)):
        memory.keep("trade", {"version": version}, NOW + timedelta(hours=hour))

    assert [2, 1] == [kept.body["version"] for kept in memory.kept("trade")]


def test_lkg_corrupt(store: MemoryStore, caplog: pytest.LogCaptureFixture) -> None:
    """Scenario lkg-corrupt: a damaged one is named and passed over."""
    memory = Memory(store)
    memory.keep("trade", {"version": 1}, NOW)
    memory.keep("trade", {"version": 2}, NOW)
    damage(store, "last_good:trade")

    assert [1] == [kept.body["version"] for kept in memory.kept("trade")]
    assert "damaged" in caplog.text


@pytest.mark.parametrize(
    "record", [{}, [], "x", {"body": {}}, {"body": {}, "sha256": "", "saved_at": "x"}]
)
def test_any_damage_is_survived(store: MemoryStore, record: Any) -> None:
    """Whatever stands in the record, nothing is used and nothing breaks."""
    store.put("link", "last_good:trade", record)

    assert [] == list(Memory(store).kept("trade"))


def test_scopes_do_not_mix(store: MemoryStore) -> None:
    """Each config is kept for itself."""
    memory = Memory(store)
    memory.keep("strategy:1", {"version": 1}, NOW)

    assert [] == list(memory.kept("strategy:2"))
    assert [] == list(memory.kept("trade"))


def test_a_confirmation_makes_it_younger(store: MemoryStore) -> None:
    """The age shown is since the server last vouched, not since it was applied."""
    memory = Memory(store)
    memory.keep("trade", {"version": 1}, NOW)
    memory.confirm("trade", NOW + timedelta(hours=5))

    (kept,) = Memory(store).kept("trade")

    assert NOW + timedelta(hours=5) == kept.vouched_at


def test_confirmations_are_not_written_all_the_time(store: MemoryStore) -> None:
    """A look every 30 seconds must not wear the disk out."""
    memory = Memory(store)
    for seconds in range(0, 600, 30):
        memory.confirm("trade", NOW + timedelta(seconds=seconds))

    assert "2026-01-05T12:05:00Z" == store.get("link", "confirmed:trade")


def test_commands_and_heartbeat_come_back(store: MemoryStore) -> None:
    """Scenario estop-bot-offline: a latched stop outlives the process."""
    stop = Command(
        action=CommandAction.EMERGENCY_STOP, seq=5, issued_at=NOW, reason="x"
    )
    flow = CommandFlow(account=stop)
    heartbeat = ServerHeartbeat(bot_status="PAUSED", dd_blocked=True)
    Memory(store).keep_commands(flow)
    Memory(store).keep_server(heartbeat, NOW)

    assert flow == Memory(store).commands()
    assert (heartbeat, NOW) == Memory(store).server()


def test_nothing_is_known_at_first(store: MemoryStore) -> None:
    """A fresh state directory holds no command and no heartbeat."""
    assert CommandFlow() == Memory(store).commands()
    assert Memory(store).server() is None


@pytest.mark.parametrize("record", [{}, "x", {"account": {"action": "GO"}, "fleet": 1}])
def test_damaged_commands_refuse_to_start(store: MemoryStore, record: Any) -> None:
    """Whether a stop is latched must be known before anything trades."""
    store.put("link", "commands", record)

    with pytest.raises(StateError, match="whether a stop is latched is not known"):
        Memory(store).commands()


@pytest.mark.parametrize("record", [{}, "x", {"heartbeat": {"dd_blocked": "?"}}])
def test_a_damaged_heartbeat_is_passed_over(
    store: MemoryStore, record: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The server says it again soon; the damage is named."""
    store.put("link", "server_heartbeat", record)

    assert Memory(store).server() is None
    assert "damaged" in caplog.text


def test_a_full_disk_stops_nothing(
    store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    """A stop that cannot be written down is obeyed all the same, and it is said."""
    store.is_readable = store.is_writable = False
    with caplog.at_level(logging.ERROR):
        Memory(store).keep_commands(CommandFlow())
        Memory(store).keep("trade", {}, NOW)

    assert "disk full" in caplog.text
    assert "lost at a restart" in caplog.text
    assert {None} == {record.exc_info for record in caplog.records}
