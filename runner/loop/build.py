"""Puts the parts of a loop together; how it is done decides what is read first."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from runner.host.manager import PluginHost
from runner.host.records import StrategyRecord
from runner.link import Link
from runner.loop.configs import Configs
from runner.loop.desk import OrderDesk
from runner.loop.live import Loop
from runner.loop.roster import Roster
from runner.loop.settings import LoopSettings, Player
from runner.loop.stop import StopRequest
from runner.loop.view import View
from runner.ports import Broker, Clock, MarketData, StateStore


@attrs.frozen(kw_only=True)
class Surroundings:
    """Everything through which something enters a loop.

    Attributes:
        market: Quotes and bars.
        broker: Account and orders.
        link: The server.
        store: Durable state.
        clock: Wall-clock and monotonic time.
        stop: When to stop.
        player: Plays the feed on paper; None live.
        resident: Returns the bytes of memory in use; None where nobody tells.
    """

    market: MarketData
    broker: Broker
    link: Link
    store: StateStore
    clock: Clock
    stop: StopRequest
    player: Player | None = None
    resident: Callable[[], int | None] = lambda: None


def build_loop(
    around: Surroundings,
    *,
    host: PluginHost,
    find_strategy: Callable[[str], StrategyRecord],
    settings: LoopSettings,
    alive: Callable[[], None] = lambda: None,
) -> Loop:
    """Make the loop of one account.

    Args:
        around: Its surroundings.
        host: Plugins.
        find_strategy: Class name to strategy; raises PluginError with a remedy.
        settings: How to run.
        alive: Called once a cycle, for whoever watches this process.
    """
    view = View(around.market, around.broker)
    desk = OrderDesk(
        broker=around.broker,
        store=around.store,
        host=host,
        view=view,
        clock=around.clock,
        session=settings.session,
    )
    roster = Roster(
        account=settings.account,
        view=view,
        host=host,
        desk=desk,
        store=around.store,
        default_timeframe=settings.timeframe,
    )
    configs = Configs(
        view=view,
        host=host,
        link=around.link,
        roster=roster,
        find_strategy=find_strategy,
    )
    return Loop(
        broker=around.broker,
        host=host,
        link=around.link,
        store=around.store,
        clock=around.clock,
        roster=roster,
        configs=configs,
        desk=desk,
        view=view,
        player=around.player,
        stop=around.stop,
        alive=alive,
        resident=around.resident,
        settings=settings,
    )
