"""What changes between two sets of parameters, and when each change may apply."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, cast

import attrs

LIVE = "live"
FLAT_ONLY = "flat_only"
RESTART = "restart"

RELOADS = (LIVE, FLAT_ONLY, RESTART)
"""The values of a field's ``reload`` metadata; ``live`` where none is given."""


@attrs.frozen(slots=True)
class Change:
    """One parameter that differs.

    Attributes:
        symbol: The symbol whose parameter it is.
        field: The parameter; empty when the whole symbol appeared or vanished.
        old: Value in force; None if there was none.
        new: Value asked for; None if there is none.
        reload: When it may apply.
    """

    symbol: str
    field: str
    old: Any
    new: Any
    reload: str = LIVE

    def __str__(self) -> str:
        """Return the change on one line."""
        if not self.field:
            return f"{self.symbol} {'added' if self.old is None else 'removed'}"
        return f"{self.symbol}.{self.field}: {self.old!r} -> {self.new!r}"


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Change, ...]:
    """Compare two mappings of symbol to parameters.

    Args:
        old: Parameters in force.
        new: Parameters asked for, of the same class.

    Returns:
        Every difference, symbols in order of name.
    """
    found: list[Change] = []
    for symbol in sorted({*old, *new}):
        before, after = old.get(symbol), new.get(symbol)
        if before is None or after is None:
            found.append(Change(symbol, "", before, after))
            continue
        cls = cast("type[attrs.AttrsInstance]", type(after))
        for field in attrs.fields(cls):
            was, becomes = getattr(before, field.name), getattr(after, field.name)
            if was != becomes:
                reload = field.metadata.get("reload", LIVE)
                found.append(Change(symbol, field.name, was, becomes, reload))
    return tuple(found)


def refusals(found: Collection[Change]) -> tuple[str, ...]:
    """List the changes that need a restart, as error lines with their path."""
    return tuple(
        f"$.parameters_by_symbol.{change.symbol}.{change.field}: "
        f"cannot change while the strategy runs (from {change.old!r} to "
        f"{change.new!r}); restart the runner to apply it"
        for change in found
        if change.reload == RESTART
    )


def must_wait(found: Collection[Change], flat: Collection[str]) -> tuple[str, ...]:
    """Name the symbols that must become flat before the changes may apply.

    Args:
        found: The changes.
        flat: Symbols in which the strategy certainly holds nothing.

    Returns:
        Symbols, in order of name.
    """
    waiting = {
        change.symbol
        for change in found
        if change.reload == FLAT_ONLY and change.symbol not in flat
    }
    return tuple(sorted(waiting))
