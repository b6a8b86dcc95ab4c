"""Every field by which the server decides, from its body to orders at the terminal."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from drawdown_account import OTHER, PAIR
from guarded_account import GuardedAccount, Stop

from runner import Parameters
from runner.link import ServerSeen
from runner.wire.heartbeat import ServerHeartbeat

# -- whether anything is opened --------------------------------------------------------
STATUSES = [
    ("bot_status", {"bot_status": "PAUSED"}, "PAUSED"),
    ("account_status", {"account_status": "INACTIVE"}, "INACTIVE"),
    ("subscription_status", {"subscription_status": "CANCELLED"}, "CANCELLED"),
    ("dd_blocked", {"dd_blocked": True, "dd_block_reason": "too much"}, "DD_BLOCKED"),
]


@pytest.mark.parametrize(("name", "says", "code"), STATUSES)
def test_a_status_of_the_config_stops_entries(
    name: str, says: dict[str, Any], code: str
) -> None:
    """By the config alone, without a heartbeat; exits go on; lifted, entries do."""
    account = GuardedAccount({}, **says)
    assert code == account.buy()
    (told,) = account.pauses
    assert told.startswith(f"config.{name} {code}")
    assert ("too much" in told) is (name == "dd_blocked")
    assert "PAUSED" == account.runner.heartbeat["bot_status"]

    account.config.clear()
    account.choose(1)
    assert not account.buy()
    account.config |= says
    account.choose(1)
    assert not account.wish(lambda own: own.close(PAIR))
    assert 0 == len(account.positions)


def say(account: GuardedAccount, **fields: str) -> None:
    """Let the server's heartbeat be seen, its hash as it stands in Redis."""
    heartbeat = ServerHeartbeat.from_hash(fields)
    account.runner.link.events.append(ServerSeen(heartbeat=heartbeat, at=account.now))


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("bot_status", "PAUSED", "PAUSED"),
        ("account_status", "INACTIVE", "INACTIVE"),
        ("subscription_status", "EXPIRED", "EXPIRED"),
        ("dd_blocked", "true", "DD_BLOCKED"),
    ],
)
def test_a_status_of_the_servers_heartbeat_stops_entries(
    name: str, value: str, code: str
) -> None:
    """By the heartbeat alone; it holds while the server says nothing else."""
    account = GuardedAccount({})
    say(account, **{name: value, "dd_block_reason": "too much"})
    assert code == account.buy()
    (told,) = account.pauses
    assert told.startswith(f"server.{name} {code}")
    assert ("too much" in told) is (name == "dd_blocked")
    say(account)
    assert code == account.buy()

    say(account, **{name: "false" if name == "dd_blocked" else "ACTIVE"})
    assert not account.buy()


def test_entries_end_with_the_subscription() -> None:
    """At the second; before it everything may be opened."""
    expiry = datetime(2026, 1, 14, 15, 10, tzinfo=UTC)
    account = GuardedAccount({}, subscription_expiry=expiry)
    account.at("2026-01-14 15:09")
    assert not account.buy()

    account.at("2026-01-14 15:10")
    assert "EXPIRED" == account.buy()


# -- who trades what -------------------------------------------------------------------
def test_the_active_bot_alone_opens() -> None:
    """The one before it manages what it holds; with nobody chosen nobody opens."""
    account = GuardedAccount({})
    assert not account.buy()
    account.choose(2)
    assert not account.buy()
    account.chosen = 1
    assert "STRATEGY_NOT_ACTIVE" == account.buy()
    assert not account.wish(lambda own: own.close(PAIR))
    assert 1 == len(account.positions)

    account.config["active_bot_id"] = None
    account.choose(2)
    assert "STRATEGY_NOT_ACTIVE" == account.buy()


def test_symbols_that_are_not_enabled_are_not_opened() -> None:
    """By the trade config, until it enables them."""
    account = GuardedAccount({}, enabled_symbols=(OTHER,))
    assert ["SYMBOL_NOT_ENABLED", ""] == [account.buy(), account.buy(symbol=OTHER)]

    account.config["enabled_symbols"] = (PAIR,)
    account.choose(1)
    assert ["", "SYMBOL_NOT_ENABLED"] == [account.buy(), account.buy(symbol=OTHER)]


def strategy(account: GuardedAccount, name: str = "Puppet", **changes: Any) -> None:
    """Let another config of strategy 1 come."""
    parameters = {PAIR: Parameters(), OTHER: Parameters()}
    account.runner.strategy(name, parameters, **changes)
    account.version = account.runner.version
    account.tick()


def test_symbols_that_a_strategy_is_not_allowed_are_not_opened() -> None:
    """By its own config."""
    account = GuardedAccount({})
    strategy(account, allowed_symbols=[OTHER])
    assert ["SYMBOL_NOT_ALLOWED", ""] == [account.buy(), account.buy(symbol=OTHER)]

    strategy(account, allowed_symbols=[PAIR, OTHER])
    assert not account.buy()


def test_a_strategy_that_is_paused_opens_nothing() -> None:
    """By its own config; what it holds it may close."""
    account = GuardedAccount({})
    assert not account.buy()
    strategy(account, bot_status="PAUSED")
    assert "STRATEGY_PAUSED" == account.buy()
    assert not account.wish(lambda own: own.close(PAIR))

    strategy(account)
    assert not account.buy()


def test_the_class_that_is_named_trades() -> None:
    """Another class takes the first one's place."""
    account = GuardedAccount({})
    strategy(account, "Second")
    account.chosen = 2

    assert not account.buy()
    assert "Second-1" in [
        member.hosted.name for member in account.runner.roster.members.values()
    ]


def test_pairs_are_refused() -> None:
    """What trades two legs as one is not traded as if it were two."""
    account = GuardedAccount({})
    account.runner.strategy("Second", {PAIR: Parameters()}, is_pair_trading=True)
    account.tick()

    assert ("refused", "strategy:1", 3) in account.runner.link.done
    assert "is_pair_trading" in account.runner.heartbeat["config_errors"]
    assert not account.buy()


def test_each_symbol_has_its_parameters() -> None:
    """And a change of them is in force without a restart."""
    account = GuardedAccount({})
    strategy(account, "Second")
    account.chosen = 2

    def points(symbol: str) -> float:
        assert not account.wish(
            lambda own: own.buy(
                symbol, volume=0.1, stop_loss=own.parameters[symbol].stop_loss
            ),
            symbol,
        )
        held = account.positions[-1]
        return float(round((held.price_open - held.sl) * 100_000))

    for near, far in ((250, 400), (300, 500)):
        both = {PAIR: Stop(stop_loss=near), OTHER: Stop(stop_loss=far)}
        account.runner.strategy("Second", both)
        account.tick()
        assert [near, far] == [points(PAIR), points(OTHER)]


def test_the_versions_in_force_are_told() -> None:
    """To the server, which sees by them what has arrived."""
    account = GuardedAccount({})
    strategy(account)
    account.tick(31)

    assert "1" == account.runner.heartbeat["trade_config_version"]
    assert '{"1":3}' == account.runner.heartbeat["strategy_versions"].replace(" ", "")
    assert ("applied", "trade", 1) in account.runner.link.done
    assert ("applied", "strategy:1", 3) in account.runner.link.done


# -- how much --------------------------------------------------------------------------
def test_an_order_is_of_the_servers_size() -> None:
    """Where the strategy names none."""
    for lots in (0.02, 0.3):
        account = GuardedAccount({}, lot_size=lots)
        assert not account.buy(None)
        assert [lots] == [one.volume for one in account.positions]


@pytest.mark.parametrize(("dynamic", "lots"), [(False, 0.02), (True, 1.0)])
def test_size_follows_the_risk_if_the_server_says_so(
    dynamic: bool, lots: float
) -> None:
    """One percent of 100000 is a stop of 1000 points with one lot."""
    account = GuardedAccount({}, lot_size=0.02, dynamic_position_sizing_enabled=dynamic)

    assert not account.buy(None, stop=1_000)
    assert [lots] == [one.volume for one in account.positions]


@pytest.mark.parametrize(("percent", "lots"), [(0.5, 0.5), (2.0, 2.0)])
def test_the_risk_is_as_high_as_the_sizing_says(percent: float, lots: float) -> None:
    """Percent of the equity that a stop may lose."""
    sizing = {"sizing": {"risk_percent": percent}}
    account = GuardedAccount(sizing, dynamic_position_sizing_enabled=True)

    assert not account.buy(None, stop=1_000)
    assert [lots] == [one.volume for one in account.positions]


@pytest.mark.parametrize("most", [0.2, 0.4, None])
def test_no_order_is_larger_than_the_sizing_allows(most: float | None) -> None:
    """Whatever the server says."""
    account = GuardedAccount({"sizing": {"max_volume": most}}, lot_size=0.3)

    assert not account.buy(None)
    assert [0.2 if most == 0.2 else 0.3] == [one.volume for one in account.positions]


# -- commands --------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("action", "state", "held"),
    [
        ("RUN", "ACTIVE", 1),
        ("PAUSE", "REDUCING", 1),
        ("FLATTEN", "REDUCING", 0),
        ("EMERGENCY_STOP", "LATCHED", 0),
    ],
)
def test_a_command_is_obeyed(action: str, state: str, held: int) -> None:
    """Each as the protocol says; RUN lifts it."""
    account = GuardedAccount({})
    assert not account.buy()
    account.runner.command(action, seq=1)
    account.tick(10)

    assert held == len(account.positions)
    assert ("" if action == "RUN" else action) == account.buy(symbol=OTHER)
    told = [] if action == "RUN" else [f"command {action}"]
    assert told == account.pauses
    assert state == account.runner.heartbeat["trading_state"]

    account.runner.command("RUN", seq=2)
    account.tick()
    assert not account.buy()
