"""Fixtures shared by all tests: real servers over real sockets."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import settings

from runner import (
    Account,
    Action,
    Bar,
    Deal,
    Denial,
    Deny,
    NewsEvent,
    OrderIntent,
    OrderRequest,
    OrderResult,
    Outcome,
    PauseReason,
    RunnerStatus,
    Side,
    StrategyConfig,
    SymbolSpec,
    Tick,
    Timeframe,
    TradeConfig,
    TradingState,
)

# A busy machine is slow: no example fails for the time that it took.
# No deadline, since machines differ. In CI the examples are the same at every run, so
# that a failure there comes from the change; everywhere else each run looks further.
settings.register_profile("any-machine", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "any-machine")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def free_port() -> int:
    """A TCP port on the loopback address that nothing listens on."""
    return _free_port()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real redis-server of this test session's own."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server on this machine")
    folder = tmp_path_factory.mktemp("redis")
    port = _free_port()
    process = subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", ""],
        cwd=folder,
        stdout=subprocess.DEVNULL,
    )
    url = f"redis://127.0.0.1:{port}/0"
    client = redis.Redis.from_url(url)
    deadline = time.monotonic() + 20
    while True:
        try:
            client.ping()
            break
        except redis.ConnectionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    client.close()
    yield url
    process.terminate()
    process.wait(timeout=10)


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """The URL of the real redis-server, emptied for this test."""
    with redis.Redis.from_url(redis_server) as client:
        client.flushall()
    return redis_server


@pytest.fixture(scope="session")
def market_data() -> Path:
    """The folder with real market data that MT5RUNNER_DATA names."""
    folder = os.environ.get("MT5RUNNER_DATA")
    if not folder:
        pytest.skip("MT5RUNNER_DATA names no folder with market data")
    return Path(folder)


class MemoryState:
    """Durable values of a plugin, kept in memory."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def get(self, key: str) -> Any | None:
        """Return the value of *key*, or None."""
        return self.values.get(key)

    def put(self, key: str, value: Any) -> None:
        """Keep a value."""
        self.values[key] = value

    def items(self) -> Mapping[str, Any]:
        """Return everything."""
        return self.values


@pytest.fixture
def memory_state() -> MemoryState:
    """An empty state for one plugin."""
    return MemoryState()


@pytest.fixture
def hook_arguments() -> dict[str, dict[str, Any]]:
    """Hook to realistic arguments by name."""
    now = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)
    account = Account(
        login=7, server="Demo", currency="USD", balance=10_000.0, equity=9_990.0
    )
    config = TradeConfig(
        version=1,
        bot_status="ACTIVE",
        account_status="ACTIVE",
        subscription_status="ACTIVE",
    )
    strategy = StrategyConfig(
        version=1, bot_strategy_id=1, bot_strategy_class="Bot", bot_status="ACTIVE"
    )
    symbol = SymbolSpec(
        name="XAUUSD",
        digits=2,
        point=0.01,
        tick_size=0.01,
        tick_value=1.0,
        contract_size=100.0,
        volume_min=0.01,
        volume_max=50.0,
        volume_step=0.01,
        currency_base="XAU",
        currency_profit="USD",
    )
    tick = Tick("XAUUSD", now, 2400.10, 2400.30)
    bar = Bar("XAUUSD", Timeframe.H1, now, 2399.0, 2402.0, 2398.5, 2400.1)
    event = NewsEvent(now, "USD", "High", "CPI m/m")
    intent = OrderIntent(
        strategy="NewIdea", symbol="XAUUSD", action=Action.OPEN, side=Side.BUY
    )
    request = OrderRequest(
        token="ABCDEFGHIJ",
        magic=9,
        symbol="XAUUSD",
        action=Action.OPEN,
        side=Side.BUY,
        volume=0.1,
    )
    deal = Deal(
        ticket=5,
        position_id=4,
        symbol="XAUUSD",
        side=Side.SELL,
        is_entry=False,
        volume=0.1,
        price=2390.0,
        time=now,
        profit=-100.0,
    )
    status = RunnerStatus(
        account_id="7",
        now=now,
        session="s",
        host="h",
        pid=1,
        runner_version="0",
        trading_state=TradingState.ACTIVE,
        account=account,
        peak_balance=10_000.0,
    )
    return {
        "register_strategies": {},
        "on_started": {"account": account, "now": now},
        "on_trade_config_applied": {"config": config, "now": now},
        "on_strategy_config_applied": {
            "config": strategy,
            "changes": ("XAUUSD.stop_loss: 300 -> 250",),
            "now": now,
        },
        "on_config_refused": {
            "scope": "trade",
            "version": 2,
            "errors": ("$.lot_size: must be > 0",),
            "now": now,
        },
        "on_deals": {"deals": (deal,), "now": now},
        "choose_calendar": {"now": now},
        "on_calendar_changed": {"events": (event,), "now": now},
        "on_account": {
            "account": account,
            "positions": (),
            "orders": (),
            "config": config,
            "now": now,
        },
        "on_bar_closed": {"bar": bar},
        "check_trading": {"account": account, "config": config, "now": now},
        "check_symbol": {"symbol": symbol, "config": config, "now": now},
        "check_order": {
            "intent": intent,
            "magic": 9,
            "account": account,
            "positions": (),
            "orders": (),
            "unresolved": (request,),
            "symbol": symbol,
            "symbols": {symbol.name: symbol},
            "tick": tick,
            "config": config,
            "now": now,
        },
        "demand_exits": {
            "account": account,
            "positions": (),
            "orders": (),
            "magics": frozenset({9}),
            "symbols": {"XAUUSD": symbol},
            "config": config,
            "now": now,
        },
        "choose_volume": {
            "intent": intent,
            "account": account,
            "symbol": symbol,
            "tick": tick,
            "config": config,
        },
        "on_order_denied": {
            "intent": intent,
            "denials": (Denial("guard", Deny("NO", "n=1")),),
            "now": now,
        },
        "on_order_sent": {"request": request, "now": now},
        "on_order_result": {
            "request": request,
            "result": OrderResult(token="ABCDEFGHIJ", outcome=Outcome.FILLED),
            "now": now,
        },
        "on_position_closed": {"deal": deal, "now": now},
        "on_trading_state_changed": {
            "state": TradingState.REDUCING,
            "reasons": (PauseReason("server", "PAUSED"),),
            "now": now,
        },
        "on_plugin_error": {
            "plugin": "guard",
            "hook": "check_order",
            "error": "ValueError: no",
            "now": now,
        },
        "describe_status": {"account": account, "now": now},
        "choose_heartbeat": {"status": status, "now": now},
        "on_stopping": {"reason": "asked to", "now": now},
    }
