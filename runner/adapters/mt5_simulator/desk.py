"""What every kind of trade request needs to be verified and executed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from runner.adapters.mt5_simulator import constants as mt5
from runner.adapters.mt5_simulator.account import SimulatedAccount
from runner.adapters.mt5_simulator.errors import RefusedError
from runner.adapters.mt5_simulator.execution import Executor
from runner.adapters.mt5_simulator.market import Market
from runner.adapters.mt5_simulator.records import OpenPosition, Order
from runner.adapters.mt5_simulator.structs import TradeRequest
from runner.adapters.mt5_simulator.symbols import Symbol
from runner.core.orders import Side

LOTS: Final = 8
"""Decimals of a volume; rounding to them only removes binary noise."""


@attrs.frozen(slots=True, kw_only=True)
class Execution:
    """What executing a request did.

    Attributes:
        retcode: 10009 or 10008.
        order: Ticket of the order; 0 if none came of it.
        deal: Ticket of the deal; 0 if none came of it.
        volume: Lots executed or placed.
        price: Price executed at; 0.0 if none.
    """

    retcode: int = mt5.TRADE_RETCODE_DONE
    order: int = 0
    deal: int = 0
    volume: float = 0.0
    price: float = 0.0


Verified = Callable[[], Execution]
"""A request that passed every check: calling it executes it."""


class Desk:
    """Where requests of one kind are verified and executed.

    Args:
        account: Whose requests they are.
        market: Its market.
        executor: Carries orders out.
        slippage: Points by which market orders are filled worse, >= 0.
    """

    def __init__(
        self,
        account: SimulatedAccount,
        market: Market,
        executor: Executor,
        slippage: float,
    ) -> None:
        self._account = account
        self._market = market
        self._executor = executor
        self._slippage = slippage

    def _symbol(self, name: str) -> Symbol:
        symbol = self._market.symbols.get(name)
        if symbol is None:
            raise RefusedError(mt5.TRADE_RETCODE_INVALID)
        return symbol

    def _position(self, ticket: int, symbol: str = "") -> OpenPosition:
        held = self._account.positions.get(ticket)
        if held is None:
            raise RefusedError(mt5.TRADE_RETCODE_POSITION_CLOSED)
        if symbol and held.symbol.name != symbol:
            raise RefusedError(mt5.TRADE_RETCODE_INVALID)
        return held

    def _check_volume_limit(self, symbol: Symbol, side: Side, volume: float) -> None:
        limit = symbol.fields["volume_limit"]
        used = self._account.volume_of(symbol, side)
        if limit and round(used + volume - limit, LOTS) > 0:
            raise RefusedError(mt5.TRADE_RETCODE_LIMIT_VOLUME)

    def _new_order(
        self, symbol: Symbol, request: TradeRequest, ticket: int | None = None
    ) -> Order:
        return Order(
            ticket=self._account.new_order_ticket() if ticket is None else ticket,
            type=request.type,
            symbol=symbol,
            volume=round(request.volume, LOTS),
            price=0.0,
            setup_msc=self._market.time_msc,
            sl=symbol.round(request.sl),
            tp=symbol.round(request.tp),
            magic=request.magic,
            comment=request.comment,
            type_time=request.type_time,
            type_filling=request.type_filling,
            expiration=request.expiration,
            left=request.volume,
        )
