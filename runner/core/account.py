"""The trading account as the terminal reports it."""

from __future__ import annotations

import attrs


@attrs.frozen(slots=True, kw_only=True)
class Account:
    """One reading of the account. Money is in *currency*.

    Attributes:
        login: Account number.
        server: The broker's trade server.
        currency: Account currency.
        balance: Closed profit included, floating profit not.
        equity: Balance, credit and floating profit, swap included.
        credit: Bonus money.
        margin: In use.
        margin_free: Left for new positions.
        leverage: 100 stands for 1:100.
        is_hedging: Whether several positions per symbol may be open.
        is_demo: Whether the money is play money.
        trade_allowed: Whether the terminal and the broker take orders from here.
        is_linked: Whether the terminal has its trade server. Without, it shows old
            things, and after a start of its own nothing at all.
    """

    login: int
    server: str
    currency: str
    balance: float
    equity: float
    credit: float = 0.0
    margin: float = 0.0
    margin_free: float = 0.0
    leverage: int = 100
    is_hedging: bool = True
    is_demo: bool = True
    trade_allowed: bool = True
    is_linked: bool = True
