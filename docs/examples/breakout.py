"""The smallest strategy: buy what rises above its highest high of late."""

from __future__ import annotations

import attrs

from runner import Bar, OrderIntent, Parameters, Strategy


@attrs.frozen
class BreakoutParameters(Parameters):
    """What the server configures for each symbol."""

    lookback_period: int = attrs.field(default=100, validator=attrs.validators.gt(0))
    stop_loss: int = attrs.field(default=300, validator=attrs.validators.gt(0))
    take_profit: int = attrs.field(default=600, validator=attrs.validators.gt(0))


class Breakout(Strategy):
    """Buys a close above the highest high of the bars before; leaves by its stops."""

    Parameters = BreakoutParameters

    def on_bar(self, bar: Bar) -> OrderIntent | None:
        """Decide on a closed bar."""
        settings = self.parameters[bar.symbol]
        highs = self.bars(bar.symbol).high[-settings.lookback_period :]
        if self.is_flat(bar.symbol) and bar.close > highs.max():
            return self.buy(
                bar.symbol,
                stop_loss=settings.stop_loss,
                take_profit=settings.take_profit,
            )
        return None
