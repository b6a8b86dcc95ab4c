"""Which news stops entries, how long, and where the news stands."""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import attrs

from runner import PluginSettings

IMPACTS = ("High", "Medium", "Low", "Holiday")
_MOST_MINUTES = 7 * 24 * 60
_HIGH_ONLY: Mapping[str, tuple[float, float]] = MappingProxyType({"High": (30.0, 30.0)})
_NO_SYMBOLS: Mapping[str, tuple[str, ...]] = MappingProxyType({})


class WhenUnknown(enum.StrEnum):
    """What follows from a calendar that says nothing about the present week."""

    ALLOW = "allow"
    BLOCK = "block"


def _are_windows(
    settings: NewsPauseSettings,
    attribute: attrs.Attribute[Mapping[str, tuple[float, float]]],
    value: Mapping[str, tuple[float, float]],
) -> None:
    for impact, minutes in value.items():
        if impact not in IMPACTS:
            raise ValueError(
                f"windows: must be named by {', '.join(IMPACTS)}, not by {impact!r}"
            )
        if not all(math.isfinite(m) and 0 <= m <= _MOST_MINUTES for m in minutes):
            raise ValueError(
                f"windows: must be minutes before and after, 0 to {_MOST_MINUTES}, "
                f"which {impact} is not"
            )


def _are_patterns(
    settings: NewsPauseSettings,
    attribute: attrs.Attribute[tuple[str, ...]],
    value: tuple[str, ...],
) -> None:
    for pattern in value:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(
                f"{attribute.name}: must be regular expressions, and {pattern!r} "
                f"is none ({error})"
            ) from None


@attrs.frozen(kw_only=True)
class NewsPauseSettings(PluginSettings):
    """Settings of the news pause; the server's ``auto_pause_on_news`` switches it.

    Attributes:
        calendar: The file that holds the calendar: ``.json`` as the weekly feed,
            ``.csv`` with the columns date, country, impact and title; either may end
            in ``.gz``. It is read again when it changes.
        windows: Impact to minutes before and after in which entries stop. An impact
            that is not named stops nothing.
        include: Regular expressions; if any are given, only titles that one of them
            matches count. Upper and lower case are the same.
        exclude: Regular expressions; titles that one of them matches do not count.
        symbols: Symbol to the currencies whose news it minds, in place of those that
            the broker states.
        when_unknown: What to do when the calendar cannot be read, or does not reach
            the present week.
    """

    calendar: Path | None = None
    windows: Mapping[str, tuple[float, float]] = attrs.field(
        default=_HIGH_ONLY, validator=_are_windows
    )
    include: tuple[str, ...] = attrs.field(default=(), validator=_are_patterns)
    exclude: tuple[str, ...] = attrs.field(default=(), validator=_are_patterns)
    symbols: Mapping[str, tuple[str, ...]] = _NO_SYMBOLS
    when_unknown: WhenUnknown = attrs.field(
        default=WhenUnknown.BLOCK, converter=WhenUnknown
    )
