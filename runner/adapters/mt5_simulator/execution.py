"""What the simulated trade server does to the account: orders, deals, positions.

Nothing is verified here; :mod:`~runner.adapters.mt5_simulator.trading` did that.
"""

from __future__ import annotations

from typing import Final

from runner.adapters.mt5_simulator import constants as mt5
from runner.adapters.mt5_simulator.account import SimulatedAccount
from runner.adapters.mt5_simulator.market import Market
from runner.adapters.mt5_simulator.records import OpenPosition, Order
from runner.adapters.mt5_simulator.structs import TradeDeal
from runner.adapters.mt5_simulator.swap import swap_of
from runner.adapters.mt5_simulator.symbols import Symbol
from runner.core.orders import Side

_LOTS: Final = 8
_CENTS: Final = 2


class Executor:
    """Executes orders on one account and writes its history.

    Args:
        account: The account.
        market: Its market.
    """

    def __init__(self, account: SimulatedAccount, market: Market) -> None:
        self._account = account
        self._market = market

    def net_position(self, symbol: Symbol) -> OpenPosition | None:
        """Return the one position in *symbol* of a netting account, if there is one."""
        if self._account.rules.is_hedging:
            return None
        held = self._account.positions_in(symbol)
        return held[0] if held else None

    def new_position(self, order: Order, price: float) -> OpenPosition:
        """Return the position that *order* would open at *price*.

        Raises:
            NoRateError: If its margin, its profit or its swap cannot be converted.
        """
        symbol, market = order.symbol, self._market
        is_buy = order.side is Side.BUY
        market.rate(symbol.fields["currency_profit"], market.currency, is_gain=False)
        opened = OpenPosition(
            ticket=order.ticket,
            identifier=order.ticket,
            symbol=symbol,
            side=order.side,
            volume=order.volume,
            price_open=price,
            margin=market.margin(symbol, is_buy, order.volume, price),
            opened_msc=market.time_msc,
            updated_msc=market.time_msc,
            sl=order.sl,
            tp=order.tp,
            magic=order.magic,
            comment=order.comment,
        )
        swap_of(opened, market)
        return opened

    def place(self, order: Order) -> None:
        """Let a pending order wait."""
        self._account.orders[order.ticket] = order
        self._account.changed()

    def finish(self, order: Order, state: int) -> None:
        """Move an order to the history: filled, canceled, expired or rejected."""
        market = self._market
        order.state = state
        order.done_msc = market.time_msc
        if state == mt5.ORDER_STATE_FILLED:
            order.left = 0.0
        self._account.orders.pop(order.ticket, None)
        self._account.history.orders.add(market.time, order.shown())
        self._account.changed()

    def fill(self, order: Order, price: float) -> int:
        """Execute *order* at *price* and return its deal's ticket.

        A hedging account gets a new position. A netting account's position grows,
        shrinks, or turns over.
        """
        net = self.net_position(order.symbol)
        if net is None:
            opened = self.new_position(order, price)
            self._account.positions[opened.ticket] = opened
            entry, profit, swap = mt5.DEAL_ENTRY_IN, 0.0, 0.0
            order.position_id = opened.identifier
        elif net.side is order.side:
            self._grow(net, order, price)
            entry, profit, swap = mt5.DEAL_ENTRY_IN, 0.0, 0.0
            order.position_id = net.identifier
        else:
            reverses = round(order.volume - net.volume, _LOTS) > 0
            entry = mt5.DEAL_ENTRY_INOUT if reverses else mt5.DEAL_ENTRY_OUT
            closed = min(net.volume, order.volume)
            order.position_id = net.identifier
            profit, swap = self._shrink(net, closed, price)
            if reverses:
                self._turn_over(net, order, round(order.volume - closed, _LOTS), price)
        deal = self._write_deal(order, entry, order.volume, price, profit, swap)
        self.finish(order, mt5.ORDER_STATE_FILLED)
        return deal

    def close(self, held: OpenPosition, order: Order, price: float) -> int:
        """Close as much of *held* as *order* says and return the deal's ticket."""
        order.position_id = held.identifier
        profit, swap = self._shrink(held, order.volume, price)
        deal = self._write_deal(
            order, mt5.DEAL_ENTRY_OUT, order.volume, price, profit, swap
        )
        self.finish(order, mt5.ORDER_STATE_FILLED)
        return deal

    def close_by_market(
        self, held: OpenPosition, price: float, reason: int, comment: str
    ) -> None:
        """Close a position because of its level or a stop-out.

        Args:
            held: The position.
            price: Executed price.
            reason: ORDER_REASON_SL, _TP or _SO.
            comment: Such as ``[sl 1.08000]``.
        """
        closing = mt5.ORDER_TYPE_SELL if held.is_buy else mt5.ORDER_TYPE_BUY
        order = Order(
            ticket=self._account.new_order_ticket(),
            type=closing,
            symbol=held.symbol,
            volume=held.volume,
            price=price,
            setup_msc=self._market.time_msc,
            magic=held.magic,
            comment=comment,
            reason=reason,
        )
        self.close(held, order, price)

    def close_against(
        self, held: OpenPosition, other: OpenPosition, order: Order
    ) -> int:
        """Close two opposite positions against each other; the larger one stays.

        Returns:
            The ticket of the first of the two deals.
        """
        volume = min(held.volume, other.volume)
        price, opposite = other.price_open, held.price_open
        order.position_id, order.position_by_id = held.identifier, other.identifier
        profit, swap = self._shrink(held, volume, price)
        side = held.side.opposite
        deal = self._write_deal(
            order, mt5.DEAL_ENTRY_OUT_BY, volume, price, profit, swap, side=side
        )
        # The profit of the pair is the first deal's; the second one is even.
        _, swap = self._shrink(other, volume, other.price_open)
        order.position_id = other.identifier
        self._write_deal(
            order,
            mt5.DEAL_ENTRY_OUT_BY,
            volume,
            opposite,
            0.0,
            swap,
            side=other.side.opposite,
        )
        order.position_id = held.identifier
        self.finish(order, mt5.ORDER_STATE_FILLED)
        return deal

    def _grow(self, net: OpenPosition, order: Order, price: float) -> None:
        added = self.new_position(order, price)
        volume = round(net.volume + added.volume, _LOTS)
        net.price_open = (
            net.price_open * net.volume + added.price_open * added.volume
        ) / volume
        net.volume = volume
        net.margin += added.margin
        net.sl, net.tp = order.sl or net.sl, order.tp or net.tp
        net.updated_msc = self._market.time_msc

    def _shrink(
        self, held: OpenPosition, volume: float, price: float
    ) -> tuple[float, float]:
        left = round(held.volume - volume, _LOTS)
        profit = self._market.profit(
            held.symbol, held.is_buy, volume, held.price_open, price
        )
        if left <= 0:
            swap = held.swap
            del self._account.positions[held.ticket]
            return profit, swap
        swap = round(held.swap * volume / held.volume, _CENTS)
        held.margin *= left / held.volume
        held.swap = round(held.swap - swap, _CENTS)
        held.volume = left
        held.updated_msc = self._market.time_msc
        return profit, swap

    def _turn_over(
        self, net: OpenPosition, order: Order, volume: float, price: float
    ) -> None:
        # The identifier stays, the ticket becomes the order's [K].
        turned = self.new_position(order, price)
        turned.identifier = net.identifier
        turned.margin *= volume / turned.volume
        turned.volume = volume
        self._account.positions[turned.ticket] = turned

    def _write_deal(
        self,
        order: Order,
        entry: int,
        volume: float,
        price: float,
        profit: float,
        swap: float,
        side: Side | None = None,
    ) -> int:
        account, market = self._account, self._market
        ticket = account.new_deal_ticket()
        commission = -round(account.rules.commission * volume, _CENTS) + 0.0
        account.balance = round(account.balance + profit + swap + commission, _CENTS)
        is_buy = (side or order.side) is Side.BUY
        deal = TradeDeal(
            (
                ticket,
                order.ticket,
                market.time,
                market.time_msc,
                mt5.DEAL_TYPE_BUY if is_buy else mt5.DEAL_TYPE_SELL,
                entry,
                order.magic,
                order.position_id,
                order.reason,
                volume,
                price,
                commission,
                swap,
                profit,
                0.0,
                order.symbol.name,
                order.comment,
                "",
            )
        )
        account.history.deals.add(market.time, deal)
        return ticket
