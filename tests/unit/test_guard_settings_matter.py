"""Each setting of a guard changes what the guard does, from the settings file on.

The guard is loaded as the runner loads it, once with the settings that make the one in
question matter and once with that one changed. Then both are put through the same week.
Take the wiring of a setting away, and its test fails by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import attrs
import pytest

from runner import (
    Action,
    Deal,
    ExitReason,
    OrderIntent,
    OrderRequest,
    OrderResult,
    Outcome,
    Plugin,
    Position,
    Side,
    Tick,
)
from runner.host.discovery import discover
from runner.host.manager import PluginHost
from runner.serde import structure_settings
from runner.testing import (
    START,
    MemoryState,
    make_account,
    make_bars,
    make_symbol,
    make_trade_config,
)

GUARDS = (
    "limits",
    "trading_hours",
    "spread",
    "slippage",
    "cooldown",
    "equity_target",
)
AIM = {"initial_balance": 10_000.0, "percent": 10.0}
HOURS = {"*": ["Mon-Fri 08:00-17:00"]}

# Setting, to what else must be set for it to matter, and to its other value.
CASES: Mapping[str, tuple[dict[str, Any], Any]] = {
    "limits.orders_per_minute": ({}, 3),
    "limits.orders_per_minute_strategy": ({}, 3),
    "limits.positions": ({}, 4),
    "limits.positions_strategy": ({}, 2),
    "limits.positions_symbol": ({}, 2),
    "limits.lots": ({}, 0.5),
    "limits.lots_symbol": ({}, 0.3),
    "limits.exposure": ({}, 8.0),
    "limits.exposure_symbol": ({}, 5.0),
    "trading_hours.zone": ({"hours": HOURS}, "Asia/Tokyo"),
    "trading_hours.hours": ({}, HOURS),
    "trading_hours.friday_stop": ({}, "12:00"),
    "trading_hours.friday_close": ({"friday_stop": "12:00"}, "13:00"),
    "trading_hours.sunday_start": ({"friday_stop": "12:00"}, "20:00"),
    "trading_hours.no_weekend": ({"friday_stop": "12:00"}, ["EURUSD"]),
    "spread.points": ({}, 12.0),
    "spread.times_usual": ({}, 1.5),
    "slippage.points": ({}, 8.0),
    "slippage.average_points": ({}, 4.0),
    "slippage.fills": ({"average_points": 4.0}, 3),
    "slippage.pause_minutes": ({"points": 8.0}, 600.0),
    "cooldown.loss_minutes": ({}, 120.0),
    "cooldown.losses": ({"losses_minutes": 120.0}, 2),
    "cooldown.losses_minutes": ({}, 120.0),
    "cooldown.stop_out_minutes": ({}, 600.0),
    "cooldown.scope": ({"loss_minutes": 120.0}, "account"),
    "equity_target.percent": (AIM, 20.0),
    "equity_target.initial_balance": (AIM, 11_000.0),
    "equity_target.close_positions": (AIM, True),
}


def _host(name: str, settings: Mapping[str, Any]) -> PluginHost:
    host = PluginHost()
    state = MemoryState()
    host.load(
        [discover().plugins[name]],
        make_settings=lambda name, cls: structure_settings(
            dict(settings), cls, f"plugins.{name}"
        ),
        state_for=lambda _: state,
    )
    return host


def _positions(number: int) -> list[Position]:
    """Return positions of two strategies in two symbols."""
    return [
        Position(
            ticket=ticket,
            symbol="EURUSD" if ticket % 3 else "GBPUSD",
            side=Side.BUY,
            volume=0.1,
            opened_at=START,
            open_price=1.1,
            magic=7 if ticket % 2 else 8,
        )
        for ticket in range(1, number + 1)
    ]


def _request(action: Action) -> OrderRequest:
    return OrderRequest(
        token="T",
        magic=7,
        symbol="EURUSD",
        action=action,
        side=Side.BUY,
        volume=0.1,
        strategy="A",
    )


def _deal(number: int, minutes: int, reason: ExitReason) -> Deal:
    return Deal(
        ticket=number,
        position_id=number,
        symbol="EURUSD",
        side=Side.SELL,
        is_entry=False,
        volume=0.1,
        price=1.1,
        time=START + timedelta(minutes=minutes),
        profit=-1.0,
        exit_reason=reason,
    )


class _Week:
    """One week of an account's life, told to a guard."""

    def __init__(self, host: PluginHost) -> None:
        self.host, self.config = host, make_trade_config()
        self.account = make_account()
        self.positions = _positions(4)

    def answers(self) -> Iterator[str]:
        """Yield what the guard says to everything that happens."""
        host = self.host
        for bar in make_bars([1.1] * 20, spread=10):
            host.on_bar_closed(bar)
        for number in range(8):
            self.positions = _positions(number)
            yield from self._asked(0, spread=12 + number)
        for minute in range(8):
            host.on_order_sent(
                request=_request(Action.CLOSE), now=START + timedelta(seconds=minute)
            )
            yield from self._asked(0.5)
        for slip in (1.0, 6.0, 6.0, 6.0, 9.0, 1.0, 6.0, 6.0, 6.0, 6.0, 6.0, 6.0):
            self._order(30.0, "A", "EURUSD")
            price = 1.1001 + slip * 0.00001
            result = OrderResult(token="T", outcome=Outcome.FILLED, price=price)
            now = START + timedelta(minutes=30)
            host.on_order_result(request=_request(Action.OPEN), result=result, now=now)
            yield from self._asked(31)
        for number, reason in enumerate([ExitReason.STOP_LOSS] * 3, 1):
            host.on_deals(deals=[_deal(number, 1000 * number, reason)], now=START)
            yield from self._asked(1000 * number + 60)
        host.on_deals(deals=[_deal(4, 4100, ExitReason.STOP_OUT)], now=START)
        yield from self._asked(4500)
        for equity in (10_500.0, 11_000.0, 12_000.0, 12_100.0):
            self.account = make_account(equity=equity)
            yield from self._asked(5000)
        for hour in range(7 * 24):
            yield from self._asked(60 * hour)

    def _asked(self, minutes: float, spread: float = 10.0) -> Iterator[str]:
        host, config, account = self.host, self.config, self.account
        now = START + timedelta(minutes=minutes)
        host.on_account(account, self.positions, (), config, now)
        for denial in host.check_trading(account, config, now):
            yield f"account {denial}"
        for name in ("EURUSD", "GBPUSD"):
            for denial in host.check_symbol(make_symbol(name), config, now):
                yield f"{name} {denial}"
        demands = host.demand_exits(
            account, self.positions, (), {7, 8}, {}, config, now
        )
        yield str(demands)
        for strategy in ("A", "B"):
            for symbol in ("GBPUSD", "EURUSD"):
                yield from self._order(minutes, strategy, symbol, spread)
        yield "|"

    def _order(
        self, minutes: float, strategy: str, symbol: str, spread: float = 10.0
    ) -> list[str]:
        now = START + timedelta(minutes=minutes)
        denials = self.host.check_order(
            intent=OrderIntent(
                strategy=strategy,
                symbol=symbol,
                action=Action.OPEN,
                side=Side.BUY,
                volume=0.1,
            ),
            magic=7 if strategy == "A" else 8,
            account=self.account,
            positions=self.positions,
            orders=(),
            unresolved=(),
            symbol=make_symbol(symbol),
            symbols={symbol: make_symbol(symbol)},
            tick=Tick(symbol, now, 1.1, 1.1 + spread * 0.00001),
            config=self.config,
            now=now,
        )
        return [f"{strategy} {symbol} {denial}" for denial in denials]


@pytest.mark.parametrize("setting", CASES)
def test_each_setting_changes_what_its_guard_does(setting: str) -> None:
    """Whoever takes its wiring away finds its name here."""
    plugin, _, name = setting.partition(".")
    around, value = CASES[setting]
    as_it_was = _Week(_host(plugin, around))
    changed = _Week(_host(plugin, around | {name: value}))

    before, after = list(as_it_was.answers()), list(changed.answers())

    assert [] == [one for one in [*before, *after] if "GUARD_FAILED" in one]
    assert {} == {**as_it_was.host.failures, **changed.host.failures}
    assert before != after


def test_no_setting_is_left_out() -> None:
    """A new one needs its case above."""
    settings = {
        f"{name}.{field.name}"
        for name in GUARDS
        for field in attrs.fields(_settings_of(name))
    }

    assert settings == set(CASES)


def _settings_of(name: str) -> Any:
    cls = discover().plugins[name].obj
    assert isinstance(cls, type)
    assert issubclass(cls, Plugin)
    return cls.Settings
