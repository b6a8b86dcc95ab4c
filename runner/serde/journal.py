"""Values to JSON text and back, exactly: what the journal is written in.

Unlike the rest of this room it is not strict: it reads what it has written itself. A
float comes back with the same bits, NaN and infinities too, a whole number in a float's
place stays whole, and times keep their microseconds.
"""

from __future__ import annotations

import enum
import json
import math
import types
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, cast, get_args

import attrs
import cattrs
from cattrs.gen import make_dict_unstructure_fn

ToJson = Callable[[Any], Mapping[str, Any]]
FromJson = Callable[[Mapping[str, Any]], Any]

_KIND = "kind"
_ENCODE = json.JSONEncoder(separators=(",", ":")).encode
_ENCODE_ANY = json.JSONEncoder(separators=(",", ":"), default=repr).encode


def write_line(value: Any) -> str:
    """Return a JSON value as compact text of one line."""
    return _ENCODE(value)


def _write_float(value: float) -> str:
    return repr(value) if math.isfinite(value) else ""


def _write_items(value: Sequence[Any]) -> str:
    return "" if value else "[]"


_QUICK: Mapping[type, Callable[[Any], str]] = {
    type(None): lambda _: "null",
    bool: lambda value: "true" if value else "false",
    float: _write_float,
    datetime: lambda value: f'"{value.isoformat()}"',
    list: _write_items,
    tuple: _write_items,
}
"""How the commonest values are written; an empty text means in the general way."""

_quick: Callable[[Any], Callable[[Any], str] | None] = _QUICK.get


class JournalCodec:
    """Writes values of any type that the ports use, and reads them back by type.

    Args:
        union: Classes of which any may stand where this union is named; each is
            written with its name.
        custom: Class of that union to how it is written and read where its fields are
            not enough.
    """

    def __init__(
        self, union: Any, custom: Mapping[type, tuple[ToJson, FromJson]]
    ) -> None:
        self._converter = _make_converter()
        readers: dict[str, Callable[[dict[str, Any]], Any]] = {}
        for cls in get_args(union):
            write, read = custom.get(cls) or self._plain(cls)
            self._converter.register_unstructure_hook(cls, _named(cls.__name__, write))
            readers[cls.__name__] = read

        def structure(value: Any, _: Any) -> Any:
            fields = dict(value)
            return readers[fields.pop(_KIND)](fields)

        self._converter.register_structure_hook_func(
            lambda kind: kind == union, structure
        )

    def write(self, value: Any) -> str:
        """Return *value* as JSON text of one line.

        Raises:
            TypeError: If there is no JSON for it.
        """
        # Most readings are of these kinds, and the general way is ten times slower.
        write = _quick(type(value))
        if write is not None and (text := write(value)):
            return text
        return _ENCODE(self._converter.unstructure(value))

    def write_arguments(self, arguments: tuple[Any, ...]) -> str:
        """Return what a call was made with, as JSON text; anything can be written."""
        return _ENCODE_ANY(self._converter.unstructure(arguments))

    def read(self, value: Any, kind: Any) -> Any:
        """Return the value of type *kind* that a JSON value stands for.

        Raises:
            Exception: Of any kind, if it is not what `write` has written.
        """
        return value if kind is Any else self._converter.structure(value, kind)

    def can_read(self, kind: Any) -> bool:
        """Say whether values of the type *kind* can be read back."""
        if kind in (Any, type(None)):
            return True
        try:
            self._converter.get_structure_hook(kind)
        except cattrs.StructureHandlerNotFoundError:
            return False
        return True

    def _plain(self, cls: type[Any]) -> tuple[ToJson, FromJson]:
        write = make_dict_unstructure_fn(cls, self._converter)

        def read(fields: Mapping[str, Any]) -> Any:
            return self._converter.structure_attrs_fromdict(fields, cls)

        return write, read


def _named(name: str, write: ToJson) -> Callable[[Any], dict[str, Any]]:
    return lambda value: {_KIND: name, **write(value)}


def _as_it_is(value: Any, kind: Any) -> Any:
    # A StrEnum is a str to the converter's dispatch.
    return kind(value) if issubclass(kind, enum.Enum) else value


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=False)
    for scalar in (bool, int, float, str):
        converter.register_structure_hook(scalar, _as_it_is)
    converter.register_unstructure_hook(datetime, datetime.isoformat)
    converter.register_structure_hook(
        datetime, lambda text, _: datetime.fromisoformat(text)
    )
    converter.register_unstructure_hook(timedelta, _microseconds)
    converter.register_structure_hook(
        timedelta, lambda number, _: timedelta(microseconds=number)
    )
    converter.register_unstructure_hook(Decimal, str)
    converter.register_structure_hook(Decimal, lambda text, _: Decimal(text))
    converter.register_unstructure_hook(types.MappingProxyType, dict)
    return converter


def _microseconds(length: timedelta) -> int:
    return length // timedelta(microseconds=1)


def write_fields(value: attrs.AttrsInstance) -> dict[str, Any]:
    """Return an attrs object as JSON values by field."""
    return cast("dict[str, Any]", _PLAIN.unstructure(value))


_PLAIN = _make_converter()
