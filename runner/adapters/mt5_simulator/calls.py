"""What every call of the terminal goes through: connection, failures, last error."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

import attrs

from runner.adapters.mt5_simulator.account import SimulatedAccount
from runner.adapters.mt5_simulator.errors import (
    NO_CONNECTION,
    SUCCESS,
    TEXTS,
    CallFailedError,
)
from runner.adapters.mt5_simulator.faults import (
    LAGGING,
    Disconnect,
    Fail,
    Fault,
    Faults,
    Hang,
    HungError,
    Lag,
    LoseReply,
    Run,
    TradeFault,
)
from runner.adapters.mt5_simulator.latency import Latency
from runner.adapters.mt5_simulator.market import Market
from runner.adapters.mt5_simulator.trading import TradeServer

_ARGUMENTS = ParamSpec("_ARGUMENTS")
_CALLER = TypeVar("_CALLER", bound="Caller")
_RESULT = TypeVar("_RESULT")
_FAILED = TypeVar("_FAILED")


@attrs.define
class Switches:
    """What a person can set in a terminal, or a cable can.

    Attributes:
        connected: Whether the terminal has a link to the trade server.
        trade_allowed: The Algo Trading button.
        tradeapi_disabled: The option that shuts Python out.
    """

    connected: bool = True
    trade_allowed: bool = True
    tradeapi_disabled: bool = False


class Caller:
    """State that every function of the terminal works on.

    Attributes:
        market: Symbols, quotes and time.
        account: Money, positions, orders and history.
        server: Executes trade requests.
        latency: Lets the market go on while a request is on its way.
        switches: What a person can set in a terminal.
        faults: The plan of failures; None for none.
    """

    def __init__(
        self,
        market: Market,
        account: SimulatedAccount,
        server: TradeServer,
        latency: Latency,
        switches: Switches,
        faults: Faults | None,
    ) -> None:
        self.market = market
        self.account = account
        self.server = server
        self.latency = latency
        self.switches = switches
        self.faults = faults
        self.error: tuple[int, str] = SUCCESS
        """What `last_error` returns."""
        self.down: tuple[int, str] | None = NO_CONNECTION
        """What calls fail with while there is no connection."""
        self.trade_fault: TradeFault | None = None
        """What happens to the trade request of the present call."""
        self.lag_ms = 0
        """How far the reading of the present call is behind; 0 for not at all."""

    def last_error(self) -> tuple[int, str]:
        """Return code and text of the last call; asking does not reset them."""
        return self.error

    def prepare(self, name: str) -> LoseReply | None:
        """Let the planned fault of this call happen; return it if it comes after."""
        fault: Fault | None = self.faults.next(name) if self.faults else None
        self.lag_ms = 0
        if isinstance(fault, Run):
            fault.action()
        elif isinstance(fault, Disconnect):
            self.down = (fault.code, TEXTS[fault.code])
        elif isinstance(fault, Fail):
            raise CallFailedError(fault.code)
        elif isinstance(fault, LoseReply):
            return fault
        elif isinstance(fault, Hang):
            raise HungError(fault.seconds)
        elif isinstance(fault, Lag):
            if name not in LAGGING:
                raise ValueError(f"{name}: {fault} is for {', '.join(sorted(LAGGING))}")
            self.lag_ms = fault.milliseconds
        elif fault is not None:
            if name != "order_send":
                raise ValueError(f"{name}: {fault} is a fault of order_send only")
            self.trade_fault = fault
        return None


def call(
    failed: _FAILED, *, offline: bool = False
) -> Callable[
    [Callable[Concatenate[_CALLER, _ARGUMENTS], _RESULT]],
    Callable[Concatenate[_CALLER, _ARGUMENTS], _RESULT | _FAILED],
]:
    """Make a method a function of the module.

    It sets the last error to success, needs a connection, suffers planned faults, and
    returns *failed* where the method raises :class:`CallFailedError`.

    Args:
        failed: None or False, as the real function returns on failure.
        offline: Whether it works without a connection.
    """

    def decorate(
        method: Callable[Concatenate[_CALLER, _ARGUMENTS], _RESULT],
    ) -> Callable[Concatenate[_CALLER, _ARGUMENTS], _RESULT | _FAILED]:
        name = method.__name__

        def function(
            self: _CALLER, /, *args: _ARGUMENTS.args, **kwargs: _ARGUMENTS.kwargs
        ) -> _RESULT | _FAILED:
            self.error = SUCCESS
            try:
                lost = self.prepare(name) if self.faults is not None else None
                if self.down is not None and not offline:
                    self.error = self.down
                    return failed
                result = method(self, *args, **kwargs)
            except CallFailedError as error:
                self.error = (error.code, error.text)
                return failed
            if lost is not None:
                self.error = (lost.code, TEXTS[lost.code])
                return failed
            return result

        functools.update_wrapper(function, method)
        # What a caller in another process returns when it cannot ask.
        vars(function)["failed"] = failed
        return function

    return decorate
