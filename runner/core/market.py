"""What the market shows: ticks, closed bars, and the rules of a symbol."""

from __future__ import annotations

import enum
from datetime import datetime, timedelta

import attrs


class Timeframe(enum.Enum):
    """A bar's length, by MetaTrader's own names. The value is its length in minutes.

    A month has no fixed length; ``MN1`` counts 30 days where a length is asked for.
    """

    M1 = 1
    M2 = 2
    M3 = 3
    M4 = 4
    M5 = 5
    M6 = 6
    M10 = 10
    M12 = 12
    M15 = 15
    M20 = 20
    M30 = 30
    H1 = 60
    H2 = 120
    H3 = 180
    H4 = 240
    H6 = 360
    H8 = 480
    H12 = 720
    D1 = 1440
    W1 = 10080
    MN1 = 43200

    @property
    def duration(self) -> timedelta:
        """The length of one bar."""
        return timedelta(minutes=self.value)


@attrs.frozen(slots=True)
class Tick:
    """One quote.

    Attributes:
        symbol: The broker's spelling.
        time: When it was quoted, UTC-aware.
        bid: What a seller gets.
        ask: What a buyer pays.
    """

    symbol: str
    time: datetime
    bid: float
    ask: float


@attrs.frozen(slots=True)
class Bar:
    """One closed bar. Prices are bids.

    Attributes:
        symbol: The broker's spelling.
        timeframe: The bar's length.
        opens_at: When it opened, UTC-aware.
        open: First bid.
        high: Highest bid.
        low: Lowest bid.
        close: Last bid.
        tick_volume: Number of quotes; 0 where the source has none.
        spread: In points; 0 where the source has none.
    """

    symbol: str
    timeframe: Timeframe
    opens_at: datetime
    open: float
    high: float
    low: float
    close: float
    tick_volume: int = 0
    spread: int = 0

    @property
    def closes_at(self) -> datetime:
        """When the next bar of this timeframe may open, UTC-aware."""
        return self.opens_at + self.timeframe.duration


@attrs.frozen(slots=True, kw_only=True)
class SymbolSpec:
    """The rules of a symbol, as the broker's terminal states them.

    Attributes:
        name: The broker's spelling.
        digits: Decimal places of a price.
        point: The unit in which stops, spreads and deviations are counted, in price.
        tick_size: The grid of prices; may differ from *point*.
        tick_value: Profit in account currency of one *tick_size* on one lot.
        contract_size: Units in one lot.
        volume_min: Smallest order, in lots.
        volume_max: Largest order, in lots.
        volume_step: Grid of volumes, in lots.
        volume_limit: Most lots open and pending in one direction; 0 for no limit.
        stops_level: Nearest distance of a stop to the quote, in points.
        freeze_level: Distance, in points, inside which nothing may be changed.
        currency_base: First currency of a pair.
        currency_profit: Currency in which profit arises.
        currency_margin: Currency in which margin is counted.
        entries_allowed: Whether the broker takes new positions in this symbol.
    """

    name: str
    digits: int
    point: float
    tick_size: float
    tick_value: float
    contract_size: float
    volume_min: float
    volume_max: float
    volume_step: float
    volume_limit: float = 0.0
    stops_level: int = 0
    freeze_level: int = 0
    currency_base: str = ""
    currency_profit: str = ""
    currency_margin: str = ""
    entries_allowed: bool = True

    def stop_distance(self, points: float, spread: float = 0.0) -> float:
        """Return how far from its entry a stop may come to stand, as a price.

        A broker takes no stop nearer to the quote than its stops level, or than its
        spread where the level moves with the market. A nearer one is moved away, so
        that it costs more than its own distance says.

        Args:
            points: Distance that is wanted.
            spread: Of the quote, as a price; 0.0 for a pending order.
        """
        nearest = max(self.stops_level * self.point, self.tick_size, spread)
        return max(points * self.point, spread + nearest + self.tick_size)
