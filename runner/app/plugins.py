"""Loads plugins and strategies and gives them their settings and state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from runner.host.discovery import Discovery, discover
from runner.host.manager import PluginHost
from runner.host.records import PluginError
from runner.host.watch import Watch
from runner.plugin import ApiAccess, PluginSettings
from runner.ports import StateStore
from runner.serde import ConfigErrors, structure_settings
from runner.settings import (
    PREFIX,
    RunnerSettings,
    SettingsError,
    environment,
    secret,
)
from runner.strategy import Parameters


def load_plugins(
    settings: RunnerSettings, store: StateStore, watch: Watch | None = None
) -> tuple[Discovery, PluginHost]:
    """Find everything and register what is to run.

    Args:
        settings: The runner's settings.
        store: Durable state of the account.
        watch: Bounds the time of every call; None for no bound.

    Returns:
        What was found, and the host with the plugins on it.

    Raises:
        PluginError: If something enabled could not be loaded.
        SettingsError: If a plugin's settings cannot be used.
    """
    discovery = discover([Path(folder) for folder in settings.plugin_dirs])
    discovery.log_failures()
    selected = discovery.select(
        enabled=settings.enabled_plugins,
        disabled=settings.disabled_plugins,
        configured=settings.plugins,
    )
    unknown = set(settings.plugins) - {record.name for record in selected}
    if unknown:
        names = ", ".join(sorted(unknown))
        raise SettingsError(
            f"settings.plugins: no plugin of this name runs: {names}; "
            "`runner plugins` lists those that were found"
        )
    host = PluginHost(watch)
    host.load(
        selected,
        make_settings=_settings_maker(settings),
        state_for=lambda name: PluginStateIn(store, f"plugin.{name}"),
    )
    return discovery, host


def parameters_finder(
    discovery: Discovery,
) -> Callable[[str], type[Parameters] | None]:
    """Return a function from class name to parameter class, None if not found."""

    def find(name: str) -> type[Parameters] | None:
        try:
            return discovery.find_strategy(name).cls.Parameters
        except PluginError:
            return None

    return find


def _api(settings: RunnerSettings) -> ApiAccess | None:
    """Return how the one account's API is asked; None if no server is named."""
    if not settings.api_url or len(settings.accounts) != 1:
        return None
    account = settings.accounts[0]

    def headers() -> Mapping[str, str]:
        key = secret(f"{PREFIX}API_KEY", environment(), account)
        if not key:
            return {}
        return {settings.api_key_header: f"{settings.api_key_prefix} {key}".strip()}

    return ApiAccess(url=settings.api_url.rstrip("/"), account=account, headers=headers)


def _settings_maker(
    settings: RunnerSettings,
) -> Callable[[str, type[PluginSettings]], PluginSettings]:
    given: dict[str, dict[str, Any]] = {
        "heartbeat": {"interval": settings.heartbeat_interval},
        "drawdown": {"server_peak": settings.terminal != "paper"},
        "news_pause": {"api": _api(settings)},
    }

    def make(name: str, cls: type[PluginSettings]) -> PluginSettings:
        values = given.get(name, {}) | dict(settings.plugins.get(name, {}))
        try:
            return structure_settings(values, cls, f"plugins.{name}")
        except ConfigErrors as error:
            raise SettingsError("\n".join(error.errors)) from None

    return make


@attrs.frozen
class PluginStateIn:
    """A plugin's own corner of a store; fulfils `runner.plugin.PluginState`.

    Attributes:
        store: The account's store.
        namespace: The corner.
    """

    store: StateStore
    namespace: str

    def get(self, key: str) -> Any | None:
        """Return the value last put under *key*, or None."""
        return self.store.get(self.namespace, key)

    def put(self, key: str, value: Any) -> None:
        """Store a JSON value; it is on disk when this returns."""
        self.store.put(self.namespace, key, value)

    def items(self) -> Mapping[str, Any]:
        """Return every stored value by key."""
        return self.store.items(self.namespace)
