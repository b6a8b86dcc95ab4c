"""Connecting, staying on one account, and connecting again."""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import attrs
import pytest

from runner.adapters.mt5 import MT5Adapter, MT5Settings
from runner.adapters.mt5.session import retry_delay
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal
from runner.core.market import Timeframe
from runner.core.orders import Action, OrderRequest, Outcome, Side
from runner.core.server_time import ServerZone
from runner.ports import Login, UnavailableError

NOW = datetime(2026, 1, 14, 10, 0, tzinfo=UTC)
GONE = (-10001, "IPC send failed")


@attrs.define
class Hands:
    """A clock that the test moves."""

    time: float = 0.0

    def now(self) -> datetime:
        """Return the date, and the time that went by."""
        return NOW + timedelta(seconds=self.time)

    def monotonic(self) -> float:
        """Return the time that went by."""
        return self.time

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.time += seconds


class Flaky:
    """A terminal with one account, whose pipe and account a test breaks."""

    def __init__(self) -> None:
        self.account = SimpleNamespace(
            login=1, server="S", currency="USD", balance=100.0, equity=100.0,
            credit=0.0, margin=0.0, margin_free=100.0, leverage=100, margin_mode=2,
            trade_mode=0, trade_allowed=True, trade_expert=True,
        )  # fmt: skip
        self.terminal = SimpleNamespace(
            connected=True, trade_allowed=True, tradeapi_disabled=False, maxbars=100_000
        )
        self.calls: list[tuple[Any, ...]] = []
        self.broken: tuple[int, str] | None = None
        self.refusals: deque[tuple[int, str]] = deque()
        self.error = (1, "Success")

    def initialize(self, *path: str, **options: Any) -> bool:
        """Connect, unless a refusal is planned."""
        self.calls.append(("initialize", path, options))
        self.error = (1, "Success")
        if self.refusals:
            self.error = self.refusals.popleft()
            return False
        self.broken = None
        return True

    def shutdown(self) -> bool:
        """Let go."""
        self.calls.append(("shutdown",))
        return True

    def last_error(self) -> tuple[int, str]:
        """Return what the last call left."""
        return self.error

    def account_info(self) -> Any:
        """Return the account."""
        return self._unless_broken(self.account)

    def terminal_info(self) -> Any:
        """Return the switches."""
        return self._unless_broken(self.terminal)

    def positions_get(self, **chosen: Any) -> Any:
        """Return no positions."""
        return self._unless_broken(())

    def _unless_broken(self, value: Any) -> Any:
        self.error = self.broken or (1, "Success")
        return None if self.broken else value

    def tries(self) -> int:
        """Return how often a connection was tried."""
        return [call[0] for call in self.calls].count("initialize")


@attrs.define
class Case:
    """An adapter over a flaky terminal."""

    terminal: Flaky
    clock: Hands
    adapter: MT5Adapter


def case(login: Login | None = None, **settings: Any) -> Case:
    """Return a connected adapter."""
    terminal: Any = Flaky()
    clock = Hands()
    adapter = MT5Adapter(terminal, clock, MT5Settings(**settings))
    adapter.connect(login or Login(account=1, server="S"))
    return Case(terminal, clock, adapter)


# -- connecting ------------------------------------------------------------------------
def test_everything_that_is_known_of_the_login_is_passed_on() -> None:
    """Path, account, password, server and time-out go to the terminal as it wants."""
    login = Login(account=1, password="secret", server="S", terminal_path=r"C:\t.exe")
    setup = case(login, connect_timeout=timedelta(seconds=30))

    options = {"login": 1, "password": "secret", "server": "S", "timeout": 30_000}
    assert [("initialize", (r"C:\t.exe",), options)] == setup.terminal.calls


def test_nothing_that_is_not_known_is_passed_on() -> None:
    """Without a login the terminal's own account is taken, without switching it."""
    setup = case(Login())

    assert [("initialize", (), {"timeout": 60_000})] == setup.terminal.calls


def test_path_is_needed_when_settings_say_so() -> None:
    """With several terminals on a machine the module would pick any."""
    terminal: Any = Flaky()
    adapter = MT5Adapter(terminal, Hands(), MT5Settings(path_required=True))

    with pytest.raises(ValueError, match="terminal path: required"):
        adapter.connect(Login(account=1))

    assert [] == terminal.calls


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (-2, "check account, server and path"),
        (-5, "update the terminal"),
        (-6, "check account, password and server"),
        (-7, "one-time passwords"),
    ],
)
def test_refusal_that_no_retry_mends_is_an_error_of_the_settings(
    code: int, remedy: str
) -> None:
    """A wrong password tried again and again would lock the account."""
    setup = case()
    setup.terminal.refusals.append((code, "no"))

    with pytest.raises(ValueError, match=remedy):
        setup.adapter.connect(Login(account=1, password="wrong"))


@pytest.mark.parametrize("code", [1, -1, -8, -10000, -10003, -10004, -10005])
def test_terminal_that_cannot_be_reached_is_unavailable(code: int) -> None:
    """What may pass by itself is told apart from what does not."""
    setup = case()
    setup.terminal.refusals.append((code, "not now"))

    with pytest.raises(UnavailableError, match="initialize: not now"):
        setup.adapter.connect(Login(account=1))


@pytest.mark.parametrize("login", [Login(account=2), Login(account=1, server="T")])
def test_other_account_than_asked_for_is_refused(login: Login) -> None:
    """The terminal may say yes and be elsewhere: that is checked."""
    with pytest.raises(ValueError, match="the terminal is on"):
        case(login)


@pytest.mark.parametrize(
    ("trade_mode", "is_demo"), [(0, True), (1, True), (2, False), (3, False)]
)
def test_only_what_is_known_as_play_money_is_demo(
    trade_mode: int, is_demo: bool
) -> None:
    """Demo and contest are play money; anything else counts as real."""
    setup = case()
    setup.terminal.account.trade_mode = trade_mode

    assert is_demo is setup.adapter.account().is_demo


@pytest.mark.parametrize(
    ("margin_mode", "expected"), [(0, False), (1, False), (2, True)]
)
def test_only_retail_hedging_is_hedging(margin_mode: int, expected: bool) -> None:
    """The two netting modes keep one position a symbol."""
    setup = case()
    setup.terminal.account.margin_mode = margin_mode

    assert expected is setup.adapter.account().is_hedging


@pytest.mark.parametrize(
    ("where", "field", "value", "words"),
    [
        ("terminal", "trade_allowed", False, "Algo Trading button"),
        ("terminal", "tradeapi_disabled", True, "via external Python API"),
        ("account", "trade_allowed", False, "master password"),
        ("account", "trade_expert", False, "ask the broker"),
    ],
)
def test_switch_that_stops_trading_is_told_once_with_its_remedy(
    where: str,
    field: str,
    value: bool,
    words: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each switch is seen in every reading, and said once."""
    setup = case()
    setattr(getattr(setup.terminal, where), field, value)

    assert [False, False] == [setup.adapter.account().trade_allowed for _ in range(2)]
    assert 1 == len(caplog.records)
    assert words in caplog.text
    assert [True] == [words in text for text in setup.adapter.obstacles]

    caplog.clear()
    caplog.set_level(logging.INFO)
    setattr(getattr(setup.terminal, where), field, not value)
    assert setup.adapter.account().trade_allowed
    assert () == setup.adapter.obstacles
    assert ["Orders can pass again"] == caplog.messages


def test_link_to_the_server_that_flaps_is_not_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No order passes meanwhile, but only a link that stays away is worth a line."""
    caplog.set_level(logging.INFO)
    setup = case()
    for _ in range(20):
        setup.clock.time += 3
        setup.terminal.terminal.connected = not setup.terminal.terminal.connected
        connected = setup.terminal.terminal.connected
        assert connected is setup.adapter.account().trade_allowed
    assert [] == caplog.messages

    setup.terminal.terminal.connected = False
    for _ in range(5):
        setup.clock.time += 4
        setup.adapter.account()
    setup.terminal.terminal.connected = True
    setup.adapter.account()

    assert [
        "The terminal has lost the link to its trade server",
        "The terminal's link to its trade server is back",
    ] == caplog.messages


# -- another account -------------------------------------------------------------------
@pytest.mark.parametrize(
    ("field", "value"), [("login", 2), ("server", "T"), ("login", 0)]
)
@pytest.mark.parametrize("reader", ["account", "positions"])
def test_switched_account_is_unknown_until_it_is_back(
    field: str, value: Any, reader: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Another account's figures are never taken for ours; it is said once, loudly."""
    caplog.set_level(logging.INFO)
    setup = case()
    read: Callable[[], Any] = getattr(setup.adapter, reader)
    ours = getattr(setup.terminal.account, field)
    setattr(setup.terminal.account, field, value)
    for _ in range(3):
        with pytest.raises(
            UnavailableError, match="THE TERMINAL IS ON ANOTHER ACCOUNT"
        ):
            read()
    assert 1 == len(caplog.records)
    assert 1 == setup.terminal.tries()

    setattr(setup.terminal.account, field, ours)

    assert read() is not None
    assert "The terminal is back on account 1" == caplog.messages[-1]


def test_quotes_of_another_account_are_none_of_ours() -> None:
    """Once the switch was seen, the other broker's prices are not taken either."""
    setup = case()
    setup.terminal.account.login = 2
    with pytest.raises(UnavailableError):
        setup.adapter.account()

    for read in (
        lambda: setup.adapter.tick("EURUSD"),
        lambda: setup.adapter.closed_bars("EURUSD", Timeframe.H1),
        lambda: setup.adapter.symbol("EURUSD"),
    ):
        with pytest.raises(UnavailableError, match="ANOTHER ACCOUNT"):
            read()


# -- the pipe --------------------------------------------------------------------------
def test_delays_double_from_one_second_to_a_minute() -> None:
    """Trying again gets slower, but never stops."""
    assert [1, 2, 4, 8, 16, 32, 60, 60] == [retry_delay(n) for n in range(8)]
    assert 60 == retry_delay(10_000)


@pytest.mark.parametrize("code", [-10000, -10001, -10002, -10003, -10004, -10005])
def test_lost_pipe_is_opened_again_after_a_second(code: int) -> None:
    """Nothing reconnects by itself, so the adapter lets go and connects anew."""
    setup = case()
    setup.terminal.broken = (code, "broken")
    for _ in range(3):
        with pytest.raises(
            UnavailableError, match=rf"positions_get: broken \({code}\)"
        ):
            setup.adapter.positions()
    assert 1 == setup.terminal.tries()
    setup.clock.time += 1

    assert () == tuple(setup.adapter.positions())
    assert ["initialize", "shutdown", "initialize"] == [
        call[0] for call in setup.terminal.calls
    ]
    assert setup.terminal.calls[0] == setup.terminal.calls[2]


@pytest.mark.parametrize("code", [-1, -2, -3, -4, -5, -6, -7, -8])
def test_failed_call_over_a_good_pipe_does_not_reconnect(code: int) -> None:
    """These are answers of the terminal, which is there."""
    setup = case()
    setup.terminal.broken = (code, "no")
    for _ in range(3):
        with pytest.raises(UnavailableError, match=rf"positions_get: no \({code}\)"):
            setup.adapter.positions()
        setup.clock.time += 100

    assert 1 == setup.terminal.tries()


def test_no_answer_without_an_error_is_no_answer() -> None:
    """None is not empty, even when the module claims success."""
    setup = case()
    setup.terminal.broken = (1, "Success")

    with pytest.raises(UnavailableError, match=r"positions_get: Success \(1\)"):
        setup.adapter.positions()


def test_one_try_to_connect_per_call_and_ever_more_rarely() -> None:
    """A terminal that stays away is tried after 1, 2, 4 ... 60 seconds."""
    setup = case()
    setup.terminal.broken = GONE
    setup.terminal.refusals.extend([(-10003, "not found")] * 100)
    tried_at: list[float] = []
    for second in range(260):
        setup.clock.time = second
        before = setup.terminal.tries()
        with pytest.raises(UnavailableError):
            setup.adapter.account()
        tried = setup.terminal.tries() - before
        assert tried in {0, 1}
        if tried:
            tried_at.append(second)

    assert [1, 3, 7, 15, 31, 63, 123, 183, 243] == tried_at


def test_pipe_that_breaks_again_soon_is_no_fresh_start() -> None:
    """A connection that never lasts is not hammered."""
    setup = case()
    tried_at: list[float] = []
    for second in range(1000, 1070):
        setup.clock.time = second
        setup.terminal.broken = GONE
        before = setup.terminal.tries()
        with contextlib.suppress(UnavailableError):
            setup.adapter.positions()
        if setup.terminal.tries() > before:
            tried_at.append(second)

    assert [1001, 1004, 1009, 1018, 1035, 1068] == tried_at


def test_loss_and_return_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """The log has a line per change of state, not one per try."""
    caplog.set_level(logging.INFO)
    setup = case()
    setup.terminal.broken = GONE
    setup.terminal.refusals.extend([(-10005, "IPC timeout")] * 3)
    for second in range(10):
        setup.clock.time = second
        with pytest.raises(UnavailableError):
            setup.adapter.account()
    setup.clock.time = 100
    setup.adapter.account()

    assert [
        "Lost the terminal: account_info: IPC send failed (-10001)",
        "The terminal is back on account 1",
    ] == caplog.messages


def test_terminal_that_comes_back_on_another_account_is_not_used() -> None:
    """After a restart the terminal may be anywhere."""
    setup = case()
    setup.terminal.broken = GONE
    with pytest.raises(UnavailableError):
        setup.adapter.account()
    setup.terminal.account.login = 2
    setup.clock.time += 1

    for read in (setup.adapter.positions, lambda: setup.adapter.tick("EURUSD")):
        with pytest.raises(UnavailableError, match="ANOTHER ACCOUNT"):
            read()
        setup.terminal.broken = GONE
        with pytest.raises(UnavailableError):
            setup.adapter.account()
        setup.clock.time += 60


def test_before_connecting_nothing_is_read() -> None:
    """An adapter that was never connected says so."""
    terminal: Any = Flaky()

    with pytest.raises(UnavailableError, match="not connected to a terminal"):
        MT5Adapter(terminal, Hands()).positions()


def test_password_is_in_no_message(caplog: pytest.LogCaptureFixture) -> None:
    """Neither log nor errors carry the password."""
    caplog.set_level(logging.DEBUG)
    login = Login(account=1, password="hunter2", server="S")
    setup = case(login)
    setup.terminal.refusals.extend([(-6, "Terminal: Authorization failed")] * 2)
    with pytest.raises(ValueError, match="initialize") as caught:
        setup.adapter.connect(login)
    setup.terminal.broken = GONE
    with pytest.raises(UnavailableError) as lost:
        setup.adapter.account()

    assert "hunter2" not in f"{caught.value}{lost.value}{caplog.text}{login}"


# -- times of the server ---------------------------------------------------------------
def live(zone_hours: int) -> tuple[SimulatedTerminal, Hands, MT5Adapter]:
    """Return a market of today whose server is set to New York + 7 h but is not."""
    terminal = SimulatedTerminal(server_zone=ServerZone.parse(f"UTC+{zone_hours}"))
    clock = Hands()
    adapter = MT5Adapter(terminal, clock, MT5Settings(is_live=True))
    adapter.connect(Login())
    return terminal, clock, adapter


def quote_for_seconds(
    terminal: SimulatedTerminal, clock: Hands, adapter: MT5Adapter, seconds: int
) -> None:
    """Quote EURUSD every second, and read it."""
    for _ in range(seconds):
        clock.time += 1
        terminal.quote("EURUSD", 1.1, 1.1001, clock.now())
        adapter.tick("EURUSD")


@pytest.mark.parametrize("zone_hours", [1, 3])
def test_server_on_another_clock_than_set_gives_no_times(zone_hours: int) -> None:
    """Times an hour off would shift the day's reset, so none are given."""
    terminal, clock, adapter = live(zone_hours)
    adapter.tick("EURUSD")
    for _ in range(9):
        with contextlib.suppress(UnavailableError):
            quote_for_seconds(terminal, clock, adapter, 1)

    with pytest.raises(
        UnavailableError, match=rf"UTC\+{zone_hours}.*UTC\+2 now: set the server tim"
    ):
        quote_for_seconds(terminal, clock, adapter, 1)

    with pytest.raises(UnavailableError, match="set the server timezone"):
        adapter.now()
    assert [] == adapter.positions()


def test_a_quote_that_is_dated_in_the_future_is_none(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One would be the market's time, and end the day and its block, for a day."""
    terminal, clock, adapter = live(zone_hours=2)
    for name in ("EURUSD", "XAUUSD"):
        terminal.quote(name, 1.1, 1.1001, clock.now())
        adapter.tick(name)
    before = adapter.now()
    clock.time += 1
    terminal.quote("EURUSD", 1.1, 1.1001, clock.now() + timedelta(hours=23))

    for _ in range(2):
        with pytest.raises(UnavailableError, match="EURUSD is dated 2"):
            adapter.tick("EURUSD")

    assert before == adapter.now()
    assert adapter.tick("XAUUSD") is not None
    assert 1 == len([line for line in caplog.messages if "EURUSD is dated" in line])
    clock.time += 86_400
    terminal.quote("EURUSD", 1.1, 1.1001, clock.now())
    assert adapter.tick("EURUSD") is not None
    assert clock.now() == adapter.now()


def test_a_quote_that_is_dated_in_the_future_holds_no_close() -> None:
    """What is a wrong time is a right price all the same."""
    terminal, clock, adapter = live(zone_hours=2)
    terminal.quote("EURUSD", 1.1, 1.1001, clock.now())
    opened = adapter.send(
        OrderRequest(
            token="t1",
            magic=7,
            symbol="EURUSD",
            action=Action.OPEN,
            side=Side.BUY,
            volume=0.1,
            stop_loss=300,
        )
    )
    clock.time += 1
    terminal.quote("EURUSD", 1.1, 1.1001, clock.now() + timedelta(hours=23))

    closed = adapter.send(
        OrderRequest(
            token="t2",
            magic=7,
            symbol="EURUSD",
            action=Action.CLOSE,
            side=Side.SELL,
            volume=0.1,
            ticket=opened.ticket,
        )
    )

    assert Outcome.FILLED is closed.outcome
    assert [] == adapter.positions()


def test_server_that_comes_to_agree_is_believed_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A broker that changes its clocks late is refused only until it does."""
    caplog.set_level(logging.INFO)
    terminal, clock, adapter = live(zone_hours=3)
    adapter.tick("EURUSD")
    for _ in range(10):
        with pytest.raises(UnavailableError):
            quote_for_seconds(terminal, clock, adapter, 1)
    caplog.clear()

    # An hour later by this machine, and not by the server: they agree.
    clock.time += 1
    terminal.quote("EURUSD", 1.1, 1.1001, clock.now())
    clock.time += 3600
    with pytest.raises(UnavailableError):
        adapter.tick("EURUSD")
    for _ in range(2):
        clock.time += 1
        quoted_at = clock.now() - timedelta(hours=1)
        terminal.quote("EURUSD", 1.1, 1.1001, quoted_at)
        with contextlib.suppress(UnavailableError):
            adapter.tick("EURUSD")

    assert ["The trade server's clock agrees with its zone again"] == caplog.messages
    assert clock.now() == adapter.now()


def test_server_on_the_clock_that_was_set_is_believed() -> None:
    """In January New York + 7 h is two hours ahead of UTC."""
    terminal, clock, adapter = live(zone_hours=2)
    adapter.tick("EURUSD")
    quote_for_seconds(terminal, clock, adapter, 10)

    assert clock.now() == adapter.now()


def test_old_quotes_after_a_pause_prove_nothing() -> None:
    """A quote that changed while nobody looked may be of any age."""
    terminal, clock, adapter = live(zone_hours=1)
    adapter.tick("EURUSD")
    for _ in range(10):
        clock.time += 120
        terminal.quote("EURUSD", 1.1, 1.1001, clock.now())
        adapter.tick("EURUSD")

    assert adapter.now() == clock.now() - timedelta(hours=1)
