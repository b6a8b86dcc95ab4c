"""How late a good strategy's bar is beside one that misbehaves.

Run it with ``python benchmarks/misbehaving_neighbour.py [LIMIT]``. LIMIT is the
``strategy_time_limit`` in seconds, 2 unless another one is given. Each offender is
called before the good strategy, as the loop calls the members of an account, on bars an
hour apart, so that it is tried again on each of them until it is disabled. The delay is
the time from the bar in hand until the good strategy has it.
"""

from __future__ import annotations

import itertools
import logging
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from runner import Bar, Intents, Strategy, Timeframe
from runner.host.manager import PluginHost
from runner.host.records import BUILT_IN, StrategyRecord
from runner.host.strategies import HostedStrategy
from runner.host.watch import Watch
from runner.testing import FakeContext, make_account, make_symbol

START = datetime(2026, 3, 4, 10, tzinfo=UTC)
BARS = 30
QUIET = 1000  # bars with nobody beside


class Good(Strategy):
    """Notes when it has a bar."""

    had_at = 0.0

    def on_bar(self, bar: Bar) -> Intents:
        """Note it."""
        Good.had_at = time.monotonic()
        return None


def loops(_: Strategy) -> Any:
    """Compute without end."""
    while True:
        pass


def sleeps(_: Strategy) -> Any:
    """Wait for an hour; on Windows it really does."""
    time.sleep(3600)


def logs(strategy: Strategy) -> Any:
    """Log without end."""
    while True:
        strategy.log.error("and on")


def swallows(_: Strategy) -> Any:
    """Take the interruption for its own, once."""
    try:
        loops(_)
    except BaseException:  # noqa: BLE001 - what an author may write
        return None


def hoards(_: Strategy) -> Any:
    """Take memory, 10 MB a second or so."""
    hoard: list[bytes] = []
    while True:
        hoard.append(b"x" * 100_000)
        time.sleep(0.01)


def floods(strategy: Strategy) -> Any:
    """Want orders without end."""
    return itertools.repeat(strategy.buy("EURUSD", stop_loss=100))


def raises(_: Strategy) -> Any:
    """Raise on every bar."""
    raise ValueError("no")


def recurses(strategy: Strategy) -> Any:
    """Call itself without end."""
    return recurses(strategy)


def quits(_: Strategy) -> Any:
    """Ask the process to end."""
    sys.exit("enough")


OFFENCES = (
    loops,
    *(() if sys.platform == "win32" else (sleeps,)),
    logs,
    swallows,
    hoards,
    floods,
    raises,
    recurses,
    quits,
)


def main() -> None:
    """Print the delays."""
    limit = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    for name in ("mt5runner.host", "mt5runner.strategies"):
        logger = logging.getLogger(name)
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
    watch = Watch(limit)
    watch.start()
    alone = delays(watch, None, QUIET)
    usual = statistics.median(alone)
    print(f"limit {limit:g} s; alone: median {usual * 1e6:.1f} us")
    print(
        f"{'beside one that':<16} {'late bars':>9} {'latest':>9} {'of the limit':>13} "
        f"{'then, median':>13} {'of alone':>9}"
    )
    for offence in OFFENCES:
        found = delays(watch, offence, BARS)
        late = [one for one in found if one >= limit]
        rest = statistics.median(found[5:])
        print(
            f"{offence.__name__:<16} {len(late):>9} {max(found):>7.3f} s "
            f"{max(found) / limit:>12.3f}x {rest * 1e6:>10.1f} us {rest / usual:>8.1f}x"
        )
    watch.stop()


def delays(
    watch: Watch, offence: Callable[[Strategy], Any] | None, count: int
) -> list[float]:
    """Return after how many seconds the good strategy has each of so many bars."""
    host = PluginHost(watch)
    members = [hosted(Good, host, 2)]
    if offence is not None:

        def on_bar(self: Strategy, bar: Bar) -> Any:
            return offence(self)

        members.insert(0, hosted(type("Bad", (Strategy,), {"on_bar": on_bar}), host, 1))
    for member in members:
        member.start(START)
    found: list[float] = []
    for number in range(count):
        opens_at = START + timedelta(hours=number)
        bar = Bar("EURUSD", Timeframe.H1, opens_at, 1.1, 1.2, 1.0, 1.15)
        began = time.monotonic()
        for member in members:
            member.on_bar(bar, now=bar.closes_at)
        found.append(Good.had_at - began)
    return found


def hosted(cls: type[Strategy], host: PluginHost, number: int) -> HostedStrategy:
    """Put a strategy on the host."""
    context = FakeContext(
        account=make_account(),
        symbols=[make_symbol("EURUSD")],
        parameters={"EURUSD": Strategy.Parameters()},
    )
    context.strategy_id = number
    record = StrategyRecord(name=cls.__name__, cls=cls, source=BUILT_IN)
    return HostedStrategy(record, context, host)


if __name__ == "__main__":
    main()
