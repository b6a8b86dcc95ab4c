"""What a call of authors' code costs: of hooks by number of listeners, and bounded.

Run it with ``python benchmarks/host_calls.py``. A hook that nobody implements is on the
path of every bar, so it must cost less than a microsecond.
"""

from __future__ import annotations

import tempfile
import timeit
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

from runner import (
    Account,
    Action,
    Bar,
    Deny,
    OrderIntent,
    Side,
    Strategy,
    SymbolSpec,
    Tick,
    Timeframe,
    TradeConfig,
    hookimpl,
)
from runner.adapters.in_flight_file import InFlightFile
from runner.host.manager import PluginHost
from runner.host.records import BUILT_IN, StrategyRecord
from runner.host.strategies import HostedStrategy
from runner.host.watch import Watch

NOW = datetime(2026, 3, 4, 10, tzinfo=UTC)
BAR = Bar("EURUSD", Timeframe.H1, NOW, 1.1, 1.2, 1.0, 1.15)
TICK = Tick("EURUSD", NOW, 1.1, 1.1002)
ACCOUNT = Account(login=1, server="Demo", currency="USD", balance=1e4, equity=1e4)
CONFIG = TradeConfig(
    version=1,
    bot_status="ACTIVE",
    account_status="ACTIVE",
    subscription_status="ACTIVE",
)
SPEC = SymbolSpec(
    name="EURUSD",
    digits=5,
    point=1e-5,
    tick_size=1e-5,
    tick_value=1.0,
    contract_size=1e5,
    volume_min=0.01,
    volume_max=50.0,
    volume_step=0.01,
)
INTENT = OrderIntent(
    strategy="Bot", symbol="EURUSD", action=Action.OPEN, side=Side.BUY, volume=0.1
)


class Listener:
    """A guard that abstains and an observer that does nothing."""

    @hookimpl
    def on_bar_closed(self, bar: Bar) -> None:
        """Do nothing."""

    @hookimpl
    def check_order(self, intent: OrderIntent, now: datetime) -> Deny | None:
        """Abstain."""
        return None


class Bot(Strategy):
    """A strategy that wants nothing."""

    def on_bar(self, bar: Bar) -> None:
        """Do nothing."""


def main() -> None:
    """Print microseconds a call."""
    print(f"{'plugins':>8} {'on_bar_closed':>14} {'check_order':>12}  microseconds")
    for number in (0, 1, 3, 10):
        host = PluginHost()
        for i in range(number):
            host.attach(f"listener{i}", Listener(), BUILT_IN)
        bar = cost(lambda host=host: host.on_bar_closed(BAR))
        order = cost(
            lambda host=host: host.check_order(
                INTENT, 1, ACCOUNT, (), (), (), SPEC, {}, TICK, CONFIG, NOW
            )
        )
        print(f"{number:>8} {bar:>14.2f} {order:>12.2f}")
    context = SimpleNamespace(strategy_id=1, parameters={"EURUSD": None}, now=NOW)
    with tempfile.TemporaryDirectory() as folder:
        watch = Watch(2.0)
        watch.start()
        watch.marker = InFlightFile(Path(folder) / "in-flight")
        for how, host in (
            ("contained", PluginHost()),
            ("bounded and marked", PluginHost(watch)),
        ):
            hosted = HostedStrategy(
                StrategyRecord(name="Bot", cls=Bot, source=BUILT_IN),
                context,  # type: ignore[arg-type]  # a part of a context is enough
                host,
            )
            on_bar = cost(lambda hosted=hosted: hosted.on_bar(BAR, NOW))
            print(f"a strategy's on_bar, {how}: {on_bar:.2f} microseconds")
        watch.stop()


def cost(call: Callable[[], object]) -> float:
    """Return the best of five runs, in microseconds a call."""
    calls = 20_000
    return min(timeit.repeat(call, number=calls, repeat=5)) / calls * 1e6


if __name__ == "__main__":
    main()
