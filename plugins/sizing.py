"""How large an order is that names no volume itself."""

from __future__ import annotations

import logging
import math
from decimal import ROUND_FLOOR, Decimal

import attrs

from runner import (
    Account,
    Action,
    OrderIntent,
    Plugin,
    PluginSettings,
    SymbolSpec,
    Tick,
    TradeConfig,
    hookimpl,
)

log = logging.getLogger("mt5runner.plugins.sizing")


@attrs.frozen(kw_only=True)
class SizingSettings(PluginSettings):
    """Settings of the sizing.

    Attributes:
        risk_percent: With dynamic sizing, the loss at the stop in percent of equity.
        max_volume: Most lots of one order; None leaves it to the broker's limit.
    """

    risk_percent: float = attrs.field(
        default=1.0,
        validator=[attrs.validators.gt(0), attrs.validators.le(100)],
    )
    max_volume: float | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.gt(0))
    )


@attrs.frozen(slots=True)
class Refused:
    """No size could be chosen, and why."""

    reason: str


def wanted_volume(
    intent: OrderIntent,
    account: Account,
    symbol: SymbolSpec,
    config: TradeConfig,
    risk_percent: float,
    spread: float = 0.0,
) -> float | Refused:
    """Return the size before the broker's grid and limits.

    Fixed is the server's ``lot_size``. Dynamic is the size that loses *risk_percent*
    of equity when the stop is hit, counted from the quote at which the order is sent;
    commission, slippage and gaps come on top. A stop that is nearer than the broker
    takes one counts as far away as it will be moved.

    Args:
        intent: An opening intent.
        account: Its equity counts, not its balance.
        symbol: The symbol's rules; tick value in account currency.
        config: Says whether sizing is dynamic, and the fixed size.
        risk_percent: Percent of equity to lose at the stop.
        spread: Of the quote, as a price; 0.0 for a pending order.

    Returns:
        Lots, or why there is no answer.
    """
    trade = config.trade_config
    if not trade.dynamic_position_sizing_enabled:
        return trade.lot_size
    if intent.stop_loss is None:
        return Refused("dynamic sizing needs a stop loss, the intent has none")
    distance = symbol.stop_distance(intent.stop_loss, spread)
    loss_per_lot = distance / symbol.tick_size * symbol.tick_value
    if not (math.isfinite(loss_per_lot) and loss_per_lot > 0):
        return Refused(f"the loss of one lot at the stop is {loss_per_lot!r}")
    if not (math.isfinite(account.equity) and account.equity > 0):
        return Refused(f"equity is {account.equity!r}")
    return account.equity * risk_percent / 100 / loss_per_lot


def tradable_volume(
    volume: float, symbol: SymbolSpec, max_volume: float | None
) -> float | Refused:
    """Bring a size onto the broker's grid, never upward.

    Args:
        volume: Lots.
        symbol: Its smallest and largest order and the step between sizes.
        max_volume: Most lots of one order; None for the symbol's own limit.

    Returns:
        The largest multiple of the step that is not above *volume* or a limit, or why
        there is none.
    """
    if not math.isfinite(volume):
        return Refused(f"the size is {volume!r}")
    most = min(volume, symbol.volume_max, max_volume or math.inf)
    # In decimals, since 0.3 / 0.1 floors to 2 in binary; twelve digits take away
    # the noise that the division by risk has left.
    step = Decimal(f"{symbol.volume_step:.12g}")
    steps = (Decimal(f"{most:.12g}") / step).to_integral_value(ROUND_FLOOR)
    floored = float(steps * step)
    if floored < symbol.volume_min or floored <= 0:
        return Refused(
            f"{volume:g} lots come to {floored:g}, the smallest order is "
            f"{symbol.volume_min:g}"
        )
    return floored


class Sizing(Plugin):
    """Sizes orders by the server's lot size, or by the risk to their stop."""

    Settings = SizingSettings
    settings: SizingSettings
    _told: tuple[str, str] | None = None

    @hookimpl(trylast=True)
    def choose_volume(
        self,
        intent: OrderIntent,
        account: Account,
        symbol: SymbolSpec,
        tick: Tick,
        config: TradeConfig,
    ) -> float | None:
        """Return the size in lots, or None, which the runner takes for a denial."""
        spread = tick.ask - tick.bid if intent.action is Action.OPEN else 0.0
        volume = wanted_volume(
            intent, account, symbol, config, self.settings.risk_percent, spread
        )
        if not isinstance(volume, Refused):
            volume = tradable_volume(volume, symbol, self.settings.max_volume)
        if not isinstance(volume, Refused):
            self._told = None
            return volume
        if self._told != (symbol.name, volume.reason):
            self._told = (symbol.name, volume.reason)
            log.warning("%s: no size chosen: %s", symbol.name, volume.reason)
        return None
