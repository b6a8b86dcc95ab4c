from __future__ import annotations

import copy
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server_stub.changes import (
    RefusedError,
    edited_account,
    edited_strategy,
    new_account,
    new_strategy,
)
from server_stub.patch import patched
from server_stub.records import AccountRecord, StrategyRecord
from server_stub.seed import DEMO, plant
from server_stub.store import Store

DATA = Path(__file__).parents[1] / "data/wire"
TRADE = json.loads((DATA / "trade_config.json").read_text("utf-8"))
STRATEGY = json.loads((DATA / "strategy_config.json").read_text("utf-8"))
PARAMETERS = STRATEGY["parameters_by_symbol"]
XAUUSD = "$.parameters_by_symbol.XAUUSD"


def no_names(strategy_id: int) -> str | None:
    """Return that no strategy is known."""
    return None


def account() -> AccountRecord:
    """Return the seed's account."""
    return new_account(TRADE | {"mt5_account_id": "123456"}, no_names).record


def strategy(strategy_class: str = "TrendFollowingBot") -> StrategyRecord:
    """Return the seed's strategy, perhaps of another class."""
    return new_strategy(STRATEGY | {"bot_strategy_class": strategy_class}, 1)


def refused(sent: Any, record: AccountRecord | StrategyRecord) -> tuple[str, ...]:
    """Return the errors that a PATCH of *record* with *sent* has."""
    before = copy.deepcopy(record.document)
    edit: Callable[[], object]
    if isinstance(record, AccountRecord):
        edit = partial(edited_account, record, sent, no_names)
    else:
        edit = partial(edited_strategy, record, sent)
    with pytest.raises(RefusedError) as caught:
        edit()

    assert before == record.document
    return caught.value.errors


def test_the_seed_s_bodies_are_served_as_they_were_sent() -> None:
    """Field by field and in the seed's order."""
    assert list(TRADE.items()) == list(account().body().items())
    assert list(STRATEGY.items()) == list(strategy().body().items())


def test_a_new_account_needs_no_more_than_its_number() -> None:
    """Everything else has a default, and a key is made up."""
    change = new_account({"mt5_account_id": 42}, no_names)

    assert "42" == change.record.mt5_account_id
    assert 1 == change.record.version
    assert change.key_was_made
    assert change.api_key is not None
    assert len(change.api_key) >= 32
    assert list(TRADE) == list(change.record.body())


def test_a_new_strategy_needs_no_more_than_its_class() -> None:
    """Its name is the class's, its symbols those that have parameters."""
    record = new_strategy(
        {
            "bot_strategy_class": "Mine",
            "current_parameters": {"EURUSD": {"lookback_period": 5}},
        },
        7,
    )

    assert 7 == record.strategy_id
    assert "Mine" == record.document["bot_strategy_name"]
    assert ["EURUSD"] == record.document["allowed_symbols"]
    assert list(STRATEGY) == list(record.body())


def test_a_class_is_all_that_a_strategy_cannot_do_without() -> None:
    """The error names the missing field."""
    with pytest.raises(RefusedError) as caught:
        new_strategy({}, 1)

    assert ("$.bot_strategy_class: missing",) == caught.value.errors


def test_a_dotted_key_changes_one_parameter_of_one_symbol() -> None:
    """EURUSD and the other parameters of XAUUSD stay; the version rises."""
    edited = edited_strategy(strategy(), {"parameters_by_symbol.XAUUSD.stop_loss": 120})

    expected = copy.deepcopy(PARAMETERS)
    expected["XAUUSD"]["stop_loss"] = 120
    assert expected == edited.document["parameters_by_symbol"]
    assert 4 == edited.version


def test_a_whole_field_is_replaced_whole() -> None:
    """A symbol that is not in it is gone."""
    only = {"EURUSD": PARAMETERS["EURUSD"]}

    edited = edited_strategy(strategy(), {"parameters_by_symbol": only})

    assert only == edited.document["parameters_by_symbol"]


@pytest.mark.parametrize("name", ["current_parameters", "parameters_by_symbol"])
def test_both_names_of_the_parameters_mean_the_same(name: str) -> None:
    """The seed's server says current_parameters, its body parameters_by_symbol."""
    edited = edited_strategy(strategy(), {f"{name}.EURUSD.take_profit": 90})

    assert 90 == edited.document["parameters_by_symbol"]["EURUSD"]["take_profit"]


def test_the_seed_s_server_names_are_understood() -> None:
    """Status and active_bot are bot_status and active_bot_id in the bodies."""
    paused = edited_strategy(strategy(), {"status": "PAUSED"})
    switched = edited_account(account(), {"active_bot": 2}, {2: "Second"}.get)

    assert "PAUSED" == paused.document["bot_status"]
    assert 2 == switched.record.document["active_bot_id"]
    assert "Second" == switched.record.document["active_bot_name"]


def test_a_whole_body_may_be_sent_back() -> None:
    """GET, change one value, PATCH it all: status, version and id do no harm."""
    body = strategy().body() | {"id": 1, "bot_status": "PAUSED"}

    edited = edited_strategy(strategy(), body)

    assert "PAUSED" == edited.document["bot_status"]
    assert 4 == edited.version


def test_members_of_the_trade_config_are_merged() -> None:
    """The lot size alone may be sent, whole or dotted."""
    merged = edited_account(account(), {"trade_config": {"lot_size": 0.05}}, no_names)
    dotted = edited_account(account(), {"trade_config.lot_size": 0.05}, no_names)

    assert (
        TRADE["trade_config"] | {"lot_size": 0.05}
        == (merged.record.document["trade_config"])
    )
    assert merged.record == dotted.record
    assert 6 == merged.record.version


def test_a_symbol_may_hold_dots() -> None:
    """What is stored decides where the symbol ends."""
    document = {"parameters_by_symbol": {"XAUUSD.m": {"stop_loss": 1}}}
    field = "parameters_by_symbol.XAUUSD.m"

    assert {"XAUUSD.m": {"stop_loss": 2}} == (
        patched(document, {f"{field}.stop_loss": 2})[0]["parameters_by_symbol"]
    )
    assert {"XAUUSD.m": {"x": 1}} == (
        patched(document, {field: {"x": 1}})[0]["parameters_by_symbol"]
    )
    assert {} == patched(document, {field: None})[0]["parameters_by_symbol"]


def test_null_removes_a_parameter_or_a_symbol() -> None:
    """Null is no value of a parameter reached by a dotted key."""
    edited = edited_strategy(
        strategy(),
        {
            "parameters_by_symbol.EURUSD": None,
            "parameters_by_symbol.XAUUSD.threshold_points": None,
        },
    )

    left = {"stop_loss": 100, "take_profit": 200, "lookback_period": 100}
    assert {"XAUUSD": left} == edited.document["parameters_by_symbol"]


def test_patching_leaves_its_arguments_alone() -> None:
    """The stored document is not changed on the way to a refusal."""
    document = copy.deepcopy(STRATEGY)
    sent = {"parameters_by_symbol": {"A": {}}, "parameters_by_symbol.A.b": 1}
    kept = copy.deepcopy(sent)

    patched(document, sent)

    assert STRATEGY == document
    assert kept == sent


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (
            {"parameters_by_symbol.XAUUSD.stop_loss": -5},
            f"{XAUUSD}.stop_loss: must be > 0, got -5",
        ),
        (
            {"parameters_by_symbol.XAUUSD.stop_loss": "many"},
            f'{XAUUSD}.stop_loss: must be an integer, got "many"',
        ),
        (
            {"parameters_by_symbol.XAUUSD.stop_loss": True},
            f"{XAUUSD}.stop_loss: must be an integer, got true",
        ),
        (
            {"parameters_by_symbol.XAUUSD.stop_loss": 1.5},
            f"{XAUUSD}.stop_loss: must be an integer, got 1.5",
        ),
        (
            {"parameters_by_symbol.XAUUSD.lookback_period": 1},
            f"{XAUUSD}.lookback_period: must be >= 2, got 1",
        ),
        (
            {"parameters_by_symbol.XAUUSD.stop_los": 5},
            f"{XAUUSD}.stop_los: unknown parameter; did you mean stop_loss?",
        ),
        (
            {"parameters_by_symbol.XAUUSDD.stop_loss": 5},
            (
                "$.parameters_by_symbol.XAUUSDD: no such symbol; "
                "to add it, send an object of parameters; did you mean XAUUSD?"
            ),
        ),
        (
            {"parameters_by_symbol.XAUUSD": 5},
            f"{XAUUSD}: must be an object of parameters, got 5",
        ),
        (
            {"parameters_by_symbol": {"XAUUSD": [1]}},
            f"{XAUUSD}: must be an object of parameters, got [1]",
        ),
        (
            {"parameters_by_symbol": 7},
            "$.parameters_by_symbol: must be an object, got 7",
        ),
        (
            {"parameters_by_symbol": {"": {}}},
            '$.parameters_by_symbol.: must be a symbol of 1 to 32 characters, got ""',
        ),
        (
            {"allowed_symbols": ["A", "A", 1]},
            '$.allowed_symbols[1]: "A" stands there twice',
        ),
        (
            {"allowed_symbols": "A"},
            '$.allowed_symbols: must be a list of symbols, got "A"',
        ),
        ({"bot_status": "DOWN"}, '$.bot_status: must be ACTIVE or PAUSED, got "DOWN"'),
        ({"version": 9}, "$.version: cannot be set, it is 3; got 9"),
        ({"id": 9}, "$.id: cannot be set, it is 1; got 9"),
        ({"bot_statu": 1}, "$.bot_statu: unknown field; did you mean bot_status?"),
        ({"is_pair_trading": 1}, "$.is_pair_trading: must be true or false, got 1"),
        (
            {"last_optimization_date": "May"},
            (
                "$.last_optimization_date: must be an ISO 8601 time such as "
                '2025-01-25T00:00:00Z, got "May"'
            ),
        ),
        (
            {"optimization_config.lookback_days": 1},
            (
                "$.optimization_config.lookback_days: a dotted key reaches into "
                "parameters_by_symbol, trade_config, risk_config only"
            ),
        ),
        (
            {"parameters_by_symbol": {}, "current_parameters": {}},
            "$.parameters_by_symbol: sent twice, also as current_parameters",
        ),
        ([], "$: must be an object, got []"),
    ],
)
def test_a_wrong_strategy_is_refused_with_its_path(sent: Any, error: str) -> None:
    """Each error is one line: path, what must be, what came."""
    assert error in refused(sent, strategy())


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (
            {"trade_config": {"lot_size": 0}},
            "$.trade_config.lot_size: must be > 0, got 0",
        ),
        (
            {"trade_config": {"lot_size": 1001}},
            "$.trade_config.lot_size: must be <= 1,000, got 1001",
        ),
        (
            {"trade_config": {"lot_sise": 1}},
            "$.trade_config.lot_sise: unknown field; did you mean lot_size?",
        ),
        (
            {"trade_config": []},
            "$.trade_config: must be an object, got []",
        ),
        (
            {"risk_config": {"daily_dd_limit_percent": "5"}},
            '$.risk_config.daily_dd_limit_percent: must be a number, got "5"',
        ),
        (
            {"risk_config": {"max_account_dd_percent": 101}},
            "$.risk_config.max_account_dd_percent: must be <= 100, got 101",
        ),
        ({"dd_blocked": "false"}, '$.dd_blocked: must be true or false, got "false"'),
        (
            {"current_balance": "much"},
            '$.current_balance: must be money such as "10000.0000", got "much"',
        ),
        (
            {"current_balance": True},
            '$.current_balance: must be money such as "10000.0000", got true',
        ),
        (
            {"subscription_status": "active"},
            (
                "$.subscription_status: must be ACTIVE or EXPIRED or CANCELLED, "
                'got "active"'
            ),
        ),
        ({"active_bot_id": 0}, "$.active_bot_id: must be > 0, got 0"),
        ({"active_bot_id": "1"}, '$.active_bot_id: must be an integer, got "1"'),
        (
            {"mt5_account_id": "7"},
            '$.mt5_account_id: cannot be set, it is "123456"; got "7"',
        ),
        (
            {"api_key": "with blank"},
            "$.api_key: must be 1 to 200 printable ASCII characters, no blanks",
        ),
        (
            {"dd_block_reason": "x" * 501},
            "$.dd_block_reason: must have at most 500 characters, got 501",
        ),
    ],
)
def test_a_wrong_account_is_refused_with_its_path(sent: Any, error: str) -> None:
    """Each error is one line: path, what must be, what came."""
    assert error in refused(sent, account())


def test_all_errors_come_at_once() -> None:
    """Nobody has to find them one by one."""
    sent = {
        "bot_status": 1,
        "trade_config": {"lot_size": -1, "enabled_symbols": [1]},
        "dd_bloked": True,
    }

    assert 4 == len(refused(sent, account()))


def test_a_wrong_key_is_not_repeated_in_the_error() -> None:
    """A secret is one also where it is mistyped."""
    (error,) = refused({"api_key": "secret key"}, account())

    assert "secret" not in error


def test_money_and_times_are_stored_in_the_seed_s_spelling() -> None:
    """A number and an offset are taken; four places and Z come out."""
    record = edited_account(
        account(),
        {"current_balance": 9500.5, "subscription_expiry": "2030-01-01T02:00:00+02:00"},
        no_names,
    ).record

    assert "9500.5000" == record.document["current_balance"]
    assert "2030-01-01T00:00:00Z" == record.document["subscription_expiry"]
    assert TRADE["version"] == record.version


@pytest.mark.parametrize(
    ("values", "errors"),
    [
        ({"lots": 1.5, "mode": "fast", "on": True, "off": None}, []),
        ({"stop_loss": -1}, [f"{XAUUSD}.stop_loss: must be > 0, got -1"]),
        ({"stop_loss": "many"}, [f'{XAUUSD}.stop_loss: must be a number, got "many"']),
        ({"take_profit": True}, [f"{XAUUSD}.take_profit: must be a number, got true"]),
        ({"a": [1]}, [f"{XAUUSD}.a: must be a number, text, true, false or null"]),
        (
            {"stop_los": 5},
            [
                (
                    f"{XAUUSD}.stop_los: unknown parameter; did you mean stop_loss? "
                    "(a new one is taken when two symbols have it)"
                )
            ],
        ),
        ({"stop_loss": 5, "stop_loss_2": 5}, []),
    ],
)
def test_an_unknown_class_is_checked_by_rules_of_thumb(
    values: dict[str, Any], errors: list[str]
) -> None:
    """The stub imports no strategy; obvious nonsense is refused all the same."""
    sent = {"parameters_by_symbol": {"XAUUSD": values}}

    if errors:
        assert errors == list(refused(sent, strategy("Mine")))
    else:
        edited = edited_strategy(strategy("Mine"), sent)
        assert values == edited.document["parameters_by_symbol"]["XAUUSD"]


def test_a_new_parameter_of_an_unknown_class_is_taken_for_two_symbols() -> None:
    """What two symbols have is meant, however it resembles another name."""
    values = {"stop_losses": 5, "stop_loss": 5}
    sent = {"parameters_by_symbol": {"XAUUSD": values, "EURUSD": values}}

    edited = edited_strategy(strategy("Mine"), sent)

    assert sent["parameters_by_symbol"] == edited.document["parameters_by_symbol"]


@given(
    st.dictionaries(
        st.sampled_from([*STRATEGY, *TRADE, "parameters_by_symbol.XAUUSD.stop_loss"])
        | st.text(),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.text(),
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(st.text(), inner, max_size=2)
            ),
            max_leaves=6,
        ),
        max_size=4,
    )
)
def test_whatever_is_sent_is_taken_whole_or_refused(sent: dict[str, Any]) -> None:
    """No JSON object makes it fall over, and what it takes it can serve."""
    errors: tuple[str, ...] = ()
    bodies = [strategy().body(), account().body()]
    try:
        bodies.append(edited_strategy(strategy(), sent).body())
        bodies.append(edited_account(account(), sent, no_names).record.body())
    except RefusedError as error:
        errors = error.errors

    assert all(line.startswith("$") for line in errors)
    assert bodies == json.loads(json.dumps(bodies))


def test_the_demo_is_the_seed_s_example() -> None:
    """But for the end of the subscription, which would keep it from trading."""
    store = Store()
    plant(store, DEMO)
    account_, strategy_ = store.account("123456"), store.strategy(1)
    store.close()

    assert account_ is not None
    assert strategy_ is not None
    able = {"subscription_expiry": "2099-01-25T00:00:00Z"}
    assert TRADE | able == account_.body()
    assert STRATEGY == strategy_.body()


def test_a_seed_is_planted_whole_or_not_at_all() -> None:
    """Every error has its place in the file, and nothing is stored."""
    store = Store()
    seed = {
        "accounts": [
            {"mt5_account_id": "1", "api_key": "a"},
            {"mt5_account_id": "1", "api_key": "b"},
            {"mt5_account_id": "x", "api_key": "c"},
            {"mt5_account_id": "2"},
            7,
        ],
        "strategies": [{"id": 1}, {"id": 2, "bot_strategy_class": "A", "x": 1}],
        "account_list": [],
    }

    with pytest.raises(RefusedError) as caught:
        plant(store, seed)
    left = store.accounts(), store.strategies()
    store.close()

    assert [
        "$.account_list: unknown; a seed has accounts, strategies and calendar",
        "$.strategies[0].bot_strategy_class: missing",
        "$.strategies[1].x: unknown field",
        "$.accounts[1].mt5_account_id: stands in this file twice",
        (
            "$.accounts[2].mt5_account_id: must be an account number such as 123456, "
            'got "x"'
        ),
        "$.accounts[3].api_key: missing",
        "$.accounts[4]: must be an object, got 7",
    ] == [
        line.partition(";")[0] if ".x:" in line else line
        for line in caught.value.errors
    ]
    assert ([], []) == left


def test_planting_again_leaves_what_was_changed_since() -> None:
    """A server that restarts with its seed file keeps its versions."""
    store = Store()
    plant(store, DEMO)
    store.edit_strategy(1, lambda r: edited_strategy(r, {"bot_status": "PAUSED"}))

    plant(store, DEMO)
    record = store.strategy(1)
    store.close()

    assert record is not None
    assert (4, "PAUSED") == (record.version, record.document["bot_status"])
