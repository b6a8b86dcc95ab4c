"""Orders from a strategy's wish to the broker's answer, and what results from them."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from datetime import datetime

import attrs

from runner.core.settings import EMPTY
from runner.core.trading_state import PAUSING, TradingState


class Side(enum.Enum):
    """The direction of an order or a position."""

    BUY = "buy"
    SELL = "sell"

    @property
    def opposite(self) -> Side:
        """The side that closes this one."""
        return Side.SELL if self is Side.BUY else Side.BUY


class Action(enum.Enum):
    """What an intent asks for."""

    OPEN = "open"
    """A market order that may increase exposure."""
    PLACE = "place"
    """A pending order, which may increase exposure once its price is reached."""
    CLOSE = "close"
    """Close one position, or every position of the strategy in the symbol."""
    PROTECT = "protect"
    """Move a position's stop loss and take profit."""
    CANCEL = "cancel"
    """Remove a pending order."""


class PendingKind(enum.Enum):
    """What a pending order waits for."""

    LIMIT = "limit"
    """A better price."""
    STOP = "stop"
    """A worse price: the market going through it."""
    STOP_LIMIT = "stop_limit"
    """A worse price, at which a limit order is placed."""


ENTRIES = frozenset({Action.OPEN, Action.PLACE})
"""The actions that could raise exposure, now or later."""


def _positive(
    instance: object, attribute: attrs.Attribute[float | None], value: float | None
) -> None:
    if value is not None and not 0 < value < math.inf:
        raise ValueError(f"{attribute.name}: must be > 0 and finite, got {value!r}")


@attrs.frozen(slots=True, kw_only=True)
class OrderIntent:
    """What a strategy wants, before any check.

    Distances are in points from the quote at which the order is sent: from the ask
    for a buy, from the bid for a sell (architecture, decision 10).

    Attributes:
        strategy: Class name of the strategy that wants it.
        strategy_id: The server's id of that strategy.
        symbol: The broker's spelling.
        action: Open, place, close, cancel, or move protection.
        side: Direction of an opening or of a pending order; None for the others.
        volume: In lots; None leaves the size to the sizing plugin (opening) or means
            the whole position (closing).
        stop_loss: Distance in points; None for no stop.
        take_profit: Distance in points; None for no target.
        ticket: The position meant by CLOSE or PROTECT, the order meant by CANCEL; None
            means all of this strategy's in *symbol*.
        stop_loss_price: New stop for PROTECT, as a price; None keeps the present one.
        take_profit_price: New target for PROTECT, as a price; None keeps it.
        kind: LIMIT or STOP for PLACE; None for the other actions.
        price: For PLACE: at which it is filled; distances count from it.
        expires_at: For PLACE: when it lapses, UTC-aware; None for never.
        reason: A few words for logs and reports.
    """

    strategy: str
    symbol: str
    action: Action
    strategy_id: int | None = None
    side: Side | None = None
    volume: float | None = attrs.field(default=None, validator=_positive)
    stop_loss: float | None = attrs.field(default=None, validator=_positive)
    take_profit: float | None = attrs.field(default=None, validator=_positive)
    ticket: int | None = None
    stop_loss_price: float | None = attrs.field(default=None, validator=_positive)
    take_profit_price: float | None = attrs.field(default=None, validator=_positive)
    kind: PendingKind | None = None
    price: float | None = attrs.field(default=None, validator=_positive)
    expires_at: datetime | None = None
    reason: str = ""

    def __attrs_post_init__(self) -> None:
        if self.increases_exposure != (self.side is not None):
            raise ValueError("side: an opening needs one, other actions take none")
        is_pending = self.action is Action.PLACE
        if is_pending != (self.kind is not None) or is_pending != bool(self.price):
            raise ValueError(
                "kind, price: a pending order needs both, other actions take none"
            )
        if self.kind is PendingKind.STOP_LIMIT:
            raise ValueError("kind: expected LIMIT or STOP, got STOP_LIMIT")
        if self.expires_at is not None and (
            not is_pending or self.expires_at.tzinfo is None
        ):
            raise ValueError("expires_at: a pending order's, and UTC-aware")

    @property
    def increases_exposure(self) -> bool:
        """Whether carrying it out could raise the account's exposure."""
        return self.action in ENTRIES


@attrs.frozen(slots=True)
class Deny:
    """A guard's no.

    Attributes:
        code: ``UPPER_SNAKE`` reason code, listed in the docs.
        detail: Figures for a person, such as ``used=5.1% limit=5.0%``.
        state: What the account is in while `check_trading` answers so: REDUCING, or
            LATCHED where only a person or a reset ends it.
    """

    code: str
    detail: str = ""
    state: TradingState = attrs.field(
        default=TradingState.REDUCING, validator=attrs.validators.in_(PAUSING)
    )

    def __str__(self) -> str:
        """Return the code and its figures on one line."""
        return f"{self.code}: {self.detail}" if self.detail else self.code


@attrs.frozen(slots=True)
class Denial:
    """A no together with the plugin that said it."""

    plugin: str
    deny: Deny

    def __str__(self) -> str:
        """Return who said no and why."""
        return f"{self.plugin}: {self.deny}"


def _prices(instance: object, attribute: object, protect: Mapping[int, float]) -> None:
    for ticket, price in protect.items():
        if not 0 < price < math.inf:
            raise ValueError(f"protect: {ticket}: expected a price, got {price!r}")


@attrs.frozen(slots=True, kw_only=True)
class Demand:
    """What a guard wants closed, cancelled or protected, whatever strategies want.

    It stands for as long as the guard repeats it, and is tried again until it is done.

    Attributes:
        code: ``UPPER_SNAKE`` reason code, listed in the docs.
        detail: Figures for a person.
        close: Tickets of positions to close wholly.
        cancel: Tickets of pending orders to remove.
        protect: Position ticket to the price at which its stop shall stand.
    """

    code: str
    detail: str = ""
    close: tuple[int, ...] = ()
    cancel: tuple[int, ...] = ()
    protect: Mapping[int, float] = attrs.field(default=EMPTY, validator=_prices)

    def __str__(self) -> str:
        """Return the code and its figures on one line."""
        return f"{self.code}: {self.detail}" if self.detail else self.code


@attrs.frozen(slots=True, kw_only=True)
class OrderRequest:
    """An approved intent with a size, ready for the broker.

    Attributes:
        token: Short unique mark of this intent, carried in the order's comment.
        magic: Number that marks the strategy's own orders and positions.
        symbol: The broker's spelling.
        action: Open, place, close, cancel, or move protection.
        side: Direction of the deal (a close carries the closing side).
        volume: In lots, a multiple of the symbol's step; 0 for PROTECT and CANCEL.
        stop_loss: Distance in points (OPEN, PLACE); None for none.
        take_profit: Distance in points (OPEN, PLACE); None for none.
        ticket: The position that CLOSE or PROTECT is about, or the order to CANCEL.
        stop_loss_price: For PROTECT: the stop that shall stand; None for none.
        take_profit_price: For PROTECT: the target that shall stand; None for none.
        kind: For PLACE: LIMIT or STOP.
        price: For PLACE: at which it shall be filled; distances count from it.
        expires_at: For PLACE: when it lapses, UTC-aware; None for never.
        strategy: Class name of the strategy behind it.
        placed_at: The market's time when it was approved, UTC-aware; it is looked for
            from then on. None where that is not known.
    """

    token: str
    magic: int
    symbol: str
    action: Action
    side: Side
    volume: float
    stop_loss: float | None = None
    take_profit: float | None = None
    ticket: int | None = None
    stop_loss_price: float | None = None
    take_profit_price: float | None = None
    kind: PendingKind | None = None
    price: float | None = None
    expires_at: datetime | None = None
    strategy: str = ""
    placed_at: datetime | None = None


class Outcome(enum.Enum):
    """What became of an order request."""

    FILLED = "filled"
    """Executed, wholly or in part (see the volume)."""
    PLACED = "placed"
    """It waits for its price, as a pending order of that ticket."""
    REJECTED = "rejected"
    """The broker or the terminal said no; nothing changed."""
    UNKNOWN = "unknown"
    """No trustworthy answer: look it up before anything is sent again."""
    NOT_SENT = "not_sent"
    """It never left this machine."""


@attrs.frozen(slots=True, kw_only=True)
class OrderResult:
    """What came back for an order request.

    Attributes:
        token: The request's mark.
        outcome: What became of it.
        retcode: The terminal's return code; 0 where there was none.
        message: The terminal's words, or ours where it had none.
        ticket: Of the position (opening, closing) or of the pending order; 0 if none.
        volume: Lots executed.
        price: Price executed at; 0.0 if none.
        stop_loss: Stop that stands, as a price; 0.0 for none.
        take_profit: Target that stands, as a price; 0.0 for none.
    """

    token: str
    outcome: Outcome
    retcode: int = 0
    message: str = ""
    ticket: int = 0
    volume: float = 0.0
    price: float = 0.0
    stop_loss: float = 0.0
    take_profit: float = 0.0


@attrs.frozen(slots=True, kw_only=True)
class Position:
    """An open position as the terminal shows it.

    Attributes:
        ticket: The terminal's number for it.
        symbol: The broker's spelling.
        side: BUY is long, SELL is short.
        volume: In lots.
        opened_at: UTC-aware.
        open_price: Average price of entry.
        stop_loss: As a price; 0.0 for none.
        take_profit: As a price; 0.0 for none.
        profit: Floating profit, account currency, without swap.
        swap: Accrued swap, account currency.
        magic: Number of the strategy that owns it; 0 for manual ones.
        comment: The order's comment.
    """

    ticket: int
    symbol: str
    side: Side
    volume: float
    opened_at: datetime
    open_price: float
    stop_loss: float = 0.0
    take_profit: float = 0.0
    profit: float = 0.0
    swap: float = 0.0
    magic: int = 0
    comment: str = ""


@attrs.frozen(slots=True, kw_only=True)
class PendingOrder:
    """An order that waits for its price, as the terminal shows it.

    Attributes:
        ticket: The terminal's number for it.
        symbol: The broker's spelling.
        side: The direction of what it would open.
        kind: What it waits for.
        volume: In lots, what is not filled yet.
        price: At which it is filled or, for STOP_LIMIT, placed as a limit order.
        placed_at: UTC-aware.
        stop_loss: As a price; 0.0 for none.
        take_profit: As a price; 0.0 for none.
        magic: Number of the strategy that owns it; 0 for manual ones.
        comment: The order's comment.
    """

    ticket: int
    symbol: str
    side: Side
    kind: PendingKind
    volume: float
    price: float
    placed_at: datetime
    stop_loss: float = 0.0
    take_profit: float = 0.0
    magic: int = 0
    comment: str = ""


class ExitReason(enum.Enum):
    """Why a position was closed."""

    STOP_LOSS = "stop_loss"
    TAKE_PROFIT = "take_profit"
    SIGNAL = "signal"
    STOP_OUT = "stop_out"
    MANUAL = "manual"
    END = "end"


@attrs.frozen(slots=True, kw_only=True)
class Deal:
    """An executed deal from the account's history.

    Attributes:
        ticket: The deal's own number.
        position_id: The position that it opened, changed or closed; 0 for balance.
        symbol: Empty for balance operations.
        side: Direction of the deal; None for balance operations.
        is_entry: Whether it opened or increased a position.
        is_balance: Deposit, withdrawal, credit and the like: no result of trading.
        is_credit: Of these, one that moves the credit and not the balance.
        volume: In lots.
        price: Executed price.
        time: UTC-aware.
        profit: Account currency.
        costs: Swap, commission and fee, account currency (negative is a cost).
        magic: Number of the strategy that caused it.
        exit_reason: Why it closed a position; None if it did not.
        comment: The deal's comment.
    """

    ticket: int
    position_id: int
    symbol: str
    side: Side | None
    is_entry: bool
    volume: float
    price: float
    time: datetime
    profit: float
    costs: float = 0.0
    magic: int = 0
    is_balance: bool = False
    is_credit: bool = False
    exit_reason: ExitReason | None = None
    comment: str = ""
