"""Which hooks a plugin implements, checked before the plugin is let in.

Everything is looked up statically: no property of the author's runs, and a class is
checked before an instance is made of it.
"""

from __future__ import annotations

import difflib
import inspect
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from runner.host import hookspecs
from runner.host.annotations import fits, hints, spell
from runner.host.markers import PROJECT_NAME
from runner.host.records import PluginError, Source

_IMPL = f"{PROJECT_NAME}_impl"
_SPEC = f"{PROJECT_NAME}_spec"

SPECS: Mapping[str, Callable[..., object]] = {
    name: value for name, value in vars(hookspecs).items() if hasattr(value, _SPEC)
}
"""Every hook, in the order of a run."""

_ARGUMENTS = {name: tuple(inspect.signature(f).parameters) for name, f in SPECS.items()}
_HINTS = {name: hints(function) for name, function in SPECS.items()}


@attrs.frozen(slots=True, kw_only=True)
class Implementation:
    """A marked function of a plugin.

    Attributes:
        hook: The hook it implements.
        attribute: Where it is found on the plugin.
        function: The plain function, unbound.
        bound: Whether the first parameter is the instance or class.
        static: Whether it can be called on the class.
        options: What ``@hookimpl`` was given.
    """

    hook: str
    attribute: str
    function: Callable[..., object]
    bound: bool
    static: bool
    options: Mapping[str, Any]


@attrs.frozen(slots=True)
class Subject:
    """The plugin that is being checked: makes errors that name it."""

    name: str
    source: Source

    def error(self, message: str, remedy: str, function: object = None) -> PluginError:
        """Return an error about this plugin, at *function* if it is given."""
        code = getattr(function, "__code__", None)
        return PluginError(
            self.name,
            self.source,
            message,
            remedy,
            file=code.co_filename if code else "",
            line=code.co_firstlineno if code else None,
        )


def implementations(
    owner: object, *, name: str, source: Source, required: bool = True
) -> tuple[Implementation, ...]:
    """Check a plugin and return what it implements.

    Args:
        owner: A module, an object, or the class of which an instance will be made.
        name: Its name, for errors.
        source: Where it came from, for errors.
        required: Whether it must implement a hook at all.

    Returns:
        Its implementations, in the order of a run; never two of one hook.

    Raises:
        PluginError: At the first thing that is wrong.
    """
    subject = Subject(name, source)
    marked = list(_marked(owner))
    _refuse_unmarked(subject, owner, marked)
    found: dict[str, Implementation] = {}
    for each in marked:
        if each.hook not in SPECS:
            if each.options.get("optionalhook"):
                continue
            raise subject.error(
                f"@hookimpl marks {each.hook}, which is no hook",
                did_you_mean(each.hook, SPECS) or "see the hooks in the docs",
                each.function,
            )
        _check_arguments(subject, each)
        _check_annotations(subject, each)
        _check_call(subject, each)
        if each.hook in found:
            raise subject.error(
                f"{each.hook} is implemented twice, by {found[each.hook].attribute} "
                f"and {each.attribute}",
                "keep one of the two",
                each.function,
            )
        found[each.hook] = each
    if required and not found:
        near = near_misses(owner)
        raise subject.error(
            "expected at least one hook, found none"
            + (f", but {' and '.join(near)}" if near else ""),
            "implement a hook and mark it with @hookimpl",
        )
    return tuple(found[hook] for hook in SPECS if hook in found)


def did_you_mean(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Return the nearest of *known* as a question, or an empty string."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)
    return f"did you mean {near[0]}?" if near else ""


def near_misses(owner: object) -> list[str]:
    """Return the unmarked functions of *owner* that are named nearly like a hook."""
    return [
        f"{name} ({question})"
        for name, value in _members(owner)
        if inspect.isfunction(value)
        and not hasattr(value, _IMPL)
        and (question := did_you_mean(name, SPECS, cutoff=0.85))
    ]


def defined_in(value: object, module: types.ModuleType) -> bool:
    """Say whether *value* was written in *module* or, for a package, inside it."""
    home = getattr(value, "__module__", None) or ""
    return home == module.__name__ or home.startswith(f"{module.__name__}.")


# -- finding ---------------------------------------------------------------------------
def _members(owner: object) -> Iterator[tuple[str, object]]:
    """Yield names and static values; of a module, only what was written there."""
    for name in dir(owner):
        value = inspect.getattr_static(owner, name, None)
        if not isinstance(owner, types.ModuleType) or defined_in(value, owner):
            yield name, value


def _marked(owner: object) -> Iterator[Implementation]:
    is_class = isinstance(owner, type)
    own: Mapping[str, object] = {} if is_class else getattr(owner, "__dict__", {})
    for attribute, value in _members(owner):
        function = _function(value)
        options: Any = getattr(value, _IMPL, None) or getattr(function, _IMPL, None)
        if function is None or not isinstance(options, dict):
            continue
        given: dict[str, Any] = {**options}
        is_plain = attribute in own or isinstance(value, staticmethod)
        yield Implementation(
            hook=given.get("specname") or attribute,
            attribute=attribute,
            function=function,
            bound=isinstance(value, types.MethodType) or not is_plain,
            static=isinstance(value, (staticmethod, classmethod)),
            options=given,
        )


def _function(value: object) -> Callable[..., object] | None:
    if isinstance(value, (staticmethod, classmethod, types.MethodType)):
        inner: Any = value.__func__  # pyright: ignore[reportUnknownMemberType,reportUnknownVariableType]  # any signature
    else:
        inner = value
    return inner if inspect.isfunction(inner) else None


def _refuse_unmarked(
    subject: Subject, owner: object, marked: Sequence[Implementation]
) -> None:
    found = {each.attribute for each in marked}
    for attribute, value in _members(owner):
        if attribute in SPECS and attribute not in found:
            raise subject.error(
                f"{attribute} has a hook's name but is no function marked with "
                "@hookimpl, so it would never be called",
                "write @hookimpl above it, or rename it",
                getattr(value, "__func__", value),
            )


# -- checking --------------------------------------------------------------------------
def _check_arguments(subject: Subject, each: Implementation) -> None:
    parameters = list(inspect.signature(each.function).parameters.values())
    if each.bound:
        if not parameters:
            raise subject.error(
                f"{each.attribute} is a method without self",
                "add self as its first parameter",
                each.function,
            )
        del parameters[0]
    known = _ARGUMENTS[each.hook]
    for parameter in parameters:
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            raise subject.error(
                f"{each.hook} has {parameter}, which a hook never fills",
                f"name the arguments it needs, of: {_listed(known)}",
                each.function,
            )
        if parameter.default is not parameter.empty:
            if parameter.name in known:
                raise subject.error(
                    f"{each.hook}: argument {parameter.name} has a default, and "
                    "arguments with defaults are never filled",
                    "drop the default",
                    each.function,
                )
        elif parameter.name not in known:
            raise subject.error(
                f"{each.hook} has no argument {parameter.name}; "
                f"expected any of: {_listed(known)}",
                did_you_mean(parameter.name, known) or "drop it",
                each.function,
            )
        elif parameter.kind is parameter.KEYWORD_ONLY:
            raise subject.error(
                f"{each.hook}: argument {parameter.name} is keyword-only, but "
                "arguments come by position",
                "drop the * before it",
                each.function,
            )


def _check_annotations(subject: Subject, each: Implementation) -> None:
    expected = _HINTS[each.hook]
    for name, got in hints(each.function).items():
        if name not in expected:
            continue
        wanted = expected[name]
        what = "the return value" if name == "return" else f"argument {name}"
        if not (fits(got, wanted) if name == "return" else fits(wanted, got)):
            raise subject.error(
                f"{each.hook}: {what} is annotated {spell(got)}, "
                f"expected {spell(wanted)}",
                "correct the annotation",
                each.function,
            )


def _check_call(subject: Subject, each: Implementation) -> None:
    function = each.function
    if each.options.get("wrapper") or each.options.get("hookwrapper"):
        raise subject.error(
            f"{each.hook} is a wrapper, but each plugin is called by itself, "
            "so there is nothing to wrap",
            "write it as a plain hook",
            function,
        )
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise subject.error(
            f"{each.hook} is async, but the runner awaits nothing",
            "write it with def",
            function,
        )
    if inspect.isgeneratorfunction(function) and not each.hook.startswith("register_"):
        raise subject.error(
            f"{each.hook} is a generator, so its body would never run",
            "return the value instead of yielding it",
            function,
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
