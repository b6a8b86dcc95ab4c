"""Whether exposure may increase: every reason against it, each kept by its source.

The strictest wins (protocol, "Status that the bot obeys"). What is unknown counts as a
reason: without a configuration, an account reading or a lease nothing is opened.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

import attrs

from runner.core.account import Account
from runner.core.orders import Action, Denial, Deny, OrderIntent, Position, Side
from runner.core.settings import TradeConfig
from runner.core.status import PauseReason
from runner.core.trading_state import (
    PERMITTED,
    OrderPath,
    TradingState,
    strictest,
)
from runner.wire.commands import Command, CommandAction
from runner.wire.heartbeat import ServerHeartbeat

HOST = "runner"
"""The name under which the host itself denies."""
COMMAND = "command"
"""The source of a command's reason."""
_STARTING = frozenset({"NO_CONFIG", "LEFT_OPEN"})
"""Reasons that hold at the start until configuration and account are known."""


@attrs.frozen(slots=True, kw_only=True)
class Situation:
    """Everything that decides whether the account may increase its exposure.

    Attributes:
        wall: Wall-clock time, UTC-aware.
        config: The applied trade config; None before the first.
        server: The last server heartbeat seen, restrictive values sticky.
        command: The command in force; None for none.
        lease_held: Whether this runner owns the account; None without a lease.
        account: The latest reading; None while the account is unknown.
        config_confirmed_at: When the server last confirmed the configuration.
        max_config_age: Beyond this age of the configuration only exits go on.
        memory: Figures while the process holds too much memory; empty otherwise.
        guards: What the plugins' `check_trading` said.
    """

    wall: datetime
    config: TradeConfig | None = None
    server: ServerHeartbeat | None = None
    command: Command | None = None
    lease_held: bool | None = None
    account: Account | None = None
    config_confirmed_at: datetime | None = None
    max_config_age: timedelta = timedelta(hours=24)
    memory: str = ""
    guards: Sequence[Denial] = ()


def pause_reasons(situation: Situation) -> tuple[PauseReason, ...]:
    """List why exposure must not increase now.

    Args:
        situation: What is known at this instant.

    Returns:
        Every reason, by source; empty when entries are allowed.
    """
    return (
        *_from_config(situation),
        *_from_server(situation.server),
        *_from_command(situation.command),
        *_from_host(situation),
        *(
            PauseReason(said.plugin, said.deny.code, said.deny.detail, said.deny.state)
            for said in situation.guards
        ),
    )


def _from_config(situation: Situation) -> Iterable[PauseReason]:
    config = situation.config
    if config is None:
        yield PauseReason(HOST, "NO_CONFIG", "no trade config was ever applied")
        return
    if config.bot_status != "ACTIVE":
        yield PauseReason("config.bot_status", config.bot_status)
    if config.account_status != "ACTIVE":
        yield PauseReason("config.account_status", config.account_status)
    if config.subscription_status != "ACTIVE":
        yield PauseReason("config.subscription_status", config.subscription_status)
    expiry = config.subscription_expiry
    if expiry is not None and situation.wall >= expiry:
        yield PauseReason("config.subscription_expiry", "EXPIRED", expiry.isoformat())
    if config.dd_blocked:
        yield PauseReason(
            "config.dd_blocked", "DD_BLOCKED", config.dd_block_reason or ""
        )
    confirmed = situation.config_confirmed_at
    if confirmed is None or situation.wall - confirmed > situation.max_config_age:
        since = "never" if confirmed is None else f"since {confirmed.isoformat()}"
        yield PauseReason(HOST, "CONFIG_STALE", f"not confirmed by the server {since}")


def _from_server(server: ServerHeartbeat | None) -> Iterable[PauseReason]:
    if server is None:
        return
    for name in ("bot_status", "account_status", "subscription_status"):
        value = getattr(server, name)
        if value is not None and value != "ACTIVE":
            yield PauseReason(f"server.{name}", value)
    if server.dd_blocked:
        yield PauseReason(
            "server.dd_blocked", "DD_BLOCKED", server.dd_block_reason or ""
        )


def _from_command(command: Command | None) -> Iterable[PauseReason]:
    if command is not None and command.action is not CommandAction.RUN:
        is_latch = command.action is CommandAction.EMERGENCY_STOP
        state = TradingState.LATCHED if is_latch else TradingState.REDUCING
        yield PauseReason(COMMAND, command.action.value, command.reason, state)


def _from_host(situation: Situation) -> Iterable[PauseReason]:
    halted = TradingState.HALTED
    if situation.account is None:
        yield PauseReason(
            HOST, "ACCOUNT_UNKNOWN", "the terminal gives no reading", halted
        )
    elif not situation.account.trade_allowed:
        yield PauseReason(
            HOST,
            "TRADE_NOT_ALLOWED",
            "the terminal or the broker takes no orders",
            halted,
        )
    if situation.lease_held is False:
        yield PauseReason(HOST, "LEASE_LOST", "another runner may own this account")
    if situation.memory:
        yield PauseReason(HOST, "MEMORY_LIMIT", situation.memory)


def trading_state(
    reasons: Sequence[PauseReason], flattening: Collection[str] = ()
) -> TradingState:
    """Return what the account may do.

    Args:
        reasons: Why exposure must not increase.
        flattening: Who has something closed or cancelled at the moment. It makes the
            account FLATTENING only if the same source also gives a reason: a guard
            that closes one symbol before news does not stop the others.
    """
    states = [reason.state for reason in reasons]
    if any(reason.source in flattening for reason in reasons):
        states.append(TradingState.FLATTENING)
    return strictest(states)


def taken(
    positions: Iterable[Position], symbol: str, magic: int, *, is_hedging: bool
) -> bool:
    """Return whether a position of another would mix with one in *symbol*.

    A netting account holds one position a symbol; ours would look flat for ever.

    Args:
        positions: Of the account.
        symbol: Where one would be opened.
        magic: Of the strategy that would own it.
        is_hedging: Whether the account keeps positions of one symbol apart.
    """
    return not is_hedging and any(
        position.symbol == symbol and position.magic != magic for position in positions
    )


def against_waiting(
    reasons: Sequence[PauseReason], denials: Sequence[Deny], *, is_starting: bool
) -> str:
    """Return why an own pending order must not wait any longer; empty if it may.

    It could be filled at any moment, so it may wait only where an opening would be
    allowed.

    Args:
        reasons: Why exposure must not increase now.
        denials: What speaks against an opening of that strategy in that symbol.
        is_starting: Whether the configuration may still be on its way: that there is
            none yet is then no reason to remove what an earlier start placed.
    """
    for reason in reasons:
        if not (is_starting and reason.code in _STARTING):
            return reason.code
    return denials[0].code if denials else ""


def widens(intent: OrderIntent, positions: Iterable[Position], point: float) -> bool:
    """Return whether *intent* moves a stop away from the market.

    Then more can be lost than before, as by an opening.

    Args:
        intent: What a strategy wants.
        positions: That strategy's own.
        point: Price of one point of the intent's symbol; half of it is binary noise.
    """
    price = intent.stop_loss_price
    if intent.action is not Action.PROTECT or price is None:
        return False
    return any(
        (one.stop_loss - price) * (1 if one.side is Side.BUY else -1) > point / 2
        for one in positions
        if one.symbol == intent.symbol
        and intent.ticket in (None, one.ticket)
        and one.stop_loss
    )


def judge(
    intent: OrderIntent,
    *,
    reasons: Sequence[PauseReason],
    host: Sequence[Deny],
    guards: Sequence[Denial],
    is_widening: bool = False,
) -> tuple[Denial, ...]:
    """Combine every verdict on one intent; any denial wins.

    A reason denies the paths that its state closes (`runner.core.trading_state`), so
    an exit is denied by HALTED alone. It is never denied because a guard broke: failing
    closed means that exposure does not rise, and an exit lowers it.

    Args:
        intent: What the strategy wants.
        reasons: Why exposure must not increase now.
        host: The host's own denials of this intent.
        guards: What the plugins' guards said.
        is_widening: Whether it moves a stop away from the market; see `widens`.

    Returns:
        Every denial; empty when the intent is approved.
    """
    own = [Denial(HOST, deny) for deny in host]
    is_entry = intent.increases_exposure or is_widening
    path = OrderPath.ENTRY if is_entry else OrderPath.STRATEGY_EXIT
    closed = [
        Denial(reason.source, Deny(reason.code, reason.detail, reason.state))
        for reason in reasons
        if path not in PERMITTED[reason.state]
    ]
    if not is_entry:
        guards = [said for said in guards if said.deny.code != "GUARD_FAILED"]
    return (*closed, *own, *guards)
