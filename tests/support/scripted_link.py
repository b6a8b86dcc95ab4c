"""A server that says what a test says."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from runner import StrategyConfig
from runner.link import LinkEvent
from runner.ports import Clock, StateError
from runner.wire.acks import CommandAck


class ScriptedLink:
    """A server that says what the test says, and remembers what it was told."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.events: list[LinkEvent] = []
        self.at_start: list[LinkEvent] = []
        self.on_refresh: list[LinkEvent] = []
        self.is_current = True
        self.last_good: dict[int, StrategyConfig] = {}
        self.watched: tuple[int, ...] | None = None
        self.done: list[tuple[str, str, int]] = []
        self.acks: list[CommandAck] = []
        self.beats: list[Mapping[str, str]] = []
        self.last: Mapping[str, str] | None = None
        self.is_stopped = False
        self.is_broken = False

    def start(self) -> None:
        if self.is_broken:
            raise StateError("the commands on disk are damaged")
        self.events += self.at_start

    def take(self) -> list[LinkEvent]:
        taken, self.events = self.events, []
        return taken

    def refresh(self, timeout: float) -> bool:
        self.events += self.on_refresh
        self.on_refresh = []
        return self.is_current

    def wait(self, seconds: float) -> None:
        self.clock.wait(seconds)

    def watch(self, strategy_ids: Collection[int]) -> None:
        self.watched = tuple(strategy_ids)

    def recall(self, strategy_id: int) -> StrategyConfig:
        if strategy_id not in self.last_good:
            raise LookupError("no config of it is on disk")
        return self.last_good[strategy_id]

    def applied(self, scope: str, version: int, changes: Sequence[str]) -> None:
        self.done.append(("applied", scope, version))

    def refused(self, scope: str, version: int, errors: Sequence[str]) -> None:
        self.done.append(("refused", scope, version))

    def staged(self, scope: str, version: int) -> None:
        self.done.append(("staged", scope, version))

    def acknowledge_command(self, ack: CommandAck) -> None:
        self.acks.append(ack)

    def beat(self, fields: Mapping[str, str]) -> None:
        self.beats.append(fields)

    def stop(self, last_heartbeat: Mapping[str, str] | None) -> None:
        self.last, self.is_stopped = last_heartbeat, True
