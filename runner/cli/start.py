"""`runner start`: run an account, live or on paper."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from runner.cli.flags import (
    add_common_flags,
    add_server_flags,
    load_settings,
    setting,
)
from runner.exit_codes import ExitCode

HELP = "run an account, live or on paper"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's flags."""
    parser.add_argument(
        "--account",
        action="append",
        dest="accounts",
        metavar="ID",
        help="account id that the server knows (repeatable: one process each)",
    )
    add_server_flags(parser)
    parser.add_argument("--terminal", choices=["paper", "mt5"], help="default: paper")
    parser.add_argument(
        "--feed",
        metavar="SPEC",
        help="paper only: synthetic[:seed=N] or csv:SYMBOL=FILE[,SYMBOL=FILE]",
    )
    parser.add_argument(
        "--speed",
        type=setting("speed"),
        metavar="N|max",
        help="paper only: market seconds per second (default: 1)",
    )
    parser.add_argument(
        "--symbols", metavar="FILE", help="paper only: JSON with symbol rules"
    )
    parser.add_argument(
        "--server-timezone", metavar="ZONE", help="IANA zone of the broker's clock"
    )
    parser.add_argument(
        "--timeframe", metavar="TF", help="bars for strategies that name none (M1 ...)"
    )
    parser.add_argument(
        "--heartbeat-interval",
        type=setting("heartbeat_interval"),
        metavar="S",
        help="seconds between heartbeats (default: 30)",
    )
    parser.add_argument(
        "--poll-interval",
        type=setting("poll_interval"),
        metavar="S",
        help="seconds between looks at the versions (default: 60)",
    )
    parser.add_argument(
        "--standby",
        action="store_true",
        help="wait when another runner owns the account",
    )
    parser.add_argument(
        "--exit-when-feed-ends",
        action="store_true",
        help="paper only: stop after the last quote",
    )
    parser.add_argument(
        "--journal",
        metavar="DIR",
        help="where the recorder writes (default: journal in --state-dir; off: not)",
    )
    add_common_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the account or accounts until told to stop."""
    settings = load_settings(arguments)
    if not settings.accounts:
        print("runner start: name an account: --account ID", file=sys.stderr)
        return ExitCode.USAGE
    if len(settings.accounts) > 1 and settings.terminal == "mt5":
        print(
            "runner start: each MT5 account has a terminal of its own: start one "
            "runner per account, each with its own --config (mt5_path)",
            file=sys.stderr,
        )
        return ExitCode.USAGE
    if len(settings.accounts) > 1:
        from runner.adapters.system_clock import SystemClock
        from runner.logs import set_up
        from runner.supervisor import supervise

        set_up(settings.log_format, verbose=arguments.verbose)
        folder = Path(settings.state_dir)
        return supervise(settings.accounts, sys.argv[1:], SystemClock(), folder)
    from runner.app.account import run_account
    from runner.loop.stop import StopRequest
    from runner.supervisor import on_stop_signals

    stop = StopRequest()
    on_stop_signals(stop.ask)
    return run_account(settings, verbose=arguments.verbose, stop=stop)
