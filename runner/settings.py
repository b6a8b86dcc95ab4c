"""The runner's own settings: what there is, with defaults and bounds.

Where they come from is in `settings_sources`, what differs between accounts of one file
in `account_settings`; what the server configures is in `core.settings`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import attrs
from attrs.validators import ge, gt, in_, le, lt, optional

from runner.core.market import Timeframe
from runner.core.restart import RestartPolicy
from runner.core.settings import EMPTY
from runner.serde import ConfigErrors, structure_settings
from runner.wire.keys import BOT_HEARTBEAT_TTL

DEFAULT_STATE_DIR = ".mt5runner"
_DAY = 86_400.0  # seconds; versions live no longer in Redis
_YEAR_H = 8_760.0  # hours


class SettingsError(Exception):
    """A setting that cannot be used; the message says which, and what to do."""


def _well_below_frozen_after(
    instance: RunnerSettings, attribute: attrs.Attribute[float], value: float
) -> None:
    if 2 * value > instance.frozen_after:
        raise ValueError(
            f"{attribute.name}: must be at most half of frozen_after, which is "
            f"{instance.frozen_after:g}, got {value:g}"
        )


def _accounts(_: object, attribute: Any, value: tuple[str, ...]) -> None:
    for account in value:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", account):
            raise ValueError(
                f"{attribute.name}: expected letters, digits, '_', '.' and '-'"
            )
    if len(set(value)) < len(value):
        # Two workers on one account would both trade it.
        raise ValueError(f"{attribute.name}: name each only once")


def _web_address(_: object, attribute: Any, value: str) -> None:
    try:
        address = urlsplit(value)
        has_user = "@" in address.netloc
        is_good = address.scheme in ("http", "https") and bool(address.hostname)
    except ValueError:  # such as of a broken IPv6 address
        has_user = is_good = False
    if has_user:
        raise ValueError(
            f"{attribute.name}: expected an address without user and password, which "
            "would not be sent; the key is set by MT5RUNNER_API_KEY"
        )
    if not is_good:
        raise ValueError(
            f"{attribute.name}: expected http://HOST or https://HOST, got {value!r}"
        )


def _redis_address(_: object, attribute: Any, value: str | None) -> None:
    try:
        address = urlsplit(value or "redis://")
        is_good = address.scheme in ("redis", "rediss", "unix")
        is_good &= address.port != 0  # it raises, if that is no number
    except ValueError:
        is_good = False
    if not is_good:
        raise ValueError(
            f"{attribute.name}: expected redis://HOST:PORT/0, rediss:// or unix://"
        )


def _timeframe(_: object, attribute: Any, value: str | None) -> None:
    if value is not None and value not in Timeframe.__members__:
        known = ", ".join(Timeframe.__members__)
        raise ValueError(f"{attribute.name}: expected one of {known}")


NO_JOURNAL = "off"
"""As the setting *journal*: nothing is recorded."""


@attrs.frozen(kw_only=True)
class RunnerSettings:
    """How one runner runs.

    Attributes:
        accounts: Account ids that the server knows.
        api_url: Base address of the REST API.
        api_key_header: Header that carries the key.
        api_key_prefix: Word before the key in that header.
        redis_url: Redis; None polls the API alone.
        plugin_dirs: Folders with the user's strategies and plugins.
        terminal: ``paper`` or ``mt5``.
        feed: What drives the paper terminal.
        speed: Market seconds per second on paper; 0 is as fast as it goes.
        state_dir: Where durable state is kept.
        journal: Folder of the recorder's journals; empty for ``journal`` in the state
            directory, ``off`` for none.
        journal_mb: Most megabytes of one account's journals; the oldest go first.
        heartbeat_interval: Seconds; shorter than a heartbeat lives in Redis.
        poll_interval: Seconds between two looks at the versions.
        log_format: ``text`` or ``json``.
        frozen_after: Seconds without a sign of life after which a supervisor kills an
            account's process and starts it again; a start gets a minute more. To
            connect to a terminal anew may take 100.
        standby: Whether to wait for the account's lease instead of giving up.
        exit_when_feed_ends: Whether to stop when the feed has no more quotes.
        timeframe: Bars for strategies that name none; None takes the feed's, or H1.
        paper_balance: Starting balance of the paper account.
        paper_currency: Its currency.
        paper_leverage: 100 stands for 1:100.
        paper_terminal: Port of a `runner terminal` on this machine, whose account and
            market are used in place of own ones; None simulates in this process.
        symbols: JSON file with symbol rules for the paper terminal.
        symbol_aliases: The server's name of a symbol to the broker's.
        server_timezone: IANA zone of the broker's clock; None means New York + 7 h.
        mt5_login: Account number in the terminal; None takes the account id.
        mt5_server: The broker's trade server.
        mt5_path: The terminal's executable.
        on_restart: What becomes of positions and pending orders that an earlier start
            left: ``adopt`` manages them, ``flatten`` closes them before anything is
            opened, ``refuse`` does not start.
        strategy_time_limit: Seconds that one call of a strategy or plugin may take; at
            most half of *frozen_after*, since no sign of life comes meanwhile.
        memory_limit_mb: Megabytes of memory above which entries stop; at one and a half
            times as many the runner ends, to be started again.
        max_config_age_h: Hours without the server's word after which only exits go on.
        enabled_plugins: Plugins that must load, or the runner does not start.
        disabled_plugins: Plugins that are not used.
        plugins: Settings of plugins by name.
    """

    accounts: tuple[str, ...] = attrs.field(default=(), validator=_accounts)
    api_url: str = attrs.field(default="http://127.0.0.1:8000", validator=_web_address)
    api_key_header: str = "Authorization"
    api_key_prefix: str = "Api-Key"
    redis_url: str | None = attrs.field(default=None, validator=_redis_address)
    plugin_dirs: tuple[str, ...] = ()
    terminal: str = attrs.field(default="paper", validator=in_(("paper", "mt5")))
    feed: str = "synthetic"
    speed: float = 1.0
    state_dir: str = DEFAULT_STATE_DIR
    journal: str = ""
    journal_mb: int = attrs.field(default=512, validator=gt(0))
    heartbeat_interval: float = attrs.field(
        default=30.0, validator=[gt(0), lt(BOT_HEARTBEAT_TTL)]
    )
    poll_interval: float = attrs.field(default=60.0, validator=[gt(0), le(_DAY)])
    log_format: str = attrs.field(default="text", validator=in_(("text", "json")))
    frozen_after: float = attrs.field(default=120.0, validator=[ge(5), le(_DAY)])
    standby: bool = False
    exit_when_feed_ends: bool = False
    timeframe: str | None = attrs.field(default=None, validator=_timeframe)
    paper_balance: float = attrs.field(default=10_000.0, validator=gt(0))
    paper_currency: str = "USD"
    paper_leverage: int = attrs.field(default=100, validator=gt(0))
    paper_terminal: int | None = attrs.field(
        default=None, validator=optional([gt(0), lt(65_536)])
    )
    symbols: str | None = None
    symbol_aliases: Mapping[str, str] = attrs.field(factory=dict[str, str])
    server_timezone: str | None = None
    mt5_login: int | None = None
    mt5_server: str | None = None
    mt5_path: str | None = None
    on_restart: str = attrs.field(
        default="adopt", validator=in_([policy.value for policy in RestartPolicy])
    )
    strategy_time_limit: float = attrs.field(
        default=2.0, validator=[gt(0), le(60), _well_below_frozen_after]
    )
    memory_limit_mb: int = attrs.field(default=2048, validator=gt(0))
    max_config_age_h: float = attrs.field(default=24.0, validator=[gt(0), le(_YEAR_H)])
    enabled_plugins: tuple[str, ...] = ()
    disabled_plugins: tuple[str, ...] = ()
    plugins: Mapping[str, Mapping[str, Any]] = EMPTY


def structured(values: Mapping[str, Any]) -> RunnerSettings:
    """Make the settings.

    Raises:
        SettingsError: If anything cannot be used; every error with its path.
    """
    try:
        return structure_settings(values, RunnerSettings, "settings")
    except ConfigErrors as error:
        raise SettingsError("\n".join(error.errors)) from None
