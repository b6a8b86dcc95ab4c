"""A simulated terminal in a process of its own, which outlives the programs on it.

The market goes on whether anybody is connected or not. Every connection has its own
last error and its own view of whether it is connected; account and market are one.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import socket
import threading
from collections.abc import Callable
from multiprocessing import AuthenticationError
from multiprocessing.connection import (
    Connection,
    Listener,
    answer_challenge,
    deliver_challenge,
)
from typing import Any, Final, Protocol

from runner.adapters.mt5_simulator import pipe
from runner.adapters.mt5_simulator.errors import NO_CONNECTION, SUCCESS
from runner.adapters.mt5_simulator.faults import HungError
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal

log = logging.getLogger("mt5runner.terminal")

_LONGEST_PAUSE: Final = 0.2  # seconds between two looks at the wish to stop


class Player(Protocol):
    """Plays a feed into the terminal at its pace."""

    def play(self) -> bool:
        """Let the market go on as far as it is due; False when the feed has ended."""
        ...

    def pause(self) -> float:
        """Return the seconds until the market goes on."""
        ...


class TerminalService:
    """Serves one simulated terminal on the loopback interface.

    Args:
        terminal: What is served.
        key: What a client has to know.
        port: Where to listen; 0 takes a free one.

    Raises:
        OSError: If the port is taken.

    Attributes:
        port: Where it listens.
        lock: Held while the terminal is worked on.
    """

    def __init__(
        self, terminal: SimulatedTerminal, *, key: bytes, port: int = 0
    ) -> None:
        self._terminal = terminal
        self._key = key
        self._listener = Listener((pipe.HOST, port))
        self._stopping = threading.Event()
        self.port = int(self._listener.address[1])
        self.lock = threading.Lock()
        self._acceptor = threading.Thread(
            target=self._accept, name="mt5runner-terminal", daemon=True
        )
        self._acceptor.start()

    def play(self, player: Player, stopped: Callable[[], bool]) -> None:
        """Let the market go on until *stopped*; a feed that ended leaves it closed.

        Raises:
            FeedError: If the feed cannot be read any further.
        """
        goes_on = True
        while not stopped():
            if goes_on:
                with self.lock:
                    goes_on = player.play()
                if not goes_on:
                    log.info("the feed has ended: the market is closed")
            pause = player.pause() if goes_on else _LONGEST_PAUSE
            if pause > 0:
                self._stopping.wait(min(pause, _LONGEST_PAUSE))

    def close(self) -> None:
        """Stop listening; connections end with the process."""
        self._stopping.set()
        # Closing a socket does not wake the thread that waits at it; a visitor does.
        with contextlib.suppress(OSError):
            socket.create_connection((pipe.HOST, self.port)).close()
        self._acceptor.join()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection = self._listener.accept()
            except OSError as error:
                log.warning("a connection broke before it was made: %r", error)
                continue
            if self._stopping.is_set():
                connection.close()
                return
            # A program that freezes while it says who it is must not keep others out.
            threading.Thread(
                target=self._welcome,
                args=(connection,),
                name="mt5runner-connection",
                daemon=True,
            ).start()

    def _welcome(self, connection: Connection) -> None:
        try:
            deliver_challenge(connection, self._key)
            answer_challenge(connection, self._key)
        except (OSError, EOFError, AuthenticationError) as error:
            log.warning("a connection was refused: %s", str(error) or "it ended")
        else:
            self._serve(connection)
        finally:
            connection.close()

    def _serve(self, connection: Connection) -> None:
        terminal = copy.copy(self._terminal)
        terminal.error, terminal.down = SUCCESS, NO_CONNECTION
        log.info("a program has connected")
        try:
            while True:
                reply = self._answer(terminal, pipe.receive(connection))
                pipe.send(connection, reply)
        except HungError as hung:
            log.warning("a call hangs, as planned")
            threading.Event().wait(hung.seconds)
        except (OSError, EOFError):
            log.info("a program is gone")

    def _answer(self, terminal: SimulatedTerminal, call: Any) -> pipe.Reply:
        value: Any = None
        raised: Exception | None = None
        with self.lock:
            try:
                value = getattr(terminal, call.function)(*call.args, **call.named)
            except HungError:
                raise
            except Exception as error:  # noqa: BLE001 - raised again on the other side
                raised = error
            return pipe.Reply(value, raised, terminal.error)
