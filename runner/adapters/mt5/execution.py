"""Sends orders: fresh quote, request, answer, reaction, until the outcome is clear.

`retcodes` says what each answer makes us do. A request is sent again only after an
answer that proves that nothing was executed; where that is not proved the outcome is
unknown, and unknown is left to be looked up.
"""

from __future__ import annotations

import logging

import attrs

from runner.adapters.mt5.attempt import Attempt, Budget
from runner.adapters.mt5.delivery import Delivery, told
from runner.adapters.mt5.lookup import Lookup
from runner.adapters.mt5.orders import Draft
from runner.adapters.mt5.placing import Placing
from runner.adapters.mt5.quotes import Quotes
from runner.adapters.mt5.read_back import ReadBack
from runner.adapters.mt5.readings import side_of
from runner.adapters.mt5.removal import Removal
from runner.adapters.mt5.retcodes import (
    POSITION_CLOSED,
    Reaction,
    RetcodeRule,
    rule_for,
)
from runner.adapters.mt5.rounding import OrderError
from runner.adapters.mt5.session import Session
from runner.adapters.mt5.settings import MT5Settings
from runner.adapters.mt5.structs import OrderSendResult, TickInfo, TradePosition
from runner.adapters.mt5.symbols import SymbolError, Symbols
from runner.adapters.mt5.traces import Traces
from runner.core.matching import Levels, levels_from_distances
from runner.core.orders import Action, OrderRequest, OrderResult, Outcome, Side
from runner.ports import Clock, UnavailableError

_log = logging.getLogger("mt5runner.mt5")

_QUOTE_POLL = 0.1
_FIRST_BACK_OFF = 0.1
_BUSY = {Reaction.BACK_OFF, Reaction.LOCKED}


class Execution:
    """Carries out order requests.

    Args:
        delivery: Hands requests to the terminal.
        session: The connection.
        symbols: Spellings and rules.
        quotes: Fresh quotes.
        lookup: Finds what became of an order.
        traces: Remembers what was sent.
        removal: Removes pending orders.
        placing: Places pending orders.
        read_back: Reads what an accepted order did.
        clock: For waiting between tries.
        settings: Deviation.
    """

    def __init__(
        self,
        delivery: Delivery,
        session: Session,
        symbols: Symbols,
        quotes: Quotes,
        lookup: Lookup,
        traces: Traces,
        removal: Removal,
        placing: Placing,
        read_back: ReadBack,
        clock: Clock,
        settings: MT5Settings,
    ) -> None:
        self._delivery = delivery
        self._session = session
        self._symbols = symbols
        self._quotes = quotes
        self._lookup = lookup
        self._traces = traces
        self._removal = removal
        self._placing = placing
        self._clock = clock
        self._deviation = settings.deviation
        self._read_back = read_back
        self._fillings: dict[str, int] = {}
        self._bare: set[int] = set()

    def send(self, request: OrderRequest) -> OrderResult:
        """Carry out *request*; every failure is a result, none is raised."""
        try:
            self._session.linked()
            if request.action is Action.CANCEL:
                return self._removal.send(request)
            if request.action is Action.PLACE:
                return self._settled(self._placing.send(request))
            attempt = self._prepare(request)
        except (UnavailableError, OrderError, SymbolError) as error:
            return told(request, Outcome.NOT_SENT, str(error))
        if attempt is None:
            return _already_closed(request, "the position is not open any more")
        return self._settled(self._run(attempt))

    def _settled(self, result: OrderResult) -> OrderResult:
        if result.outcome is not Outcome.UNKNOWN:
            self._traces.settled(result.token)
        return result

    def _prepare(self, request: OrderRequest) -> Attempt | None:
        """Return what to try; None if the position to close is not there."""
        name, position = request.symbol, None
        if request.action is not Action.OPEN:
            if request.ticket is None:
                raise OrderError("ticket: closing and protecting need one")
            position = self._read_back.position(request.ticket)
            if position is None:
                if request.action is Action.CLOSE:
                    return None
                raise OrderError(f"position {request.ticket} is not open any more")
            name = self._symbols.name(position.symbol)
            _check_side(request, side_of(position))
        attempt = Attempt(
            request,
            self._symbols.fresh_rules(name),
            self._symbols.resolve(name),
            position,
            self._deviation,
            Budget.begin(self._clock),
        )
        attempt.prefer_filling(self._fillings.get(name))
        return attempt

    def _run(self, attempt: Attempt) -> OrderResult:
        request = attempt.request
        refusal: OrderResult | None = None
        while True:
            try:
                quote = self._quote(attempt)
                draft = attempt.draft(quote)
            except (UnavailableError, OrderError) as error:
                if refusal is None:
                    return told(request, Outcome.NOT_SENT, str(error))
                return attrs.evolve(refusal, message=f"{refusal.message}; {error}")
            self._traces.sent(request.token, quote.time_msc)
            answer = self._delivery.send(draft.request)
            if answer is None:
                return self._delivery.unanswered(request)
            rule = rule_for(answer.retcode)
            if rule.reaction is Reaction.READ_BACK:
                return self._accepted(attempt, draft, answer)
            refusal = _answered(request, answer, rule)
            if not self._may_repeat(attempt, rule.reaction, quote):
                return refusal
            if rule.reaction in _BUSY:
                # "Locked" may mean that this very request is being carried out.
                found = self._look_up(request, refusal)
                if found is not None:
                    return found
                if refusal.outcome is Outcome.UNKNOWN:
                    return refusal

    def _quote(self, attempt: Attempt) -> TickInfo:
        quote = self._quotes.read(attempt.symbol)
        if quote is None or quote.bid <= 0 or quote.ask <= 0:
            raise UnavailableError(f"{attempt.symbol}: there is no quote")
        points = attempt.ran_away(quote)
        if points:
            raise UnavailableError(
                f"the price ran away by {points:.0f} points, the deviation allowed is "
                f"{self._deviation}"
            )
        return quote

    def _may_repeat(
        self, attempt: Attempt, reaction: Reaction, quote: TickInfo
    ) -> bool:
        budget = attempt.budget
        if not budget.in_time:
            return False
        match reaction:
            case Reaction.REFRESH:
                return budget.resend()
            case Reaction.AWAIT_QUOTE:
                return budget.resend() and self._await_quote(attempt, quote)
            case Reaction.BACK_OFF | Reaction.LOCKED:
                pause = _FIRST_BACK_OFF * 2**budget.resends
                return budget.resend() and budget.wait_to_resend(pause)
            case Reaction.FIX_STOPS | Reaction.FIX_PRICE:
                return attempt.fix(reaction)
            case Reaction.FIX_FILLING:
                return attempt.next_filling()
            case _:
                return False

    def _await_quote(self, attempt: Attempt, quote: TickInfo) -> bool:
        while attempt.budget.wait_to_resend(_QUOTE_POLL):
            try:
                newest = self._quotes.read(attempt.symbol)
            except UnavailableError:
                return False
            if newest is not None and newest.time_msc > quote.time_msc:
                return True
        return False

    def _look_up(
        self, request: OrderRequest, refusal: OrderResult
    ) -> OrderResult | None:
        try:
            return self._lookup.find(request)
        except UnavailableError as error:
            return attrs.evolve(
                refusal,
                outcome=Outcome.UNKNOWN,
                message=f"{refusal.message}; {error}",
            )

    def _accepted(
        self, attempt: Attempt, draft: Draft, answer: OrderSendResult
    ) -> OrderResult:
        request, position, budget = attempt.request, attempt.position, attempt.budget
        levels = draft.levels
        if request.action is not Action.PROTECT:
            self._traces.own(request.token, [answer.order])
            self._fillings[attempt.symbol] = attempt.fillings[0]
        if position is None:
            result, opened = self._read_back.opened(request, levels, answer, budget)
            if opened is not None and levels.stop_loss and not result.stop_loss:
                result = self._add_stop(attempt, levels, result, opened)
        elif request.action is Action.CLOSE:
            result = self._read_back.closed(request, position, answer, budget)
        else:
            result = self._read_back.protected(
                request, levels, answer, position.ticket, budget
            )
        if not draft.note:
            return result
        return attrs.evolve(result, message=f"{result.message}; {draft.note}")

    def mended(self, request: OrderRequest, found: OrderResult) -> OrderResult:
        """Give an opening that was looked up the stop that it lacks.

        The quote that its distances counted from is gone, so they count from the price
        at which it was opened.

        Args:
            request: What was asked for.
            found: What became of it.

        Raises:
            UnavailableError: If the position cannot be read, or has no stop yet.
        """
        is_bare = found.outcome is Outcome.FILLED and not found.stop_loss
        if request.action is not Action.OPEN or not request.stop_loss or not is_bare:
            return found
        position = self._read_back.position(found.ticket)
        if position is None and not self._read_back.is_closed(found.ticket):
            raise UnavailableError(
                f"position {found.ticket} is open, but does not show yet: whether its "
                "stop stands is not known"
            )
        if position is None or position.sl:
            return found
        if side_of(position) is not request.side:
            return found  # it netted with what another holds, and this is the rest
        name = self._symbols.name(position.symbol)
        try:
            rules = self._symbols.fresh_rules(name)
        except SymbolError as error:
            raise UnavailableError(
                f"POSITION {position.ticket} IS WITHOUT A STOP, set it by hand: {error}"
            ) from error
        spec = rules.spec
        levels = levels_from_distances(
            request.side,
            bid=position.price_open,
            ask=position.price_open,
            point=spec.point,
            tick_size=spec.tick_size,
            stop_loss=request.stop_loss,
            take_profit=request.take_profit,
        )
        attempt = Attempt(
            request,
            rules,
            position.symbol,
            position,
            self._deviation,
            Budget.begin(self._clock),
        )
        result = self._add_stop(attempt, levels, found, position)
        if result.outcome is Outcome.UNKNOWN:
            raise UnavailableError(result.message)
        return result

    def _add_stop(
        self,
        attempt: Attempt,
        levels: Levels,
        result: OrderResult,
        position: TradePosition,
    ) -> OrderResult:
        """Give a filled position the stop that it was ordered with and lacks.

        An order is not done before its stop stands: until then its outcome counts as
        unknown, so that it stays on disk and is looked after.
        """
        request = attrs.evolve(
            attempt.request,
            action=Action.PROTECT,
            side=side_of(position),
            ticket=position.ticket,
            stop_loss_price=levels.stop_loss or None,
            take_profit_price=levels.take_profit or None,
        )
        added = self._run(
            attrs.evolve(attempt, request=request, position=position, fixed=set())
        )
        if added.outcome is Outcome.FILLED and added.stop_loss:
            self._bare.discard(position.ticket)
            return attrs.evolve(
                result,
                message=f"{result.message}; filled without its stop, which was added",
                stop_loss=added.stop_loss,
                take_profit=added.take_profit,
            )
        message = (
            f"POSITION {position.ticket} IS WITHOUT A STOP, it could not be added: "
            f"{added.message}; stop {levels.stop_loss} is tried again, or set it "
            "by hand"
        )
        if position.ticket not in self._bare:
            self._bare.add(position.ticket)
            _log.critical("%s", message)
        return attrs.evolve(
            result, outcome=Outcome.UNKNOWN, message=f"{result.message}; {message}"
        )


def _check_side(request: OrderRequest, held: Side) -> None:
    expected = held.opposite if request.action is Action.CLOSE else held
    if request.side is not expected:
        raise OrderError(
            f"side: position {request.ticket} is a {held.value}, so this order is a "
            f"{expected.value}, got {request.side.value}"
        )


def _already_closed(request: OrderRequest, message: str) -> OrderResult:
    # What was wanted stands, with nothing executed: filled, with a volume of zero.
    return told(request, Outcome.FILLED, message, POSITION_CLOSED)


def _answered(
    request: OrderRequest, answer: OrderSendResult, rule: RetcodeRule
) -> OrderResult:
    message = f"{answer.comment} ({rule.name}): {rule.meaning}"
    if rule.reaction is Reaction.GONE and request.action is Action.CLOSE:
        return _already_closed(request, message)
    is_locked = rule.reaction is Reaction.LOCKED and request.action is Action.OPEN
    is_unclear = is_locked or rule.reaction is Reaction.LOOK_UP
    outcome = Outcome.UNKNOWN if is_unclear else Outcome.REJECTED
    return told(request, outcome, message, answer.retcode)
