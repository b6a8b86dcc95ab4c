"""One order on its way: what is still to be tried, and for how long."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from runner.adapters.mt5.orders import (
    Draft,
    close_draft,
    filling_modes,
    open_draft,
    protect_draft,
)
from runner.adapters.mt5.readings import side_of
from runner.adapters.mt5.retcodes import Reaction
from runner.adapters.mt5.structs import TickInfo, TradePosition
from runner.adapters.mt5.symbols import SymbolRules
from runner.core.matching import Levels
from runner.core.orders import Action, OrderRequest, Side
from runner.ports import Clock

_PAUSES = (0.02, 0.08, 0.2, 0.3)
"""Seconds between readings while what was accepted does not show yet."""
_RESENDS = 3
_SECONDS = 1.9
"""All waiting for one order; also, a decision older than this is not sent again."""
_FOR_READING = 0.8
"""The part of it that is kept for reading back."""


@attrs.define
class Budget:
    """How long one order may be waited for, and how often it may be sent again.

    Attributes:
        clock: Waits, and tells how long the calls themselves took.
        started: Monotonic time.
        waited: Seconds waited so far.
        resends: How often it was sent again.
    """

    clock: Clock
    started: float
    waited: float = 0.0
    resends: int = 0

    @classmethod
    def begin(cls, clock: Clock) -> Budget:
        """Start counting now."""
        return cls(clock, clock.monotonic())

    @property
    def in_time(self) -> bool:
        """Whether the order is still young enough to be sent again."""
        return self.clock.monotonic() - self.started < _SECONDS

    def resend(self) -> bool:
        """Count one more sending; False if it is one too many."""
        self.resends += 1
        return self.resends <= _RESENDS

    def wait(self, seconds: float, *, keep: float = 0.0) -> bool:
        """Wait; False at once if that is too long.

        Args:
            seconds: How long.
            keep: Seconds that must be left afterwards.
        """
        if self.waited + seconds > _SECONDS - keep:
            return False
        self.waited += seconds
        self.clock.wait(seconds)
        return True

    def wait_to_resend(self, seconds: float) -> bool:
        """Wait as `wait`, leaving enough for reading back."""
        return self.wait(seconds, keep=_FOR_READING)


def patiently(budget: Budget) -> Iterator[None]:
    """Yield once at once, then after each pause for what does not show yet.

    Args:
        budget: For the pauses; there are none when it is used up.
    """
    yield
    for pause in _PAUSES:
        if not budget.wait(pause):
            return
        yield


@attrs.define
class Attempt:
    """One order on its way.

    Attributes:
        request: What was asked for.
        rules: The symbol's.
        spelling: The broker's name of the symbol.
        position: The position to close or protect; None for an opening.
        deviation: Largest slippage, in points.
        budget: What is left of time and tries.
        fillings: Filling modes that are left, the present one in front.
        fixed: What was mended once already.
        first_price: Price of the first try; 0.0 before.
    """

    request: OrderRequest
    rules: SymbolRules
    spelling: str
    position: TradePosition | None
    deviation: int
    budget: Budget
    fillings: list[int] = attrs.field(factory=list[int])
    fixed: set[Reaction] = attrs.field(factory=set[Reaction])
    first_price: float = 0.0

    @property
    def symbol(self) -> str:
        """Our name of the symbol."""
        return self.rules.spec.name

    def prefer_filling(self, known: int | None) -> None:
        """Line up the filling modes, the one *known* to pass in front."""
        modes = list(filling_modes(self.rules))
        if known in modes:
            modes.remove(known)
            modes.insert(0, known)
        self.fillings = modes

    def ran_away(self, quote: TickInfo) -> float:
        """Return by how many points the price is beyond what an opening may follow.

        A close follows any price: staying in would be worse.

        Args:
            quote: The present one.

        Returns:
            0.0 if it may be sent.
        """
        if self.request.action is not Action.OPEN:
            return 0.0
        is_buy = self.request.side is Side.BUY
        price = quote.ask if is_buy else quote.bid
        self.first_price = self.first_price or price
        worse = price - self.first_price if is_buy else self.first_price - price
        points = worse / self.rules.spec.point
        return points if points > self.deviation + 0.5 else 0.0

    def draft(self, quote: TickInfo) -> Draft:
        """Return what to send at *quote*.

        Raises:
            OrderError: If it cannot be sent.
        """
        generous = Reaction.FIX_STOPS in self.fixed
        if self.position is None:
            return open_draft(
                self.request,
                self.spelling,
                self.rules,
                quote,
                filling=self.fillings[0],
                deviation=self.deviation,
                generous=generous,
            )
        side = side_of(self.position)
        if self.request.action is Action.CLOSE:
            return close_draft(
                self.request,
                self.position,
                side.opposite,
                self.rules,
                quote,
                filling=self.fillings[0],
                deviation=self.deviation,
            )
        levels = Levels(
            self.request.stop_loss_price or 0.0, self.request.take_profit_price or 0.0
        )
        return protect_draft(
            self.position, side, levels, self.rules, quote, generous=generous
        )

    def fix(self, reaction: Reaction) -> bool:
        """Note that *reaction* mends the request; False if it did so before."""
        if reaction in self.fixed:
            return False
        self.fixed.add(reaction)
        return True

    def next_filling(self) -> bool:
        """Go on to the next filling mode; False if there is none."""
        del self.fillings[:1]  # a change of levels has none
        return bool(self.fillings)
