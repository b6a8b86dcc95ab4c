"""`runner doctor`: is everything that a run needs in order?"""

from __future__ import annotations

import argparse

from runner.cli.flags import (
    add_account_flag,
    add_config_flag,
    add_plugin_flag,
    add_server_flags,
    add_state_flag,
    add_terminal_flags,
    load_account_settings,
    load_settings,
)
from runner.exit_codes import ExitCode

HELP = "check everything that a run needs; the remedy beside each failure"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's flags."""
    add_account_flag(parser)
    add_server_flags(parser)
    add_terminal_flags(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_plugin_flag(parser)
    add_state_flag(parser)
    add_config_flag(parser)


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
