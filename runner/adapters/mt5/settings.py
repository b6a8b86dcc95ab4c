"""What a person sets about one terminal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

import attrs

from runner.core.server_time import NEW_YORK_CLOSE, ServerZone


@attrs.frozen(kw_only=True)
class MT5Settings:
    """Settings of the adapter.

    Attributes:
        server_zone: The trade server's wall clock.
        aliases: Our symbol name to the broker's spelling; goes before any search.
        deviation: Largest slippage asked for, in points, and how far an opening
            follows a price that runs away.
        path_required: Refuse to connect without the terminal's path. With several
            terminals on one machine the module else picks any of them.
        connect_timeout: How long the terminal may take to authorise the account.
        is_live: Whether the market is of today: the server's clock is compared with
            this machine's, and history exists, so it is waited for. Off for the
            simulated terminal.
        rules_age: Market time after which a symbol's rules are read again.
    """

    server_zone: ServerZone = NEW_YORK_CLOSE
    aliases: Mapping[str, str] = MappingProxyType({})
    deviation: int = attrs.field(default=20, validator=attrs.validators.ge(0))
    path_required: bool = False
    connect_timeout: timedelta = timedelta(seconds=60)
    is_live: bool = True
    rules_age: timedelta = timedelta(hours=1)
