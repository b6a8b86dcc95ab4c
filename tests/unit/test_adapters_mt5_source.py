"""What only the adapter's own source, or the platform's tables, can show."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.adapters.mt5 import retcodes, structs
from runner.adapters.mt5 import terminal as ours
from runner.adapters.mt5.retcodes import NOT_SENT, RETCODES, Reaction, rule_for
from runner.adapters.mt5.terminal import TIMEFRAMES, Terminal
from runner.adapters.mt5_simulator import constants, errors
from runner.adapters.mt5_simulator import structs as platform

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "mt5.md"


def sources() -> Iterator[ast.Module]:
    """Parse every file of the adapter."""
    found = importlib.util.find_spec("runner.adapters.mt5")
    assert found is not None
    assert found.origin is not None
    files = sorted(Path(found.origin).parent.rglob("*.py"))
    assert len(files) > 10
    for file in files:
        yield ast.parse(file.read_text("utf-8"))


def uses_of(name: str) -> list[ast.Attribute]:
    """Return every place in the adapter's source that says ``.name``."""
    return [
        node
        for module in sources()
        for node in ast.walk(module)
        if isinstance(node, ast.Attribute) and node.attr == name
    ]


def calls_of(name: str) -> list[ast.Call]:
    """Return every call of a method *name* in the adapter's source."""
    return [
        node
        for module in sources()
        for node in ast.walk(module)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == name
    ]


def test_order_send_is_called_literally_with_one_dict() -> None:
    """An empty mapping of keywords, as wrappers pass it, is refused by the module [W].

    So the function is never handed on, and called in one place with one argument.
    """
    (call,) = calls_of("order_send")

    assert 1 == len(uses_of("order_send"))
    assert [] == call.keywords
    (argument,) = call.args
    assert isinstance(argument, ast.Name)


@pytest.mark.parametrize("name", ["positions_get", "orders_get"])
def test_readings_by_keyword_have_no_positional_argument(name: str) -> None:
    """These functions refuse positional arguments [W]."""
    calls = calls_of(name)

    assert calls
    assert [] == [argument for call in calls for argument in call.args]


@pytest.mark.parametrize(
    "name", ["copy_rates_from_pos", "symbol_info", "symbol_info_tick", "symbol_select"]
)
def test_readings_by_position_have_no_keyword(name: str) -> None:
    """These functions refuse keywords [W]."""
    calls = calls_of(name)

    assert calls
    assert [] == [keyword for call in calls for keyword in call.keywords]


def test_helpers_of_the_module_are_not_used() -> None:
    """`Close` closes every position of the symbol, whoever owns it [W]."""
    for name in ("Buy", "Sell", "Close", "login", "order_check"):
        assert not calls_of(name)


def test_constants_are_the_platforms() -> None:
    """Each constant that the module names has its value there."""
    named = {
        name: value
        for name, value in vars(ours).items()
        if name.isupper() and isinstance(value, int)
    }
    not_in_module = {"SYMBOL_FILLING_FOK": 1, "SYMBOL_FILLING_IOC": 2}

    assert len(named) > 30
    assert named == {
        name: not_in_module.get(name, getattr(constants, name, None)) for name in named
    }


def test_timeframes_are_the_platforms() -> None:
    """Every timeframe has the module's number."""
    assert {
        timeframe: getattr(constants, f"TIMEFRAME_{timeframe.name}")
        for timeframe in TIMEFRAMES
    } == TIMEFRAMES
    assert 21 == len(TIMEFRAMES)


def test_functions_are_the_platforms() -> None:
    """The adapter asks for no function that the module does not have."""
    module = importlib.import_module("runner.adapters.mt5_simulator")
    asked = [name for name in vars(Terminal) if not name.startswith("_")]

    assert 15 == len(asked)
    assert [] == [name for name in asked if not callable(getattr(module, name, None))]


def test_fields_are_the_platforms() -> None:
    """The adapter reads no field that the module's structures do not have."""
    checked = 0
    for name, struct in inspect.getmembers(structs, inspect.isclass):
        if name == "Protocol":
            continue
        there = inspect.get_annotations(
            getattr(platform, "Tick" if name == "TickInfo" else name)
        )
        fields = inspect.get_annotations(struct)
        assert fields == {field: there.get(field) for field in fields}
        checked += 1
    assert 8 == checked


# -- return codes ----------------------------------------------------------------------
def test_every_return_code_of_the_platform_has_a_rule() -> None:
    """No code of the module, nor the one that it does not name, is left out."""
    names = {
        value: name.removeprefix("TRADE_RETCODE_")
        for name, value in vars(constants).items()
        if name.startswith("TRADE_RETCODE_")
    }
    names[errors.HEDGE_PROHIBITED] = "HEDGE_PROHIBITED"

    assert names == {code: rule.name for code, rule in RETCODES.items()}


def test_unlisted_return_code_is_to_be_looked_up() -> None:
    """A code that nobody knows is no proof that nothing was executed."""
    for code in (0, 10001, 10037, 99999):
        assert Reaction.LOOK_UP is rule_for(code).reaction


def test_only_certain_refusals_are_sent_again() -> None:
    """These are all the codes after which an opening may go out a second time."""
    repeated = {
        Reaction.REFRESH,
        Reaction.AWAIT_QUOTE,
        Reaction.BACK_OFF,
        Reaction.FIX_STOPS,
        Reaction.FIX_PRICE,
        Reaction.FIX_FILLING,
    }
    found = {code for code, rule in RETCODES.items() if rule.reaction in repeated}

    assert {10004, 10015, 10016, 10020, 10021, 10024, 10030} == found


def test_only_these_lost_replies_prove_that_nothing_was_sent() -> None:
    """Everything else may have been executed."""
    assert {-2, -4, -8, -10004} == set(NOT_SENT)


def test_document_lists_every_return_code() -> None:
    """The table in the documentation is the table in the code."""
    text = DOCUMENT.read_text("utf-8")
    rows = re.findall(r"^\| (\d{5}) `(\w+)` \| (.+?) \| (.+?) \|$", text, re.MULTILINE)

    assert [
        (str(rule.code), rule.name, rule.meaning, rule.reaction.value)
        for rule in retcodes.RETCODES.values()
    ] == rows


def test_document_lists_every_error_that_proves_that_nothing_was_sent() -> None:
    """So is the table of lost replies."""
    rows = re.findall(
        r"^\| (-\d+) \| (.+?) \|$", DOCUMENT.read_text("utf-8"), re.MULTILINE
    )

    assert [(str(code), text) for code, text in NOT_SENT.items()] == rows
