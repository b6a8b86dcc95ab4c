"""`runner dev`: everything on this machine, nothing to install beside Python."""

from __future__ import annotations

import argparse

from runner.cli.flags import (
    add_config_flag,
    add_log_flags,
    add_plugin_flag,
    add_state_flag,
    load_settings,
    port,
    setting,
)

HELP = "try everything on this machine: Redis, server, paper account, runner"

_SPEED = 600.0  # ten one-minute bars a second


def _seconds(text: str) -> float:
    seconds = float(text)
    if not seconds > 0:
        raise ValueError(text)
    return seconds


_seconds.__name__ = "number of seconds"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's flags."""
    parser.add_argument(
        "--port", type=port, default=8000, help="of the stub server (default: 8000)"
    )
    parser.add_argument(
        "--exit-after", type=_seconds, metavar="S", help="stop after S seconds"
    )
    parser.add_argument(
        "--speed",
        type=setting("speed"),
        metavar="N|max",
        help="market seconds per second (default: 600)",
    )
    parser.add_argument("--feed", metavar="SPEC", help="default: synthetic")
    parser.add_argument(
        "--redis-url", metavar="URL", help="use this Redis instead of the embedded one"
    )
    add_plugin_flag(parser)
    add_state_flag(parser)
    add_config_flag(parser)
    add_log_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    """Start everything and run until told to stop."""
    import attrs

    from runner.app.development import DevelopmentSettings, run_development
    from runner.loop.stop import StopRequest
    from runner.supervisor import on_stop_signals

    settings = load_settings(
        arguments,
        state_dir=arguments.state_dir or "",
        speed=_SPEED if arguments.speed is None else arguments.speed,
        terminal="paper",
        feed=arguments.feed or "synthetic",
        heartbeat_interval=5.0,
        poll_interval=10.0,
    )
    # A REDIS_URL in the environment is for real accounts: only the flag counts here.
    settings = attrs.evolve(settings, redis_url=arguments.redis_url)
    stop = StopRequest()
    on_stop_signals(stop.ask)
    return run_development(
        DevelopmentSettings(
            runner=settings,
            port=arguments.port,
            exit_after=arguments.exit_after,
            verbose=arguments.verbose,
        ),
        stop,
        print,
    )
