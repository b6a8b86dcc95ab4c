"""Fading moves away from the mean, ended by a signal between two bars."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import attrs

from runner import (
    Bar,
    Intents,
    OrderIntent,
    Parameters,
    Position,
    Side,
    Strategy,
    StrategyContext,
    Tick,
)
from strategies.indicators import deviation, mean


def _is_inside_entry(
    parameters: MeanReversionParameters,
    attribute: attrs.Attribute[float],
    value: float,
) -> None:
    if not value < parameters.entry_deviations:
        raise ValueError(
            f"exit_deviations: must be < entry_deviations "
            f"({parameters.entry_deviations:g}), got {value:g}"
        )


@attrs.frozen(kw_only=True)
class MeanReversionParameters(Parameters):
    """Parameters of `MeanReversionBot` in one symbol.

    `lookback_period` is ``flat_only``: an open position is closed at the mean that it
    was opened against. The others are ``live``.

    Attributes:
        lookback_period: Bars that make the mean and the deviation.
        entry_deviations: Distance from the mean that opens, in standard deviations.
        exit_deviations: Distance from the mean that closes, in standard deviations;
            smaller than *entry_deviations*.
        stop_loss: Distance of the stop from the quote, in points.
        holding_minutes: Longest life of a position, in minutes of market time.
    """

    lookback_period: int = attrs.field(
        default=50, validator=attrs.validators.ge(2), metadata={"reload": "flat_only"}
    )
    entry_deviations: float = attrs.field(
        default=2.0, validator=attrs.validators.gt(0.0)
    )
    exit_deviations: float = attrs.field(
        default=0.0, validator=[attrs.validators.ge(0.0), _is_inside_entry]
    )
    stop_loss: int = attrs.field(default=300, validator=attrs.validators.gt(0))
    holding_minutes: int = attrs.field(default=2880, validator=attrs.validators.gt(0))


def is_back(side: Side, price: float, center: float, band: float) -> bool:
    """Say whether a position's closing price is back at the mean.

    Args:
        side: Direction of the position.
        price: Bid for a long, ask for a short.
        center: The mean.
        band: Distance from the mean that is near enough, as a price difference.
    """
    if side is Side.BUY:
        return price >= center - band
    return price <= center + band


class MeanReversionBot(Strategy):
    """Buys far below the mean and sells far above it, until the price is back.

    Entries are decided on closed bars. Exits are decided on every quote (and on closed
    bars, for sources without quotes): a long is closed once its bid, a short once its
    ask, is within `exit_deviations` of the mean; at the latest after
    `holding_minutes`. The stop loss stands at the broker. One position a symbol.
    """

    Parameters = MeanReversionParameters

    def __init__(self, context: StrategyContext) -> None:
        super().__init__(context)
        self._asked: set[int] = set()

    def on_bar(self, bar: Bar) -> Intents:
        """Open far from the mean, or look at the exit."""
        symbol = bar.symbol
        held = self.positions(symbol)
        if held:
            # A close that the broker refused is asked for again, once a bar.
            self._asked.difference_update(position.ticket for position in held)
            ask = bar.close + bar.spread * self.symbol(symbol).point
            return self._exits(held, bid=bar.close, ask=ask)
        if not self.is_flat(symbol):
            return None
        parameters: MeanReversionParameters = self.parameters[symbol]
        closes = self.bars(symbol).close
        period = parameters.lookback_period
        away = bar.close - mean(closes, period)
        far = parameters.entry_deviations * deviation(closes, period)
        if far == 0 or abs(away) < far:
            return None
        place = self.buy if away < 0 else self.sell
        return place(symbol, stop_loss=parameters.stop_loss, reason="far from mean")

    def on_tick(self, tick: Tick) -> Intents:
        """Close what is back at the mean, or was held long enough."""
        held = self.positions(tick.symbol)
        return self._exits(held, bid=tick.bid, ask=tick.ask) if held else None

    def _exits(
        self, held: Sequence[Position], *, bid: float, ask: float
    ) -> list[OrderIntent]:
        symbol = held[0].symbol
        parameters: MeanReversionParameters = self.parameters[symbol]
        closes = self.bars(symbol).close
        center = mean(closes, parameters.lookback_period)
        band = parameters.exit_deviations * deviation(
            closes, parameters.lookback_period
        )
        oldest = self.now - timedelta(minutes=parameters.holding_minutes)
        exits: list[OrderIntent] = []
        for position in held:
            price = bid if position.side is Side.BUY else ask
            if position.ticket in self._asked:
                continue
            if position.opened_at <= oldest:
                reason = "held long enough"
            elif is_back(position.side, price, center, band):
                reason = "back at the mean"
            else:
                continue
            self._asked.add(position.ticket)
            exits.append(self.close(symbol, ticket=position.ticket, reason=reason))
        return exits
