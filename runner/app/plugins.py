"""Loads plugins and strategies and gives them their settings and state."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from runner.app.setup import server_zone
from runner.host.discovery import Discovery, discover
from runner.host.implementations import did_you_mean
from runner.host.manager import PluginHost
from runner.host.records import PluginError, PluginRecord
from runner.host.watch import Watch
from runner.plugin import ApiAccess, PluginSettings
from runner.ports import StateStore
from runner.serde import ConfigErrors, structure_settings
from runner.settings import RunnerSettings, SettingsError
from runner.settings_sources import API_KEY, environment, secret
from runner.strategy import Parameters

Learn = Callable[[str, Callable[[], Any]], Any]
"""Carries out `PluginState.learn`."""


def _learn(what: str, read: Callable[[], Any]) -> Any:
    return read()


def load_plugins(
    settings: RunnerSettings,
    store: StateStore,
    *,
    watch: Watch | None = None,
    learn: Learn = _learn,
) -> tuple[Discovery, PluginHost]:
    """Find everything and register what is to run.

    Args:
        settings: The runner's settings.
        store: Durable state of the account.
        watch: Bounds the time of every call; None for no bound.
        learn: Called with what a plugin learns by itself, and how.

    Returns:
        What was found, and the host with the plugins on it.

    Raises:
        PluginError: If something enabled could not be loaded.
        SettingsError: If a plugin's settings cannot be used.
    """
    discovery = discover([Path(folder) for folder in settings.plugin_dirs])
    selected = select_plugins(
        settings, discovery
    )  # what refuses the start is told once
    discovery.log_failures()
    host = PluginHost(watch)
    host.load(
        selected,
        make_settings=settings_maker(settings),
        state_for=lambda name: PluginStateIn(store, f"plugin.{name}", learn),
    )
    return discovery, host


def select_plugins(
    settings: RunnerSettings, discovery: Discovery
) -> tuple[PluginRecord, ...]:
    """Return the plugins that are to run.

    Raises:
        PluginError: If something enabled could not be loaded.
        SettingsError: If there are settings for a plugin that does not run.
    """
    selected = discovery.select(
        enabled=settings.enabled_plugins,
        disabled=settings.disabled_plugins,
        configured=settings.plugins,
    )
    running = {record.name for record in selected}
    if unknown := sorted(set(settings.plugins) - running):
        lines = (
            f"settings.plugins.{name}: no plugin of this name runs; "
            f"{did_you_mean(name, running) or '`runner plugins` lists what was found'}"
            for name in unknown
        )
        raise SettingsError("\n".join(lines))
    return selected


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
        key = secret(API_KEY, environment(), account)
        if not key:
            return {}
        return {settings.api_key_header: f"{settings.api_key_prefix} {key}".strip()}

    return ApiAccess(url=settings.api_url.rstrip("/"), account=account, headers=headers)


def settings_maker(
    settings: RunnerSettings,
) -> Callable[[str, type[PluginSettings]], PluginSettings]:
    """Return a function from a plugin's name and settings class to its settings.

    It raises SettingsError if they cannot be used; every error with its path.
    """
    given: dict[str, dict[str, Any]] = {
        "heartbeat": {"interval": settings.heartbeat_interval},
        "drawdown": {
            "server_peak": settings.terminal != "paper",
            "broker_day": server_zone(settings).midnight,
        },
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
        learn_by: Carries out `learn`.
    """

    store: StateStore
    namespace: str
    learn_by: Learn = _learn

    def get(self, key: str) -> Any | None:
        """Return the value last put under *key*, or None."""
        return self.store.get(self.namespace, key)

    def put(self, key: str, value: Any) -> None:
        """Store a JSON value; it is on disk when this returns."""
        self.store.put(self.namespace, key, value)

    def items(self) -> Mapping[str, Any]:
        """Return every stored value by key."""
        return self.store.items(self.namespace)

    def learn(self, what: str, read: Callable[[], Any]) -> Any:
        """Return what *read* returns, as JSON gives it back."""

        def read_json() -> Any:
            return json.loads(json.dumps(read(), allow_nan=False))

        return self.learn_by(f"{self.namespace}.{what}", read_json)
