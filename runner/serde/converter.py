"""The strict converter: what of a type may be made of which JSON value."""

from __future__ import annotations

import enum
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeGuard, TypeVar, cast, get_args, get_origin

import attrs
import cattrs

from runner.serde.errors import Collector, InvalidError, expected, shown, wrong
from runner.serde.objects import build
from runner.serde.scalars import READERS, WRITERS, read_enum

_T = TypeVar("_T")
_Hook = Callable[[object, Any], Any]
_SEQUENCES = (list, tuple, set, frozenset, Sequence)


def structure(value: object, kind: Any) -> Any:
    """Make a value of *kind*; InvalidError with everything that is wrong."""
    if kind is Any or kind is object:
        return value
    try:
        return _CONVERTER.structure(value, kind)
    except cattrs.StructureHandlerNotFoundError:
        raise wrong(f"values of the type {kind} cannot be configured") from None


def build_object(cls: type[_T], values: Mapping[str, object]) -> _T:
    """Make an attrs object; InvalidError with everything that is wrong."""
    return build(cls, values, structure)


def unstructure(value: Any) -> Any:
    """Turn a value into what JSON has words for."""
    return _CONVERTER.unstructure(value)


def read_object(value: object) -> Mapping[str, object]:
    """Take a JSON object or a TOML table."""
    if _is_object(value):
        return value
    raise expected("an object", value)


def _is_object(value: object) -> TypeGuard[Mapping[str, object]]:
    if not isinstance(value, Mapping):
        return False
    return all(isinstance(key, str) for key in cast("Mapping[object, object]", value))


def _read_items(value: object) -> Sequence[object]:
    if isinstance(value, list | tuple):
        return cast("Sequence[object]", value)
    raise expected("a list", value)


def _object_hook(cls: Any) -> _Hook:
    def hook(value: object, _: Any) -> Any:
        if isinstance(value, cls):
            return value
        return build_object(cls, read_object(value))

    return hook


def _sequence_hook(kind: Any) -> _Hook:
    origin, arguments = get_origin(kind) or kind, get_args(kind)
    make = {tuple: tuple, set: set, frozenset: frozenset}.get(origin, list)
    is_fixed = origin is tuple and bool(arguments) and arguments[-1] is not Ellipsis
    item_kind: Any = arguments[0] if arguments else Any

    def hook(value: object, _: Any) -> Any:
        items = _read_items(value)
        if is_fixed and len(items) != len(arguments):
            raise expected(f"a list of {len(arguments)}", value)
        kinds = arguments if is_fixed else (item_kind,) * len(items)
        collector = Collector()
        parts = [
            _part(collector, f"[{index}]", item, kind)
            for index, (item, kind) in enumerate(zip(items, kinds, strict=True))
        ]
        collector.check()
        return make(parts)

    return hook


def _mapping_hook(kind: Any) -> _Hook:
    value_kind: Any = get_args(kind)[1] if get_args(kind) else Any

    def hook(value: object, _: Any) -> Any:
        collector = Collector()
        parts = {
            key: _part(collector, f".{key}", item, value_kind)
            for key, item in read_object(value).items()
        }
        collector.check()
        return parts

    return hook


def _part(collector: Collector, step: str, value: object, kind: Any) -> Any:
    return collector.part(step, lambda: structure(value, kind))


def _union_hook(kind: Any) -> _Hook:
    kinds = get_args(kind)
    named = [one for one in kinds if one is not type(None)]

    def hook(value: object, _: Any) -> Any:
        if value is None and type(None) in kinds:
            return None
        wanted: list[str] = []
        stem = f", got {shown(value)}"
        for one in named:
            try:
                return structure(value, one)
            except InvalidError as error:
                path, message = error.found[0]
                if len(error.found) > 1 or path or not message.endswith(stem):
                    raise  # it has the right shape, with errors inside
                wanted.append(message.removeprefix("expected ").removesuffix(stem))
        raise expected(" or ".join(wanted), value)

    return hook


def _literal_hook(kind: Any) -> _Hook:
    options = get_args(kind)

    def hook(value: object, _: Any) -> Any:
        for option in options:
            if value == option and type(value) is type(option):
                return option
        raise expected(" or ".join(map(shown, options)), value)

    return hook


def _scalar_hook(reader: Callable[[object], Any]) -> _Hook:
    def hook(value: object, kind: Any) -> Any:
        # A StrEnum is a str to the converter's dispatch.
        if issubclass(kind, enum.Enum):
            return read_enum(value, kind)
        return reader(value)

    return hook


def _is_mapping(kind: Any) -> bool:
    origin = get_origin(kind) or kind
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter()
    hooks: list[tuple[Callable[[Any], bool], Callable[[Any], _Hook]]] = [
        (lambda kind: isinstance(kind, type) and attrs.has(kind), _object_hook),
        (lambda kind: (get_origin(kind) or kind) in _SEQUENCES, _sequence_hook),
        (_is_mapping, _mapping_hook),
        (lambda kind: get_origin(kind) in _UNIONS, _union_hook),
        (lambda kind: get_origin(kind) is typing.Literal, _literal_hook),
    ]
    for fits, make in hooks:
        converter.register_structure_hook_factory(fits, make)
    converter.register_structure_hook(enum.Enum, read_enum)
    for scalar, reader in READERS.items():
        converter.register_structure_hook(scalar, _scalar_hook(reader))
    for scalar, writer in WRITERS.items():
        converter.register_unstructure_hook(scalar, writer)
    return converter


_UNIONS = (types.UnionType, typing.Union)
_CONVERTER = _make_converter()
