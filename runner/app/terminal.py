"""Makes the terminal that the settings name: the real one, or the simulated one."""

from __future__ import annotations

import importlib
from typing import Any

from runner.adapters.mt5 import MT5Adapter, MT5Settings
from runner.app.setup import TerminalSetup, server_zone
from runner.core.market import Timeframe
from runner.ports import Clock, Login
from runner.settings import RunnerSettings, SettingsError
from runner.settings_sources import MT5_PASSWORD, environment, secret


def open_terminal(
    settings: RunnerSettings, account: str, clock: Clock, *, among: int = 1
) -> TerminalSetup:
    """Make the terminal that the settings name.

    Args:
        settings: The runner's settings.
        account: The account id that the server knows.
        clock: Wall clock.
        among: Accounts that run on this machine, as far as the caller knows.

    Returns:
        The terminal, not yet connected to.

    Raises:
        SettingsError: If a setting cannot be used.
    """
    if settings.terminal == "mt5":
        return _open_mt5(settings, account, clock, among)
    # A live runner needs no simulator, one on another process's terminal no feed.
    if settings.paper_terminal is not None:
        from runner.app.paper_terminal import open_paper_terminal  # noqa: PLC0415

        port = settings.paper_terminal
        return open_paper_terminal(settings, account, port, clock)
    from runner.app.paper import open_paper  # noqa: PLC0415

    return open_paper(settings, account, clock)


def _open_mt5(
    settings: RunnerSettings, account: str, clock: Clock, among: int
) -> TerminalSetup:
    try:
        module: Any = importlib.import_module("MetaTrader5")
    except ImportError:
        raise SettingsError(
            "--terminal mt5: the MetaTrader5 package exists on Windows only; "
            "run there, or on paper: --terminal paper"
        ) from None
    login = settings.mt5_login
    if login is None:
        if not account.isdecimal():
            raise SettingsError(f"mt5_login: set it; {account!r} is not a number")
        login = int(account)
    adapter = MT5Adapter(
        module,
        clock,
        MT5Settings(
            server_zone=server_zone(settings),
            aliases=settings.symbol_aliases,
            path_required=among > 1,
        ),
    )
    return TerminalSetup(
        adapter=adapter,
        login=Login(
            account=login,
            password=secret(MT5_PASSWORD, environment(), account),
            server=settings.mt5_server,
            terminal_path=settings.mt5_path,
        ),
        timeframe=Timeframe[settings.timeframe or "H1"],
    )
