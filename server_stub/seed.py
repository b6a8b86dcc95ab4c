"""Accounts and strategies that a server starts with: a file's, or the demo's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

from server_stub.calendar import read_events
from server_stub.changes import RefusedError, new_account, new_strategy
from server_stub.checks import got
from server_stub.store import Store

DEMO_ADMIN_KEY = "demo-admin"
DEMO_ACCOUNT = "123456"
DEMO_KEY = "demo-key"

DEMO: dict[str, Any] = {
    "accounts": [
        {
            "mt5_account_id": DEMO_ACCOUNT,
            "api_key": DEMO_KEY,
            "version": 5,
            "bot_status": "ACTIVE",
            "account_status": "ACTIVE",
            "subscription_status": "ACTIVE",
            "subscription_expiry": "2099-01-25T00:00:00Z",
            "current_balance": "10000.0000",
            "peak_balance": "12000.0000",
            "dd_blocked": False,
            "dd_block_reason": None,
            "risk_config": {
                "dd_protection_enabled": True,
                "daily_dd_limit_percent": 5.0,
                "max_account_dd_percent": 10.0,
            },
            "trade_config": {
                "enabled_symbols": ["XAUUSD", "EURUSD"],
                "lot_size": 0.01,
                "auto_pause_on_news": True,
                "dynamic_position_sizing_enabled": False,
            },
            "active_bot_id": 1,
            "active_bot_name": "Trend Following Bot",
        }
    ],
    "strategies": [
        {
            "id": 1,
            "version": 3,
            "bot_strategy_name": "Trend Following Bot",
            "bot_status": "ACTIVE",
            "bot_strategy_class": "TrendFollowingBot",
            "is_pair_trading": False,
            "allowed_symbols": ["XAUUSD", "EURUSD", "GBPUSD"],
            "parameters_by_symbol": {
                "XAUUSD": {
                    "threshold_points": 50,
                    "stop_loss": 100,
                    "take_profit": 200,
                    "lookback_period": 100,
                },
                "EURUSD": {
                    "threshold_points": 20,
                    "stop_loss": 30,
                    "take_profit": 60,
                    "lookback_period": 100,
                },
            },
            "optimization_config": {
                "lookback_days": 90,
                "threshold_points_range": [10, 100],
                "tp_sl_ranges": [[20, 200], [40, 400]],
            },
            "last_optimization_date": "2025-12-20T10:30:00Z",
        }
    ],
}
"""The seed's own example, but for the end of its subscription, which was in 2025 and
would keep it from trading. Its balance is 16.7 % below its peak: a runner on paper
counts from its own balance, one on a real account would rightly open nothing."""


def plant(store: Store, seed: Any) -> None:
    """Create what *seed* describes and *store* does not have yet; all or nothing.

    What is there already stays as it is: it may have been changed since.

    Args:
        store: Where to.
        seed: A JSON object with the lists ``accounts`` and ``strategies``, each of
            which holds what a POST to the collection of that name takes, and
            ``calendar``, the events that a PUT of the calendar takes.

    Raises:
        RefusedError: With everything wrong in it.
    """
    if not isinstance(seed, dict):
        raise RefusedError([f"$: must be an object, got {got(seed)}"])
    members = cast("dict[str, Any]", seed)
    errors = [
        f"$.{name}: unknown; a seed has accounts, strategies and calendar"
        for name in members.keys() - {"accounts", "strategies", "calendar"}
    ]
    with store.transaction():
        _plant_all("strategies", members, _strategy_planter(store), errors)
        _plant_all("accounts", members, _account_planter(store), errors)
        _plant_calendar(store, members, errors)
        if errors:
            raise RefusedError(errors)


_Plant = Callable[[Any], None]


def _strategy_planter(store: Store) -> _Plant:
    known = {record.strategy_id for record in store.strategies()}
    planted: set[int] = set()

    def plant_one(sent: Any) -> None:
        record = new_strategy(sent, max(known | planted, default=0) + 1)
        if record.strategy_id in planted:
            raise RefusedError(["$.id: stands in this file twice"])
        planted.add(record.strategy_id)
        if record.strategy_id not in known:
            store.add_strategy(record)

    return plant_one


def _account_planter(store: Store) -> _Plant:
    known = {record.mt5_account_id for record in store.accounts()}
    names = {r.strategy_id: r.document["bot_strategy_name"] for r in store.strategies()}
    planted: set[str] = set()

    def plant_one(sent: Any) -> None:
        change = new_account(sent, names.get)
        if change.key_was_made or change.api_key is None:
            raise RefusedError(["$.api_key: missing"])
        account = change.record.mt5_account_id
        if account in planted:
            raise RefusedError(["$.mt5_account_id: stands in this file twice"])
        planted.add(account)
        if account not in known:
            store.add_account(change.record, change.api_key)

    return plant_one


def _plant_calendar(store: Store, members: dict[str, Any], errors: list[str]) -> None:
    if "calendar" not in members:
        return
    try:
        events = read_events(members["calendar"], "$.calendar")
    except RefusedError as error:
        errors += error.errors
        return
    if not store.calendar():
        store.set_calendar(events)


def _plant_all(
    name: str, members: dict[str, Any], plant_one: _Plant, errors: list[str]
) -> None:
    for index, sent in enumerate(_listed(name, members, errors)):
        try:
            plant_one(sent)
        except RefusedError as error:
            path = f"$.{name}[{index}]"
            errors += [path + line.removeprefix("$") for line in error.errors]


def _listed(name: str, members: dict[str, Any], errors: list[str]) -> Iterator[Any]:
    value = members.get(name, [])
    if isinstance(value, list):
        yield from cast("list[object]", value)
    else:
        errors.append(f"$.{name}: must be a list, got {got(value)}")
