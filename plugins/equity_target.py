"""Stops at a profit that was the aim, as in a challenge: nothing is risked any more."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from runner import (
    Account,
    Demand,
    Deny,
    PendingOrder,
    Plugin,
    PluginSettings,
    PluginState,
    Position,
    TradingState,
    hookimpl,
)

log = logging.getLogger("mt5runner.plugins.equity_target")

_REACHED = "reached"
_CENT = 0.005  # account currency


def _needs_initial(
    settings: EquityTargetSettings, attribute: attrs.Attribute[Any], value: float | None
) -> None:
    if value is not None and settings.initial_balance is None:
        raise ValueError(f"{attribute.name}: needs initial_balance, there is none")


@attrs.frozen(kw_only=True)
class EquityTargetSettings(PluginSettings):
    """Settings of the equity target; None is no target.

    Attributes:
        initial_balance: What the percentage is of, account currency.
        percent: Profit at which entries stop, in percent of it.
        close_positions: Whether the runner's own positions are closed, too.
    """

    initial_balance: float | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.gt(0))
    )
    percent: float | None = attrs.field(
        default=None,
        validator=[
            attrs.validators.optional(attrs.validators.gt(0)),
            _needs_initial,
        ],
    )
    close_positions: bool = False


def target(settings: EquityTargetSettings) -> float:
    """Return the equity at which it is reached; infinite where none is set."""
    if settings.initial_balance is None or settings.percent is None:
        return math.inf
    return settings.initial_balance * (1 + settings.percent / 100)


def is_reached(
    equity: float, aim: float, record: Mapping[str, Any] | None, owner: str
) -> bool:
    """Say whether the target is, or was, reached.

    Args:
        equity: Account currency.
        aim: The equity to reach.
        record: What was noted when it was reached; None for never.
        owner: Account and server. A record of another account, or of another aim, says
            nothing: to change the settings is how a person goes on.
    """
    if record is not None and (record["owner"], record["aim"]) == (owner, aim):
        return True
    return equity >= aim - _CENT


class EquityTarget(Plugin):
    """Latches when the target is reached."""

    Settings = EquityTargetSettings
    settings: EquityTargetSettings

    def __init__(self, settings: PluginSettings, state: PluginState) -> None:
        super().__init__(settings, state)
        self._record: Mapping[str, Any] | None = state.get(_REACHED)
        self._is_on_disk = True
        self._is_reached = False

    @hookimpl
    def on_account(self, account: Account, now: datetime) -> None:
        """Look whether it is reached; what was once reached stays so."""
        aim = target(self.settings)
        owner = f"{account.login}@{account.server}"
        before = self._record
        equity = account.equity - account.credit  # which is the broker's money
        self._is_reached = is_reached(equity, aim, before, owner)
        if self._is_reached and (
            before is None or (before["owner"], before["aim"]) != (owner, aim)
        ):
            log.warning("the target is reached: equity %.2f", equity)
            figures = {"equity": equity, "at": now.isoformat()}
            self._record = {"owner": owner, "aim": aim} | figures
            self._is_on_disk = False
        if not self._is_on_disk:
            self.state.put(_REACHED, self._record)
            self._is_on_disk = True

    @hookimpl
    def check_trading(self, account: Account) -> Deny | None:
        """Deny entries from then on."""
        if not self._is_reached:
            return None
        return Deny(
            "EQUITY_TARGET", f"target={target(self.settings):.2f}", TradingState.LATCHED
        )

    @hookimpl
    def demand_exits(
        self,
        positions: Sequence[Position],
        orders: Sequence[PendingOrder],
        magics: Collection[int],
    ) -> Demand | None:
        """Close what the runner opened, if so set."""
        if not (self._is_reached and self.settings.close_positions):
            return None
        own = tuple(one.ticket for one in positions if one.magic in magics)
        pending = tuple(one.ticket for one in orders if one.magic in magics)
        if not own and not pending:
            return None
        return Demand(code="EQUITY_TARGET", close=own, cancel=pending)
