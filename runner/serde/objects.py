"""attrs objects out of mappings, with every error of every field."""

from __future__ import annotations

import re
import typing
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar

import attrs

from runner.serde.errors import Collector, shown, suggestion, wrong

_T = TypeVar("_T")
_Field: TypeAlias = "attrs.Attribute[Any]"
# What attrs' validators and ours put before and after the rule.
_NAME = re.compile(r"^('\w+'|\w+:|Length of '\w+')\s+")
_GOT = re.compile(r" \((got .*|.* doesn't)\)\.?$", re.DOTALL)


def fields_of(cls: type) -> dict[str, _Field]:
    """Return the fields that are given from outside, by the name used there."""
    return {
        field.alias or field.name: field for field in attrs.fields(cls) if field.init
    }


def build(
    cls: type[_T],
    values: Mapping[str, object],
    structure: Callable[[object, Any], Any],
) -> _T:
    """Make an attrs object.

    Args:
        cls: Its class.
        values: Name to JSON value; an unknown name is an error.
        structure: Makes a value of a type.

    Raises:
        InvalidError: If anything is wrong; it holds all that is.
    """
    fields, kinds, collector = fields_of(cls), _types_of(cls), Collector()
    for name in values:
        if name not in fields:
            hint = suggestion(name, fields)
            collector.add(f".{name}", f"unknown name in {cls.__qualname__}{hint}")
    arguments: dict[str, Any] = {}
    for name, field in fields.items():
        if name in values:
            value, kind = values[name], kinds.get(field.name, Any)
            errors = len(collector.found)
            argument = collector.part(f".{name}", lambda: structure(value, kind))  # noqa: B023 - called at once
            if len(collector.found) == errors:
                arguments[name] = argument
        elif field.default is attrs.NOTHING:
            collector.add(f".{name}", "missing")
    _validate(cls, fields, arguments, values, collector)
    collector.check()
    try:
        return cls(**arguments)
    except (ValueError, TypeError, ArithmeticError) as error:
        raise wrong(str(error.args[0]) if error.args else repr(error)) from None


def _types_of(cls: type) -> Mapping[str, Any]:
    try:
        return typing.get_type_hints(cls)
    except NameError as error:
        raise wrong(
            f"{cls.__qualname__} cannot be used: {error}; import what its annotations "
            "name at module level, not under TYPE_CHECKING"
        ) from None


def _validate(
    cls: type[Any],
    fields: Mapping[str, _Field],
    arguments: Mapping[str, object],
    values: Mapping[str, object],
    collector: Collector,
) -> None:
    # attrs stops at the first validator that fails, so each is asked by itself, with
    # an instance to look at that has whatever could be read.
    probe: object = object.__new__(cls)
    for name, argument in arguments.items():
        object.__setattr__(probe, fields[name].name, argument)
    for name, argument in arguments.items():
        field: Any = fields[name]
        if field.validator is None or field.converter is not None:
            continue
        try:
            field.validator(probe, field, argument)
        except (ValueError, TypeError) as error:
            collector.add(f".{name}", _in_our_words(error, argument, values[name]))
        except AttributeError:
            continue  # it looks at a field that is missing; cls() asks it again


def _in_our_words(error: Exception, argument: object, value: object) -> str:
    """Turn ``'stop_loss' must be > 0: -5`` into ``must be > 0, got -5``."""
    text = str(error.args[0]) if error.args else str(error)
    rule = _GOT.sub("", _NAME.sub("", text))
    if text.startswith("Length of "):
        rule = f"length {rule.rpartition(': ')[0]}"
    for shown_value in (f": {argument}", f", got {argument!r}", f", got {argument}"):
        rule = rule.removesuffix(shown_value)
    return f"{rule.strip() or type(error).__name__}, got {shown(value)}"
