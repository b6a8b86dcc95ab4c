"""Settings and parameters: one object out of one table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from runner.serde.converter import build_object, unstructure
from runner.serde.errors import InvalidError

_T = TypeVar("_T")

__all__ = [
    "ConfigErrors",
    "structure_parameters",
    "structure_settings",
    "unstructure",
]


class ConfigErrors(ValueError):  # noqa: N818 - it carries several
    """A body or a table of settings that cannot be used.

    Attributes:
        errors: Every error on one line, with its path.
    """

    def __init__(self, errors: Iterable[str]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(self.errors))


def structure_settings(values: Mapping[str, Any], cls: type[_T], path: str) -> _T:
    """Make settings out of a table of TOML or the like.

    Args:
        values: Name to value.
        cls: The attrs class of the settings.
        path: Where the table stands, such as ``plugins.drawdown``.

    Raises:
        ConfigErrors: If anything is wrong; every error with its dotted path.
    """
    try:
        return build_object(cls, values)
    except InvalidError as error:
        raise ConfigErrors(error.lines(path)) from None


def structure_parameters(values: Mapping[str, Any], cls: type[_T]) -> _T:
    """Make the parameters of one symbol.

    Raises:
        ConfigErrors: If anything is wrong; every error with its path from ``$``.
    """
    return structure_settings(values, cls, "$")
