"""Places pending orders.

Nothing is sent again here: a pending order's price is the strategy's, so whatever the
server says against it is for the strategy to decide anew.
"""

from __future__ import annotations

import attrs

from runner.adapters.mt5.attempt import Budget, patiently
from runner.adapters.mt5.delivery import Delivery, told
from runner.adapters.mt5.lookup import Lookup
from runner.adapters.mt5.orders import Draft
from runner.adapters.mt5.pending import place_draft
from runner.adapters.mt5.quotes import Quotes
from runner.adapters.mt5.retcodes import Reaction, rule_for
from runner.adapters.mt5.server_time import ServerTime
from runner.adapters.mt5.structs import OrderSendResult, TickInfo
from runner.adapters.mt5.symbols import Symbols
from runner.adapters.mt5.traces import Traces
from runner.core.orders import OrderRequest, OrderResult, Outcome
from runner.ports import Clock, UnavailableError

_UNCLEAR = {Reaction.LOOK_UP, Reaction.BACK_OFF, Reaction.LOCKED}


class Placing:
    """Places pending orders and reads back where they stand.

    Args:
        delivery: Hands requests to the terminal.
        symbols: Spellings and rules.
        quotes: Fresh quotes.
        lookup: Finds what became of an order.
        traces: Remembers what was sent.
        time: The server's clock.
        clock: For the pauses between readings.
    """

    def __init__(
        self,
        delivery: Delivery,
        symbols: Symbols,
        quotes: Quotes,
        lookup: Lookup,
        traces: Traces,
        time: ServerTime,
        clock: Clock,
    ) -> None:
        self._delivery = delivery
        self._symbols = symbols
        self._quotes = quotes
        self._lookup = lookup
        self._traces = traces
        self._time = time
        self._clock = clock

    def send(self, request: OrderRequest) -> OrderResult:
        """Place the order; what the server answers is a result.

        Args:
            request: A PLACE.

        Raises:
            UnavailableError: If nothing was sent, since the terminal does not answer.
            OrderError: If nothing was sent, since it would be refused.
            SymbolError: If the broker has no such symbol.
        """
        quote = self._quote(request.symbol)
        draft = self._draft(request, quote)
        self._traces.sent(request.token, quote.time_msc)
        answer = self._delivery.send(draft.request)
        if answer is None:
            return self._delivery.unanswered(request)
        rule = rule_for(answer.retcode)
        if rule.reaction is Reaction.READ_BACK:
            return self._read_back(request, draft, answer)
        return told(
            request,
            Outcome.UNKNOWN if rule.reaction in _UNCLEAR else Outcome.REJECTED,
            f"{answer.comment} ({rule.name}): {rule.meaning}",
            answer.retcode,
        )

    def _quote(self, symbol: str) -> TickInfo:
        quote = self._quotes.read(symbol)
        if quote is None or quote.bid <= 0 or quote.ask <= 0:
            raise UnavailableError(f"{symbol}: there is no quote")
        return quote

    def _draft(self, request: OrderRequest, quote: TickInfo) -> Draft:
        expires_at = request.expires_at
        return place_draft(
            request,
            self._symbols.resolve(request.symbol),
            self._symbols.fresh_rules(request.symbol),
            quote,
            expiration=None if expires_at is None else self._time.wall(expires_at),
        )

    def _read_back(
        self, request: OrderRequest, draft: Draft, answer: OrderSendResult
    ) -> OrderResult:
        self._traces.own(request.token, [answer.order])
        for _ in patiently(Budget.begin(self._clock)):
            try:
                found = self._lookup.find(request)
            except UnavailableError:
                continue
            if found is not None:
                message = answer.comment if not draft.note else draft.note
                return attrs.evolve(found, retcode=answer.retcode, message=message)
        return OrderResult(
            token=request.token,
            outcome=Outcome.UNKNOWN,
            retcode=answer.retcode,
            message=f"{answer.comment}; accepted, but the order is not seen",
            ticket=answer.order,
        )
