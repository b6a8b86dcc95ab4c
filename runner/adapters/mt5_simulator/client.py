"""The functions of the MetaTrader5 module over a terminal in another process.

As with the real module each call goes through a pipe, waits for its answer without a
limit, and holds the thread that made it. What a broken pipe means is told apart: a
request that could not be sent did nothing, one whose answer is missing may have been
carried out.
"""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection
from typing import Any, Final

from runner.adapters.mt5_simulator import constants as mt5
from runner.adapters.mt5_simulator import pipe
from runner.adapters.mt5_simulator.errors import NO_CONNECTION, SUCCESS, TEXTS
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal

_NOT_THERE: Final = mt5.RES_E_INTERNAL_FAIL_INIT


class RemoteTerminal:
    """A terminal that another process runs (`service.TerminalService`).

    It has the functions and constants of `SimulatedTerminal`, looked up there, so that
    neither can have one that the other lacks.

    Args:
        port: Where it listens on this machine.
        key: What both sides know.
    """

    def __init__(self, port: int, key: bytes) -> None:
        self._port = port
        self._key = key
        self._connection: Connection | None = None
        self._error: tuple[int, str] = NO_CONNECTION

    def __getattr__(self, name: str) -> Any:
        """Return a constant of the module, or a function that asks the terminal."""
        if name.isupper():
            return getattr(SimulatedTerminal, name)
        function: object = getattr(SimulatedTerminal, name, None)
        if name.startswith("_") or not hasattr(function, "failed"):
            raise AttributeError(f"the terminal has no function {name}")
        return self._caller(name, getattr(function, "failed", None))

    def initialize(self, *args: Any, **named: Any) -> bool:
        """Connect to the terminal's process and authorise, as the module does."""
        self.shutdown()
        try:
            self._connection = Client((pipe.HOST, self._port), authkey=self._key)
        except (OSError, EOFError, AuthenticationError) as error:
            reason = f"{TEXTS[_NOT_THERE]}: port {self._port}: {error!r}"
            self._error = _NOT_THERE, reason
            return False
        return bool(self._call("initialize", False, args, named))

    def shutdown(self) -> bool:
        """Let go of the terminal; it goes on running."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        self._error = SUCCESS
        return True

    def last_error(self) -> tuple[int, str]:
        """Return code and text of the last call; asking does not reset them."""
        return self._error

    def _caller(self, name: str, failed: object) -> Callable[..., Any]:
        def function(*args: Any, **named: Any) -> Any:
            return self._call(name, failed, args, named)

        function.__name__ = name
        return function

    def _call(
        self, name: str, failed: object, args: tuple[Any, ...], named: dict[str, Any]
    ) -> Any:
        connection = self._connection
        if connection is None:
            self._error = NO_CONNECTION
            return failed
        try:
            pipe.send(connection, pipe.Call(name, args, named))
        except OSError:
            return self._broken(mt5.RES_E_INTERNAL_FAIL_SEND, failed)
        try:
            reply: pipe.Reply = pipe.receive(connection)
        except (OSError, EOFError):
            return self._broken(mt5.RES_E_INTERNAL_FAIL_RECEIVE, failed)
        self._error = reply.error
        if reply.raised is not None:
            raise reply.raised
        return reply.value

    def _broken(self, code: int, failed: object) -> object:
        # The handle stays: every later call fails to send until `initialize` [F].
        if self._connection is not None:
            self._connection.close()
        self._error = code, TEXTS[code]
        return failed
