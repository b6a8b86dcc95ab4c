from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.account import Account
from runner.core.orders import Action, Denial, Deny, OrderIntent, Position, Side
from runner.core.risk import Situation, judge, pause_reasons, trading_state, widens
from runner.core.settings import TradeConfig
from runner.core.status import PauseReason
from runner.core.trading_state import PERMITTED, OrderPath, TradingState
from runner.wire.commands import Command, CommandAction
from runner.wire.heartbeat import ServerHeartbeat

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
CONFIG = TradeConfig(
    version=1,
    bot_status="ACTIVE",
    account_status="ACTIVE",
    subscription_status="ACTIVE",
)
ACCOUNT = Account(
    login=1, server="demo", currency="USD", balance=10_000.0, equity=10_000.0
)
CLEAR = Situation(
    wall=NOW,
    config=CONFIG,
    server=ServerHeartbeat(
        bot_status="ACTIVE",
        account_status="ACTIVE",
        subscription_status="ACTIVE",
        dd_blocked=False,
    ),
    account=ACCOUNT,
    config_confirmed_at=NOW,
)
OPEN = OrderIntent(strategy="S", symbol="EURUSD", action=Action.OPEN, side=Side.BUY)
CLOSE = OrderIntent(strategy="S", symbol="EURUSD", action=Action.CLOSE)

SERVER = CLEAR.server or ServerHeartbeat()

RESTRICTIONS: dict[str, dict[str, Any]] = {
    "NO_CONFIG": {"config": None},
    "PAUSED": {"config": attrs.evolve(CONFIG, bot_status="PAUSED")},
    "INACTIVE": {"config": attrs.evolve(CONFIG, account_status="INACTIVE")},
    "CANCELLED": {"config": attrs.evolve(CONFIG, subscription_status="CANCELLED")},
    "EXPIRED": {"config": attrs.evolve(CONFIG, subscription_expiry=NOW)},
    "DD_BLOCKED": {"config": attrs.evolve(CONFIG, dd_blocked=True)},
    "CONFIG_STALE": {"config_confirmed_at": NOW - timedelta(hours=24, seconds=1)},
    "server.bot_status": {"server": attrs.evolve(SERVER, bot_status="PAUSED")},
    "server.account_status": {"server": attrs.evolve(SERVER, account_status="X")},
    "server.subscription_status": {
        "server": attrs.evolve(SERVER, subscription_status="EXPIRED")
    },
    "server.dd_blocked": {"server": attrs.evolve(SERVER, dd_blocked=True)},
    "command": {"command": Command(action=CommandAction.PAUSE, seq=1)},
    "ACCOUNT_UNKNOWN": {"account": None},
    "TRADE_NOT_ALLOWED": {"account": attrs.evolve(ACCOUNT, trade_allowed=False)},
    "LEASE_LOST": {"lease_held": False},
    "DAILY_DRAWDOWN": {"guards": [Denial("drawdown", Deny("DAILY_DRAWDOWN"))]},
}


def test_entries_are_allowed_when_nothing_speaks_against_them():
    """With a confirmed config, a readable account and no restriction, none holds."""
    assert () == pause_reasons(CLEAR)
    assert TradingState.ACTIVE is trading_state(pause_reasons(CLEAR))


@pytest.mark.parametrize("name", RESTRICTIONS)
def test_each_restriction_alone_allows_exits_only(name):
    """Every single restriction gives a reason that names it; risk exits go on."""
    reasons = pause_reasons(attrs.evolve(CLEAR, **RESTRICTIONS[name]))

    assert any(name in (reason.source, reason.code) for reason in reasons)
    assert OrderPath.ENTRY not in PERMITTED[trading_state(reasons)]
    assert OrderPath.RISK_EXIT in PERMITTED[trading_state(reasons)]


@given(st.sets(st.sampled_from(sorted(RESTRICTIONS)), min_size=2))
def test_lifting_one_restriction_never_lifts_another(names):
    """Reasons are kept by source: while any restriction is left, entries stay shut."""
    changes: dict[str, Any] = {}
    for name in names:
        changes |= RESTRICTIONS[name]
    for lifted in changes:
        left = {name: value for name, value in changes.items() if name != lifted}
        reasons = pause_reasons(attrs.evolve(CLEAR, **left))

        assert bool(left) == bool(reasons)


def test_an_entry_is_denied_by_every_reason_to_pause():
    """Reasons to pause become denials of an opening, each by its source."""
    reasons = (PauseReason("server.bot_status", "PAUSED"),)

    denials = judge(OPEN, reasons=reasons, host=(), guards=())

    assert (Denial("server.bot_status", Deny("PAUSED")),) == denials


def test_an_exit_passes_every_reason_to_pause():
    """A pause is reduce-only: exits go on."""
    reasons = (PauseReason("server.bot_status", "PAUSED"),)

    assert () == judge(CLOSE, reasons=reasons, host=(), guards=())


def test_a_broken_guard_denies_an_entry_and_never_an_exit():
    """Failing closed means that exposure cannot rise; an exit lowers it."""
    broken = (Denial("mine", Deny("GUARD_FAILED", "boom")),)

    assert broken == judge(OPEN, reasons=(), host=(), guards=broken)
    assert () == judge(CLOSE, reasons=(), host=(), guards=broken)


LONG = Position(
    ticket=5,
    symbol="EURUSD",
    side=Side.BUY,
    volume=0.1,
    opened_at=NOW,
    open_price=1.1,
    stop_loss=1.09,
)
SHORT = attrs.evolve(LONG, ticket=6, side=Side.SELL, stop_loss=1.11)


@pytest.mark.parametrize(
    ("position", "price", "expected"),
    [
        (LONG, 1.089, True),
        (LONG, 1.08999, True),
        (LONG, 1.09, False),
        (LONG, 1.089999, False),  # binary noise, or less than a tick
        (LONG, 1.095, False),
        (SHORT, 1.111, True),
        (SHORT, 1.105, False),
        (attrs.evolve(LONG, stop_loss=0.0), 1.0, False),
        (attrs.evolve(LONG, symbol="GBPUSD"), 1.0, False),
        (attrs.evolve(LONG, ticket=7), 1.0, False),
        (LONG, None, False),
    ],
)
def test_a_stop_that_moves_away_from_the_market_widens(position, price, expected):
    """A first stop never does, nor one that stays where it is."""
    intent = OrderIntent(
        strategy="S",
        symbol="EURUSD",
        action=Action.PROTECT,
        ticket=6 if position is SHORT else 5,
        stop_loss_price=price,
        take_profit_price=1.2,
    )

    assert expected is widens(intent, [position], 0.00001)


def test_one_of_several_stops_that_would_widen_is_enough():
    """An intent without a ticket is about every position of the symbol."""
    intent = OrderIntent(
        strategy="S", symbol="EURUSD", action=Action.PROTECT, stop_loss_price=1.1
    )

    assert not widens(intent, [LONG, SHORT], 0.00001)
    assert widens(attrs.evolve(intent, stop_loss_price=1.08), [SHORT, LONG], 0.00001)


def test_widening_a_stop_is_judged_as_an_entry():
    """By reasons and by guards that broke, as it raises what may be lost."""
    protect = OrderIntent(
        strategy="S", symbol="EURUSD", action=Action.PROTECT, stop_loss_price=1.08
    )
    paused = (PauseReason("server.bot_status", "PAUSED"),)
    broken = (Denial("mine", Deny("GUARD_FAILED", "boom")),)

    for is_widening in (True, False):
        denials = judge(
            protect, reasons=paused, host=(), guards=broken, is_widening=is_widening
        )
        expected = ["PAUSED", "GUARD_FAILED"] if is_widening else []
        assert expected == [denial.deny.code for denial in denials]


def test_a_guard_may_deny_an_exit_by_saying_so():
    """Some firms forbid closing around news, so a spoken denial of an exit counts."""
    spoken = (Denial("news", Deny("NEWS_WINDOW")),)

    assert spoken == judge(CLOSE, reasons=(), host=(), guards=spoken)


def test_an_unknown_account_holds_a_strategys_exits_too():
    """What a strategy would decide on is not known, so nothing is sent for it."""
    reasons = pause_reasons(attrs.evolve(CLEAR, account=None))

    (denial,) = judge(CLOSE, reasons=reasons, host=(), guards=())

    assert "ACCOUNT_UNKNOWN" == denial.deny.code


def test_an_emergency_stop_latches_and_a_flatten_reduces():
    """Both close everything; only the stop needs a person afterwards."""
    states = [
        trading_state(
            pause_reasons(attrs.evolve(CLEAR, command=Command(action=action, seq=1)))
        )
        for action in (CommandAction.EMERGENCY_STOP, CommandAction.FLATTEN)
    ]

    assert [TradingState.LATCHED, TradingState.REDUCING] == states


def test_an_account_flattens_only_while_who_pauses_it_closes_something():
    """A guard that closes one symbol before news does not stop the others."""
    paused = (PauseReason("drawdown", "DAILY_DRAWDOWN", "", TradingState.LATCHED),)

    assert TradingState.FLATTENING is trading_state(paused, {"drawdown"})
    assert TradingState.LATCHED is trading_state(paused, {"news_pause"})
    assert TradingState.ACTIVE is trading_state((), {"news_pause"})


def test_a_guards_latch_becomes_the_accounts_state():
    """What `check_trading` says about the state is kept with the reason."""
    deny = Deny("MAX_DRAWDOWN", "used=10%", TradingState.LATCHED)
    reasons = pause_reasons(attrs.evolve(CLEAR, guards=[Denial("drawdown", deny)]))

    assert TradingState.LATCHED is trading_state(reasons)
