"""What authors of strategies and plugins test with."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import attrs
import pytest

from runner import (
    Account,
    Action,
    Bar,
    Deny,
    ExitReason,
    Intents,
    OrderIntent,
    Parameters,
    Position,
    Side,
    Strategy,
    SymbolSpec,
    Tick,
    Timeframe,
    hookimpl,
)
from runner.testing import (
    START,
    FakeClock,
    FakeContext,
    MemoryState,
    RunResult,
    check_order,
    check_symbol,
    check_trading,
    make_account,
    make_bars,
    make_symbol,
    make_trade_config,
    run_bars,
)

HOUR = timedelta(hours=1)
QUIET = (1.1, 1.1, 1.1, 1.1)


class Scripted(Strategy):
    """Returns at each bar what the script says; remembers what it saw."""

    script: Sequence[Any] = ()
    on_ticks: Sequence[Any] = ()
    seen: ClassVar[list[Any]]

    def on_start(self) -> None:
        """Remember the start."""
        self.seen.append(("start", self.now))

    def on_stop(self) -> None:
        """Remember the stop."""
        self.seen.append("stop")

    def on_bar(self, bar: Bar) -> Intents:
        """Do the script's next step."""
        index = sum(1 for one in self.seen if isinstance(one, Bar))
        self.seen.append(bar)
        step = self.script[index] if index < len(self.script) else None
        return step(self) if callable(step) else step

    def on_tick(self, tick: Tick) -> Intents:
        """Do the script's next step for quotes."""
        index = sum(1 for one in self.seen if isinstance(one, Tick))
        self.seen.append(tick)
        step = self.on_ticks[index] if index < len(self.on_ticks) else None
        return step(self) if callable(step) else step


def scripted(*script: Any, on_ticks: Sequence[Any] = ()) -> type[Scripted]:
    """Return a class with that script."""
    own = {"script": script, "on_ticks": on_ticks, "seen": []}
    return type("Scripted", (Scripted,), own)


def buy(**levels: Any) -> Any:
    """Return a step that buys."""
    return lambda strategy: strategy.buy("EURUSD", **levels)


def sell(**levels: Any) -> Any:
    """Return a step that sells."""
    return lambda strategy: strategy.sell("EURUSD", **levels)


def close(**which: Any) -> Any:
    """Return a step that closes."""
    return lambda strategy: strategy.close("EURUSD", **which)


def ends(result: RunResult) -> list[tuple[float, float, ExitReason]]:
    """Return how each trade began and ended."""
    return [(one.open_price, one.close_price, one.exit_reason) for one in result.trades]


# -- runs over bars --------------------------------------------------------------------
@pytest.mark.parametrize(("step", "price"), [(buy(), 1.1022), (sell(), 1.102)])
def test_an_entry_is_done_at_the_open_of_the_next_bar(step: Any, price: float) -> None:
    """A buy at open + spread, a sell at open; closed at the end on the other side."""
    bars = make_bars([QUIET, QUIET, (1.102, 1.103, 1.102, 1.103)], spread=20)

    (trade,) = run_bars(scripted(step), bars).trades

    assert price == trade.open_price
    assert START + 2 * HOUR == trade.opened_at
    assert ExitReason.END is trade.exit_reason
    assert (1.103 if trade.side is Side.BUY else 1.1032) == trade.close_price


@pytest.mark.parametrize(
    ("step", "bar", "price", "reason"),
    [
        (buy(stop_loss=100), (1.1, 1.1, 1.099, 1.1), 1.099, "stop_loss"),
        (buy(stop_loss=100), (1.1, 1.1, 1.0991, 1.1), 1.1, "end"),
        (buy(take_profit=100), (1.1, 1.101, 1.1, 1.1), 1.101, "take_profit"),
        (sell(stop_loss=100), (1.1, 1.101, 1.1, 1.1), 1.101, "stop_loss"),
        (sell(take_profit=100), (1.1, 1.1, 1.099, 1.1), 1.099, "take_profit"),
        # both inside one bar: the stop came first
        (
            buy(stop_loss=100, take_profit=100),
            (1.1, 1.102, 1.098, 1.1),
            1.099,
            "stop_loss",
        ),
    ],
)
def test_levels_are_met_in_the_bar_of_the_entry(
    step: Any, bar: Any, price: float, reason: str
) -> None:
    """From the quote of the entry on."""
    result = run_bars(scripted(step), make_bars([QUIET, QUIET, bar]))

    assert [(1.1, price, ExitReason(reason))] == ends(result)


def test_a_gap_through_a_stop_fills_at_the_open() -> None:
    """At what the market gives, worse than the level."""
    bars = make_bars([QUIET, QUIET, QUIET, (1.09, 1.09, 1.09, 1.09)])

    result = run_bars(scripted(buy(stop_loss=100)), bars)

    assert [(1.1, 1.09, ExitReason.STOP_LOSS)] == ends(result)
    assert START + 3 * HOUR == result.trades[0].closed_at


def test_an_exit_by_signal_is_done_at_the_next_open() -> None:
    """Also partly: what is left goes on."""
    higher = (1.101, 1.101, 1.101, 1.101)
    bars = make_bars([QUIET, QUIET, QUIET, higher, 1.102])
    script = scripted(buy(volume=1.0), close(volume=0.4))

    result = run_bars(script, bars)

    assert [0.4, 0.6] == [one.volume for one in result.trades]
    assert [
        (1.1, 1.101, ExitReason.SIGNAL),
        (1.1, 1.102, ExitReason.END),
    ] == ends(result)


def test_one_of_several_positions_can_be_closed_by_its_ticket() -> None:
    """The others stay open."""
    twice = (buy(), buy(), close(ticket=1))
    bars = make_bars([QUIET] * 6)

    result = run_bars(scripted(*twice), bars)

    assert [(1, "signal"), (2, "end")] == [
        (1 + (one.opened_at - START - 2 * HOUR) // HOUR, one.exit_reason.value)
        for one in result.trades
    ]


def test_money_is_ticks_times_tick_value() -> None:
    """Ten points of EURUSD on half a lot are five dollars."""
    bars = make_bars([QUIET, QUIET, (1.1, 1.1001, 1.1, 1.1001)])

    result = run_bars(scripted(buy()), bars, volume=0.5, balance=1000.0)

    (trade,) = result.trades
    assert (5.0, 10.0, 1005.0) == (trade.profit, trade.profit_points, result.balance)


def test_a_strategy_sees_what_a_live_one_sees() -> None:
    """The bars before this one, the closing quote, its account and its positions."""
    found: dict[str, Any] = {}

    def look(strategy: Scripted) -> None:
        found.update(
            bars=len(strategy.bars("EURUSD")),
            tick=strategy.tick("EURUSD"),
            now=strategy.now,
            equity=strategy.account.equity,
            balance=strategy.account.balance,
            held=[one.profit for one in strategy.positions("EURUSD")],
            others=strategy.positions("XAUUSD"),
            flat=(strategy.is_flat("EURUSD"), strategy.is_flat("XAUUSD")),
        )

    bars = make_bars([QUIET, QUIET, (1.1, 1.1005, 1.1, 1.1005)], spread=2)
    run_bars(scripted(buy(), look), bars)

    at = START + 3 * HOUR
    assert {
        "bars": 1,
        "tick": Tick("EURUSD", at, 1.1005, 1.10052),
        "now": at,
        "equity": pytest.approx(10_004.8),
        "balance": 10_000.0,
        "held": [pytest.approx(4.8)],
        "others": [],
        "flat": (False, True),
    } == found


def test_the_host_calls_in_order() -> None:
    """Start, a quote at each open, a bar at each close once enough are known, stop."""
    strategy = scripted()
    run_bars(strategy, make_bars([QUIET] * 3))
    seen = strategy.seen

    kinds = [one if isinstance(one, str) else type(one).__name__ for one in seen]
    assert ["tuple", "Tick", "Tick", "Bar", "Tick", "Bar", "stop"] == kinds
    assert ("start", START) == seen[0]


def test_what_a_quote_asks_for_is_done_at_that_quote() -> None:
    """Several intents at once, one of them on the opening quote of the same bar."""
    bars = make_bars([QUIET, (1.2, 1.2, 1.2, 1.2)], spread=10)
    both = lambda strategy: (strategy.buy("EURUSD"), strategy.sell("EURUSD"))  # noqa: E731 - a step

    result = run_bars(scripted(on_ticks=[None, both]), bars)

    assert [(Side.BUY, 1.2001), (Side.SELL, 1.2)] == [
        (one.side, one.open_price) for one in result.trades
    ]


def test_protection_can_be_moved() -> None:
    """A new stop counts from the next open on; the target stays."""
    protect = lambda strategy: strategy.protect(  # noqa: E731 - a step
        strategy.positions("EURUSD")[0], stop_loss=1.0995
    )
    low = (1.1, 1.1, 1.0994, 1.1)
    bars = make_bars([QUIET, QUIET, QUIET, low])

    result = run_bars(scripted(buy(stop_loss=900, take_profit=900), protect), bars)

    assert [(1.1, 1.0995, ExitReason.STOP_LOSS)] == ends(result)
    assert 1.109 == result.trades[0].take_profit


def test_parameters_may_differ_by_symbol() -> None:
    """A symbol without parameters is not traded."""

    @attrs.frozen
    class Lookback(Parameters):
        lookback_period: int = 1

    cls: type[Scripted] = type("Own", (scripted(),), {"Parameters": Lookback})
    gold = make_bars([2000.0] * 4, symbol="XAUUSD")
    euro = make_bars([1.1] * 4)
    bars = sorted([*gold, *euro], key=lambda bar: bar.opens_at)

    run_bars(cls, bars, {"XAUUSD": Lookback(lookback_period=3)})

    assert ["XAUUSD"] == [one.symbol for one in cls.seen if isinstance(one, Bar)]


# -- made values -----------------------------------------------------------------------
def test_made_bars_follow_each_other() -> None:
    """A close alone opens at the close before."""
    first, second = make_bars([1.1, 1.2], timeframe=Timeframe.M15, spread=3)

    assert (1.1, 1.2, 1.1, 1.2) == (second.open, second.high, second.low, second.close)
    assert first.closes_at == second.opens_at
    assert 3 == second.spread


@pytest.mark.parametrize(
    ("name", "digits", "contract", "currencies"),
    [
        ("EURUSD", 5, 100_000, ("EUR", "USD")),
        ("USDJPY", 3, 100_000, ("USD", "JPY")),
        ("XAUUSD", 2, 100, ("XAU", "USD")),
        ("US30", 5, 100_000, ("", "")),
    ],
)
def test_made_symbols_have_the_usual_rules(
    name: str, digits: int, contract: float, currencies: tuple[str, str]
) -> None:
    """As brokers state them; any field can be set."""
    symbol = make_symbol(name)

    assert (digits, contract) == (symbol.digits, symbol.contract_size)
    assert currencies == (symbol.currency_base, symbol.currency_profit)
    assert 1.0 == make_symbol(name, volume_min=1.0).volume_min


def test_made_configs_take_every_field_by_its_own_name() -> None:
    """Whichever of the three parts it stands in."""
    config = make_trade_config(
        version=4, lot_size=0.5, daily_dd_limit_percent=3.0, dd_blocked=True
    )

    assert (4, True) == (config.version, config.dd_blocked)
    assert 0.5 == config.trade_config.lot_size
    assert 3.0 == config.risk_config.daily_dd_limit_percent
    with pytest.raises(TypeError, match="lot_sise"):
        make_trade_config(lot_sise=1)


def test_memory_state_keeps_json_values() -> None:
    """What a disk could not keep is refused here, too."""
    state = MemoryState()
    state.put("a", {"x": (1, 2)})

    assert {"x": [1, 2]} == state.get("a")
    assert {"a": {"x": [1, 2]}} == state.items()
    assert state.get("b") is None
    with pytest.raises(TypeError):
        state.put("a", datetime(2024, 1, 1, tzinfo=UTC))
    with pytest.raises(ValueError, match="JSON"):
        state.put("a", float("nan"))


def test_the_fake_clock_goes_on_only_when_told() -> None:
    """Waiting takes no time; setting the wall clock leaves the other one alone."""
    clock = FakeClock()
    clock.wait(5)
    clock.set(START - HOUR)

    assert (START - HOUR, 5.0) == (clock.now(), clock.monotonic())


def test_a_context_is_set_by_hand() -> None:
    """For a test of `on_tick` alone."""
    context = FakeContext(
        account=make_account(), symbols=[make_symbol()], parameters={}
    )
    context.add_bar(make_bars([1.1])[0])
    context.ticks["EURUSD"] = Tick("EURUSD", START, 1.1, 1.2)

    strategy = scripted()(context)

    assert 1 == len(strategy.bars("EURUSD"))
    assert context.ticks["EURUSD"] == strategy.tick("EURUSD")
    assert make_symbol() == strategy.symbol("EURUSD")
    with pytest.raises(KeyError):
        strategy.bars("XAUUSD")


# -- guards ----------------------------------------------------------------------------
class Guard:
    """Names only the arguments that it needs."""

    @hookimpl
    def check_order(
        self, intent: OrderIntent, positions: Sequence[Position]
    ) -> Deny | None:
        """Deny while anything is open."""
        return Deny("BUSY", intent.symbol) if positions else None

    @hookimpl
    def check_symbol(self, symbol: SymbolSpec) -> Deny | None:
        """Deny gold."""
        return Deny("NO_GOLD") if symbol.name == "XAUUSD" else None

    @hookimpl
    def check_trading(self, account: Account, now: datetime) -> Deny | None:
        """Answer with something that is no answer."""
        return account.balance > 0  # type: ignore[return-value]  # the point


def test_a_guard_is_asked_as_the_host_would() -> None:
    """With the arguments that it names; what is not given is made."""
    intent = OrderIntent(
        strategy="S", symbol="EURUSD", action=Action.OPEN, side=Side.BUY
    )
    held = Position(
        ticket=1,
        symbol="EURUSD",
        side=Side.BUY,
        volume=0.1,
        opened_at=START,
        open_price=1.1,
    )

    assert check_order(Guard(), intent) is None
    assert Deny("BUSY", "EURUSD") == check_order(Guard(), intent, positions=[held])
    assert Deny("NO_GOLD") == check_symbol(Guard(), make_symbol("XAUUSD"))
    with pytest.raises(TypeError, match="check_trading: expected Deny or None"):
        check_trading(Guard(), make_account())


# -- loaded by pytest ------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("mt5runner_account", "Account"),
        ("mt5runner_clock", "FakeClock"),
        ("mt5runner_state", "MemoryState"),
        ("mt5runner_symbol", "SymbolSpec"),
        ("mt5runner_trade_config", "TradeConfig"),
    ],
)
def test_fixtures_are_there_where_the_runner_is_installed(
    request: pytest.FixtureRequest, name: str, cls: str
) -> None:
    """By the entry point; in a bare checkout there is none."""
    plugin = request.config.pluginmanager.get_plugin("mt5runner")
    if getattr(plugin, "__name__", "") != "runner.testing.fixtures":
        pytest.skip("the present distribution is not installed here")

    assert cls == type(request.getfixturevalue(name)).__name__


def _printed(code: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.split()


def test_pytest_pays_nothing_for_it() -> None:
    """It is loaded in every test run of an environment, so it loads no library."""
    code = (
        "import sys, pytest; before = set(sys.modules); import runner.testing.fixtures "
        "as plugin; [getattr(plugin, name) for name in dir(plugin)]; "  # as pytest does
        "print(*sorted({n.partition('.')[0] for n in set(sys.modules) - before}))"
    )

    assert ["runner"] == _printed(code)


def test_trying_a_strategy_out_needs_no_pytest() -> None:
    """Who runs bars in a script of their own has installed the runner and no more."""
    code = (
        "import sys; sys.modules['pytest'] = None; import runner.testing as testing; "
        "[getattr(testing, name) for name in testing.__all__]; print('tried')"
    )

    assert ["tried"] == _printed(code)
