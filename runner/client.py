"""The seed's bot-side helper functions, under the seed's names and arguments.

For scripts and for bots of one's own; the runner itself does all of it in one round
trip. Redis is found by ``REDIS_URL``, the API by ``MT5RUNNER_API_URL`` and
``MT5RUNNER_API_KEY``, or by the keyword arguments. A seed function that finds nothing
returns None; one that cannot ask raises :class:`runner.ports.UnavailableError`.
"""

from __future__ import annotations

import os
import random
from collections.abc import Generator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import attrs

from runner.adapters.config_http import ConfigHttp
from runner.adapters.redis_control import RedisControl
from runner.adapters.system_clock import SystemClock
from runner.ports import Exchange, Fetched, ServerView, UnavailableError
from runner.wire.documents import BotStatus
from runner.wire.encoding import as_object
from runner.wire.heartbeat import BotHeartbeat, ServerHeartbeat

_OK = 200


def send_heartbeat_redis(
    mt5_account_id: str | int,
    bot_status: str,
    balance: Decimal | float | str,
    peak_balance: Decimal | float | str,
    dd_blocked: bool,
    dd_block_reason: str | None = None,
    *,
    redis_url: str | None = None,
) -> None:
    """Write the bot's heartbeat, alive for 60 seconds (seed, key 1).

    Args:
        mt5_account_id: The account.
        bot_status: ACTIVE, PAUSED or DOWN.
        balance: Account currency.
        peak_balance: Account currency.
        dd_blocked: Whether drawdown protection blocks entries.
        dd_block_reason: Why; None if it does not.
        redis_url: Redis; None takes ``REDIS_URL``.

    Raises:
        ValueError: If a value has no form on the wire.
        UnavailableError: If Redis cannot be reached or refuses the write.
    """
    now = SystemClock().now()
    heartbeat = BotHeartbeat(
        mt5_account_id=str(mt5_account_id),
        timestamp=now,
        bot_status=BotStatus(bot_status),
        current_balance=balance,
        peak_balance=peak_balance,
        dd_blocked=dd_blocked,
        dd_block_reason=dd_block_reason,
        last_seen=now,
    )
    _look(mt5_account_id, redis_url, heartbeat=heartbeat)


def get_server_heartbeat_from_redis(
    mt5_account_id: str | int, *, redis_url: str | None = None
) -> dict[str, Any] | None:
    """Read what the server says about an account (seed, key 2).

    Args:
        mt5_account_id: The account.
        redis_url: Redis; None takes ``REDIS_URL``.

    Returns:
        The seed's six fields: statuses as texts, ``dd_blocked`` as a boolean,
        ``last_update`` as a time, None where the server says nothing. None if the
        server has no heartbeat there.

    Raises:
        UnavailableError: If Redis cannot be reached.
        ValueError: If a field is unreadable.
    """
    fields = _look(mt5_account_id, redis_url).server_heartbeat
    if fields is None:
        return None
    return attrs.asdict(ServerHeartbeat.from_hash(fields))


def get_trade_config_version_from_redis(
    mt5_account_id: str | int, *, redis_url: str | None = None
) -> int | None:
    """Read the announced version of the trade config (seed, key 3).

    Args:
        mt5_account_id: The account.
        redis_url: Redis; None takes ``REDIS_URL``.

    Returns:
        The version; None if none is announced, which says nothing about the config.

    Raises:
        UnavailableError: If Redis cannot be reached.
    """
    return _look(mt5_account_id, redis_url).trade_version


def get_strategy_config_version_from_redis(
    mt5_account_id: str | int, strategy_id: int, *, redis_url: str | None = None
) -> int | None:
    """Read the announced version of a strategy's config (seed, key 4).

    Args:
        mt5_account_id: The account.
        strategy_id: The strategy.
        redis_url: Redis; None takes ``REDIS_URL``.

    Returns:
        The version; None if none is announced, which says nothing about the config.

    Raises:
        UnavailableError: If Redis cannot be reached.
    """
    view = _look(mt5_account_id, redis_url, strategy_ids=(strategy_id,))
    return view.strategy_versions[strategy_id]


def fetch_trade_config_from_api(
    mt5_account_id: str | int,
    *,
    api_url: str | None = None,
    api_key: str | None = None,
) -> dict[str, Any]:
    """GET the trade config (seed, endpoint 1).

    Args:
        mt5_account_id: The account.
        api_url: The API; None takes ``MT5RUNNER_API_URL``.
        api_key: The bot's key; None takes ``MT5RUNNER_API_KEY``.

    Returns:
        The body as it came.

    Raises:
        UnavailableError: If there is no whole answer, or none with a config.
        ValueError: If the body is no JSON object.
    """
    with _server(api_url, api_key) as server:
        return _body(server.trade_config(str(mt5_account_id)))


def fetch_strategy_config_from_api(
    mt5_account_id: str | int,
    strategy_id: int,
    *,
    api_url: str | None = None,
    api_key: str | None = None,
) -> dict[str, Any]:
    """GET a strategy's config (seed, endpoint 2).

    Args:
        mt5_account_id: The account.
        strategy_id: The strategy.
        api_url: The API; None takes ``MT5RUNNER_API_URL``.
        api_key: The bot's key; None takes ``MT5RUNNER_API_KEY``.

    Returns:
        The body as it came.

    Raises:
        UnavailableError: If there is no whole answer, or none with a config.
        ValueError: If the body is no JSON object.
    """
    with _server(api_url, api_key) as server:
        return _body(server.strategy_config(str(mt5_account_id), strategy_id))


def _setting(value: str | None, name: str) -> str:
    found = value or os.environ.get(name)
    if not found:
        raise UnavailableError(f"{name} is not set, and no argument says it either")
    return found


def _look(
    account: str | int,
    redis_url: str | None,
    *,
    heartbeat: BotHeartbeat | None = None,
    strategy_ids: tuple[int, ...] = (),
) -> ServerView:
    control = RedisControl(
        _setting(redis_url, "REDIS_URL"), session="", random=random.random
    )
    try:
        view = control.exchange(
            Exchange(
                account=str(account),
                heartbeat=None if heartbeat is None else heartbeat.to_hash(),
                strategy_ids=strategy_ids,
            )
        )
    finally:
        control.close()
    if heartbeat is not None and not view.heartbeat_written:
        raise UnavailableError("Redis refused the heartbeat; the log says why")
    return view


@contextmanager
def _server(api_url: str | None, api_key: str | None) -> Generator[ConfigHttp]:
    key = api_key or os.environ.get("MT5RUNNER_API_KEY")
    server = ConfigHttp(_setting(api_url, "MT5RUNNER_API_URL"), api_key=lambda: key)
    try:
        yield server
    finally:
        server.close()


def _body(fetched: Fetched) -> dict[str, Any]:
    if fetched.status != _OK:
        detail = fetched.detail or "no detail"
        raise UnavailableError(f"HTTP {fetched.status}: {detail}")
    return as_object("body", fetched.body)
