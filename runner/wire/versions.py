"""The hash that announces a config's version."""

from __future__ import annotations

from collections.abc import Mapping

from runner.wire.encoding import read_int, write_int
from runner.wire.keys import VERSION_FIELD


def read_version(text: str | None, field: str = VERSION_FIELD) -> int | None:
    """Read an announced version.

    Args:
        text: What stands in the hash; None if the key or the field is missing.
        field: Name for the error.

    Returns:
        The version; None for *no information*.

    Raises:
        WireError: If it is not a whole number >= 0.
    """
    if text is None or not text.strip():
        return None
    return read_int(field, text, minimum=0)


def version_hash(version: int) -> dict[str, str]:
    """Return the hash that announces *version*."""
    return {VERSION_FIELD: write_int(version)}


def version_from_hash(fields: Mapping[str, str]) -> int | None:
    """Read the version out of its hash; see :func:`read_version`."""
    return read_version(fields.get(VERSION_FIELD))
