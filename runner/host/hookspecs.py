"""Every hook, in the order of a run.

The kind of a hook is its prefix, and fixes what it returns and what happens when an
implementation raises:

``register_*``
    returns records; an error stops the start.
``on_*``
    observers return None; an error is contained and counted.
``check_*``
    guards return `Deny` or None; all are asked, and an error counts as a denial.
``demand_*``
    guards return what must be closed, cancelled or protected; all are asked, and what
    one demanded last stands while it fails.
``choose_*``
    deciders return a value or None; the first value wins; an error skips the step.
``describe_*``
    returns heartbeat fields; an error leaves that plugin's fields out.

Hooks run in the trading loop, one after the other: whatever takes long or waits for
somebody else belongs in a thread of the plugin's own. An implementation takes only the
arguments that it needs, by their names here. Times are UTC-aware; *now* is the market's
time unless a hook says otherwise, so a plugin that takes the time from there alone
behaves the same on recorded bars.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from runner.core.account import Account
from runner.core.market import Bar, SymbolSpec, Tick
from runner.core.news import NewsEvent
from runner.core.orders import (
    Deal,
    Demand,
    Denial,
    Deny,
    OrderIntent,
    OrderRequest,
    OrderResult,
    PendingOrder,
    Position,
)
from runner.core.settings import StrategyConfig, TradeConfig
from runner.core.status import PauseReason, RunnerStatus
from runner.core.trading_state import TradingState
from runner.host.markers import hookspec
from runner.strategy import Strategy


# -- start -----------------------------------------------------------------------------
@hookspec
def register_strategies() -> Iterable[type[Strategy]]:
    """Return strategy classes that the server may name.

    *Called* once, while plugins are looked for, before an instance of any plugin is
    made; so in a plugin class it is a static method. Needed only for classes that are
    made at run time: a class in a plugin folder or with an entry point is found anyway.

    Returns:
        The classes. The server names each by its class name.

    *If it raises*, or returns something else, the start is refused (exit code 3).

    *Built-in*: ``strategies.hooks`` registers the built-in strategies.

    Example:
        .. code-block:: python

            from runner import Bar, OrderIntent, Strategy, hookimpl


            def buyer_of(symbol_name: str) -> type[Strategy]:
                def on_bar(self: Strategy, bar: Bar) -> OrderIntent | None:
                    if bar.symbol != symbol_name or not self.is_flat(bar.symbol):
                        return None
                    return self.buy(bar.symbol, stop_loss=300, take_profit=600)

                return type(f"Buy{symbol_name}", (Strategy,), {"on_bar": on_bar})


            @hookimpl
            def register_strategies() -> list[type[Strategy]]:
                return [buyer_of("EURUSD"), buyer_of("XAUUSD")]

    .. versionadded:: 0.1
    """
    return ()


@hookspec
def on_started(account: Account, now: datetime) -> None:
    """React to the start of the runner on a verified account.

    *Called* once, after the terminal was connected and the account read, before the
    first configuration is applied.

    Args:
        account: The account's first reading.
        now: The market's time, UTC-aware.

    *If it raises*, the error is logged and counted; the others are told all the same.

    *Built-in*: nothing.

    Example:
        .. code-block:: python

            import logging

            from runner import Account, hookimpl

            log = logging.getLogger("mt5runner.plugins.greeting")


            @hookimpl
            def on_started(account: Account) -> None:
                kind = "demo" if account.is_demo else "REAL MONEY"
                log.info("trading %s at %s: %s", account.login, account.server, kind)

    .. versionadded:: 0.1
    """


# -- configuration ---------------------------------------------------------------------
@hookspec
def on_trade_config_applied(config: TradeConfig, now: datetime) -> None:
    """React to a trade config that is in force from now on.

    *Called* at the safe point, between two bars, after each trade config that was
    applied: the first one, also from disk, and every change.

    Args:
        config: What is in force.
        now: The market's time, UTC-aware.

    *If it raises*, the error is logged and counted; the config stays in force.

    *Built-in*: ``news_pause`` follows the server's switch.

    Example:
        .. code-block:: python

            import logging

            from runner import TradeConfig, hookimpl

            log = logging.getLogger("mt5runner.plugins.lots_log")


            @hookimpl
            def on_trade_config_applied(config: TradeConfig) -> None:
                log.info("%s lots from now on", config.trade_config.lot_size)

    .. versionadded:: 0.1
    """


@hookspec
def on_strategy_config_applied(
    config: StrategyConfig, changes: Sequence[str], now: datetime
) -> None:
    """React to a strategy config that is in force from now on.

    *Called* at the safe point, between two bars, after each strategy config that was
    applied: the first one, also from disk, and every change.

    Args:
        config: What is in force.
        changes: One line per parameter that differs from before, such as
            ``XAUUSD.stop_loss: 300 -> 250``; empty for the first config.
        now: The market's time, UTC-aware.

    *If it raises*, the error is logged and counted; the config stays in force.

    *Built-in*: nothing.

    Example:
        .. code-block:: python

            import logging
            from collections.abc import Sequence

            from runner import StrategyConfig, hookimpl

            log = logging.getLogger("mt5runner.plugins.audit")


            @hookimpl
            def on_strategy_config_applied(
                config: StrategyConfig, changes: Sequence[str]
            ) -> None:
                for change in changes:
                    log.info("version %d: %s", config.version, change)

    .. versionadded:: 0.1
    """


@hookspec
def on_config_refused(
    scope: str, version: int | None, errors: Sequence[str], now: datetime
) -> None:
    """React to a configuration that was refused as a whole.

    *Called* once for each refused version; what was applied before stays in force.

    Args:
        scope: ``trade``, or ``strategy:ID``.
        version: The refused body's version; None if it has none that can be read.
        errors: One line per error, with the path of the value.
        now: The market's time, UTC-aware.

    *If it raises*, the error is logged and counted.

    *Built-in*: nothing; the heartbeat shows the errors from the runner's status.

    Example:
        .. code-block:: python

            import logging
            from collections.abc import Sequence

            from runner import hookimpl

            log = logging.getLogger("mt5runner.plugins.refusals")


            @hookimpl
            def on_config_refused(scope: str, errors: Sequence[str]) -> None:
                log.critical("%s config: %s", scope, "; ".join(errors))

    .. versionadded:: 0.1
    """


# -- market and account ----------------------------------------------------------------
@hookspec
def on_deals(deals: Sequence[Deal], now: datetime) -> None:
    """React to deals of the account: trades, deposits, withdrawals, charges.

    *Called* once after the start with the deals of the last month (since the runner
    last looked, if that is longer ago), oldest first, then in each cycle in which there
    are new ones; always before `on_account` shows the balance that they made. A plugin
    that must not count a deal twice over restarts keeps the last ticket that it saw.

    Args:
        deals: At least one; of every program and of persons, too.
        now: The market's time, UTC-aware.

    *If it raises*, the error is logged and counted. A guard that must know the deals
    must deny by itself when it failed here.

    *Built-in*: ``cooldown`` follows what positions brought; ``drawdown`` moves its
    references by deposits and withdrawals.

    Example:
        .. code-block:: python

            import logging
            from collections.abc import Sequence

            from runner import Deal, hookimpl

            log = logging.getLogger("mt5runner.plugins.cash")


            @hookimpl
            def on_deals(deals: Sequence[Deal]) -> None:
                for deal in deals:
                    if deal.is_balance:
                        log.warning("%s: %+.2f", deal.comment or "cash", deal.profit)

    .. versionadded:: 0.1
    """


@hookspec
def on_account(
    account: Account,
    positions: Sequence[Position],
    orders: Sequence[PendingOrder],
    config: TradeConfig,
    now: datetime,
) -> None:
    """React to a new reading of the account.

    *Called* in each cycle in which the account could be read, before the guards of the
    account are asked. Not called while the account or the configuration is unknown.

    Args:
        account: The reading.
        positions: Every open position of the account, other programs' included.
        orders: Every pending order of the account, other programs' included.
        config: The trade config in force.
        now: The market's time, UTC-aware.

    *If it raises*, the error is logged and counted. A guard that measures here must
    deny by itself when its measurement is missing.

    *Built-in*: ``drawdown`` measures the losses of the day and of the account,
    ``equity_target`` the profit.

    Example:
        .. code-block:: python

            from runner import Account, Deny, Plugin, hookimpl


            class MarginGuard(Plugin):
                level: float | None = None

                @hookimpl
                def on_account(self, account: Account) -> None:
                    in_use = account.margin
                    self.level = account.equity / in_use if in_use else float("inf")

                @hookimpl
                def check_trading(self) -> Deny | None:
                    if self.level is None:
                        return Deny("MARGIN_LEVEL", "unknown")
                    if self.level < 3:
                        return Deny(
                            "MARGIN_LEVEL", f"level={self.level:.0%} limit=300%"
                        )
                    return None

    .. versionadded:: 0.1
    """


@hookspec
def on_bar_closed(bar: Bar) -> None:
    """React to a closed bar, after the strategies have.

    *Called* once for each closed bar of each symbol and timeframe that a strategy
    trades, in the order of time; also for bars that closed while the terminal was away.

    Args:
        bar: The bar.

    *If it raises*, the error is logged and counted; the others are told all the same.

    *Built-in*: ``spread`` learns what is usual.

    Example:
        .. code-block:: python

            from collections import deque

            from runner import Bar, Plugin, PluginSettings, PluginState, hookimpl


            class RangeReport(Plugin):
                def __init__(
                    self, settings: PluginSettings, state: PluginState
                ) -> None:
                    super().__init__(settings, state)
                    self.ranges: dict[str, deque[float]] = {}

                @hookimpl
                def on_bar_closed(self, bar: Bar) -> None:
                    ranges = self.ranges.setdefault(bar.symbol, deque(maxlen=20))
                    ranges.append(bar.high - bar.low)

                @hookimpl
                def describe_status(self) -> dict[str, str]:
                    return {
                        f"range_{symbol}": f"{sum(ranges) / len(ranges):.5f}"
                        for symbol, ranges in self.ranges.items()
                    }

    .. versionadded:: 0.1
    """


# -- news ------------------------------------------------------------------------------
@hookspec(firstresult=True)
def choose_calendar(now: datetime) -> Sequence[NewsEvent] | None:
    """Return the scheduled news that this plugin knows of.

    *Called* every ten seconds. The first plugin that returns events wins, and whoever
    minds news is told when they differ from those before. Ask the network in a thread
    of your own, and return what it found last.

    Args:
        now: The market's time, UTC-aware.

    Returns:
        Every event that is known, of at least the present week; None for no opinion,
        which takes back nothing. No events are not the same as no news, so an empty
        answer is an error.

    *If it raises*, or returns anything else, nobody else is asked, and what was known
    before stays.

    *Built-in*: nothing; the news pause has sources of its own, and "plugin" among them
    stands for this hook.

    Example:
        .. code-block:: python

            from collections.abc import Sequence
            from datetime import datetime, timedelta

            from runner import NewsEvent, hookimpl

            NOON = timedelta(hours=12)


            @hookimpl
            def choose_calendar(now: datetime) -> Sequence[NewsEvent]:
                today = now.replace(hour=0, minute=0, second=0, microsecond=0)
                return [
                    NewsEvent(today + timedelta(days=n) + NOON, "USD", "High", "Fixing")
                    for n in range(7)
                ]

    .. versionadded:: 0.1
    """


@hookspec
def on_calendar_changed(events: Sequence[NewsEvent], now: datetime) -> None:
    """React to scheduled news that a plugin chose.

    *Called* when `choose_calendar` has its first answer, and when that changes.

    Args:
        events: Every event known; at least one.
        now: The market's time, UTC-aware.

    *If it raises*, the error is logged and counted; it is not told again.

    *Built-in*: ``news_pause`` takes them as its source "plugin".

    Example:
        .. code-block:: python

            import logging
            from collections.abc import Sequence
            from datetime import datetime

            from runner import NewsEvent, hookimpl

            log = logging.getLogger("mt5runner.plugins.preview")


            @hookimpl
            def on_calendar_changed(events: Sequence[NewsEvent], now: datetime) -> None:
                for event in events:
                    if event.at > now and event.impact == "High":
                        log.info("%s %s %s", event.at, event.currency, event.title)

    .. versionadded:: 0.1
    """


# -- guards ----------------------------------------------------------------------------
@hookspec
def check_trading(account: Account, config: TradeConfig, now: datetime) -> Deny | None:
    """Say whether the whole account must not increase exposure now.

    *Called* in each cycle in which the account could be read, whether or not a strategy
    wants anything: a denial pauses entries, shows in the heartbeat as a reason, and
    lasts until no guard denies. Exits go on.

    Args:
        account: The latest reading.
        config: The trade config in force.
        now: The market's time, UTC-aware.

    Returns:
        `Deny` to pause entries; None to abstain. There is no way to allow what another
        guard denies.

    *If it raises*, or returns something else, that is a denial with the code
    ``GUARD_FAILED``.

    *Built-in*: ``drawdown`` denies when a loss limit is reached, ``equity_target``
    when a profit is, ``cooldown`` after losses.

    Example:
        .. code-block:: python

            from datetime import datetime

            from runner import Deny, hookimpl

            FRIDAY = 4


            @hookimpl
            def check_trading(now: datetime) -> Deny | None:
                if now.weekday() == FRIDAY and now.hour >= 20:
                    return Deny("WEEKEND", f"now={now:%H:%M} from=20:00")
                return None

    .. versionadded:: 0.1
    """


@hookspec
def check_symbol(symbol: SymbolSpec, config: TradeConfig, now: datetime) -> Deny | None:
    """Say whether exposure in one symbol must not increase now.

    *Called* for each intent that would open a position, before `check_order`.

    Args:
        symbol: The symbol's rules.
        config: The trade config in force.
        now: The market's time, UTC-aware.

    Returns:
        `Deny` to refuse entries in the symbol; None to abstain.

    *If it raises*, or returns something else, that is a denial with the code
    ``GUARD_FAILED``.

    *Built-in*: ``news_pause`` denies around events of the symbol's currencies,
    ``trading_hours`` outside of hours, ``slippage`` and ``cooldown`` for a while.

    Example:
        .. code-block:: python

            from datetime import datetime

            from runner import Deny, SymbolSpec, hookimpl


            @hookimpl
            def check_symbol(symbol: SymbolSpec, now: datetime) -> Deny | None:
                if symbol.currency_base == "XAU" and not 7 <= now.hour < 19:
                    return Deny("GOLD_HOURS", f"now={now:%H:%M} hours=07:00-19:00")
                return None

    .. versionadded:: 0.1
    """


@hookspec
def check_order(
    intent: OrderIntent,
    magic: int,
    account: Account,
    positions: Sequence[Position],
    orders: Sequence[PendingOrder],
    unresolved: Sequence[OrderRequest],
    symbol: SymbolSpec,
    symbols: Mapping[str, SymbolSpec],
    tick: Tick,
    config: TradeConfig,
    now: datetime,
) -> Deny | None:
    """Say whether one intent must not be carried out.

    *Called* for every intent of every strategy, exits included, after its size was
    chosen and before it is written to disk and sent. All guards are asked, and every
    denial is logged. A guard against risk abstains unless
    ``intent.increases_exposure``, or the intent moves a stop away from the market: to
    deny an exit keeps the risk.

    Args:
        intent: What the strategy wants. An opening carries its volume, unless none
            could be chosen, for which it is denied anyway.
        magic: The number that marks the strategy's own positions and orders.
        account: The latest reading.
        positions: Every open position of the account, other programs' included.
        orders: Every pending order of the account, other programs' included.
        unresolved: The runner's own orders that `positions` and `orders` do not show
            yet, or whose outcome is unknown: each may be open.
        symbol: The rules of the intent's symbol.
        symbols: The rules of the intent's symbol, and of every symbol in `positions`,
            `orders` and `unresolved`; one that cannot be read is missing.
        tick: The latest quote of that symbol.
        config: The trade config in force.
        now: The market's time, UTC-aware.

    Returns:
        `Deny` to stop the intent; None to abstain. There is no way to allow what
        another guard denies.

    *If it raises*, or returns something else, that is a denial with the code
    ``GUARD_FAILED``. Exits go on all the same: to fail closed means that exposure does
    not rise, and an exit lowers it. A stop that moves away is no exit.

    *Built-in*: ``drawdown`` denies what could cost more than the limits leave;
    ``limits`` counts orders, positions, lots and exposure, ``spread`` looks at the
    quote, ``slippage`` remembers it; ``news_pause`` denies exits in a window if
    ``block_exits`` says so.

    Example:
        .. code-block:: python

            from collections.abc import Sequence

            from runner import Deny, OrderIntent, Position, hookimpl

            LIMIT = 3


            @hookimpl
            def check_order(
                intent: OrderIntent, positions: Sequence[Position]
            ) -> Deny | None:
                if intent.increases_exposure and len(positions) >= LIMIT:
                    return Deny("TOO_MANY", f"open={len(positions)} limit={LIMIT}")
                return None

    .. versionadded:: 0.1
    """


@hookspec
def demand_exits(
    account: Account,
    positions: Sequence[Position],
    orders: Sequence[PendingOrder],
    magics: Collection[int],
    symbols: Mapping[str, SymbolSpec],
    config: TradeConfig,
    now: datetime,
) -> Demand | Iterable[Demand] | None:
    """Say what must be closed, cancelled or protected now.

    *Called* in each cycle in which the account could be read, after `check_trading`.
    A demand is carried out before any strategy is asked, no guard is asked about it,
    and it is tried again every few seconds for as long as it is repeated, however long
    the market is closed. A guard that also denies in `check_trading` meanwhile keeps
    strategies from opening what it closes, and the account shows as FLATTENING.

    Args:
        account: The latest reading.
        positions: Every open position of the account, other programs' included.
        orders: Every pending order of the account, other programs' included.
        magics: Numbers of the runner's own strategies; what carries another number, or
            none, belongs to another program or to a person.
        symbols: Symbol to its rules, for what carries one of *magics*; one that the
            terminal does not tell is left out.
        config: The trade config in force.
        now: The market's time, UTC-aware.

    Returns:
        One `Demand`, several, or None. Tickets that are gone already do no harm.

    *If it raises*, or returns something else, what it demanded last stands.

    *Built-in*: ``drawdown`` closes after a breach, ``trading_hours`` before the
    weekend, ``equity_target`` at the target, ``news_pause`` before news, if so set.

    Example:
        .. code-block:: python

            from collections.abc import Collection, Sequence
            from datetime import datetime, timedelta

            from runner import Demand, Position, hookimpl

            LONGEST = timedelta(hours=8)


            @hookimpl
            def demand_exits(
                positions: Sequence[Position], magics: Collection[int], now: datetime
            ) -> Demand | None:
                old = tuple(
                    position.ticket
                    for position in positions
                    if position.magic in magics and now - position.opened_at > LONGEST
                )
                return Demand(code="HELD_TOO_LONG", close=old) if old else None

    .. versionadded:: 0.1
    """


# -- an order's life -------------------------------------------------------------------
@hookspec(firstresult=True)
def choose_volume(
    intent: OrderIntent,
    account: Account,
    symbol: SymbolSpec,
    tick: Tick,
    config: TradeConfig,
) -> float | None:
    """Choose the size of an opening intent that names none.

    *Called* for each opening intent without a volume, before `check_order`. The first
    plugin that returns a size wins; the user's plugins are asked before the built-ins.

    Args:
        intent: What the strategy wants.
        account: The latest reading.
        symbol: The rules of the intent's symbol.
        tick: The latest quote of that symbol.
        config: The trade config in force.

    Returns:
        Lots, above 0, on the grid of the symbol's ``volume_step`` and not above its
        ``volume_max``; None to leave it to the next plugin.

    *If it raises*, or returns anything else, nobody else is asked: there is no size,
    and the intent is denied.

    *Built-in*: ``sizing`` takes the server's ``lot_size``, or the risk to the stop.

    Example:
        .. code-block:: python

            from runner import OrderIntent, SymbolSpec, hookimpl


            @hookimpl
            def choose_volume(intent: OrderIntent, symbol: SymbolSpec) -> float | None:
                return symbol.volume_min if intent.strategy == "NewIdea" else None

    .. versionadded:: 0.1
    """


@hookspec
def on_order_denied(
    intent: OrderIntent, denials: Sequence[Denial], now: datetime
) -> None:
    """React to an intent that was denied, by guards or by the runner itself.

    *Called* once for each denied intent. A strategy that goes on wishing is denied
    again with each bar or quote.

    Args:
        intent: What the strategy wanted.
        denials: Who denied, and why; at least one.
        now: The market's time, UTC-aware.

    *If it raises*, the error is logged and counted; the intent stays denied.

    *Built-in*: nothing.

    Example:
        .. code-block:: python

            from collections import Counter
            from collections.abc import Sequence

            from runner import Denial, Plugin, PluginSettings, PluginState, hookimpl


            class DenialCount(Plugin):
                def __init__(
                    self, settings: PluginSettings, state: PluginState
                ) -> None:
                    super().__init__(settings, state)
                    self.denied: Counter[str] = Counter()

                @hookimpl
                def on_order_denied(self, denials: Sequence[Denial]) -> None:
                    self.denied.update(denial.deny.code for denial in denials)

                @hookimpl
                def describe_status(self) -> dict[str, str]:
                    return {f"denied_{code}": str(n) for code, n in self.denied.items()}

    .. versionadded:: 0.1
    """


@hookspec
def on_order_sent(request: OrderRequest, now: datetime) -> None:
    """React to an order that is about to be sent; it is already on disk.

    *Called* once for each order, immediately before the broker is asked. What takes
    long here makes the quote old.

    Args:
        request: What is sent.
        now: The market's time, UTC-aware.

    *If it raises*, the error is logged and counted; the order is sent.

    *Built-in*: ``limits`` counts it; ``news_pause`` tells of risk exits in a window
    that forbids exits.

    Example:
        .. code-block:: python

            from datetime import datetime

            from runner import OrderRequest, OrderResult, Plugin, hookimpl


            class FillTime(Plugin):
                sent_at: datetime | None = None
                seconds: float = 0.0

                @hookimpl
                def on_order_sent(self, request: OrderRequest, now: datetime) -> None:
                    self.sent_at = now

                @hookimpl
                def on_order_result(self, result: OrderResult, now: datetime) -> None:
                    if self.sent_at is not None:
                        self.seconds = (now - self.sent_at).total_seconds()

    .. versionadded:: 0.1
    """


@hookspec
def on_order_result(request: OrderRequest, result: OrderResult, now: datetime) -> None:
    """React to what became of an order.

    *Called* once with the broker's answer, or when the order could not be sent. If the
    answer was unknown, it is called again when the order was found or is certain to
    have left no trace.

    Args:
        request: What was sent.
        result: What came back: filled, rejected, unknown or not sent.
        now: The market's time, UTC-aware.

    *If it raises*, the error is logged and counted; the order is what it is.

    *Built-in*: ``slippage`` compares the fill with the quote.

    Example:
        .. code-block:: python

            import logging

            from runner import OrderRequest, OrderResult, Outcome, hookimpl

            log = logging.getLogger("mt5runner.plugins.alarm")


            @hookimpl
            def on_order_result(request: OrderRequest, result: OrderResult) -> None:
                if result.outcome not in {Outcome.FILLED, Outcome.PLACED}:
                    log.error("%s: %s", request.symbol, result.message)

    .. versionadded:: 0.1
    """


@hookspec
def on_position_closed(deal: Deal, now: datetime) -> None:
    """React to a deal that closed a position, by order, stop or target.

    *Called* once for each such deal on the account, other programs' included, of a
    position that the runner saw open; also after the terminal was away. What closed
    while the runner did not run is not told.

    Args:
        deal: The deal that closed the position or a part of it.
        now: The market's time, UTC-aware.

    *If it raises*, the error is logged and counted.

    *Built-in*: nothing.

    Example:
        .. code-block:: python

            from datetime import datetime, timedelta

            from runner import Deal, Deny, Plugin, hookimpl

            PAUSE = timedelta(hours=1)


            class Cooldown(Plugin):
                @hookimpl
                def on_position_closed(self, deal: Deal) -> None:
                    if deal.profit + deal.costs < 0:
                        self.state.put("last_loss", deal.time.isoformat())

                @hookimpl
                def check_trading(self, now: datetime) -> Deny | None:
                    last = self.state.get("last_loss")
                    until = datetime.fromisoformat(last) + PAUSE if last else now
                    return (
                        Deny("COOLDOWN", f"until={until:%H:%M}")
                        if now < until
                        else None
                    )

    .. versionadded:: 0.1
    """


# -- state and heartbeat ---------------------------------------------------------------
@hookspec
def on_trading_state_changed(
    state: TradingState, reasons: Sequence[PauseReason], now: datetime
) -> None:
    """React to a change of the trading state or of its reasons.

    *Called* when the state changes, or a reason comes or goes; not when only a reason's
    figures change.

    Args:
        state: What the account may do, such as ACTIVE, or REDUCING: exits only.
        reasons: Every reason that holds, by source; empty when ACTIVE.
        now: The market's time, UTC-aware.

    *If it raises*, the error is logged and counted; the state is what it is.

    *Built-in*: nothing; the heartbeat shows the state from the runner's status.

    Example:
        .. code-block:: python

            import logging
            from collections.abc import Sequence

            from runner import PauseReason, TradingState, hookimpl

            log = logging.getLogger("mt5runner.plugins.state_log")


            @hookimpl
            def on_trading_state_changed(
                state: TradingState, reasons: Sequence[PauseReason]
            ) -> None:
                log.warning("%s %s", state.value, "; ".join(map(str, reasons)))

    .. versionadded:: 0.1
    """


@hookspec
def on_plugin_error(plugin: str, hook: str, error: str, now: datetime) -> None:
    """React to a plugin or strategy that raised, or returned what it must not.

    *Called* for each failure; a plugin that fails with every bar is told with every
    bar. Never called for a failure of `on_plugin_error` itself.

    Args:
        plugin: The plugin's or strategy's name.
        hook: What was called: a hook, or a strategy's method and symbol.
        error: Type and text of the error, on one line.
        now: The time of what was handled, UTC-aware.

    *If it raises*, the error is logged and counted, and nobody is told.

    *Built-in*: nothing; the log and the heartbeat tell failures without it.

    Example:
        .. code-block:: python

            from runner import Plugin, hookimpl


            class ErrorCount(Plugin):
                errors = 0

                @hookimpl
                def on_plugin_error(self, plugin: str, hook: str, error: str) -> None:
                    self.errors += 1

                @hookimpl
                def describe_status(self) -> dict[str, str]:
                    return {"plugin_errors": str(self.errors)}

    .. versionadded:: 0.1
    """


@hookspec
def describe_status(account: Account, now: datetime) -> Mapping[str, str] | None:
    """Return fields that this plugin adds to the heartbeat.

    *Called* a few times a second while the account is known, when the runner takes a
    picture of itself. Of two plugins that name one field, the first wins.

    Args:
        account: The latest reading.
        now: The market's time, UTC-aware.

    Returns:
        Field name to text; None or an empty mapping for nothing. The runner's own
        fields cannot be replaced.

    *If it raises*, or returns anything else, this plugin's fields are left out.

    *Built-in*: ``drawdown`` reports losses and its block, ``news_pause`` its windows.

    Example:
        .. code-block:: python

            from runner import Account, hookimpl


            @hookimpl
            def describe_status(account: Account) -> dict[str, str]:
                return {"margin_free": f"{account.margin_free:.2f}"}

    .. versionadded:: 0.1
    """


@hookspec(firstresult=True)
def choose_heartbeat(status: RunnerStatus, now: datetime) -> Mapping[str, str] | None:
    """Compose the heartbeat's hash fields, or None when none is due.

    *Called* a few times a second, and once more at a clean stop, with the state
    STOPPED. The first plugin that returns fields wins; the user's plugins are asked
    before the built-ins.

    Args:
        status: What the runner is doing, with the fields of `describe_status`.
        now: Wall-clock time, UTC-aware.

    Returns:
        The fields of the seed's ``bot:heartbeat:{account}`` (seed, key 1) and any
        further ones, as text; None when no heartbeat is due.

    *If it raises*, or returns anything else, no heartbeat is sent; if that lasts, the
    server takes the bot for DOWN.

    *Built-in*: ``heartbeat`` composes one every 30 s, and at once after a change.

    Example:
        .. code-block:: python

            from collections.abc import Mapping
            from datetime import datetime

            from runner import BotHeartbeat, Plugin, RunnerStatus, hookimpl

            STATUS = {"ACTIVE": "ACTIVE", "REDUCING": "PAUSED", "STOPPED": "DOWN"}


            class QuickHeartbeat(Plugin):
                last: datetime | None = None

                @hookimpl
                def choose_heartbeat(
                    self, status: RunnerStatus, now: datetime
                ) -> Mapping[str, str] | None:
                    bot_status = STATUS[status.trading_state.value]
                    age = (now - self.last).total_seconds() if self.last else 5
                    if age < 5 and bot_status != "DOWN":
                        return None
                    self.last = now
                    account = status.account
                    return BotHeartbeat(
                        mt5_account_id=status.account_id,
                        timestamp=now,
                        bot_status=bot_status,
                        current_balance=account.balance if account else None,
                        peak_balance=status.peak_balance,
                        last_seen=status.now,
                    ).to_hash()

    .. versionadded:: 0.1
    """


# -- end -------------------------------------------------------------------------------
@hookspec
def on_stopping(reason: str, now: datetime) -> None:
    """React to the clean stop of the runner, before the last heartbeat.

    *Called* once, after the strategies have stopped. Not called when the process is
    killed: what must survive that is put into the plugin's state when it happens.

    Args:
        reason: Why the runner stops.
        now: The market's time, UTC-aware.

    *If it raises*, the error is logged and counted; the stop goes on.

    *Built-in*: ``drawdown`` puts its newest peaks on disk, ``news_pause`` ends its
    threads.

    Example:
        .. code-block:: python

            import logging

            from runner import hookimpl

            log = logging.getLogger("mt5runner.plugins.goodbye")


            @hookimpl
            def on_stopping(reason: str) -> None:
                log.warning("the runner stops: %s", reason)

    .. versionadded:: 0.1
    """
