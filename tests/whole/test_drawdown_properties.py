"""Any sequence of trades, payments, days, restarts and configs, against a second book.

The book is kept by hand: it never asks the guard anything, and it does not matter to it
whether the runner was there when something happened.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import attrs
import pytest
from drawdown_account import DrawdownAccount
from hypothesis import given, settings
from hypothesis import strategies as st
from whole_runner import utc

START = 100_000.0
FIRST_RESET = utc("2026-01-13 22:00")
DAY = timedelta(days=1)


@attrs.define
class Book:
    """What a firm with a static limit and a day that counts from its balance knows."""

    balance: float = START
    initial: float = START
    of_day: float = START
    day: int = 0
    is_paused: bool = False
    is_out: bool = False

    def begin(self, day: int) -> None:
        """Let a day begin, if it is another one."""
        if day != self.day:
            self.day, self.of_day, self.is_paused = day, self.balance, False

    def pay(self, amount: float) -> None:
        """Move everything by a payment; a withdrawal takes profit first."""
        profit = max(0.0, self.balance - self.initial) if amount < 0 else 0.0
        self.initial += min(0.0, amount + profit) if amount < 0 else amount
        self.balance += amount
        self.of_day += amount

    @property
    def floors(self) -> tuple[float, float]:
        """Where both limits are reached."""
        return self.of_day * 0.95, self.initial * 0.9

    def look(self) -> None:
        """Note what is breached."""
        daily, maximum = self.floors
        self.is_paused = self.is_paused or self.balance <= daily
        self.is_out = self.is_out or self.balance <= maximum


class Scene:
    """The account and the book, and what can happen to both."""

    def __init__(self) -> None:
        self.account = DrawdownAccount(preset="fundednext", initial_balance=START)
        self.book = Book()
        self.is_on = self.is_known = True

    def trade(self, result: float) -> None:
        """Win or lose."""
        self.account.trade(result)
        self.book.balance += result

    def pay(self, amount: float) -> None:
        """Pay in, or out as much as leaves the account alive."""
        if self.book.balance + amount < START / 2:
            return
        self.account.pay(amount)
        self.book.pay(amount)

    def late(self, amount: float) -> None:
        """Pay in while the terminal does not show the deal yet."""
        read = self.account.terminal.history_deals_get
        self.account.terminal.history_deals_get = lambda *_, **__: ()
        self.account.terminal.account.transfer(amount, "cash")
        self.book.pay(amount)
        self.account.cycle(1)
        assert self.account.runner is None or self.account.is_blocked
        self.account.terminal.history_deals_get = read
        self.account.cycle(2)

    def pass_time(self, hours: int) -> None:
        """Let hours go by, with a quote at their end."""
        self.account.tick(seconds=3600.0 * hours)
        self.book.begin((self.account.now - FIRST_RESET) // DAY)

    def kill(self) -> None:
        """Let nobody look."""
        self.account.stop()

    def start(self) -> None:
        """Start the runner, anew if it runs."""
        self.account.restart()

    def start_early(self) -> None:
        """Start it before the terminal has fetched its history."""
        read = self.account.terminal.history_deals_get
        self.account.terminal.history_deals_get = lambda *_, **__: ()
        self.account.restart()
        self.account.terminal.history_deals_get = read
        self.account.cycle(2)

    def switch(self) -> None:
        """Let the server switch the limits off, or on."""
        self.is_on = not self.is_on
        self._configure(dd_protection_enabled=self.is_on)

    def forget(self) -> None:
        """Let the server take the initial balance away, or give it again."""
        self.is_known = not self.is_known
        self._configure(initial_balance=START if self.is_known else None)

    def _configure(self, **risk: object) -> None:
        self.account.risk |= risk
        if self.account.runner is not None:
            self.account.configure()
            self.account.cycle(2)

    def check(self) -> None:
        """Hold the guard against the book."""
        account, book = self.account, self.book
        if account.runner is None:
            return
        if self.is_on and self.is_known:
            book.look()
        codes: list[str] = []
        if self.is_on:
            codes += ["MAX_DRAWDOWN"] * book.is_out
            codes += ["DAILY_DRAWDOWN"] * book.is_paused
            codes += ["INITIAL_BALANCE_UNKNOWN"] * (not self.is_known)
        assert codes[:1] == account.codes
        lots = account.held
        assert (codes == []) == account.buy(0.01, stop=100) or not account.codes
        if codes:
            assert lots == account.held
        for ticket in list(account.terminal.account.positions):
            account.send(
                type=account.terminal.ORDER_TYPE_SELL, volume=0.01, position=ticket
            )
        account.cycle(2)
        book.balance = account.terminal.account.balance
        if self.is_on and self.is_known:
            book.look()
            status = account.status
            floors = float(status["daily_dd_floor"]), float(status["max_dd_floor"])
            assert book.floors == pytest.approx(floors, abs=0.02)


_RESULTS = st.sampled_from([-6_000.0, -4_900.0, -1_000.0, 500.0, 3_000.0, 9_000.0])
_CASH = st.sampled_from([-30_000.0, -5_000.0, 2_000.0, 40_000.0])
STEPS: st.SearchStrategy[Callable[[Scene], None]] = st.one_of(
    _RESULTS.map(lambda result: lambda scene: scene.trade(result)),
    _CASH.map(lambda amount: lambda scene: scene.pay(amount)),
    st.sampled_from([500.0, 20_000.0]).map(
        lambda amount: lambda scene: scene.late(amount)
    ),
    st.sampled_from([1, 9, 25, 60]).map(
        lambda hours: lambda scene: scene.pass_time(hours)
    ),
    st.sampled_from(
        [Scene.kill, Scene.start, Scene.start_early, Scene.switch, Scene.forget]
    ),
)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(STEPS, max_size=14))
def test_the_guard_and_a_book_by_hand_agree_after_whatever_happened(
    steps: list[Callable[[Scene], None]],
) -> None:
    """The same floors, the same blocks, and no entry while one holds."""
    scene = Scene()
    for step in [*steps, Scene.start]:
        step(scene)
        scene.check()
