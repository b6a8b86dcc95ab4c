"""The whole runner in one process: real loop, desk, adapter and built-in plugins.

Only the server is scripted. The terminal is the simulated one, in this process or in
another; what is on disk is any store. Composing one anew on the same terminal and the
same store is a restart.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import attrs
from scripted_link import ScriptedLink

from runner import Parameters, Strategy, Timeframe
from runner.adapters.mt5 import MT5Adapter, MT5Settings
from runner.app.plugins import PluginStateIn
from runner.core.restart import RestartPolicy
from runner.core.server_time import NEW_YORK_CLOSE, ServerZone
from runner.host.discovery import discover
from runner.host.manager import PluginHost
from runner.host.records import BUILT_IN, PluginError, StrategyRecord
from runner.link import CommandSeen
from runner.link.kinds import strategy_kind, trade_kind
from runner.loop.configs import Configs
from runner.loop.desk import OrderDesk
from runner.loop.live import Loop
from runner.loop.roster import Roster
from runner.loop.settings import LoopSettings, Player
from runner.loop.stop import StopRequest
from runner.loop.view import View
from runner.ports import Clock, Login, StateStore
from runner.serde import structure_settings
from runner.testing import make_trade_config
from runner.wire.commands import Command, CommandAction

BUILT_INS = ("heartbeat", "sizing")


class MemoryStore:
    """What is on disk, in memory; a value comes back as JSON brings it back."""

    def __init__(self) -> None:
        self.texts: dict[tuple[str, str], str] = {}

    def get(self, namespace: str, key: str) -> Any | None:
        return json.loads(self.texts.get((namespace, key), "null"))

    def put(self, namespace: str, key: str, value: Any) -> None:
        self.texts[namespace, key] = json.dumps(value)

    def delete(self, namespace: str, key: str) -> None:
        self.texts.pop((namespace, key), None)

    def items(self, namespace: str) -> Mapping[str, Any]:
        return {
            key: json.loads(text)
            for (space, key), text in self.texts.items()
            if space == namespace
        }

    def close(self) -> None:
        pass


class WholeRunner:
    """One start of a runner on one account.

    Args:
        terminal: A `SimulatedTerminal`, or a client of one.
        store: What outlives a restart.
        clock: Wall clock and monotonic time.
        strategies: The classes that the server may name.
        settings: Built-in plugins to run beside heartbeat and sizing, with their
            settings as in a settings file.
        plugins: Further plugins by name.
        timeframe: Bars for strategies that name none.
        zone: The server's wall clock.
        session: Unique mark of this start.
        player: Plays a feed into the terminal once a cycle.
        account: The account id that the server knows.
        is_live: Whether the terminal's market is of today.
        on_restart: What becomes of what an earlier start left.
    """

    def __init__(
        self,
        terminal: Any,
        store: StateStore,
        clock: Clock,
        strategies: tuple[type[Strategy], ...],
        *,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        plugins: Mapping[str, object] | None = None,
        timeframe: Timeframe = Timeframe.M1,
        zone: ServerZone = NEW_YORK_CLOSE,
        session: str = "session-1",
        player: Player | None = None,
        account: str = "7",
        is_live: bool = False,
        on_restart: RestartPolicy = RestartPolicy.ADOPT,
    ) -> None:
        self.terminal, self.store, self.clock = terminal, store, clock
        self.version, self.account = 0, account
        self.strategies = {cls.__name__: cls for cls in strategies}
        self.host = PluginHost()
        self._load({name: {} for name in BUILT_INS} | dict(settings or {}))
        for name, plugin in (plugins or {}).items():
            self.host.attach(name, plugin, BUILT_IN)
        self.link = ScriptedLink(clock)
        self.adapter = MT5Adapter(
            terminal, clock, MT5Settings(server_zone=zone, is_live=is_live)
        )
        self.view = View(self.adapter, self.adapter)
        self.desk = OrderDesk(
            broker=self.adapter,
            store=store,
            host=self.host,
            view=self.view,
            clock=clock,
            session=session,
        )
        self.roster = Roster(
            account=account,
            view=self.view,
            host=self.host,
            desk=self.desk,
            store=store,
            default_timeframe=timeframe,
        )
        link: Any = self.link
        self.configs = Configs(
            view=self.view,
            host=self.host,
            link=link,
            roster=self.roster,
            find_strategy=self._find,
        )
        self.stop = StopRequest()
        self.loop = Loop(
            broker=self.adapter,
            host=self.host,
            link=link,
            store=store,
            clock=clock,
            roster=self.roster,
            configs=self.configs,
            desk=self.desk,
            view=self.view,
            stop=self.stop,
            player=player,
            settings=LoopSettings(
                account=account,
                session=session,
                host="host",
                pid=1,
                version="0",
                timeframe=timeframe,
                server_peak=False,
                on_restart=on_restart,
            ),
        )

    def _load(self, settings: Mapping[str, Mapping[str, Any]]) -> None:
        found = discover().plugins
        self.host.load(
            [found[name] for name in settings],
            make_settings=lambda name, cls: structure_settings(
                dict(settings[name]), cls, f"plugins.{name}"
            ),
            state_for=lambda name: PluginStateIn(self.store, f"plugin.{name}"),
        )

    def _find(self, name: str) -> StrategyRecord:
        if name not in self.strategies:
            raise PluginError(name, None, "not found", "install it")
        return StrategyRecord(name=name, cls=self.strategies[name], source=BUILT_IN)

    # -- what the server says ----------------------------------------------------------
    def trade(self, **changes: Any) -> None:
        """Let a trade config come, out of the body that the server sends."""
        self.version += 1
        config = make_trade_config(version=self.version, **changes)
        body = _as_json(attrs.asdict(config, filter=_is_said))
        checked = trade_kind(self.account).check(body)
        self.link.events.append(checked.stage("server", None))

    def strategy(
        self,
        name: str,
        parameters: Mapping[str, Any],
        *,
        number: int = 1,
        **changes: Any,
    ) -> None:
        """Let a strategy config come, out of the body that the server sends."""
        self.version += 1
        fields: dict[str, Any] = {
            "version": self.version,
            "bot_strategy_id": number,
            "bot_strategy_class": name,
            "bot_status": "ACTIVE",
            "allowed_symbols": list(parameters),
            "parameters_by_symbol": {
                symbol: attrs.asdict(values) for symbol, values in parameters.items()
            },
        }
        kind = strategy_kind(self.account, number, self._parameters)
        checked = kind.check(_as_json(fields | changes))
        self.link.events.append(checked.stage("server", None))

    def _parameters(self, name: str) -> type[Parameters] | None:
        cls = self.strategies.get(name)
        return None if cls is None else cls.Parameters

    def command(self, action: str, seq: int = 1) -> None:
        """Let a command come."""
        command = Command(action=CommandAction(action), seq=seq)
        self.link.events.append(CommandSeen(command=command))

    # -- what the test does ------------------------------------------------------------
    def begin(self, login: int | None = None) -> None:
        """Connect to the terminal and start the loop."""
        self.adapter.connect(Login(account=login))
        self.loop.start()

    def cycle(self, count: int = 1, seconds: float = 0.2) -> None:
        """Let the loop do so many cycles, so many seconds apart."""
        for _ in range(count):
            self.clock.wait(seconds)
            self.loop.cycle()

    @property
    def codes(self) -> list[str]:
        """Why exposure must not increase."""
        return [reason.code for reason in self.loop.gate.reasons]

    @property
    def heartbeat(self) -> Mapping[str, str]:
        """The last heartbeat."""
        return self.link.beats[-1]


def _is_said(_: Any, value: Any) -> bool:
    return value is not None


def _as_json(value: Any) -> Any:
    """Return *value* as it comes over the wire."""
    return json.loads(json.dumps(value, default=datetime.isoformat))


def utc(text: str) -> datetime:
    """Return a time such as ``2026-03-09 21:00``, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
