"""What raises a version: a real change of one of the seed's fields, and nothing else.

Source: seed, Automatic Version Incrementing. ``risk_config`` is in neither of the
seed's lists, so a change of it alone is seen at the next fetch for another reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, cast

from runner.wire.documents import STRATEGY_VERSION_FIELDS, TRADE_VERSION_FIELDS


def same(old: Any, new: Any) -> bool:
    """Return whether two JSON values are the same.

    Numbers compare by value (1 is 1.0), but a boolean is no number: Python's own ``==``
    takes True for 1.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        olds, news = cast("dict[str, Any]", old), cast("dict[str, Any]", new)
        return olds.keys() == news.keys() and all(
            same(olds[key], news[key]) for key in olds
        )
    if isinstance(old, list) and isinstance(new, list):
        before, after = cast("list[object]", old), cast("list[object]", new)
        return len(before) == len(after) and all(map(same, before, after))
    return isinstance(old, bool) == isinstance(new, bool) and bool(old == new)


def changed(
    fields: AbstractSet[str], old: Mapping[str, Any], new: Mapping[str, Any]
) -> frozenset[str]:
    """Return those of *fields* whose value differs between two documents."""
    return frozenset(name for name in fields if not same(old.get(name), new.get(name)))


def next_trade_version(
    version: int, old: Mapping[str, Any], new: Mapping[str, Any]
) -> int:
    """Return the trade config's version after *old* has become *new*."""
    return version + bool(changed(TRADE_VERSION_FIELDS, old, new))


def next_strategy_version(
    version: int, old: Mapping[str, Any], new: Mapping[str, Any]
) -> int:
    """Return a strategy config's version after *old* has become *new*."""
    return version + bool(changed(STRATEGY_VERSION_FIELDS, old, new))
