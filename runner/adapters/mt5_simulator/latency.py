"""What the market does while a trade request is on its way to the server."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from runner.adapters.mt5_simulator.faults import Delay
from runner.adapters.mt5_simulator.market import Market
from runner.adapters.mt5_simulator.watch import Watch


class Player(Protocol):
    """What plays a feed into the terminal."""

    @property
    def now(self) -> datetime | None:
        """Market time of the last phase, UTC-aware; None before the first."""
        ...

    def advance(self) -> bool:
        """Play the next phase; False, and nothing, when the feed has ended."""
        ...

    def advance_to(self, time: datetime) -> bool:
        """Play every phase up to *time* (UTC-aware); False when the feed has ended."""
        ...


class Latency:
    """Lets the market go on before a request is executed.

    Args:
        market: Its clock goes on.
        watch: Fills what the market reaches meanwhile.
    """

    def __init__(self, market: Market, watch: Watch) -> None:
        self.player: Player | None = None
        """What moves the market; None if it is moved by hand."""
        self._market = market
        self._watch = watch

    def let_pass(self, delay: Delay) -> None:
        """Play so many phases, or what the feed has for so many milliseconds.

        Raises:
            ValueError: If phases are asked for and no feed is played.
        """
        market, player = self._market, self.player
        if delay.phases:
            if player is None:
                raise ValueError(
                    f"{delay}: no feed is played into the terminal, so it has no "
                    "phases; give milliseconds"
                )
            for _ in range(delay.phases):
                player.advance()
            return
        arrives = market.time_msc + delay.milliseconds
        if player is not None and player.now is not None:
            player.advance_to(player.now + timedelta(milliseconds=delay.milliseconds))
        market.time_msc = max(market.time_msc, arrives)
        self._watch.pass_time()
