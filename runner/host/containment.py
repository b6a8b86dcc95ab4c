"""Calls of code that others wrote: whatever it raises becomes a value."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import attrs
import pluggy

P = ParamSpec("P")
T = TypeVar("T")

_LONGEST = 300
_MACHINERY = (
    str(Path(__file__).parent),
    str(Path(pluggy.__file__).parent),
    str(Path(importlib.__file__).parent),
    "<frozen importlib",
)


class OvertimeError(BaseException):
    """An author's code took longer than it may; no `except Exception` takes it."""


@attrs.frozen(slots=True)
class Raised:
    """What a contained call raised."""

    error: BaseException

    def __str__(self) -> str:
        """Return the error's type and text on one line, cut to a readable length."""
        if isinstance(self.error, SyntaxError):  # its own text repeats file and line
            text = f"{type(self.error).__name__}: {self.error.msg}"
        else:
            # format_exception_only survives an error whose own __str__ raises
            text = traceback.format_exception_only(self.error)[0]
        text = " ".join(text.split())
        return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"

    def frames(self) -> list[traceback.FrameSummary]:
        """Return the author's own frames, outermost first, without the host's."""
        return [
            frame
            for frame in traceback.extract_tb(self.error.__traceback__)
            if not frame.filename.startswith(_MACHINERY)
        ]

    def report(self) -> str:
        """Return the error's line, and below it the author's own frames."""
        frames = "".join(traceback.format_list(self.frames())).rstrip()
        return f"{self}\n{frames}" if frames else str(self)


def attempt(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | Raised:
    """Call *function* and contain what it raises.

    Args:
        function: Code of a plugin's or strategy's author.
        *args: Passed on.
        **kwargs: Passed on.

    Returns:
        What *function* returned, or what it raised: any `Exception`, and `SystemExit`,
        which is that author's failure and no wish of the user's. `KeyboardInterrupt`
        and its like pass; an `OvertimeError` is for `runner.host.watch`.
    """
    try:
        return function(*args, **kwargs)
    # The one place that catches everything: authors' code may raise anything, and none
    # of it may reach the loop or the other plugins.
    except (Exception, SystemExit) as error:  # noqa: BLE001 - see above
        return Raised(error)
