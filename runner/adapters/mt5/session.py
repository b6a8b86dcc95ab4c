"""The connection to the terminal: opened, watched, and opened again when it is lost."""

from __future__ import annotations

import logging
from typing import Any, TypeVar

from runner.adapters.mt5 import terminal as mt5
from runner.adapters.mt5.settings import MT5Settings
from runner.adapters.mt5.structs import AccountInfo
from runner.adapters.mt5.terminal import Terminal
from runner.ports import Clock, Login, UnavailableError

_T = TypeVar("_T")
_log = logging.getLogger("mt5runner.mt5")

_LONGEST_DELAY = 60.0
_LINK_PATIENCE = 10.0
_CONNECT_REMEDIES = {
    mt5.RES_E_INVALID_PARAMS: "check account, server and path of the terminal",
    mt5.RES_E_INVALID_VERSION: "update the terminal and the MetaTrader5 package",
    mt5.RES_E_AUTH_FAILED: (
        "check account, password and server; one terminal serves one Python program"
    ),
    mt5.RES_E_UNSUPPORTED: (
        "accounts with one-time passwords or certificates cannot be used by a program"
    ),
}
"""Failures to connect that no further try mends, and what to do about them."""


def retry_delay(failures: int) -> float:
    """Return how long to wait before the next try to connect, in seconds.

    Args:
        failures: Tries that failed since the connection was last good.
    """
    return min(_LONGEST_DELAY, 2.0 ** min(failures, 10))


class Session:
    """One account on one terminal.

    Args:
        terminal: The MetaTrader5 module or its twin.
        clock: Its monotonic time drives the tries to connect again.
        settings: Path rules and time-outs.
    """

    def __init__(self, terminal: Terminal, clock: Clock, settings: MT5Settings) -> None:
        self._terminal = terminal
        self._clock = clock
        self._settings = settings
        self._login: Login | None = None
        self._account: tuple[int, str] = (0, "")
        self._lost = ""
        self._is_verified = False
        self._failures = 0
        self._retry_at = 0.0
        self._opened_at = 0.0
        self._trouble = ""
        self._unlinked_since: float | None = None
        self._link_told = False
        self.generation = 0
        """Counts connections; what is known of the terminal itself ends with one."""

    @property
    def is_lost(self) -> bool:
        """Whether the connection broke and has not been made again."""
        return bool(self._lost)

    def connect(self, login: Login) -> AccountInfo:
        """Connect and take the account for the one to stay on.

        Args:
            login: Which account, on which terminal.

        Raises:
            ValueError: If the settings cannot work: no path though one is required,
                a refused password, another account than the one asked for.
            UnavailableError: If the terminal cannot be reached now.
        """
        if self._settings.path_required and not login.terminal_path:
            raise ValueError(
                "terminal path: required, since with several terminals on a machine "
                "any of them could be picked; give the path of terminal64.exe"
            )
        code, text = self._open(login)
        if code in _CONNECT_REMEDIES:
            raise ValueError(f"initialize: {text} ({code}): {_CONNECT_REMEDIES[code]}")
        if code != mt5.RES_S_OK:
            raise UnavailableError(f"initialize: {text} ({code})")
        info = self.answer("account_info", self._terminal.account_info())
        _expect("account", login.account, info.login)
        _expect("server", login.server, info.server)
        self._login = login
        self._account = (info.login, info.server)
        self._lost = ""
        self._failures = 0
        self._opened()
        self._is_verified = True
        return info

    def ready(self) -> None:
        """See to it that the terminal is there, on the account that was connected to.

        A lost connection is tried once if a try is due. The account is read only if
        the last reading was of another one, or there was none since connecting.

        Raises:
            UnavailableError: If it is not.
        """
        if self._login is None:
            raise UnavailableError("not connected to a terminal")
        if self._lost:
            self._reconnect(self._login)
        if not self._is_verified:
            self._verify()

    def _reconnect(self, login: Login) -> None:
        now = self._clock.monotonic()
        if now < self._retry_at:
            raise UnavailableError(
                f"{self._lost}; next try in {self._retry_at - now:.0f} s"
            )
        self._terminal.shutdown()
        code, text = self._open(login)
        if code != mt5.RES_S_OK:
            self._schedule(f"initialize: {text} ({code})")
            raise UnavailableError(self._lost)
        self._lost = ""
        self._opened()

    def answer(self, call: str, value: _T | bool | None) -> _T:
        """Return *value* unless it says that the call failed. None is not empty.

        Must follow the call at once: the module keeps one last error for all calls.

        Args:
            call: Name of the module's function.
            value: What it returned.

        Raises:
            UnavailableError: With the call, the text and the code.
        """
        if value is None or isinstance(value, bool):
            raise self.failure(call, *self._terminal.last_error())
        return value

    def failure(self, call: str, code: int, text: str) -> UnavailableError:
        """Take in that *call* failed; return the error to raise."""
        problem = f"{call}: {text} ({code})"
        if code <= mt5.RES_E_INTERNAL_FAIL:
            # A connection that broke soon after it was made is no fresh start.
            if self._clock.monotonic() - self._opened_at > _LONGEST_DELAY:
                self._failures = 0
            self._schedule(problem)
        return UnavailableError(problem)

    def account_info(self) -> AccountInfo:
        """Read the account and make sure that it is still the one connected to.

        Raises:
            UnavailableError: If it cannot be read, or is another one.
        """
        self.ready()
        return self._verify()

    def _verify(self) -> AccountInfo:
        info = self.answer("account_info", self._terminal.account_info())
        self._is_verified = (info.login, info.server) == self._account
        if not self._is_verified:
            login, server = self._account
            problem = (
                f"THE TERMINAL IS ON ANOTHER ACCOUNT: {info.login} on {info.server!r} "
                f"instead of {login} on {server!r}; nothing is read or traded until it "
                f"is back"
            )
            self._tell("switched", problem)
            raise UnavailableError(problem)
        if self._trouble:
            self._trouble = ""
            _log.info("The terminal is back on account %s", info.login)
        return info

    def linked(self) -> None:
        """Make sure that the account is the right one and the link is up.

        Raises:
            UnavailableError: If not: orders would go nowhere, and what the terminal
                shows of earlier ones is old.
        """
        self.account_info()
        info = self.answer("terminal_info", self._terminal.terminal_info())
        if not info.connected:
            raise UnavailableError(
                "the terminal has no link to its trade server: what it shows is old"
            )

    def tell_link(self, *, connected: bool) -> None:
        """Log the link between terminal and trade server, when it stays changed.

        It flaps for seconds at a time on weekends.

        Args:
            connected: As the terminal says now.
        """
        now = self._clock.monotonic()
        if connected:
            self._unlinked_since = None
            if self._link_told:
                self._link_told = False
                _log.info("The terminal's link to its trade server is back")
        elif self._unlinked_since is None:
            self._unlinked_since = now
        elif now - self._unlinked_since >= _LINK_PATIENCE and not self._link_told:
            self._link_told = True
            _log.error("The terminal has lost the link to its trade server")

    def close(self) -> None:
        """Let go of the terminal, and do not connect again by itself."""
        self._login = None
        self._terminal.shutdown()

    def _open(self, login: Login) -> tuple[int, str]:
        options: dict[str, Any] = {
            "timeout": round(self._settings.connect_timeout.total_seconds() * 1000)
        }
        if login.account is not None:
            options["login"] = login.account
        if login.password is not None:
            options["password"] = login.password
        if login.server is not None:
            options["server"] = login.server
        if login.terminal_path:
            done = self._terminal.initialize(login.terminal_path, **options)
        else:
            done = self._terminal.initialize(**options)
        if done:
            return mt5.RES_S_OK, "Success"
        code, text = self._terminal.last_error()
        # A refusal that claims success is still a refusal.
        return (mt5.RES_E_FAIL if code == mt5.RES_S_OK else code), text

    def _opened(self) -> None:
        self._opened_at = self._clock.monotonic()
        self._is_verified = False
        self.generation += 1

    def _schedule(self, problem: str) -> None:
        self._lost = problem
        self._retry_at = self._clock.monotonic() + retry_delay(self._failures)
        self._failures += 1
        self._tell("lost", f"Lost the terminal: {problem}")

    def _tell(self, trouble: str, message: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            _log.error("%s", message)


def _expect(what: str, wanted: object, found: object) -> None:
    if wanted is not None and wanted != found:
        raise ValueError(
            f"{what}: the terminal is on {found!r}, expected {wanted!r}; log in there, "
            f"or give account, password and server together"
        )
