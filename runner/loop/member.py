"""One strategy on the account."""

from __future__ import annotations

import attrs

from runner.core.orders import Deny
from runner.core.settings import StrategyConfig, TradeConfig
from runner.host.strategies import HostedStrategy
from runner.loop.context import Context


@attrs.define(kw_only=True)
class Member:
    """One strategy on the account.

    Attributes:
        strategy_id: The server's id.
        hosted: The instance, isolated.
        context: What it sees.
        config: The config that it runs on.
        warm_up: Symbol to the closed bars that must be known before it decides.
        tradable: Symbols of its config that the broker has.
        is_leaving: Whether it only manages what it still holds.
    """

    strategy_id: int
    hosted: HostedStrategy
    context: Context
    config: StrategyConfig
    warm_up: dict[str, int] = attrs.field(factory=dict[str, int])
    tradable: frozenset[str] = frozenset()
    is_leaving: bool = False

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every symbol that it gets bars and quotes of."""
        return tuple(self.context.parameters)

    def may_enter(self, symbol: str) -> bool:
        """Whether its config lets it open positions in *symbol*."""
        return symbol in self.config.allowed_symbols and symbol in self.tradable

    def against_entry(self, symbol: str, config: TradeConfig) -> list[Deny]:
        """List what the server's configs say against an opening.

        Args:
            symbol: Where.
            config: The trade config in force.
        """
        found: list[Deny] = []
        if self.is_leaving:
            found.append(Deny("STRATEGY_NOT_ACTIVE", "the server chose another one"))
        if self.config.bot_status != "ACTIVE":
            found.append(Deny("STRATEGY_PAUSED", self.config.bot_status))
        if symbol not in config.trade_config.enabled_symbols:
            found.append(Deny("SYMBOL_NOT_ENABLED", symbol))
        if not self.may_enter(symbol):
            found.append(Deny("SYMBOL_NOT_ALLOWED", symbol))
        return found

    @property
    def held(self) -> list[str]:
        """Every symbol in which it may hold something, unknown counting as held."""
        return self.context.held(self.symbols)
