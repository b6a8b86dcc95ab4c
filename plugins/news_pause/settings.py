"""Where news comes from, which of it stops what, how long, and presets of that."""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import attrs

from runner import ApiAccess, PluginSettings

IMPACTS = ("High", "Medium", "Low", "Holiday")
SOURCES = ("plugin", "server", "feed", "file")
DEFAULT_SOURCES = ("plugin", "file")
FEED_URL = "https://nfs.faireconomy.media/ff_calendar_thisweek.json"
_MOST_MINUTES = 7 * 24 * 60
# The feed's host takes two requests in five minutes.
_LEAST_POLL, _MOST_POLL = 2.5, 24 * 60
_NO_SYMBOLS: Mapping[str, tuple[str, ...]] = MappingProxyType({})


class WhenUnknown(enum.StrEnum):
    """What follows when no source says anything about the present week."""

    ALLOW = "allow"
    BLOCK = "block"


class OnEnter(enum.StrEnum):
    """What happens to own positions when a window comes."""

    NONE = "none"
    CLOSE_ALL = "close_all"
    CLOSE_LOSING = "close_losing"
    CLOSE_PROFITABLE = "close_profitable"
    BREAKEVEN = "breakeven"


@attrs.frozen(kw_only=True)
class Widths:
    """How far a window reaches, in minutes from the event; 0 is not at all.

    Attributes:
        block_before: Entries stop so long before.
        block_after: And so long after.
        close_before: What is to be closed, cancelled or protected is so long before;
            None means when entries stop.
    """

    block_before: float = 0.0
    block_after: float = 0.0
    close_before: float | None = None

    @property
    def lead(self) -> float:
        """Minutes before the event from which positions are dealt with."""
        return self.block_before if self.close_before is None else self.close_before


Windows = Mapping[str, tuple[float, float] | Widths]
_HIGH_ONLY: Windows = MappingProxyType({"High": (30.0, 30.0)})


@attrs.frozen(kw_only=True)
class Rules:
    """The choices in force that a preset can make; see `NewsPauseSettings`."""

    windows: Windows = _HIGH_ONLY
    block_exits: bool = False


PRESETS: Mapping[str, Rules] = MappingProxyType(
    {
        "default": Rules(),
        "ftmo": Rules(windows=MappingProxyType({"High": (2.0, 2.0)}), block_exits=True),
    }
)
"""Name to choices, from what the firms publish; check yours, they change often."""


def _are_windows(
    settings: NewsPauseSettings,
    attribute: attrs.Attribute[Windows | None],
    value: Windows | None,
) -> None:
    for impact, width in (value or {}).items():
        if impact not in IMPACTS:
            raise ValueError(
                f"windows: must be named by {', '.join(IMPACTS)}, not by {impact!r}"
            )
        widths = _widths(width)
        minutes = (widths.block_before, widths.block_after, widths.lead)
        if not all(math.isfinite(m) and 0 <= m <= _MOST_MINUTES for m in minutes):
            raise ValueError(
                f"windows: must be minutes before and after, 0 to {_MOST_MINUTES}, "
                f"which {impact} is not"
            )


def _widths(width: tuple[float, float] | Widths) -> Widths:
    if isinstance(width, Widths):
        return width
    return Widths(block_before=width[0], block_after=width[1])


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


def _are_sources(
    settings: NewsPauseSettings,
    attribute: attrs.Attribute[tuple[str, ...]],
    value: tuple[str, ...],
) -> None:
    if not value or not set(value) <= set(SOURCES) or len(set(value)) < len(value):
        raise ValueError(
            f"sources: must be some of {', '.join(SOURCES)}, each once, "
            f"got {list(value)}"
        )


def _are_currencies(
    settings: NewsPauseSettings,
    attribute: attrs.Attribute[Mapping[str, tuple[str, ...]]],
    value: Mapping[str, tuple[str, ...]],
) -> None:
    for name, currencies in value.items():
        for currency in currencies:
            # Another word is no currency of any event, and would free the symbol.
            if not re.fullmatch(r"[A-Za-z]{3}", currency):
                raise ValueError(
                    f"symbols.{name}: must be currencies of three letters, "
                    f"or All, and {currency!r} is none"
                )


def _is_url(
    settings: NewsPauseSettings, attribute: attrs.Attribute[str], value: str
) -> None:
    if not re.fullmatch(r"https?://[^\s/]+\S*", value):
        raise ValueError(f"feed_url: must be an http(s) address, got {value!r}")


@attrs.frozen(kw_only=True)
class NewsPauseSettings(PluginSettings):
    """Settings of the news pause; the server's ``auto_pause_on_news`` switches it.

    Attributes:
        preset: A set of choices for *windows* and *block_exits* by name.
        sources: Where news comes from, in the order in which they are asked: the first
            that knows the present week counts, alone.
        calendar: The file of the source "file": ``.json`` as the weekly feed, ``.csv``
            with the columns date, country, impact and title; either may end in
            ``.gz``. It is read again when it changes.
        feed_url: Address of the source "feed".
        cache_dir: Folder in which all runners of this machine share what the feed
            said; None takes the user's own cache folder.
        poll_minutes: Between two requests of this machine to the feed.
        windows: Impact to minutes before and after in which entries stop, or to a
            table of `Widths`. An impact that is not named stops nothing. None takes
            the preset's.
        on_enter_window: What happens to own positions in a symbol whose window comes.
        cancel_pendings: Whether own pending orders are removed then.
        block_exits: Whether strategies must not close inside a window either. Risk
            exits, by command or by a guard, always go on. None takes the preset's.
        include: Regular expressions; if any are given, only titles that one of them
            matches count. Upper and lower case are the same.
        exclude: Regular expressions; titles that one of them matches do not count.
        all_events: The lowest impact at which an event for all currencies counts.
        symbols: Symbol to the currencies whose news it minds, in place of those that
            the broker states.
        when_unknown: What to do when no source knows the present week.
        api: Where the source "server" asks; the runner fills it in.
    """

    preset: str = attrs.field(
        default="default", validator=attrs.validators.in_(tuple(PRESETS))
    )
    sources: tuple[str, ...] = attrs.field(
        default=DEFAULT_SOURCES, validator=_are_sources
    )
    calendar: Path | None = None
    feed_url: str = attrs.field(default=FEED_URL, validator=_is_url)
    cache_dir: Path | None = None
    poll_minutes: float = attrs.field(
        default=60.0,
        validator=[attrs.validators.ge(_LEAST_POLL), attrs.validators.le(_MOST_POLL)],
    )
    windows: Windows | None = attrs.field(default=None, validator=_are_windows)
    on_enter_window: OnEnter = attrs.field(default=OnEnter.NONE, converter=OnEnter)
    cancel_pendings: bool = False
    block_exits: bool | None = None
    include: tuple[str, ...] = attrs.field(default=(), validator=_are_patterns)
    exclude: tuple[str, ...] = attrs.field(default=(), validator=_are_patterns)
    all_events: str = attrs.field(
        default="Low", validator=attrs.validators.in_(IMPACTS)
    )
    symbols: Mapping[str, tuple[str, ...]] = attrs.field(
        default=_NO_SYMBOLS, validator=_are_currencies
    )
    when_unknown: WhenUnknown = attrs.field(
        default=WhenUnknown.BLOCK, converter=WhenUnknown
    )
    api: ApiAccess | None = None

    def __attrs_post_init__(self) -> None:
        if self.calendar is not None and "file" not in self.sources:
            raise ValueError("sources: must name file, since a calendar is given")
        if self.calendar is None and self.sources == ("file",):
            raise ValueError("calendar: must be given, since sources names file alone")
        for impact, width in self.widths.items():
            self._check_closing(impact, width)

    def _check_closing(self, impact: str, width: Widths) -> None:
        if width.close_before is not None and not (self.closes or self.cancel_pendings):
            raise ValueError(
                f"windows.{impact}.close_before: must come with on_enter_window or "
                "cancel_pendings, which say what happens then"
            )
        if self.closes and self.rules.block_exits and width.lead <= width.block_before:
            raise ValueError(
                f"windows.{impact}.close_before: must be more than block_before, since "
                "block_exits leaves no time to close otherwise"
            )

    @property
    def rules(self) -> Rules:
        """The preset's choices, replaced by those that are given."""
        given: dict[str, Any] = {
            name: value
            for name in ("windows", "block_exits")
            if (value := getattr(self, name)) is not None
        }
        return attrs.evolve(PRESETS[self.preset], **given)

    @property
    def widths(self) -> Mapping[str, Widths]:
        """Impact to how far its windows reach."""
        return {name: _widths(width) for name, width in self.rules.windows.items()}

    @property
    def reach(self) -> tuple[timedelta, timedelta]:
        """How long before and after an event any window can hold."""
        widths = [Widths(), *self.widths.values()]
        before = max(max(one.block_before, one.lead) for one in widths)
        after = max(one.block_after for one in widths)
        return timedelta(minutes=before), timedelta(minutes=after)

    @property
    def closes(self) -> bool:
        """Whether anything happens to positions when a window comes."""
        return self.on_enter_window is not OnEnter.NONE
