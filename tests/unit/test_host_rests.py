"""A hook that takes too long costs the others its time a few times, then seldom."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runner import Deny, OrderIntent, hookimpl
from runner.host.manager import GUARD_FAILED, PluginHost
from runner.host.records import BUILT_IN
from runner.host.watch import Watch

NOW = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)
HALF = timedelta(seconds=30)


class Guard:
    """Its time is over while it is slow, in the order's hook alone."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self.is_slow = True
        self.orders = 0
        self.symbols = 0

    @hookimpl
    def check_order(self, intent: OrderIntent) -> Deny | None:
        self.orders += 1
        if self.is_slow:
            self._watch.break_off("took too long")
        return None

    @hookimpl
    def check_symbol(self) -> Deny | None:
        self.symbols += 1
        return None


class Scene:
    """A host with such a guard, and its hooks' arguments."""

    def __init__(self, arguments: dict[str, dict[str, Any]]) -> None:
        watch = Watch()
        self.guard, self.host = Guard(watch), PluginHost(watch)
        self.host.attach("guard", self.guard, BUILT_IN)
        self._arguments = arguments

    def order(self, now: datetime = NOW) -> str:
        """Ask about an order and a symbol; return what is said against the order."""
        self.host.check_symbol(**self._arguments["check_symbol"] | {"now": now})
        found = self.host.check_order(**self._arguments["check_order"] | {"now": now})
        return " ".join(f"{one.deny.code} {one.deny.detail}" for one in found)


@pytest.fixture
def scene(hook_arguments: dict[str, dict[str, Any]]) -> Scene:
    return Scene(hook_arguments)


def test_a_hook_that_overran_five_times_in_a_row_rests_and_still_denies(
    scene: Scene,
) -> None:
    """Its other hooks go on, and the report says until when."""
    said = [scene.order() for _ in range(100)]

    assert (5, 100) == (scene.guard.orders, scene.guard.symbols)
    assert all(one.startswith(GUARD_FAILED) for one in said)
    assert said[99].endswith("OvertimeError: not called until 2026-03-04T09:30:30Z")
    assert {
        "guard": "check_order: runner.host.containment.OvertimeError: took too long "
        "(5 in a row, last at 2026-03-04T09:30:00Z); "
        "not called until 2026-03-04T09:30:30Z"
    } == scene.host.failures


def test_it_is_tried_again_at_ever_longer_intervals(scene: Scene) -> None:
    """Half a minute, one, two, four, eight, then a quarter of an hour."""
    calls: list[float] = []
    for second in range(0, 3600, 5):
        before = scene.guard.orders
        scene.order(NOW + timedelta(seconds=second))
        if scene.guard.orders > before:
            calls.append(second / 60)

    first, *later = calls[4:]
    assert [0.5, 1.5, 3.5, 7.5, 15.5, 30.5, 45.5] == [one - first for one in later]


def test_one_call_in_time_ends_the_row(scene: Scene) -> None:
    """A slow minute of the machine is over."""
    for _ in range(5):
        scene.order()
    scene.guard.is_slow = False
    resting, due = scene.order(NOW), scene.order(NOW + HALF)
    scene.guard.is_slow = True
    for _ in range(5):
        scene.order(NOW + HALF)

    assert (True, "") == (resting.startswith(GUARD_FAILED), due)
    assert 5 + 1 + 5 == scene.guard.orders


def test_a_hook_that_raises_in_time_is_asked_every_time(scene: Scene) -> None:
    """It costs nobody anything."""

    class Raising:
        asked = 0

        @hookimpl
        def check_trading(self) -> Deny | None:
            self.asked += 1
            raise ValueError("no")

    raising = Raising()
    scene.host.attach("raising", raising, BUILT_IN)
    for _ in range(20):
        scene.host.check_trading(**scene._arguments["check_trading"])

    assert 20 == raising.asked


def test_a_plugin_that_left_takes_its_rest_along(scene: Scene) -> None:
    """What comes back under the name has its own row."""
    for _ in range(5):
        scene.order()
    scene.host.detach("guard")
    scene.host.attach("guard", scene.guard, BUILT_IN)
    scene.order()

    assert 6 == scene.guard.orders
