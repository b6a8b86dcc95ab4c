"""The seed's two bodies: what is taken, applied around, refused, and not ours."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner import BreachAction, DrawdownPreset
from runner.core.settings import RiskConfig, TradeSettings
from runner.serde import (
    ConfigErrors,
    ForeignBodyError,
    structure_strategy_config,
    structure_trade_config,
)
from runner.serde.identities import identify_strategy_config, identify_trade_config
from runner.strategy import Parameters

ACCOUNT = "123456"


@attrs.frozen
class TrendParameters(Parameters):
    """The parameters that the seed prints."""

    threshold_points: int = attrs.field(default=50, validator=attrs.validators.ge(0))
    stop_loss: int = attrs.field(default=100, validator=attrs.validators.gt(0))
    take_profit: int = attrs.field(default=200, validator=attrs.validators.gt(0))
    lookback_period: int = attrs.field(default=100, validator=attrs.validators.gt(0))


def find_class(name: str) -> type[Parameters] | None:
    """One strategy is installed."""
    return TrendParameters if name == "TrendFollowingBot" else None


def sample(name: str) -> dict[str, Any]:
    """One of the bodies that the seed prints."""
    folder = Path(__file__).parents[1] / "data" / "wire"
    body: dict[str, Any] = json.loads((folder / name).read_text("utf-8"))
    return body


@pytest.fixture
def trade() -> dict[str, Any]:
    """The seed's trade config."""
    return sample("trade_config.json")


@pytest.fixture
def strategy() -> dict[str, Any]:
    """The seed's strategy config."""
    return sample("strategy_config.json")


def trade_errors(body: Any) -> tuple[str, ...]:
    """What a trade config is refused for."""
    with pytest.raises(ConfigErrors) as caught:
        structure_trade_config(body, ACCOUNT)
    return caught.value.errors


def strategy_errors(body: Any) -> tuple[str, ...]:
    """What a strategy config is refused for."""
    with pytest.raises(ConfigErrors) as caught:
        structure_strategy_config(body, 1, find_class)
    return caught.value.errors


def test_the_seeds_trade_config(trade: dict[str, Any]) -> None:
    """Every field of the seed's body arrives, with its type."""
    config, warnings = structure_trade_config(trade, ACCOUNT)

    assert () == warnings
    assert 5 == config.version
    assert ("ACTIVE", "ACTIVE", "ACTIVE") == (
        config.bot_status,
        config.account_status,
        config.subscription_status,
    )
    assert datetime(2025, 1, 25, tzinfo=UTC) == config.subscription_expiry
    assert (10000.0, 12000.0) == (config.current_balance, config.peak_balance)
    assert (False, None) == (config.dd_blocked, config.dd_block_reason)
    assert RiskConfig(daily_dd_limit_percent=5.0, max_account_dd_percent=10.0) == (
        config.risk_config
    )
    assert TradeSettings(
        enabled_symbols=("XAUUSD", "EURUSD"), lot_size=0.01, auto_pause_on_news=True
    ) == (config.trade_config)
    assert (1, "Trend Following Bot") == (config.active_bot_id, config.active_bot_name)


def test_the_seeds_strategy_config(strategy: dict[str, Any]) -> None:
    """Parameters arrive in the strategy's own class, symbol by symbol."""
    config, warnings = structure_strategy_config(strategy, 1, find_class)

    assert ("$.allowed_symbols: GBPUSD has no parameters, so it is not traded",) == (
        warnings
    )
    assert {
        "XAUUSD": TrendParameters(),
        "EURUSD": TrendParameters(20, 30, 60, 100),
    } == dict(config.parameters_by_symbol)
    assert ("XAUUSD", "EURUSD", "GBPUSD") == config.allowed_symbols
    assert datetime(2025, 12, 20, 10, 30, tzinfo=UTC) == config.last_optimization_date
    assert strategy["optimization_config"] == config.optimization_config


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"stop_loss": -5}, "stop_loss: must be > 0, got -5"),
        ({"stop_loss": "many"}, 'stop_loss: expected a whole number, got "many"'),
        (
            {"stop_los": 80},
            'stop_los: unknown name in TrendParameters; did you mean "stop_loss"?',
        ),
    ],
)
def test_a_mistyped_stop_loss_must_not_trade(
    strategy: dict[str, Any], parameters: dict[str, Any], error: str
) -> None:
    """Scenario atomic-symbols: one bad value of one symbol refuses the whole body."""
    strategy["parameters_by_symbol"]["XAUUSD"] = parameters

    assert (f"$.parameters_by_symbol.XAUUSD.{error}",) == strategy_errors(strategy)


def test_every_error_of_every_symbol_is_told(strategy: dict[str, Any]) -> None:
    """Nobody should have to publish a version for each mistake."""
    strategy["version"] = "3"
    strategy["bot_status"] = "ACTVE"
    strategy["parameters_by_symbol"] = {
        "XAUUSD": {"stop_loss": 0, "take_profit": 0.5},
        "EURUSD": 5,
    }

    assert (
        '$.version: expected a whole number, got "3"',
        '$.bot_status: expected ACTIVE or PAUSED, got "ACTVE"',
        "$.parameters_by_symbol.XAUUSD.take_profit: expected a whole number, got 0.5",
        "$.parameters_by_symbol.XAUUSD.stop_loss: must be > 0, got 0",
        "$.parameters_by_symbol.EURUSD: expected an object, got 5",
    ) == strategy_errors(strategy)


def test_a_class_that_is_not_installed_is_refused(strategy: dict[str, Any]) -> None:
    """The error says where to see what is installed."""
    strategy["bot_strategy_class"] = "Unknown"

    (error,) = strategy_errors(strategy)

    assert error.startswith(
        '$.bot_strategy_class: no strategy of the class "Unknown" is installed'
    )
    assert "`runner plugins`" in error


def test_parameters_outside_the_allowed_symbols_are_a_warning(
    strategy: dict[str, Any],
) -> None:
    """Such a symbol is managed, and nothing is opened in it."""
    strategy["allowed_symbols"] = ["EURUSD"]

    _, warnings = structure_strategy_config(strategy, 1, find_class)

    assert (
        "$.parameters_by_symbol.XAUUSD: not in allowed_symbols, nothing is opened",
    ) == (warnings)


def test_unknown_field() -> None:
    """Scenario unknown-field: servers grow fields; they are applied around."""
    trade = sample("trade_config.json")
    trade["leverage"] = 100
    trade["trade_config"]["lotsize"] = 1
    trade["risk_config"]["x"] = 1

    _, warnings = structure_trade_config(trade, ACCOUNT)

    assert (
        "$.leverage: unknown, ignored",
        "$.risk_config.x: unknown, ignored",
        '$.trade_config.lotsize: unknown, ignored; did you mean "lot_size"?',
    ) == warnings


def test_what_is_missing_inside_is_told_with_what_is_used(
    trade: dict[str, Any],
) -> None:
    """A server's JSON field may be empty; nobody should wonder what holds then."""
    trade["trade_config"] = {}

    config, warnings = structure_trade_config(trade, ACCOUNT)

    assert TradeSettings() == config.trade_config
    assert "$.trade_config.lot_size: missing, 0.01 is used" in warnings
    assert "$.trade_config.enabled_symbols: missing, [] is used" in warnings


@pytest.mark.parametrize(
    "name",
    [
        "version",
        "bot_status",
        "account_status",
        "subscription_status",
        "dd_blocked",
        "risk_config",
        "trade_config",
    ],
)
def test_what_decides_over_trading_must_be_there(
    trade: dict[str, Any], name: str
) -> None:
    """A body that is silent about a status or a limit is no config."""
    del trade[name]

    assert (f"$.{name}: missing",) == trade_errors(trade)


@pytest.mark.parametrize(
    "name",
    [
        "version",
        "bot_status",
        "bot_strategy_class",
        "allowed_symbols",
        "parameters_by_symbol",
    ],
)
def test_what_a_strategy_cannot_do_without(strategy: dict[str, Any], name: str) -> None:
    """A strategy config names its class, its symbols and their parameters."""
    del strategy[name]

    assert (f"$.{name}: missing",) == strategy_errors(strategy)


@pytest.mark.parametrize(
    ("place", "value", "error"),
    [
        ("version", -1, "$.version: must be >= 0, got -1"),
        ("version", True, "$.version: expected a whole number, got true"),
        ("bot_status", "DOWN", '$.bot_status: expected ACTIVE or PAUSED, got "DOWN"'),
        (
            "account_status",
            "active",
            '$.account_status: expected ACTIVE or INACTIVE, got "active"',
        ),
        (
            "subscription_status",
            "",
            '$.subscription_status: expected ACTIVE or EXPIRED or CANCELLED, got ""',
        ),
        ("dd_blocked", "false", '$.dd_blocked: expected true or false, got "false"'),
        ("dd_blocked", None, "$.dd_blocked: expected true or false, got null"),
        (
            "current_balance",
            "much",
            '$.current_balance: expected a number, got "much"',
        ),
        (
            "peak_balance",
            float("nan"),
            "$.peak_balance: expected a number, got NaN",
        ),
        (
            "subscription_expiry",
            "soon",
            (
                "$.subscription_expiry: expected an ISO 8601 time such as "
                '2025-01-25T00:00:00Z, got "soon"'
            ),
        ),
        ("risk_config", None, "$.risk_config: expected an object, got null"),
        (
            "risk_config.daily_dd_limit_percent",
            0,
            "$.risk_config.daily_dd_limit_percent: must be > 0 and <= 100, got 0",
        ),
        (
            "risk_config.max_account_dd_percent",
            101,
            "$.risk_config.max_account_dd_percent: must be > 0 and <= 100, got 101",
        ),
        (
            "risk_config.max_account_dd_percent",
            "10",
            '$.risk_config.max_account_dd_percent: expected a number, got "10"',
        ),
        (
            "risk_config.preset",
            "ftmo",
            (
                "$.risk_config.preset: expected default or static or ftmo_2step or "
                "ftmo_1step or fundednext or fundingpips or metaapi_day, got "
                '"ftmo"'
            ),
        ),
        (
            "risk_config.daily_reset",
            "midnight",
            (
                "$.risk_config.daily_reset: expected 'broker', or HH:MM and an IANA "
                "zone such as '00:00 Europe/Prague', got \"midnight\""
            ),
        ),
        (
            "risk_config.initial_balance",
            0,
            "$.risk_config.initial_balance: must be > 0, got 0",
        ),
        (
            "risk_config.soft_limit_fraction",
            1.5,
            "$.risk_config.soft_limit_fraction: must be <= 1, got 1.5",
        ),
        (
            "risk_config.on_breach",
            True,
            "$.risk_config.on_breach: expected block or flatten, got true",
        ),
        (
            "risk_config.touch_breaches",
            "no",
            '$.risk_config.touch_breaches: expected true or false, got "no"',
        ),
        (
            "trade_config.lot_size",
            0,
            "$.trade_config.lot_size: must be > 0, got 0",
        ),
        (
            "trade_config.enabled_symbols",
            "XAUUSD",
            '$.trade_config.enabled_symbols: expected a list, got "XAUUSD"',
        ),
        ("active_bot_id", "1", '$.active_bot_id: expected a whole number, got "1"'),
    ],
)
def test_a_trade_config_out_of_range_is_refused(
    trade: dict[str, Any], place: str, value: Any, error: str
) -> None:
    """Every field is checked, each error leads to its place."""
    *outer, name = place.split(".")
    target = trade
    for step in outer:
        target = target[step]
    target[name] = value

    assert (error,) == trade_errors(trade)


def test_the_servers_drawdown_choices_are_values(trade: dict[str, Any]) -> None:
    """Null leaves a choice open; a balance may be a decimal text, as elsewhere."""
    trade["risk_config"] |= {
        "preset": "ftmo_2step",
        "initial_balance": "100000.0000",
        "daily_reset": None,
        "on_breach": "flatten",
    }

    config, warnings = structure_trade_config(trade, ACCOUNT)

    assert () == warnings
    assert RiskConfig(
        daily_dd_limit_percent=5.0,
        max_account_dd_percent=10.0,
        preset=DrawdownPreset.FTMO_2STEP,
        initial_balance=100_000.0,
        on_breach=BreachAction.FLATTEN,
    ) == (config.risk_config)


def test_absent_choices_are_no_errors(trade: dict[str, Any]) -> None:
    """An account may have no active bot, no end and no drawdown limits."""
    trade |= {"active_bot_id": None, "active_bot_name": None}
    trade["subscription_expiry"] = None
    trade["risk_config"] |= {"daily_dd_limit_percent": None}

    config, warnings = structure_trade_config(trade, ACCOUNT)

    assert (None, None, None) == (
        config.active_bot_id,
        config.subscription_expiry,
        config.risk_config.daily_dd_limit_percent,
    )
    assert () == warnings


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mt5_account_id": 999}, "the trade config of account 999"),
        ({"status": "error", "detail": "try later"}, 'no config but "try later"'),
    ],
)
def test_a_body_of_somebody_else_is_a_fault(
    trade: dict[str, Any], change: dict[str, Any], words: str
) -> None:
    """What is not for this account says nothing about this account's config."""
    with pytest.raises(ForeignBodyError, match=words):
        structure_trade_config(trade | change, ACCOUNT)


@pytest.mark.parametrize("owner", [2, "1", True, None])
def test_the_config_of_another_strategy_is_a_fault(
    strategy: dict[str, Any], owner: Any
) -> None:
    """A strategy config that names another id is not this one's."""
    strategy["bot_strategy_id"] = owner

    with pytest.raises(ForeignBodyError, match="the config of strategy"):
        structure_strategy_config(strategy, 1, find_class)


@pytest.mark.parametrize("body", [None, [], "x", 5])
def test_json_that_is_no_object_is_refused(body: Any) -> None:
    """JSON of another shape is an error with its path."""
    assert trade_errors(body)[0].startswith("$: expected an object, got ")
    assert strategy_errors(body)[0].startswith("$: expected an object, got ")


def test_an_account_may_be_told_as_text_or_number(trade: dict[str, Any]) -> None:
    """A body that says whose it is may say it either way."""
    for account in (123456, "123456"):
        structure_trade_config(trade | {"mt5_account_id": account}, ACCOUNT)


def test_identity_tells_what_raises_a_version(trade: dict[str, Any]) -> None:
    """Balances are readings, limits are content, symbols raise the version."""
    known = identify_trade_config(trade)
    richer = identify_trade_config(trade | {"current_balance": "1.0000"})
    limited = copy.deepcopy(trade)
    limited["risk_config"]["daily_dd_limit_percent"] = 4.0
    other = copy.deepcopy(trade)
    other["trade_config"]["lot_size"] = 0.02

    assert known == richer
    assert known.versioned == identify_trade_config(limited).versioned
    assert known.content != identify_trade_config(limited).content
    assert known.versioned != identify_trade_config(other).versioned


def test_identity_of_a_strategy_config(strategy: dict[str, Any]) -> None:
    """Parameters raise the version; the order of keys means nothing."""
    known = identify_strategy_config(strategy)
    turned = dict(reversed(strategy.items()))
    other = copy.deepcopy(strategy)
    other["parameters_by_symbol"]["XAUUSD"]["stop_loss"] = 80
    renamed = strategy | {"bot_strategy_name": "New"}

    assert 3 == known.version
    assert known == identify_strategy_config(turned)
    assert known.versioned != identify_strategy_config(other).versioned
    assert known.versioned == identify_strategy_config(renamed).versioned
    assert known.content != identify_strategy_config(renamed).content


@pytest.mark.parametrize("version", [None, "5", True, -1, 5.0])
def test_an_unreadable_version_is_none(version: Any) -> None:
    """What is no version is not guessed at."""
    assert identify_trade_config({"version": version}).version is None
    assert identify_trade_config([]).version is None


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(st.data())
def test_any_change_to_a_body_is_taken_or_told(data: st.DataObject) -> None:
    """Whatever a server sends: a config, lines with paths, or a fault; no crash."""
    trade, strategy = sample("trade_config.json"), sample("strategy_config.json")
    for body in (trade, strategy):
        for name in data.draw(st.sets(st.sampled_from(sorted(body)), max_size=3)):
            body[name] = data.draw(values)

    for action in (
        lambda: structure_trade_config(trade, ACCOUNT),
        lambda: structure_strategy_config(strategy, 1, find_class),
        lambda: identify_trade_config(trade),
        lambda: identify_strategy_config(strategy),
    ):
        try:
            action()
        except ForeignBodyError:
            continue
        except ConfigErrors as error:
            lines = error.errors
            assert lines
            assert all(line.startswith("$") for line in lines)
