"""Where settings come from: flags, the environment, a TOML file, and defaults last."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import attrs

from runner.settings import RunnerSettings, SettingsError, structured

PREFIX = "MT5RUNNER_"
API_KEY = PREFIX + "API_KEY"
MT5_PASSWORD = PREFIX + "MT5_PASSWORD"

_SECRETS = (API_KEY, MT5_PASSWORD)
_NEAR = 0.9  # likeness of a misspelt name to one that there is; 1 is the same


def _parse_speed(text: str) -> float:
    if text == "max":
        return 0.0
    try:
        speed = float(text)
    except ValueError:
        speed = -1.0
    if not 0 < speed < float("inf"):
        raise SettingsError(f"expected a number > 0 or 'max', got {text!r}")
    return speed


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


def read_text_file(path: Path) -> str:
    """Return the text of a file that a person has written.

    Raises:
        SettingsError: If it cannot be read, or is not UTF-8; editors of Windows may
            save it otherwise. With or without its byte order mark is the same.
    """
    try:
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(
            f"{path}: expected UTF-8 text, got another encoding; save it as UTF-8"
        ) from None


def read_dotenv(path: Path) -> dict[str, str]:
    """Read ``NAME=value`` lines; a missing file has none.

    Raises:
        SettingsError: If a line is neither that, nor a comment, nor empty.
    """
    if not path.is_file():
        return {}
    values: dict[str, str] = {}
    for number, line in enumerate(read_text_file(path).splitlines(), start=1):
        text = line.strip().removeprefix("export ")
        if not text or text.startswith("#"):
            continue
        name, separator, value = text.partition("=")
        if not separator:
            # Without the line: it may be a secret.
            raise SettingsError(f"{path}:{number}: expected NAME=value")
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


def _from_environment(environ: Mapping[str, str]) -> Iterable[tuple[str, Any]]:
    names = {
        PREFIX + field.name.upper(): field.name
        for field in attrs.fields(RunnerSettings)
        if field.name not in _ONLY_IN_FILE
    }
    for variable, name in names.items():
        if variable in environ:
            yield name, parse_text(name, environ[variable])
    if PREFIX + "REDIS_URL" not in environ and environ.get("REDIS_URL"):
        yield "redis_url", environ["REDIS_URL"]
    _check_names(environ, names)


def _check_names(environ: Mapping[str, str], known: Iterable[str]) -> None:
    """Refuse what looks like a setting's variable and is none: it would do nothing.

    Other programs may use names of their own that begin like ours.
    """
    for name in _ONLY_IN_FILE:
        if PREFIX + name.upper() in environ:
            raise SettingsError(
                f"{PREFIX}{name.upper()}: a table stands in the file of --config alone"
            )
    secrets = [f"{name}{end}" for name in _SECRETS for end in ("", "_FILE")]
    names = [name.removeprefix(PREFIX) for name in (*known, *secrets)]
    for variable in environ:
        name = variable.removeprefix(PREFIX)
        if name in (variable, *names) or variable.startswith(_SECRETS):
            continue
        if near := difflib.get_close_matches(name, names, 1, _NEAR):
            raise SettingsError(
                f"{variable}: no setting has this name; did you mean {PREFIX}{near[0]}?"
            )


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(read_text_file(path))
    except SettingsError as error:
        raise SettingsError(f"--config {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"--config {path}: {error}") from None
    sections = _sections(values.get("account", {}))
    places = {f"settings.account.{name}": table for name, table in sections.items()}
    for place, table in ({"settings": values} | places).items():
        if "speed" in table:
            try:
                table["speed"] = _parse_speed(str(table["speed"]))
            except SettingsError as error:
                raise SettingsError(f"{place}.speed: {error}") from None
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
                return read_text_file(Path(file)).strip() or None
            except SettingsError as error:
                raise SettingsError(f"{candidate}_FILE {error}") from None
        if environ.get(candidate):
            return environ[candidate]
    return None
