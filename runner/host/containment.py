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


class UncontainedError(BaseException):
    """An error of the runner's own that goes through authors' code and its calls."""


class OvertimeError(UncontainedError):
    """An author's code took longer than it may; no `except Exception` takes it."""


def _line(raised: Raised) -> str:
    error = raised.error
    if isinstance(error, SyntaxError):  # its own text repeats file and line
        text = f"{type(error).__name__}: {error.msg}"
    else:
        # format_exception_only survives an error whose own __str__ raises
        text = traceback.format_exception_only(error)[0]
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


@attrs.frozen(slots=True)
class Raised:
    """What a contained call raised.

    Attributes:
        error: As it was raised.
        line: The error's type and text on one line, cut to a readable length. The
            author's own ``__str__`` may be in it, so it is made at once, while the time
            of the author's call still counts.
    """

    error: BaseException
    line: str = attrs.field(
        init=False, eq=False, default=attrs.Factory(_line, takes_self=True)
    )

    def __str__(self) -> str:
        """Return `line`."""
        return self.line

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
        What *function* returned, or what it raised. `SystemExit` is that author's
        failure and no wish of the user's, and so is what a library derives from
        `BaseException` (`asyncio.CancelledError`). Only the user's second Ctrl-C and
        the runner's own `UncontainedError` pass.
    """
    try:
        return function(*args, **kwargs)
    except (KeyboardInterrupt, UncontainedError):
        raise
    # The one place that catches everything: authors' code may raise anything, and none
    # of it may reach the loop or the other plugins.
    except BaseException as error:  # noqa: BLE001 - see above
        return Raised(error)
