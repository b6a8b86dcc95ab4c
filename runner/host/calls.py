"""Calls of hooks that cannot spread harm: the only code that touches pluggy's relay.

Pluggy stops a hook at the first exception, by design. So every plugin is called by
itself, through a caller prepared when plugins come or go, and what it raises is kept
from the others. A hook that nobody implements costs a look into a dictionary.

Order: plugins that ask for ``tryfirst``, then the others, then ``trylast``; among these
the user's before the built-ins, and otherwise in the order of registration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar

import attrs
import pluggy

from runner.host import hookspecs
from runner.host.checks import check_instance, check_name
from runner.host.containment import OvertimeError, Raised
from runner.host.implementations import SPECS, Implementation, implementations
from runner.host.ledger import FailureLedger
from runner.host.markers import PROJECT_NAME
from runner.host.records import PluginError, Source, SourceKind
from runner.host.rests import Rests
from runner.host.watch import Watch

T = TypeVar("T")

_ON_ERROR = "on_plugin_error"
_TIME = "%Y-%m-%dT%H:%M:%SZ"


class _Mount:
    """What pluggy sees of a plugin: its checked hook functions and nothing else.

    So no property of the author's runs when it is registered, and a plugin may define
    equality as it likes.
    """

    def __init__(self, owner: object, found: Iterable[Implementation]) -> None:
        self.hook_options: dict[str, Any] = {}
        for each in found:
            setattr(self, each.hook, getattr(owner, each.attribute))
            self.hook_options[each.hook] = {**each.options, "specname": None}


class _PluginManager(pluggy.PluginManager):
    def parse_hookimpl_opts(self, plugin: object, name: str) -> Any:
        return plugin.hook_options.get(name) if isinstance(plugin, _Mount) else None


@attrs.frozen(slots=True)
class _Plugin:
    name: str
    source: Source
    mount: _Mount
    number: int

    def rank(self, hook: str) -> tuple[int, bool, int]:
        options = self.mount.hook_options[hook]
        wish = 0 if options.get("tryfirst") else 2 if options.get("trylast") else 1
        return wish, self.source.kind is SourceKind.BUILT_IN, self.number


@attrs.frozen(slots=True)
class _Caller:
    plugin: str
    call: pluggy.HookCaller
    collects: bool

    def ask(
        self, accept: Callable[[object], T], arguments: Mapping[str, object]
    ) -> T | None:
        answer = self.call(**arguments)
        if self.collects:  # a list of what is not None
            answer = answer[0] if answer else None
        return None if answer is None else accept(answer)


class IsolatedCalls:
    """The registered plugins, and calls of their hooks one plugin at a time.

    Args:
        watch: Bounds the time of each call.

    Attributes:
        ledger: Who fails now.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self.ledger = FailureLedger()
        self._rests = Rests()
        self._manager = _PluginManager(PROJECT_NAME)
        self._manager.add_hookspecs(hookspecs)
        self._plugins: dict[str, _Plugin] = {}
        self._callers: dict[str, tuple[_Caller, ...]] = dict.fromkeys(SPECS, ())
        self._registered = 0

    def attach(self, name: str, obj: object, source: Source, *, required: bool) -> None:
        """Check a plugin and register it; see `PluginHost.attach`."""
        check_name(name, source)
        check_instance(obj, name=name, source=source)
        found = implementations(obj, name=name, source=source, required=required)
        if name in self._plugins:
            raise PluginError(
                name,
                source,
                "a plugin of this name is registered already, "
                f"from {self._plugins[name].source}",
                "rename or disable one of the two",
            )
        plugin = _Plugin(name, source, _Mount(obj, found), self._registered)
        self._manager.register(plugin.mount, name)
        self._plugins[name] = plugin
        self._registered += 1
        self._prepare()

    def detach(self, name: str, *, keeps_failures: bool = False) -> None:
        """Let a plugin go; see `PluginHost.detach`."""
        if plugin := self._plugins.pop(name, None):
            self._manager.unregister(plugin.mount)
            if not keeps_failures:
                self.ledger.forget(name)
                self._rests.forget(name)
            self._prepare()

    @property
    def plugins(self) -> Mapping[str, Source]:
        """Name to source of everything registered, in order of registration."""
        return {plugin.name: plugin.source for plugin in self._plugins.values()}

    def has(self, hook: str) -> bool:
        """Say whether anybody implements *hook*."""
        return bool(self._callers[hook])

    def answers(
        self,
        hook: str,
        now: datetime,
        accept: Callable[[object], T],
        arguments: Mapping[str, object],
    ) -> Iterator[tuple[str, T | Raised | None]]:
        """Ask one plugin after the other.

        Args:
            hook: What to call.
            now: When, UTC-aware, for the report of a failure.
            accept: Turns an answer that is not None into what the caller wants, or
                raises; that counts as the plugin's failure.
            arguments: The hook's arguments by name.

        Yields:
            The plugin's name and its answer. A failure is recorded and reported. A
            hook that rests (`runner.host.rests`) has failed and is reported already.
        """
        for caller in self._callers[hook]:
            yield caller.plugin, self._ask(caller, hook, now, accept, arguments)

    def report_failure(
        self, plugin: str, hook: str, error: Raised, now: datetime, *, state: str = ""
    ) -> None:
        """Record a failure and tell the observers of errors."""
        self.ledger.failed(plugin, hook, error, now, state)
        arguments = {"plugin": plugin, "hook": hook, "error": str(error), "now": now}
        for caller in self._callers[_ON_ERROR]:
            self._ask(caller, _ON_ERROR, now, _ignored, arguments)

    def _ask(
        self,
        caller: _Caller,
        hook: str,
        now: datetime,
        accept: Callable[[object], T],
        arguments: Mapping[str, object],
    ) -> T | Raised | None:
        plugin = caller.plugin
        if until := self._rests.until(plugin, hook, now):
            return Raised(OvertimeError(f"not called until {until:{_TIME}}"))
        answer = self._watch.attempt(plugin, hook, caller.ask, accept, arguments)
        if not isinstance(answer, Raised):
            self._rests.ended(plugin, hook)
            self.ledger.succeeded(plugin, hook)
            return answer
        if isinstance(answer.error, OvertimeError):
            until = self._rests.overran(plugin, hook, now)
        else:
            self._rests.ended(plugin, hook)
        state = f"not called until {until:{_TIME}}" if until else ""
        if hook == _ON_ERROR:  # recorded, but told to nobody: no recursion
            self.ledger.failed(plugin, hook, answer, now, state)
        else:
            self.report_failure(plugin, hook, answer, now, state=state)
        return answer

    def _prepare(self) -> None:
        for hook in SPECS:
            relay: pluggy.HookCaller = getattr(self._manager.hook, hook)
            collects = not (relay.spec and relay.spec.opts["firstresult"])
            present = [
                p for p in self._plugins.values() if hook in p.mount.hook_options
            ]
            self._callers[hook] = tuple(
                _Caller(
                    plugin.name,
                    self._manager.subset_hook_caller(
                        hook, [other.mount for other in present if other is not plugin]
                    ),
                    collects,
                )
                for plugin in sorted(present, key=lambda each: each.rank(hook))
            )


def _ignored(answer: object) -> None:
    """Take whatever an observer returns."""
