"""What a terminal is to the rest of the composition, real or simulated."""

from __future__ import annotations

import attrs

from runner.adapters.mt5 import MT5Adapter
from runner.core.account import Account
from runner.core.market import Timeframe
from runner.core.server_time import NEW_YORK_CLOSE, ServerZone
from runner.loop.pacing import Pacer
from runner.ports import Login
from runner.settings import RunnerSettings, SettingsError


@attrs.frozen(kw_only=True)
class TerminalSetup:
    """One terminal, not yet connected to.

    Attributes:
        adapter: Speaks to it.
        login: The account that it must be on.
        timeframe: Bars for strategies that name none.
        player: Plays the feed; None for a real terminal.
    """

    adapter: MT5Adapter
    login: Login
    timeframe: Timeframe
    player: Pacer | None = None

    def connect(self) -> Account:
        """Connect and verify the account."""
        return self.adapter.connect(self.login)


def server_zone(settings: RunnerSettings) -> ServerZone:
    """Return the wall clock of the broker's server.

    Raises:
        SettingsError: If the settings name no such zone.
    """
    if settings.server_timezone is None:
        return NEW_YORK_CLOSE
    try:
        return ServerZone.parse(settings.server_timezone)
    except ValueError as error:
        raise SettingsError(str(error)) from None
