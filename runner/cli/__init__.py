"""The command line: one module a command; parsing and printing, no logic."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Protocol, cast

from runner.exit_codes import ExitCode


class CommandModule(Protocol):
    """What a command's module offers."""

    HELP: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's flags."""
        ...

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it and return the exit code."""
        ...


COMMANDS = ("dev", "start", "terminal", "plugins", "doctor", "status", "replay")
"""Names of the commands; each is a module of this package."""

_EPILOG = (
    "Settings: flags, then MT5RUNNER_* and .env, then --config FILE, then defaults."
)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of every command; it imports nothing heavy."""
    from runner import __version__

    parser = argparse.ArgumentParser(
        prog="runner",
        description="Runs strategy plugins on MetaTrader 5 accounts.",
        epilog=_EPILOG,
    )
    parser.add_argument(
        "--version", action="version", version=f"mt5runner {__version__}"
    )
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name in COMMANDS:
        module = cast("CommandModule", importlib.import_module(f"runner.cli.{name}"))
        command = subparsers.add_parser(
            name, help=module.HELP, description=module.HELP, epilog=_EPILOG
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: Words of the command line; None takes the process's own.

    Returns:
        The exit code (`ExitCode`).
    """
    parser = build_parser()
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        parser.print_help(sys.stderr)
        return ExitCode.USAGE
    # After parsing, so that --help does not wait for it.
    from runner.settings import SettingsError

    if reconfigure := getattr(sys.stdout, "reconfigure", None):
        # Names and reasons may have letters that a console of Windows lacks.
        reconfigure(errors="backslashreplace")
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
    except OSError:
        if _is_read():
            raise
        return ExitCode.DONE
    except SettingsError as error:
        print(f"runner {arguments.command}: {error}", file=sys.stderr)
        return ExitCode.USAGE
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    return code


def _is_read() -> bool:
    """Say whether anybody still takes what is printed; if not, drop what is left.

    Such as ``runner plugins | head -1``, whose reader has what it wants.
    """
    try:
        print(flush=True)  # an empty text would not tell
    except OSError:
        # Or the interpreter would stumble over the rest when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True
