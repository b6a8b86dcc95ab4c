"""The live loop: the only `while` that trades, and the safe point."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from runner.core.market import Tick
from runner.core.memory import MemoryState
from runner.host.manager import PluginHost
from runner.link import (
    CommandSeen,
    ConfigConfirmed,
    ConfigMissing,
    ConfigRefused,
    LeaseChanged,
    Link,
    LinkEvent,
    ServerSeen,
    StrategyConfigStaged,
    TradeConfigStaged,
)
from runner.loop.calendars import Calendars
from runner.loop.configs import Configs
from runner.loop.desk import OrderDesk
from runner.loop.flatten import Flattener
from runner.loop.gate import Gate
from runner.loop.ledger import Ledger
from runner.loop.member import Member
from runner.loop.memory import MemoryWatch
from runner.loop.reporter import Reporter
from runner.loop.restart import Adoption, Foreigners, Restart
from runner.loop.roster import Roster
from runner.loop.settings import LoopSettings, Player
from runner.loop.stop import StopRequest
from runner.loop.summary import Summary
from runner.loop.trader import Trader
from runner.loop.view import Batch, View
from runner.loop.waiting import WaitingOrders
from runner.ports import Broker, Clock, FeedError, StateStore
from runner.strategy import Strategy
from runner.wire.acks import TRADE_FIELD

log = logging.getLogger("mt5runner.loop")

_REFRESH_WITHIN = 2.0  # seconds that a bar waits for the server before it is traded


class Loop:
    """Runs the strategies of one account until it is told to stop.

    Args:
        broker: Account and orders.
        host: Plugins.
        link: The server.
        store: Durable state.
        clock: Wall-clock and monotonic time.
        roster: The strategies.
        configs: What the server configured.
        desk: Orders.
        view: Readings.
        settings: How to run.
        stop: When to stop.
        player: Plays the feed on paper; None live.
        alive: Called once a cycle, for whoever watches this process.
        resident: Returns the bytes of memory in use; None where nobody tells.

    Attributes:
        gate: Why exposure must not rise.
        flattener: The command in force.
    """

    def __init__(
        self,
        *,
        broker: Broker,
        host: PluginHost,
        link: Link,
        store: StateStore,
        clock: Clock,
        roster: Roster,
        configs: Configs,
        desk: OrderDesk,
        view: View,
        settings: LoopSettings,
        stop: StopRequest,
        player: Player | None = None,
        alive: Callable[[], None] = lambda: None,
        resident: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._broker = broker
        self._host = host
        self._link = link
        self._clock = clock
        self._roster = roster
        self._configs = configs
        self._desk = desk
        self._view = view
        self._settings = settings
        self._stop = stop
        self._player = player
        self._alive = alive
        self._memory = MemoryWatch(resident, settings.memory_limit_mb, clock)
        self._ledger = Ledger(
            broker, view, clock, store if settings.account_lasts else None
        )
        self._restart = Restart(
            settings.on_restart, view=view, desk=desk, roster=roster
        )
        self._adoption = Adoption(
            view=view, desk=desk, roster=roster, configs=configs, link=link
        )
        self._foreigners = Foreigners()
        self._calendars = Calendars(host, clock)
        self.flattener = Flattener(
            view=view, desk=desk, roster=roster, link=link, clock=clock
        )
        self.gate = Gate(view=view, host=host, clock=clock, settings=settings)
        self._trader = Trader(
            view=view, host=host, configs=configs, gate=self.gate, desk=desk
        )
        self._waiting = WaitingOrders(
            view=view,
            host=host,
            configs=configs,
            gate=self.gate,
            roster=roster,
            clock=clock,
        )
        self._reporter = Reporter(
            view=view,
            host=host,
            roster=roster,
            configs=configs,
            gate=self.gate,
            store=store,
            clock=clock,
            settings=settings,
        )
        self._bars: Counter[str] = Counter()
        self._error = ""

    def run(self) -> Summary:
        """Run until a stop is asked for or, if so set, until the feed ends.

        Returns:
            What was done.
        """
        self.start()
        while not self._stop.reason:
            began = self._clock.monotonic()
            has_more = self.cycle()
            took = self._clock.monotonic() - began
            self._reporter.lag_ms = max(0.0, took - self._settings.cycle) * 1000
            if not has_more and self._settings.exit_when_feed_ends:
                self._stop.ask("the feed has ended")
            self._rest(has_more=has_more)
        return self.finish()

    def start(self) -> None:
        """Take up what an earlier start left, and start the link; see `run`."""
        self._desk.restore()
        self._view.read_account()
        self._link.start()
        self._look_back()
        account = self._view.account
        if account is not None:
            self._host.on_started(account=account, now=self._view.now)

    def _rest(self, *, has_more: bool) -> None:
        pause = self._settings.cycle
        if self._player is not None and has_more and self._roster.members:
            pause = min(pause, self._player.pause())
        if pause > 0 and not self._stop.reason:
            self._link.wait(pause)

    def cycle(self) -> bool:
        """Do one pass: market, server, safe point, account, strategies, report.

        Returns:
            Whether the feed goes on; always True without a player.
        """
        self._alive()
        self._mind_memory()
        has_more = self._play()
        self._hear(self._link.take())
        ticks = self._view.read_ticks(self._roster.symbols)
        bars = self._closed_bars()
        if bars:
            # The seed asks for the versions before every strategy execution. What was
            # heard meanwhile counts, even if not everything came in time.
            self._link.refresh(_REFRESH_WITHIN)
            self._hear(self._link.take())
        self._safe_point()
        self._calendars.look(self._view.now)
        self._view.read_account()
        self._desk.settle()
        self._settle_accounts()
        self._judge()
        self.flattener.work(
            {
                **self.gate.demands,
                **self._restart.demands,
                **self._waiting.demands,
            }
        )
        for batch in bars:
            self._on_bars(batch)
        if ticks:
            self._on_ticks(ticks)
        fields = self._reporter.heartbeat()
        if fields is not None:
            self._link.beat(fields)
        return has_more

    def _mind_memory(self) -> None:
        members = self._roster.members.values()
        self._memory.look(member.hosted.name for member in members)
        self.gate.memory = self._memory.problem
        if self._memory.state is MemoryState.FAR_OVER:
            self._stop.ask_restart(f"too much memory: {self._memory.problem}")

    def _play(self) -> bool:
        # A recorded market waits for its strategy, so that no bar of it is missed.
        if self._player is None or not self._roster.members:
            return True
        try:
            return self._player.play()
        except FeedError as error:
            self._error = str(error)
            self._stop.ask("the feed cannot be read any further")
            return False

    def _safe_point(self) -> None:
        """Apply what the server configured.

        This is the only place where settings change. Here no order is in flight (the
        desk sends synchronously), no hook runs, and the bars that have closed are not
        yet decided on: they are decided on with the new settings.
        """
        self._configs.apply_staged(self._view.now)
        self._adoption.work(self._view.now)

    def _hear(self, events: Sequence[LinkEvent]) -> None:
        for event in events:
            match event:
                case ServerSeen(heartbeat=heartbeat):
                    self.gate.hear_server(heartbeat)
                case CommandSeen(command=command):
                    self.flattener.obey(command)
                case TradeConfigStaged():
                    self._stage_trade(event)
                case StrategyConfigStaged():
                    self._configs.stage_strategy(event)
                case ConfigRefused(scope=scope, version=version, errors=errors):
                    self._configs.report(scope, errors)
                    self._host.on_config_refused(
                        scope=scope,
                        version=version,
                        errors=errors,
                        now=self._view.now,
                    )
                case ConfigMissing(scope=scope, detail=detail):
                    self._configs.report(scope, [f"{scope}: {detail}"])
                case LeaseChanged(held=held, epoch=epoch):
                    self.gate.is_lease_held = held
                    self._reporter.epoch = epoch
                case ConfigConfirmed():
                    self._confirm(event)

    def _stage_trade(self, staged: TradeConfigStaged) -> None:
        self._configs.stage_trade(staged)
        is_fresh = staged.origin == "server"
        self.gate.confirm(self._clock.now() if is_fresh else staged.saved_at)

    def _confirm(self, event: ConfigConfirmed) -> None:
        self._configs.confirm(event.scope)
        if event.scope == TRADE_FIELD:  # it holds every permission to trade
            self.gate.confirm(event.at)

    def _settle_accounts(self) -> None:
        """Tell the deals behind what changed, before anybody judges the account."""
        has_begun = self._ledger.has_begun
        deals = self._ledger.update(self._view.now)
        if not deals:
            return
        self._desk.hear_deals(deals)
        self._host.on_deals(deals=deals, now=self._view.now)
        if has_begun:  # what closed before the start is history
            for deal in deals:
                if deal.exit_reason is not None:
                    self._host.on_position_closed(deal=deal, now=self._view.now)

    def _look_back(self) -> None:
        """Decide about what an earlier start left open."""
        self._restart.look(are_magics_known=self._configs.trade is not None)
        if self._restart.refusal and not self._error:
            self._error = self._restart.refusal
            self._stop.ask("positions of an earlier start are open")

    def _judge(self) -> None:
        config = self._configs.trade
        self._look_back()
        if config is not None and self._view.is_current:
            self._foreigners.look(self._view.positions or (), self._roster)
        if self._view.account is not None:
            self._reporter.note_balance(self._view.account, config)
        changed = self.gate.look(
            config,
            self.flattener.command,
            magics=self._roster.magics,
            is_closing=self.flattener.is_closing,
            denials=self._restart.denials,
            demands=self._restart.demands,
        )
        if changed:
            self._reporter.hurry()

    def _closed_bars(self) -> list[Batch]:
        at = self._clock.monotonic()
        batches = [self._view.closed_bars(*key, at) for key in self._roster.series]
        return [batch for batch in batches if batch is not None]

    def _on_bars(self, batch: Batch) -> None:
        newest = batch.bars[-1]
        for bar in batch.bars:
            # A bar that was missed while away is history, not a signal.
            is_stale = batch.is_late or bar is not newest
            series = self._view.series(bar.symbol, bar.timeframe)
            if series is None:
                continue
            for member in self._deciding(self._roster.members_on(bar)):
                if len(series) < member.warm_up[bar.symbol]:
                    continue
                for intent in member.hosted.on_bar(bar, now=self._view.now):
                    self._trader.carry_out(member, intent, is_stale=is_stale)
            series.append(bar)
            self._bars[bar.symbol] += 1
            self._host.on_bar_closed(bar=bar)

    def _on_ticks(self, ticks: Sequence[Tick]) -> None:
        for member in self._deciding(list(self._roster.members.values())):
            if member.hosted.record.cls.on_tick is Strategy.on_tick:
                continue
            for tick in ticks:
                if self._view.positions is None:
                    break
                if tick.symbol in member.context.parameters:
                    for intent in member.hosted.on_tick(tick, now=self._view.now):
                        self._trader.carry_out(member, intent)

    def _deciding(self, members: Sequence[Member]) -> Iterator[Member]:
        # While the account is unknown nothing can be decided, and no strategy is to
        # blame for that: the bar is kept, the decision is left out. An order of the
        # member before may have been the last thing that the terminal answered.
        return (one for one in members if self._view.positions is not None)

    def finish(self) -> Summary:
        """Stop the strategies, say goodbye and let go; see `run`."""
        reason = self._stop.reason
        log.info("stopping: %s", reason)
        self._roster.stop(self._view.now)
        self._host.on_stopping(reason=reason, now=self._view.now)
        self._link.stop(self._reporter.last_heartbeat())
        self._broker.close()
        account = self._view.last_account
        return Summary(
            bars=self._bars,
            closed=self._ledger.closed,
            profit=self._ledger.profit,
            still_open=Counter(one.symbol for one in self._view.positions or ()),
            balance=None if account is None else account.balance,
            reason=reason,
            error=self._error,
        )
