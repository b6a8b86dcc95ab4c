"""Scheduled news, as plugins hand it to each other."""

from __future__ import annotations

from datetime import datetime, timedelta

import attrs

EVERY_CURRENCY = "ALL"
"""The currency of an event that is about all of them."""


def _is_aware(
    instance: object, attribute: attrs.Attribute[datetime], value: datetime
) -> None:
    if value.utcoffset() is None:
        raise ValueError(f"{attribute.name}: must have an offset, got {value!r}")


@attrs.frozen(slots=True)
class NewsEvent:
    """One scheduled piece of news.

    Attributes:
        at: When it begins, UTC-aware.
        currency: Three capitals; `EVERY_CURRENCY` for all of them.
        impact: As the source states it: High, Medium, Low or Holiday.
        title: As the source states it.
        lasts: How long it goes on by itself; a day for what has no time of day.
    """

    at: datetime = attrs.field(validator=_is_aware)
    currency: str
    impact: str
    title: str
    lasts: timedelta = timedelta()

    @property
    def ends_at(self) -> datetime:
        """When it is over, UTC-aware."""
        return self.at + self.lasts
