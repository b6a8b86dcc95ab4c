"""The simulated trade server: it verifies requests, executes them, and answers.

Every action is a method that verifies a request and returns how to execute it, so
that `order_check` and `order_send` cannot disagree.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import attrs

from runner.adapters.mt5_simulator import constants as mt5
from runner.adapters.mt5_simulator.account import SimulatedAccount
from runner.adapters.mt5_simulator.desk import Execution, Verified
from runner.adapters.mt5_simulator.errors import COMMENTS, RefusedError
from runner.adapters.mt5_simulator.execution import Executor
from runner.adapters.mt5_simulator.market import Market, NoRateError
from runner.adapters.mt5_simulator.market_requests import MarketRequests
from runner.adapters.mt5_simulator.pending_requests import PendingRequests
from runner.adapters.mt5_simulator.position_requests import PositionRequests
from runner.adapters.mt5_simulator.structs import (
    OrderCheckResult,
    OrderSendResult,
    TradeRequest,
)

_CENTS: Final = 2


class TradeServer:
    """Carries out trade requests on one account.

    Args:
        account: The account.
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
        self.closed_gate = 0
        """Return code that refuses every request; 0 for none."""
        self.late: list[TradeRequest] = []
        """Requests that were answered and are executed when the market moves."""
        self._account = account
        self._market = market
        self._requests = 0
        self._deals = MarketRequests(account, market, executor, slippage)
        pending = PendingRequests(account, market, executor, slippage)
        held = PositionRequests(account, market, executor, slippage)
        self._actions: dict[int, Callable[[TradeRequest], Verified]] = {
            mt5.TRADE_ACTION_DEAL: self._deals.deal,
            mt5.TRADE_ACTION_PENDING: pending.place,
            mt5.TRADE_ACTION_SLTP: held.protect,
            mt5.TRADE_ACTION_MODIFY: pending.modify,
            mt5.TRADE_ACTION_REMOVE: pending.remove,
            mt5.TRADE_ACTION_CLOSE_BY: held.close_by,
        }

    def check(self, request: TradeRequest) -> OrderCheckResult:
        """Verify *request*; success is retcode 0, with the money as it would be."""
        try:
            self._verify(request)
        except RefusedError as refused:
            nothing = (0.0,) * 6
            comment = COMMENTS[refused.retcode]
            return OrderCheckResult((refused.retcode, *nothing, comment, request))
        figures = self._account.figures()
        margin = self._deals.margin_after(request)
        return OrderCheckResult(
            (
                0,
                figures.balance,
                figures.equity,
                figures.profit,
                margin,
                round(figures.equity - margin, _CENTS),
                figures.equity / margin * 100 if margin else 0.0,
                COMMENTS[0],
                request,
            )
        )

    def send(
        self, request: TradeRequest, share: float = 1.0, slip: float = 0.0
    ) -> OrderSendResult:
        """Verify and execute *request*.

        Args:
            request: What is asked for.
            share: The part of a market order's volume that is executed.
            slip: Points by which this market order is filled worse.
        """
        self._deals.slip = slip
        try:
            executable = self._verify(request)
            if share < 1 and request.action == mt5.TRADE_ACTION_DEAL:
                executable = self._verify(self._deals.part_of(request, share))
                done = attrs.evolve(
                    executable(), retcode=mt5.TRADE_RETCODE_DONE_PARTIAL
                )
            else:
                done = executable()
        except RefusedError as refused:
            done = Execution(retcode=refused.retcode)
        finally:
            self._deals.slip = 0.0
        return self.answer(request, done)

    def catch_up(self) -> None:
        """Execute what was answered before it was executed."""
        waiting, self.late = self.late, []
        for request in waiting:
            self.send(request)

    def answer(self, request: TradeRequest, done: Execution) -> OrderSendResult:
        """Return the answer that tells *done*."""
        self._requests += 1
        symbol = self._market.symbols.get(request.symbol)
        return OrderSendResult(
            (
                done.retcode,
                done.deal,
                done.order,
                done.volume,
                done.price,
                symbol.bid if symbol else 0.0,
                symbol.ask if symbol else 0.0,
                COMMENTS[done.retcode],
                self._requests,
                0,
                request,
            )
        )

    def _verify(self, request: TradeRequest) -> Verified:
        if self.closed_gate:
            raise RefusedError(self.closed_gate)
        if not self._account.trade_allowed:
            raise RefusedError(mt5.TRADE_RETCODE_TRADE_DISABLED)
        if not self._account.expert_allowed:
            raise RefusedError(mt5.TRADE_RETCODE_SERVER_DISABLES_AT)
        action = self._actions.get(request.action)
        numbers = (value for value in request if isinstance(value, float))
        if action is None or not all(map(math.isfinite, numbers)):
            raise RefusedError(mt5.TRADE_RETCODE_INVALID)
        try:
            return action(request)
        except NoRateError as error:
            raise RefusedError(mt5.TRADE_RETCODE_PRICE_OFF) from error
