"""Says what became of orders, each thing once."""

from __future__ import annotations

import logging

from runner.core.orders import Action, OrderRequest, OrderResult, Outcome, Side

log = logging.getLogger("mt5runner.orders")

_EXPECTED = ("", "Request executed")


class OrderLog:
    """Logs results; a refusal that is repeated for the same reason only once."""

    def __init__(self) -> None:
        self._refused: dict[tuple[int, Action], tuple[Outcome, int]] = {}

    def tell(self, request: OrderRequest, result: OrderResult) -> None:
        """Log what became of *request*."""
        if request.ticket is not None and not self._is_news(request, result):
            return
        what = f"{request.action.value} {_direction(request)} {request.symbol}"
        if result.outcome is Outcome.FILLED and request.action is Action.CLOSE:
            log.info("%s %.2f at %s", what, result.volume, result.price)
        elif result.outcome is Outcome.FILLED and request.action is Action.CANCEL:
            log.info("%s order %s: %s", what, request.ticket, result.message)
        elif result.outcome is Outcome.PLACED:
            kind = request.kind.value if request.kind else "order"
            log.info(
                "%s %.2f: %s at %s waits as order %d, stop %s, target %s",
                what,
                result.volume,
                kind,
                result.price,
                result.ticket,
                result.stop_loss or "none",
                result.take_profit or "none",
            )
        elif result.outcome is Outcome.FILLED:
            log.info(
                "%s %.2f at %s, stop %s, target %s%s",
                what,
                result.volume,
                result.price,
                result.stop_loss or "none",
                result.take_profit or "none",
                "" if result.message in _EXPECTED else f" ({result.message})",
            )
        elif result.outcome is not Outcome.UNKNOWN:
            log.warning(
                "%s %.2f %s: %d %s",
                what,
                request.volume,
                result.outcome.value.replace("_", " "),
                result.retcode,
                result.message,
            )

    def _is_news(self, request: OrderRequest, result: OrderResult) -> bool:
        # A flatten at the weekend is refused every few seconds, for one reason.
        key = request.ticket or 0, request.action
        if result.outcome is Outcome.FILLED:
            self._refused.pop(key, None)
            return True
        said = result.outcome, result.retcode
        if self._refused.get(key) == said:
            return False
        self._refused[key] = said
        return True


def _direction(request: OrderRequest) -> str:
    if request.action in {Action.OPEN, Action.PLACE, Action.CANCEL}:
        return request.side.value
    # Of the position: a close carries the side of its own deal.
    closes = request.action is Action.CLOSE
    is_long = (request.side is Side.BUY) != closes
    return "long" if is_long else "short"
