"""Trade requests as they are sent."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from runner.adapters.mt5.orders import (
    close_draft,
    filling_modes,
    open_draft,
    protect_draft,
)
from runner.adapters.mt5.rounding import (
    OrderError,
    keep_clear,
    room_for_stops,
    to_price,
    to_volume,
)
from runner.adapters.mt5.symbols import SymbolRules
from runner.adapters.mt5_simulator.arguments import trade_request
from runner.core.market import SymbolSpec
from runner.core.matching import Levels
from runner.core.orders import Action, OrderRequest, Side

SPEC = SymbolSpec(
    name="EURUSD",
    digits=5,
    point=0.00001,
    tick_size=0.00001,
    tick_value=1.0,
    contract_size=100_000.0,
    volume_min=0.01,
    volume_max=100.0,
    volume_step=0.01,
)
RULES = SymbolRules(spec=SPEC, execution=2, filling_mask=3)
REQUEST = OrderRequest(
    token="AAAAAAAAAA",
    magic=7,
    symbol="EURUSD",
    action=Action.OPEN,
    side=Side.BUY,
    volume=0.1,
    stop_loss=300,
    take_profit=600,
)
FOK, IOC, RETURN = 0, 1, 2


def quote(bid: float = 1.1, ask: float = 1.10012) -> Any:
    """Return a quote as the terminal has it."""
    return SimpleNamespace(time=1, time_msc=1000, bid=bid, ask=ask)


def position(volume: float = 0.1, sl: float = 1.09) -> Any:
    """Return a long position as the terminal has it."""
    return SimpleNamespace(ticket=5, symbol="EURUSD.r", volume=volume, sl=sl, tp=0.0)


def opening(rules: SymbolRules = RULES, **changes: Any) -> dict[str, Any]:
    """Return the request that opens what REQUEST asks for, changed."""
    return open_draft(
        attrs.evolve(REQUEST, **changes),
        "EURUSD.r",
        rules,
        quote(),
        filling=IOC,
        deviation=20,
    ).request


# -- prices and volumes ----------------------------------------------------------------
@pytest.mark.parametrize(
    ("value", "tick", "digits", "expected"),
    [
        (1.1000100000000001, 0.00001, 5, 1.10001),
        (1.1 + 0.00015, 0.00001, 5, 1.10015),
        (2650.13, 0.25, 2, 2650.25),
        (2650.12, 0.25, 2, 2650.0),
        (1999.996, 0.01, 2, 2000.0),
        (0.1 + 0.2, 0.1, 1, 0.3),
    ],
)
def test_price_is_put_on_the_grid(
    value: float, tick: float, digits: int, expected: float
) -> None:
    """A price is the nearest multiple of the tick size, free of binary noise."""
    spec = attrs.evolve(SPEC, tick_size=tick, digits=digits)

    assert expected == to_price(value, spec)


grids = st.sampled_from(
    [(0.00001, 5), (0.001, 3), (0.01, 2), (0.25, 2), (0.5, 1), (1.0, 0), (0.05, 2)]
)


@given(st.floats(0.01, 1e6), grids)
def test_every_price_is_a_multiple_of_the_tick_near_the_value(
    value: float, grid: tuple[float, int]
) -> None:
    """Rounding moves a price by half a tick at most, and once is enough."""
    tick, digits = grid
    spec = attrs.evolve(SPEC, tick_size=tick, digits=digits)

    price = to_price(value, spec)

    assert 0 == Decimal(repr(price)) % Decimal(repr(tick))
    assert abs(Decimal(repr(price)) - Decimal(repr(value))) <= Decimal(repr(tick)) / 2
    assert price == to_price(price, spec)


@given(
    st.floats(0.01, 100),
    st.sampled_from([(0.01, 0.01), (0.1, 0.1), (0.02, 0.02), (1.0, 0.5), (0.3, 0.1)]),
)
def test_volume_is_floored_and_never_rounded_up(
    value: float, limits: tuple[float, float]
) -> None:
    """The volume sent is at most what was asked for, and less than a step below."""
    smallest, step = limits
    spec = attrs.evolve(SPEC, volume_min=smallest, volume_step=step)
    asked = Decimal(repr(round(value, 8)))
    assume(asked >= Decimal(repr(smallest)))

    volume = Decimal(repr(to_volume(value, spec)))

    assert 0 == volume % Decimal(repr(step))
    assert volume <= asked < volume + Decimal(repr(step))


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.7999999999999999, 0.8), (0.1 + 0.2, 0.3), (0.29, 0.29), (1.1 * 3, 3.3)],
)
def test_binary_noise_costs_no_step(value: float, expected: float) -> None:
    """A volume that is on its step up to binary noise stays there."""
    assert expected == to_volume(value, SPEC)


@pytest.mark.parametrize("volume", [0.0, 0.00999, 100.01, -1.0])
def test_volume_outside_the_limits_is_refused(volume: float) -> None:
    """The refusal names the symbol and its limits."""
    with pytest.raises(OrderError, match=r"expected 0\.01 to 100 lots of EURUSD"):
        to_volume(volume, SPEC)


def test_symbol_without_a_volume_step_is_refused() -> None:
    """A broker that states no step is not divided by."""
    with pytest.raises(OrderError, match="states a step of 0"):
        to_volume(1.0, attrs.evolve(SPEC, volume_step=0.0))


# -- filling modes ---------------------------------------------------------------------
@pytest.mark.parametrize(
    ("execution", "mask", "expected"),
    [
        (2, 3, (IOC, FOK)),
        (2, 2, (IOC,)),
        (2, 1, (FOK,)),
        (2, 0, (FOK, IOC)),
        (3, 3, (IOC, FOK, RETURN)),
        (3, 1, (FOK, RETURN)),
        (3, 0, (RETURN,)),
        (0, 0, (FOK, IOC, RETURN)),
        (1, 2, (FOK, IOC, RETURN)),
        (2, 4 + 2, (IOC,)),
    ],
)
def test_filling_modes_follow_execution_and_mask(
    execution: int, mask: int, expected: tuple[int, ...]
) -> None:
    """The mask binds market and exchange execution; RETURN needs another [D]."""
    rules = SymbolRules(spec=SPEC, execution=execution, filling_mask=mask)

    assert expected == filling_modes(rules)


# -- requests --------------------------------------------------------------------------
def test_opening_request_is_whole() -> None:
    """Every field that the terminal needs is there, in the broker's spelling."""
    assert {
        "action": 1,
        "magic": 7,
        "symbol": "EURUSD.r",
        "volume": 0.1,
        "price": 1.10012,
        "sl": 1.09712,
        "tp": 1.10612,
        "deviation": 20,
        "type": 0,
        "type_filling": IOC,
        "type_time": 0,
        "comment": "AAAAAAAAAA",
    } == opening()


def test_selling_request_counts_from_the_bid() -> None:
    """A sell is at the bid, its stop above it and its target below."""
    request = opening(side=Side.SELL)

    assert (1, 1.1, 1.103, 1.094) == (
        request["type"],
        request["price"],
        request["sl"],
        request["tp"],
    )


def test_closing_request_names_the_position() -> None:
    """Without the position a hedging account would open an opposite one."""
    request = close_draft(
        REQUEST, position(), Side.SELL, RULES, quote(), filling=FOK, deviation=20
    ).request

    assert (1, 5, "EURUSD.r", 1, 1.1, 0.1) == tuple(
        request[key]
        for key in ("action", "position", "symbol", "type", "price", "volume")
    )
    assert {"sl", "tp"}.isdisjoint(request)


def test_of_a_position_larger_than_any_order_a_part_is_closed() -> None:
    """As much as one order may; who wants it closed asks again for the rest."""
    rules = attrs.evolve(RULES, spec=attrs.evolve(SPEC, volume_max=0.25))
    request = close_draft(
        attrs.evolve(REQUEST, volume=0.6),
        position(volume=0.6),
        Side.SELL,
        rules,
        quote(),
        filling=FOK,
        deviation=20,
    ).request

    assert 0.25 == request["volume"]


@pytest.mark.parametrize("asked", [0.1, 0.3, 0.0999999999])
def test_whole_position_is_closed_with_its_own_volume(asked: float) -> None:
    """A position off the step, as partial fills leave it, can still be closed."""
    held = position(volume=0.0999999999)

    draft = close_draft(
        attrs.evolve(REQUEST, volume=asked),
        held,
        Side.SELL,
        RULES,
        quote(),
        filling=FOK,
        deviation=20,
    )

    assert 0.0999999999 == draft.request["volume"]


@pytest.mark.parametrize(("asked", "sent"), [(250.0, 100.0), (150.0, 100.0)])
def test_a_close_is_no_larger_than_an_order_may_be(asked: float, sent: float) -> None:
    """Orders that each may be sent add up to more; the rest is closed by the next."""
    draft = close_draft(
        attrs.evolve(REQUEST, volume=asked),
        position(volume=250.0),
        Side.SELL,
        RULES,
        quote(),
        filling=FOK,
        deviation=20,
    )

    assert sent == draft.request["volume"]


def test_protecting_request_holds_both_levels() -> None:
    """An omitted level would be removed, so a missing one is written as none."""
    draft = protect_draft(position(), Side.BUY, Levels(1.095, 0.0), RULES, quote())

    assert {
        "action": 6,
        "position": 5,
        "symbol": "EURUSD.r",
        "sl": 1.095,
        "tp": 0.0,
    } == draft.request


spreads = st.integers(0, 500)
distances = st.one_of(st.none(), st.integers(1, 5000))


@given(
    st.floats(0.5, 5000),
    spreads,
    st.sampled_from(list(Side)),
    distances,
    distances,
    st.floats(0.01, 100),
    st.booleans(),
)
def test_module_takes_every_request(
    bid: float,
    spread: int,
    side: Side,
    stop: int | None,
    target: int | None,
    volume: float,
    generous: bool,
) -> None:
    """Types and ranges of every field pass the argument rules of the module."""
    now = quote(round(bid, 5), round(bid + spread * 1e-5, 5))
    request = attrs.evolve(
        REQUEST, side=side, stop_loss=stop, take_profit=target, volume=volume
    )
    held = position(volume=volume)
    drafts = [
        open_draft(
            request, "EURUSD", RULES, now, filling=0, deviation=20, generous=generous
        ),
        close_draft(request, held, side, RULES, now, filling=0, deviation=20),
        protect_draft(held, side, Levels(bid, 0.0), RULES, now),
    ]

    for draft in drafts:
        for key, value in draft.request.items():
            is_money = key in {"price", "volume", "sl", "tp"}
            is_text = key in {"symbol", "comment"}
            assert (float if is_money else str if is_text else int) is type(value)
        trade_request("order_send", (draft.request,), {})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"token": "x" * 30}, "expected 1 to 29 characters"),
        ({"token": "\N{GRINNING FACE}" * 15}, "expected 1 to 29 characters"),
        ({"token": ""}, "expected 1 to 29 characters"),
        ({"magic": -1}, "magic: expected 0 to"),
        ({"magic": 2**63}, "magic: expected 0 to"),
        ({"stop_loss": 200_000.0}, "more than the price of EURUSD"),
        ({"side": Side.SELL, "take_profit": 200_000.0}, "more than the price of"),
        ({"side": Side.SELL, "take_profit": 110_000.0}, "more than the price of"),
        ({"volume": 0.001}, "lots of EURUSD"),
    ],
)
def test_request_that_breaks_a_known_rule_is_refused(
    changes: dict[str, Any], message: str
) -> None:
    """What the terminal would refuse, or misread, is not sent to it."""
    with pytest.raises(OrderError, match=message):
        opening(**changes)


def test_longest_comment_passes() -> None:
    """29 units are the module's limit, not 31 as is widely told [W]."""
    assert "x" * 29 == opening(token="x" * 29)["comment"]


# -- stops level -----------------------------------------------------------------------
def test_stop_too_near_is_moved_to_the_stops_level_and_told() -> None:
    """The nearest stop that the broker takes is used, and the result says so."""
    rules = attrs.evolve(RULES, spec=attrs.evolve(SPEC, stops_level=50))
    request = attrs.evolve(REQUEST, stop_loss=30, take_profit=35)

    draft = open_draft(request, "EURUSD", rules, quote(), filling=0, deviation=20)

    assert Levels(1.0995, 1.1005) == draft.levels
    assert (
        "stop loss moved from 1.09982 to 1.0995, the nearest that the broker allows; "
        "take profit moved from 1.10047 to 1.1005, the nearest that the broker allows"
    ) == draft.note


@given(
    st.floats(10, 5000),
    spreads,
    st.integers(0, 300),
    st.sampled_from(list(Side)),
    st.integers(1, 1000),
    st.integers(1, 1000),
    st.booleans(),
    grids,
)
def test_levels_keep_clear_of_the_quote(
    bid: float,
    spread: int,
    level: int,
    side: Side,
    stop: int,
    target: int,
    generous: bool,
    grid: tuple[float, int],
) -> None:
    """A stop and a target are on their side, on the grid, outside the level."""
    tick, digits = grid
    point = 10.0**-digits
    spec = attrs.evolve(
        SPEC, tick_size=tick, digits=digits, point=point, stops_level=level
    )
    bid = to_price(bid, spec)
    now = quote(bid, to_price(bid + spread * point, spec))
    away = -1 if side is Side.BUY else 1
    wanted = Levels(
        to_price(now.bid + away * stop * point, spec),
        to_price(now.bid - away * target * point, spec),
    )
    assume(min(wanted.stop_loss, wanted.take_profit) > 0)
    room = room_for_stops(spec, now, generous=generous)
    exit_at = now.bid if side is Side.BUY else now.ask
    assume(exit_at - room - tick > 0)

    kept = keep_clear(side, wanted, spec, now, room)

    noise = 1e-9 * exit_at
    assert (kept.stop_loss - exit_at) * away >= room - noise
    assert (exit_at - kept.take_profit) * away >= room - noise
    assert kept == Levels(
        to_price(kept.stop_loss, spec), to_price(kept.take_profit, spec)
    )
    if (wanted.stop_loss - exit_at) * away > room + tick:
        assert wanted.stop_loss == kept.stop_loss
    assert Levels() == keep_clear(side, Levels(), spec, now, room)


def test_refused_protection_is_moved_away_once() -> None:
    """After a refusal a stop goes at least a spread and a tick from the quote."""
    draft = protect_draft(
        position(), Side.BUY, Levels(1.09999, 0.0), RULES, quote(), generous=True
    )

    assert Levels(1.09987, 0.0) == draft.levels
    assert draft.note.startswith("stop loss moved from 1.09999 to 1.09987")


def test_refused_protection_never_worsens_the_present_stop() -> None:
    """A stop that cannot be tightened stays where it is."""
    with pytest.raises(OrderError, match=r"worse than the present 1\.0999"):
        protect_draft(
            position(sl=1.0999),
            Side.BUY,
            Levels(1.09999, 0.0),
            RULES,
            quote(),
            generous=True,
        )
