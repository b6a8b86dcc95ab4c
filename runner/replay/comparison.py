"""What is different between two lines, said so that a person sees it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, TypeGuard, cast

from runner.host.containment import UncontainedError

_MOST = 12  # differing values that are listed


class DifferenceError(UncontainedError):
    """The loop did something else than the journal has; or the journal has no more.

    Not an `Exception`: a strategy or plugin that is called in between must not be
    blamed for it, nor may its host contain it.

    Attributes:
        where: The entry.
        expected: The line as recorded; empty if there is none.
        got: The line as replayed; empty if there is none.
    """

    def __init__(self, where: str, expected: str, got: str) -> None:
        super().__init__(where, expected, got)
        self.where = where
        self.expected = expected
        self.got = got

    def __str__(self) -> str:
        """Return both lines, and below them each value that differs."""
        lines = [
            f"first difference at {self.where}",
            f"  recorded: {self.expected or 'nothing'}",
            f"  replayed: {self.got or 'nothing'}",
        ]
        found = list(differences(self.expected, self.got))
        lines += [f"  {line}" for line in found[:_MOST]]
        if len(found) > _MOST:
            lines.append(f"  and {len(found) - _MOST} more")
        return "\n".join(lines)


def differences(expected: str, got: str) -> Iterator[str]:
    """Yield each value that differs between two lines of the same call.

    Args:
        expected: As recorded.
        got: As replayed.
    """
    try:
        old, new = json.loads(expected), json.loads(got)
    except ValueError:
        return
    # Beside a line for another call every value would differ, and say nothing.
    if old[:2] == new[:2]:
        yield from _differences("arguments", old[2:3], new[2:3])


def _differences(path: str, old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        ours, theirs = cast("dict[str, Any]", old), cast("dict[str, Any]", new)
        for name in dict.fromkeys([*ours, *theirs]):
            yield from _differences(f"{path}.{name}", ours.get(name), theirs.get(name))
    elif _is_list(old) and _is_list(new) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _differences(f"{path}[{index}]", one, other)
    elif json.dumps(old) != json.dumps(new):
        yield f"{path}: {json.dumps(old)} -> {json.dumps(new)}"


def _is_list(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)
