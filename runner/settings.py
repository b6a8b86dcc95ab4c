"""The runner's own settings: flags, then environment, then a TOML file, then defaults.

What differs between accounts of one file is in `account_settings`; what the server
configures is in `core.settings`.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import attrs
from attrs.validators import ge, gt, in_, le, lt, optional

from runner.core.market import Timeframe
from runner.core.restart import RestartPolicy
from runner.core.settings import EMPTY
from runner.serde import ConfigErrors, structure_settings
from runner.wire.keys import BOT_HEARTBEAT_TTL

PREFIX = "MT5RUNNER_"
DEFAULT_STATE_DIR = ".mt5runner"
_DAY = 86_400.0  # seconds; versions live no longer in Redis
_YEAR_H = 8_760.0  # hours


class SettingsError(Exception):
    """A setting that cannot be used; the message says which, and what to do."""


def _parse_speed(text: str) -> float:
    if text == "max":
        return 0.0
    try:
        speed = float(text)
    except ValueError:
        speed = -1.0
    if not 0 < speed < float("inf"):
        raise SettingsError(f"speed: expected a number > 0 or 'max', got {text!r}")
    return speed


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
    api_url: str = "http://127.0.0.1:8000"
    api_key_header: str = "Authorization"
    api_key_prefix: str = "Api-Key"
    redis_url: str | None = None
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
    timeframe: str | None = attrs.field(
        default=None, validator=optional(in_(Timeframe.__members__))
    )
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


def _parse_bool(text: str) -> bool:
    if text.lower() in {"1", "true", "yes"}:
        return True
    if text.lower() in {"0", "false", "no", ""}:
        return False
    raise SettingsError(f"expected true or false, got {text!r}")


def _parse_list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


_PARSERS: Mapping[str, Callable[[str], Any]] = {
    "accounts": _parse_list,
    "plugin_dirs": lambda text: tuple(text.split(os.pathsep)),
    "speed": _parse_speed,
    "journal_mb": int,
    "heartbeat_interval": float,
    "poll_interval": float,
    "frozen_after": float,
    "standby": _parse_bool,
    "exit_when_feed_ends": _parse_bool,
    "paper_balance": float,
    "paper_leverage": int,
    "mt5_login": int,
    "paper_terminal": int,
    "strategy_time_limit": float,
    "memory_limit_mb": int,
    "max_config_age_h": float,
    "enabled_plugins": _parse_list,
    "disabled_plugins": _parse_list,
}
_ONLY_IN_FILE = {"plugins", "symbol_aliases"}


def parse_text(name: str, text: str) -> Any:
    """Read a setting from text, as flags and environment variables carry it.

    Raises:
        SettingsError: If the text is not of the setting's kind.
    """
    parser = _PARSERS.get(name)
    if parser is None:
        return text
    try:
        return parser(text)
    except SettingsError as error:
        raise SettingsError(f"{name}: {error}") from None
    except ValueError:
        raise SettingsError(f"{name}: expected a number, got {text!r}") from None


def read_dotenv(path: Path) -> dict[str, str]:
    """Read ``NAME=value`` lines; a missing file has none.

    Raises:
        SettingsError: If a line is neither that, nor a comment, nor empty.
    """
    if not path.is_file():
        return {}
    values: dict[str, str] = {}
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        text = line.strip().removeprefix("export ")
        if not text or text.startswith("#"):
            continue
        name, separator, value = text.partition("=")
        if not separator:
            raise SettingsError(f"{path}:{number}: expected NAME=value, got {line!r}")
        values[name.strip()] = value.strip().strip("\"'")
    return values


def environment(folder: Path | None = None) -> dict[str, str]:
    """Return the environment, with the ``.env`` of the working directory below it."""
    return read_dotenv((folder or Path.cwd()) / ".env") | dict(os.environ)


@attrs.frozen(kw_only=True)
class Sources:
    """Settings as they were found.

    Attributes:
        file: What the file says for all accounts.
        sections: Account id to what the file says for that one.
        above: Environment and flags, which go before the file.
    """

    file: Mapping[str, Any]
    sections: Mapping[str, Mapping[str, Any]]
    above: Mapping[str, Any]


def load(
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    config_file: str | None = None,
) -> RunnerSettings:
    """Put the settings that hold for all accounts together.

    Args:
        flags: Settings given on the command line, already of their kind.
        environ: The environment, `.env` included.
        config_file: A TOML file; None for none.

    Returns:
        The settings.

    Raises:
        SettingsError: If anything cannot be used.
    """
    sources = read_sources(flags, environ, config_file)
    values = dict(sources.file) | dict(sources.above)
    return structured(values | {"accounts": accounts_of(sources)})


def read_sources(
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    config_file: str | None,
) -> Sources:
    """Find what flags, environment and file say, as `load` takes them.

    Raises:
        SettingsError: If one of them cannot be read.
    """
    file = _read_toml(Path(config_file)) if config_file else {}
    sections = _sections(file.pop("account", {}))
    listed = file.get("accounts")
    if isinstance(listed, list):
        for account in sections:
            if account not in listed:
                raise SettingsError(
                    f"settings.account.{account}: not among accounts = {listed}; "
                    "add it there, or remove the section"
                )
    above = dict(_from_environment(environ))
    above |= {name: value for name, value in flags.items() if value is not None}
    return Sources(file=file, sections=sections, above=above)


def accounts_of(sources: Sources) -> Any:
    """Return the accounts that run: those named, else those that have a section."""
    named = sources.above.get("accounts") or sources.file.get("accounts")
    return named or tuple(sources.sections)


def structured(values: Mapping[str, Any]) -> RunnerSettings:
    """Make the settings.

    Raises:
        SettingsError: If anything cannot be used; every error with its path.
    """
    try:
        return structure_settings(values, RunnerSettings, "settings")
    except ConfigErrors as error:
        raise SettingsError("\n".join(error.errors)) from None


def _from_environment(environ: Mapping[str, str]) -> Iterable[tuple[str, Any]]:
    for field in attrs.fields(RunnerSettings):
        name = PREFIX + field.name.upper()
        if field.name not in _ONLY_IN_FILE and name in environ:
            yield field.name, parse_text(field.name, environ[name])
    if PREFIX + "REDIS_URL" not in environ and environ.get("REDIS_URL"):
        yield "redis_url", environ["REDIS_URL"]


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"--config {path}: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"--config {path}: {error}") from None
    for table in (values, *_sections(values.get("account", {})).values()):
        if "speed" in table:
            table["speed"] = _parse_speed(str(table["speed"]))
    return values


def _sections(tables: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(tables, dict):
        raise SettingsError(
            f"settings.account: expected a table for each account, as in "
            f"[account.123456], got {tables!r}"
        )
    sections = cast("dict[str, Any]", tables)
    for account, section in sections.items():
        if not isinstance(section, dict):
            raise SettingsError(
                f"settings.account.{account}: expected a table with that account's "
                f"settings, got {section!r}"
            )
    return sections


def secret(name: str, environ: Mapping[str, str], account: str = "") -> str | None:
    """Read a secret from ``NAME`` or from the file that ``NAME_FILE`` names.

    With several accounts each may have its own: ``NAME_123456`` goes before ``NAME``.
    A file is read at each call, so that a replaced key is seen.

    Args:
        name: Environment variable, such as ``MT5RUNNER_API_KEY``.
        environ: The environment.
        account: The account id that the server knows; empty for none.

    Returns:
        The secret, or None if there is none.

    Raises:
        SettingsError: If the file cannot be read.
    """
    for candidate in (f"{name}_{account}", name) if account else (name,):
        if file := environ.get(f"{candidate}_FILE"):
            try:
                return Path(file).read_text("utf-8").strip() or None
            except OSError as error:
                problem = f"{candidate}_FILE {file}: {error.strerror}"
                raise SettingsError(problem) from None
        if environ.get(candidate):
            return environ[candidate]
    return None
