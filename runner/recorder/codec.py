"""How the journal writes what the link tells, beside plain values.

A config is kept as the body that came, not as the object made of it: a replay makes the
object anew, with the defaults and validators that its own code has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from runner.link import LinkEvent, StrategyConfigStaged, TradeConfigStaged
from runner.serde import structure_strategy_config, structure_trade_config
from runner.serde.journal import JournalCodec
from runner.strategy import Parameters


def journal_codec(
    account: str, find_parameters: Callable[[str], type[Parameters] | None]
) -> JournalCodec:
    """Make the codec of one account's journal.

    Args:
        account: The account id that the server knows.
        find_parameters: The parameters class of a strategy class's name; None if no
            such strategy is installed.
    """

    def read_trade(fields: Mapping[str, Any]) -> TradeConfigStaged:
        config, warnings = structure_trade_config(fields["body"], account)
        return TradeConfigStaged(config=config, warnings=warnings, **_rest(fields))

    def read_strategy(fields: Mapping[str, Any]) -> StrategyConfigStaged:
        number = fields["strategy_id"]
        config, warnings = structure_strategy_config(
            fields["body"], number, find_parameters
        )
        return StrategyConfigStaged(
            strategy_id=number, config=config, warnings=warnings, **_rest(fields)
        )

    return JournalCodec(
        LinkEvent,
        {
            TradeConfigStaged: (_write_staged, read_trade),
            StrategyConfigStaged: (_write_strategy, read_strategy),
        },
    )


def _write_staged(event: TradeConfigStaged | StrategyConfigStaged) -> dict[str, Any]:
    if event.body is None:
        raise TypeError("a staged config without the body that it came from")
    saved_at = None if event.saved_at is None else event.saved_at.isoformat()
    return {"body": event.body, "origin": event.origin, "saved_at": saved_at}


def _write_strategy(event: StrategyConfigStaged) -> dict[str, Any]:
    return {"strategy_id": event.strategy_id, **_write_staged(event)}


def _rest(fields: Mapping[str, Any]) -> dict[str, Any]:
    saved_at = fields["saved_at"]
    return {
        "body": fields["body"],
        "origin": fields["origin"],
        "saved_at": None if saved_at is None else datetime.fromisoformat(saved_at),
    }
