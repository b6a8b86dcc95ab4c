"""Every setting of the limits, from a settings file to orders at the terminal."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from drawdown_account import OTHER, PAIR
from guarded_account import GuardedAccount

Make = Callable[..., GuardedAccount]


@pytest.mark.parametrize("limit", [2, 3])
def test_no_more_orders_a_minute_than_the_limit(make: Make, limit: int) -> None:
    """Of all strategies together, over a restart; a minute later there may be more."""
    account = make("limits", orders_per_minute=limit)
    assert [""] * (limit - 1) == [account.buy() for _ in range(limit - 1)]
    account.restart()
    account.choose(2)

    assert ["", "ORDER_RATE"] == [account.buy(), account.buy()]
    account.tick(60)
    assert not account.buy()


@pytest.mark.parametrize("limit", [2, 3])
def test_no_strategy_sends_more_orders_a_minute(make: Make, limit: int) -> None:
    """Another one may."""
    account = make("limits", orders_per_minute_strategy=limit)
    orders = [account.buy() for _ in range(limit + 1)]
    account.choose(2)

    assert [""] * limit + ["ORDER_RATE"] == orders
    assert not account.buy()


@pytest.mark.parametrize("limit", [2, 3])
def test_no_more_positions_than_the_limit(make: Make, limit: int) -> None:
    """What is pending and what another holds counts, too."""
    account = make("limits", positions=limit)
    account.order(symbol=OTHER)
    terminal = account.terminal
    pending = {"action": terminal.TRADE_ACTION_PENDING, "price": 1.0}
    account.order(type=terminal.ORDER_TYPE_BUY_LIMIT, **pending)

    assert [""] * (limit - 2) == [account.buy() for _ in range(limit - 2)]
    assert "POSITION_LIMIT" == account.buy()


@pytest.mark.parametrize("limit", [1, 2])
def test_no_strategy_holds_more_positions(make: Make, limit: int) -> None:
    """What others hold does not count."""
    account = make("limits", positions_strategy=limit)
    account.order()
    account.choose(2)
    assert not account.buy()
    account.choose(1)

    buys = [account.buy(symbol=name) for name in (PAIR, OTHER, PAIR)[: limit + 1]]

    assert [""] * limit + ["POSITION_LIMIT"] == buys


@pytest.mark.parametrize("limit", [1, 2])
def test_no_symbol_has_more_positions(make: Make, limit: int) -> None:
    """Another symbol may."""
    account = make("limits", positions_symbol=limit)

    assert [""] * limit + ["POSITION_LIMIT"] == [
        account.buy() for _ in range(limit + 1)
    ]
    assert not account.buy(symbol=OTHER)


@pytest.mark.parametrize("limit", [0.5, 0.6])
def test_no_more_lots_than_the_limit(make: Make, limit: float) -> None:
    """On the account, whoever holds them."""
    account = make("limits", lots=limit)
    account.order(volume=0.3)

    assert not account.buy(limit - 0.3, symbol=OTHER)
    assert "LOT_LIMIT" == account.buy(0.01)


@pytest.mark.parametrize("limit", [0.3, 0.4])
def test_no_symbol_has_more_lots(make: Make, limit: float) -> None:
    """Another symbol may."""
    account = make("limits", lots_symbol=limit)

    assert not account.buy(limit)
    assert "LOT_LIMIT" == account.buy(0.01)
    assert not account.buy(limit, symbol=OTHER)


@pytest.mark.parametrize(("limit", "denied"), [(2.3, "EXPOSURE_LIMIT"), (2.5, "")])
def test_no_more_exposure_than_the_limit(make: Make, limit: float, denied: str) -> None:
    """A lot of each is worth 1.1 and 1.3 times the equity."""
    account = make("limits", exposure=limit)

    assert not account.buy(1.0)
    assert denied == account.buy(1.0, symbol=OTHER)


@pytest.mark.parametrize(("limit", "denied"), [(2.0, "EXPOSURE_LIMIT"), (2.3, "")])
def test_no_symbol_has_more_exposure(make: Make, limit: float, denied: str) -> None:
    """Two lots of EURUSD are worth 2.2 times the equity; GBPUSD is another thing."""
    account = make("limits", exposure_symbol=limit)

    assert not account.buy(1.0, symbol=OTHER)
    assert not account.buy(1.0)
    assert denied == account.buy(1.0)
