"""The exit codes of every command; they are stable."""

from __future__ import annotations

import enum


class ExitCode(enum.IntEnum):
    """What a command's exit code means."""

    DONE = 0
    CRASHED = 1
    """It ended by an error of its own, or was killed; the log says how."""
    USAGE = 2
    """Usage or settings."""
    PLUGIN = 3
    """A plugin or strategy could not be loaded."""
    UNREACHABLE = 4
    """Something that is needed could not be reached."""
    OWNED = 5
    """The account is owned by another runner."""
    DIFFERENT = 6
    """A replay decided otherwise than its journal."""
    RESTART = 7
    """It ended cleanly for want of memory, and is to be started again."""
    INTERRUPTED = 130
