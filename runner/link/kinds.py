"""What differs between the trade config and a strategy's config."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import attrs

from runner.core.config_flow import Identity
from runner.link.events import (
    LinkEvent,
    Origin,
    StrategyConfigStaged,
    TradeConfigStaged,
)
from runner.ports import ConfigServer, Fetched
from runner.serde import structure_strategy_config, structure_trade_config
from runner.serde.identities import identify_strategy_config, identify_trade_config
from runner.strategy import Parameters
from runner.wire.acks import TRADE_FIELD, strategy_field

Ask = Callable[[ConfigServer], Fetched]


@attrs.frozen(kw_only=True)
class Checked:
    """A body that can be applied.

    Attributes:
        body: The parsed JSON as it came.
        version: Its version.
        warnings: What is applied around.
        stage: Makes the event that hands it to the loop.
    """

    body: Any
    version: int
    warnings: tuple[str, ...]
    stage: Callable[[Origin, datetime | None], LinkEvent]


@attrs.frozen(kw_only=True)
class ConfigKind:
    """One kind of config.

    Attributes:
        name: The scope: ``trade`` or ``strategy:{id}``.
        ask: How the server is asked.
        identify: Says which config a body is.
        check: Structures a body; ConfigErrors or ForeignBodyError if it cannot be.
    """

    name: str
    ask: Ask
    identify: Callable[[Any], Identity]
    check: Callable[[Any], Checked]


def trade_kind(account: str) -> ConfigKind:
    """Describe the trade config."""

    def check(body: Any) -> Checked:
        config, warnings = structure_trade_config(body, account)

        def stage(origin: Origin, saved_at: datetime | None) -> LinkEvent:
            return TradeConfigStaged(
                config=config,
                warnings=warnings,
                origin=origin,
                saved_at=saved_at,
                body=body,
            )

        return Checked(
            body=body, version=config.version, warnings=warnings, stage=stage
        )

    return ConfigKind(
        name=TRADE_FIELD,
        ask=lambda server: server.trade_config(account),
        identify=identify_trade_config,
        check=check,
    )


def strategy_kind(
    account: str,
    strategy_id: int,
    find_parameters: Callable[[str], type[Parameters] | None],
) -> ConfigKind:
    """Describe one strategy's config."""

    def check(body: Any) -> Checked:
        config, warnings = structure_strategy_config(body, strategy_id, find_parameters)

        def stage(origin: Origin, saved_at: datetime | None) -> LinkEvent:
            return StrategyConfigStaged(
                strategy_id=strategy_id,
                config=config,
                warnings=warnings,
                origin=origin,
                saved_at=saved_at,
                body=body,
            )

        return Checked(
            body=body, version=config.version, warnings=warnings, stage=stage
        )

    return ConfigKind(
        name=strategy_field(strategy_id),
        ask=lambda server: server.strategy_config(account, strategy_id),
        identify=identify_strategy_config,
        check=check,
    )
