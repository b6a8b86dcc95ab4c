"""What the simulated terminal's calls cost, and how fast bars are played into it.

Run it with ``python benchmarks/simulator_calls.py``. The calls are made at least once
a bar, so each must cost a few microseconds; a hundred thousand bars are seconds.
"""

from __future__ import annotations

import itertools
import time
import timeit
from collections.abc import Callable, Iterator

from runner.adapters.feeds.synthetic import SyntheticFeed
from runner.adapters.mt5_simulator.constants import TIMEFRAME_M1
from runner.adapters.mt5_simulator.driver import BarDriver
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal
from runner.core.market import Bar, Timeframe

SYMBOLS = ("EURUSD", "XAUUSD")
BARS = 20_000


class SomeBars:
    """The first bars of a made market, made beforehand."""

    symbols = SYMBOLS
    timeframe = Timeframe.M1
    made = tuple(itertools.islice(SyntheticFeed(SYMBOLS).bars(), BARS * len(SYMBOLS)))

    def bars(self) -> Iterator[Bar]:
        """Yield them."""
        return iter(self.made)


def connected() -> tuple[SimulatedTerminal, BarDriver]:
    """Return a terminal that watches the symbols, and its driver."""
    terminal = SimulatedTerminal(balance=1e9)
    terminal.initialize()
    for symbol in SYMBOLS:
        terminal.symbol_select(symbol)
    return terminal, BarDriver(terminal, SomeBars())


def open_positions(terminal: SimulatedTerminal, count: int) -> None:
    """Open *count* positions, far stops included."""
    for _ in range(count):
        terminal.order_send(
            {"action": 1, "symbol": "EURUSD", "volume": 0.1, "type": 0, "sl": 0.5}
        )


def play(positions: int, *, calls: bool) -> float:
    """Return the seconds for all bars, with or without the calls of a cycle."""
    terminal, driver = connected()
    driver.advance()
    open_positions(terminal, positions)
    began = time.perf_counter()
    while driver.advance():
        if calls:
            for symbol in SYMBOLS:
                terminal.symbol_info_tick(symbol)
                terminal.copy_rates_from_pos(symbol, TIMEFRAME_M1, 0, 2)
            terminal.positions_get()
            terminal.account_info()
    return time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    terminal, driver = connected()
    driver.warm_up(1000)
    open_positions(terminal, 3)
    request = {"action": 1, "symbol": "EURUSD", "volume": 0.1, "type": 0}
    measured: dict[str, Callable[[], object]] = {
        "symbol_info_tick": lambda: terminal.symbol_info_tick("EURUSD"),
        "symbol_info": lambda: terminal.symbol_info("EURUSD"),
        "copy_rates_from_pos, 2 bars": lambda: terminal.copy_rates_from_pos(
            "EURUSD", TIMEFRAME_M1, 0, 2
        ),
        "copy_rates_from_pos, 500 bars": lambda: terminal.copy_rates_from_pos(
            "EURUSD", TIMEFRAME_M1, 0, 500
        ),
        "positions_get, 3 positions": terminal.positions_get,
        "account_info": terminal.account_info,
        "order_check": lambda: terminal.order_check(request),
    }
    for name, function in measured.items():
        count, seconds = timeit.Timer(function).autorange()
        print(f"{name:32} {seconds / count * 1e6:8.2f} us")
    for positions in (0, 3):
        for calls in (False, True):
            each = play(positions, calls=calls) / BARS / len(SYMBOLS)
            what = "and a cycle's calls a phase" if calls else ""
            print(f"a bar, {positions} positions {what:27} {each * 1e6:8.2f} us")


if __name__ == "__main__":
    main()
