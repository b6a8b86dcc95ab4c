"""The terminal's structures as values."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from runner.adapters.mt5.readings import deal_from, position_from
from runner.adapters.mt5.server_time import ServerTime
from runner.adapters.mt5_simulator import constants as platform
from runner.core.orders import Deal, ExitReason, Position, Side
from runner.core.server_time import NEW_YORK_CLOSE

TIME = ServerTime(NEW_YORK_CLOSE)
NOON = datetime(2026, 1, 14, 12, 0, 0, 250_000, tzinfo=UTC)
WALL_MS = round(NOON.timestamp() * 1000) + 2 * 3_600_000
BUY, SELL = 0, 1
IN, OUT, INOUT, OUT_BY = 0, 1, 2, 3


def deal(**fields: Any) -> Deal:
    """Return the value of a deal with these fields."""
    usual = {
        "ticket": 9,
        "order": 8,
        "position_id": 7,
        "type": SELL,
        "entry": OUT,
        "reason": 3,
        "volume": 0.1,
        "price": 1.1,
        "time_msc": WALL_MS,
        "profit": 12.5,
        "swap": -0.1,
        "commission": -0.2,
        "fee": -0.4,
        "magic": 5,
        "comment": "AAAAAAAAAA",
    }
    info: Any = SimpleNamespace(**{**usual, **fields})
    return deal_from(info, "EURUSD", TIME)


def test_deal_is_whole() -> None:
    """Costs are swap, commission and fee together, free of binary noise."""
    expected = Deal(
        ticket=9,
        position_id=7,
        symbol="EURUSD",
        side=Side.SELL,
        is_entry=False,
        volume=0.1,
        price=1.1,
        time=NOON,
        profit=12.5,
        costs=-0.7,
        magic=5,
        exit_reason=ExitReason.SIGNAL,
        comment="AAAAAAAAAA",
    )
    assert expected == deal()


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (platform.DEAL_REASON_CLIENT, ExitReason.MANUAL),
        (platform.DEAL_REASON_MOBILE, ExitReason.MANUAL),
        (platform.DEAL_REASON_WEB, ExitReason.MANUAL),
        (platform.DEAL_REASON_EXPERT, ExitReason.SIGNAL),
        (platform.DEAL_REASON_SL, ExitReason.STOP_LOSS),
        (platform.DEAL_REASON_TP, ExitReason.TAKE_PROFIT),
        (platform.DEAL_REASON_SO, ExitReason.STOP_OUT),
        (platform.DEAL_REASON_ROLLOVER, ExitReason.MANUAL),
        (platform.DEAL_REASON_VMARGIN, ExitReason.MANUAL),
        (platform.DEAL_REASON_SPLIT, ExitReason.MANUAL),
    ],
)
def test_exit_has_its_reason(reason: int, expected: ExitReason) -> None:
    """The reason is the terminal's; magic and comment of an exit can be others'."""
    assert expected is deal(reason=reason, magic=0, comment="").exit_reason


@pytest.mark.parametrize(
    ("entry", "is_entry", "is_exit"),
    [(IN, True, False), (OUT, False, True), (INOUT, True, True), (OUT_BY, False, True)],
)
def test_entry_tells_what_was_opened_and_closed(
    entry: int, is_entry: bool, is_exit: bool
) -> None:
    """A deal that turns a net position over closes one and opens another."""
    found = deal(entry=entry)

    assert (is_entry, is_exit) == (found.is_entry, found.exit_reason is not None)


@pytest.mark.parametrize(
    ("name", "is_balance"),
    [
        ("DEAL_TYPE_BALANCE", True),
        ("DEAL_TYPE_CREDIT", True),
        ("DEAL_TYPE_CHARGE", False),
        ("DEAL_TYPE_CORRECTION", True),
        ("DEAL_TYPE_BONUS", True),
        ("DEAL_TYPE_COMMISSION", False),
        ("DEAL_TYPE_COMMISSION_DAILY", False),
        ("DEAL_TYPE_COMMISSION_MONTHLY", False),
        ("DEAL_TYPE_COMMISSION_AGENT_DAILY", False),
        ("DEAL_TYPE_COMMISSION_AGENT_MONTHLY", False),
        ("DEAL_TYPE_INTEREST", False),
        ("DEAL_TYPE_BUY_CANCELED", False),
        ("DEAL_TYPE_SELL_CANCELED", False),
        ("DEAL_DIVIDEND", False),
        ("DEAL_DIVIDEND_FRANKED", False),
        ("DEAL_TAX", False),
    ],
)
def test_deal_that_is_no_trade_opens_and_closes_nothing(
    name: str, is_balance: bool
) -> None:
    """Deposits and the like are marked; charges and interest are profit or loss."""
    found = deal(type=getattr(platform, name), entry=IN, position_id=0, profit=-3.0)

    assert (is_balance, None, False, None, -3.0) == (
        found.is_balance,
        found.side,
        found.is_entry,
        found.exit_reason,
        found.profit,
    )


@pytest.mark.parametrize(("type_", "side"), [(BUY, Side.BUY), (SELL, Side.SELL)])
def test_position_is_whole(type_: int, side: Side) -> None:
    """Every figure of a position is kept, its time in UTC to the millisecond."""
    info: Any = SimpleNamespace(
        ticket=5,
        type=type_,
        volume=0.1,
        time_msc=WALL_MS,
        price_open=1.1,
        sl=1.09,
        tp=1.2,
        profit=-2.0,
        swap=-0.5,
        magic=7,
        comment="AAAAAAAAAA",
    )

    assert Position(
        ticket=5,
        symbol="EURUSD",
        side=side,
        volume=0.1,
        opened_at=NOON,
        open_price=1.1,
        stop_loss=1.09,
        take_profit=1.2,
        profit=-2.0,
        swap=-0.5,
        magic=7,
        comment="AAAAAAAAAA",
    ) == position_from(info, "EURUSD", TIME)
