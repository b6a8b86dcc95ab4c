"""An account whose strategies trade under the guards that a settings file names.

Everything runs: quotes go into the simulated terminal, two puppets of strategies want
what the test says, and what shows is what the terminal holds afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import attrs
from drawdown_account import OTHER, PAIR, Denials, make_puppet
from whole_runner import MemoryStore, WholeRunner, utc

from runner import Parameters
from runner.adapters.mt5_simulator.faults import Fault, Slip
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal
from runner.link import ConfigConfirmed
from runner.testing import FakeClock
from runner.wire.acks import TRADE_FIELD

_POINT = 0.00001


@attrs.frozen(kw_only=True)
class Stop(Parameters):
    """Parameters of the second strategy.

    Attributes:
        stop_loss: Points.
    """

    stop_loss: int = 100


class Slippery:
    """Fills every market order so many points worse; fulfils `Faults`."""

    def __init__(self) -> None:
        self.points = 0.0

    def next(self, function: str) -> Fault | None:
        """Let an order slip."""
        slips = function == "order_send" and self.points
        return Slip(self.points) if slips else None


class GuardedAccount:
    """One account under some guards.

    Two strategies may trade EURUSD and GBPUSD; the server chooses one of them, number 1
    at first. Clock and quotes go on together.

    Args:
        settings: Guard to its settings, as in a settings file.
        start: When the market begins, UTC; a Wednesday, ten o'clock in New York.
        balance: First deposit.
        leverage: 100 stands for 1:100.
        **config: Fields of the server's config.
    """

    def __init__(
        self,
        settings: Mapping[str, Mapping[str, Any]],
        *,
        start: str = "2026-01-14 15:00",
        balance: float = 100_000.0,
        leverage: int = 100,
        **config: Any,
    ) -> None:
        self.market = Slippery()
        self.terminal: Any = SimulatedTerminal(
            balance=balance, leverage=leverage, faults=self.market
        )
        self.store, self.clock = MemoryStore(), FakeClock(utc(start))
        self.settings, self.config = dict(settings), config
        self.now, self.spread = utc(start), 0
        self.prices = {PAIR: 1.1, OTHER: 1.3}
        self.wishes: dict[int, list[Any]] = {1: [], 2: []}
        self.denied = Denials()
        self.starts = self.version = 0
        self.runner: Any = None
        self.restart()

    # -- the runner --------------------------------------------------------------------
    def restart(self) -> None:
        """Start the runner on what an earlier one left on disk."""
        self.starts += 1
        first = make_puppet(self.wishes[1])
        second = type("Second", (make_puppet(self.wishes[2]),), {"Parameters": Stop})
        self._quote()
        self.runner = WholeRunner(
            self.terminal,
            self.store,
            self.clock,
            (first, second),
            settings=self.settings,
            plugins={"denials": self.denied},
            session=f"session-{self.starts}",
        )
        self.runner.version = self.version
        self.runner.begin()
        self.choose(1)

    def choose(self, number: int) -> None:
        """Let the server choose a strategy; the other one keeps what it holds."""
        both = (PAIR, OTHER)
        trade = {"enabled_symbols": both, "active_bot_id": number} | self.config
        self.runner.trade(**trade)
        name = {1: "Puppet", 2: "Second"}[number]
        parameters = {symbol: Parameters() for symbol in both}
        self.runner.strategy(name, parameters, number=number)
        self.version = self.runner.version
        self.chosen = number
        self.tick()

    # -- the market --------------------------------------------------------------------
    def _quote(self) -> None:
        for symbol, price in self.prices.items():
            ask = round(price + self.spread * _POINT, 5)
            self.terminal.quote(symbol, price, ask, self.now)

    def tick(self, seconds: float = 1.0) -> None:
        """Let quotes come so many seconds later, and the loop see them."""
        self.now += timedelta(seconds=seconds)
        self._quote()
        # The server, too, is asked as ever.
        self.runner.link.events.append(
            ConfigConfirmed(scope=TRADE_FIELD, at=self.clock.now())
        )
        self.runner.cycle(2, seconds=seconds / 2)

    def at(self, time: str) -> None:
        """Let quotes come at *time*, UTC."""
        self.tick((utc(time) - self.now).total_seconds())

    def move(self, points: float, symbol: str = PAIR) -> None:
        """Let the price move."""
        self.prices[symbol] = round(self.prices[symbol] + points * _POINT, 5)
        self.tick()

    # -- what a strategy and others do -------------------------------------------------
    def wish(self, make: Any, symbol: str = PAIR) -> str:
        """Let the chosen strategy want something; return why it was denied, or ''."""
        before = len(self.denied.codes)
        wishes = self.wishes[self.chosen]
        wishes.append((symbol, make))
        self.tick()
        assert [] == wishes
        return " ".join(self.denied.codes[before:])

    def buy(
        self, lots: float | None = 0.1, symbol: str = PAIR, stop: float | None = None
    ) -> str:
        """Let the chosen strategy want a long position; None leaves its size open.

        Returns:
            Why it was denied; empty if the terminal holds one more position for it.
        """
        held = len(self.positions)
        denied = self.wish(
            lambda own: own.buy(symbol, volume=lots, stop_loss=stop), symbol
        )
        assert len(self.positions) - held == (0 if denied else 1)
        return denied

    def lose(self, symbol: str = PAIR, points: float = 100) -> None:
        """Let the chosen strategy buy, lose so many points, and close."""
        assert not self.buy(symbol=symbol)
        self.move(-points, symbol)
        assert not self.wish(lambda own: own.close(symbol), symbol)

    def order(self, **request: Any) -> int:
        """Let somebody else send an order; return its ticket."""
        terminal = self.terminal
        answer = terminal.order_send(
            {
                "action": terminal.TRADE_ACTION_DEAL,
                "symbol": PAIR,
                "type": terminal.ORDER_TYPE_BUY,
                "volume": 0.1,
                "type_filling": terminal.ORDER_FILLING_IOC,
                "type_time": terminal.ORDER_TIME_GTC,
                **request,
            }
        )
        assert answer.retcode in {10008, 10009}, answer
        self.tick()
        return int(answer.order)

    # -- what shows --------------------------------------------------------------------
    @property
    def positions(self) -> Sequence[Any]:
        """What is open at the terminal."""
        return self.terminal.positions_get() or ()

    @property
    def tickets(self) -> set[int]:
        """The tickets of everything that is open or pending at the terminal."""
        pending = self.terminal.orders_get() or ()
        return {one.ticket for one in (*self.positions, *pending)}

    @property
    def pauses(self) -> list[str]:
        """Why nothing may be opened on the account, as the heartbeat tells it."""
        self.tick(31.0)
        told: list[str] = json.loads(self.runner.heartbeat["pause_reasons"])
        return told
