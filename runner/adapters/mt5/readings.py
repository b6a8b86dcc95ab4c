"""The terminal's structures as our values."""

from __future__ import annotations

from runner.adapters.mt5 import terminal as mt5
from runner.adapters.mt5.server_time import ServerTime
from runner.adapters.mt5.structs import (
    AccountInfo,
    TerminalInfo,
    TradeDeal,
    TradeOrder,
    TradePosition,
)
from runner.core.account import Account
from runner.core.orders import (
    Deal,
    ExitReason,
    PendingKind,
    PendingOrder,
    Position,
    Side,
)

_PLAY_MONEY = {mt5.ACCOUNT_TRADE_MODE_DEMO, mt5.ACCOUNT_TRADE_MODE_CONTEST}
_TRADES = {mt5.DEAL_TYPE_BUY: Side.BUY, mt5.DEAL_TYPE_SELL: Side.SELL}
_BALANCE_OPERATIONS = {
    mt5.DEAL_TYPE_BALANCE,
    mt5.DEAL_TYPE_CREDIT,
    mt5.DEAL_TYPE_CORRECTION,
    mt5.DEAL_TYPE_BONUS,
}
_PENDING = {
    mt5.ORDER_TYPE_BUY_LIMIT: (Side.BUY, PendingKind.LIMIT),
    mt5.ORDER_TYPE_SELL_LIMIT: (Side.SELL, PendingKind.LIMIT),
    mt5.ORDER_TYPE_BUY_STOP: (Side.BUY, PendingKind.STOP),
    mt5.ORDER_TYPE_SELL_STOP: (Side.SELL, PendingKind.STOP),
    mt5.ORDER_TYPE_BUY_STOP_LIMIT: (Side.BUY, PendingKind.STOP_LIMIT),
    mt5.ORDER_TYPE_SELL_STOP_LIMIT: (Side.SELL, PendingKind.STOP_LIMIT),
}
_ENTRIES = {mt5.DEAL_ENTRY_IN, mt5.DEAL_ENTRY_INOUT}
_EXIT_REASONS = {
    mt5.DEAL_REASON_SL: ExitReason.STOP_LOSS,
    mt5.DEAL_REASON_TP: ExitReason.TAKE_PROFIT,
    mt5.DEAL_REASON_SO: ExitReason.STOP_OUT,
    mt5.DEAL_REASON_EXPERT: ExitReason.SIGNAL,
}
_MONEY_DECIMALS = 8
"""Removes the binary noise of a sum, and nothing that a currency has."""


def obstacles(account: AccountInfo, terminal: TerminalInfo) -> tuple[str, ...]:
    """Return which switches keep orders from passing, and what a person can do."""
    found: list[str] = []
    if not terminal.trade_allowed:
        found.append(
            "algorithmic trading is off: press the terminal's Algo Trading button"
        )
    if terminal.tradeapi_disabled:
        found.append(
            "Python may not trade: in Tools > Options > Expert Advisors clear "
            '"Disable algorithmic trading via external Python API"'
        )
    if not account.trade_allowed:
        found.append(
            "the account may not trade: log in with the master password, not the "
            "investor's"
        )
    if not account.trade_expert:
        found.append(
            "the broker allows this account no algorithmic trading: ask the broker"
        )
    return tuple(found)


def account_from(info: AccountInfo, terminal: TerminalInfo) -> Account:
    """Return the account as a value."""
    return Account(
        login=info.login,
        server=info.server,
        currency=info.currency,
        balance=info.balance,
        equity=info.equity,
        credit=info.credit,
        margin=info.margin,
        margin_free=info.margin_free,
        leverage=info.leverage,
        is_hedging=info.margin_mode == mt5.ACCOUNT_MARGIN_MODE_RETAIL_HEDGING,
        # Anything that is not known to be play money is real.
        is_demo=info.trade_mode in _PLAY_MONEY,
        trade_allowed=terminal.connected and not obstacles(info, terminal),
        is_linked=terminal.connected,
    )


def side_of(position: TradePosition) -> Side:
    """Return BUY for a long position, SELL for a short one."""
    return Side.BUY if position.type == mt5.POSITION_TYPE_BUY else Side.SELL


def position_from(info: TradePosition, symbol: str, time: ServerTime) -> Position:
    """Return a position as a value.

    Args:
        info: As the terminal shows it.
        symbol: Our name of its symbol.
        time: The server's clock.
    """
    return Position(
        ticket=info.ticket,
        symbol=symbol,
        side=side_of(info),
        volume=info.volume,
        opened_at=time.utc_ms(info.time_msc),
        open_price=info.price_open,
        stop_loss=info.sl,
        take_profit=info.tp,
        profit=info.profit,
        swap=info.swap,
        magic=info.magic,
        comment=info.comment,
    )


def pending_from(
    info: TradeOrder, symbol: str, time: ServerTime
) -> PendingOrder | None:
    """Return a pending order as a value; None for an order that waits for no price.

    A market order shows among the working ones for as long as the server works on it.

    Args:
        info: As the terminal shows it.
        symbol: Our name of its symbol.
        time: The server's clock.
    """
    known = _PENDING.get(info.type)
    if known is None:
        return None
    side, kind = known
    return PendingOrder(
        ticket=info.ticket,
        symbol=symbol,
        side=side,
        kind=kind,
        volume=info.volume_current,
        price=info.price_open,
        placed_at=time.utc_ms(info.time_setup_msc),
        stop_loss=info.sl,
        take_profit=info.tp,
        magic=info.magic,
        comment=info.comment,
    )


def deal_from(info: TradeDeal, symbol: str, time: ServerTime) -> Deal:
    """Return a deal as a value.

    A deal that is neither a trade nor a balance operation (a charge, a commission
    booked alone, interest) has no side, closes nothing, and its profit counts.

    Args:
        info: As the terminal shows it.
        symbol: Our name of its symbol; empty for balance operations.
        time: The server's clock.
    """
    side = _TRADES.get(info.type)
    closes = side is not None and info.entry != mt5.DEAL_ENTRY_IN
    return Deal(
        ticket=info.ticket,
        position_id=info.position_id,
        symbol=symbol,
        side=side,
        is_entry=side is not None and info.entry in _ENTRIES,
        volume=info.volume,
        price=info.price,
        time=time.utc_ms(info.time_msc),
        profit=info.profit,
        costs=round(info.swap + info.commission + info.fee, _MONEY_DECIMALS),
        magic=info.magic,
        is_balance=info.type in _BALANCE_OPERATIONS,
        is_credit=info.type == mt5.DEAL_TYPE_CREDIT,
        exit_reason=_exit_reason(info.reason) if closes else None,
        comment=info.comment,
    )


def _exit_reason(reason: int) -> ExitReason:
    return _EXIT_REASONS.get(reason, ExitReason.MANUAL)
