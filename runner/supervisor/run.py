"""Puts a supervisor together: commands, signs of life, one log, signals."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Sequence
from pathlib import Path

from runner.adapters.in_flight_file import read_in_flight
from runner.logs import set_up
from runner.ports import Clock
from runner.settings import RunnerSettings
from runner.supervisor.output import Printer, labelled
from runner.supervisor.policy import Bounds
from runner.supervisor.seat import (
    Seat,
    in_flight_file,
    sign_of_life_file,
    worker_command,
)
from runner.supervisor.signals import on_stop_signals
from runner.supervisor.supervisor import Supervisor

_START_LONGER = 60.0  # seconds; a terminal that starts takes up to 160 to connect to
_LAST_LINES_WITHIN = 5.0  # seconds


def supervise(
    accounts: Sequence[str],
    settings: RunnerSettings,
    words: Sequence[str],
    clock: Clock,
    *,
    verbose: bool,
) -> int:
    """Run accounts, each in a process of its own, and print one log.

    Args:
        accounts: Account ids.
        settings: What holds for all of them.
        words: The command line after the program's name.
        clock: Time and waiting.
        verbose: Whether debug lines are logged too.

    Returns:
        The exit code.
    """
    printer = Printer(sys.stderr, accounts=len(accounts))
    set_up(settings.log_format, verbose=verbose, stream=printer)
    mark, folder = uuid.uuid4().hex[:12], Path(settings.state_dir)

    def command(account: str) -> list[str]:
        return worker_command(words, Seat(account, mark, len(accounts)))

    def look(account: str) -> float | None:
        try:
            return sign_of_life_file(folder, account).stat().st_mtime
        except OSError:
            return None

    def print_line(account: str, line: bytes) -> None:
        text = labelled(line, account, settings.log_format)
        printer.write(f"{text}\n", account)

    supervisor = Supervisor(
        accounts,
        command=command,
        clock=clock,
        sign_of_life=look,
        in_flight=lambda account: read_in_flight(in_flight_file(folder, account)),
        on_line=print_line,
        bounds=Bounds(
            frozen_after=settings.frozen_after,
            start_within=settings.frozen_after + _START_LONGER,
        ),
    )
    on_stop_signals(lambda _name: supervisor.stop())
    try:
        return supervisor.run()
    finally:
        printer.close(_LAST_LINES_WITHIN)
