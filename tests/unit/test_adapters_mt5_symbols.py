"""The broker's spelling of a symbol: found, never guessed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType, SimpleNamespace
from typing import Any

import attrs
import pytest

from runner.adapters.mt5 import MT5Adapter, MT5Settings, SymbolError
from runner.adapters.mt5.symbols import choose, rules_from
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal
from runner.adapters.system_clock import SystemClock
from runner.core.market import Timeframe
from runner.core.orders import Action, OrderRequest, Outcome, Side
from runner.ports import Login

START = datetime(2026, 1, 14, 10, 0, tzinfo=UTC)
NONE: Mapping[str, str] = MappingProxyType({})
FULL, DISABLED, CLOSE_ONLY = 4, 0, 3


@attrs.frozen
class Info:
    """The fields of a symbol that choosing looks at."""

    name: str
    currency_base: str = "EUR"
    currency_profit: str = "USD"
    trade_mode: int = FULL


def chosen(name: str, *symbols: Any) -> str:
    """Return which of *symbols* is meant by *name*."""
    return choose(name, symbols)


def euro_dollar(name: str) -> dict[str, Any]:
    """Return the fields of a symbol that trades EURUSD under another name."""
    return {
        name: {
            "currency_base": "EUR",
            "currency_profit": "USD",
            "currency_margin": "EUR",
            "digits": 5,
            "trade_contract_size": 100_000.0,
        }
    }


# -- choosing --------------------------------------------------------------------------
@pytest.mark.parametrize(
    "spelling",
    ["EURUSD.r", "EURUSD.raw", "EURUSDm", "mEURUSD", "EURUSD#", "#EURUSD", "EURUSD_i"],
)
def test_prefix_or_suffix_is_found(spelling: str) -> None:
    """The one symbol around the name is taken."""
    assert spelling == chosen("EURUSD", Info(spelling), Info("GBPUSD.r", "GBP"))


@pytest.mark.parametrize(
    ("name", "spelling"),
    [("US100", "US100.cash"), ("US100", "US100Cash#"), ("GOLD", "GOLD.i#")],
)
def test_names_that_are_no_pairs_ask_for_no_currencies(
    name: str, spelling: str
) -> None:
    """What an index is made of cannot be told from its name."""
    assert spelling == chosen(name, Info(spelling, "USD", "USD"))


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("US30", "US300"),
        ("GOLD", "GOLDMAN"),
        ("US50", "US500.cash"),
        ("RUS", "RUSSELL"),
    ],
)
def test_longer_word_is_another_symbol(name: str, other: str) -> None:
    """A name that goes on as the same word or number is not meant."""
    with pytest.raises(SymbolError, match="nor any with a prefix or suffix"):
        chosen(name, Info(other))


def test_untradable_twin_is_left_out() -> None:
    """Of two spellings the one that takes entries is meant."""
    symbols = [
        Info("XAUUSD.x", "XAU", trade_mode=DISABLED),
        Info("XAUUSD.y", "XAU", trade_mode=CLOSE_ONLY),
        Info("XAUUSDm", "XAU"),
    ]

    assert "XAUUSDm" == chosen("XAUUSD", *symbols)


def test_several_that_fit_are_refused_by_name() -> None:
    """Two tradable spellings are a question for a person."""
    with pytest.raises(SymbolError) as caught:
        chosen("EURUSD", Info("EURUSDm"), Info("EURUSD.r"))

    assert (
        "symbol 'EURUSD': several could be meant, EURUSD.r, EURUSDm; name the right "
        "one in the symbol aliases"
    ) == str(caught.value)


def test_none_that_fits_names_what_was_looked_at() -> None:
    """Wrong currencies and closed symbols are told, so that a person can decide."""
    with pytest.raises(SymbolError) as caught:
        chosen("EURUSD", Info("EURUSD.d", trade_mode=0), Info("EURUSDt", "EUR", "USDT"))

    assert (
        "symbol 'EURUSD': the broker has none of this name; EURUSD.d (EUR/USD, trade "
        "mode 0), EURUSDt (EUR/USDT, trade mode 4) do not fit; name the broker's "
        "spelling in the symbol aliases"
    ) == str(caught.value)


# -- using -----------------------------------------------------------------------------
def adapter_with(
    symbols: Mapping[str, Mapping[str, Any]],
    aliases: Mapping[str, str] = NONE,
    **settings: Any,
) -> tuple[SimulatedTerminal, MT5Adapter]:
    """Return a broker with *symbols* beside the usual ones, connected."""
    terminal = SimulatedTerminal(symbols=symbols)
    adapter = MT5Adapter(
        terminal,
        SystemClock(),
        MT5Settings(is_live=False, aliases=aliases, **settings),
    )
    adapter.connect(Login())
    return terminal, adapter


def test_one_name_is_used_everywhere() -> None:
    """The broker's spelling stays inside: quotes, bars, positions, deals have ours."""
    terminal, adapter = adapter_with(euro_dollar("EURUSD.r"), {"EURUSD": "EURUSD.r"})
    spec = adapter.symbol("EURUSD")
    for second in (0, 60):
        at = START + timedelta(seconds=second)
        terminal.quote("EURUSD.r", 1.1, 1.1001, at)

    request = OrderRequest(
        token="AAAAAAAAAA",
        magic=1,
        symbol="EURUSD",
        action=Action.OPEN,
        side=Side.BUY,
        volume=0.1,
    )
    assert Outcome.FILLED is adapter.send(request).outcome
    tick = adapter.tick("EURUSD")
    assert tick is not None
    names = [
        spec.name,
        tick.symbol,
        adapter.history("EURUSD", Timeframe.M1, 1)[0].symbol,
        adapter.positions()[0].symbol,
        adapter.deals(START)[-1].symbol,
    ]
    assert ["EURUSD"] * 5 == names
    assert ["EURUSD.r"] == [row.symbol for row in terminal.positions_get() or ()]


def test_aliased_positions_have_our_name_before_anybody_asks() -> None:
    """After a restart positions are known by the configured names at once."""
    terminal, first = adapter_with(euro_dollar("EURUSD.r"), {"EURUSD": "EURUSD.r"})
    first.symbol("EURUSD")
    terminal.quote("EURUSD.r", 1.1, 1.1001, START)
    request = OrderRequest(
        token="AAAAAAAAAA",
        magic=1,
        symbol="EURUSD",
        action=Action.OPEN,
        side=Side.BUY,
        volume=0.1,
    )
    first.send(request)

    settings = MT5Settings(is_live=False, aliases={"EURUSD": "EURUSD.r"})
    second = MT5Adapter(terminal, SystemClock(), settings)
    second.connect(Login())

    assert "EURUSD" == second.positions()[0].symbol


def test_alias_goes_before_the_same_name() -> None:
    """What a person has set is used although the broker has the name too."""
    terminal, adapter = adapter_with(euro_dollar("EURUSD.r"), {"EURUSD": "EURUSD.r"})
    adapter.symbol("EURUSD")

    terminal.quote("EURUSD.r", 1.2, 1.2001, START)
    tick = adapter.tick("EURUSD")

    assert tick is not None
    assert 1.2 == tick.bid


def test_alias_that_the_broker_lacks_is_refused() -> None:
    """A wrong alias is told with both names, not searched around."""
    _, adapter = adapter_with({}, {"EURUSD": "EURUSD.zzz"})

    with pytest.raises(SymbolError, match=r"'EURUSD': its alias 'EURUSD\.zzz'"):
        adapter.symbol("EURUSD")


def test_suffix_is_found_at_the_terminal() -> None:
    """Without an alias the one variant of the broker is found and kept."""
    _, adapter = adapter_with(euro_dollar("ZZZUSD.r"))

    with pytest.raises(SymbolError, match=r"ZZZUSD\.r \(EUR/USD, trade mode 4\)"):
        adapter.symbol("ZZZUSD")
    assert "ZZZ" == adapter_with(euro_dollar("ZZZ.r"))[1].symbol("ZZZ").name


def test_two_names_of_one_symbol_are_refused() -> None:
    """Two strategies' books must not meet in one symbol unseen."""
    _, adapter = adapter_with(euro_dollar("ZZZ.r"))
    adapter.symbol("ZZZ")

    with pytest.raises(SymbolError, match=r"in use as 'ZZZ'"):
        adapter.symbol("ZZZ.r")


@pytest.mark.parametrize("name", ["*", "EUR*", "!EURUSD", "EURUSD,GBPUSD", ""])
def test_mask_is_no_symbol(name: str) -> None:
    """A name that would search for many is refused."""
    _, adapter = adapter_with({})

    with pytest.raises(SymbolError, match="not a name that a symbol can have"):
        adapter.symbol(name)


def test_symbol_without_tick_size_uses_its_point() -> None:
    """A broker that states no tick size has prices on the point."""
    terminal, _ = adapter_with({})
    info = terminal.symbol_info("EURUSD")
    assert info is not None
    fields: Any = SimpleNamespace(**{**info._asdict(), "trade_tick_size": 0.0})

    assert 0.00001 == rules_from("EURUSD", fields).spec.tick_size


@pytest.mark.parametrize(
    ("mode", "expected"), [(4, True), (1, True), (3, False), (0, False)]
)
def test_trade_mode_tells_whether_entries_are_allowed(
    mode: int, expected: bool
) -> None:
    """Disabled and close-only symbols take no entries."""
    fields = euro_dollar("ZZZ")
    fields["ZZZ"]["trade_mode"] = mode

    assert expected is adapter_with(fields)[1].symbol("ZZZ").entries_allowed


def test_rules_are_read_again_after_their_age() -> None:
    """A tick value moves with the rates; it is read again in market time."""
    terminal, adapter = adapter_with({}, rules_age=timedelta(minutes=10))
    for symbol in ("EURUSD", "USDJPY"):
        adapter.tick(symbol)
    terminal.quote("USDJPY", 150.0, 150.02, START)
    adapter.tick("USDJPY")
    before = adapter.symbol("USDJPY").tick_value
    for minutes, expected in ((5, before), (11, before * 1.5)):
        at = START + timedelta(minutes=minutes)
        terminal.quote("USDJPY", 100.0, 100.0133, at)
        adapter.tick("USDJPY")

        assert expected == pytest.approx(adapter.symbol("USDJPY").tick_value, rel=1e-3)
