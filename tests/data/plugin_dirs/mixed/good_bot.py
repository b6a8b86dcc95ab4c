from __future__ import annotations

import json

from runner import Bar, Intents, Strategy


class GoodBot(Strategy):
    """Trades whatever its neighbours do."""

    def on_bar(self, bar: Bar) -> Intents:
        self.log.debug(json.dumps({"close": bar.close}))
        return self.buy(bar.symbol, stop_loss=100, take_profit=200)
