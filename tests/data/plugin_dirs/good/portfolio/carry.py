from __future__ import annotations

from runner import Intents, Strategy, Tick


class Carry(Strategy):
    def on_tick(self, tick: Tick) -> Intents:
        yield self.buy(tick.symbol)


class NotExported(Strategy):
    def on_tick(self, tick: Tick) -> Intents:
        return None
