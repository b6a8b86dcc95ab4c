"""Every setting of the drawdown guard, through the whole runner.

`TESTS` names for each setting the test that fails when the setting is not wired.
"""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from drawdown_account import OTHER, PAIR, DrawdownAccount

from plugins.drawdown.settings import DrawdownSettings
from runner import DrawdownChoices, RiskConfig

TESTS = {
    "preset": "test_a_preset_chooses",
    "daily_reference": "test_the_day_counts_from_the_chosen_reference",
    "daily_percent_of": "test_the_daily_percentage_is_of_the_chosen_base",
    "daily_reset": "test_the_day_begins_when_chosen",
    "max_mode": "test_the_account_counts_from_the_chosen_mark",
    "max_percent_of": "test_the_maximum_percentage_is_of_the_chosen_base",
    "trail_lock_at_initial": "test_the_trailing_floor_locks_if_chosen",
    "touch_breaches": "test_an_equity_at_the_floor_is_a_breach_if_chosen",
    "initial_balance": "test_without_the_initial_balance_nothing_is_opened",
    "soft_limit_fraction": "test_near_a_limit_entries_pause_and_go_on_again",
    "buffer_percent": "test_what_costs_may_take_is_kept_free",
    "on_breach": "test_a_breach_closes_what_the_strategies_hold_if_chosen",
    "flatten_scope": "test_a_breach_closes_everything_if_chosen",
    "positions_without_stop": "test_what_has_no_stop_keeps_entries_out_unless_ignored",
    "broker_day": "test_the_brokers_day_is_the_servers",
    "server_peak": "test_the_servers_peak_counts_unless_told_otherwise",
    "dd_protection_enabled": "test_the_server_switches_the_limits_off_and_on",
    "daily_dd_limit_percent": "test_the_servers_daily_limit_is_kept",
    "max_account_dd_percent": "test_the_servers_maximum_limit_is_kept",
}
"""Setting, or field of the server's ``risk_config``, to its test in this file."""


def test_every_setting_has_its_test() -> None:
    """A setting that nothing tests end to end may be one that nothing obeys."""
    fields = {
        field.name
        for cls in (DrawdownSettings, RiskConfig)
        for field in attrs.fields(cls)
    }

    assert fields == set(TESTS)
    assert [] == [name for name in TESTS.values() if name not in globals()]


@pytest.fixture(params=["file", "server"])
def make(request: pytest.FixtureRequest) -> Any:
    """Make an account whose choices stand in the settings file, or on the server."""
    choices = {field.name for field in attrs.fields(DrawdownChoices)}

    def make(**given: Any) -> DrawdownAccount:
        if request.param == "server":
            return DrawdownAccount(**given)
        settings = {name: value for name, value in given.items() if name in choices}
        rest = {name: value for name, value in given.items() if name not in choices}
        return DrawdownAccount(settings=settings, **rest)

    return make


def floors(account: DrawdownAccount) -> tuple[float, float]:
    """Return both floors as the heartbeat tells them."""
    status = account.status
    return float(status["daily_dd_floor"]), float(status["max_dd_floor"])


# -- what is measured ------------------------------------------------------------------
@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        ("default", (98_705.0, 93_600.0)),
        ("static", (98_705.0, 90_000.0)),
        ("ftmo_2step", (98_900.0, 90_000.0)),
        ("ftmo_1step", (98_900.0, 93_900.0)),
        ("fundednext", (98_705.0, 90_000.0)),
        ("fundingpips", (98_705.0, 90_000.0)),
        ("metaapi_day", (98_705.0, 93_600.0)),
    ],
)
def test_a_preset_chooses(make: Any, preset: str, expected: Any) -> None:
    """A day that ended at 103900 after a peak of 104000."""
    account = make(preset=preset, initial_balance=100_000.0)
    account.trade(4_000)
    account.trade(-100)
    account.at("2026-01-15 12:00")

    assert expected == floors(account)


@pytest.mark.parametrize(
    ("reference", "floor"),
    [
        ("balance", 95_000.0),
        ("equity", 96_900.0),
        ("max_balance_equity", 96_900.0),
        ("intraday_peak_equity", 97_850.0),
    ],
)
def test_the_day_counts_from_the_chosen_reference(
    make: Any, reference: str, floor: float
) -> None:
    """An equity of 102000 at the reset, and of 103000 later."""
    account = make(daily_reference=reference)
    account.hold()
    account.equity(102_000)
    account.at("2026-01-14 22:00")
    account.equity(103_000)

    assert floor == floors(account)[0]


def test_the_daily_percentage_is_of_the_chosen_base(make: Any) -> None:
    """5 % of 80000 below 100000."""
    account = make(daily_percent_of="initial", initial_balance=80_000.0)

    assert 96_000 == floors(account)[0]


def test_the_day_begins_when_chosen(make: Any) -> None:
    """Not before, and not at the server's midnight."""
    account = make(daily_reset="01:15 Asia/Tokyo")
    account.trade(-1_000)
    account.at("2026-01-14 16:14")
    assert 95_000 == floors(account)[0]

    account.at("2026-01-14 16:15")
    assert 94_050 == floors(account)[0]


@pytest.mark.parametrize(
    ("day", "floor"), [("20:00 UTC", 94_050.0), ("21:00 UTC", 95_000.0)]
)
def test_the_brokers_day_is_the_servers(day: str, floor: float) -> None:
    """What `broker` stands for is said by the runner."""
    account = DrawdownAccount(settings={"broker_day": day})
    account.trade(-1_000)
    account.at("2026-01-14 20:00")

    assert floor == floors(account)[0]
    with pytest.raises(Exception, match="broker_day: expected HH:MM and an IANA zone"):
        DrawdownSettings(broker_day="20:00")


@pytest.mark.parametrize(
    ("mode", "floor"),
    [
        ("static", 90_000.0),
        ("trailing_balance", 91_800.0),
        ("trailing_eod_balance", 90_900.0),
        ("trailing_equity", 93_600.0),
    ],
)
def test_the_account_counts_from_the_chosen_mark(
    make: Any, mode: str, floor: float
) -> None:
    """An end of day at 101000, then a balance of 102000 and an equity of 104000."""
    account = make(max_mode=mode, initial_balance=100_000.0, daily_reference="balance")
    account.trade(1_000)
    account.at("2026-01-14 22:00")
    account.trade(1_000)
    account.hold()
    account.equity(104_000)

    assert floor == floors(account)[1]


def test_the_maximum_percentage_is_of_the_chosen_base(make: Any) -> None:
    """10 % of 100000 below a peak of 110000."""
    account = make(max_percent_of="initial", initial_balance=100_000.0)
    account.trade(10_000)

    assert 100_000 == floors(account)[1]


def test_the_trailing_floor_locks_if_chosen(make: Any) -> None:
    """At the initial balance, though the peak is a third higher."""
    account = make(trail_lock_at_initial=True, initial_balance=100_000.0)
    account.trade(30_000)

    assert 100_000 == floors(account)[1]


@pytest.mark.parametrize("touch", [True, False])
def test_an_equity_at_the_floor_is_a_breach_if_chosen(make: Any, touch: bool) -> None:
    """Some firms breach at the floor, some below."""
    account = make(touch_breaches=touch)
    account.hold()
    account.equity(95_000)
    assert (["DAILY_DRAWDOWN"] if touch else []) == account.codes

    account.equity(94_999)
    assert ["DAILY_DRAWDOWN"] == account.codes


def test_without_the_initial_balance_nothing_is_opened(make: Any) -> None:
    """What needs it refuses to guess; the server may give it while it runs."""
    account = make(max_mode="static")
    assert ["INITIAL_BALANCE_UNKNOWN"] == account.codes
    assert not account.buy(0.01)

    account.configure(initial_balance=105_000.0)
    account.cycle(2)
    assert 94_500 == floors(account)[1]
    assert account.buy(0.01)
    given = make(max_mode="static", initial_balance=102_000.0)
    assert 91_800 == floors(given)[1]


# -- before a limit --------------------------------------------------------------------
def test_near_a_limit_entries_pause_and_go_on_again(make: Any) -> None:
    """At 80 % of the limit; no breach, so it ends when the equity recovers."""
    account = make(soft_limit_fraction=0.8, positions_without_stop="ignore")
    account.hold()
    account.equity(96_001)
    assert [] == account.codes
    account.equity(96_000)
    assert ["DAILY_SOFT_LIMIT"] == account.codes
    account.equity(95_990)
    assert not account.buy(0.01, 10)
    assert "false" == account.status["dd_blocked"]

    account.equity(96_500)
    assert [] == account.codes
    assert account.buy(0.01, 10)


def test_what_costs_may_take_is_kept_free(make: Any) -> None:
    """A stop 3999 away fits into 5000 with a buffer of 1 %, one 4000 away does not."""
    account = make(buffer_percent=1.0)
    assert not account.buy(1.0, stop=4_000)
    assert ["DAILY_DRAWDOWN_RISK"] == account.denied.codes

    assert account.buy(1.0, stop=3_995)


def test_what_has_no_stop_keeps_entries_out_unless_ignored(make: Any) -> None:
    """A person's position without a stop could lose everything."""
    account = make()
    ticket = account.hold(0.1)
    assert not account.buy(0.01)
    assert ["NO_STOP"] == account.denied.codes
    account.send(type=account.terminal.ORDER_TYPE_SELL, volume=0.1, position=ticket)
    account.cycle()
    assert account.buy(0.01)
    assert not account.buy(0.01, stop=None)

    ignoring = make(positions_without_stop="ignore")
    ignoring.hold(0.1)
    assert ignoring.buy(0.01)
    assert ignoring.buy(0.01, stop=None)


# -- after a breach --------------------------------------------------------------------
@pytest.mark.parametrize("action", ["block", "flatten"])
def test_a_breach_closes_what_the_strategies_hold_if_chosen(
    make: Any, action: str
) -> None:
    """Another's position stays, and nothing is opened until the reset."""
    account = make(
        on_breach=action, positions_without_stop="ignore", daily_reference="equity"
    )
    account.buy(0.5, stop=4_000)
    account.buy(0.5, stop=4_000)
    manual = account.hold(2.0)
    account.equity(94_990)
    account.cycle(5)

    left = set(account.terminal.account.positions)
    if action == "block":
        assert 3 == len(left)
    else:
        assert {manual} == left
    assert "LATCHED" == account.runner.loop.gate.state.value
    assert not account.buy(0.01)
    account.at("2026-01-14 22:00")
    assert [] == account.codes


@pytest.mark.parametrize("scope", ["own", "account"])
def test_a_breach_closes_everything_if_chosen(make: Any, scope: str) -> None:
    """What a person holds, too, and what is pending."""
    account = make(on_breach="flatten", flatten_scope=scope)
    account.hold(2.0)
    terminal = account.terminal
    account.send(
        action=terminal.TRADE_ACTION_PENDING,
        type=terminal.ORDER_TYPE_BUY_LIMIT,
        volume=0.1,
        price=0.9,
    )
    account.equity(94_990)
    account.cycle(5)

    left = len(terminal.account.positions), len(terminal.account.orders)
    assert ((1, 1) if scope == "own" else (0, 0)) == left


# -- the server's word -----------------------------------------------------------------
def test_the_servers_peak_counts_unless_told_otherwise() -> None:
    """An account that is new here may have lost much before."""
    for counts in (True, False):
        account = DrawdownAccount(
            settings={"server_peak": counts}, peak_balance=120_000.0
        )
        assert (["MAX_DRAWDOWN"] if counts else []) == account.codes


def test_the_server_switches_the_limits_off_and_on() -> None:
    """Off, nothing is denied nor closed; on, what was latched holds."""
    account = DrawdownAccount(on_breach="flatten", flatten_scope="account")
    account.hold()
    account.configure(dd_protection_enabled=False)
    account.equity(94_000)
    assert [] == account.codes
    assert 1 == account.held

    account.configure(dd_protection_enabled=True)
    account.cycle(3)
    assert ["DAILY_DRAWDOWN"] == account.codes
    assert 0 == account.held


def test_the_servers_daily_limit_is_kept() -> None:
    """The one of the config in force; none is none."""
    account = DrawdownAccount(daily_dd_limit_percent=None)
    account.hold()
    account.equity(96_999)
    assert [] == account.codes

    account.configure(daily_dd_limit_percent=3.0)
    account.cycle(2)
    assert ["DAILY_DRAWDOWN"] == account.codes


def test_the_servers_maximum_limit_is_kept() -> None:
    """The one of the config in force; none is none."""
    account = DrawdownAccount(max_account_dd_percent=None, daily_dd_limit_percent=None)
    account.hold()
    account.equity(93_000)
    assert [] == account.codes

    account.configure(max_account_dd_percent=7.0)
    account.cycle(2)
    assert ["MAX_DRAWDOWN"] == account.codes


def test_the_servers_choice_goes_before_the_files() -> None:
    """Preset and choices of the file first, then preset and choices of the server."""
    account = DrawdownAccount(
        settings={"preset": "ftmo_2step", "initial_balance": 100_000.0},
        preset="default",
        daily_reference="equity",
    )
    account.hold()
    account.equity(102_000)
    account.at("2026-01-14 22:00")  # the server's midnight, not Prague's

    assert (96_900, 90_000) == floors(account)


# -- the worst case --------------------------------------------------------------------
def test_open_risk_counts_in_every_symbol() -> None:
    """Two positions that fit alone and not together."""
    account = DrawdownAccount(buffer_percent=0.0)
    assert account.buy(1.0, stop=3_000, symbol=OTHER)
    assert not account.buy(1.0, stop=2_000)
    assert ["DAILY_DRAWDOWN_RISK"] == account.denied.codes

    assert account.buy(1.0, stop=1_990)


def test_what_floats_is_not_counted_twice() -> None:
    """A position 1000 down with its stop 1000 further risks 1000, not 2000."""
    account = DrawdownAccount(buffer_percent=0.0)
    account.buy(1.0, stop=2_000, symbol=OTHER)
    account.other -= 0.01
    account.tick()

    assert not account.buy(1.0, stop=3_010)
    assert account.buy(1.0, stop=2_990)


def test_pending_orders_count_as_if_they_were_filled() -> None:
    """They may be filled all at once."""
    account = DrawdownAccount(buffer_percent=0.0)
    account.send(
        action=account.terminal.TRADE_ACTION_PENDING,
        type=account.terminal.ORDER_TYPE_BUY_LIMIT,
        volume=1.0,
        price=1.08,
        sl=1.04,
    )
    account.cycle()

    assert not account.buy(1.0, stop=1_010)
    assert account.buy(1.0, stop=990)


def test_a_strategys_own_pending_order_is_judged_like_an_entry() -> None:
    """Placed it may be filled at any time; without a stop it is refused."""
    account = DrawdownAccount(buffer_percent=0.0)

    def place(stop: float | None) -> Any:
        return lambda own: own.buy_limit(PAIR, 1.08, volume=1.0, stop_loss=stop)

    assert not account.wish(place(5_100))
    assert not account.wish(place(None))
    assert ["DAILY_DRAWDOWN_RISK", "NO_STOP"] == account.denied.codes
    assert account.wish(place(3_000))
    assert 1 == len(account.terminal.account.orders)
    assert not account.buy(1.0, stop=2_100)
    assert account.buy(1.0, stop=1_900)


@pytest.mark.parametrize(("away", "allowed"), [(4_900, True), (5_100, False)])
def test_a_stop_is_not_moved_out_of_what_the_limits_leave(
    away: int, allowed: bool
) -> None:
    """Moved away it costs more than the day has left; nearer it may always go."""
    account = DrawdownAccount(buffer_percent=0.0)
    account.buy(1.0, stop=1_000)
    stop = 1.1 - away / 100_000

    def move(own: Any) -> Any:
        return own.protect(own.positions(PAIR)[0], stop_loss=stop)

    assert allowed == account.wish(move)
    [held] = account.terminal.account.positions.values()
    assert pytest.approx(stop if allowed else 1.09, abs=2e-5) == held.sl
    assert account.wish(
        lambda own: own.protect(own.positions(PAIR)[0], stop_loss=1.095)
    )


@pytest.mark.parametrize("wish", ["buy", "buy_limit"])
@pytest.mark.parametrize(("hedging", "allowed"), [(True, True), (False, False)])
def test_an_addition_takes_the_netted_position_s_stop_with_it(
    wish: str, *, hedging: bool, allowed: bool
) -> None:
    """There is one stop for both, and the newest order's is that stop."""
    account = DrawdownAccount(terminal={"hedging": hedging}, buffer_percent=0.0)
    account.buy(1.0, stop=1_000)
    price = [] if wish == "buy" else [1.0999]

    def add(stop: int) -> Any:
        return lambda own: getattr(own, wish)(PAIR, *price, volume=1.0, stop_loss=stop)

    assert allowed == account.wish(add(3_000))
    if not allowed:
        assert ["DAILY_DRAWDOWN_RISK"] == account.denied.codes
        assert account.wish(add(2_000))


def test_a_close_is_never_denied() -> None:
    """Neither by a latch nor by what has no stop."""
    account = DrawdownAccount()
    account.buy(1.0, stop=4_800)
    account.hold(2.0)
    account.equity(94_000)
    assert ["DAILY_DRAWDOWN"] == account.codes

    assert account.wish(lambda own: own.close(PAIR))
    assert 1 == account.held
