"""What the limits are counted from, and when a day begins.

Two percentages alone are ambiguous in several ways; every choice is a setting here,
and a preset is a set of choices. The percentages themselves come from the server.
"""

from __future__ import annotations

import enum
import re
import zoneinfo
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType

import attrs

from runner import PluginSettings

_BROKER = "17:00 America/New_York"
_RESET = re.compile(r"(?P<time>[0-9]{2}:[0-9]{2}) (?P<zone>\S+)")
_DAY = timedelta(days=1)


class DailyReference(enum.StrEnum):
    """What a day's loss is counted from."""

    BALANCE = "balance"
    EQUITY = "equity"
    MAX_BALANCE_EQUITY = "max_balance_equity"
    INTRADAY_PEAK_EQUITY = "intraday_peak_equity"


class DailyPercentOf(enum.StrEnum):
    """What the daily percentage is a percentage of."""

    REFERENCE = "reference"
    INITIAL = "initial"


class MaxMode(enum.StrEnum):
    """What the account's loss is counted from."""

    STATIC = "static"
    TRAILING_BALANCE = "trailing_balance"
    TRAILING_EOD_BALANCE = "trailing_eod_balance"
    TRAILING_EQUITY = "trailing_equity"


class MaxPercentOf(enum.StrEnum):
    """What the maximum percentage is a percentage of."""

    PEAK = "peak"
    INITIAL = "initial"


@attrs.frozen(slots=True)
class DailyReset:
    """The wall-clock time at which a day begins, in a zone with its own daylight rule.

    Attributes:
        time: Of day.
        zone: IANA zone.
    """

    time: time
    zone: zoneinfo.ZoneInfo

    @classmethod
    def parse(cls, text: str) -> DailyReset:
        """Read ``HH:MM Zone``; ``broker`` stands for midnight of New York + 7 h.

        Raises:
            ValueError: If it does not read so, or there is no such zone.
        """
        match = _RESET.fullmatch(_BROKER if text == "broker" else text)
        try:
            if match is not None:
                at = time.fromisoformat(match["time"])
                return cls(at, zoneinfo.ZoneInfo(match["zone"]))
        except (ValueError, zoneinfo.ZoneInfoNotFoundError, OSError):
            pass
        raise ValueError(
            "daily_reset: expected 'broker', or HH:MM and an IANA zone such as "
            f"'00:00 Europe/Prague', got {text!r}"
        )

    def latest(self, now: datetime) -> datetime:
        """Return the newest reset that is not after *now*, in UTC."""
        return max(at for at in self._around(now) if at <= now)

    def following(self, now: datetime) -> datetime:
        """Return the first reset after *now*, in UTC."""
        return min(at for at in self._around(now) if at > now)

    def _around(self, now: datetime) -> list[datetime]:
        # Two days each way, since a zone that crosses the date line skips a date.
        today = now.astimezone(self.zone).date()
        return [self._on(today + days * _DAY) for days in (-2, -1, 0, 1, 2)]

    def _on(self, day: date) -> datetime:
        return datetime.combine(day, self.time, self.zone).astimezone(UTC)


@attrs.frozen(kw_only=True)
class Rules:
    """The choices in force; see `DrawdownSettings` for their meaning."""

    daily_reference: DailyReference = DailyReference.MAX_BALANCE_EQUITY
    daily_percent_of: DailyPercentOf = DailyPercentOf.REFERENCE
    daily_reset: str = "broker"
    max_mode: MaxMode = MaxMode.TRAILING_BALANCE
    max_percent_of: MaxPercentOf = MaxPercentOf.PEAK
    trail_lock_at_initial: bool = False
    initial_balance: float | None = None

    @property
    def needs_initial(self) -> str | None:
        """The choice that needs an initial balance; None if none does."""
        if self.max_mode is MaxMode.STATIC:
            return "max_mode = 'static'"
        if self.max_percent_of is MaxPercentOf.INITIAL:
            return "max_percent_of = 'initial'"
        if self.daily_percent_of is DailyPercentOf.INITIAL:
            return "daily_percent_of = 'initial'"
        if self.trail_lock_at_initial:
            return "trail_lock_at_initial"
        return None


PRESETS: Mapping[str, Rules] = MappingProxyType(
    {
        "default": Rules(),
        "ftmo_2step": Rules(
            daily_reference=DailyReference.BALANCE,
            daily_percent_of=DailyPercentOf.INITIAL,
            daily_reset="00:00 Europe/Prague",
            max_mode=MaxMode.STATIC,
        ),
        "ftmo_1step": Rules(
            daily_reference=DailyReference.BALANCE,
            daily_percent_of=DailyPercentOf.INITIAL,
            daily_reset="00:00 Europe/Prague",
            max_mode=MaxMode.TRAILING_EOD_BALANCE,
            max_percent_of=MaxPercentOf.INITIAL,
        ),
        "fundednext": Rules(
            daily_reference=DailyReference.BALANCE,
            max_mode=MaxMode.STATIC,
        ),
        "fundingpips": Rules(
            daily_reset="00:00 Etc/GMT-3",
            max_mode=MaxMode.STATIC,
        ),
    }
)
"""Name to choices, from what the firms publish; check yours, they change often."""


def _is_reset(
    settings: DrawdownSettings,
    attribute: attrs.Attribute[str | None],
    value: str | None,
) -> None:
    if value is not None:
        DailyReset.parse(value)


@attrs.frozen(kw_only=True)
class DrawdownSettings(PluginSettings):
    """Settings of the drawdown guard. None takes the preset's choice.

    Attributes:
        preset: A set of choices by name.
        daily_reference: What the day's loss is counted from: the balance or the equity
            at the reset, the higher of both, or the highest equity since the reset.
        daily_percent_of: Whether the daily limit is a percentage of that reference or
            of *initial_balance*.
        daily_reset: When a day begins: ``broker`` (midnight of New York + 7 h), or
            ``HH:MM Zone`` such as ``00:00 Europe/Prague``.
        max_mode: What the account's loss is counted from: *initial_balance*, the
            highest balance, the highest balance at a reset, or the highest equity.
        max_percent_of: Whether the maximum limit is a percentage of that peak or of
            *initial_balance*.
        trail_lock_at_initial: Whether the floor stops rising at *initial_balance*.
        initial_balance: The account's starting balance, account currency.
        server_peak: Whether the server's peak balance counts for an account about
            which nothing is stored here. Off on paper, where it is another account's.
    """

    preset: str = attrs.field(
        default="default", validator=attrs.validators.in_(tuple(PRESETS))
    )
    daily_reference: DailyReference | None = attrs.field(
        default=None, converter=attrs.converters.optional(DailyReference)
    )
    daily_percent_of: DailyPercentOf | None = attrs.field(
        default=None, converter=attrs.converters.optional(DailyPercentOf)
    )
    daily_reset: str | None = attrs.field(default=None, validator=_is_reset)
    max_mode: MaxMode | None = attrs.field(
        default=None, converter=attrs.converters.optional(MaxMode)
    )
    max_percent_of: MaxPercentOf | None = attrs.field(
        default=None, converter=attrs.converters.optional(MaxPercentOf)
    )
    trail_lock_at_initial: bool | None = None
    initial_balance: float | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.gt(0))
    )
    server_peak: bool = True

    def __attrs_post_init__(self) -> None:
        needed_by = self.rules.needs_initial
        if needed_by is not None and self.initial_balance is None:
            raise ValueError(
                f"initial_balance: {needed_by} needs the account's starting balance; "
                "today's balance is never taken for it"
            )

    @property
    def rules(self) -> Rules:
        """The preset's choices, replaced by those that are set."""
        chosen = {
            field.name: value
            for field in attrs.fields(Rules)
            if (value := getattr(self, field.name)) is not None
        }
        return attrs.evolve(PRESETS[self.preset], **chosen)
