"""Bounds the time of authors' code, and finds out in what an earlier start froze."""

from __future__ import annotations

import logging
from pathlib import Path

from runner.adapters.in_flight_file import InFlightFile
from runner.host.freezes import Freezes
from runner.host.watch import Watch
from runner.ports import StateError, StateStore

log = logging.getLogger("mt5runner.app")


def take_over(watch: Watch, file: Path, store: StateStore) -> None:
    """Show from now on what is called, and note what was when the last process ended.

    Called when the account is owned: before that the file may be another runner's.

    Args:
        watch: Bounds the calls.
        file: Where to show them.
        store: Durable state of the account.
    """
    try:
        shown = InFlightFile(file)
        if shown.left is not None:
            name, where = shown.left
            log.error(
                "the last start ended inside %s of %s, as if frozen (%d in a row)",
                where,
                name,
                Freezes(store).note(name, where).count,
            )
    except (OSError, StateError) as error:
        log.error("%s: a freeze would not be remembered: %s", file, error)  # noqa: TRY400 - the message says it all
    else:
        watch.marker = shown
