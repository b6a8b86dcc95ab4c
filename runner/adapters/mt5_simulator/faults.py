"""Failures on purpose: which call fails, and how.

A plan is asked before every call of the terminal. `Schedule` fails calls that are
counted out, `Weather` fails them at random from a seed; both are reproducible.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Protocol

import attrs

from runner.adapters.mt5_simulator import constants as mt5
from runner.adapters.mt5_simulator.errors import COMMENTS, TEXTS


def _known_code(instance: object, attribute: object, code: int) -> None:
    if code not in TEXTS:
        raise ValueError(f"code: expected one of {sorted(TEXTS)}, got {code}")


def _known_retcode(instance: object, attribute: object, retcode: int) -> None:
    if retcode not in COMMENTS:
        raise ValueError(f"retcode: no trade return code {retcode}")


@attrs.frozen
class Fail:
    """The call does nothing and returns None (or False).

    Attributes:
        code: What `last_error` says, such as -10001, -10004 or -10005.
    """

    code: int = attrs.field(validator=_known_code)


@attrs.frozen
class LoseReply:
    """The call does its work, but its result is lost: the outcome is unknown.

    Attributes:
        code: What `last_error` says; the pipe broke while it was read.
    """

    code: int = attrs.field(
        default=mt5.RES_E_INTERNAL_FAIL_RECEIVE, validator=_known_code
    )


@attrs.frozen
class Refuse:
    """A trade request is answered with *retcode*, and nothing is executed."""

    retcode: int = attrs.field(validator=_known_retcode)


@attrs.frozen
class Answer:
    """A trade request is executed, yet answered with *retcode*, such as 10012.

    Deal, order, volume and price of the answer are 0.
    """

    retcode: int = attrs.field(validator=_known_retcode)


@attrs.frozen
class Late:
    """A trade request is answered with *retcode*, and executed when the market moves.

    As a server does that is still at it when it answers, such as 10012 or 10028. Deal,
    order, volume and price of the answer are 0.
    """

    retcode: int = attrs.field(validator=_known_retcode)


LAGGING = frozenset({"positions_get", "history_deals_get", "history_orders_get"})
"""The readings that may lag."""


@attrs.frozen
class Lag:
    """A reading of positions or history does not show yet what has just happened.

    Attributes:
        milliseconds: What is opened or done within as many before now is left out.
    """

    milliseconds: int = attrs.field(default=1, validator=attrs.validators.ge(1))


@attrs.frozen
class FillPart:
    """A market order is executed only in part: 10010, in whole steps of volume.

    Attributes:
        share: Part of the volume, above 0 and below 1; at least one step is filled.
    """

    share: float = attrs.field(
        validator=[attrs.validators.gt(0), attrs.validators.lt(1)]
    )


@attrs.frozen
class Slip:
    """A market order is filled at another price than the quote's.

    With instant execution a price beyond the request's deviation is a requote, 10004.

    Attributes:
        points: Against the order, besides the terminal's slippage; negative is better
            than the quote.
    """

    points: float = attrs.field(
        validator=[attrs.validators.gt(-math.inf), attrs.validators.lt(math.inf)]
    )


@attrs.frozen(kw_only=True)
class Delay:
    """A trade request needs time to reach the server, and the market goes on meanwhile.

    It is verified and executed with the quotes that it finds there. One of the two
    must be given.

    Attributes:
        phases: Phases of the feed that are played.
        milliseconds: Market time that passes; the feed is played as far as that.
    """

    phases: int = attrs.field(default=0, validator=attrs.validators.ge(0))
    milliseconds: int = attrs.field(default=0, validator=attrs.validators.ge(0))

    def __attrs_post_init__(self) -> None:
        """Refuse both, and neither."""
        if bool(self.phases) is bool(self.milliseconds):
            raise ValueError(
                f"delay: expected phases or milliseconds, got {self.phases} and "
                f"{self.milliseconds}"
            )


@attrs.frozen
class Disconnect:
    """The terminal exits: this and every later call fails until `initialize`.

    Attributes:
        code: What `last_error` says for each of them.
    """

    code: int = attrs.field(default=mt5.RES_E_INTERNAL_FAIL_SEND, validator=_known_code)


@attrs.frozen
class Hang:
    """The call never returns: the terminal is frozen, and its caller with it.

    Only a terminal in a process of its own can do that (`service`); elsewhere the call
    raises :class:`HungError`.

    Attributes:
        seconds: After which the terminal drops the connection; None for never.
    """

    seconds: float | None = None


class HungError(Exception):
    """A call that was to hang, where nothing but this thread could."""

    def __init__(self, seconds: float | None) -> None:
        super().__init__("this call hangs")
        self.seconds = seconds


@attrs.frozen
class FillBare:
    """A market order is executed without the stop and target that it carried.

    So do some brokers with market execution; the levels have to be set afterwards.
    """


@attrs.frozen
class Run:
    """Something happens before the call, which then goes on as usual.

    A test's clock can go forward here (latency), or the market can move.

    Attributes:
        action: Called without arguments.
    """

    action: Callable[[], object]


TradeFault = Refuse | Answer | Late | FillPart | FillBare | Slip | Delay
"""Faults of `order_send` alone."""

Fault = Fail | LoseReply | Disconnect | Hang | Run | Lag | TradeFault


class Faults(Protocol):
    """A plan of failures."""

    def next(self, function: str) -> Fault | None:
        """Return what happens to this call of *function*; None for nothing."""
        ...


class Schedule:
    """Fails calls that are counted out.

    Args:
        faults: By function, the number of the call (the first is 1) and its fault.

    Example:
        ``Schedule({"order_send": {2: Refuse(10004)}})`` requotes the second order.
    """

    def __init__(self, faults: Mapping[str, Mapping[int, Fault]]) -> None:
        self._faults = {name: dict(calls) for name, calls in faults.items()}
        self._calls: Counter[str] = Counter()

    def next(self, function: str) -> Fault | None:
        """Return the fault of this call, if one is planned for it."""
        self._calls[function] += 1
        return self._faults.get(function, {}).get(self._calls[function])


class Weather:
    """Fails calls at random, the same ones for the same seed.

    Args:
        seed: Where the random numbers start.
        faults: By function, faults with how probable each is, from 0 to 1.
    """

    def __init__(self, seed: int, faults: Mapping[str, Mapping[Fault, float]]) -> None:
        for name, chances in faults.items():
            if not 0 <= sum(chances.values()) <= 1:
                raise ValueError(f"{name}: probabilities must add up to at most 1")
        self._faults = faults
        self._random = random.Random(seed)  # noqa: S311  # reproducible, no secret

    def next(self, function: str) -> Fault | None:
        """Draw the fault of this call."""
        chances = self._faults.get(function)
        if not chances:
            return None
        drawn = self._random.random()
        for fault, chance in chances.items():
            if drawn < chance:
                return fault
            drawn -= chance
        return None
