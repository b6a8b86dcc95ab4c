"""The live loop: the only `while` that trades, and the safe point."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import attrs

from runner.core.market import Bar, Tick
from runner.core.orders import Action, Denial, Deny, OrderIntent
from runner.core.risk import HOST, Situation, judge, pause_reasons, trading_state
from runner.core.settings import TradeConfig
from runner.core.status import PauseReason, RunnerStatus, TradingState
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
from runner.loop.desk import OrderDesk
from runner.loop.flatten import Flattener
from runner.loop.ledger import Ledger
from runner.loop.roster import Member, Roster
from runner.loop.settings import LoopSettings, Player
from runner.loop.stop import StopRequest
from runner.loop.view import View
from runner.ports import (
    Broker,
    Clock,
    MarketData,
    StateError,
    StateStore,
    UnavailableError,
)
from runner.strategy import Strategy
from runner.wire.heartbeat import ServerHeartbeat

log = logging.getLogger("mt5runner.loop")

_REPORT_EVERY = 0.25  # seconds between two pictures for the heartbeat plugin
_REFRESH_WITHIN = 2.0  # seconds that a bar waits for the server before it is traded
_PEAK_SAVED_EVERY = 60.0  # seconds between two writes of a rising peak balance
_ACCOUNT = "account"
_PEAK = "peak_balance"


@attrs.frozen(kw_only=True)
class Summary:
    """What one run did.

    Attributes:
        bars: Symbol to the number of closed bars handled.
        closed: Symbol to the number of positions closed.
        profit: Symbol to the profit of those, account currency.
        balance: Last known balance; None if never read.
        reason: Why it stopped.
    """

    bars: Counter[str]
    closed: Counter[str]
    profit: Counter[str]
    balance: float | None
    reason: str


class Loop:
    """Runs the strategies of one account until it is told to stop.

    Args:
        market: Quotes and bars.
        broker: Account and orders.
        host: Plugins.
        link: The server.
        store: Durable state.
        clock: Wall-clock and monotonic time.
        roster: The strategies.
        desk: Orders.
        view: Readings.
        settings: How to run.
        stop: When to stop.
        player: Plays the feed on paper; None live.
    """

    def __init__(
        self,
        *,
        market: MarketData,
        broker: Broker,
        host: PluginHost,
        link: Link,
        store: StateStore,
        clock: Clock,
        roster: Roster,
        desk: OrderDesk,
        view: View,
        settings: LoopSettings,
        stop: StopRequest,
        player: Player | None = None,
    ) -> None:
        self._market = market
        self._broker = broker
        self._host = host
        self._link = link
        self._store = store
        self._clock = clock
        self._roster = roster
        self._desk = desk
        self._view = view
        self._settings = settings
        self._player = player
        self._ledger = Ledger(broker, view)
        self._flattener = Flattener(
            view=view, desk=desk, roster=roster, link=link, clock=clock
        )
        self._stop = stop
        self._server: ServerHeartbeat | None = None
        self._epoch = settings.epoch
        self._lease_held: bool | None = None if settings.epoch is None else True
        self._confirmed_at: datetime | None = None
        self._reasons: tuple[PauseReason, ...] = ()
        self._state: TradingState | None = None
        self._denied: dict[tuple[str, str], tuple[str, ...]] = {}
        self._bars: Counter[str] = Counter()
        self._peak: float | None = store.get(_ACCOUNT, _PEAK)
        self._peak_saved_at = 0.0
        self._next_report = 0.0
        self._lag_ms = 0.0
        self._account_was_known = True

    def run(self) -> Summary:
        """Run until a stop is asked for or, if so set, until the feed ends.

        Returns:
            What was done.
        """
        self._start()
        while not self._stop.reason:
            began = self._clock.monotonic()
            has_more = self.cycle()
            took = self._clock.monotonic() - began
            self._lag_ms = max(0.0, took - self._settings.cycle) * 1000
            if not has_more and self._settings.exit_when_feed_ends:
                self._stop.ask("the feed has ended")
            self._rest(has_more)
        return self._finish()

    def _start(self) -> None:
        self._desk.restore()
        self._view.read_account()
        self._link.start()
        account = self._view.account
        if account is not None:
            self._host.on_started(account=account, now=self._view.now)

    def _rest(self, has_more: bool) -> None:
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
        has_more = self._play()
        self._hear(self._link.take())
        ticks = self._view.read_ticks(self._symbols())
        bars = self._closed_bars()
        if bars and self._link.refresh(_REFRESH_WITHIN):
            # The seed asks for the versions before every strategy execution.
            self._hear(self._link.take())
        self._safe_point()
        self._view.read_account()
        self._desk.settle()
        self._judge_account()
        self._flattener.work()
        for batch in bars:
            self._on_bars(batch)
        if ticks:
            self._on_ticks(ticks)
        for deal in self._ledger.closed_deals(self._view.now):
            self._host.on_position_closed(deal=deal, now=self._view.now)
        self._report()
        return has_more

    def _play(self) -> bool:
        # A recorded market waits for its strategy, so that no bar of it is missed.
        if self._player is None or not self._roster.members:
            return True
        return self._player.play()

    def _safe_point(self) -> None:
        """Apply what the server configured.

        This is the only place where settings change. Here no order is in flight (the
        desk sends synchronously), no hook runs, and the bars that have closed are not
        yet decided on: they are decided on with the new settings.
        """
        if self._roster.has_staged or self._roster.members:
            self._roster.apply_staged(self._view.now)

    # -- the server --------------------------------------------------------------------
    def _hear(self, events: Sequence[LinkEvent]) -> None:
        for event in events:
            match event:
                case ServerSeen(heartbeat=heartbeat):
                    self._server = _sticky(self._server, heartbeat)
                case CommandSeen(command=command):
                    self._flattener.obey(command)
                case TradeConfigStaged():
                    self._roster.stage_trade(event)
                    self._confirm(event)
                case StrategyConfigStaged():
                    self._roster.stage_strategy(event)
                case ConfigRefused(scope=scope, version=version, errors=errors):
                    self._roster.report(scope, errors)
                    self._host.on_config_refused(
                        scope=scope,
                        version=version,
                        errors=errors,
                        now=self._view.now,
                    )
                case ConfigMissing(scope=scope, detail=detail):
                    self._roster.report(scope, [f"{scope}: {detail}"])
                case LeaseChanged(held=held, epoch=epoch):
                    self._lease_held, self._epoch = held, epoch
                case ConfigConfirmed(at=at):
                    self._confirmed_at = at

    def _confirm(self, staged: TradeConfigStaged) -> None:
        at = self._clock.now() if staged.origin == "server" else staged.saved_at
        if at is not None and (self._confirmed_at is None or at > self._confirmed_at):
            self._confirmed_at = at

    # -- the account -------------------------------------------------------------------
    def _judge_account(self) -> None:
        account, config = self._view.account, self._roster.trade
        self._tell_account_known(known=account is not None)
        guards: list[Denial] = []
        if account is not None:
            self._note_peak(account.balance, config)
        if account is not None and config is not None:
            positions = self._view.positions or ()
            now = self._view.now
            self._host.on_account(
                account=account, positions=positions, config=config, now=now
            )
            guards = self._host.check_trading(account=account, config=config, now=now)
        reasons = pause_reasons(
            Situation(
                wall=self._clock.now(),
                config=config,
                server=self._server,
                command=self._flattener.command,
                lease_held=self._lease_held,
                account=account,
                config_confirmed_at=self._confirmed_at,
                max_config_age=self._settings.max_config_age,
                guards=guards,
            )
        )
        self._set_state(reasons)

    def _tell_account_known(self, *, known: bool) -> None:
        if known == self._account_was_known:
            return
        self._account_was_known = known
        if known:
            log.info("the account is readable again")
        else:
            log.error("the account is unknown: %s", self._view.error)

    def _note_peak(self, balance: float, config: TradeConfig | None) -> None:
        counts = config is not None and self._settings.server_peak
        told = config.peak_balance if config is not None and counts else None
        peak = max(value for value in (balance, told, self._peak) if value is not None)
        if peak == self._peak:
            return
        self._peak = peak
        now = self._clock.monotonic()
        if now - self._peak_saved_at >= _PEAK_SAVED_EVERY:
            self._peak_saved_at = now
            self._save_peak()

    def _save_peak(self) -> None:
        if self._peak is None:
            return
        try:
            self._store.put(_ACCOUNT, _PEAK, self._peak)
        except StateError as error:
            log.warning("the peak balance was not saved: %s", error)

    def _set_state(self, reasons: tuple[PauseReason, ...]) -> None:
        state = trading_state(reasons)
        old = {(reason.source, reason.code) for reason in self._reasons}
        new = {(reason.source, reason.code) for reason in reasons}
        changed = state is not self._state or old != new
        self._reasons, self._state = reasons, state
        if not changed:
            return
        self._next_report = 0.0
        if reasons:
            log.warning("exits only: %s", "; ".join(map(str, reasons)))
        else:
            log.info("trading: entries and exits")
        self._host.on_trading_state_changed(
            state=state, reasons=reasons, now=self._view.now
        )

    # -- the strategies ----------------------------------------------------------------
    def _symbols(self) -> list[str]:
        members = self._roster.members.values()
        return list(dict.fromkeys(name for one in members for name in one.symbols))

    def _closed_bars(self) -> list[Sequence[Bar]]:
        wanted = {
            (symbol, member.context.timeframe)
            for member in self._roster.members.values()
            for symbol in member.symbols
        }
        batches = [self._view.closed_bars(*key) for key in sorted(wanted, key=str)]
        return [batch for batch in batches if batch]

    def _on_bars(self, batch: Sequence[Bar]) -> None:
        newest = batch[-1]
        for bar in batch:
            series = self._view.series(bar.symbol, bar.timeframe)
            if series is None:
                continue
            for member in list(self._roster.members.values()):
                if (
                    member.context.timeframe is not bar.timeframe
                    or bar.symbol not in member.context.parameters
                ):
                    continue
                parameters = member.context.parameters[bar.symbol]
                cls = member.hosted.record.cls
                if len(series) < cls.bars_needed(parameters):
                    continue
                for intent in member.hosted.on_bar(bar, now=self._view.now):
                    # A bar that was missed while away is history, not a signal.
                    self._carry_out(member, intent, is_stale=bar is not newest)
            series.append(bar)
            self._bars[bar.symbol] += 1
            self._host.on_bar_closed(bar=bar)

    def _on_ticks(self, ticks: Sequence[Tick]) -> None:
        for member in list(self._roster.members.values()):
            if member.hosted.record.cls.on_tick is Strategy.on_tick:
                continue
            for tick in ticks:
                if tick.symbol in member.context.parameters:
                    for intent in member.hosted.on_tick(tick, now=self._view.now):
                        self._carry_out(member, intent, is_stale=False)

    def _carry_out(
        self, member: Member, intent: OrderIntent, *, is_stale: bool
    ) -> None:
        account, config = self._view.account, self._roster.trade
        tick = self._view.ticks.get(intent.symbol)
        if account is None or config is None or tick is None:
            unknown = (
                "account"
                if account is None
                else "config"
                if config is None
                else "quote"
            )
            self._deny(intent, [Denial(HOST, Deny("UNKNOWN", unknown))])
            return
        now, positions = self._view.now, self._view.positions or ()
        try:
            spec = self._view.spec(intent.symbol)
        except (UnavailableError, KeyError) as error:
            self._deny(intent, [Denial(HOST, Deny("SYMBOL_UNKNOWN", str(error)))])
            return
        own = self._roster.denials(member, intent)
        guards: list[Denial] = []
        if intent.increases_exposure:
            if is_stale:
                own.append(
                    Deny("STALE_BAR", "the bar closed while the runner was away")
                )
            if not spec.entries_allowed:
                own.append(Deny("SYMBOL_CLOSED", "the broker takes no new positions"))
            guards += self._host.check_symbol(symbol=spec, config=config, now=now)
            volume = intent.volume or self._host.choose_volume(
                intent=intent, account=account, symbol=spec, tick=tick, config=config
            )
            if volume is None:
                own.append(Deny("NO_VOLUME", "no size fits the symbol's rules"))
            else:
                intent = attrs.evolve(intent, volume=volume)
        guards += self._host.check_order(
            intent=intent,
            account=account,
            positions=positions,
            symbol=spec,
            tick=tick,
            config=config,
            now=now,
        )
        denials = judge(intent, reasons=self._reasons, host=own, guards=guards)
        if denials:
            self._deny(intent, denials)
            return
        self._denied.pop((intent.strategy, intent.symbol), None)
        self._send(member, intent)

    def _send(self, member: Member, intent: OrderIntent) -> None:
        if intent.action is Action.OPEN:
            if intent.volume is None:
                raise ValueError("an approved opening has a volume")
            self._desk.open(intent, magic=member.context.magic, volume=intent.volume)
            return
        for position in member.context.positions(intent.symbol):
            if intent.ticket is not None and position.ticket != intent.ticket:
                continue
            if intent.action is Action.CLOSE:
                self._desk.close(
                    position, strategy=intent.strategy, volume=intent.volume
                )
            else:
                self._desk.protect(position, intent)

    def _deny(self, intent: OrderIntent, denials: Sequence[Denial]) -> None:
        codes = tuple(denial.deny.code for denial in denials)
        key = (intent.strategy, intent.symbol)
        if self._denied.get(key) != codes:
            self._denied[key] = codes
            log.info(
                "denied %s %s: %s",
                intent.action.value,
                intent.symbol,
                "; ".join(map(str, denials)),
            )
        self._host.on_order_denied(intent=intent, denials=denials, now=self._view.now)

    # -- the report --------------------------------------------------------------------
    def _report(self) -> None:
        if self._clock.monotonic() < self._next_report:
            return
        self._next_report = self._clock.monotonic() + _REPORT_EVERY
        status = self._status(self._state or TradingState.REDUCING)
        fields = self._host.choose_heartbeat(status=status, now=status.now)
        if fields is not None:
            self._link.beat(fields)

    def _status(self, state: TradingState) -> RunnerStatus:
        settings, view = self._settings, self._view
        wall = self._clock.now()
        account = view.account
        confirmed = self._confirmed_at
        newest = max((tick.time for tick in view.ticks.values()), default=None)
        return RunnerStatus(
            account_id=settings.account,
            now=wall,
            session=settings.session,
            epoch=self._epoch,
            host=settings.host,
            pid=settings.pid,
            runner_version=settings.version,
            trading_state=state,
            pause_reasons=self._reasons,
            account=account,
            peak_balance=self._peak,
            open_positions=None if view.positions is None else len(view.positions),
            trade_config_version=(
                None if self._roster.trade is None else self._roster.trade.version
            ),
            strategy_versions=self._roster.versions,
            config_errors=self._roster.config_errors,
            config_age_s=(
                None if confirmed is None else (wall - confirmed).total_seconds()
            ),
            last_tick=newest,
            loop_lag_ms=self._lag_ms,
            failing=dict(self._host.failures),
            reports=(
                {}
                if account is None
                else self._host.describe_status(account=account, now=view.now)
            ),
        )

    def _finish(self) -> Summary:
        reason = self._stop.reason
        log.info("stopping: %s", reason)
        self._roster.stop(self._view.now)
        self._host.on_stopping(reason=reason, now=self._view.now)
        self._save_peak()
        status = self._status(TradingState.STOPPED)
        last = self._host.choose_heartbeat(status=status, now=status.now)
        self._link.stop(last)
        self._broker.close()
        account = self._view.last_account
        return Summary(
            bars=self._bars,
            closed=self._ledger.closed,
            profit=self._ledger.profit,
            balance=None if account is None else account.balance,
            reason=reason,
        )


def _sticky(
    old: ServerHeartbeat | None, new: ServerHeartbeat | None
) -> ServerHeartbeat | None:
    """Take a new heartbeat; what it does not say stays as it was."""
    if new is None or old is None:
        return new or old
    said = {
        field.name: value
        for field in attrs.fields(ServerHeartbeat)
        if (value := getattr(new, field.name)) is not None
    }
    return attrs.evolve(old, **said)
