"""Whether an order fits into what the limits leave, if everything went wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from plugins.drawdown.exposure import Exposure, open_exposure
from plugins.drawdown.limits import Limit
from plugins.drawdown.rules import Rules
from runner import (
    Deny,
    OrderIntent,
    Position,
    Side,
    SymbolSpec,
    Tick,
    WithoutStop,
)


def new_stops(
    intent: OrderIntent,
    positions: Sequence[Position],
    symbols: Mapping[str, SymbolSpec],
    tick: Tick,
    *,
    is_hedging: bool,
) -> dict[int, float]:
    """Return the stops that *intent* would move away from the market.

    On a netting account an addition does so too: the position that both become has
    the stop of the newest order.

    Args:
        intent: What a strategy wants.
        positions: Every open position of the account.
        symbols: The rules of their symbols.
        tick: The latest quote of the intent's symbol.
        is_hedging: Whether the account keeps positions of one symbol apart.

    Returns:
        Position ticket to the new stop, as a price; empty if nothing more is risked.
    """
    price = intent.stop_loss_price
    if intent.increases_exposure:
        price = None if is_hedging else _entry_stop(intent, tick, symbols)
    if price is None:
        return {}
    found: dict[int, float] = {}
    for position in positions:
        if position.symbol != intent.symbol or not position.stop_loss:
            continue
        if intent.ticket is not None and position.ticket != intent.ticket:
            continue
        if intent.side is not None and position.side is not intent.side:
            continue  # it is closed, in part at least
        stands = open_exposure((position,), (), symbols)
        moved = open_exposure((position,), (), symbols, {position.ticket: price})
        if moved.unknown or moved.risk > stands.risk:
            found[position.ticket] = price
    return found


def _entry_stop(
    intent: OrderIntent, tick: Tick, symbols: Mapping[str, SymbolSpec]
) -> float | None:
    if intent.stop_loss is None:
        return None  # that of the position stays
    is_buy = intent.side is Side.BUY
    price = intent.price or (tick.ask if is_buy else tick.bid)
    away = intent.stop_loss * symbols[intent.symbol].point
    return price - away if is_buy else price + away


def check_room(
    limits: tuple[Limit, Limit], equity: float, exposure: Exposure, rules: Rules
) -> Deny | None:
    """Say whether the worst case stays above both floors.

    Args:
        limits: The daily and the maximum one.
        equity: The present one.
        exposure: What is at risk, the order in question included.
        rules: What costs to keep free, and what having no stop means.
    """
    if exposure.unknown:
        what = ", ".join(exposure.unknown)
        return Deny("RISK_UNKNOWN", f"{what}: the symbol's rules cannot be read")
    if exposure.without_stop and rules.positions_without_stop is WithoutStop.REFUSE:
        return Deny("NO_STOP", f"no stop: {', '.join(exposure.without_stop)}")
    daily, maximum = limits
    if detail := _too_much(daily, equity, exposure.risk, rules):
        return Deny("DAILY_DRAWDOWN_RISK", detail)
    if detail := _too_much(maximum, equity, exposure.risk, rules):
        return Deny("MAX_DRAWDOWN_RISK", detail)
    return None


def _too_much(limit: Limit, equity: float, risk: float, rules: Rules) -> str:
    """Return the figures of a worst case that reaches the floor; empty for none."""
    costs = rules.buffer_percent / 100 * limit.base
    worst = equity - risk - costs
    if not limit.is_breached(worst):
        return ""
    return (
        f"worst={worst:.2f} floor={limit.floor:.2f} equity={equity:.2f} "
        f"risk={risk:.2f} costs={costs:.2f}"
    )
