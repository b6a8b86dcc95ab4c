"""Breakouts of a channel, held until stop or target."""

from __future__ import annotations

import attrs

from runner import Bar, OrderIntent, Parameters, Strategy
from strategies.indicators import highest, lowest

_NOISE = 0.001
"""Points. A close on the threshold itself is not beyond it, in binary neither."""


@attrs.frozen(kw_only=True)
class TrendFollowingParameters(Parameters):
    """Parameters of `TrendFollowingBot` in one symbol (seed, API endpoint 2).

    All of them are ``live``: they count from the next bar on, and open positions keep
    the stop and target that they were opened with.

    Attributes:
        threshold_points: How far beyond the channel a bar must close, in points.
        stop_loss: Distance of the stop from the quote, in points.
        take_profit: Distance of the target from the quote, in points.
        lookback_period: Bars that make the channel.
    """

    threshold_points: int = attrs.field(default=50, validator=attrs.validators.ge(0))
    stop_loss: int = attrs.field(default=100, validator=attrs.validators.gt(0))
    take_profit: int = attrs.field(default=200, validator=attrs.validators.gt(0))
    lookback_period: int = attrs.field(default=100, validator=attrs.validators.ge(1))


class TrendFollowingBot(Strategy):
    """Follows a close beyond the highest high or lowest low of the bars before it.

    At each closed bar, when flat on the symbol: buy if the close is above the highest
    high of the previous `lookback_period` bars by more than `threshold_points`; sell if
    it is below their lowest low by more than that. One position a symbol; it ends at
    its stop or target only (architecture, decision 11).
    """

    Parameters = TrendFollowingParameters

    def on_bar(self, bar: Bar) -> OrderIntent | None:
        """Open in the direction of a breakout."""
        symbol = bar.symbol
        if not self.is_flat(symbol):
            return None
        parameters: TrendFollowingParameters = self.parameters[symbol]
        bars = self.bars(symbol)
        margin = (parameters.threshold_points + _NOISE) * self.symbol(symbol).point
        if bar.close > highest(bars.high, parameters.lookback_period) + margin:
            place = self.buy
        elif bar.close < lowest(bars.low, parameters.lookback_period) - margin:
            place = self.sell
        else:
            return None
        return place(
            symbol,
            stop_loss=parameters.stop_loss,
            take_profit=parameters.take_profit,
            reason="breakout",
        )
