"""A pause after losses: of the symbol in which they were made, or of the account.

Nothing has to be remembered on disk: at each start the runner tells the deals of the
last month again, and the same deals give the same pauses.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import attrs

from runner import (
    Deal,
    Deny,
    ExitReason,
    Plugin,
    PluginSettings,
    PluginState,
    SymbolSpec,
    hookimpl,
)

_WEEK = 7 * 24 * 60.0  # minutes
_NEVER = datetime.min.replace(tzinfo=UTC)
_MINUTES = attrs.validators.optional(
    attrs.validators.and_(attrs.validators.gt(0.0), attrs.validators.le(_WEEK))
)


class Scope(enum.StrEnum):
    """What pauses after a loss."""

    SYMBOL = "symbol"
    ACCOUNT = "account"


@attrs.frozen(kw_only=True)
class CooldownSettings(PluginSettings):
    """Settings of the cooldown; None is no pause.

    Attributes:
        loss_minutes: Pause after each loss.
        losses: How many losses in a row are a row.
        losses_minutes: Pause after that many.
        stop_out_minutes: Pause after a position that the broker closed for lack of
            margin.
        scope: What pauses, and what a row is counted in.
    """

    loss_minutes: float | None = attrs.field(default=None, validator=_MINUTES)
    losses: int = attrs.field(default=3, validator=attrs.validators.ge(2))
    losses_minutes: float | None = attrs.field(default=None, validator=_MINUTES)
    stop_out_minutes: float | None = attrs.field(default=None, validator=_MINUTES)
    scope: Scope = attrs.field(default=Scope.SYMBOL, converter=Scope)


@attrs.frozen(slots=True)
class Row:
    """What is known of one symbol, or of the account.

    Attributes:
        losses: Positions in a row that lost.
        last_loss: Of these the last position's number; 0 for none.
        until: When the pause ends, UTC-aware.
        why: Figures for a person.
    """

    losses: int = 0
    last_loss: int = 0
    until: datetime = _NEVER
    why: str = ""


def after(row: Row, deal: Deal, result: float, settings: CooldownSettings) -> Row:
    """Return what a closing deal makes of a row.

    Args:
        row: What was before.
        deal: That closed a position, or a part of it.
        result: Of the position so far, all of its costs included, account currency.
        settings: How long the pauses are.
    """
    if result >= 0 and deal.exit_reason is not ExitReason.STOP_OUT:
        return Row(until=row.until, why=row.why)
    # A position that is closed in parts is one loss.
    is_new = deal.position_id != row.last_loss
    losses = row.losses + 1 if is_new else row.losses
    pauses = {
        "loss": settings.loss_minutes if is_new else None,
        f"{losses} losses": settings.losses_minutes
        if is_new and losses % settings.losses == 0
        else None,
        "stop_out": settings.stop_out_minutes
        if deal.exit_reason is ExitReason.STOP_OUT
        else None,
    }
    until, why = row.until, row.why
    for what, minutes in pauses.items():
        end = deal.time + timedelta(minutes=minutes or 0)
        if minutes is not None and end > until:
            until, why = end, what
    return Row(losses, deal.position_id, until, why)


class Cooldown(Plugin):
    """Stops entries for a time after losses."""

    Settings = CooldownSettings
    settings: CooldownSettings

    def __init__(self, settings: PluginSettings, state: PluginState) -> None:
        super().__init__(settings, state)
        self._rows: dict[str, Row] = {}
        self._results: dict[int, float] = {}

    @hookimpl
    def on_deals(self, deals: Sequence[Deal]) -> None:
        """Follow every position, whoever closed it."""
        self._follow(deal for deal in deals if not deal.is_balance)

    def _follow(self, deals: Iterable[Deal]) -> None:
        by_symbol = self.settings.scope is Scope.SYMBOL
        for deal in deals:
            position = deal.position_id
            result = self._results.get(position, 0.0) + deal.profit + deal.costs
            self._results[position] = result
            if deal.exit_reason is None:
                continue
            of = deal.symbol if by_symbol else ""
            row = self._rows.get(of, Row())
            self._rows[of] = after(row, deal, result, self.settings)

    @hookimpl
    def check_trading(self, now: datetime) -> Deny | None:
        """Deny entries while the account pauses."""
        return self._against("", now)

    @hookimpl
    def check_symbol(self, symbol: SymbolSpec, now: datetime) -> Deny | None:
        """Deny entries in a symbol while it pauses."""
        return self._against(symbol.name, now)

    def _against(self, of: str, now: datetime) -> Deny | None:
        row = self._rows.get(of)
        if row is None or now >= row.until:
            return None
        return Deny("COOLDOWN", f"after={row.why} until={row.until:%Y-%m-%dT%H:%MZ}")
