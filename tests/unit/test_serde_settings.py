"""Strict structuring of settings and parameters: nothing is coerced or guessed."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import attrs
import pytest
from attrs import validators
from hypothesis import given
from hypothesis import strategies as st

from runner.serde import (
    ConfigErrors,
    structure_parameters,
    structure_settings,
    unstructure,
)
from runner.strategy import Parameters


class Mode(enum.Enum):
    """How fast."""

    FAST = "fast"
    SLOW = 2


class Word(enum.StrEnum):
    """A text of a closed set."""

    ONE = "one"


@attrs.frozen
class Inner:
    """A table inside a table."""

    limit: float = attrs.field(default=1.0, validator=validators.le(10))


@attrs.frozen
class Everything(Parameters):
    """A field of every kind."""

    whole: int = 1
    number: float = 1.0
    flag: bool = False
    text: str = ""
    money: Decimal = Decimal(0)
    moment: datetime = datetime(2025, 1, 1, tzinfo=UTC)
    day: date = date(2025, 1, 1)
    clock: time = time(12)
    file: Path = Path()
    mode: Mode = Mode.FAST
    word: Word = Word.ONE
    choice: Literal["a", 1] = "a"
    maybe: int | None = None
    either: int | str = 1
    several: tuple[int, ...] = ()
    pair: tuple[int, str] = (1, "a")
    names: Sequence[str] = ()
    unique: frozenset[int] = frozenset()
    table: Mapping[str, int] = attrs.field(factory=dict)
    inner: Inner = attrs.field(factory=Inner)
    inners: list[Inner] = attrs.field(factory=list)
    anything: Any = None


def errors(cls: type, path: str = "$", **values: Any) -> list[str]:
    """What structuring *values* complains about."""
    try:
        structure_settings(values, cls, path)
    except ConfigErrors as error:
        return list(error.errors)
    return []


@pytest.mark.parametrize(
    ("name", "given_", "made"),
    [
        ("whole", 5, 5),
        ("number", 5, 5.0),
        ("number", 0.5, 0.5),
        ("flag", True, True),
        ("text", "", ""),
        ("money", "10000.0000", Decimal(10000)),
        ("money", 0.1, Decimal("0.1")),
        ("moment", "2025-01-25T00:00:00Z", datetime(2025, 1, 25, tzinfo=UTC)),
        ("moment", datetime(2025, 1, 25), datetime(2025, 1, 25, tzinfo=UTC)),  # noqa: DTZ001
        ("day", "2025-01-25", date(2025, 1, 25)),
        ("day", date(2025, 1, 25), date(2025, 1, 25)),
        ("clock", "21:30", time(21, 30)),
        ("clock", time(21, 30), time(21, 30)),
        ("file", "a/b", Path("a/b")),
        ("mode", "fast", Mode.FAST),
        ("mode", "SLOW", Mode.SLOW),
        ("mode", 2, Mode.SLOW),
        ("word", "one", Word.ONE),
        ("choice", 1, 1),
        ("maybe", None, None),
        ("maybe", 3, 3),
        ("either", "x", "x"),
        ("several", [1, 2], (1, 2)),
        ("pair", [2, "b"], (2, "b")),
        ("names", ["a"], ["a"]),
        ("unique", [1, 1], frozenset({1})),
        ("table", {"a": 1}, {"a": 1}),
        ("inner", {"limit": 3}, Inner(3.0)),
        ("inner", Inner(2.0), Inner(2.0)),
        ("inners", [{"limit": 3}], [Inner(3.0)]),
        ("anything", {"x": [1]}, {"x": [1]}),
    ],
)
def test_what_fits_is_taken(name: str, given_: Any, made: Any) -> None:
    """Each kind of field takes the JSON and TOML values that mean it."""
    result = structure_parameters({name: given_}, Everything)

    assert made == getattr(result, name)
    assert type(made) is type(getattr(result, name))


@pytest.mark.parametrize(
    ("name", "given_", "error"),
    [
        ("whole", "1", 'expected a whole number, got "1"'),
        ("whole", 1.9, "expected a whole number, got 1.9"),
        ("whole", 1.0, "expected a whole number, got 1.0"),
        ("whole", True, "expected a whole number, got true"),
        ("whole", None, "expected a whole number, got null"),
        ("number", "1.5", 'expected a number, got "1.5"'),
        ("number", True, "expected a number, got true"),
        ("number", math.nan, "expected a number, got NaN"),
        ("number", math.inf, "expected a number, got Infinity"),
        ("number", 10**400, f"expected a number, got 1{'0' * 79}..."),
        ("flag", "false", 'expected true or false, got "false"'),
        ("flag", 0, "expected true or false, got 0"),
        ("text", 5, "expected a text, got 5"),
        ("money", "ten", 'expected a decimal number, got "ten"'),
        ("money", math.inf, "expected a decimal number, got Infinity"),
        (
            "moment",
            "tomorrow",
            'expected an ISO 8601 time such as 2025-01-25T00:00:00Z, got "tomorrow"',
        ),
        ("moment", 5, "expected an ISO 8601 time such as 2025-01-25T00:00:00Z, got 5"),
        ("day", "25.1.", 'expected a date such as 2025-01-25, got "25.1."'),
        ("clock", 9, "expected a time of day such as 21:30, got 9"),
        ("file", 1, "expected a text, got 1"),
        ("mode", "fsat", 'expected fast or SLOW, got "fsat"'),
        ("word", "two", 'expected one, got "two"'),
        ("choice", True, 'expected "a" or 1, got true'),
        ("maybe", "3", 'expected a whole number, got "3"'),
        ("either", 1.5, "expected a whole number or a text, got 1.5"),
        ("several", "12", 'expected a list, got "12"'),
        ("several", [1, "2"], 'expected a whole number, got "2"'),
        ("pair", [1], "expected a list of 2, got [1]"),
        ("table", [1], "expected an object, got [1]"),
        ("table", {1: 1}, 'expected an object, got {"1": 1}'),
        ("inner", 5, "expected an object, got 5"),
    ],
)
def test_what_does_not_fit_is_refused(name: str, given_: Any, error: str) -> None:
    """Nothing is coerced; the error says what was expected and what came."""
    (line,) = errors(Everything, **{name: given_})

    place, _, message = line.partition(": ")
    assert error == message
    assert place.startswith(f"$.{name}")


def test_errors_carry_their_path() -> None:
    """A path leads to the value itself, through lists, tables and objects."""
    assert [
        '$.several[1]: expected a whole number, got "x"',
        "$.table.b: expected a whole number, got null",
        "$.inner.limit: must be <= 10, got 11",
        "$.inners[0].limit: expected a number, got true",
        '$.inners[1].limt: unknown name in Inner; did you mean "limit"?',
    ] == errors(
        Everything,
        several=[1, "x"],
        table={"a": 1, "b": None},
        inner={"limit": 11},
        inners=[{"limit": True}, {"limt": 1}],
    )


@attrs.frozen
class Ruled(Parameters):
    """A field for each way to state a rule."""

    above: int = attrs.field(default=1, validator=validators.gt(0))
    between: float = attrs.field(
        default=1.0, validator=[validators.ge(0), validators.lt(100)]
    )
    one_of: str = attrs.field(default="a", validator=validators.in_(("a", "b")))
    kind: Any = attrs.field(default=1, validator=validators.instance_of(int))
    shape: str = attrs.field(default="A", validator=validators.matches_re("[A-Z]+"))
    long: str = attrs.field(default="abc", validator=validators.min_len(3))
    maybe: int | None = attrs.field(
        default=None, validator=validators.optional(validators.gt(0))
    )
    colon: int = attrs.field(default=1)
    own: int = attrs.field(default=1)
    fast: int = 1
    slow: int = attrs.field(default=2)

    @own.validator
    def _check_own(self, attribute: attrs.Attribute[int], value: int) -> None:
        if value == 13:
            raise ValueError("own: must not be 13")

    @colon.validator
    def _check_colon(self, attribute: attrs.Attribute[int], value: int) -> None:
        if value > 1:
            raise ValueError("must be one of: 0, 1")

    @slow.validator
    def _check_slow(self, attribute: attrs.Attribute[int], value: int) -> None:
        if value <= self.fast:
            raise ValueError(f"must be > fast ({self.fast})")


def test_every_rule_is_told_with_its_value() -> None:
    """All rules are checked, not the first alone, and told in one form."""
    assert [
        "$.above: must be > 0, got -5",
        "$.between: must be < 100, got 100",
        "$.one_of: must be in ('a', 'b'), got \"c\"",
        "$.kind: must be <class 'int'>, got \"x\"",
        "$.shape: must match regex '[A-Z]+', got \"a\"",
        '$.long: length must be >= 3, got "ab"',
        "$.maybe: must be > 0, got 0",
        "$.colon: must be one of: 0, 1, got 2",
        "$.own: must not be 13, got 13",
        "$.slow: must be > fast (5), got 4",
    ] == errors(
        Ruled,
        above=-5,
        between=100,
        one_of="c",
        kind="x",
        shape="a",
        long="ab",
        maybe=0,
        colon=2,
        own=13,
        fast=5,
        slow=4,
    )


def test_a_rule_between_fields_holds_for_defaults_too() -> None:
    """A value may break a rule of a field that was not given."""
    (line,) = errors(Ruled, fast=2)

    assert "$: must be > fast (2)" == line


def test_wrong_types_and_broken_rules_are_told_together() -> None:
    """One mistake does not hide another."""
    assert [
        "$.stop_los: unknown name in Ruled",
        '$.above: expected a whole number, got "1"',
        "$.between: must be >= 0, got -1",
    ] == errors(Ruled, above="1", between=-1, stop_los=3)


def _strip(text: str) -> str:
    return text.strip()


@attrs.frozen
class Odd:
    """What attrs allows beside plain fields."""

    needed: int
    _hidden: int = 0
    derived: int = attrs.field(init=False, default=7)
    cleaned: str = attrs.field(default="", converter=_strip)

    def __attrs_post_init__(self) -> None:
        if self.needed == self._hidden:
            raise ValueError("needed and hidden must differ")


def test_private_derived_and_converted_fields() -> None:
    """Names are those of the constructor, and its own checks count."""
    assert Odd(1, hidden=2, cleaned="x") == structure_parameters(
        {"needed": 1, "hidden": 2, "cleaned": " x "}, Odd
    )
    assert ["$.needed: missing"] == errors(Odd)
    assert ["$.derived: unknown name in Odd", "$.needed: missing"] == errors(
        Odd, derived=1
    )
    assert ["$: needed and hidden must differ"] == errors(Odd, needed=1, hidden=1)


@attrs.frozen
class Unusable:
    """A class that names a type of no JSON value."""

    callback: complex = 0j


def test_a_type_without_a_json_form_is_named() -> None:
    """A plugin author learns which type cannot be configured."""
    (line,) = errors(Unusable, callback=1)

    assert "$.callback: values of the type <class 'complex'> cannot be configured" == (
        line
    )


def test_an_annotation_that_cannot_be_read_is_named() -> None:
    """An annotation under TYPE_CHECKING gives a remedy, not a NameError."""
    broken = attrs.make_class("Broken", {"x": attrs.field(default=1)}, frozen=True)
    broken.__annotations__ = {"x": "Missing"}

    (line,) = errors(broken, x=1)

    assert "name 'Missing' is not defined" in line
    assert "not under TYPE_CHECKING" in line


def test_the_root_is_the_table_of_the_file() -> None:
    """Settings are named by their dotted path in the TOML file."""
    assert ["plugins.drawdown.above: must be > 0, got 0"] == errors(
        Ruled, "plugins.drawdown", above=0
    )


def test_unstructure_gives_what_json_has_words_for() -> None:
    """Times, money and paths become texts, objects become tables."""
    assert {
        "limit": 2.0,
    } == unstructure(Inner(2.0))
    plain = unstructure(Everything(several=(1,), inners=[Inner()]))
    assert "2025-01-01T00:00:00+00:00" == plain["moment"]
    assert "0" == plain["money"]
    assert [{"limit": 1.0}] == plain["inners"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
names = st.sampled_from([field.name for field in attrs.fields(Everything)])


@given(st.dictionaries(names | st.text(max_size=5), json_values, max_size=6))
def test_any_table_gives_settings_or_lines(values: dict[str, Any]) -> None:
    """Nothing but ConfigErrors ever comes out, each line with its path."""
    lines = errors(Everything, **values)
    assert all(line.startswith("$") and ": " in line for line in lines)

    if not lines:
        result = structure_parameters(values, Everything)
        for name in ("whole", "flag", "text"):
            if name in values:
                assert type(values[name]) is type(getattr(result, name))
