"""`runner start`: run an account, live or on paper."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from runner.cli.flags import (
    add_common_flags,
    add_server_flags,
    load_account_settings,
    setting,
)
from runner.exit_codes import ExitCode

if TYPE_CHECKING:
    from runner.supervisor import Seat

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
        "--paper-terminal",
        type=setting("paper_terminal"),
        metavar="PORT",
        help="paper only: use the terminal that `runner terminal` runs there",
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
        "--on-restart",
        choices=["adopt", "flatten", "refuse"],
        help="what becomes of what an earlier start left open (default: adopt)",
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
    # What a supervisor tells its worker: account, mark, number of accounts.
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    add_common_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the account or accounts until told to stop."""
    from runner.settings import SettingsError
    from runner.supervisor import Seat, seal

    if not arguments.worker:
        return _run(arguments, None)
    try:
        code = _run(arguments, Seat.parse(arguments.worker))
    except SettingsError as error:
        print(f"runner start: {error}", file=sys.stderr)
        code = ExitCode.USAGE
    return seal(code)


def _run(arguments: argparse.Namespace, seat: Seat | None) -> int:
    from runner.adapters.system_clock import SystemClock
    from runner.supervisor import hold_lifeline, on_stop_signals, seal

    more = {"accounts": (seat.account,)} if seat else {}
    each = load_account_settings(arguments, **more)
    if not each:
        print(
            "runner start: name an account: --account ID, or [account.ID] in --config",
            file=sys.stderr,
        )
        return ExitCode.USAGE
    # A real terminal may hang, and then only another process can tell.
    if seat is None and (len(each) > 1 or each[0].terminal == "mt5"):
        from runner.supervisor.run import supervise

        names = [one.accounts[0] for one in each]
        return supervise(
            names, each[0], sys.argv[1:], SystemClock(), verbose=arguments.verbose
        )
    from runner.app.account import run_account
    from runner.app.ending import end_within
    from runner.loop.stop import StopRequest

    stop = StopRequest()
    on_stop_signals(stop.ask)
    if seat is not None:
        hold_lifeline(stop.ask, SystemClock())
    code = run_account(each[0], verbose=arguments.verbose, stop=stop, seat=seat)
    end_within(code if seat is None else seal(code), SystemClock())
    return code
