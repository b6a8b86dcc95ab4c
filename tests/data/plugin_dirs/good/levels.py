"""A strategy that uses its neighbours and the standard library's json."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal

import attrs
from runner import Bar, OrderIntent, Parameters, Strategy, hookimpl
from runner import Strategy as Imported

from . import json as neighbour
from ._levels import above

STANDARD = json.dumps({"a": 1})
NEIGHBOUR = neighbour.dumps({"a": 1})


@dataclass
class Level:
    price: Decimal


@attrs.frozen
class LevelsParameters(Parameters):
    lookback_period: int = attrs.field(default=20, validator=attrs.validators.gt(0))
    distance: Decimal = Decimal(3)


class Levels(Strategy):
    Parameters = LevelsParameters

    @hookimpl
    def on_bar_closed(self, bar: Bar) -> None:
        self.seen = bar

    def on_bar(self, bar: Bar) -> OrderIntent | None:
        if above(bar.close, [bar.open]):
            return self.buy(bar.symbol)
        return None


class _Base(Strategy):
    """Private: no strategy of its own."""
