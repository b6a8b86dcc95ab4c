"""`runner doctor`: is everything that a run needs in order?"""

from __future__ import annotations

import argparse

from runner.cli.flags import (
    add_common_flags,
    add_server_flags,
    load_account_settings,
    load_settings,
)
from runner.exit_codes import ExitCode

HELP = "check everything that a run needs; the remedy beside each failure"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's flags."""
    parser.add_argument(
        "--account",
        action="append",
        dest="accounts",
        metavar="ID",
        help="account id that the server knows (repeatable)",
    )
    add_server_flags(parser)
    parser.add_argument("--terminal", choices=["paper", "mt5"], help="default: paper")
    parser.add_argument("--feed", metavar="SPEC", help="paper only: the feed to check")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_common_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run every check and print one line each."""
    import json

    from runner.app.doctor import examine

    # Without an account there is still much to check.
    each = load_account_settings(arguments) or [load_settings(arguments)]
    findings = examine(each)
    if arguments.json:
        print(json.dumps([finding.as_json() for finding in findings], indent=2))
    else:
        for finding in findings:
            print(finding)
    failed = [finding for finding in findings if not finding.is_good]
    return ExitCode(max((finding.code for finding in failed), default=ExitCode.DONE))
