"""Return codes of a trade request, and what each of them makes us do.

The classes follow the meanings in the MQL5 reference ("Return Codes of the Trade
Server"). A code that is not listed counts as unknown: whatever it means, it is no
proof that nothing was executed.
"""

from __future__ import annotations

import enum
from types import MappingProxyType

import attrs


class Reaction(enum.Enum):
    """What is done about a return code."""

    READ_BACK = "read back"
    """Accepted: read position and deal, they have the real figures."""
    REFRESH = "new quote, send again"
    """Nothing was executed because the price moved."""
    AWAIT_QUOTE = "wait for a newer quote, send again"
    """Nothing was executed because there is no price."""
    BACK_OFF = "look up, wait, send again"
    """The server is busy."""
    LOCKED = "look up; an exit: wait, send again; an opening: outcome unknown"
    """It may be this very request that the server is at, for seconds to come."""
    FIX_STOPS = "compute the stops anew, send once more"
    """Stop or target on the wrong side or too near. The stop is never dropped."""
    FIX_PRICE = "new price, send once more"
    """The price is not one that the server takes."""
    FIX_FILLING = "next filling mode, send again"
    """The symbol does not take this filling mode."""
    LOOK_UP = "outcome unknown: look it up, never send again"
    """It may have been executed."""
    GONE = "already closed"
    """There is no such position any more."""
    REREAD = "refused: read positions again, decide anew"
    """Our view of the position or order is stale."""
    LATER = "refused: not before the market or the price allows it"
    """The same request may pass later."""
    REFUSE = "refused"
    """The same request would be refused again."""
    HALT = "refused: a person has to act"
    """Trading is switched off somewhere."""


@attrs.frozen(slots=True)
class RetcodeRule:
    """One row of the table.

    Attributes:
        code: The return code.
        name: The module's name for it, without ``TRADE_RETCODE_``.
        reaction: What we do.
        meaning: What happened and, where a person can do something, what.
    """

    code: int
    name: str
    reaction: Reaction
    meaning: str


POSITION_CLOSED = 10036
"""What there was to close is closed."""

_R = Reaction
RETCODES = MappingProxyType(
    {
        rule.code: rule
        for rule in (
            RetcodeRule(10004, "REQUOTE", _R.REFRESH, "the price moved"),
            RetcodeRule(10006, "REJECT", _R.REFUSE, "the server rejected it"),
            RetcodeRule(10007, "CANCEL", _R.REFUSE, "cancelled by the trader"),
            RetcodeRule(10008, "PLACED", _R.READ_BACK, "accepted, not yet executed"),
            RetcodeRule(10009, "DONE", _R.READ_BACK, "executed"),
            RetcodeRule(10010, "DONE_PARTIAL", _R.READ_BACK, "executed in part"),
            RetcodeRule(10011, "ERROR", _R.LOOK_UP, "processing error"),
            RetcodeRule(10012, "TIMEOUT", _R.LOOK_UP, "the server did not answer"),
            RetcodeRule(10013, "INVALID", _R.REFUSE, "invalid request"),
            RetcodeRule(10014, "INVALID_VOLUME", _R.REFUSE, "volume not allowed"),
            RetcodeRule(10015, "INVALID_PRICE", _R.FIX_PRICE, "price not allowed"),
            RetcodeRule(
                10016,
                "INVALID_STOPS",
                _R.FIX_STOPS,
                "stop or target on the wrong side or too near",
            ),
            RetcodeRule(
                10017,
                "TRADE_DISABLED",
                _R.HALT,
                "trading is disabled for this account or symbol: log in with the "
                "master password, not the investor's; else ask the broker",
            ),
            RetcodeRule(10018, "MARKET_CLOSED", _R.LATER, "the market is closed"),
            RetcodeRule(10019, "NO_MONEY", _R.REFUSE, "not enough free margin"),
            RetcodeRule(10020, "PRICE_CHANGED", _R.REFRESH, "the price moved"),
            RetcodeRule(10021, "PRICE_OFF", _R.AWAIT_QUOTE, "there is no price"),
            RetcodeRule(10022, "INVALID_EXPIRATION", _R.REFUSE, "invalid expiry"),
            RetcodeRule(10023, "ORDER_CHANGED", _R.REREAD, "the order has changed"),
            RetcodeRule(
                10024, "TOO_MANY_REQUESTS", _R.BACK_OFF, "too many requests at once"
            ),
            RetcodeRule(10025, "NO_CHANGES", _R.READ_BACK, "it already stands so"),
            RetcodeRule(
                10026,
                "SERVER_DISABLES_AT",
                _R.HALT,
                "the broker's server has switched algorithmic trading off for this "
                "account: ask the broker",
            ),
            RetcodeRule(
                10027,
                "CLIENT_DISABLES_AT",
                _R.HALT,
                "algorithmic trading is off in the terminal: press its Algo Trading "
                "button",
            ),
            RetcodeRule(10028, "LOCKED", _R.LOCKED, "locked while processed"),
            RetcodeRule(10029, "FROZEN", _R.LATER, "inside the freeze level"),
            RetcodeRule(10030, "INVALID_FILL", _R.FIX_FILLING, "filling mode"),
            RetcodeRule(
                10031, "CONNECTION", _R.LOOK_UP, "the terminal has no trade server"
            ),
            RetcodeRule(10032, "ONLY_REAL", _R.REFUSE, "for real accounts only"),
            RetcodeRule(10033, "LIMIT_ORDERS", _R.REFUSE, "too many pending orders"),
            RetcodeRule(
                10034, "LIMIT_VOLUME", _R.REFUSE, "the symbol's volume limit is reached"
            ),
            RetcodeRule(10035, "INVALID_ORDER", _R.REFUSE, "order type not allowed"),
            RetcodeRule(
                POSITION_CLOSED, "POSITION_CLOSED", _R.GONE, "the position is closed"
            ),
            RetcodeRule(
                10038, "INVALID_CLOSE_VOLUME", _R.REREAD, "more than the position has"
            ),
            RetcodeRule(
                10039, "CLOSE_ORDER_EXIST", _R.REREAD, "it is being closed already"
            ),
            RetcodeRule(10040, "LIMIT_POSITIONS", _R.REFUSE, "too many positions"),
            RetcodeRule(10041, "REJECT_CANCEL", _R.REFUSE, "rejected, order cancelled"),
            RetcodeRule(10042, "LONG_ONLY", _R.REFUSE, "only buying is allowed"),
            RetcodeRule(10043, "SHORT_ONLY", _R.REFUSE, "only selling is allowed"),
            RetcodeRule(10044, "CLOSE_ONLY", _R.REFUSE, "only closing is allowed"),
            RetcodeRule(
                10045, "FIFO_CLOSE", _R.REFUSE, "the oldest position goes first"
            ),
            RetcodeRule(
                10046, "HEDGE_PROHIBITED", _R.REFUSE, "no opposite positions allowed"
            ),
        )
    }
)
"""Every return code that is known, by its number."""


def rule_for(retcode: int) -> RetcodeRule:
    """Return the rule of *retcode*; an unlisted one is to be looked up."""
    rule = RETCODES.get(retcode)
    if rule is None:
        return RetcodeRule(
            retcode, "UNLISTED", Reaction.LOOK_UP, "a return code that is not known"
        )
    return rule


NOT_SENT = MappingProxyType(
    {
        -2: "the terminal's module refused the request's form",
        -4: "the terminal does not know the symbol or position",
        -8: "trading by the Python API is disabled in the terminal: Tools > Options > "
        'Expert Advisors, clear "Disable algorithmic trading via external Python API"',
        -10004: "there is no connection to the terminal",
    }
)
"""Codes of `last_error` that prove, with a lost reply, that nothing was sent."""
