"""A paper terminal in a process of its own, and the way to it from a runner."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runner.adapters.mt5_simulator.client import RemoteTerminal
from runner.adapters.mt5_simulator.fault_file import FaultFileError, read_faults
from runner.adapters.mt5_simulator.pipe import key_file, make_key, read_key
from runner.adapters.mt5_simulator.service import TerminalService
from runner.adapters.system_clock import SystemClock
from runner.app.paper import make_market, paper_adapter, paper_login
from runner.app.setup import TerminalSetup, server_zone
from runner.core.market import Timeframe
from runner.exit_codes import ExitCode
from runner.logs import set_up
from runner.loop.pacing import Pacer
from runner.loop.stop import StopRequest
from runner.ports import Clock, FeedError, Login
from runner.settings import RunnerSettings, SettingsError

log = logging.getLogger("mt5runner.terminal")


def run_paper_terminal(
    settings: RunnerSettings,
    port: int,
    *,
    faults: str | None,
    verbose: bool,
    stop: StopRequest,
    tell: Callable[[str], None],
) -> int:
    """Run a simulated terminal until told to stop.

    Args:
        settings: The feed, the account and the folder of the key.
        port: Where to listen on this machine; 0 takes a free one.
        faults: JSON file with failures on purpose; None for none.
        verbose: Whether debug lines are logged too.
        stop: Through which it is told to stop.
        tell: Takes the line that says where it listens.

    Returns:
        The exit code.

    Raises:
        SettingsError: If the feed, the faults, the port or the key cannot be used.
    """
    account = settings.accounts[0]
    set_up(settings.log_format, account, verbose=verbose)
    clock = SystemClock()
    market = make_market(settings, account, clock)
    if faults is not None:
        try:
            market.terminal.faults = read_faults(Path(faults))
        except FaultFileError as error:
            raise SettingsError(f"--faults {error}") from None
        log.warning("calls of this terminal fail on purpose, as %s says", faults)
    path = key_file(Path(settings.state_dir))
    try:
        key = make_key(path)
    except OSError as error:
        raise SettingsError(
            f"state_dir: the key {path} cannot be kept: {error.strerror}; name a "
            "folder that can be written to: --state-dir DIR"
        ) from None
    try:
        service = TerminalService(market.terminal, key=key, port=port)
    except OSError as error:
        raise SettingsError(
            f"--port {port}: {error.strerror}; name another one, or none for any"
        ) from None
    tell(
        f"terminal of account {account} on port {service.port}; "
        f"runner start --account {account} --paper-terminal {service.port}"
    )
    try:
        service.play(
            Pacer(market.driver, clock, settings.speed), lambda: bool(stop.reason)
        )
    except FeedError as error:
        log.error("%s", error)  # noqa: TRY400 - the message says it all
        return ExitCode.USAGE
    finally:
        service.close()
    log.info("stopping: %s", stop.reason)
    return ExitCode.DONE


def open_paper_terminal(
    settings: RunnerSettings, account: str, port: int, clock: Clock
) -> TerminalSetup:
    """Return the way to a terminal that `run_paper_terminal` runs.

    Args:
        settings: The folder of the key, aliases and timeframe.
        account: The account id that it must have been started for.
        port: Where it listens on this machine.
        clock: Wall clock.

    Returns:
        The terminal, not yet connected to.

    Raises:
        SettingsError: If there is no key to be let in with.
    """
    path = key_file(Path(settings.state_dir))
    try:
        key = read_key(path)
    except OSError as error:
        raise SettingsError(
            f"paper_terminal: its key {path} cannot be read ({error.strerror}); start "
            "`runner terminal` first, with the same --state-dir"
        ) from None
    terminal: Any = RemoteTerminal(port, key)
    return TerminalSetup(
        adapter=paper_adapter(terminal, server_zone(settings), settings, clock),
        login=Login(account=paper_login(settings, account)),
        timeframe=Timeframe[settings.timeframe or "H1"],
    )
