"""Annotations of implementations against those of the specification."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import pytest

from runner.core.orders import Deny, Position
from runner.host.annotations import fits, hints, spell
from runner.strategy import Strategy

if TYPE_CHECKING:
    import decimal

T = TypeVar("T")


class HasCode(Protocol):
    """Anything with a code."""

    code: str


class Stricter(Deny):
    """A guard's own kind of no."""


class Bot(Strategy):
    """A strategy."""


FITTING = [
    (Deny, Deny),
    (Deny, Deny | None),
    (type(None), Deny | None),
    (Stricter, Deny | None),
    (Any, Deny | None),
    (Deny, Any),
    (Deny, object),
    (int, float | None),
    (list[Position], Sequence[Position]),
    (tuple[Position, ...], Sequence[Position]),
    (tuple[Position, Position], Sequence[Position]),
    (dict[str, str], Mapping[str, str] | None),
    (dict, Mapping[str, str]),
    (list[type[Bot]], Iterable[type[Strategy]]),
    (Deny, HasCode),
    (T, Deny),
    (Literal["x"], str),
    (Callable[[int], str], Callable[[str], str]),
]
UNFITTING = [
    (bool, Deny | None),
    (Deny | None, Deny),
    (str, float | None),
    (bool, float | None),
    (dict[str, int], Mapping[str, str] | None),
    (list[type[str]], Iterable[type[Strategy]]),
    (Sequence[Position], list[Position]),
]


@pytest.mark.parametrize(("narrow", "wide"), FITTING)
def test_what_may_fit_is_let_pass(narrow: Any, wide: Any) -> None:
    """A narrower type fits, and so does whatever cannot be judged."""
    assert fits(narrow, wide)


@pytest.mark.parametrize(("narrow", "wide"), UNFITTING)
def test_what_cannot_fit_is_seen(narrow: Any, wide: Any) -> None:
    """A value of the one type may certainly not stand where the other is expected."""
    assert not fits(narrow, wide)


def test_annotations_that_cannot_be_resolved_are_none() -> None:
    """Types imported for the type checker alone are no mistake."""

    def implementation(price: decimal.Decimal) -> None:
        """Annotated with a name that does not exist at run time."""

    assert {} == hints(implementation)


@pytest.mark.parametrize(
    ("hint", "text"),
    [
        (Deny | None, "Deny | None"),
        (Mapping[str, str], "Mapping[str, str]"),
        (tuple[Position, ...], "tuple[Position, ...]"),
        (Literal["x"], "Literal['x']"),
        (Any, "Any"),
        (list, "list"),
    ],
)
def test_types_are_spelled_as_authors_write_them(hint: Any, text: str) -> None:
    """A message shows the short form of a type."""
    assert text == spell(hint)
