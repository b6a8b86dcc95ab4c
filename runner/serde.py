"""Bodies and settings into values, strictly; the only importer of cattrs.

Strict means: ``"false"`` is not true, ``1.9`` is not 1, ``"1"`` is not 1, a boolean is
not a number, NaN is no number at all. Every error is collected, each on one line with
its path: ``$.parameters_by_symbol.XAUUSD.stop_loss: must be > 0, got -5``.
"""

from __future__ import annotations

import difflib
import enum
import hashlib
import json
import math
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar, cast, get_args, get_origin

import attrs
import cattrs

from runner.core.config_flow import Identity
from runner.core.settings import RiskConfig, StrategyConfig, TradeConfig, TradeSettings
from runner.strategy import Parameters
from runner.wire.documents import (
    STRATEGY_CONFIG_FIELDS,
    STRATEGY_VERSION_FIELDS,
    SUCCESS,
    TRADE_CONFIG_FIELDS,
    TRADE_VERSION_FIELDS,
    AccountStatus,
    BotStatus,
    SubscriptionStatus,
)
from runner.wire.encoding import WireError, read_money
from runner.wire.times import read_time

_T = TypeVar("_T")
_SHOWN = 80


class ConfigErrors(ValueError):  # noqa: N818 - it carries several
    """A body or a table of settings that cannot be used.

    Attributes:
        errors: Every error on one line, with its path.
    """

    def __init__(self, errors: Iterable[str]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(self.errors))


class ForeignBodyError(ValueError):
    """A whole JSON body, but of somebody else: a fault on the way, not a version."""


# -- errors with their place -----------------------------------------------------------
class _InvalidError(Exception):
    """Errors below one value: each a path relative to it, and a message."""

    def __init__(self, found: Sequence[tuple[str, str]]) -> None:
        self.found = tuple(found)
        super().__init__(found)


def _wrong(message: str) -> _InvalidError:
    return _InvalidError([("", message)])


def _shown(value: object) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _expected(what: str, value: object) -> _InvalidError:
    return _wrong(f"expected {what}, got {_shown(value)}")


class _Collector:
    """Gathers the errors of the parts of one value."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []

    def part(self, step: str, action: Callable[[], _T]) -> _T | None:
        """Run *action* for the part at *step*; None if it failed."""
        try:
            return action()
        except _InvalidError as error:
            self.found += [(step + path, message) for path, message in error.found]
        return None

    def add(self, step: str, message: str) -> None:
        self.found.append((step, message))

    def check(self) -> None:
        if self.found:
            raise _InvalidError(self.found)


def _suggestion(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f'; did you mean "{close[0]}"?' if close else ""


# -- scalars ---------------------------------------------------------------------------
def _bool(value: object, _: object) -> bool:
    if isinstance(value, bool):
        return value
    raise _expected("true or false", value)


def _int(value: object, _: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise _expected("a whole number", value)


def _float(value: object, _: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
    raise _expected("a number", value)


def _decimal(value: object, _: object) -> Decimal:
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = Decimal(str(value))
        if number.is_finite():
            return number
    elif isinstance(value, str):
        try:
            return read_money("", value)
        except WireError:
            pass
    raise _expected("a decimal number", value)


def _str(value: object, _: object) -> str:
    if isinstance(value, str):
        return value
    raise _expected("a text", value)


def _none(value: object, _: object) -> None:
    if value is not None:
        raise _expected("null", value)


def _path(value: object, _: object) -> Path:
    return Path(_str(value, str))


def _datetime(value: object, _: object) -> datetime:
    if isinstance(value, datetime) and value.utcoffset() is not None:
        return value
    try:
        return read_time("", value if isinstance(value, str) else str(value))
    except WireError as error:
        raise _expected(error.expected, value) from None


def _exactly(kind: type[_T], what: str) -> Callable[[object, object], _T]:
    def structure(value: object, _: object) -> _T:
        # A datetime is a date by inheritance; it is not meant as one.
        if type(value) is kind:
            return value
        try:
            return cast("_T", kind.fromisoformat(_str(value, str)))  # type: ignore[attr-defined]  # date and time have it
        except (_InvalidError, ValueError):
            raise _expected(what, value) from None

    return structure


def _enum(value: object, kind: type[enum.Enum]) -> enum.Enum:
    for member in kind:
        if value == member.value and type(value) is type(member.value):
            return member
        if value == member.name:
            return member
    texts = [
        member.value if isinstance(member.value, str) else member.name
        for member in kind
    ]
    raise _expected(" or ".join(texts), value)


# -- containers ------------------------------------------------------------------------
def _items(value: object) -> Sequence[object]:
    if isinstance(value, list | tuple):
        return cast("Sequence[object]", value)
    raise _expected("a list", value)


def _object(value: object) -> Mapping[str, object]:
    if isinstance(value, Mapping):
        mapping = cast("Mapping[object, object]", value)
        if all(isinstance(key, str) for key in mapping):
            return cast("Mapping[str, object]", mapping)
    raise _expected("an object", value)


def _sequence_hook(kind: Any) -> Callable[[object, object], object]:
    origin, arguments = get_origin(kind) or kind, get_args(kind)
    build = {tuple: tuple, set: set, frozenset: frozenset}.get(origin, list)
    fixed = origin is tuple and bool(arguments) and arguments[-1] is not Ellipsis

    def structure(value: object, _: object) -> object:
        items = _items(value)
        if fixed and len(items) != len(arguments):
            raise _expected(f"a list of {len(arguments)}", value)
        kinds = arguments if fixed else [*arguments[:1], Any][:1] * len(items)
        collector = _Collector()
        parts = [
            collector.part(f"[{index}]", lambda i=item, k=part: _structure(i, k))  # type: ignore[misc]  # bound now
            for index, (item, part) in enumerate(zip(items, kinds, strict=True))
        ]
        collector.check()
        return build(parts)

    return structure


def _mapping_hook(kind: Any) -> Callable[[object, object], object]:
    value_kind = ([*get_args(kind), Any, Any])[1]

    def structure(value: object, _: object) -> object:
        collector = _Collector()
        parts = {
            key: collector.part(f".{key}", lambda i=item: _structure(i, value_kind))  # type: ignore[misc]  # bound now
            for key, item in _object(value).items()
        }
        collector.check()
        return parts

    return structure


def _union_hook(kind: Any) -> Callable[[object, object], object]:
    kinds = get_args(kind)

    def structure(value: object, _: object) -> object:
        messages: list[str] = []
        for one in kinds:
            try:
                return _structure(value, one)
            except _InvalidError as error:
                if len(error.found) > 1 or error.found[0][0]:
                    raise  # it has the right shape, with errors inside
                messages.append(error.found[0][1])
        if len(messages) > 1 and type(None) in kinds:
            messages.remove(f"expected null, got {_shown(value)}")
        parts = [message.removeprefix("expected ") for message in messages]
        stem = f", got {_shown(value)}"
        wanted = " or ".join(part.removesuffix(stem) for part in parts)
        raise _wrong(messages[0] if len(messages) == 1 else f"expected {wanted}{stem}")

    return structure


def _literal_hook(kind: Any) -> Callable[[object, object], object]:
    options = get_args(kind)

    def structure(value: object, _: object) -> object:
        for option in options:
            if value == option and type(value) is type(option):
                return option
        raise _expected(" or ".join(map(_shown, options)), value)

    return structure


# -- attrs classes ---------------------------------------------------------------------
_ATTRS_GOT = re.compile(r"(: |, got | \(got ).*$", re.DOTALL)
_ATTRS_NAME = re.compile(r"^('\w+'|\w+:|Length of '\w+')\s+")


def _validator_message(error: Exception, value: object) -> str:
    """Turn a validator's words (attrs' own: ``'x' must be > 0: -5``) into ours."""
    text = str(error.args[0]) if error.args else str(error)
    length = text.startswith("Length of ")
    stem = _ATTRS_GOT.sub("", _ATTRS_NAME.sub("", text)).strip()
    if length:
        stem = f"length {stem}"
    return f"{stem or type(error).__name__}, got {_shown(value)}"


def _own_fields(cls: type) -> list[attrs.Attribute[Any]]:
    return [field for field in attrs.fields(cls) if field.init]


def _hints(cls: type) -> Mapping[str, Any]:
    try:
        return typing.get_type_hints(cls)
    except NameError as error:
        raise _wrong(
            f"{cls.__qualname__} cannot be used: {error}; import what its annotations "
            "name at module level, not under TYPE_CHECKING"
        ) from None


def _attrs_hook(cls: type) -> Callable[[object, object], object]:
    def structure(value: object, _: object) -> object:
        if isinstance(value, cls):
            return value
        return _build(cls, _object(value))

    return structure


def _build(cls: type[_T], values: Mapping[str, object]) -> _T:
    fields = {field.alias or field.name: field for field in _own_fields(cls)}
    hints = _hints(cls)
    collector = _Collector()
    for name in values:
        if name not in fields:
            hint = _suggestion(name, fields)
            collector.add(f".{name}", f"unknown name in {cls.__qualname__}{hint}")
    arguments: dict[str, object] = {}
    for name, field in fields.items():
        if name in values:
            before = len(collector.found)
            part = collector.part(
                f".{name}",
                lambda n=name, f=field: _structure(values[n], hints.get(f.name, Any)),  # type: ignore[misc]  # bound now
            )
            if len(collector.found) == before:
                arguments[name] = part
        elif field.default is attrs.NOTHING:
            collector.add(f".{name}", "missing")
    _validate(cls, fields, arguments, values, collector)
    collector.check()
    try:
        return cls(**arguments)
    except (ValueError, TypeError, ArithmeticError) as error:
        raise _wrong(str(error.args[0]) if error.args else repr(error)) from None


def _validate(
    cls: type,
    fields: Mapping[str, attrs.Attribute[Any]],
    arguments: Mapping[str, object],
    values: Mapping[str, object],
    collector: _Collector,
) -> None:
    # attrs stops at the first validator that fails, so each is asked by itself, with
    # an instance to look at that has whatever could be read.
    probe: Any = object.__new__(cls)
    for name, argument in arguments.items():
        object.__setattr__(probe, fields[name].name, argument)
    for name, argument in arguments.items():
        field = fields[name]
        if field.validator is None or field.converter is not None:
            continue
        try:
            field.validator(probe, field, argument)
        except (ValueError, TypeError) as error:
            collector.add(f".{name}", _validator_message(error, values[name]))
        except AttributeError:
            continue  # it looks at a field that is missing; cls() asks it again


# -- the converter ---------------------------------------------------------------------
_SCALARS: Mapping[type, Callable[[object, Any], object]] = {
    bool: _bool,
    int: _int,
    float: _float,
    Decimal: _decimal,
    str: _str,
    type(None): _none,
    Path: _path,
    datetime: _datetime,
    date: _exactly(date, "a date such as 2025-01-25"),
    time: _exactly(time, "a time of day such as 21:30"),
}
_SEQUENCES = (list, tuple, set, frozenset, Sequence)


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter()

    def factory(
        fits: Callable[[Any], bool],
        make: Callable[[Any], Callable[[object, object], object]],
    ) -> None:
        converter.register_structure_hook_factory(fits, make)

    factory(lambda kind: isinstance(kind, type) and attrs.has(kind), _attrs_hook)
    factory(lambda kind: (get_origin(kind) or kind) in _SEQUENCES, _sequence_hook)
    factory(_is_mapping, _mapping_hook)
    factory(
        lambda kind: get_origin(kind) in (types.UnionType, typing.Union), _union_hook
    )
    factory(lambda kind: get_origin(kind) is typing.Literal, _literal_hook)
    factory(
        lambda kind: isinstance(kind, type) and issubclass(kind, enum.Enum),
        lambda kind: lambda value, _: _enum(value, kind),
    )
    for scalar, hook in _SCALARS.items():
        converter.register_structure_hook(scalar, _unless_enum(hook))
    converter.register_unstructure_hook(datetime, datetime.isoformat)
    converter.register_unstructure_hook(date, date.isoformat)
    converter.register_unstructure_hook(time, time.isoformat)
    converter.register_unstructure_hook(Decimal, str)
    converter.register_unstructure_hook(Path, str)
    return converter


def _unless_enum(
    hook: Callable[[object, Any], object],
) -> Callable[[object, Any], object]:
    # A StrEnum is a str to the converter's dispatch.
    def structure(value: object, kind: Any) -> object:
        if issubclass(kind, enum.Enum):
            return _enum(value, kind)
        return hook(value, kind)

    return structure


def _is_mapping(kind: Any) -> bool:
    origin = get_origin(kind) or kind
    return isinstance(origin, type) and issubclass(origin, Mapping)


_CONVERTER = _make_converter()


def _structure(value: object, kind: Any) -> Any:
    if kind is Any or kind is object:
        return value
    try:
        return _CONVERTER.structure(value, kind)
    except cattrs.StructureHandlerNotFoundError:
        raise _wrong(f"settings of the type {kind} are not supported") from None


def _lines(root: str, error: _InvalidError) -> tuple[str, ...]:
    return tuple(f"{root}{path}: {message}" for path, message in error.found)


# -- what others call ------------------------------------------------------------------
def structure_settings(values: Mapping[str, Any], cls: type[_T], path: str) -> _T:
    """Make settings out of a table of TOML or the like.

    Args:
        values: Name to value.
        cls: The attrs class of the settings.
        path: Where the table stands, such as ``plugins.drawdown``.

    Raises:
        ConfigErrors: If anything is wrong; every error with its dotted path.
    """
    try:
        return _build(cls, values)
    except _InvalidError as error:
        raise ConfigErrors(_lines(path, error)) from None


def structure_parameters(values: Mapping[str, Any], cls: type[_T]) -> _T:
    """Make the parameters of one symbol.

    Raises:
        ConfigErrors: If anything is wrong; every error with its path from ``$``.
    """
    return structure_settings(values, cls, "$")


def unstructure(value: Any) -> Any:
    """Turn a value into what JSON has words for."""
    return _CONVERTER.unstructure(value)


def structure_trade_config(
    body: Any, account: str
) -> tuple[TradeConfig, tuple[str, ...]]:
    """Make the trade config out of the body of the seed's first endpoint.

    Args:
        body: The parsed JSON.
        account: Whose it must be, where the body says whose it is.

    Returns:
        The config, and warnings about what was applied around.

    Raises:
        ConfigErrors: If it must be refused.
        ForeignBodyError: If it is no trade config of this account at all.
    """
    fields = _success(body)
    owner = fields.get("mt5_account_id", account)
    if str(owner) != account:
        raise ForeignBodyError(f"a trade config of account {_shown(owner)}")
    warnings = _warn_unknown("$", fields, (*TRADE_CONFIG_FIELDS, "mt5_account_id"))
    values = _pick(TradeConfig, fields)
    for name in ("current_balance", "peak_balance"):
        values[name] = _as_number(values.get(name))
    collector = _Collector()
    for name, kind in (("risk_config", RiskConfig), ("trade_config", TradeSettings)):
        part = fields.get(name)
        if isinstance(part, Mapping):
            table = cast("Mapping[str, object]", part)
            known = [field.name for field in _own_fields(kind)]
            warnings += _warn_unknown(f"$.{name}", table, known)
            warnings += _warn_missing(f"$.{name}", table, kind)
            values[name] = _pick(kind, table)
        elif name not in fields:
            collector.add(f".{name}", "missing")
    if "dd_blocked" not in fields:
        collector.add(".dd_blocked", "missing")
    config = collector.part("", lambda: _build(TradeConfig, values))
    _check_version(fields, collector)
    _check_words(fields, collector, "bot_status", _BOT_STATUSES)
    _check_words(fields, collector, "account_status", list(AccountStatus))
    _check_words(fields, collector, "subscription_status", list(SubscriptionStatus))
    _check_limits(values, collector)
    if collector.found or config is None:
        raise ConfigErrors(_lines("$", _InvalidError(collector.found)))
    return config, tuple(warnings)


def structure_strategy_config(
    body: Any, strategy_id: int, find_class: Callable[[str], type[Parameters] | None]
) -> tuple[StrategyConfig, tuple[str, ...]]:
    """Make a strategy config out of the body of the seed's second endpoint.

    Args:
        body: The parsed JSON.
        strategy_id: Whose it must be.
        find_class: The parameters class of a strategy class's name; None if no such
            strategy is installed.

    Returns:
        The config with its parameters structured, and warnings.

    Raises:
        ConfigErrors: If it must be refused.
        ForeignBodyError: If it is no config of this strategy at all.
    """
    fields = _success(body)
    owner = fields.get("bot_strategy_id", strategy_id)
    if owner != strategy_id or isinstance(owner, bool):
        raise ForeignBodyError(f"the config of strategy {_shown(owner)}")
    warnings = _warn_unknown("$", fields, STRATEGY_CONFIG_FIELDS)
    values = _pick(StrategyConfig, fields) | {"bot_strategy_id": strategy_id}
    collector = _Collector()
    for name in ("allowed_symbols", "parameters_by_symbol"):
        if name not in fields:
            collector.add(f".{name}", "missing")
    values.pop("parameters_by_symbol", None)
    config = collector.part("", lambda: _build(StrategyConfig, values))
    _check_version(fields, collector)
    _check_words(fields, collector, "bot_status", _BOT_STATUSES)
    parameters = collector.part("", lambda: _parameters_by_symbol(fields, find_class))
    if collector.found or config is None or parameters is None:
        raise ConfigErrors(_lines("$", _InvalidError(collector.found)))
    config = attrs.evolve(
        config, parameters_by_symbol=types.MappingProxyType(parameters)
    )
    return config, (*warnings, *_warn_symbols(config))


def identify_trade_config(body: Any) -> Identity:
    """Say which trade config a body is. Balances are readings, not configuration."""
    readings = frozenset({"current_balance", "peak_balance"})
    return _identify(body, TRADE_CONFIG_FIELDS, TRADE_VERSION_FIELDS, readings)


def identify_strategy_config(body: Any) -> Identity:
    """Say which strategy config a body is."""
    return _identify(body, STRATEGY_CONFIG_FIELDS, STRATEGY_VERSION_FIELDS, frozenset())


# -- the two bodies --------------------------------------------------------------------
_BOT_STATUSES = (BotStatus.ACTIVE, BotStatus.PAUSED)
_MAX_PERCENT = 100.0


def _success(body: object) -> Mapping[str, object]:
    if not isinstance(body, Mapping):
        raise ConfigErrors([f"$: expected an object, got {_shown(body)}"])
    fields = cast("Mapping[str, object]", body)
    if fields.get("status", SUCCESS) != SUCCESS:
        detail = fields.get("detail", fields.get("status"))
        raise ForeignBodyError(f"no config but {_shown(detail)}")
    return fields


def _pick(cls: type, fields: Mapping[str, object]) -> dict[str, object]:
    known = {field.name for field in _own_fields(cls)}
    return {name: value for name, value in fields.items() if name in known}


def _warn_unknown(
    path: str, fields: Mapping[str, object], known: Iterable[str]
) -> list[str]:
    names = list(known)
    return [
        f"{path}.{name}: unknown, ignored{_suggestion(name, names)}"
        for name in fields
        if name not in names
    ]


def _warn_missing(path: str, fields: Mapping[str, object], cls: type) -> list[str]:
    defaults = attrs.asdict(cls())
    return [
        f"{path}.{name}: missing, {_shown(default)} is used"
        for name, default in defaults.items()
        if name not in fields
    ]


def _as_number(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return float(read_money("", value))
    except WireError:
        return value


def _check_version(fields: Mapping[str, object], collector: _Collector) -> None:
    version = fields.get("version")
    if isinstance(version, int) and not isinstance(version, bool) and version < 0:
        collector.add(".version", f"must be >= 0, got {version}")


def _check_words(
    fields: Mapping[str, object],
    collector: _Collector,
    name: str,
    words: Sequence[str],
) -> None:
    value = fields.get(name)
    if isinstance(value, str) and value not in words:
        collector.add(f".{name}", f"must be {' or '.join(words)}, got {_shown(value)}")


def _check_limits(values: Mapping[str, object], collector: _Collector) -> None:
    settings = values.get("trade_config")
    lot = settings.get("lot_size") if isinstance(settings, dict) else None
    if _is_number(lot) and not lot > 0:
        collector.add(".trade_config.lot_size", f"must be > 0, got {_shown(lot)}")
    risk = values.get("risk_config")
    for name in ("daily_dd_limit_percent", "max_account_dd_percent"):
        limit = risk.get(name) if isinstance(risk, dict) else None
        if _is_number(limit) and not 0 < limit <= _MAX_PERCENT:
            message = f"must be > 0 and <= 100, got {_shown(limit)}"
            collector.add(f".risk_config.{name}", message)


def _is_number(value: object) -> typing.TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _parameters_by_symbol(
    fields: Mapping[str, object],
    find_class: Callable[[str], type[Parameters] | None],
) -> dict[str, Parameters]:
    name = fields.get("bot_strategy_class")
    table = fields.get("parameters_by_symbol")
    collector = _Collector()
    cls = find_class(name) if isinstance(name, str) else None
    if isinstance(name, str) and cls is None:
        collector.add(
            ".bot_strategy_class",
            f"no strategy of the class {_shown(name)} is installed; "
            "`runner plugins` lists those that are",
        )
    parts: dict[str, Parameters] = {}
    symbols = collector.part(
        ".parameters_by_symbol", lambda: _object({} if table is None else table)
    )
    for symbol, values in (symbols or {}).items():
        if cls is None:
            break
        part = collector.part(
            f".parameters_by_symbol.{symbol}",
            lambda v=values, c=cls: _build(c, _object(v)),  # type: ignore[misc]  # bound now
        )
        if part is not None:
            parts[symbol] = part
    collector.check()
    return parts


def _warn_symbols(config: StrategyConfig) -> list[str]:
    allowed, given = set(config.allowed_symbols), set(config.parameters_by_symbol)
    return [
        *(
            f"$.parameters_by_symbol.{name}: not in allowed_symbols, nothing is opened"
            for name in sorted(given - allowed)
        ),
        *(
            f"$.allowed_symbols: {name} has no parameters, so it is not traded"
            for name in sorted(allowed - given)
        ),
    ]


def _identify(
    body: Any,
    known: Iterable[str],
    versioned: frozenset[str],
    readings: frozenset[str],
) -> Identity:
    fields = cast("Mapping[str, object]", body) if isinstance(body, Mapping) else {}
    version = fields.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 0:
        version = None
    content = set(known) - readings
    return Identity(
        version=version,
        versioned=_digest({k: v for k, v in fields.items() if k in versioned}),
        content=_digest({k: v for k, v in fields.items() if k in content}),
    )


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
