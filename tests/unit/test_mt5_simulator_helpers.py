"""The module's own Buy, Sell and Close."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from runner.adapters.mt5_simulator.faults import Fault, Refuse, Schedule
from runner.adapters.mt5_simulator.helpers import Helpers
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal


@pytest.fixture
def terminal() -> SimulatedTerminal:
    """A connected terminal that quotes EURUSD."""
    terminal = SimulatedTerminal()
    terminal.initialize()
    terminal.symbol_select("EURUSD")
    terminal.quote("EURUSD", 1.1, 1.1001, datetime(2026, 1, 15, 12, tzinfo=UTC))
    return terminal


def refusing(terminal: SimulatedTerminal, *retcodes: int) -> None:
    """Let the first orders be answered with *retcodes*."""
    faults: dict[int, Fault] = {
        number: Refuse(retcode) for number, retcode in enumerate(retcodes, 1)
    }
    terminal.faults = Schedule({"order_send": faults})


@pytest.mark.behaviour("4", "W")
def test_buy_and_sell_go_to_the_market(terminal: SimulatedTerminal) -> None:
    """A deviation of 10, no filling mode, no magic number."""
    helpers = Helpers(terminal)

    bought = helpers.buy("EURUSD", 0.1, comment="c")
    sold = helpers.sell("EURUSD", 0.1)

    assert bought is not None
    assert sold is not None
    assert (10009, 1.1001, 1.1) == (bought.retcode, bought.price, sold.price)
    request = bought.request
    assert (10, 0, 0, "c", 1.1001) == (
        request.deviation,
        request.type_filling,
        request.magic,
        request.comment,
        request.price,
    )


@pytest.mark.behaviour("4", "W")
def test_requote_is_tried_again_up_to_ten_times(terminal: SimulatedTerminal) -> None:
    """Ten tries on 10004 and 10021, none on other codes or at a given price."""
    helpers = Helpers(terminal)

    refusing(terminal, *[10004, 10021] * 4, 10004)
    result = helpers.buy("EURUSD", 0.1)
    assert result is not None
    assert 10009 == result.retcode

    refusing(terminal, *[10004] * 10)
    result = helpers.buy("EURUSD", 0.1)
    assert result is not None
    assert 10004 == result.retcode

    for retcode, price in ((10019, None), (10004, 1.1001)):
        refusing(terminal, retcode)
        result = helpers.buy("EURUSD", 0.1, price)
        assert result is not None
        assert retcode == result.retcode


@pytest.mark.behaviour("4", "W")
def test_ticket_closes_that_position(terminal: SimulatedTerminal) -> None:
    """Sell with a ticket is the close of a long position."""
    helpers = Helpers(terminal)
    bought = helpers.buy("EURUSD", 0.1)
    assert bought is not None

    helpers.sell("EURUSD", 0.1, ticket=bought.order)

    assert 0 == terminal.positions_total()


@pytest.mark.behaviour("4", "W")
def test_close_takes_every_position_of_the_symbol(terminal: SimulatedTerminal) -> None:
    """Whatever the magic number, long and short; False when there was none."""
    helpers = Helpers(terminal)
    helpers.buy("EURUSD", 0.1)
    helpers.sell("EURUSD", 0.2)

    assert helpers.close("EURUSD") is True
    assert 0 == terminal.positions_total()
    assert helpers.close("EURUSD") is False


@pytest.mark.behaviour("4", "W")
def test_close_may_be_partial(terminal: SimulatedTerminal) -> None:
    """Partially if some could not be closed, False if none."""
    helpers = Helpers(terminal)
    helpers.buy("EURUSD", 0.1)
    helpers.buy("EURUSD", 0.1)

    refusing(terminal, 10018, 10018)
    assert helpers.close("EURUSD") is False
    refusing(terminal, 10018)
    assert "Partially" == helpers.close("EURUSD")
    assert 1 == terminal.positions_total()


@pytest.mark.behaviour("4", "W")
def test_close_is_none_when_positions_cannot_be_read(
    terminal: SimulatedTerminal,
) -> None:
    """Unknown is not closed."""
    terminal.shutdown()

    assert Helpers(terminal).close("EURUSD") is None
    assert Helpers(terminal).buy("EURUSD", 0.1) is None
