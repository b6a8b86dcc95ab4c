"""What an account may do, as one table; every path to an order asks it.

============ ======= ============== ========== ===================================
state        entries strategy exits risk exits lifted by
============ ======= ============== ========== ===================================
ACTIVE       yes     yes            yes
REDUCING     no      yes            yes        the last reason's end
HALTED       no      no             yes        an account that is known and may trade
FLATTENING   no      yes            yes        nothing left, then the reason's own state
LATCHED      no      yes            yes        a person, or the day's reset
STOPPED      no      no             no         a start
============ ======= ============== ========== ===================================

An *entry* is whatever can raise what may be lost: an opening, an addition, a flip, a
pending order, a stop that is moved away from the market. A *strategy exit* is what a
strategy wants closed, cancelled or protected. A *risk exit* is what a command or a
guard demands; no state of a running account forbids it, so that a halt never blocks
its own flatten.

The state follows from the reasons that hold at the moment and from nothing else: there
is no transition that could be missed, and a restart arrives where its reasons say.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from types import MappingProxyType


class TradingState(enum.Enum):
    """What the account may do now."""

    ACTIVE = "ACTIVE"
    """Entries and exits."""
    REDUCING = "REDUCING"
    """Exits only: no path may increase exposure."""
    HALTED = "HALTED"
    """Nothing is sent for a strategy: what it would be based on is not known."""
    FLATTENING = "FLATTENING"
    """Positions are being closed and pending orders cancelled until none is left."""
    LATCHED = "LATCHED"
    """Exits only, and no end of the cause ends it: a person does, or a reset."""
    STOPPED = "STOPPED"
    """The runner has stopped cleanly."""


class OrderPath(enum.Enum):
    """How an order comes about."""

    ENTRY = "entry"
    """It could raise exposure, or what may be lost with what is open."""
    STRATEGY_EXIT = "strategy exit"
    """A strategy closes, cancels or protects what it holds."""
    RISK_EXIT = "risk exit"
    """A command or a guard demands that something is closed, cancelled, protected."""


_EXITS = frozenset({OrderPath.STRATEGY_EXIT, OrderPath.RISK_EXIT})
_RISK_ALONE = frozenset({OrderPath.RISK_EXIT})

PERMITTED: Mapping[TradingState, frozenset[OrderPath]] = MappingProxyType(
    {
        TradingState.ACTIVE: frozenset(OrderPath),
        TradingState.REDUCING: _EXITS,
        TradingState.HALTED: _RISK_ALONE,
        TradingState.FLATTENING: _EXITS,
        TradingState.LATCHED: _EXITS,
        TradingState.STOPPED: frozenset(),
    }
)
"""State to the paths that are open in it."""

_SEVERITY = (
    TradingState.ACTIVE,
    TradingState.REDUCING,
    TradingState.LATCHED,
    TradingState.FLATTENING,
    TradingState.HALTED,
)
PAUSING = frozenset(_SEVERITY[1:])
"""The states that a reason may ask for."""


def strictest(states: Iterable[TradingState]) -> TradingState:
    """Return the strictest of *states*; ACTIVE if there are none.

    HALTED is strictest, since it alone forbids a strategy's exits; of the others the
    one that says most about what has to happen is shown.
    """
    return max(states, key=_SEVERITY.index, default=TradingState.ACTIVE)
