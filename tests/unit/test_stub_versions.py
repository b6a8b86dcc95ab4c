from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.wire.documents import STRATEGY_VERSION_FIELDS, TRADE_VERSION_FIELDS
from server_stub.versions import next_strategy_version, next_trade_version, same

DATA = Path(__file__).parents[1] / "data/wire"
TRADE = json.loads((DATA / "trade_config.json").read_text("utf-8"))
STRATEGY = json.loads((DATA / "strategy_config.json").read_text("utf-8"))
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False)
values = st.recursive(
    scalars | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(values)
def test_a_value_is_the_same_as_its_copy(value: Any) -> None:
    """What went through JSON and back has not changed."""
    assert same(value, json.loads(json.dumps(value)))


@given(values, values)
def test_sameness_is_symmetric(one: Any, other: Any) -> None:
    """Neither side of a comparison is special."""
    assert same(one, other) == same(other, one)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (1, True),
        (0, False),
        ([0], [False]),
        ({"a": 1}, {"a": True}),
        ({"a": None}, {}),
        ([1, 2], [2, 1]),
        ([1], [1, 1]),
        ("1", 1),
    ],
)
def test_what_json_tells_apart_is_not_the_same(old: Any, new: Any) -> None:
    """A boolean is no number, an order is an order, null is not absence."""
    assert not same(old, new)


def test_a_number_is_compared_by_value() -> None:
    """Sending 1.0 for 1 changes nothing."""
    assert same({"lot_size": 1}, {"lot_size": 1.0})


@pytest.mark.parametrize("name", sorted(TRADE.keys() - {"version"}))
def test_the_trade_version_rises_for_the_seed_s_fields_only(name: str) -> None:
    """Each field changed alone: five of them raise the version by one."""
    changed = {**TRADE, name: "something else"}

    version = next_trade_version(5, TRADE, changed)

    assert (6 if name in TRADE_VERSION_FIELDS else 5) == version


@pytest.mark.parametrize("name", sorted(STRATEGY.keys() - {"version"}))
def test_the_strategy_version_rises_for_the_seed_s_fields_only(name: str) -> None:
    """Each field changed alone: three of them raise the version by one."""
    changed = {**STRATEGY, name: "something else"}

    version = next_strategy_version(3, STRATEGY, changed)

    assert (4 if name in STRATEGY_VERSION_FIELDS else 3) == version


def test_several_changes_at_once_are_one_version() -> None:
    """A PATCH is one step, however many fields it has."""
    changed = {**TRADE, "bot_status": "PAUSED", "dd_blocked": True}

    assert 6 == next_trade_version(5, TRADE, changed)


@given(st.integers(min_value=1, max_value=10**9))
def test_no_change_is_no_version(version: int) -> None:
    """Saving what is there already announces nothing."""
    assert version == next_trade_version(version, TRADE, dict(TRADE))
    assert version == next_strategy_version(version, STRATEGY, dict(STRATEGY))
