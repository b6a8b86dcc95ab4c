"""What discovery found, where it came from, and what is wrong with it."""

from __future__ import annotations

import enum
from pathlib import Path

import attrs

from runner.strategy import Strategy


class SourceKind(enum.Enum):
    """How a plugin or strategy came in."""

    BUILT_IN = "built-in"
    DISTRIBUTION = "distribution"
    PATH = "path"


@attrs.frozen(slots=True, kw_only=True)
class Source:
    """Where a plugin or strategy came from.

    Attributes:
        kind: How it came in.
        name: The distribution's name, or the path; empty for a built-in.
        version: The distribution's version; empty for the others.
    """

    kind: SourceKind
    name: str = ""
    version: str = ""

    @classmethod
    def distribution(cls, name: str, version: str) -> Source:
        """Return the source of what an installed distribution's entry point names."""
        return cls(kind=SourceKind.DISTRIBUTION, name=name, version=version)

    @classmethod
    def path(cls, path: Path) -> Source:
        """Return the source of what a file or folder of the user's holds."""
        return cls(kind=SourceKind.PATH, name=str(path))

    def __str__(self) -> str:
        """Return ``built-in``, name and version, or the path."""
        match self.kind:
            case SourceKind.BUILT_IN:
                return "built-in"
            case SourceKind.DISTRIBUTION:
                return f"{self.name} {self.version}".rstrip()
            case SourceKind.PATH:
                return self.name


BUILT_IN = Source(kind=SourceKind.BUILT_IN)


@attrs.frozen(slots=True, kw_only=True)
class PluginRecord:
    """A plugin that passed every check.

    Attributes:
        name: Under which its settings and state are kept and its errors reported.
        source: Where it came from.
        hooks: The hooks it implements, in the order of a run.
        obj: A `Plugin` subclass, of which the host makes one instance per account; or
            a module or object, used as it is.
    """

    name: str
    source: Source
    hooks: tuple[str, ...]
    obj: object


@attrs.frozen(slots=True, kw_only=True)
class StrategyRecord:
    """A strategy class that passed every check.

    Attributes:
        name: The class name, which is the server's ``bot_strategy_class``.
        cls: The class.
        source: Where it came from.
        hooks: The hooks it implements beside its own methods.
    """

    name: str
    cls: type[Strategy]
    source: Source
    hooks: tuple[str, ...] = ()


class PluginError(Exception):
    """A plugin or strategy that cannot be used.

    Attributes:
        plugin: Its name.
        source: Where it came from; None if it was not found.
        message: What was expected and what was found.
        remedy: What to do.
        file: The author's file; empty if unknown.
        line: The line in it; None if unknown.
    """

    def __init__(
        self,
        plugin: str,
        source: Source | None,
        message: str,
        remedy: str,
        *,
        file: str = "",
        line: int | None = None,
    ) -> None:
        super().__init__(plugin, source, message, remedy)
        self.plugin = plugin
        self.source = source
        self.message = message
        self.remedy = remedy
        self.file = file
        self.line = line

    def __str__(self) -> str:
        """Return who, from where, what is wrong and what to do, on one line."""
        place = f"{self.file}:{self.line}" if self.file and self.line else self.file
        source = str(self.source or "")
        parts = [source] if source and not place.startswith(source) else []
        origin = ", ".join([*parts, place] if place else parts)
        subject = f"{self.plugin} ({origin})" if origin else self.plugin
        return f"{subject}: {self.message}; {self.remedy}"


@attrs.frozen(slots=True, kw_only=True)
class LoadFailure:
    """Something that discovery found and could not use.

    Attributes:
        name: The plugin's or strategy's name, or the file's stem if it has none yet.
        source: Where it came from.
        message: What was expected and what was found.
        remedy: What to do.
        file: The author's file; empty if unknown.
        line: The line in it; None if unknown.
        trace: The author's own frames, outermost first, as ``file:line: code``.
        fatal: Whether the runner must not start with it, whatever is enabled.
    """

    name: str
    source: Source
    message: str
    remedy: str
    file: str = ""
    line: int | None = None
    trace: tuple[str, ...] = ()
    fatal: bool = False

    def error(self) -> PluginError:
        """Return the error that refuses a start because of this failure."""
        return PluginError(
            self.name,
            self.source,
            self.message,
            self.remedy,
            file=self.file,
            line=self.line,
        )

    def __str__(self) -> str:
        """Return who, from where, what is wrong and what to do, on one line."""
        return str(self.error())
