"""Errors with the place where they are, gathered instead of raised one by one."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

_T = TypeVar("_T")
_SHOWN = 80
_USER_IN_URL = re.compile(r"(?<=://)[^/@\s]+(?=@)")


class InvalidError(Exception):
    """Errors below one value.

    Attributes:
        found: Each a path relative to that value, and a message.
    """

    def __init__(self, found: Sequence[tuple[str, str]]) -> None:
        self.found = tuple(found)
        super().__init__(found)

    def lines(self, root: str) -> tuple[str, ...]:
        """Return the errors, one line each, with paths that begin at *root*."""
        return tuple(f"{root}{path}: {message}" for path, message in self.found)


def wrong(message: str) -> InvalidError:
    """Return an error about the value itself."""
    return InvalidError([("", message)])


def expected(what: str, value: object) -> InvalidError:
    """Return the error that *value* is not *what* it should be."""
    return wrong(f"expected {what}, got {shown(value)}")


def shown(value: object) -> str:
    """Return *value* as JSON would show it, cut if long; no URL shows its password."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = repr(value)
    text = _USER_IN_URL.sub("***", text)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return a "did you mean" for a misspelt name; empty if nothing is near."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f'; did you mean "{close[0]}"?' if close else ""


class Collector:
    """Gathers the errors of the parts of one value."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []

    def part(self, step: str, action: Callable[[], _T]) -> _T | None:
        """Run *action* for the part at *step*; None if it failed."""
        try:
            return action()
        except InvalidError as error:
            self.found += [(step + path, message) for path, message in error.found]
        return None

    def add(self, step: str, message: str) -> None:
        """Note an error of the part at *step*."""
        self.found.append((step, message))

    def check(self) -> None:
        """Raise what was gathered, if anything was."""
        if self.found:
            raise InvalidError(self.found)
