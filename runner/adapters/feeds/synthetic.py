"""A made market: endless, believable, and the same for the same seed everywhere.

Every currency (and gold, and every index) has a strength that walks at random: with
trends that last for a while, with lively and quiet hours, and with a weak pull back
to where it began. A price is the quotient of two strengths, so that crosses fit their
legs and dollar pairs move together. The market never closes, not even at weekends.

Only exact operations are used (no logarithm, no sine, no Gaussian of a library): the
bars are the same on every platform, and a symbol's bars do not depend on which other
symbols are asked for.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import attrs

from runner.core.market import Bar, Timeframe
from runner.ports import FeedError

EPOCH: Final = datetime(2025, 1, 6, tzinfo=UTC)
"""Where the market begins unless told otherwise."""

_STRENGTHS: Final = {
    # worth in dollars, move of a minute relative to it
    "USD": (1.0, 0.00007),
    "EUR": (1.1, 0.00009),
    "GBP": (1.28, 0.00010),
    "JPY": (0.0066, 0.00011),
    "AUD": (0.66, 0.00012),
    "NZD": (0.6, 0.00012),
    "CAD": (0.73, 0.00008),
    "CHF": (1.13, 0.00010),
    "XAU": (2400.0, 0.00022),
    "XAG": (28.0, 0.00040),
    "DOW": (39_000.0, 0.00020),
    "SPX": (5_300.0, 0.00021),
    "NDX": (18_500.0, 0.00027),
    "DAX": (20_300.0, 0.00022),
    "BTC": (60_000.0, 0.00060),
}


@attrs.frozen
class _Made:
    """How a symbol's price is made: two strengths, digits, usual spread in points."""

    over: str
    under: str
    digits: int
    spread: int


_SYMBOLS: Final = {
    "EURUSD": _Made("EUR", "USD", 5, 11),
    "GBPUSD": _Made("GBP", "USD", 5, 15),
    "USDJPY": _Made("USD", "JPY", 3, 13),
    "AUDUSD": _Made("AUD", "USD", 5, 13),
    "NZDUSD": _Made("NZD", "USD", 5, 17),
    "USDCAD": _Made("USD", "CAD", 5, 16),
    "USDCHF": _Made("USD", "CHF", 5, 15),
    "EURGBP": _Made("EUR", "GBP", 5, 14),
    "EURJPY": _Made("EUR", "JPY", 3, 18),
    "GBPJPY": _Made("GBP", "JPY", 3, 26),
    "EURCHF": _Made("EUR", "CHF", 5, 18),
    "AUDJPY": _Made("AUD", "JPY", 3, 22),
    "XAUUSD": _Made("XAU", "USD", 2, 22),
    "XAGUSD": _Made("XAG", "USD", 3, 28),
    "US30": _Made("DOW", "USD", 1, 22),
    "US500": _Made("SPX", "USD", 1, 5),
    "NAS100": _Made("NDX", "USD", 1, 13),
    "GER40": _Made("DAX", "EUR", 1, 13),
    "BTCUSD": _Made("BTC", "USD", 2, 1600),
}

_HOURS: Final = (
    0.7, 0.7, 0.8, 0.7, 0.6, 0.7, 0.9, 1.2, 1.4, 1.3, 1.2, 1.1,
    1.3, 1.6, 1.7, 1.6, 1.4, 1.1, 0.9, 0.8, 0.7, 0.5, 0.5, 0.6,
)  # fmt: skip
"""How lively each hour is, UTC: London's morning and New York's are the liveliest."""

_STEPS: Final = 4
"""Moves inside a bar."""
_TREND: Final = (40, 200)
"""Bars that a trend lasts."""
_DRIFT: Final = 0.2
"""Strongest trend, as part of a bar's usual move."""
_PULL: Final = 0.00002
"""Part of the way back to the beginning that a bar goes."""
_ROOT_3: Final = math.sqrt(3)
_CALM: Final = 0.97
"""How much of a bar's excitement is left in the next."""


class _Strength:
    """A currency's strength, walking at random."""

    __slots__ = (
        "_drift",
        "_excitement",
        "_left",
        "_move",
        "_origin",
        "_random",
        "value",
    )

    def __init__(self, name: str, seed: int, minutes: int) -> None:
        self._origin, move = _STRENGTHS[name]
        self.value = self._origin
        self._move = move * math.sqrt(minutes)
        self._random = random.Random(f"{seed}:{name}")  # noqa: S311  # no secret
        self._left = 0
        self._drift = 0.0
        self._excitement = 1.0

    def walk(self, liveliness: float) -> list[float]:
        """Return the strength after each move of one bar."""
        uniform = self._random.random
        if self._left == 0:
            shortest, longest = _TREND
            self._left = shortest + int(uniform() * (longest - shortest))
            self._drift = (2 * uniform() - 1) * _DRIFT * self._move
        self._left -= 1
        self._excitement = _CALM * self._excitement + (1 - _CALM) * 2 * uniform()
        scale = self._move * liveliness * self._excitement / math.sqrt(_STEPS)
        drift = self._drift - _PULL * (self.value / self._origin - 1)
        path: list[float] = []
        for _ in range(_STEPS):
            # Four uniform numbers add up to almost a normal one.
            bell = (uniform() + uniform() + uniform() + uniform() - 2) * _ROOT_3
            self.value *= 1 + scale * bell + drift / _STEPS
            path.append(self.value)
        return path


class SyntheticFeed:
    """Endless bars of a made market.

    Args:
        symbols: Which symbols; None for every one that can be made.
        seed: The same seed gives the same bars.
        timeframe: Length of the bars.
        start: When the first bar opens, UTC-aware; moved back onto the timeframe.
    """

    def __init__(
        self,
        symbols: Iterable[str] | None = None,
        *,
        seed: int = 1,
        timeframe: Timeframe = Timeframe.M1,
        start: datetime = EPOCH,
    ) -> None:
        self.symbols: tuple[str, ...] = tuple(_SYMBOLS if symbols is None else symbols)
        unknown = [name for name in self.symbols if name not in _SYMBOLS]
        if unknown or not self.symbols:
            raise FeedError(
                f"synthetic market: expected symbols of {', '.join(_SYMBOLS)}; "
                f"got {', '.join(unknown) or 'none'}"
            )
        self.timeframe = timeframe
        self._seed = seed
        self._start = start.astimezone(UTC) - (start - EPOCH) % timeframe.duration

    def bars(self) -> Iterator[Bar]:
        """Yield the bars of all symbols in order of time, for ever."""
        made = {name: _SYMBOLS[name] for name in self.symbols}
        minutes = self.timeframe.value
        strengths = {
            name: _Strength(name, self._seed, minutes)
            for name in dict.fromkeys(
                leg for how in made.values() for leg in (how.over, how.under)
            )
        }
        chance = {
            name: random.Random(f"{self._seed}:{name}")  # noqa: S311  # no secret
            for name in made
        }
        last = {
            name: round(
                strengths[how.over].value / strengths[how.under].value, how.digits
            )
            for name, how in made.items()
        }
        opens_at, length = self._start, self.timeframe.duration
        while True:
            hour = _HOURS[opens_at.hour] if length < timedelta(days=1) else 1.0
            paths = {name: leg.walk(hour) for name, leg in strengths.items()}
            for name, how in made.items():
                open_ = last[name]
                prices = [
                    round(over / under, how.digits)
                    for over, under in zip(
                        paths[how.over], paths[how.under], strict=True
                    )
                ]
                last[name] = prices[-1]
                luck = chance[name].random()
                yield Bar(
                    name,
                    self.timeframe,
                    opens_at,
                    open_,
                    max(open_, *prices),
                    min(open_, *prices),
                    prices[-1],
                    1 + int(minutes * hour * (30 + 60 * luck)),
                    max(1, round(how.spread * (0.9 + 0.4 * luck))),
                )
            opens_at += length
