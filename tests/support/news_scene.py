"""Two hours of a market around one o'clock, with the whole runner trading it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from whole_runner import MemoryStore, WholeRunner

from runner import (
    Action,
    Bar,
    Denial,
    Intents,
    NewsEvent,
    OrderIntent,
    OrderRequest,
    Parameters,
    Strategy,
    Timeframe,
    hookimpl,
)
from runner.adapters.mt5_simulator.driver import drive
from runner.adapters.mt5_simulator.faults import Fault, Refuse
from runner.adapters.mt5_simulator.structs import TradeOrder, TradePosition
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal
from runner.core.identity import magic_number
from runner.loop.pacing import Pacer
from runner.testing import FakeClock

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
ONE = NOON + timedelta(hours=1)
MINUTE = timedelta(minutes=1)
M1 = Timeframe.M1
MAGIC = magic_number("7", 1)


class Always(Strategy):
    """Buys at every bar, and holds what it has."""

    def on_bar(self, bar: Bar) -> Intents:
        return self.buy(bar.symbol, volume=0.01)


class Once(Strategy):
    """Buys at the first bar, and never again."""

    def on_start(self) -> None:
        self.has_bought = False

    def on_bar(self, bar: Bar) -> Intents:
        if self.has_bought:
            return None
        self.has_bought = True
        return self.buy(bar.symbol, volume=0.01)


class Leaver(Once):
    """Buys once, and wants to close at every bar from 12:50 on."""

    def on_bar(self, bar: Bar) -> Intents:
        if bar.closes_at >= ONE - 10 * MINUTE and not self.is_flat(bar.symbol):
            return self.close(bar.symbol)
        return super().on_bar(bar)


class Journal:
    """Writes down what is sent and what is denied."""

    def __init__(self) -> None:
        self.sent: list[tuple[datetime, OrderRequest]] = []
        self.denied: list[tuple[datetime, OrderIntent, str]] = []

    @hookimpl
    def on_order_sent(self, request: OrderRequest, now: datetime) -> None:
        self.sent.append((now, request))

    @hookimpl
    def on_order_denied(
        self, intent: OrderIntent, denials: Sequence[Denial], now: datetime
    ) -> None:
        self.denied += [(now, intent, denial.deny.code) for denial in denials]

    def minutes(self, action: Action = Action.OPEN, symbol: str = "") -> list[int]:
        """List when something was sent, in whole minutes from one o'clock."""
        return [
            round((at - ONE) / MINUTE)
            for at, request in self.sent
            if request.action is action and symbol in ("", request.symbol)
        ]


class Broker:
    """Refuses every order while it is told to; fulfils the simulator's `Faults`."""

    def __init__(self) -> None:
        self.refuses = False

    def next(self, function: str) -> Fault | None:
        """Refuse an order as a broker does whose market is closed."""
        return Refuse(10018) if self.refuses and function == "order_send" else None


class Bars:
    """Bars of several symbols; fulfils `ports.Feed`."""

    timeframe = M1

    def __init__(
        self, price: Callable[[int], float], symbols: Sequence[str], minutes: int
    ) -> None:
        self.symbols = tuple(symbols)
        self._price = price
        self._minutes = minutes

    def bars(self) -> Iterator[Bar]:
        for n in range(self._minutes):
            first, last = self._price(n), self._price(n + 1)
            high, low = max(first, last), min(first, last)
            for symbol in self.symbols:
                at = NOON + n * MINUTE
                yield Bar(symbol, M1, at, first, high, low, last, 10, 10)


class Scene:
    """One start of the runner in that market.

    Args:
        settings: Of the news pause.
        strategy: What trades.
        symbols: What is traded.
        price: Minute since noon to the price.
        minutes: How long the market goes on after noon.
        plugins: Further plugins.
        guards: Further built-in plugins with their settings.
        risk: What the server's config says beside the pause.
        store: What an earlier start left on disk.
        is_on: Whether the server asks for the pause.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        *,
        strategy: type[Strategy] = Always,
        symbols: Sequence[str] = ("EURUSD",),
        price: Callable[[int], float] = lambda n: 1.1 + (n % 2) * 0.0001,
        minutes: int = 120,
        plugins: Mapping[str, object] | None = None,
        guards: Mapping[str, Mapping[str, Any]] | None = None,
        risk: Mapping[str, Any] | None = None,
        store: MemoryStore | None = None,
        is_on: bool = True,
    ) -> None:
        self.journal = Journal()
        self.symbols = tuple(symbols)
        self.strategy = strategy
        self.store = store or MemoryStore()
        self.broker = Broker()
        self.terminal = SimulatedTerminal(
            balance=1_000_000.0, max_orders=100_000, faults=self.broker
        )
        self.clock = FakeClock()
        self.driver = drive(self.terminal, Bars(price, symbols, minutes))
        self._settings, self._plugins = settings, plugins or {}
        self._guards, self._risk = guards or {}, risk or {}
        self.runner = self._start("session-1", is_on=is_on)

    def _start(self, session: str, *, is_on: bool) -> WholeRunner:
        self.runner = WholeRunner(
            self.terminal,
            self.store,
            self.clock,
            (self.strategy,),
            settings={"news_pause": self._settings, **self._guards},
            plugins={"journal": self.journal, **self._plugins},
            player=Pacer(self.driver, self.clock, 0.0),
            session=session,
        )
        self.switch(on=is_on)
        self.runner.begin()
        self.runner.cycle()
        return self.runner

    def restart(self) -> None:
        """Start the runner anew, on the same disk and the same terminal."""
        self._start("session-2", is_on=True)

    def switch(self, *, on: bool) -> None:
        """Let the server switch the pause."""
        self.runner.trade(
            auto_pause_on_news=on,
            enabled_symbols=self.symbols,
            lot_size=0.01,
            **self._risk,
        )

    def play(self, until: int = 60) -> None:
        """Let the strategy trade until so many minutes after one o'clock."""
        if not self.runner.roster.members:
            parameters = {symbol: Parameters() for symbol in self.symbols}
            self.runner.strategy(self.strategy.__name__, parameters)
            self.runner.cycle()
        end = ONE + until * MINUTE
        for _ in range(1000):
            if self.driver.next_at is None or (
                self.driver.now is not None and self.driver.now >= end
            ):
                break
            # Six seconds, so that what could not be done is tried again soon.
            self.runner.cycle(seconds=6.0)
        else:
            raise AssertionError(f"the market stands still: {self.runner.codes}")

    def order(self, **request: Any) -> int:
        """Send a person's or another program's order and return its ticket."""
        result = self.terminal.order_send(request)
        assert result is not None
        assert 10009 == result.retcode, result
        return int(result.order)

    @property
    def positions(self) -> Sequence[TradePosition]:
        """What is open at the terminal."""
        return self.terminal.positions_get() or ()

    @property
    def orders(self) -> Sequence[TradeOrder]:
        """What is pending at the terminal."""
        return self.terminal.orders_get() or ()

    @property
    def news(self) -> dict[str, Any]:
        """What the news pause reports."""
        account = self.runner.view.account
        assert account is not None
        fields = self.runner.host.describe_status(
            account=account, now=self.runner.view.now
        )
        found: dict[str, Any] = json.loads(fields["news"])
        return found


def row(
    minutes: float = 0,
    currency: str = "USD",
    impact: str = "High",
    title: str = "CPI m/m",
) -> dict[str, str]:
    """Return an event so many minutes after one o'clock, as the weekly feed has it."""
    at = ONE + minutes * MINUTE
    return {
        "title": title,
        "country": currency,
        "date": at.isoformat(),
        "impact": impact,
        "forecast": "",
        "previous": "",
    }


def event(minutes: float = 0, currency: str = "USD") -> NewsEvent:
    """Return such an event as plugins hand it on."""
    return NewsEvent(ONE + minutes * MINUTE, currency, "High", "CPI m/m")


def calendar(folder: Path, *rows: dict[str, str]) -> str:
    """Write a calendar of *rows* and return its path."""
    path = folder / "calendar.json"
    path.write_text(json.dumps(rows or [row()]))
    return str(path)
