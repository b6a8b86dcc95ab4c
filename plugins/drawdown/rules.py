"""The choices in force: presets, the settings file's and the server's, in layers."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import attrs

from runner import (
    BreachAction,
    DailyPercentOf,
    DailyReference,
    DrawdownChoices,
    DrawdownPreset,
    FlattenScope,
    MaxMode,
    MaxPercentOf,
    WithoutStop,
)


@attrs.frozen(kw_only=True)
class Rules:
    """The choices in force; see `runner.DrawdownChoices` for their meaning."""

    daily_reference: DailyReference = DailyReference.MAX_BALANCE_EQUITY
    daily_percent_of: DailyPercentOf = DailyPercentOf.REFERENCE
    daily_reset: str = "broker"
    max_mode: MaxMode = MaxMode.TRAILING_BALANCE
    max_percent_of: MaxPercentOf = MaxPercentOf.PEAK
    trail_lock_at_initial: bool = False
    touch_breaches: bool = True
    initial_balance: float | None = None
    soft_limit_fraction: float | None = None
    buffer_percent: float = 0.1
    on_breach: BreachAction = BreachAction.BLOCK
    flatten_scope: FlattenScope = FlattenScope.OWN
    positions_without_stop: WithoutStop = WithoutStop.REFUSE

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

    @property
    def missing(self) -> str | None:
        """What cannot be measured for want of an initial balance; None if nothing."""
        needed_by = self.needs_initial
        if needed_by is None or self.initial_balance is not None:
            return None
        return (
            f"initial_balance: {needed_by} needs the account's starting balance; set "
            "it in the settings file or in the server's risk_config, since today's "
            "balance is never taken for it"
        )


_PRAGUE = "00:00 Europe/Prague"

PRESETS: Mapping[DrawdownPreset, Rules] = MappingProxyType(
    {
        DrawdownPreset.DEFAULT: Rules(),
        DrawdownPreset.STATIC: Rules(max_mode=MaxMode.STATIC),
        DrawdownPreset.FTMO_2STEP: Rules(
            daily_reference=DailyReference.BALANCE,
            daily_percent_of=DailyPercentOf.INITIAL,
            daily_reset=_PRAGUE,
            max_mode=MaxMode.STATIC,
        ),
        DrawdownPreset.FTMO_1STEP: Rules(
            daily_reference=DailyReference.BALANCE,
            daily_percent_of=DailyPercentOf.INITIAL,
            daily_reset=_PRAGUE,
            max_mode=MaxMode.TRAILING_EOD_BALANCE,
            max_percent_of=MaxPercentOf.INITIAL,
        ),
        DrawdownPreset.FUNDEDNEXT: Rules(
            daily_reference=DailyReference.BALANCE,
            max_mode=MaxMode.STATIC,
        ),
        DrawdownPreset.FUNDINGPIPS: Rules(
            daily_reset="00:00 Etc/GMT-3",
            max_mode=MaxMode.STATIC,
        ),
        DrawdownPreset.METAAPI_DAY: Rules(
            daily_reference=DailyReference.BALANCE,
            touch_breaches=False,
        ),
    }
)
"""Name to choices, from what the firms publish; check yours, they change often."""

CHOSEN_BY_PRESET = (
    "daily_reference",
    "daily_percent_of",
    "daily_reset",
    "max_mode",
    "max_percent_of",
    "trail_lock_at_initial",
    "touch_breaches",
)
"""What a preset says; the rest it leaves as it is."""


def rules_of(*layers: DrawdownChoices) -> Rules:
    """Return the choices in force.

    Args:
        layers: From the weakest to the strongest: the settings file, the server. Of
            each its preset comes first, then what it chooses by itself.
    """
    chosen: dict[str, Any] = {}
    for layer in layers:
        if layer.preset is not None:
            preset = PRESETS[layer.preset]
            chosen |= {name: getattr(preset, name) for name in CHOSEN_BY_PRESET}
        for field in attrs.fields(Rules):
            value = getattr(layer, field.name)
            if value is not None:
                chosen[field.name] = value
    return Rules(**chosen)
