"""The simulated module's surface against the facts of the real one.

``tests/data/mt5_surface.json`` lists names, values and types of version 5.0.6231, as
read in its wheel. The mark ``behaviour`` names the section and the source of a rule;
see ``test_mt5_simulator_behaviour.py``.
"""

from __future__ import annotations

import inspect
import json
import pickle
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import runner.adapters.mt5_simulator as module
from runner.adapters.mt5_simulator import constants, structs
from runner.adapters.mt5_simulator.bars import RATES, TICKS
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal

SURFACE = json.loads(
    (Path(__file__).parent.parent / "data" / "mt5_surface.json").read_text()
)
HELPERS = {"Buy", "Sell", "Close", "_RawOrder"}
FUNCTIONS = [name for name in SURFACE["functions"] if name not in HELPERS]
TYPES = {"int": int, "float": float, "str": str, "bool": bool}


@pytest.fixture
def terminal() -> SimulatedTerminal:
    """A connected terminal with one quoted symbol, one position, one order."""
    terminal = SimulatedTerminal()
    terminal.initialize()
    terminal.symbol_select("EURUSD")
    terminal.quote("EURUSD", 1.1, 1.1001, datetime(2026, 1, 15, 12, tzinfo=UTC))
    terminal.order_send({"action": 1, "symbol": "EURUSD", "volume": 0.1, "type": 0})
    terminal.order_send(
        {
            "action": 5,
            "symbol": "EURUSD",
            "volume": 0.1,
            "type": 2,
            "price": 1.09,
            "type_filling": 2,
        }
    )
    return terminal


@pytest.mark.behaviour("9", "W")
def test_constants_are_the_modules() -> None:
    """All 223 constants have the real names and values."""
    ours = {name: value for name, value in vars(constants).items() if name.isupper()}

    assert 223 == len(ours)
    assert SURFACE["constants"] == ours


@pytest.mark.behaviour("9", "W")
@pytest.mark.parametrize("name", SURFACE["constants"])
def test_constant_is_at_hand_in_the_module_and_on_a_terminal(name: str) -> None:
    """A constant is found on the module and on a terminal of its own alike."""
    expected = SURFACE["constants"][name]

    assert expected == getattr(module, name)
    assert expected == getattr(SimulatedTerminal, name)


@pytest.mark.behaviour("9", "W")
@pytest.mark.parametrize("name", SURFACE["functions"])
def test_function_is_exported(name: str) -> None:
    """Every function of the real module is there."""
    assert callable(getattr(module, name))


@pytest.mark.behaviour("9", "W")
@pytest.mark.parametrize("name", SURFACE["structs"])
def test_struct_has_the_fields_in_their_order(name: str) -> None:
    """Each of the 11 types is exported with the real fields, in order."""
    struct = getattr(module, name)

    assert tuple(field for field, _ in SURFACE["structs"][name]) == (
        struct.__match_args__
    )
    assert struct.n_fields == len(SURFACE["structs"][name])


@pytest.mark.behaviour("9", "W")
def test_module_names_nothing_that_the_real_one_does_not_know() -> None:
    """What is extra is ours by name: nothing pretends to be MetaTrader's."""
    ours = {name for name in vars(module) if not name.startswith("__")}
    theirs = {*SURFACE["functions"], *SURFACE["constants"], *SURFACE["structs"]}

    for name in SURFACE["functions"]:
        assert name in ours
    assert not {"SYMBOL_FILLING_FOK", "TRADE_RETCODE_HEDGE_PROHIBITED"} & ours
    assert {"terminal", "drive", "read_symbols", "with_digits"} <= ours - theirs


@pytest.mark.behaviour("7", "W")
@pytest.mark.parametrize(("dtype", "key"), [(RATES, "rates"), (TICKS, "ticks")])
def test_arrays_are_packed_records_of_60_bytes(dtype: np.dtype[Any], key: str) -> None:
    """Rates and ticks have the real field types, packed."""
    expected = [tuple(field) for field in SURFACE["dtypes"][key]]

    assert expected == dtype.descr
    assert 60 == dtype.itemsize


@pytest.mark.behaviour("9", "W")
@pytest.mark.parametrize(
    "name", [name for name, kind in SURFACE["functions"].items() if kind == "none"]
)
def test_function_without_arguments_takes_none(
    terminal: SimulatedTerminal, name: str
) -> None:
    """These functions raise TypeError for any argument."""
    function = getattr(terminal, name)

    with pytest.raises(TypeError):
        function(1)
    with pytest.raises(TypeError):
        function(symbol="EURUSD")


@pytest.mark.behaviour("1", "W")
@pytest.mark.parametrize(
    "name",
    [name for name, kind in SURFACE["functions"].items() if kind == "positional"],
)
def test_positional_function_refuses_keywords(
    terminal: SimulatedTerminal, name: str
) -> None:
    """copy_*, symbol_info*, symbol_select, order_calc_*, *_total: no keywords."""
    function = getattr(terminal, name)
    names = list(inspect.signature(function).parameters)

    with pytest.raises(TypeError):
        function(**dict.fromkeys(names, 1))


@pytest.mark.behaviour("9", "W")
@pytest.mark.parametrize("name", SURFACE["arity"])
def test_positional_function_takes_as_many_arguments(
    terminal: SimulatedTerminal, name: str
) -> None:
    """As many as the real one, with the last one optional where it is there."""
    parameters = inspect.signature(getattr(terminal, name)).parameters.values()
    needed = [each for each in parameters if each.default is each.empty]

    assert SURFACE["arity"][name] == [len(needed), len(parameters)]
    assert {inspect.Parameter.POSITIONAL_ONLY} == {each.kind for each in parameters}


def test_every_positional_function_has_its_arity() -> None:
    """The two tables of the surface agree on which functions are positional."""
    kinds = SURFACE["functions"].items()

    assert {name for name, kind in kinds if kind == "positional"} == set(
        SURFACE["arity"]
    )


@pytest.mark.behaviour("1", "W", "F")
@pytest.mark.parametrize("name", ["positions_get", "orders_get"])
def test_keyword_function_refuses_positional(
    terminal: SimulatedTerminal, name: str
) -> None:
    """positions_get("EURUSD") is None with (-2, 'Unnamed arguments ...')."""
    assert getattr(terminal, name)("EURUSD") is None
    assert (-2, "Unnamed arguments not allowed") == terminal.last_error()


def values(terminal: SimulatedTerminal) -> dict[str, structs.StructSequence]:
    """Return one value of each type, as functions return them."""
    request = {"action": 1, "symbol": "EURUSD", "volume": 0.1, "type": 0}
    sent = terminal.order_send(request)
    position, *_ = terminal.positions_get() or ()
    order, *_ = terminal.orders_get() or ()
    deal, *_ = terminal.history_deals_get(1, 2**31 - 1) or ()
    found: list[Any] = [
        terminal.symbol_info_tick("EURUSD"),
        sent,
        sent.request if sent else None,
        position,
        order,
        deal,
        terminal.account_info(),
        terminal.terminal_info(),
        terminal.symbol_info("EURUSD"),
        terminal.order_check(request),
    ]
    return {type(value).__name__: value for value in found}


@pytest.mark.behaviour("9", "W")
def test_field_values_have_the_real_types(terminal: SimulatedTerminal) -> None:
    """An int is an int, a flag a real bool, in every field that is returned."""
    shown = values(terminal)

    assert set(SURFACE["structs"]) - {"BookInfo"} == set(shown)
    for name, value in shown.items():
        for (field, kind), content in zip(SURFACE["structs"][name], value, strict=True):
            if kind != "TradeRequest":
                assert TYPES[kind] is type(content), f"{name}.{field}"


@pytest.mark.behaviour("1", "W", "T")
def test_struct_is_a_read_only_tuple_with_asdict(terminal: SimulatedTerminal) -> None:
    """Indexable, attributes, `_asdict`, but no `_fields` and no `_replace`."""
    tick = terminal.symbol_info_tick("EURUSD")

    assert isinstance(tick, tuple)
    assert tick.bid == tick[1] == tick._asdict()["bid"]
    assert "Tick(time=" in repr(tick)
    assert not hasattr(tick, "_fields")
    assert not hasattr(tick, "_replace")
    with pytest.raises(AttributeError):
        tick.bid = 1.0
    with pytest.raises(AttributeError):
        tick.extra = 1.0  # type: ignore[attr-defined]  # that is the point


@pytest.mark.behaviour("1", "T")
def test_struct_takes_exactly_its_fields() -> None:
    """A struct sequence is made of one sequence of the right length."""
    with pytest.raises(TypeError, match="8-sequence"):
        structs.Tick((1, 2))


@pytest.mark.behaviour("1", "W", "T")
def test_struct_cannot_be_pickled(terminal: SimulatedTerminal) -> None:
    """It claims to live in builtins, where pickle does not find it."""
    with pytest.raises(pickle.PicklingError, match="Tick on builtins"):
        pickle.dumps(terminal.symbol_info_tick("EURUSD"))


@pytest.mark.behaviour("1", "W", "D")
def test_asdict_is_shallow(terminal: SimulatedTerminal) -> None:
    """The request inside a result stays a TradeRequest."""
    checked = terminal.order_check({"action": 1})

    assert checked is not None
    assert isinstance(checked._asdict()["request"], structs.TradeRequest)


@pytest.mark.behaviour("9", "W", "D")
def test_module_says_its_version_and_its_author() -> None:
    """The documentation's examples begin by printing both."""
    assert SURFACE["module_version"] == module.__version__
    assert "MetaQuotes Ltd." == module.__author__


@pytest.mark.behaviour("2", "W")
def test_module_functions_share_one_terminal() -> None:
    """The module stands over one terminal of the process, as the real one does."""
    module.terminal.reset(login=77)

    assert module.initialize(login=77)
    account = module.account_info()
    assert account is not None
    assert 77 == account.login
    assert module.shutdown()
    assert module.account_info() is None
    module.terminal.reset()
