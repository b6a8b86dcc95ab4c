"""Compares the annotations of a hook implementation with those of its specification.

Pluggy never looks at them, so ``check_order(intent: int) -> str`` would register. The
comparison is lenient: what it does not understand, it lets pass.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from runner.host.containment import Raised, attempt


def hints(function: Callable[..., object]) -> Mapping[str, Any]:
    """Return the annotations of *function* as types, by name.

    Args:
        function: Any function.

    Returns:
        Argument name, or ``return``, to its type. Empty when they cannot be resolved,
        which is no error: authors import types under ``TYPE_CHECKING``.
    """
    found = attempt(typing.get_type_hints, function)
    return {} if isinstance(found, Raised) else found


def fits(narrow: Any, wide: Any) -> bool:
    """Say whether a value of type *narrow* may stand where *wide* is expected.

    Args:
        narrow: What is given.
        wide: What is accepted.

    Returns:
        False only where the two certainly do not fit.
    """
    members = _members(wide)
    return all(
        any(_one_fits(one, another) for another in members) for one in _members(narrow)
    )


def spell(hint: Any) -> str:
    """Return *hint* as an author would write it."""
    members = _members(hint)
    if len(members) > 1:
        return " | ".join(map(spell, members))
    if hint is type(None):
        return "None"
    if hint is ...:
        return "..."
    origin = typing.get_origin(hint) or hint
    name = getattr(origin, "__name__", repr(origin))
    inner = ", ".join(map(spell, typing.get_args(hint)))
    return f"{name}[{inner}]" if inner else name


def _members(hint: Any) -> tuple[Any, ...]:
    if typing.get_origin(hint) in {typing.Union, types.UnionType}:
        return typing.get_args(hint)
    return (hint,)


def _one_fits(narrow: Any, wide: Any) -> bool:
    if Any in (narrow, wide) or wide is object:
        return True
    given = typing.get_origin(narrow) or narrow
    accepted = typing.get_origin(wide) or wide
    if not (isinstance(given, type) and isinstance(accepted, type)):
        return True
    if accepted is float and given is int:
        return True
    if attempt(issubclass, given, accepted) is False:  # a Protocol may refuse to tell
        return False
    inner, outer = _elements(narrow), _elements(wide)
    if len(inner) != len(outer):
        return True
    return all(map(fits, inner, outer))


def _elements(hint: Any) -> tuple[Any, ...]:
    elements = typing.get_args(hint)
    if elements[1:] == (Ellipsis,):
        return elements[:1]
    return elements
