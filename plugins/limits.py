"""How many orders, positions and lots, and how much exposure, there may be at once.

What is pending, or has no outcome yet, counts as if it were open: one of several
intents of a strategy must not pass because the answer to another was lost.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import attrs

from runner import (
    Account,
    Action,
    Deny,
    OrderIntent,
    OrderRequest,
    PendingOrder,
    Plugin,
    PluginSettings,
    PluginState,
    Position,
    SymbolSpec,
    Tick,
    hookimpl,
)

_MINUTE = timedelta(minutes=1)
_ACCOUNT = ""  # among the names of strategies: all of them together
_SENT, _LOT_VALUES = "sent", "lot_values"
_MOVED = 0.05  # of a lot's value, after which it is written to disk again
_ENTRIES = frozenset({Action.OPEN, Action.PLACE})
_EXITS = frozenset({Action.CLOSE, Action.CANCEL})
_NOISE = 1e-9  # lots, and multiples of equity


def _above_zero(default: float | None = None) -> Any:
    return attrs.field(
        default=default, validator=attrs.validators.optional(attrs.validators.gt(0))
    )


@attrs.frozen(kw_only=True)
class LimitsSettings(PluginSettings):
    """Settings of the limits; None is no limit.

    Attributes:
        orders_per_minute: Most orders that are sent in a minute.
        orders_per_minute_strategy: The same of one strategy.
        positions: Most positions, pending orders included, on the account.
        positions_strategy: The same of one strategy.
        positions_symbol: The same in one symbol.
        lots: Most lots, pending orders included, on the account.
        lots_symbol: The same in one symbol.
        exposure: Most value of everything open and pending, as a multiple of equity.
        exposure_symbol: The same in one symbol.
    """

    orders_per_minute: int | None = _above_zero(60)
    orders_per_minute_strategy: int | None = _above_zero(30)
    positions: int | None = _above_zero(100)
    positions_strategy: int | None = _above_zero(50)
    positions_symbol: int | None = _above_zero()
    lots: float | None = _above_zero()
    lots_symbol: float | None = _above_zero()
    exposure: float | None = _above_zero()
    exposure_symbol: float | None = _above_zero()


@attrs.frozen(slots=True)
class Held:
    """Something that is open, or may be.

    Attributes:
        symbol: The broker's spelling.
        magic: Number of the strategy.
        lots: How much.
    """

    symbol: str
    magic: int
    lots: float


def held(
    positions: Iterable[Position],
    orders: Iterable[PendingOrder],
    unresolved: Iterable[OrderRequest],
) -> list[Held]:
    """List everything that is open or may be, hedges counted on both sides."""
    return [
        *(Held(one.symbol, one.magic, one.volume) for one in positions),
        *(Held(one.symbol, one.magic, one.volume) for one in orders),
        *(
            Held(one.symbol, one.magic, one.volume)
            for one in unresolved
            if one.action in _ENTRIES
        ),
    ]


def lot_value(symbol: SymbolSpec, tick: Tick) -> float:
    """Return what one lot is worth at the quote, in account currency."""
    return tick.ask / symbol.tick_size * symbol.tick_value


def against_size(
    wanted: Held,
    present: Sequence[Held],
    settings: LimitsSettings,
    equity: float,
    lot_values: Mapping[str, float],
) -> Deny | None:
    """Say whether one more position would be too much.

    Args:
        wanted: What is to be opened.
        present: What is open, or may be.
        settings: The limits.
        equity: Account currency.
        lot_values: Symbol to the value of one lot, account currency.
    """
    everything = [*present, wanted]
    in_symbol = [one for one in everything if one.symbol == wanted.symbol]
    of_strategy = [one for one in everything if one.magic == wanted.magic]
    for limit, some, of in (
        (settings.positions, everything, "account"),
        (settings.positions_strategy, of_strategy, "strategy"),
        (settings.positions_symbol, in_symbol, wanted.symbol),
    ):
        if limit is not None and len(some) > limit:
            return Deny("POSITION_LIMIT", f"open={len(some) - 1} limit={limit} of={of}")
    for most, some, of in (
        (settings.lots, everything, "account"),
        (settings.lots_symbol, in_symbol, wanted.symbol),
    ):
        lots = sum(one.lots for one in some)
        if most is not None and not lots <= most + _NOISE:
            return Deny("LOT_LIMIT", f"would={lots:g} limit={most:g} of={of}")
    for most, some, of in (
        (settings.exposure, everything, "account"),
        (settings.exposure_symbol, in_symbol, wanted.symbol),
    ):
        if most is None:
            continue
        unknown = sorted({one.symbol for one in some} - lot_values.keys())
        if unknown:
            return Deny("EXPOSURE_UNKNOWN", f"value of a lot of {', '.join(unknown)}")
        value = sum(one.lots * lot_values[one.symbol] for one in some)
        times = value / equity if equity > 0 else math.inf
        if not times <= most + _NOISE:
            return Deny("EXPOSURE_LIMIT", f"would={times:.2f} limit={most:g} of={of}")
    return None


class Limits(Plugin):
    """Denies what would exceed a limit; it never denies that something is closed."""

    Settings = LimitsSettings
    settings: LimitsSettings

    def __init__(self, settings: PluginSettings, state: PluginState) -> None:
        super().__init__(settings, state)
        sent: Mapping[str, list[str]] = state.get(_SENT) or {}
        self._sent = {
            name: [datetime.fromisoformat(time) for time in times]
            for name, times in sent.items()
        }
        self._lot_values: dict[str, float] = state.get(_LOT_VALUES) or {}
        self._lot_values_on_disk = dict(self._lot_values)

    @hookimpl
    def on_order_sent(self, request: OrderRequest, now: datetime) -> None:
        """Count it, on disk: a restart is no way around the limit."""
        for name, limit in self._rates(request.strategy):
            # More than the limit need not be remembered.
            times = [*self._sent.get(name, ()), now]
            self._sent[name] = times[-limit:]
        self._sent = {
            name: times
            for name, times in self._sent.items()
            if any(abs(now - time) < _MINUTE for time in times)
        }
        self.state.put(
            _SENT,
            {
                name: [t.isoformat() for t in times]
                for name, times in self._sent.items()
            },
        )

    @hookimpl
    def check_order(
        self,
        intent: OrderIntent,
        magic: int,
        account: Account,
        positions: Sequence[Position],
        orders: Sequence[PendingOrder],
        unresolved: Sequence[OrderRequest],
        symbol: SymbolSpec,
        tick: Tick,
        now: datetime,
    ) -> Deny | None:
        """Deny an entry beyond a limit, and a move of stops beyond the rates."""
        if intent.action in _EXITS:
            return None
        too_often = self._too_often(intent.strategy, now)
        if too_often is not None or not intent.increases_exposure:
            return too_often
        self._learn(symbol, tick)
        return against_size(
            Held(intent.symbol, magic, intent.volume or 0.0),
            held(positions, orders, unresolved),
            self.settings,
            account.equity,
            self._lot_values,
        )

    def _rates(self, strategy: str) -> list[tuple[str, int]]:
        known = (
            (_ACCOUNT, self.settings.orders_per_minute),
            (strategy, self.settings.orders_per_minute_strategy),
        )
        return [(name, limit) for name, limit in known if limit is not None]

    def _too_often(self, strategy: str, now: datetime) -> Deny | None:
        for name, limit in self._rates(strategy):
            times = self._sent.get(name, ())
            sent = sum(abs(now - time) < _MINUTE for time in times)
            if sent >= limit:
                return Deny("ORDER_RATE", f"limit={limit} of={name or 'account'}")
        return None

    def _learn(self, symbol: SymbolSpec, tick: Tick) -> None:
        if self.settings.exposure is None and self.settings.exposure_symbol is None:
            return
        value = lot_value(symbol, tick)
        self._lot_values[symbol.name] = value
        on_disk = self._lot_values_on_disk.get(symbol.name, 0.0)
        if abs(value - on_disk) > _MOVED * on_disk:
            self._lot_values_on_disk[symbol.name] = value
            self.state.put(_LOT_VALUES, self._lot_values)
