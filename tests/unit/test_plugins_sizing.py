"""How large an order is that names no volume itself."""

from __future__ import annotations

import logging
import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.sizing import (
    Refused,
    Sizing,
    SizingSettings,
    tradable_volume,
    wanted_volume,
)
from runner import Action, OrderIntent, Side, Tick
from runner.testing import (
    START,
    make_account,
    make_plugin,
    make_symbol,
    make_trade_config,
)

EURUSD = make_symbol()
XAUUSD = make_symbol("XAUUSD")
DYNAMIC = make_trade_config(dynamic_position_sizing_enabled=True)


def intent(stop_loss: float | None = 100.0, symbol: str = "EURUSD") -> OrderIntent:
    """Return an opening intent with that stop."""
    return OrderIntent(
        strategy="S",
        symbol=symbol,
        action=Action.OPEN,
        side=Side.BUY,
        stop_loss=stop_loss,
    )


@pytest.mark.parametrize(
    ("wanted", "got"),
    [
        (0.1, 0.1),
        (0.3, 0.3),  # 0.3 / 0.1 is 2.999... in binary
        (0.07, 0.07),
        (1.23456, 1.23),
        (0.019999, 0.01),
        (0.01, 0.01),
        (100.0, 100.0),
        (250.0, 100.0),
    ],
)
def test_a_size_is_floored_to_the_step_and_capped(wanted: float, got: float) -> None:
    """Never larger than asked for, never off the broker's grid."""
    assert got == tradable_volume(wanted, EURUSD, None)


@pytest.mark.parametrize("wanted", [0.0, 0.0099, -1.0])
def test_a_size_below_the_smallest_order_is_refused(wanted: float) -> None:
    """Rounding up to the smallest order would risk more than was allowed."""
    answer = tradable_volume(wanted, EURUSD, None)

    assert isinstance(answer, Refused)
    assert "the smallest order is 0.01" in answer.reason


def test_a_coarse_step_counts() -> None:
    """An index traded in steps of 0.5 from 1 on."""
    index = make_symbol("US30", volume_min=1.0, volume_step=0.5, volume_max=20.0)

    assert 2.5 == tradable_volume(2.9, index, None)
    assert isinstance(tradable_volume(0.9, index, None), Refused)


def test_the_users_limit_caps_too() -> None:
    """The smaller of both limits counts, on the grid."""
    assert 0.25 == tradable_volume(3.0, EURUSD, 0.255)
    assert 100.0 == tradable_volume(300.0, EURUSD, 200.0)


@pytest.mark.parametrize("wanted", [math.nan, math.inf, -math.inf])
def test_a_size_that_is_no_number_is_refused(wanted: float) -> None:
    """A figure that went wrong upstream opens nothing."""
    assert isinstance(tradable_volume(wanted, EURUSD, None), Refused)


steps = st.sampled_from([0.01, 0.1, 0.5, 1.0, 0.001])


@given(st.floats(0.0, 1e4), steps, st.integers(1, 20), st.floats(0.001, 500.0))
def test_every_size_is_on_the_grid_and_within_limits(
    wanted: float, step: float, smallest: int, limit: float
) -> None:
    """Whatever is wanted, the order is one that the broker takes."""
    least = round(step * smallest, 3)
    symbol = make_symbol(volume_step=step, volume_min=least, volume_max=50.0)

    answer = tradable_volume(wanted, symbol, limit)

    if isinstance(answer, Refused):
        assert min(wanted, limit, 50.0) < least + step
    else:
        assert 0 == Decimal(str(answer)) % Decimal(str(step))
        assert least <= answer <= 50.0
        assert answer <= min(wanted, limit) * (1 + 1e-11)


def test_without_dynamic_sizing_the_lot_size_counts() -> None:
    """Whatever the stop and the equity are."""
    config = make_trade_config(lot_size=0.25)

    assert 0.25 == wanted_volume(intent(None), make_account(), EURUSD, config, 1.0)


@pytest.mark.parametrize(
    ("equity", "symbol", "stop", "lots"),
    [
        # 1 % of 10,000 is 100; one lot of EURUSD loses 100 at 100 points
        (10_000.0, EURUSD, 100, 1.0),
        (10_000.0, EURUSD, 250, 0.4),
        # one lot of gold loses 100 oz * 3.00 = 300 at 300 points
        (9_000.0, XAUUSD, 300, 0.3),
        # ticks of ten points: 100 points are ten ticks of 10 each
        (10_000.0, make_symbol(tick_size=0.0001, tick_value=10.0), 100, 1.0),
    ],
)
def test_dynamic_sizing_risks_that_much_at_the_stop(
    equity: float, symbol: Any, stop: float, lots: float
) -> None:
    """Equity * percent / loss of one lot between quote and stop."""
    account = make_account(10_000.0, equity=equity)

    got = wanted_volume(intent(stop, symbol.name), account, symbol, DYNAMIC, 1.0)

    assert lots == pytest.approx(got)


@pytest.mark.parametrize(
    ("spread", "lots"), [(0.0, 1.96), (0.0002, 1.41), (0.001, 0.497)]
)
def test_a_stop_nearer_than_the_broker_takes_counts_where_it_will_stand(
    spread: float, lots: float
) -> None:
    """The spread, the stops level or the spread again, and one point."""
    symbol = make_symbol(stops_level=50)

    got = wanted_volume(intent(5), make_account(), symbol, DYNAMIC, 1.0, spread)

    assert lots == pytest.approx(got, rel=0.01)


def test_dynamic_sizing_refuses_an_intent_without_a_stop() -> None:
    """Without a stop the risk is not limited, so no size is right."""
    answer = wanted_volume(intent(None), make_account(), EURUSD, DYNAMIC, 1.0)

    assert Refused("dynamic sizing needs a stop loss, the intent has none") == answer


@pytest.mark.parametrize("equity", [0.0, -5.0, math.nan, math.inf])
def test_dynamic_sizing_refuses_a_senseless_equity(equity: float) -> None:
    """A reading that cannot be right is no base for a size."""
    account = make_account(10_000.0, equity=equity)

    answer = wanted_volume(intent(), account, EURUSD, DYNAMIC, 1.0)

    assert isinstance(answer, Refused)
    assert answer.reason.startswith("equity is ")


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_dynamic_sizing_refuses_a_senseless_tick_value(value: float) -> None:
    """Some brokers state 0 until the symbol has a quote; infinity lots would follow."""
    symbol = make_symbol(tick_value=value)

    answer = wanted_volume(intent(), make_account(), symbol, DYNAMIC, 1.0)

    assert isinstance(answer, Refused)
    assert answer.reason.startswith("the loss of one lot")


@given(
    st.floats(100.0, 1e7),
    st.floats(1.0, 5000.0),
    st.floats(0.01, 100.0),
    st.floats(0.01, 50.0),
)
def test_the_loss_at_the_stop_never_exceeds_the_risk(
    equity: float, stop: float, tick_value: float, percent: float
) -> None:
    """The floor makes it smaller, nothing makes it larger."""
    symbol = make_symbol(tick_value=tick_value)
    plugin = make_plugin(Sizing, risk_percent=percent)

    volume = plugin.choose_volume(
        intent(stop),
        make_account(equity, equity=equity),
        symbol,
        Tick("EURUSD", START, 1.0, 1.0),
        DYNAMIC,
    )

    if volume is not None:
        loss = volume * stop * tick_value
        assert loss <= equity * percent / 100 * (1 + 1e-9)


def test_a_refusal_is_logged_once_per_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A strategy that asks at every bar does not fill the log."""
    plugin = make_plugin(Sizing)
    tick = Tick("EURUSD", START, 1.0, 1.0)

    with caplog.at_level(logging.WARNING, "mt5runner.plugins.sizing"):
        for _ in range(3):
            answer = plugin.choose_volume(
                intent(None), make_account(), EURUSD, tick, DYNAMIC
            )
            assert answer is None

    assert [
        "EURUSD: no size chosen: dynamic sizing needs a stop loss, the intent has none"
    ] == caplog.messages


@pytest.mark.parametrize(
    "settings",
    [{"risk_percent": 0}, {"risk_percent": 101}, {"max_volume": 0}],
    ids=str,
)
def test_senseless_settings_are_refused(settings: dict[str, Any]) -> None:
    """Nothing starts with a risk of nothing or of more than all."""
    with pytest.raises(ValueError, match=next(iter(settings))):
        SizingSettings(**settings)
