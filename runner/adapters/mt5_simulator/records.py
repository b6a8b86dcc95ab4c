"""What the simulated account holds: open positions and pending orders."""

from __future__ import annotations

from typing import Final

import attrs

from runner.adapters.mt5_simulator import constants as mt5
from runner.adapters.mt5_simulator.structs import TradeOrder, TradePosition
from runner.adapters.mt5_simulator.symbols import Symbol
from runner.core.matching import Trigger
from runner.core.orders import Side

BUYS: Final = frozenset(
    {
        mt5.ORDER_TYPE_BUY,
        mt5.ORDER_TYPE_BUY_LIMIT,
        mt5.ORDER_TYPE_BUY_STOP,
        mt5.ORDER_TYPE_BUY_STOP_LIMIT,
    }
)
"""Order types that buy."""

LIMITS: Final = frozenset({mt5.ORDER_TYPE_BUY_LIMIT, mt5.ORDER_TYPE_SELL_LIMIT})
"""Order types that wait for a better price."""

STOP_LIMITS: Final = {
    mt5.ORDER_TYPE_BUY_STOP_LIMIT: mt5.ORDER_TYPE_BUY_LIMIT,
    mt5.ORDER_TYPE_SELL_STOP_LIMIT: mt5.ORDER_TYPE_SELL_LIMIT,
}
"""Order types whose stop, once reached, leaves a limit order of that type."""


def side_of(order_type: int) -> Side:
    """Return the direction of an order (or position) type."""
    return Side.BUY if order_type in BUYS else Side.SELL


@attrs.define(slots=True, kw_only=True, eq=False)
class OpenPosition:
    """A position. Times are milliseconds of the server's wall clock.

    Attributes:
        ticket: Its number.
        identifier: The number that its deals carry; stays when *ticket* changes.
        symbol: What is held.
        side: BUY is long.
        volume: In lots.
        price_open: Average price of entry.
        margin: In account currency.
        opened_msc: When it was opened.
        updated_msc: When it was last changed.
        sl: Stop loss; 0.0 for none.
        tp: Take profit; 0.0 for none.
        magic: From the order that opened it.
        reason: POSITION_REASON_*.
        comment: From the order that opened it.
        swap: Accrued, in account currency.
        valued_at: Revision of the market that *value* belongs to.
        value: Profit at that revision, in account currency.
    """

    ticket: int
    identifier: int
    symbol: Symbol
    side: Side
    volume: float
    price_open: float
    margin: float
    opened_msc: int
    updated_msc: int
    sl: float = 0.0
    tp: float = 0.0
    magic: int = 0
    reason: int = mt5.POSITION_REASON_EXPERT
    comment: str = ""
    swap: float = 0.0
    valued_at: int = -1
    value: float = 0.0

    @property
    def is_buy(self) -> bool:
        """Whether it is long."""
        return self.side is Side.BUY

    def price_at(self, bid: float, ask: float) -> float:
        """Return the price at which a quote would close it."""
        return bid if self.side is Side.BUY else ask

    def shown(self, profit: float) -> TradePosition:
        """Return it as the module shows it."""
        return TradePosition(
            (
                self.ticket,
                self.opened_msc // 1000,
                self.opened_msc,
                self.updated_msc // 1000,
                self.updated_msc,
                mt5.POSITION_TYPE_BUY if self.is_buy else mt5.POSITION_TYPE_SELL,
                self.magic,
                self.identifier,
                self.reason,
                self.volume,
                self.price_open,
                self.sl,
                self.tp,
                self.price_at(self.symbol.bid, self.symbol.ask),
                self.swap,
                profit,
                self.symbol.name,
                self.comment,
                "",
            )
        )


@attrs.define(slots=True, kw_only=True, eq=False)
class Order:
    """An order, pending or done. Times are milliseconds of the server's wall clock.

    Attributes:
        ticket: Its number.
        type: ORDER_TYPE_*.
        symbol: What is traded.
        volume: In lots, as asked for.
        price: Price that it waits for; a market order's executed price.
        setup_msc: When it was placed.
        stoplimit: Price of the limit order that a stop limit order leaves.
        sl: Stop loss of the position; 0.0 for none.
        tp: Take profit of the position; 0.0 for none.
        magic: As asked for.
        comment: As asked for.
        type_time: ORDER_TIME_*.
        type_filling: ORDER_FILLING_*.
        expires_msc: When it lapses; 0 for never.
        expiration: As asked for, in seconds.
        reason: ORDER_REASON_*.
        state: ORDER_STATE_*.
        left: Lots not executed.
        position_id: The position that it opened or closed; 0 for none yet.
        position_by_id: The opposite position of a close-by; 0 for none.
        done_msc: When it was executed or lapsed; 0 for not yet.
    """

    ticket: int
    type: int
    symbol: Symbol
    volume: float
    price: float
    setup_msc: int
    stoplimit: float = 0.0
    sl: float = 0.0
    tp: float = 0.0
    magic: int = 0
    comment: str = ""
    type_time: int = mt5.ORDER_TIME_GTC
    type_filling: int = mt5.ORDER_FILLING_FOK
    expires_msc: int = 0
    expiration: int = 0
    reason: int = mt5.ORDER_REASON_EXPERT
    state: int = mt5.ORDER_STATE_PLACED
    left: float = 0.0
    position_id: int = 0
    position_by_id: int = 0
    done_msc: int = 0

    @property
    def side(self) -> Side:
        """The direction of the deal that it leads to."""
        return side_of(self.type)

    @property
    def trigger(self) -> Trigger:
        """How it is executed."""
        return Trigger.LIMIT if self.type in LIMITS else Trigger.STOP

    def shown(self) -> TradeOrder:
        """Return it as the module shows it."""
        symbol = self.symbol
        return TradeOrder(
            (
                self.ticket,
                self.setup_msc // 1000,
                self.setup_msc,
                self.done_msc // 1000,
                self.done_msc,
                self.expiration,
                self.type,
                self.type_time,
                self.type_filling,
                self.state,
                self.magic,
                self.position_id,
                self.position_by_id,
                self.reason,
                self.volume,
                self.left,
                self.price,
                self.sl,
                self.tp,
                symbol.ask if self.side is Side.BUY else symbol.bid,
                self.stoplimit,
                symbol.name,
                self.comment,
                "",
            )
        )
