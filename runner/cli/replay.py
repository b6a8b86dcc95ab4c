"""`runner replay`: play a journal again and compare every decision."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from runner.cli.flags import add_config_flag, add_plugin_flag, load_settings
from runner.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runner.app.replay import Replayed

HELP = "play a recorded journal again and compare every decision"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's flags."""
    parser.add_argument(
        "--journal",
        dest="journal_path",
        metavar="PATH",
        required=True,
        help="a journal's folder (its newest run), a run's folder, or a segment",
    )
    add_plugin_flag(parser)
    add_config_flag(parser)
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="log what the runner does"
    )


def run(arguments: argparse.Namespace) -> int:
    """Replay and print what came of it; exit code 6 at a difference."""
    import logging

    from runner.app.replay import replay
    from runner.host.records import PluginError
    from runner.logs import ROOT, set_up
    from runner.replay.reading import JournalError

    settings = load_settings(arguments)
    if arguments.verbose:
        set_up(settings.log_format)
    else:
        logging.getLogger(ROOT).addHandler(logging.NullHandler())
        logging.getLogger(ROOT).propagate = False
    try:
        replayed = replay(Path(arguments.journal_path), settings)
    except JournalError as error:
        print(f"runner replay: {error}", file=sys.stderr)
        return ExitCode.USAGE
    except PluginError as error:
        print(f"runner replay: {error}", file=sys.stderr)
        return ExitCode.PLUGIN
    print("\n".join(_told(replayed)))
    return ExitCode.DONE if replayed.difference is None else ExitCode.DIFFERENT


def _told(replayed: Replayed) -> Iterable[str]:
    run, tape = replayed.run, replayed.tape
    version = run.header.get("versions", {}).get("mt5runner", "?")
    yield f"journal: {run.folder}"
    yield f"account: {run.header.get('account', '?')}, recorded by mt5runner {version}"
    if tape.times:
        yield f"time: {tape.times[0]} to {tape.times[-1]}"
    for warning in replayed.warnings:
        yield f"warning: {warning}"
    figures = ", ".join(
        f"{name} {number}" for name, number in sorted(tape.decisions.items())
    )
    yield f"entries that are the same: {tape.count}; decisions: {figures or 'none'}"
    if replayed.difference is not None:
        yield str(replayed.difference)
        return
    if tape.switched_off:
        yield f"the recorder was switched off then: {tape.switched_off}"
    elif tape.ended:
        yield f"the run ended: {tape.ended}"
    else:
        yield "the journal breaks off: the process was killed, or still runs"
    yield "every decision is the same, to the byte"
