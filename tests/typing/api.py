"""The public API as authors use it: checked by both type checkers, never run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import assert_type

import attrs

from runner import (
    Account,
    Bar,
    BarSeries,
    Deny,
    Intents,
    OrderIntent,
    OrderRequest,
    OrderResult,
    Outcome,
    Parameters,
    Plugin,
    PluginSettings,
    Position,
    Side,
    Strategy,
    SymbolSpec,
    Tick,
    TradeConfig,
    hookimpl,
)


@attrs.frozen
class CrossParameters(Parameters):
    """Parameters with a default, a validator and a reload rule."""

    fast_period: int = attrs.field(default=10, validator=attrs.validators.gt(0))
    risk: float = attrs.field(default=0.5, metadata={"reload": "flat_only"})


class Cross(Strategy):
    """Uses all that a strategy has."""

    Parameters = CrossParameters

    def on_start(self) -> None:
        """Log."""
        self.log.info("started on %s", self.account.login)

    def on_bar(self, bar: Bar) -> Intents:
        """Return one intent, or nothing."""
        assert_type(self.now, datetime)
        assert_type(self.account, Account)
        assert_type(self.symbol(bar.symbol), SymbolSpec)
        assert_type(self.tick(bar.symbol), Tick | None)
        assert_type(self.bars(bar.symbol), BarSeries)
        average = float(self.bars(bar.symbol).close[-10:].mean())
        if self.is_flat(bar.symbol) and bar.close > average:
            return self.buy(bar.symbol, stop_loss=100, take_profit=200, reason="cross")
        return None

    def on_tick(self, tick: Tick) -> Iterable[OrderIntent]:
        """Return several intents."""
        for position in self.positions(tick.symbol):
            assert_type(position, Position)
            if position.side is Side.BUY:
                yield self.protect(position, stop_loss=tick.bid - 0.001)
            else:
                yield self.close(tick.symbol, ticket=position.ticket)

    @hookimpl
    def on_order_result(self, request: OrderRequest, result: OrderResult) -> None:
        """Observe what became of an order."""
        if result.outcome is Outcome.REJECTED:
            self.log.warning("%s: %s", request.symbol, result.message)


@attrs.frozen
class QuietSettings(PluginSettings):
    """The settings of a plugin."""

    symbols: tuple[str, ...] = ()


class Quiet(Plugin):
    """A guard with settings, state and a heartbeat field."""

    Settings = QuietSettings

    @hookimpl
    def check_order(
        self,
        intent: OrderIntent,
        positions: Sequence[Position],
        config: TradeConfig,
        now: datetime,
    ) -> Deny | None:
        """Deny without a reason that a person would understand."""
        if intent.increases_exposure and positions and config.dd_blocked:
            self.state.put("last", now.isoformat())
            return Deny("QUIET", f"positions={len(positions)}")
        return None

    @hookimpl
    def describe_status(self) -> Mapping[str, str]:
        """Tell the server."""
        return {"quiet": str(self.state.get("last"))}
