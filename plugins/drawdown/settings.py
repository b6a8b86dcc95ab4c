"""The settings of the drawdown guard.

Two percentages alone are ambiguous in several ways; every choice is a setting here,
and a preset is a set of choices. The percentages themselves come from the server,
which may choose too.
"""

from __future__ import annotations

import attrs

from runner import DailyReset, DrawdownChoices, PluginSettings

NEW_YORK_CLOSE = "17:00 America/New_York"


def is_reset(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    """Refuse what is no time and zone."""
    try:
        DailyReset.parse(value)
    except ValueError:
        raise ValueError(
            f"{attribute.name}: expected HH:MM and an IANA zone, got {value!r}"
        ) from None


@attrs.frozen(kw_only=True)
class DrawdownSettings(DrawdownChoices, PluginSettings):
    """Settings of the drawdown guard: `DrawdownChoices`, and two of its own.

    Attributes:
        server_peak: Whether the server's peak balance counts for an account about
            which nothing is stored here. Off on paper, where it is another account's.
        broker_day: When the trade server's day begins, which is what the *daily_reset*
            ``broker`` stands for: midnight on the clock of the runner's
            ``server_timezone``, as ``HH:MM Zone``.
    """

    server_peak: bool = True
    broker_day: str = attrs.field(default=NEW_YORK_CLOSE, validator=is_reset)
