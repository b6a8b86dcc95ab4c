from __future__ import annotations

import decimal
import pickle
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.wire import encoding
from runner.wire.encoding import WireError
from runner.wire.times import read_optional_time, read_time, write_time
from runner.wire.versions import read_version, version_from_hash, version_hash

AWARE = st.datetimes(
    min_value=datetime(1970, 1, 2),  # noqa: DTZ001 - hypothesis wants naive bounds
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001 - as above
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=3, minutes=30))]),
)


@pytest.mark.parametrize("text", ["true", "True", "TRUE", "1", " true "])
def test_true_is_read_in_every_spelling(text: str | None) -> None:
    """A Django server's True, a 1 and the wire's own true are the same."""
    assert encoding.read_bool("dd_blocked", text) is True


@pytest.mark.parametrize("text", ["false", "False", "FALSE", "0"])
def test_false_is_read_in_every_spelling(text: str | None) -> None:
    """A Django server's False, a 0 and the wire's own false are the same."""
    assert encoding.read_bool("dd_blocked", text) is False


@pytest.mark.parametrize("text", ["", None, "no", "yes", "2", "None", "truee", "on"])
def test_anything_else_is_no_boolean(text: str | None) -> None:
    """What is neither true nor false is an error, never a guess."""
    with pytest.raises(WireError) as caught:
        encoding.read_bool("dd_blocked", text)

    assert "dd_blocked" == caught.value.field
    assert "true, false, 1 or 0" == caught.value.expected
    assert text == caught.value.got


def test_error_says_field_expected_and_got() -> None:
    """The message carries all that a person needs, and survives pickling."""
    error = WireError("version", "a whole number", "abc")

    assert "version: expected a whole number, got 'abc'" == str(error)
    assert str(error) == str(pickle.loads(pickle.dumps(error)))


def test_error_shows_no_more_than_a_line_of_garbage() -> None:
    """A megabyte of garbage does not land in the logs."""
    assert len(str(WireError("news", "JSON", "x" * 1_000_000))) < 150


@given(st.booleans())
def test_booleans_round_trip(value: Any) -> None:
    """Writing and reading a boolean gives it back."""
    assert value is encoding.read_bool("f", encoding.write_bool(value))


@given(st.integers(min_value=-(10**17), max_value=10**17))
def test_integers_round_trip(value: Any) -> None:
    """Writing and reading an integer gives it back."""
    assert value == encoding.read_int("f", encoding.write_int(value))


@pytest.mark.parametrize(
    "text", ["", None, "1.0", "1e3", "1_000", "٣", "abc", "9" * 19, "0x10", "--1"]
)
def test_what_is_no_whole_number_is_refused(text: str | None) -> None:
    """Python's own liberal int() does not decide what an integer is."""
    with pytest.raises(WireError, match="pid: expected a whole number"):
        encoding.read_int("pid", text)


def test_a_number_below_the_minimum_is_refused() -> None:
    """A version of -1 is garbage."""
    with pytest.raises(WireError, match=r"version: expected a whole number >= 0"):
        encoding.read_int("version", "-1", minimum=0)


@given(st.decimals(-(10**15), 10**15, places=4))
def test_money_round_trips(value: Any) -> None:
    """Four decimal places survive exactly."""
    assert value == encoding.read_money("f", encoding.write_money(value))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (10000, "10000.0000"),
        (0.1, "0.1000"),
        (1e-9, "0.0000"),
        (Decimal("1E+3"), "1000.0000"),
        (-12.34565, "-12.3456"),
        (None, ""),
    ],
)
def test_money_is_written_with_four_places(value: Any, text: str | None) -> None:
    """No exponent and no float noise reaches the wire."""
    assert text == encoding.write_money(value)


def test_money_ignores_the_program_s_decimal_context() -> None:
    """A host that works with few digits does not round our balances."""
    with decimal.localcontext(decimal.Context(prec=3)):
        assert "123456.7890" == encoding.write_money(123456.789)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30])
def test_what_is_no_amount_is_not_written(value: Any) -> None:
    """A balance that is not a number must not look like one."""
    with pytest.raises(WireError):
        encoding.write_money(value)


@pytest.mark.parametrize("text", ["", None, "NaN", "inf", "1_0", "1,5", "1e99", "x"])
def test_what_is_no_amount_is_not_read(text: str | None) -> None:
    """Decimal's own liberal constructor does not decide what money is."""
    with pytest.raises(WireError, match="equity: expected a decimal number"):
        encoding.read_money("equity", text)


def test_none_is_the_empty_text() -> None:
    """None and a missing field come back as None."""
    assert "" == encoding.write_text(None)
    assert "" == encoding.write_int(None)
    assert encoding.read_text("") is None
    assert encoding.read_text(None) is None


@given(AWARE)
def test_times_round_trip(value: Any) -> None:
    """An aware time comes back as the same instant in UTC."""
    text = write_time(value)
    read = read_time("f", text)

    assert text.endswith("Z")
    assert value == read
    assert timedelta(0) == read.utcoffset()


@pytest.mark.parametrize(
    "text",
    [
        "2025-01-25T00:00:00Z",
        "2025-01-25T00:00:00+00:00",
        "2025-01-25T00:00:00",
        "2025-01-25 00:00:00",
        "2025-01-25",
        "2025-01-24T19:00:00-05:00",
    ],
)
def test_times_are_read_with_and_without_offset(text: str | None) -> None:
    """A naive time is UTC; any offset is honoured."""
    assert datetime(2025, 1, 25, tzinfo=UTC) == read_time("last_update", text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        None,
        "now",
        "1735082800",
        "1735082800000",
        "20250125",
        "2025-13-01",
        "0001-01-01T00:00:00+10:00",
        "2025-01-25T25:00:00Z",
    ],
)
def test_what_is_no_time_is_refused(text: str | None) -> None:
    """An epoch number is not mistaken for a date of the eighteenth century."""
    with pytest.raises(WireError, match="last_update: expected an ISO 8601 time"):
        read_time("last_update", text)


def test_a_naive_time_is_not_written() -> None:
    """Whose time it is must be known before it leaves."""
    with pytest.raises(WireError):
        write_time(datetime(2025, 1, 25))  # noqa: DTZ001 - that is the point


def test_no_time_is_the_empty_text() -> None:
    """None is written empty and read back as None."""
    assert "" == write_time(None)
    assert read_optional_time("f", "") is None


def test_the_seed_s_times_are_written_as_it_writes_them() -> None:
    """The seed's own body goes through unchanged."""
    text = "2025-01-25T00:00:00Z"

    assert text == write_time(read_time("subscription_expiry", text))


@given(st.integers(min_value=0, max_value=10**12))
def test_versions_round_trip(version: int) -> None:
    """Writing and reading the version hash gives the version back."""
    assert version == version_from_hash(version_hash(version))


@pytest.mark.parametrize("text", [None, "", " "])
def test_no_version_is_no_information(text: str | None) -> None:
    """An expired key says nothing about the config."""
    assert read_version(text) is None


@pytest.mark.parametrize("text", ["abc", "1.5", "-1", "None"])
def test_a_garbage_version_is_an_error(text: str | None) -> None:
    """A version that is no number is not taken for a missing one."""
    with pytest.raises(WireError, match="version"):
        read_version(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_json_round_trips(value: Any) -> None:
    """What JSON can say comes back the same."""
    assert value == encoding.read_json("f", encoding.write_json(value))


@pytest.mark.parametrize(
    "text", ["", None, "{", "NaN", "1e999", '{"a": Infinity}', b"\xff", "[" * 100_000]
)
def test_what_is_no_json_is_refused(text: str | None) -> None:
    """NaN, cut texts, other bytes and endless nesting are errors, not crashes."""
    with pytest.raises(WireError, match="news: expected JSON"):
        encoding.read_json("news", text)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_cannot_say_is_not_written(value: Any) -> None:
    """NaN is a word of Python, not of JSON."""
    with pytest.raises(WireError):
        encoding.write_json({"a": value})


@pytest.mark.parametrize("value", [True, 1.0, "1", None, -1])
def test_json_numbers_are_strict(value: Any) -> None:
    """A boolean, a float and a text are no whole numbers."""
    with pytest.raises(WireError, match=r"\$\.seq"):
        encoding.as_int("$.seq", value)


@pytest.mark.parametrize("value", ["a", [1], {"a": 1}, None])
def test_json_lists_of_texts_are_strict(value: Any) -> None:
    """One number among the texts spoils the list."""
    with pytest.raises(WireError, match="a JSON list of texts"):
        encoding.as_texts("f", value)
