"""Tells whether a record of the terminal is an order's own.

========================  =========================================================
the record's comment      it is the order's if
========================  =========================================================
holds the token           always
is cut or dropped, as     magic, symbol and kind are the order's, it is not older,
some brokers do           and its number is not known to be another order's
any other                 never
========================  =========================================================

Orders are sent one at a time, so what is left in doubt is another of the runner's own
orders a moment before, and with a magic number of 0 whatever a person does by hand.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from runner.adapters.mt5 import terminal as mt5
from runner.adapters.mt5.pending import PENDING_TYPES
from runner.adapters.mt5.server_time import ServerTime
from runner.adapters.mt5.structs import TradeDeal, TradeOrder, TradePosition
from runner.adapters.mt5.symbols import Symbols
from runner.core.orders import Action, OrderRequest, Side
from runner.ports import Clock

_SLACK_MS = 1000
_REMEMBERED = 500
"""Orders whose numbers are kept: many more than can be sent in a second."""
_DAY = timedelta(days=1)


class Traces:
    """Remembers what was sent when, and which orders are told already.

    Args:
        symbols: For our names of symbols.
        time: The server's clock.
        clock: This machine's, to know when the server's clock was set back.
    """

    def __init__(self, symbols: Symbols, time: ServerTime, clock: Clock) -> None:
        self._symbols = symbols
        self._time = time
        self._clock = clock
        self._sent_ms: dict[str, int] = {}
        self._owners: dict[int, str] = {}

    def sent(self, token: str, wall_ms: int) -> None:
        """Remember when an order was first sent, on the server's clock."""
        self._sent_ms.setdefault(token, wall_ms)

    def settled(self, token: str) -> None:
        """Forget when an order was sent whose outcome is known."""
        self._sent_ms.pop(token, None)

    def own(self, token: str, numbers: Iterable[int]) -> None:
        """Remember that the orders of these *numbers* (0 is none) are *token*'s."""
        for number in numbers:
            if number:
                self._owners.setdefault(number, token)
        while len(self._owners) > _REMEMBERED:
            del self._owners[next(iter(self._owners))]

    def is_position(self, request: OrderRequest, position: TradePosition) -> bool:
        """Say whether *request* opened *position*."""
        return self._is_ours(
            request,
            position,
            position.time_msc,
            position.identifier,
            is_kind=position.type == _deal_type(request),
        )

    def is_order(
        self, request: OrderRequest, order: TradeOrder, position: int = 0
    ) -> bool:
        """Say whether *order* came of *request*.

        Args:
            request: What was asked for.
            order: A working order, or a done one.
            position: Identifier of the position that *request* closes; 0 for none.
        """
        # A position is set to an order when it is executed (MQL5 reference,
        # ORDER_POSITION_ID); before, it may be 0.
        is_about_it = not position or order.position_id in {0, position}
        return self._is_ours(
            request,
            order,
            order.time_setup_msc,
            order.ticket,
            is_kind=order.type == _order_type(request) and is_about_it,
        )

    def is_deal(self, request: OrderRequest, deal: TradeDeal) -> bool:
        """Say whether *deal* came of *request*."""
        return self._is_ours(
            request,
            deal,
            deal.time_msc,
            deal.order,
            is_kind=deal.type == _deal_type(request),
        )

    def _is_ours(
        self,
        request: OrderRequest,
        record: TradePosition | TradeOrder | TradeDeal,
        time_msc: int,
        number: int,
        *,
        is_kind: bool,
    ) -> bool:
        if request.token in record.comment:
            return True
        since = self._since_ms(request)
        return (
            is_kind
            and since is not None
            and time_msc >= since - _SLACK_MS
            and record.magic == request.magic
            and self._symbols.name(record.symbol) == request.symbol
            and request.token.startswith(record.comment)
            and self._owners.get(number, request.token) == request.token
        )

    def _since_ms(self, request: OrderRequest) -> int | None:
        """Return when *request* was sent, as the earliest that a record may show."""
        placed_at, sent_ms = request.placed_at, self._sent_ms.get(request.token)
        if placed_at is None:
            return sent_ms
        if sent_ms is None:
            sent_ms = self._time.wall(placed_at) * 1000
        # In autumn the server's clock shows an hour twice: what is executed after the
        # change is dated before what was sent before it.
        offset = self._time.zone.offset_at
        present = max(self._clock.now(), placed_at)
        set_back = offset(int(placed_at.timestamp())) - offset(int(present.timestamp()))
        is_recent = present - placed_at < _DAY
        return sent_ms - set_back * 1000 if set_back > 0 and is_recent else sent_ms


def _deal_type(request: OrderRequest) -> int:
    return mt5.ORDER_TYPE_BUY if request.side is Side.BUY else mt5.ORDER_TYPE_SELL


def _order_type(request: OrderRequest) -> Any:
    if request.action is Action.PLACE and request.kind is not None:
        return PENDING_TYPES.get((request.kind, request.side))
    return _deal_type(request)
