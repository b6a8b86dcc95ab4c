"""The drawdown guard through its hooks: what it denies, remembers and reports."""

from __future__ import annotations

import json
import logging
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest

from plugins.drawdown.guard import Drawdown
from plugins.drawdown.marks import Latch, Marks
from plugins.drawdown.record import RecordError, from_record, to_record
from runner import Account, DailyReset, Deny, TradeConfig, TradingState
from runner.testing import MemoryState, make_account, make_plugin, make_trade_config

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
RESET = datetime(2026, 1, 15, 22, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
KEY = "123456@Test-Demo"
BROKER = DailyReset.parse("broker")


class CountingState(MemoryState):
    """Durable values that count their writes."""

    def __init__(self) -> None:
        super().__init__()
        self.puts = 0

    def put(self, key: str, value: Any) -> None:
        """Store and count."""
        self.puts += 1
        super().put(key, value)


class BrokenState(MemoryState):
    """Durable values on a disk that fails while it is told to."""

    fails_to_get = False
    fails_to_put = False

    def get(self, key: str) -> Any | None:
        """Read, or fail."""
        if self.fails_to_get:
            raise OSError("disk I/O error")
        return super().get(key)

    def put(self, key: str, value: Any) -> None:
        """Store, or fail."""
        if self.fails_to_put:
            raise OSError("disk full")
        super().put(key, value)


def make_config(
    daily: float | None = 5.0, maximum: float | None = 10.0, **changes: Any
) -> TradeConfig:
    """Return a trade config with those limits."""
    return make_trade_config(
        daily_dd_limit_percent=daily, max_account_dd_percent=maximum, **changes
    )


CONFIG = make_config()


def reading(balance: float, equity: float | None = None) -> Account:
    """Return a reading; equity is the balance unless it is given."""
    return make_account(balance, equity=balance if equity is None else equity)


def ask(
    plugin: Drawdown, account: Account, now: datetime, config: TradeConfig = CONFIG
) -> Deny | None:
    """Do what the loop does in one cycle."""
    plugin.on_account(account, config, now)
    return plugin.check_trading(account, config, now)


@pytest.fixture
def state() -> CountingState:
    """What survives a restart."""
    return CountingState()


@pytest.fixture
def plugin(state: CountingState) -> Drawdown:
    """A guard that saw an account of 10,000 at noon."""
    plugin = make_plugin(Drawdown, state)
    assert ask(plugin, reading(10_000), NOON) is None
    return plugin


def test_a_floating_loss_of_the_days_limit_denies(plugin: Drawdown) -> None:
    """Equity is measured; that nothing is closed does not matter."""
    assert ask(plugin, reading(10_000, 9_500.01), NOON + HOUR) is None

    deny = ask(plugin, reading(10_000, 9_500), NOON + HOUR)

    assert deny == Deny(
        "DAILY_DRAWDOWN",
        "used=5.00% limit=5% floor=9500.00 equity=9500.00 until=2026-01-15T22:00Z",
        TradingState.LATCHED,
    )


def test_it_still_denies_after_a_recovery_and_a_restart(
    plugin: Drawdown, state: CountingState
) -> None:
    """The latch is on disk, with the figures of the breach."""
    first = ask(plugin, reading(10_000, 9_400), NOON + HOUR)
    assert first == ask(plugin, reading(10_000, 9_990), NOON + 2 * HOUR)

    restarted = make_plugin(Drawdown, state)

    assert first is not None
    assert first == ask(restarted, reading(10_000, 9_990), NOON + 3 * HOUR)


def test_the_next_day_releases_it(plugin: Drawdown) -> None:
    """At the reset itself, whether anything trades or not."""
    account = reading(9_450)
    ask(plugin, account, NOON + HOUR)

    assert ask(plugin, account, RESET - MINUTE) is not None
    assert ask(plugin, account, RESET) is None
    assert ask(plugin, reading(9_450, 8_980), RESET + MINUTE) is not None


def test_the_next_day_releases_it_also_after_a_restart(
    plugin: Drawdown, state: CountingState
) -> None:
    """A runner that was down at the reset does not stay blocked."""
    ask(plugin, reading(10_000, 9_400), NOON + HOUR)

    restarted = make_plugin(Drawdown, state)

    assert ask(restarted, reading(9_400), RESET + HOUR) is None
    status = restarted.describe_status(reading(9_400), RESET + HOUR)
    assert "true" == status["dd_estimated"]


def test_the_maximum_denies_until_the_server_releases_it(
    plugin: Drawdown, state: CountingState
) -> None:
    """Through days and restarts; two configs of the server end it."""
    low = reading(8_990)
    deny = ask(plugin, low, NOON + HOUR)
    assert deny is not None
    assert deny.code == "MAX_DRAWDOWN"
    assert deny == ask(plugin, low, NOON + 3 * DAY)

    restarted = make_plugin(Drawdown, state)
    now = NOON + 4 * DAY
    assert deny == ask(restarted, low, now)
    told = make_config(version=2, dd_blocked=True)
    assert deny == ask(restarted, low, now + MINUTE, told)

    again = make_plugin(Drawdown, state)
    cleared = make_config(version=3, dd_blocked=False)
    assert ask(again, low, now + 2 * MINUTE, cleared) is None
    status = again.describe_status(low, now + 2 * MINUTE)
    assert ("8990.0000", "0.0000") == (status["peak_balance"], status["max_dd_percent"])


def test_without_limits_nothing_is_denied_but_all_is_reported(
    plugin: Drawdown,
) -> None:
    """Protection off, or no percentage: the figures go on."""
    low = reading(10_000, 5_000)
    for config in (
        make_config(dd_protection_enabled=False),
        make_config(None, None),
    ):
        assert ask(plugin, low, NOON + HOUR, config) is None
        status = plugin.describe_status(low, NOON + HOUR)
        assert "false" == status["dd_blocked"]
        assert "50.0000" == status["daily_dd_percent"]


def test_a_limit_that_was_switched_off_and_on_still_holds(plugin: Drawdown) -> None:
    """The latch waits; switching is no release."""
    low = reading(10_000, 9_400)
    assert ask(plugin, low, NOON + HOUR) is not None
    off = make_config(dd_protection_enabled=False)
    assert ask(plugin, low, NOON + HOUR, off) is None

    assert ask(plugin, reading(10_000), NOON + 2 * HOUR) is not None


def test_one_limit_may_stand_alone(plugin: Drawdown) -> None:
    """A missing daily limit leaves the maximum, and the reverse."""
    low = reading(10_000, 8_900)

    deny = ask(plugin, low, NOON + HOUR, make_config(None, 10.0))
    assert deny is not None
    assert "MAX_DRAWDOWN" == deny.code
    assert ask(plugin, low, NOON + HOUR, make_config(50.0, None)) is None


def test_the_server_lowers_the_limit_at_once(plugin: Drawdown) -> None:
    """The limit in force is the one of the config in force."""
    account = reading(10_000, 9_750)
    assert ask(plugin, account, NOON + HOUR) is None

    assert ask(plugin, account, NOON + HOUR, make_config(2.0)) is not None


@pytest.mark.parametrize(
    "account",
    [
        reading(10_000, 0.0),
        reading(10_000, -math.inf),
        reading(10_000, math.nan),
        reading(10_000, math.inf),
        reading(0.0, 10_000),
        reading(math.nan, 10_000),
    ],
    ids=lambda account: f"{account.balance}/{account.equity}",
)
def test_an_account_that_cannot_be_right_is_denied(
    plugin: Drawdown, account: Account
) -> None:
    """It neither trades nor leaves a mark."""
    deny = ask(plugin, account, NOON + HOUR)

    assert deny is not None
    assert "ACCOUNT_UNREADABLE" == deny.code
    assert ask(plugin, reading(10_000), NOON + 2 * HOUR) is None


def test_an_equity_below_zero_is_a_breach(plugin: Drawdown) -> None:
    """A gap lost more than there was: no figure of a terminal that is connecting."""
    deny = ask(plugin, reading(10_000, -1.0), NOON + HOUR)

    assert deny is not None
    assert "MAX_DRAWDOWN" == deny.code
    assert ask(plugin, reading(10_000), NOON + 2 * HOUR) == deny


def test_without_market_time_no_day_can_be_told() -> None:
    """Before the first quote the market's time is at the start of all times."""
    plugin = make_plugin(Drawdown)
    never = datetime.min.replace(tzinfo=UTC)

    deny = ask(plugin, reading(10_000), never)

    assert deny is not None
    assert "MARKET_TIME_UNKNOWN" == deny.code
    assert {} == plugin.describe_status(account=reading(10_000), now=never)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("format", 1),
        ("day_start", "yesterday"),
        ("day_start", "2026-01-15T00:00:00"),
        ("day_equity", "10000"),
        ("peak_balance", None),
        ("peak_equity", True),
        ("is_estimated", None),
        ("daily", "yes"),
        ("maximum", {"code": "MAX_DRAWDOWN"}),
    ],
)
def test_a_record_that_cannot_be_read_denies(
    plugin: Drawdown, state: CountingState, path: str, value: Any
) -> None:
    """What is not known to be unblocked is blocked; the denial says what to do."""
    record = state.get(KEY)
    assert record is not None
    state.put(KEY, record | {path: value})
    restarted = make_plugin(Drawdown, state)

    deny = ask(restarted, reading(10_000), NOON + HOUR)

    assert deny is not None
    assert "DRAWDOWN_STATE" == deny.code
    assert f"$.{path}" in deny.detail
    assert "restore the state directory" in deny.detail
    status = restarted.describe_status(reading(10_000), NOON + HOUR)
    assert "true" == status["dd_blocked"]


@pytest.mark.parametrize("record", [[], "x", 1, False])
def test_a_record_of_another_kind_denies(state: CountingState, record: Any) -> None:
    """Also one that is no object at all."""
    state.put(KEY, record)

    deny = ask(make_plugin(Drawdown, state), reading(10_000), NOON)

    assert deny is not None
    assert "DRAWDOWN_STATE" == deny.code


def test_a_disk_that_cannot_be_read_raises_until_it_can() -> None:
    """The host turns that into a denial; the marks are not begun anew meanwhile."""
    state = BrokenState()
    ask(make_plugin(Drawdown, state), reading(10_000), NOON)
    state.fails_to_get = True
    restarted = make_plugin(Drawdown, state)

    for _ in range(2):
        with pytest.raises(OSError, match="disk I/O error"):
            restarted.check_trading(reading(9_400), CONFIG, NOON + HOUR)
    assert {} == restarted.describe_status(reading(9_400), NOON + HOUR)

    state.fails_to_get = False
    deny = ask(restarted, reading(9_400), NOON + HOUR)
    assert deny is not None
    assert "DAILY_DRAWDOWN" == deny.code


def test_a_breach_that_cannot_be_stored_is_tried_again() -> None:
    """Entries stay denied (the host counts the error), and the latch gets to disk."""
    state = BrokenState()
    plugin = make_plugin(Drawdown, state)
    ask(plugin, reading(10_000), NOON)
    low = reading(10_000, 9_400)
    state.fails_to_put = True
    for _ in range(2):
        with pytest.raises(OSError, match="disk full"):
            plugin.check_trading(low, CONFIG, NOON + HOUR)

    state.fails_to_put = False
    deny = plugin.check_trading(low, CONFIG, NOON + HOUR)

    assert deny is not None
    record = state.get(KEY)
    assert record is not None
    assert deny.detail == record["daily"]["detail"]


def test_another_account_has_its_own_marks(plugin: Drawdown) -> None:
    """A terminal that was switched by hand does not inherit a peak."""
    other = attrs.evolve(reading(500.0), login=999)

    assert ask(plugin, other, NOON + HOUR) is None
    status = plugin.describe_status(other, NOON + HOUR)
    assert "500.0000" == status["peak_balance"]
    assert ask(plugin, reading(10_000, 9_400), NOON + HOUR) is not None


def test_what_the_heartbeat_gets(plugin: Drawdown) -> None:
    """Both losses, the block, the peak and when the day ends."""
    account = reading(10_000, 9_800)
    ask(plugin, account, NOON + HOUR)

    assert {
        "dd_blocked": "false",
        "dd_block_reason": "",
        "daily_dd_percent": "2.0000",
        "max_dd_percent": "2.0000",
        "daily_dd_limit_used": "40.0000",
        "max_dd_limit_used": "20.0000",
        "daily_dd_floor": "9500.0000",
        "max_dd_floor": "9000.0000",
        "peak_balance": "10000.0000",
        "dd_reset_at": "2026-01-15T22:00:00Z",
        "dd_estimated": "true",
    } == plugin.describe_status(account, NOON + HOUR)
    ask(plugin, account, RESET)
    assert "false" == plugin.describe_status(account, RESET)["dd_estimated"]


def test_the_block_reason_is_code_and_figures(plugin: Drawdown) -> None:
    """The server shows it to a person."""
    account = reading(10_000, 9_400)
    deny = ask(plugin, account, NOON + HOUR)

    status = plugin.describe_status(account, NOON + HOUR)

    assert "true" == status["dd_blocked"]
    assert str(deny) == status["dd_block_reason"]


def test_the_servers_peak_counts_at_the_first_start() -> None:
    """A new installation does not forget what the account lost before."""
    plugin = make_plugin(Drawdown)
    config = make_config(peak_balance=12_000.0)

    deny = ask(plugin, reading(10_000), NOON, config)

    assert deny is not None
    assert "MAX_DRAWDOWN" == deny.code
    assert "used=16.67%" in deny.detail


def test_the_servers_peak_can_be_another_accounts() -> None:
    """A paper account begins with its own balance, whatever the server remembers."""
    plugin = make_plugin(Drawdown, server_peak=False)
    account = reading(10_000)

    assert ask(plugin, account, NOON, make_config(peak_balance=12_000.0)) is None
    assert "10000.0000" == plugin.describe_status(account, NOON)["peak_balance"]


def test_readings_without_news_write_nothing(
    plugin: Drawdown, state: CountingState
) -> None:
    """Rising equity alone is not written where no rule counts from it."""
    written = state.puts
    for minute in range(600):
        ask(plugin, reading(10_000, 10_000 + minute), NOON + minute * MINUTE / 2)

    assert written == state.puts


def test_equity_peaks_are_written_once_a_minute_and_at_the_end() -> None:
    """A crash loses a minute of them at most, a clean stop nothing."""
    state = CountingState()
    plugin = make_plugin(Drawdown, state, max_mode="trailing_equity")
    ask(plugin, reading(10_000), NOON)
    for second in range(600):
        account = reading(10_000, 10_001 + second)
        ask(plugin, account, NOON + timedelta(seconds=second))
    assert 1 + 9 == state.puts

    plugin.on_stopping("test", NOON + HOUR)

    record = state.get(KEY)
    assert record is not None
    assert 10_600 == record["peak_equity"]


def test_a_new_balance_peak_is_written_at_once(
    plugin: Drawdown, state: CountingState
) -> None:
    """It comes with a closed trade, seldom enough."""
    ask(plugin, reading(10_050), NOON + HOUR)

    record = state.get(KEY)
    assert record is not None
    assert 10_050 == record["peak_balance"]


def test_each_change_is_logged_once(
    plugin: Drawdown, caplog: pytest.LogCaptureFixture
) -> None:
    """Breach and new day, not every reading in between."""
    with caplog.at_level(logging.INFO, "mt5runner.plugins.drawdown"):
        for minute in range(10):
            ask(plugin, reading(10_000, 9_400), NOON + minute * MINUTE)
        for minute in range(10):
            ask(plugin, reading(9_400), RESET + minute * MINUTE)

    breach, new_day = caplog.messages
    assert breach.startswith("entries stop: DAILY_DRAWDOWN: used=6.00% limit=5%")
    assert "the daily limit counts from a new day, entries may go on" == new_day


def test_a_start_tells_what_holds_and_what_is_estimated(
    plugin: Drawdown, state: CountingState, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody who looks at the new log must not miss what the old one said."""
    ask(plugin, reading(8_900), NOON + HOUR)
    caplog.clear()

    with caplog.at_level(logging.INFO, "mt5runner.plugins.drawdown"):
        ask(make_plugin(Drawdown, state), reading(8_900), RESET + HOUR)

    block, estimated = caplog.messages
    assert block.startswith("entries stop: MAX_DRAWDOWN: used=11.00% limit=10%")
    assert estimated.startswith("nobody looked at the account when the day began at 20")


# -- the record ------------------------------------------------------------------------
LATCH = Latch(
    code="MAX_DRAWDOWN",
    detail="used=10.00%",
    at=NOON,
    config_version=5,
    told_version=6,
)
MARKS = Marks(
    day_start=RESET - DAY,
    day_end=RESET,
    is_estimated=True,
    day_balance=10_000.0,
    day_equity=10_000.1 + 0.2,
    day_peak_equity=1e-9,
    peak_balance=1e12,
    peak_equity=-0.0,
    peak_day_balance=3.0,
    daily=attrs.evolve(LATCH, told_version=None),
    maximum=LATCH,
)


@pytest.mark.parametrize(
    "marks", [MARKS, attrs.evolve(MARKS, daily=None, maximum=None, is_estimated=False)]
)
def test_marks_come_back_as_they_were(marks: Marks) -> None:
    """Through JSON, as on disk, to the last bit."""
    record = json.loads(json.dumps(to_record(marks)))

    assert marks == from_record(record, BROKER)


@pytest.mark.parametrize("part", sorted(to_record(MARKS)))
def test_a_record_without_any_of_its_parts_is_refused(part: str) -> None:
    """Half a memory is none."""
    record = to_record(MARKS)
    del record[part]

    with pytest.raises(RecordError, match=rf"\$\.{part}: expected"):
        from_record(record, BROKER)


@pytest.mark.parametrize("part", ["code", "detail", "at", "config_version"])
def test_half_a_latch_is_refused(part: str) -> None:
    """A block whose reason or time is lost is still a block."""
    record = to_record(MARKS)
    del record["maximum"][part]

    with pytest.raises(RecordError, match=rf"\$\.maximum\.{part}: expected"):
        from_record(record, BROKER)
