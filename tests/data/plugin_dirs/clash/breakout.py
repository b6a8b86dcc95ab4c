from __future__ import annotations

from runner import Bar, Intents, Strategy


class Carry(Strategy):
    """Has the name of another folder's strategy."""

    def on_bar(self, bar: Bar) -> Intents:
        return None
