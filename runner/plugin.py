"""The base class of a plugin that has settings or state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol

import attrs


@attrs.frozen
class PluginSettings:
    """The settings of a plugin; subclass it with attrs, each field with a default."""


@attrs.frozen(kw_only=True)
class ApiAccess:
    """Where and how a plugin may ask the server's API, in a thread of its own.

    Attributes:
        url: Address before ``/api/...``, without a slash at the end.
        account: The account id that the server knows.
        headers: Gives the headers that carry the bot's key, at each request anew, so
            that a changed key is seen. Whatever it raises means that there is none.
    """

    url: str
    account: str
    headers: Callable[[], Mapping[str, str]] = attrs.field(repr=False)


class PluginState(Protocol):
    """Durable JSON values of one plugin on one account."""

    def get(self, key: str) -> Any | None:
        """Return the value last put under *key*, or None."""
        ...

    def put(self, key: str, value: Any) -> None:
        """Store a JSON value; it is on disk when this returns."""
        ...

    def items(self) -> Mapping[str, Any]:
        """Return every stored value by key."""
        ...


class Plugin:
    """A plugin class: the host makes one instance per account.

    Implement hooks as methods marked with ``@hookimpl``. A plugin without settings
    and state may as well be a module with marked functions.

    Attributes:
        name: The name under which settings and state are kept and errors are
            reported; the class name in ``snake_case`` unless given.
        Settings: The class of its settings, filled from ``[plugins.NAME]``.
        settings: Its settings.
        state: Its durable values on this account.
    """

    name: ClassVar[str] = ""
    Settings: ClassVar[type[PluginSettings]] = PluginSettings

    def __init__(self, settings: PluginSettings, state: PluginState) -> None:
        self.settings = settings
        self.state = state
