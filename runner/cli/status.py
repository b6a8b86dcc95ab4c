"""`runner status`: the fleet as Redis sees it."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from runner.cli.flags import (
    add_account_flag,
    add_config_flag,
    add_redis_flag,
    load_settings,
    setting,
)
from runner.exit_codes import ExitCode

HELP = "show the fleet as Redis sees it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's flags."""
    add_account_flag(parser, "only this account (repeatable)")
    add_redis_flag(parser)
    add_config_flag(parser)
    parser.add_argument(
        "--watch",
        nargs="?",
        const=2.0,
        type=setting("poll_interval"),
        metavar="S",
        help="show it again every S seconds (default: 2)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the status once, or again and again with ``--watch``."""
    from runner.adapters.redis_fleet import read_fleet
    from runner.fleet import render
    from runner.ports import UnavailableError

    settings = load_settings(arguments)
    if settings.redis_url is None:
        print(
            "runner status: name Redis: --redis-url URL or REDIS_URL; `runner dev` "
            "prints the one it uses",
            file=sys.stderr,
        )
        return ExitCode.USAGE
    from runner.adapters.system_clock import SystemClock

    clock = SystemClock()
    while True:
        try:
            fleet = read_fleet(settings.redis_url, settings.accounts)
        except UnavailableError as error:
            print(f"runner status: Redis: {error}", file=sys.stderr)
            return ExitCode.UNREACHABLE
        _show(fleet, as_json=arguments.json, render=render, now=clock.now())
        if arguments.watch is None:
            return ExitCode.DONE
        clock.wait(arguments.watch)


def _show(fleet: Any, *, as_json: bool, render: Any, now: Any) -> None:
    import json

    if as_json:
        print(json.dumps(fleet, indent=2))
    else:
        print(render(fleet, now))
