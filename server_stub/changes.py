"""What an administrator sends, turned into records: whole, valid, or refused whole."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import attrs

from runner.wire.documents import SERVER_NAMES, SUCCESS
from server_stub.checks import got, integer, suggestion
from server_stub.patch import patched
from server_stub.records import (
    ACCOUNT_DEFAULTS,
    STRATEGY_DEFAULTS,
    AccountRecord,
    StrategyRecord,
)
from server_stub.validation import (
    ACCOUNT,
    STRATEGY,
    account_errors,
    canonical_account,
    canonical_strategy,
    strategy_errors,
)
from server_stub.versions import next_strategy_version, next_trade_version, same

_ACCOUNT_ID_DIGITS = 18
_KEY_LENGTH = 200
_ACCOUNT_ALIASES = {"active_bot": SERVER_NAMES["active_bot"]}
_STRATEGY_ALIASES = {
    name: SERVER_NAMES[name] for name in ("current_parameters", "status")
}

NameOf = Callable[[int], str | None]
"""Strategy id to its display name; None if there is none such."""


class RefusedError(ValueError):
    """What was sent is not stored, not even in part.

    Attributes:
        errors: A line for every error, each with its path.
    """

    def __init__(self, errors: Sequence[str]) -> None:
        super().__init__("; ".join(errors))
        self.errors = tuple(errors)


@attrs.frozen(slots=True, kw_only=True)
class AccountChange:
    """An account as it shall be.

    Attributes:
        record: The account.
        api_key: The key that shall open it; None leaves the present one.
        key_was_made: Whether *api_key* was made up here.
    """

    record: AccountRecord
    api_key: str | None = attrs.field(default=None, repr=False)
    key_was_made: bool = False


def new_account(sent: Any, name_of: NameOf) -> AccountChange:
    """Return the account that *sent* describes.

    Args:
        sent: A JSON object: ``mt5_account_id``, perhaps ``api_key`` and ``version``,
            and any field of the trade config's body.
        name_of: Names of strategies, for ``active_bot_name``.

    Raises:
        RefusedError: With everything wrong in it.
    """
    fields, errors = _fields(sent, _ACCOUNT_ALIASES)
    account_id = _account_id(fields.pop("mt5_account_id", None), errors)
    version = _first_version(fields.pop("version", 1), errors)
    api_key = _api_key(fields, errors)
    document = _account_document(ACCOUNT_DEFAULTS, fields, name_of, errors)
    record = AccountRecord(
        mt5_account_id=account_id, version=version, document=document
    )
    if api_key is not None:
        return AccountChange(record=record, api_key=api_key)
    made = secrets.token_urlsafe(24)
    return AccountChange(record=record, api_key=made, key_was_made=True)


def edited_account(record: AccountRecord, sent: Any, name_of: NameOf) -> AccountChange:
    """Return what a PATCH makes of an account; arguments as for :func:`new_account`.

    Raises:
        RefusedError: With everything wrong in it.
    """
    fields, errors = _fields(sent, _ACCOUNT_ALIASES)
    errors += _fixed(
        fields,
        mt5_account_id=(record.mt5_account_id, int(record.mt5_account_id)),
        version=(record.version,),
    )
    api_key = _api_key(fields, errors)
    document = _account_document(record.document, fields, name_of, errors)
    version = next_trade_version(record.version, record.document, document)
    return AccountChange(
        record=attrs.evolve(record, version=version, document=document),
        api_key=api_key,
    )


def new_strategy(sent: Any, next_id: int) -> StrategyRecord:
    """Return the strategy that *sent* describes.

    Args:
        sent: A JSON object: perhaps ``id`` and ``version``, and any field of the
            strategy config's body.
        next_id: The id of one that names none.

    Raises:
        RefusedError: With everything wrong in it.
    """
    fields, errors = _fields(sent, _STRATEGY_ALIASES)
    ids = [fields.pop(name) for name in ("id", "bot_strategy_id") if name in fields]
    strategy_id = ids[0] if ids else next_id
    errors += integer(above=0)("$.id", strategy_id)
    if len(ids) > 1 and not same(*ids):
        errors.append("$.bot_strategy_id: must be the same as id, send one of them")
    version = _first_version(fields.pop("version", 1), errors)
    document = _strategy_document(_strategy_defaults(fields), fields, None, errors)
    return StrategyRecord(strategy_id=strategy_id, version=version, document=document)


def edited_strategy(record: StrategyRecord, sent: Any) -> StrategyRecord:
    """Return what a PATCH makes of a strategy.

    Raises:
        RefusedError: With everything wrong in it.
    """
    fields, errors = _fields(sent, _STRATEGY_ALIASES)
    errors += _fixed(
        fields,
        id=(record.strategy_id,),
        bot_strategy_id=(record.strategy_id,),
        version=(record.version,),
    )
    stored = record.document["parameters_by_symbol"]
    document = _strategy_document(record.document, fields, stored, errors)
    version = next_strategy_version(record.version, record.document, document)
    return attrs.evolve(record, version=version, document=document)


def _fields(sent: Any, aliases: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    if not isinstance(sent, dict):
        raise RefusedError([f"$: must be an object, got {got(sent)}"])
    fields: dict[str, Any] = {}
    errors: list[str] = []
    for name, value in cast("dict[str, Any]", sent).items():
        if name == "status" and value == SUCCESS:
            continue  # the seed's bodies say so; a whole body may be sent back
        head, dot, rest = name.partition(".")
        meant = f"{aliases.get(head, head)}{dot}{rest}"
        if meant in fields:
            errors.append(f"$.{meant}: sent twice, also as {name}")
        fields[meant] = value
    return fields, errors


def _account_document(
    stored: Mapping[str, Any],
    fields: Mapping[str, Any],
    name_of: NameOf,
    errors: list[str],
) -> dict[str, Any]:
    errors += _unknown(fields, ACCOUNT, ("mt5_account_id", "api_key", "version"))
    document, more = patched(stored, _known(fields, ACCOUNT))
    errors += more
    errors += account_errors(document)
    if errors:
        raise RefusedError(errors)
    if "active_bot_id" in fields and "active_bot_name" not in fields:
        active = document["active_bot_id"]
        document["active_bot_name"] = None if active is None else name_of(active)
    return canonical_account(document)


def _strategy_document(
    stored: Mapping[str, Any],
    fields: Mapping[str, Any],
    parameters: Any,
    errors: list[str],
) -> dict[str, Any]:
    errors += _unknown(fields, STRATEGY, ("id", "bot_strategy_id", "version"))
    document, more = patched(stored, _known(fields, STRATEGY))
    errors += more
    errors += strategy_errors(document, parameters)
    if errors:
        raise RefusedError(errors)
    return canonical_strategy(document)


def _strategy_defaults(fields: Mapping[str, Any]) -> dict[str, Any]:
    parameters = fields.get("parameters_by_symbol")
    name = fields.get("bot_strategy_class")
    symbols = (
        list(cast("dict[str, Any]", parameters)) if isinstance(parameters, dict) else []
    )
    return {
        **STRATEGY_DEFAULTS,
        "bot_strategy_name": name if isinstance(name, str) else "",
        "allowed_symbols": symbols,
    }


def _known(fields: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value for name, value in fields.items() if name.partition(".")[0] in known
    }


def _unknown(
    fields: Mapping[str, Any], known: Mapping[str, Any], others: Sequence[str]
) -> Iterator[str]:
    for name in fields:
        head = name.partition(".")[0]
        if head not in known:
            advice = suggestion(head, (*known, *others))
            yield f"$.{head}: unknown field; {advice}"


def _fixed(fields: dict[str, Any], **values: tuple[Any, ...]) -> Iterator[str]:
    for name, allowed in values.items():
        if name in fields:
            value = fields.pop(name)
            if not any(same(value, right) for right in allowed):
                yield (
                    f"$.{name}: cannot be set, it is {got(allowed[0])}; "
                    f"got {got(value)}"
                )


def _account_id(value: Any, errors: list[str]) -> str:
    digits = str(value) if isinstance(value, int | str) else ""
    if digits.isascii() and digits.isdigit() and len(digits) <= _ACCOUNT_ID_DIGITS:
        return str(int(digits))
    errors.append(
        f"$.mt5_account_id: must be an account number such as 123456, got {got(value)}"
    )
    return "0"


def _first_version(value: Any, errors: list[str]) -> int:
    errors += integer(above=0, high=10**15)("$.version", value)
    return value if isinstance(value, int) else 1


def _api_key(fields: dict[str, Any], errors: list[str]) -> str | None:
    if "api_key" not in fields:
        return None
    value = fields.pop("api_key")
    if (
        isinstance(value, str)
        and value.isascii()
        and value.isprintable()
        and " " not in value
        and 0 < len(value) <= _KEY_LENGTH
    ):
        return value
    # The value itself is a secret, also where it is wrong.
    errors.append("$.api_key: must be 1 to 200 printable ASCII characters, no blanks")
    return None
