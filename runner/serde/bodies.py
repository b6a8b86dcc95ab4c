"""The seed's two bodies: what is required, what is refused, what is applied around."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeGuard, cast

import attrs

from runner.core.settings import RiskConfig, StrategyConfig, TradeConfig, TradeSettings
from runner.serde.converter import build_object, read_object
from runner.serde.errors import Collector, InvalidError, expected, shown, suggestion
from runner.serde.objects import fields_of
from runner.serde.settings import ConfigErrors
from runner.wire.documents import (
    RISK_CONFIG_FIELDS,
    STRATEGY_CONFIG_FIELDS,
    SUCCESS,
    TRADE_CONFIG_FIELDS,
    TRADE_SETTINGS_FIELDS,
    AccountStatus,
    BotStatus,
    SubscriptionStatus,
)
from runner.wire.encoding import WireError, read_money

_OWNER = "mt5_account_id"
_BOT_STATUSES = (BotStatus.ACTIVE, BotStatus.PAUSED)
_MAX_PERCENT = 100.0
_Kind = type[RiskConfig | TradeSettings]
_PARTS: Sequence[tuple[str, _Kind, Sequence[str]]] = (
    ("risk_config", RiskConfig, RISK_CONFIG_FIELDS),
    ("trade_config", TradeSettings, TRADE_SETTINGS_FIELDS),
)
_Fields = Mapping[str, object]


class ForeignBodyError(ValueError):
    """A whole JSON body, but of somebody else: a fault on the way, not a version."""


def structure_trade_config(
    body: Any, account: str
) -> tuple[TradeConfig, tuple[str, ...]]:
    """Make the trade config out of the body of the seed's first endpoint.

    Args:
        body: The parsed JSON.
        account: Whose it must be, where the body says whose it is.

    Returns:
        The config, and warnings about what is applied around.

    Raises:
        ConfigErrors: If it must be refused.
        ForeignBodyError: If it is no trade config of this account at all.
    """
    fields = _read_body(body)
    owner = fields.get(_OWNER, account)
    if str(owner) != account:
        raise ForeignBodyError(f"the trade config of account {shown(owner)}")
    collector = Collector()
    warnings = _warn_unknown("$", fields, (*TRADE_CONFIG_FIELDS, _OWNER))
    values = _pick(TradeConfig, fields)
    for name in ("current_balance", "peak_balance"):
        if name in values:
            values[name] = _as_number(values[name])
    _require(collector, fields, "dd_blocked", "risk_config", "trade_config")
    for name, kind, usual in _PARTS:
        part = fields.get(name)
        if isinstance(part, Mapping):
            table = cast("_Fields", part)
            warnings += _warn_unknown(f"$.{name}", table, fields_of(kind))
            warnings += _warn_missing(f"$.{name}", table, kind(), usual)
            values[name] = _pick(kind, table)
    _read_initial(values)
    config = collector.part("", lambda: build_object(TradeConfig, values))
    _check_version(collector, fields)
    _check_words(collector, fields, "bot_status", _BOT_STATUSES)
    _check_words(collector, fields, "account_status", tuple(AccountStatus))
    _check_words(collector, fields, "subscription_status", tuple(SubscriptionStatus))
    _check_limits(collector, values)
    if collector.found or config is None:
        raise ConfigErrors(InvalidError(collector.found).lines("$"))
    return config, tuple(warnings)


def structure_strategy_config(
    body: Any, strategy_id: int, find_class: Callable[[str], type[Any] | None]
) -> tuple[StrategyConfig, tuple[str, ...]]:
    """Make a strategy config out of the body of the seed's second endpoint.

    Args:
        body: The parsed JSON.
        strategy_id: Whose it must be.
        find_class: The attrs class of the parameters of a strategy, by the strategy's
            class name; None if no such strategy is installed.

    Returns:
        The config with its parameters structured, and warnings.

    Raises:
        ConfigErrors: If it must be refused.
        ForeignBodyError: If it is no config of this strategy at all.
    """
    fields = _read_body(body)
    owner = fields.get("bot_strategy_id", strategy_id)
    if owner != strategy_id or isinstance(owner, bool):
        raise ForeignBodyError(f"the config of strategy {shown(owner)}")
    collector = Collector()
    warnings = _warn_unknown("$", fields, STRATEGY_CONFIG_FIELDS)
    values = _pick(StrategyConfig, fields) | {"bot_strategy_id": strategy_id}
    values.pop("parameters_by_symbol", None)
    _require(collector, fields, "allowed_symbols", "parameters_by_symbol")
    config = collector.part("", lambda: build_object(StrategyConfig, values))
    _check_version(collector, fields)
    _check_words(collector, fields, "bot_status", _BOT_STATUSES)
    parameters = _parameters(collector, fields, find_class)
    if collector.found or config is None:
        raise ConfigErrors(InvalidError(collector.found).lines("$"))
    proxy = MappingProxyType(parameters)
    config = attrs.evolve(config, parameters_by_symbol=proxy)
    return config, (*warnings, *_warn_symbols(config))


# -- the shape -------------------------------------------------------------------------
def _read_body(body: object) -> _Fields:
    try:
        fields = read_object(body)
    except InvalidError as error:
        raise ConfigErrors(error.lines("$")) from None
    if fields.get("status", SUCCESS) != SUCCESS:
        detail = fields.get("detail", fields.get("status"))
        raise ForeignBodyError(f"no config but {shown(detail)}")
    return fields


def _pick(cls: type, fields: _Fields) -> dict[str, object]:
    known = fields_of(cls)
    return {name: value for name, value in fields.items() if name in known}


def _read_initial(values: dict[str, object]) -> None:
    risk = values.get("risk_config")
    if isinstance(risk, dict) and "initial_balance" in risk:
        table = cast("dict[str, object]", risk)
        table["initial_balance"] = _as_number(table["initial_balance"])


def _as_number(value: object) -> object:
    """Turn a decimal text, as the seed writes balances, into a number."""
    if not isinstance(value, str):
        return value
    try:
        return float(read_money("", value))
    except WireError:
        return value


def _parameters(
    collector: Collector,
    fields: _Fields,
    find_class: Callable[[str], type[Any] | None],
) -> dict[str, Any]:
    name, table = fields.get("bot_strategy_class"), fields.get("parameters_by_symbol")
    step = ".parameters_by_symbol"
    symbols: _Fields | None = None
    if "parameters_by_symbol" in fields:
        symbols = collector.part(step, lambda: read_object(table))
    if not isinstance(name, str) or symbols is None:
        return {}
    cls = find_class(name)
    if cls is None:
        message = f"no strategy of the class {shown(name)} is installed"
        hint = "`runner plugins` lists those that are"
        collector.add(".bot_strategy_class", f"{message}; {hint}")
        return {}
    parts: dict[str, Any] = {}
    for symbol, values in symbols.items():
        part = collector.part(
            f"{step}.{symbol}",
            lambda: build_object(cls, read_object(values)),  # noqa: B023 - called at once
        )
        if part is not None:
            parts[symbol] = part
    return parts


# -- what is refused -------------------------------------------------------------------
def _require(collector: Collector, fields: _Fields, *names: str) -> None:
    for name in names:
        if name not in fields:
            collector.add(f".{name}", "missing")


def _check_version(collector: Collector, fields: _Fields) -> None:
    version = fields.get("version")
    if _is_number(version) and version < 0:
        collector.add(".version", f"must be >= 0, got {shown(version)}")


def _check_words(
    collector: Collector, fields: _Fields, name: str, words: Sequence[str]
) -> None:
    value = fields.get(name)
    if isinstance(value, str) and value not in words:
        error = expected(" or ".join(words), value)
        collector.found += [(f".{name}", message) for _, message in error.found]


def _check_limits(collector: Collector, values: _Fields) -> None:
    lot = _inner(values, "trade_config", "lot_size")
    if _is_number(lot) and not lot > 0:
        collector.add(".trade_config.lot_size", f"must be > 0, got {shown(lot)}")
    for name in ("daily_dd_limit_percent", "max_account_dd_percent"):
        limit = _inner(values, "risk_config", name)
        if _is_number(limit) and not 0 < limit <= _MAX_PERCENT:
            message = f"must be > 0 and <= 100, got {shown(limit)}"
            collector.add(f".risk_config.{name}", message)


def _inner(values: _Fields, table: str, name: str) -> object:
    fields = values.get(table)
    return cast("_Fields", fields).get(name) if isinstance(fields, dict) else None


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


# -- what is applied around ------------------------------------------------------------
def _warn_unknown(path: str, fields: _Fields, known: Iterable[str]) -> list[str]:
    names = list(known)
    return [
        f"{path}.{name}: unknown, ignored{suggestion(name, names)}"
        for name in fields
        if name not in names
    ]


def _warn_missing(
    path: str, fields: _Fields, defaults: object, names: Iterable[str]
) -> list[str]:
    return [
        f"{path}.{name}: missing, {shown(getattr(defaults, name))} is used"
        for name in names
        if name not in fields
    ]


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
