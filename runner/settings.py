"""The runner's own settings: flags, then environment, then a TOML file, then defaults.

What the server configures is not here (`core.settings`).
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs
from attrs.validators import gt, in_, le, lt, optional

from runner.core.market import Timeframe
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
        standby: Whether to wait for the account's lease instead of giving up.
        exit_when_feed_ends: Whether to stop when the feed has no more quotes.
        timeframe: Bars for strategies that name none; None takes the feed's, or H1.
        paper_balance: Starting balance of the paper account.
        paper_currency: Its currency.
        paper_leverage: 100 stands for 1:100.
        symbols: JSON file with symbol rules for the paper terminal.
        symbol_aliases: The server's name of a symbol to the broker's.
        server_timezone: IANA zone of the broker's clock; None means New York + 7 h.
        mt5_login: Account number in the terminal; None takes the account id.
        mt5_server: The broker's trade server.
        mt5_path: The terminal's executable.
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
    standby: bool = False
    exit_when_feed_ends: bool = False
    timeframe: str | None = attrs.field(
        default=None, validator=optional(in_(Timeframe.__members__))
    )
    paper_balance: float = attrs.field(default=10_000.0, validator=gt(0))
    paper_currency: str = "USD"
    paper_leverage: int = attrs.field(default=100, validator=gt(0))
    symbols: str | None = None
    symbol_aliases: Mapping[str, str] = attrs.field(factory=dict[str, str])
    server_timezone: str | None = None
    mt5_login: int | None = None
    mt5_server: str | None = None
    mt5_path: str | None = None
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
    "standby": _parse_bool,
    "exit_when_feed_ends": _parse_bool,
    "paper_balance": float,
    "paper_leverage": int,
    "mt5_login": int,
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


def load(
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    config_file: str | None = None,
) -> RunnerSettings:
    """Put the settings together.

    Args:
        flags: Settings given on the command line, already of their kind.
        environ: The environment, `.env` included.
        config_file: A TOML file; None for none.

    Returns:
        The settings.

    Raises:
        SettingsError: If anything cannot be used.
    """
    values: dict[str, Any] = {}
    if config_file:
        values |= _read_toml(Path(config_file))
    values |= dict(_from_environment(environ))
    values |= {name: value for name, value in flags.items() if value is not None}
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
    if "speed" in values:
        values["speed"] = _parse_speed(str(values["speed"]))
    return values


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
