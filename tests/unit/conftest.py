"""A live loop with everything around it made by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from memory_store import MemoryStore
from scripted_link import ScriptedLink

from runner import (
    Account,
    Action,
    Bar,
    Deal,
    Intents,
    OrderRequest,
    OrderResult,
    Outcome,
    Parameters,
    PendingOrder,
    Position,
    Side,
    Strategy,
    StrategyConfig,
    SymbolSpec,
    Tick,
    Timeframe,
    hookimpl,
)
from runner.core.identity import magic_number
from runner.host.manager import PluginHost
from runner.host.records import BUILT_IN, PluginError, StrategyRecord
from runner.host.watch import Watch
from runner.link import (
    CommandSeen,
    ServerSeen,
    StrategyConfigStaged,
    TradeConfigStaged,
)
from runner.loop.configs import Configs
from runner.loop.desk import OrderDesk
from runner.loop.live import Loop
from runner.loop.roster import Roster
from runner.loop.settings import LoopSettings, Player
from runner.loop.stop import StopRequest
from runner.loop.view import View
from runner.ports import Login, UnavailableError
from runner.testing import FakeClock, make_account, make_symbol, make_trade_config
from runner.wire.commands import Command, CommandAction
from runner.wire.heartbeat import ServerHeartbeat

WALL = datetime(2026, 3, 4, 12, tzinfo=UTC)
MARKET = datetime(2026, 3, 4, 12, tzinfo=UTC)
H1 = Timeframe.H1


DEPOSIT = Deal(
    ticket=1,
    position_id=0,
    symbol="",
    side=None,
    is_entry=False,
    volume=0.0,
    price=0.0,
    time=datetime(2001, 1, 1, tzinfo=UTC),
    profit=10_000.0,
    is_balance=True,
)
"""With which every account begins, long before."""


@attrs.frozen
class EagerParameters(Parameters):
    lookback_period: int = 1
    stop_loss: int = 100
    wide: bool = attrs.field(default=False, metadata={"reload": "flat_only"})
    fixed: int = attrs.field(default=0, metadata={"reload": "restart"})


class Eager(Strategy):
    """Buys on every bar when it is flat."""

    Parameters = EagerParameters

    def on_bar(self, bar: Bar) -> Intents:
        if not self.is_flat(bar.symbol):
            return None
        return self.buy(bar.symbol, stop_loss=self.parameters[bar.symbol].stop_loss)


class Restless(Eager):
    """Wants one more position on every bar, and on every tick too."""

    def on_bar(self, bar: Bar) -> Intents:
        return self.buy(bar.symbol, stop_loss=100)

    def on_tick(self, tick: Tick) -> Intents:
        return self.sell(tick.symbol, stop_loss=100)


class Terminal:
    """A market and an account that do at once what they are told, or fail."""

    def __init__(self) -> None:
        self.names = {"EURUSD", "XAUUSD"}
        self.quotes: dict[str, Tick] = {}
        self.time: datetime | None = None
        self.bars: dict[str, list[Bar]] = {}
        self.read: dict[tuple[str, Timeframe], int] = {}
        self.unreadable: set[str] = set()
        self.is_readable = True
        self.is_hedging = True
        self.account_now = make_account()
        self.open: dict[int, Position] = {}
        self.pending: dict[int, PendingOrder] = {}
        self.history_deals: list[Deal] = [DEPOSIT]
        self.deals_error = False
        self.sent: list[OrderRequest] = []
        self.answer: Outcome = Outcome.FILLED
        self.error: Exception | None = None
        self.shows = True
        self.is_closed = False

    # -- market
    def _ask(self, symbol: str) -> None:
        if symbol in self.unreadable:
            raise UnavailableError(f"{symbol}: no answer")

    def now(self) -> datetime:
        if self.time is None:
            raise UnavailableError("no quote yet")
        return self.time

    def symbol(self, name: str) -> SymbolSpec:
        self._ask(name)
        if name not in self.names:
            raise KeyError(f"the broker has no {name}")
        return make_symbol(name)

    def tick(self, symbol: str) -> Tick | None:
        self._ask(symbol)
        if symbol not in self.names:
            raise KeyError(f"the broker has no {symbol}")
        return self.quotes.get(symbol)

    def history(self, symbol: str, timeframe: Timeframe, count: int) -> Sequence[Bar]:
        self._ask(symbol)
        bars = self.bars.get(symbol, [])
        self.read[symbol, timeframe] = len(bars)
        return bars[-count:]

    def closed_bars(self, symbol: str, timeframe: Timeframe) -> Sequence[Bar]:
        self._ask(symbol)
        if symbol not in self.names:
            raise KeyError(f"the broker has no {symbol}")
        bars = self.bars.get(symbol, [])
        start = self.read.get((symbol, timeframe), len(bars))
        self.read[symbol, timeframe] = len(bars)
        return bars[start:]

    def quote(self, symbol: str, price: float = 1.1) -> None:
        """Let a quote come."""
        self.time = (self.time or MARKET) + timedelta(seconds=1)
        self.quotes[symbol] = Tick(symbol, self.time, price, price + 0.0001)

    def close_bar(self, symbol: str) -> None:
        """Let an hour go by, and a quote come."""
        bars = self.bars.setdefault(symbol, [])
        opens_at = bars[-1].closes_at if bars else MARKET
        bars.append(Bar(symbol, H1, opens_at, 1.1, 1.2, 1.0, 1.1))
        self.time = max(self.time or opens_at, opens_at + timedelta(hours=1))
        self.quote(symbol)

    # -- broker
    def connect(self, login: Login) -> Account:
        return self.account()

    def account(self) -> Account:
        if not self.is_readable:
            raise UnavailableError("no connection")
        return attrs.evolve(self.account_now, is_hedging=self.is_hedging)

    def positions(self) -> Sequence[Position]:
        if not self.is_readable:
            raise UnavailableError("no connection")
        return list(self.open.values()) if self.shows else []

    def orders(self) -> Sequence[PendingOrder]:
        if not self.is_readable:
            raise UnavailableError("no connection")
        return list(self.pending.values())

    def deals(self, since: datetime) -> Sequence[Deal]:
        if not self.is_readable or self.deals_error:
            raise UnavailableError("no connection")
        return [deal for deal in self.history_deals if deal.time >= since]

    def send(self, request: OrderRequest) -> OrderResult:
        self.sent.append(request)
        if self.error is not None:
            raise self.error
        ticket = request.ticket or 1000 + len(self.sent)
        result = OrderResult(
            token=request.token,
            outcome=self.answer,
            ticket=ticket,
            volume=request.volume,
        )
        if self.answer is not Outcome.FILLED:
            return result
        if request.action is Action.PLACE:
            self.wait_for(request, ticket)
            return attrs.evolve(result, outcome=Outcome.PLACED)
        if request.action is Action.OPEN:
            self.add(request.symbol, request.magic, ticket, request.token)
        elif request.action is Action.CLOSE:
            self.open.pop(ticket, None)
        elif request.action is Action.CANCEL:
            self.pending.pop(ticket, None)
        return result

    def wait_for(self, request: OrderRequest, ticket: int) -> None:
        """Let a pending order stand."""
        assert request.kind is not None
        assert request.price is not None
        self.pending[ticket] = PendingOrder(
            ticket=ticket,
            symbol=request.symbol,
            side=request.side,
            kind=request.kind,
            volume=request.volume,
            price=request.price,
            placed_at=MARKET,
            magic=request.magic,
            comment=request.token,
        )

    def fill(self, ticket: int) -> None:
        """Let the market reach a pending order's price."""
        order = self.pending.pop(ticket)
        self.add(order.symbol, order.magic, ticket, order.comment)

    def add(
        self, symbol: str, magic: int, ticket: int = 1, comment: str = ""
    ) -> Position:
        """Let a position stand."""
        self.open[ticket] = Position(
            ticket=ticket,
            symbol=symbol,
            side=Side.BUY,
            volume=0.1,
            opened_at=MARKET,
            open_price=1.1,
            magic=magic,
            comment=comment,
        )
        return self.open[ticket]

    def find(self, request: OrderRequest) -> OrderResult | None:
        if not self.is_readable:
            raise UnavailableError("no connection")
        for order in self.pending.values():
            if order.comment == request.token:
                return OrderResult(
                    token=request.token, outcome=Outcome.PLACED, ticket=order.ticket
                )
        for position in self.open.values():
            if position.comment == request.token:
                return OrderResult(
                    token=request.token,
                    outcome=Outcome.FILLED,
                    ticket=position.ticket,
                )
        return None

    def close(self) -> None:
        self.is_closed = True


class Basics:
    """The least that a run needs of plugins: a size, and a heartbeat."""

    @hookimpl
    def choose_volume(self) -> float:
        return 0.1

    @hookimpl
    def choose_heartbeat(self, status: Any) -> dict[str, str]:
        return {
            "state": status.trading_state.value,
            "reasons": ",".join(reason.code for reason in status.pause_reasons),
            "errors": "|".join(status.config_errors),
            "open_positions": str(status.open_positions),
        }


class World:
    """One account's loop, its server, its terminal and its disk."""

    CLASSES = (Eager, Restless)

    def __init__(self) -> None:
        self.clock = FakeClock(WALL)
        self.store, self.terminal = MemoryStore(), Terminal()
        self.classes: dict[str, type[Strategy]] = {
            cls.__name__: cls for cls in self.CLASSES
        }
        self.plugins: dict[str, object] = {"basics": Basics()}
        self.player: Player | None = None
        self.watch: Watch | None = None
        self.resident: Callable[[], int | None] = lambda: None
        self.starts = 0
        self.make()

    def make(self, **changes: Any) -> None:
        """Make everything that a start of the runner makes anew."""
        self.starts += 1
        self.link, self.host = ScriptedLink(self.clock), PluginHost(self.watch)
        for name, plugin in self.plugins.items():
            self.host.attach(name, plugin, BUILT_IN)
        link: Any = self.link
        self.view = View(self.terminal, self.terminal)
        self.desk = OrderDesk(
            broker=self.terminal,
            store=self.store,
            host=self.host,
            view=self.view,
            clock=self.clock,
            session=f"session-{self.starts}",
        )
        self.roster = Roster(
            account="7",
            view=self.view,
            host=self.host,
            desk=self.desk,
            store=self.store,
            default_timeframe=H1,
        )
        self.configs = Configs(
            view=self.view,
            host=self.host,
            link=link,
            roster=self.roster,
            find_strategy=self.find,
        )
        self.stop = StopRequest()
        self.loop = Loop(
            broker=self.terminal,
            host=self.host,
            link=link,
            store=self.store,
            clock=self.clock,
            roster=self.roster,
            configs=self.configs,
            desk=self.desk,
            view=self.view,
            stop=self.stop,
            player=self.player,
            resident=self.resident,
            settings=LoopSettings(
                account="7",
                session="s",
                host="h",
                pid=1,
                version="0",
                timeframe=H1,
                **changes,
            ),
        )

    def find(self, name: str) -> StrategyRecord:
        """Find a strategy class as discovery does."""
        if name not in self.classes:
            raise PluginError(name, None, "not found", "install it")
        return StrategyRecord(name=name, cls=self.classes[name], source=BUILT_IN)

    # -- what the server says
    def trade(self, version: int = 1, **changes: Any) -> None:
        """Let a trade config come."""
        config = make_trade_config(version=version, **changes)
        self.link.events.append(TradeConfigStaged(config=config))

    def strategy(
        self, version: int = 1, *, name: str = "Eager", number: int = 1, **changes: Any
    ) -> None:
        """Let a strategy config come."""
        fields: dict[str, Any] = {
            "version": version,
            "bot_strategy_id": number,
            "bot_strategy_class": name,
            "bot_status": "ACTIVE",
            "allowed_symbols": ("EURUSD", "XAUUSD"),
            "parameters_by_symbol": {"EURUSD": EagerParameters()},
        }
        config = StrategyConfig(**fields | changes)
        self.link.events.append(StrategyConfigStaged(strategy_id=number, config=config))

    def command(self, action: str, seq: int = 1) -> None:
        """Let a command come."""
        command = Command(action=CommandAction(action), seq=seq)
        self.link.events.append(CommandSeen(command=command))

    def server(self, **fields: Any) -> None:
        """Let a server heartbeat be seen."""
        seen = ServerSeen(heartbeat=ServerHeartbeat(**fields), at=WALL)
        self.link.events.append(seen)

    # -- what the test does
    def begin(self, **strategy: Any) -> None:
        """Start, with one strategy that trades EURUSD and has its bars."""
        self.terminal.close_bar("EURUSD")
        self.terminal.close_bar("EURUSD")
        self.loop.start()
        self.trade()
        self.strategy(**strategy)
        self.loop.cycle()

    def bar(self, symbol: str = "EURUSD") -> None:
        """Let a bar close, and the loop do one cycle."""
        self.terminal.close_bar(symbol)
        self.cycle()

    def cycle(self, count: int = 1) -> None:
        """Let the loop do so many cycles, a second apart."""
        for _ in range(count):
            self.clock.wait(1.0)
            self.loop.cycle()

    @property
    def magic(self) -> int:
        """The number of strategy 1."""
        return magic_number("7", 1)

    @property
    def opened(self) -> list[OrderRequest]:
        """The openings that were sent."""
        return [one for one in self.terminal.sent if one.action is Action.OPEN]

    @property
    def codes(self) -> list[str]:
        """Why exposure must not increase, as last reported."""
        reasons = self.link.beats[-1]["reasons"]
        return reasons.split(",") if reasons else []


@pytest.fixture
def world() -> World:
    """A loop that is made and not started."""
    return World()


@pytest.fixture(scope="session")
def make_world() -> type[World]:
    """Makes such loops, for tests that need many."""
    return World


@pytest.fixture
def eager() -> type[EagerParameters]:
    """The parameters of the strategies that the world knows."""
    return EagerParameters
