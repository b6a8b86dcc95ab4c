"""What a drawdown limit can be counted from, and when a day begins: the choices.

Firms publish percentages that mean different things. Every choice is a value here, so
that the settings file and the server's ``risk_config`` say it in the same words.
"""

from __future__ import annotations

import enum
import re
import zoneinfo
from datetime import UTC, date, datetime, time, timedelta

import attrs

_BROKER = "17:00 America/New_York"
_RESET = re.compile(r"(?P<time>[0-9]{2}:[0-9]{2}) (?P<zone>\S+)")
_DAY = timedelta(days=1)


class DrawdownPreset(enum.StrEnum):
    """A set of choices by name."""

    DEFAULT = "default"
    STATIC = "static"
    FTMO_2STEP = "ftmo_2step"
    FTMO_1STEP = "ftmo_1step"
    FUNDEDNEXT = "fundednext"
    FUNDINGPIPS = "fundingpips"
    METAAPI_DAY = "metaapi_day"


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


class BreachAction(enum.StrEnum):
    """What a breach leads to."""

    BLOCK = "block"
    FLATTEN = "flatten"


class FlattenScope(enum.StrEnum):
    """Whose positions and pending orders are closed."""

    OWN = "own"
    ACCOUNT = "account"


class WithoutStop(enum.StrEnum):
    """What exposure that no stop bounds means for the next entry."""

    REFUSE = "refuse"
    IGNORE = "ignore"


@attrs.frozen(slots=True)
class DailyReset:
    """The wall-clock time at which a day begins, in a zone with its own daylight rule.

    Attributes:
        at: Time of day.
        zone: IANA zone.
    """

    at: time
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
        return max(each for each in self._around(now) if each <= now)

    def following(self, now: datetime) -> datetime:
        """Return the first reset after *now*, in UTC."""
        return min(each for each in self._around(now) if each > now)

    def _around(self, now: datetime) -> list[datetime]:
        # Two days each way, since a zone that crosses the date line skips a date.
        today = now.astimezone(self.zone).date()
        return [self._on(today + days * _DAY) for days in (-2, -1, 0, 1, 2)]

    def _on(self, day: date) -> datetime:
        local = datetime.combine(day, self.at, self.zone)
        return local.astimezone(UTC)


def _is_reset(
    instance: object, attribute: attrs.Attribute[str | None], value: str | None
) -> None:
    if value is not None:
        DailyReset.parse(value)


@attrs.frozen(slots=True, kw_only=True)
class DrawdownChoices:
    """How the two drawdown limits are measured and kept; None leaves a choice open.

    Attributes:
        preset: A set of choices by name, for all of the first seven below.
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
        touch_breaches: Whether an equity at the floor is a breach, or only one below.
        initial_balance: The account's starting balance, account currency.
        soft_limit_fraction: Share of a limit at which entries pause, above 0, at most
            1.
        buffer_percent: What costs may take beyond the stops, in percent of what a
            limit is a percentage of; kept free by every new order.
        on_breach: Whether a breach only stops entries, or also closes.
        flatten_scope: Whether it closes what the runner's own strategies hold, or all.
        positions_without_stop: Whether positions, orders and entries without a stop
            keep the next entry from being sent, or count as if they risked nothing.
    """

    preset: DrawdownPreset | None = attrs.field(
        default=None, converter=attrs.converters.optional(DrawdownPreset)
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
    touch_breaches: bool | None = None
    initial_balance: float | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.gt(0))
    )
    soft_limit_fraction: float | None = attrs.field(
        default=None,
        validator=attrs.validators.optional(
            [attrs.validators.gt(0), attrs.validators.le(1)]
        ),
    )
    buffer_percent: float | None = attrs.field(
        default=None,
        validator=attrs.validators.optional(
            [attrs.validators.ge(0), attrs.validators.lt(100)]
        ),
    )
    on_breach: BreachAction | None = attrs.field(
        default=None, converter=attrs.converters.optional(BreachAction)
    )
    flatten_scope: FlattenScope | None = attrs.field(
        default=None, converter=attrs.converters.optional(FlattenScope)
    )
    positions_without_stop: WithoutStop | None = attrs.field(
        default=None, converter=attrs.converters.optional(WithoutStop)
    )
