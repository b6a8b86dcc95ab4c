"""Checks of JSON values: a path and a value in, one line per error out."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast

from runner.wire.drawdown import DailyReset
from runner.wire.encoding import WireError, money, read_money
from runner.wire.times import read_time

Check = Callable[[str, Any], Iterator[str]]
"""Yields ``path: what must be, what came`` for everything wrong with a value."""

_SHOWN = 60
_SYMBOL_LENGTH = 32


def got(value: Any) -> str:
    """Return *value* as JSON, cut to what a line can hold."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return ``did you mean X?``, or what is known when nothing resembles *name*."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"known are {', '.join(names)}" if names else "none is known"


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _bounds(
    path: str, value: float, above: float | None, low: float | None, high: float | None
) -> Iterator[str]:
    if above is not None and not value > above:
        yield f"{path}: must be > {above:g}, got {got(value)}"
    if low is not None and not value >= low:
        yield f"{path}: must be >= {low:g}, got {got(value)}"
    if high is not None and not value <= high:
        yield f"{path}: must be <= {high:,g}, got {got(value)}"


def number(
    *, above: float | None = None, low: float | None = None, high: float | None = None
) -> Check:
    """Check for a JSON number; a boolean is none."""

    def check(path: str, value: Any) -> Iterator[str]:
        if not _number(value):
            yield f"{path}: must be a number, got {got(value)}"
        else:
            yield from _bounds(path, value, above, low, high)

    return check


def integer(
    *, above: int | None = None, low: int | None = None, high: int | None = None
) -> Check:
    """Check for a whole JSON number; neither a boolean nor 1.0 is one."""

    def check(path: str, value: Any) -> Iterator[str]:
        if not isinstance(value, int) or isinstance(value, bool):
            yield f"{path}: must be an integer, got {got(value)}"
        else:
            yield from _bounds(path, value, above, low, high)

    return check


def boolean(path: str, value: Any) -> Iterator[str]:
    """Check for true or false."""
    if not isinstance(value, bool):
        yield f"{path}: must be true or false, got {got(value)}"


def text(*, length: int = 200, empty: bool = True) -> Check:
    """Check for a text of at most *length* characters."""

    def check(path: str, value: Any) -> Iterator[str]:
        if not isinstance(value, str):
            yield f"{path}: must be a text, got {got(value)}"
        elif len(value) > length:
            yield f"{path}: must have at most {length} characters, got {len(value)}"
        elif not value.strip() and not empty:
            yield f"{path}: must not be empty"

    return check


def one_of(*words: str) -> Check:
    """Check for one of *words*, spelt exactly so."""

    def check(path: str, value: Any) -> Iterator[str]:
        if value not in words:
            yield f"{path}: must be {' or '.join(words)}, got {got(value)}"

    return check


def nullable(inner: Check) -> Check:
    """Check with *inner*, and let null pass."""

    def check(path: str, value: Any) -> Iterator[str]:
        if value is not None:
            yield from inner(path, value)

    return check


def time(path: str, value: Any) -> Iterator[str]:
    """Check for an ISO 8601 time."""
    try:
        read_time(path, value if isinstance(value, str) else "")
    except WireError as error:
        yield f"{path}: must be {error.expected}, got {got(value)}"


def reset(path: str, value: Any) -> Iterator[str]:
    """Check for the time at which a day begins, such as ``00:00 Europe/Prague``."""
    try:
        DailyReset.parse(value if isinstance(value, str) else "")
    except ValueError:
        yield (
            f"{path}: must be broker, or HH:MM and an IANA zone such as "
            f"00:00 Europe/Prague, got {got(value)}"
        )


def amount(path: str, value: Any) -> Iterator[str]:
    """Check for money: a decimal text such as ``"10000.0000"``, or a number."""
    try:
        if _number(value):
            money(value)
        else:
            read_money(path, value if isinstance(value, str) else None)
    except WireError:
        yield f'{path}: must be money such as "10000.0000", got {got(value)}'


def symbol(path: str, value: Any) -> Iterator[str]:
    """Check for a broker's symbol name."""
    if (
        not isinstance(value, str)
        or not value.isprintable()
        or value != value.strip()
        or not 0 < len(value) <= _SYMBOL_LENGTH
    ):
        yield f"{path}: must be a symbol of 1 to 32 characters, got {got(value)}"


def symbols(path: str, value: Any) -> Iterator[str]:
    """Check for a list of different symbols."""
    if not isinstance(value, list):
        yield f"{path}: must be a list of symbols, got {got(value)}"
        return
    seen: list[object] = []
    for index, item in enumerate(cast("list[object]", value)):
        yield from symbol(f"{path}[{index}]", item)
        if item in seen:
            yield f"{path}[{index}]: {got(item)} stands there twice"
        seen.append(item)


def anything(path: str, value: Any) -> Iterator[str]:
    """Let every JSON object pass, and nothing else."""
    if not isinstance(value, dict):
        yield f"{path}: must be an object, got {got(value)}"


def fields(
    known: Mapping[str, Check], optional: Mapping[str, Check] | None = None
) -> Check:
    """Check for an object with the fields *known*, and perhaps *optional* ones."""
    more = optional or {}

    def check(path: str, value: Any) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{path}: must be an object, got {got(value)}"
            return
        members = cast("dict[str, Any]", value)
        for name in members.keys() - known.keys() - more.keys():
            near = suggestion(name, {**known, **more})
            yield f"{path}.{name}: unknown field; {near}"
        for name, inner in known.items():
            if name in members:
                yield from inner(f"{path}.{name}", members[name])
            else:
                yield f"{path}.{name}: missing"
        for name, inner in more.items():
            if name in members:
                yield from inner(f"{path}.{name}", members[name])

    return check
