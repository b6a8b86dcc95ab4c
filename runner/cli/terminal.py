"""`runner terminal`: a paper terminal that outlives the runners on it."""

from __future__ import annotations

import argparse
import sys

from runner.cli.flags import (
    add_account_flag,
    add_config_flag,
    add_log_flags,
    add_market_flags,
    add_state_flag,
    load_settings,
    port,
)
from runner.exit_codes import ExitCode

HELP = "run a paper terminal in a process of its own"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's flags."""
    add_account_flag(parser, "account id; its number is the terminal's login")
    parser.add_argument(
        "--port",
        type=port,
        default=0,
        metavar="N",
        help="where to listen on this machine (default: any free port)",
    )
    add_market_flags(parser)
    parser.add_argument(
        "--faults", metavar="FILE", help="JSON with failures on purpose, for tests"
    )
    add_state_flag(parser)
    add_config_flag(parser)
    add_log_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the terminal until told to stop."""
    settings = load_settings(arguments)
    if len(settings.accounts) != 1:
        print("runner terminal: name one account: --account ID", file=sys.stderr)
        return ExitCode.USAGE
    from runner.app.paper_terminal import run_paper_terminal
    from runner.loop.stop import StopRequest
    from runner.supervisor import on_stop_signals

    stop = StopRequest()
    on_stop_signals(stop.ask)
    return run_paper_terminal(
        settings,
        arguments.port,
        faults=arguments.faults,
        verbose=arguments.verbose,
        stop=stop,
        tell=lambda line: print(line, flush=True),
    )
