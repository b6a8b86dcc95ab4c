"""An account whose balance and equity a test says, under the real drawdown guard.

Everything runs: quotes go into the simulated terminal, a puppet of a strategy wants
what the test says, and orders are sent or denied. EURUSD has no spread, so that one lot
loses 1 USD with each point, and a test can name the equity that it wants.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from memory_store import MemoryStore
from whole_runner import WholeRunner, utc

from runner import (
    Denial,
    Intents,
    OrderIntent,
    Parameters,
    Side,
    Strategy,
    Tick,
    hookimpl,
)
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal
from runner.testing import FakeClock

PAIR, OTHER = "EURUSD", "GBPUSD"
_LOT = 100_000
_NO_SWAP = {name: {"swap_long": 0.0, "swap_short": 0.0} for name in (PAIR, OTHER)}
_SECOND = timedelta(seconds=1)


class Denials:
    """Hears what was denied."""

    def __init__(self) -> None:
        self.codes: list[str] = []

    @hookimpl
    def on_order_denied(self, denials: Sequence[Denial]) -> None:
        self.codes += [denial.deny.code for denial in denials]


def make_puppet(wishes: list[Any]) -> type[Strategy]:
    """Return a strategy that wants what *wishes* holds, once."""

    class Puppet(Strategy):
        Parameters = Parameters

        def on_tick(self, tick: Tick) -> Intents:
            found: list[OrderIntent] = []
            for wish in [one for one in wishes if one[0] == tick.symbol]:
                wishes.remove(wish)
                found.append(wish[1](self))
            return found

    return Puppet


class DrawdownAccount:
    """One account from a first deposit, over any number of starts.

    Args:
        balance: First deposit.
        start: When the market begins, UTC.
        settings: Of the guard, as in a settings file.
        terminal: Options of the simulated terminal.
        rules: Fields of EURUSD at the broker.
        plugins: Further plugins by name.
        **risk: What the server's ``risk_config`` says, and other fields of the config.
    """

    def __init__(
        self,
        balance: float = 100_000.0,
        start: str = "2026-01-14 12:00",
        *,
        settings: Mapping[str, Any] | None = None,
        terminal: Mapping[str, Any] | None = None,
        rules: Mapping[str, Any] | None = None,
        plugins: Mapping[str, object] | None = None,
        **risk: Any,
    ) -> None:
        symbols = _NO_SWAP | {PAIR: _NO_SWAP[PAIR] | dict(rules or {})}
        self.terminal: Any = SimulatedTerminal(
            balance=balance, symbols=symbols, **dict(terminal or {})
        )
        self.store, self.clock = MemoryStore(), FakeClock(utc(start))
        self.settings, self.plugins = dict(settings or {}), dict(plugins or {})
        self.risk: dict[str, Any] = {
            "daily_dd_limit_percent": 5.0,
            "max_account_dd_percent": 10.0,
        }
        self.risk |= risk
        self.now, self.price, self.other = utc(start), 1.1, 1.3
        self.wishes: list[Any] = []
        self.starts = self.version = 0
        self.runner: Any = None
        self._quote()
        self.restart()

    # -- the runner --------------------------------------------------------------------
    def stop(self) -> None:
        """Kill the runner; the market and the account go on."""
        self.runner = None

    def restart(self) -> None:
        """Start the runner on what an earlier one left on disk."""
        self.starts += 1
        self.denied = Denials()
        self.runner = WholeRunner(
            self.terminal,
            self.store,
            self.clock,
            (make_puppet(self.wishes),),
            settings={"drawdown": self.settings},
            plugins={"denials": self.denied, **self.plugins},
            session=f"session-{self.starts}",
        )
        self.runner.version = self.version
        self.runner.begin()
        self.configure()
        self.runner.strategy("Puppet", {PAIR: Parameters(), OTHER: Parameters()})
        self.version = self.runner.version
        self.cycle(3)

    def configure(self, **risk: Any) -> None:
        """Let the server say something else."""
        self.risk |= risk
        changes = {"enabled_symbols": (PAIR, OTHER), **self.risk}
        self.runner.trade(**changes)
        self.version = self.runner.version

    def cycle(self, count: int = 1) -> None:
        """Let the loop do so many cycles, long enough apart to try again."""
        if self.runner is not None:
            self.runner.cycle(count, seconds=6.0)

    # -- the market --------------------------------------------------------------------
    def _quote(self) -> None:
        self.terminal.quote(OTHER, self.other, self.other, self.now)
        self.terminal.quote(PAIR, self.price, self.price, self.now)

    def tick(self, price: float | None = None, seconds: float = 1.0) -> None:
        """Let a quote come, and the loop see it."""
        self.now += timedelta(seconds=seconds)
        self.price = self.price if price is None else round(price, 5)
        self._quote()
        self.cycle(2)

    def at(self, time: str) -> None:
        """Let a quote come at *time*, UTC."""
        self.now = utc(time) - _SECOND
        self.tick()

    def equity(self, wanted: float) -> None:
        """Let the market move to the point where the equity is nearest to *wanted*."""
        lots = sum(
            held.volume * (1 if held.side is Side.BUY else -1)
            for held in self.terminal.account.positions.values()
            if held.symbol.name == PAIR
        )
        present = self.terminal.account_info().equity
        self.tick(self.price + (wanted - present) / (lots * _LOT))
        # Prices have steps of a point, which moves a lot by 1 USD.
        assert abs(self.terminal.account_info().equity - wanted) < max(0.005, lots / 2)

    # -- what the strategy and others do -----------------------------------------------
    def wish(self, make: Any, symbol: str = PAIR) -> bool:
        """Let the strategy want something; say whether nothing was denied."""
        before = len(self.denied.codes)
        self.wishes.append((symbol, make))
        # Only a new quote is told to strategies.
        self.price = round(self.price + 0.00001, 5)
        self.other = round(self.other + 0.00001, 5)
        self.tick(seconds=1)
        self.price = round(self.price - 0.00001, 5)
        self.other = round(self.other - 0.00001, 5)
        assert [] == self.wishes
        self.tick(seconds=1)
        return len(self.denied.codes) == before

    def buy(
        self, lots: float = 1.0, stop: float | None = 1_000, symbol: str = PAIR
    ) -> bool:
        """Let the strategy want a long position with a stop so many points away."""
        return self.wish(
            lambda own: own.buy(symbol, volume=lots, stop_loss=stop), symbol
        )

    def hold(self, lots: float = 1.0) -> int:
        """Let somebody else hold a long position without a stop."""
        ticket: int = self.send(type=self.terminal.ORDER_TYPE_BUY, volume=lots).order
        self.cycle()
        return ticket

    def trade(self, profit: float) -> None:
        """Let somebody else win or lose that much, closed at once."""
        terminal = self.terminal
        lots = 1.0 if terminal.account.balance > 50_000 else 0.1
        sent = self.send(type=terminal.ORDER_TYPE_BUY, volume=lots)
        self.price = round(self.price + profit / (lots * _LOT), 5)
        self.now += _SECOND
        self._quote()
        self.send(type=terminal.ORDER_TYPE_SELL, volume=lots, position=sent.order)
        self.now += _SECOND
        self._quote()
        self.cycle(2)

    def send(self, **request: Any) -> Any:
        """Let somebody else send a market order."""
        terminal = self.terminal
        answer = terminal.order_send(
            {
                "action": terminal.TRADE_ACTION_DEAL,
                "symbol": PAIR,
                "price": self.price,
                "type_filling": terminal.ORDER_FILLING_IOC,
                "type_time": terminal.ORDER_TIME_GTC,
                **request,
            }
        )
        assert answer is not None
        assert answer.retcode in {10008, 10009}, answer
        return answer

    def pay(self, amount: float) -> None:
        """Let money be paid in, or out if negative."""
        self.terminal.account.transfer(amount, "cash")
        self.cycle(2)

    # -- what shows --------------------------------------------------------------------
    @property
    def codes(self) -> list[str]:
        """Why nothing may be opened."""
        return list(self.runner.codes)

    @property
    def is_blocked(self) -> bool:
        """Whether nothing may be opened."""
        return bool(self.codes)

    @property
    def status(self) -> Mapping[str, str]:
        """A heartbeat of now."""
        self.runner.cycle(1, seconds=31.0)
        return dict(self.runner.heartbeat)

    def figure(self, name: str) -> float:
        """Return a number of the heartbeat."""
        return float(self.status[name])

    @property
    def held(self) -> int:
        """How many positions are open on the account."""
        return len(self.terminal.account.positions)
