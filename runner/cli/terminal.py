"""`runner terminal`: a paper terminal that outlives the runners on it."""

from __future__ import annotations

import argparse
import sys

from runner.cli.flags import add_common_flags, load_settings, setting
from runner.exit_codes import ExitCode

HELP = "run a paper terminal in a process of its own"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's flags."""
    parser.add_argument(
        "--account",
        action="append",
        dest="accounts",
        metavar="ID",
        help="account id; its number is the terminal's login",
    )
    parser.add_argument(
        "--port",
        type=int,
        default=0,
        metavar="N",
        help="where to listen on this machine (default: any free port)",
    )
    parser.add_argument(
        "--feed",
        metavar="SPEC",
        help="synthetic[:seed=N] or csv:SYMBOL=FILE[,SYMBOL=FILE]",
    )
    parser.add_argument(
        "--speed",
        type=setting("speed"),
        metavar="N|max",
        help="market seconds per second (default: 1)",
    )
    parser.add_argument("--symbols", metavar="FILE", help="JSON with symbol rules")
    parser.add_argument(
        "--server-timezone", metavar="ZONE", help="IANA zone of the broker's clock"
    )
    parser.add_argument(
        "--faults", metavar="FILE", help="JSON with failures on purpose, for tests"
    )
    add_common_flags(parser)


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
