"""What the hooks of each kind may return: anything else is an error of the plugin."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import cast

from runner.core.news import NewsEvent
from runner.core.orders import Demand, Deny

MOST = 10_000
"""That a hook may return: an endless iterable must not fill the memory."""


def ignored(answer: object) -> None:
    """Take whatever an observer returns."""


def deny(answer: object) -> Deny:
    """Return a guard's denial.

    Raises:
        TypeError: If it is something else.
    """
    if not isinstance(answer, Deny):
        raise TypeError(f"expected Deny or None, got {answer!r}")
    return answer


def events(answer: object) -> tuple[NewsEvent, ...]:
    """Return a calendar's events.

    Raises:
        TypeError: If it is something else.
        ValueError: If there are none, or far too many.
    """
    if not isinstance(answer, Iterable):
        raise TypeError(f"expected NewsEvents or None, got {answer!r}")
    taken: list[NewsEvent] = []
    for each in _bounded(cast("Iterable[object]", answer)):
        if not isinstance(each, NewsEvent):
            raise TypeError(f"expected NewsEvents or None, got {each!r}")
        taken.append(each)
    if not taken:
        raise ValueError("no events are not the same as no news: return None instead")
    return tuple(taken)


def demands(answer: object) -> tuple[Demand, ...]:
    """Return the demands of a guard, which may return a single one.

    Raises:
        TypeError: If it is something else.
        ValueError: If there are far too many.
    """
    several = (answer,) if isinstance(answer, Demand) else answer
    if not isinstance(several, Iterable):
        raise TypeError(f"expected Demand, several, or None, got {answer!r}")
    taken: list[Demand] = []
    for each in _bounded(cast("Iterable[object]", several)):
        if not isinstance(each, Demand):
            raise TypeError(f"expected Demand, several, or None, got {each!r}")
        taken.append(each)
    return tuple(taken)


def volume(answer: object) -> float:
    """Return a volume in lots.

    Raises:
        TypeError: If it is no number.
        ValueError: If it is not finite or not above 0.
    """
    if isinstance(answer, bool) or not isinstance(answer, (int, float)):
        raise TypeError(f"expected a volume in lots or None, got {answer!r}")
    if not (math.isfinite(answer) and answer > 0):
        raise ValueError(f"expected a volume above 0 lots or None, got {answer!r}")
    return float(answer)


def fields(answer: object) -> dict[str, str]:
    """Return heartbeat fields.

    Raises:
        TypeError: If it is something else than a mapping of str to str.
    """
    if not isinstance(answer, Mapping):
        raise TypeError(f"expected a mapping of str to str or None, got {answer!r}")
    taken: dict[str, str] = {}
    for field, value in cast("Mapping[object, object]", answer).items():
        if not (isinstance(field, str) and isinstance(value, str)):
            raise TypeError(f"expected str to str, got {field!r}: {value!r}")
        taken[field] = value
    return taken


def _bounded(several: Iterable[object]) -> Iterator[object]:
    for number, each in enumerate(several):
        if number == MOST:
            raise ValueError(f"expected at most {MOST}, got more")
        yield each
