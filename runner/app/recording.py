"""Makes the recorder that the settings ask for, and says in its header what ran."""

from __future__ import annotations

import hashlib
import inspect
import platform
import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, unquote, urlsplit

import attrs

from runner import __version__
from runner.host.discovery import Discovery
from runner.host.manager import PluginHost
from runner.loop.build import Surroundings
from runner.ports import Clock
from runner.recorder.codec import journal_codec
from runner.recorder.recorder import Recorder
from runner.recorder.segments import MEGABYTE, Segments
from runner.settings import NO_JOURNAL, RunnerSettings, SettingsError
from runner.settings_sources import API_KEY, MT5_PASSWORD, environment, secret

RECORDED_SETTINGS = (
    "terminal",
    "heartbeat_interval",
    "enabled_plugins",
    "disabled_plugins",
    "plugins",
)
"""The settings that a replay needs; what they hold of secrets is left out."""

_SECRET_NAME = re.compile(
    r"password|passwd|secret|token|credential|(^|_)key$", re.IGNORECASE
)
_USER_IN_URL = re.compile(r"(?<=://)[^/@\s]+@")
_QUERY_IN_URL = re.compile(r"(://[^?\s]*)\?\S*")  # where keys stand, too


def journal_folder(settings: RunnerSettings) -> Path | None:
    """Return where journals are kept; None where nothing is recorded."""
    if settings.journal == NO_JOURNAL:
        return None
    return Path(settings.journal or Path(settings.state_dir) / "journal")


def open_recorder(
    settings: RunnerSettings, account: str, clock: Clock
) -> Recorder | None:
    """Make the recorder; None where nothing is recorded.

    Args:
        settings: The runner's settings.
        account: The account id that the server knows.
        clock: Time.

    Raises:
        SettingsError: If the folder can never be one.
    """
    folder = journal_folder(settings)
    if folder is None:
        return None
    if folder.exists() and not folder.is_dir():
        raise SettingsError(f"journal {folder}: expected a folder, got a file")
    segments = Segments(
        folder / account,
        started_at=clock.now(),
        limit=settings.journal_mb * MEGABYTE,
    )
    codec = journal_codec(account, lambda _: None)
    return Recorder(segments, codec, clock, _secrets(settings, account))


def how_it_ended(error: BaseException) -> str:
    """Return what the journal's last line says of a run that *error* has ended."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def _secrets(settings: RunnerSettings, account: str) -> list[str]:
    environ = environment()
    words = [
        secret(API_KEY, environ, account),
        secret(MT5_PASSWORD, environ, account),
    ]
    # The settings have seen to it that this is an address.
    redis = urlsplit(settings.redis_url or "")
    words += parse_qs(redis.query).get("password", [])
    if redis.password:
        words += [redis.password, unquote(redis.password)]
    return [word for word in words if word]


def header(
    settings: RunnerSettings,
    account: str,
    discovery: Discovery,
    host: PluginHost,
    around: Surroundings,
) -> dict[str, Any]:
    """Return what a journal begins with: who ran, which code, which settings.

    Args:
        settings: The runner's settings.
        account: The account id that the server knows.
        discovery: Every strategy that was found.
        host: The plugins that run.
        around: The loop's surroundings.
    """
    left_out: list[str] = []
    values = attrs.asdict(settings)
    return {
        "account": account,
        "has_player": around.player is not None,
        **code(discovery, host),
        "settings": {
            name: _public(values[name], name, left_out) for name in RECORDED_SETTINGS
        },
        "left_out": left_out,
    }


def code(discovery: Discovery, host: PluginHost) -> dict[str, Any]:
    """Return the versions of what decides: a replay with others may differ."""
    plugins = [
        record for name, record in discovery.plugins.items() if name in host.plugins
    ]
    return {
        "versions": {
            "mt5runner": __version__,
            "python": platform.python_version(),
            "numpy": metadata.version("numpy"),
            "pandas": metadata.version("pandas"),
        },
        "plugins": {
            record.name: f"{record.source.version} {_digest(record.obj)}".strip()
            for record in plugins
        },
        "strategies": {
            record.name: f"{record.source.version} {_digest(record.cls)}".strip()
            for record in discovery.strategies.values()
        },
    }


def _digest(obj: object) -> str:
    """Return a checksum of the Python files beside the one that defines *obj*."""
    target = obj if inspect.isclass(obj) or inspect.ismodule(obj) else type(obj)
    try:
        file = inspect.getfile(target)
    except TypeError:  # made at run time
        return "unknown"
    return _digest_of(Path(file).parent)


@cache
def _digest_of(folder: Path) -> str:
    total = hashlib.sha256()
    for file in sorted(folder.glob("*.py")):
        total.update(file.name.encode())
        total.update(file.read_bytes())
    return total.hexdigest()[:16]


def _public(value: Any, path: str, left_out: list[str]) -> Any:
    """Return *value* without what looks like a secret."""
    if isinstance(value, Mapping):
        kept: dict[str, Any] = {}
        for name, item in cast("Mapping[str, Any]", value).items():
            if _SECRET_NAME.search(name):
                left_out.append(f"{path}.{name}")
            else:
                kept[name] = _public(item, f"{path}.{name}", left_out)
        return kept
    if isinstance(value, list | tuple):
        items = cast("Iterable[Any]", value)
        return [_public(item, path, left_out) for item in items]
    if isinstance(value, str):
        return _QUERY_IN_URL.sub(r"\1", _USER_IN_URL.sub("", value))
    return value if isinstance(value, bool | int | float | None) else str(value)
