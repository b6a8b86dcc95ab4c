"""Plans of failures in files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runner.adapters.mt5_simulator.fault_file import FaultFileError, read_faults
from runner.adapters.mt5_simulator.faults import Fail, Hang, LoseReply, Refuse


def plan(tmp_path: Path, content: Any) -> Path:
    path = tmp_path / "faults.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_a_schedule_is_read(tmp_path):
    """Faults by function and number of the call, with their attributes."""
    faults = read_faults(
        plan(
            tmp_path,
            {
                "schedule": {
                    "order_send": {"2": {"fault": "Refuse", "retcode": 10004}},
                    "positions_get": {"1": {"fault": "Hang", "seconds": 3}},
                }
            },
        )
    )

    assert [None, Refuse(10004)] == [faults.next("order_send") for _ in range(2)]
    assert Hang(3) == faults.next("positions_get")


def test_weather_is_read(tmp_path):
    """Faults by function with how probable each is, from a seed."""
    faults = read_faults(
        plan(
            tmp_path,
            {
                "seed": 7,
                "weather": {
                    "order_send": [{"fault": "LoseReply", "probability": 1}],
                    "account_info": [
                        {"fault": "Fail", "code": -10005, "probability": 0.0}
                    ],
                },
            },
        )
    )

    assert LoseReply() == faults.next("order_send")
    assert faults.next("account_info") is None
    assert Fail(-10005) != faults.next("positions_get")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("no json", "Expecting value"),
        ([], "expected {"),
        ({"weather": {}}, "expected {"),
        ({"schedule": {}, "more": 1}, "expected {"),
        ({"schedule": {"nope": {}}}, "nope: the terminal has no such function"),
        ({"schedule": {"order_send": []}}, "order_send: expected numbers of calls"),
        (
            {"schedule": {"order_send": {"0": {"fault": "Hang"}}}},
            "order_send: expected the number of a call from 1, got '0'",
        ),
        (
            {"schedule": {"order_send": {"1": {"fault": "Run"}}}},
            'order_send.1: expected "fault" to be one of Fail, ',
        ),
        (
            {"schedule": {"order_send": {"1": {"fault": "Fail", "code": 5}}}},
            "order_send.1: Fail: code: expected one of",
        ),
        (
            {"schedule": {"order_send": {"1": {"fault": "Fail"}}}},
            "order_send.1: Fail: ",
        ),
        (
            {"schedule": {"account_info": {"1": {"fault": "FillBare"}}}},
            "account_info.1: FillBare is a fault of order_send only",
        ),
        (
            {"schedule": {"orders_get": {"1": {"fault": "Lag"}}}},
            "orders_get.1: Lag is a fault of history_deals_get, history_orders_get,",
        ),
        ({"seed": 1, "weather": {"order_send": {}}}, "order_send: expected a list"),
        (
            {
                "seed": 1,
                "weather": {"order_send": [{"fault": "Hang", "probability": 2}]},
            },
            "order_send.0: expected a fault and a probability from 0 to 1",
        ),
    ],
)
def test_what_is_no_plan_is_refused(tmp_path, content, problem):
    """One line with the file, the place, and what was expected."""
    path = plan(tmp_path, content)

    with pytest.raises(FaultFileError) as raised:
        read_faults(path)

    assert f"{path}: " in str(raised.value)
    assert problem in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_file_is_named(tmp_path):
    """And why it cannot be read."""
    with pytest.raises(FaultFileError, match="No such file"):
        read_faults(tmp_path / "none.json")
