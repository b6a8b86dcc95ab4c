"""Carries out orders: on disk before they are sent, looked up before any repeat."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

import attrs

from runner.core.identity import order_token
from runner.core.orders import (
    ENTRIES,
    Action,
    Deal,
    OrderIntent,
    OrderRequest,
    OrderResult,
    Outcome,
    PendingOrder,
    Position,
)
from runner.core.trade_flow import (
    Answered,
    Command,
    Event,
    Found,
    NoTrace,
    OrderFlow,
    Restarted,
    Stage,
    Stored,
    Unreadable,
)
from runner.host.manager import PluginHost
from runner.loop.order_log import OrderLog
from runner.loop.order_record import from_record, to_record
from runner.loop.view import View
from runner.ports import Broker, Clock, StateError, StateStore, UnavailableError

log = logging.getLogger("mt5runner.orders")

_NAMESPACE = "orders"
_LOOK_UP_EVERY = 2.0  # seconds between two look-ups of the same lost order
_REPEAT_CLOSE = 5.0  # seconds after which a whole close in doubt is sent once more
_STANDS = {Outcome.FILLED, Outcome.PLACED}
_SIGHT_WITHIN = 60.0  # seconds in which a terminal shows what it has filled
_NOISE = 1e-8  # lots; less than any step of volume


@attrs.frozen(slots=True)
class _Unseen:
    request: OrderRequest
    until: float


class OrderDesk:
    """Sends orders and settles those whose outcome is unknown.

    Args:
        broker: Where orders go.
        store: Where an order is written before it is sent.
        host: Tells observers.
        view: Readings; refreshed after every order.
        clock: For the time between look-ups.
        session: Unique mark of this start of the runner; makes tokens unique.
    """

    def __init__(
        self,
        *,
        broker: Broker,
        store: StateStore,
        host: PluginHost,
        view: View,
        clock: Clock,
        session: str,
    ) -> None:
        self._broker = broker
        self._store = store
        self._host = host
        self._view = view
        self._clock = clock
        self._session = session
        self._began = clock.now(), clock.monotonic()
        self._sent = 0
        self._unresolved: dict[str, OrderFlow] = {}
        self._unseen: dict[int, _Unseen] = {}
        self._closes: dict[int, float] = {}
        self._next_look_up = 0.0
        self._order_log = OrderLog()

    def restore(self) -> None:
        """Take up the orders that an earlier start left without an outcome.

        Raises:
            StateError: If they cannot be read: what is open is not known then.
        """
        for token, record in self._store.items(_NAMESPACE).items():
            flow = OrderFlow(request=from_record(token, record), stage=Stage.RECORDED)
            log.warning("order %s was sent by an earlier start: looking it up", token)
            self._step(flow, Restarted(self._now()))

    def is_unresolved(self, magic: int, symbol: str) -> bool:
        """Say whether an order of *magic* in *symbol* has an unknown outcome."""
        return any(
            request.magic == magic and request.symbol == symbol
            for request in self.unresolved
        )

    @property
    def unresolved(self) -> Sequence[OrderRequest]:
        """The orders whose outcome is unknown, or filled and not shown yet."""
        if not self._unresolved and not self._unseen:
            return ()
        return [
            *(flow.request for flow in self._unresolved.values()),
            *(unseen.request for unseen in self._unseen.values()),
        ]

    def enter(self, intent: OrderIntent, *, magic: int) -> None:
        """Send an opening or a pending order.

        Args:
            intent: An approved intent to open or to place, with its size.
            magic: Number of the strategy.
        """
        if intent.side is None or intent.volume is None:
            raise ValueError("an entry needs a side and a volume")
        self._carry_out(
            OrderRequest(
                token=self._token(),
                magic=magic,
                symbol=intent.symbol,
                action=intent.action,
                side=intent.side,
                volume=intent.volume,
                stop_loss=intent.stop_loss,
                take_profit=intent.take_profit,
                kind=intent.kind,
                price=intent.price,
                expires_at=intent.expires_at,
                strategy=intent.strategy,
            )
        )

    def close(
        self, position: Position, *, strategy: str, volume: float | None = None
    ) -> None:
        """Send an order that closes *position*, wholly unless *volume* says less.

        Does nothing while an earlier close of that position has no outcome, unless it
        is old and to repeat it can do no harm. A change of its stop in doubt does not
        hold it: closed is closed.
        """
        is_whole = volume is None or volume >= position.volume
        is_held = self._is_busy(position.ticket, Action.CLOSE)
        if is_held and not (is_whole and self._may_repeat_close(position.ticket)):
            return
        self._closes = {
            ticket: at
            for ticket, at in self._closes.items()
            if self._is_busy(ticket, Action.CLOSE)
        } | {position.ticket: self._clock.monotonic()}
        self._carry_out(
            OrderRequest(
                token=self._token(),
                magic=position.magic,
                symbol=position.symbol,
                action=Action.CLOSE,
                side=position.side.opposite,
                volume=min(volume or position.volume, position.volume),
                ticket=position.ticket,
                strategy=strategy,
            )
        )

    def protect(
        self,
        position: Position,
        *,
        strategy: str,
        stop_loss: float | None = None,
        take_profit: float | None = None,
    ) -> None:
        """Send an order that moves *position*'s stop and target.

        Does nothing while an earlier order about that position has no outcome.

        Args:
            position: What it is about.
            strategy: Who wants it.
            stop_loss: New stop as a price; None keeps the present one.
            take_profit: New target as a price; None keeps the present one.
        """
        if self._is_busy(position.ticket, Action.CLOSE, Action.PROTECT):
            return
        self._carry_out(
            OrderRequest(
                token=self._token(),
                magic=position.magic,
                symbol=position.symbol,
                action=Action.PROTECT,
                side=position.side,
                volume=0.0,
                ticket=position.ticket,
                stop_loss_price=stop_loss or position.stop_loss or None,
                take_profit_price=take_profit or position.take_profit or None,
                strategy=strategy,
            )
        )

    def cancel(self, order: PendingOrder, *, strategy: str) -> None:
        """Send a request that removes a pending order.

        Does nothing while an earlier request to remove it has no outcome.
        """
        if self._is_busy(order.ticket, Action.CANCEL):
            return
        self._carry_out(
            OrderRequest(
                token=self._token(),
                magic=order.magic,
                symbol=order.symbol,
                action=Action.CANCEL,
                side=order.side,
                volume=0.0,
                ticket=order.ticket,
                strategy=strategy,
            )
        )

    def settle(self) -> None:
        """Look up the orders whose outcome is unknown, at most every two seconds."""
        if self._unseen:
            self._drop_seen()
        if not self._unresolved or self._clock.monotonic() < self._next_look_up:
            return
        self._next_look_up = self._clock.monotonic() + _LOOK_UP_EVERY
        for flow in list(self._unresolved.values()):
            self._step(flow, self._look_up(flow.request))
        self._view.read_account()
        self._drop_seen()

    def hear_deals(self, deals: Sequence[Deal]) -> None:
        """Look no longer for what was filled and closed before it ever showed."""
        for deal in deals:
            unseen = self._unseen.get(deal.position_id)
            if deal.exit_reason is None or unseen is None:
                continue
            if deal.volume > unseen.request.volume - _NOISE:
                del self._unseen[deal.position_id]

    def _token(self) -> str:
        self._sent += 1
        return order_token(self._session, self._sent)

    def _is_busy(self, ticket: int, *actions: Action) -> bool:
        # By action: an order and the position that it opened may have the same number.
        requests = (flow.request for flow in self._unresolved.values())
        return any(one.ticket == ticket and one.action in actions for one in requests)

    def _may_repeat_close(self, ticket: int) -> bool:
        # On a hedging account a close names its position, and a second one finds it
        # closed. On a netting account it might open the opposite one.
        account = self._view.last_account
        if account is None or not account.is_hedging:
            return False
        closed_at = self._closes.get(ticket)
        return closed_at is None or self._clock.monotonic() - closed_at >= _REPEAT_CLOSE

    def _carry_out(self, request: OrderRequest) -> None:
        if self._view.newest_tick_at is not None:
            request = attrs.evolve(request, placed_at=self._view.now)
        try:
            self._store.put(_NAMESPACE, request.token, to_record(request))
        except StateError as error:
            # An opening that is not on disk is not sent: a crash would forget it. An
            # exit is: it names its position, so it cannot do harm a second time.
            if request.action in ENTRIES:
                self._tell(request, _without_answer(request, Outcome.NOT_SENT, error))
                return
            log.warning("order %s is sent without a trace on disk", request.token)
        flow, _ = OrderFlow(request=request).receive(Stored())
        self._host.on_order_sent(request=request, now=self._view.now)
        self._step(flow, Answered(self._send(request), self._now()))
        self._view.read_account()
        self._drop_seen()

    def _send(self, request: OrderRequest) -> OrderResult:
        try:
            return self._broker.send(request)
        except Exception as error:
            # Whatever went wrong on our side, the order may have been executed.
            log.exception("sending order %s stumbled", request.token)
            return _without_answer(request, Outcome.UNKNOWN, error)

    def _now(self) -> datetime:
        # Wall time that does not jump: a search must not be cut short by a new clock.
        wall, monotonic = self._began
        return wall + timedelta(seconds=self._clock.monotonic() - monotonic)

    def _await_sight(self, request: OrderRequest, result: OrderResult) -> None:
        if request.action in ENTRIES and result.outcome in _STANDS:
            until = self._clock.monotonic() + _SIGHT_WITHIN
            self._unseen[result.ticket] = _Unseen(request, until)

    def _drop_seen(self) -> None:
        # A terminal may show a fill later than it answers; until it does (or it was
        # stopped out meanwhile) the strategy must not take itself for flat.
        shown = {position.ticket for position in self._view.positions or ()}
        shown |= {order.ticket for order in self._view.orders or ()}
        now = self._clock.monotonic()
        for ticket, unseen in list(self._unseen.items()):
            if ticket in shown:
                del self._unseen[ticket]
            elif not self._view.is_current:
                # Nothing could show: the time in which it must begins when it can.
                self._unseen[ticket] = attrs.evolve(unseen, until=now + _SIGHT_WITHIN)
            elif now >= unseen.until:
                del self._unseen[ticket]

    def _look_up(self, request: OrderRequest) -> Event:
        try:
            result = self._broker.find(request)
        except UnavailableError:
            return Unreadable(self._now())
        except Exception:
            log.exception("looking up order %s stumbled", request.token)
            return Unreadable(self._now())
        return Found(result) if result else NoTrace(self._now())

    def _step(self, flow: OrderFlow, event: Event) -> None:
        flow, command = flow.receive(event)
        token = flow.request.token
        if command is Command.LOOK_UP:
            if token not in self._unresolved:
                log.error(
                    "order %s (%s %s %.2f %s): outcome unknown; nothing is sent "
                    "in its place until it is found",
                    token,
                    flow.request.action.value,
                    flow.request.symbol,
                    flow.request.volume,
                    flow.request.side.value,
                )
                if isinstance(event, Answered):
                    self._tell(flow.request, event.result)
            self._unresolved[token] = flow
            return
        self._unresolved.pop(token, None)
        self._forget(token)
        if flow.result is not None:
            self._await_sight(flow.request, flow.result)
            self._tell(flow.request, flow.result)
        elif flow.stage is Stage.ABANDONED:
            log.warning("order %s left no trace and is given up", token)

    def _forget(self, token: str) -> None:
        try:
            self._store.delete(_NAMESPACE, token)
        except StateError as error:
            # The next start looks it up once more, which does no harm.
            log.warning("order %s stays on disk: %s", token, error)

    def _tell(self, request: OrderRequest, result: OrderResult) -> None:
        self._order_log.tell(request, result)
        self._host.on_order_result(request=request, result=result, now=self._view.now)


def _without_answer(
    request: OrderRequest, outcome: Outcome, error: Exception
) -> OrderResult:
    return OrderResult(
        token=request.token,
        outcome=outcome,
        message=str(error),
        ticket=request.ticket or 0,
    )
