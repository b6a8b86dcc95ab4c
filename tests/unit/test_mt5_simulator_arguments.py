"""What the simulated module accepts as arguments, and how it refuses the rest.

The mark ``behaviour`` names the section and the source of a rule; see
``test_mt5_simulator_behaviour.py``.
"""

from __future__ import annotations

import enum
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from runner.adapters.mt5_simulator.arguments import in_group, utf16_length
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


@pytest.fixture
def terminal() -> SimulatedTerminal:
    """A connected terminal that quotes EURUSD at 1.1."""
    terminal = SimulatedTerminal(login=5)
    terminal.initialize()
    terminal.symbol_select("EURUSD")
    terminal.quote("EURUSD", 1.1, 1.1001, NOON)
    return terminal


def market(**fields: Any) -> dict[str, Any]:
    """Return a good market order, with *fields* changed."""
    request = {"action": 1, "symbol": "EURUSD", "volume": 0.1, "type": 0}
    return {**request, **fields}


@pytest.mark.behaviour("1", "W")
@pytest.mark.parametrize("field", ["volume", "price", "stoplimit", "sl", "tp"])
@pytest.mark.parametrize("value", [1, 0, None, "1.0", np.int64(1)])
def test_price_and_volume_fields_must_be_float(
    terminal: SimulatedTerminal, field: str, value: object
) -> None:
    """volume=1 or sl=0 is None with (-2, 'Invalid "volume" argument')."""
    assert terminal.order_send(market(**{field: value})) is None
    assert (-2, f'Invalid "{field}" argument') == terminal.last_error()
    assert 0 == terminal.positions_total()


@pytest.mark.behaviour("1", "W")
def test_numpy_floats_are_floats(terminal: SimulatedTerminal) -> None:
    """A numpy.float64 is accepted: it is a subclass of float."""
    result = terminal.order_send(market(volume=np.float64(0.1), sl=np.float64(1.09)))

    assert result is not None
    assert 10009 == result.retcode
    assert float is type(result.request.volume)


@pytest.mark.behaviour("1", "W")
@pytest.mark.parametrize(
    "field",
    [
        "action",
        "magic",
        "order",
        "deviation",
        "type",
        "type_filling",
        "type_time",
        "expiration",
        "position",
        "position_by",
    ],
)
@pytest.mark.parametrize("value", [1.0, None, "1", np.int64(1)])
def test_integer_fields_must_be_int(
    terminal: SimulatedTerminal, field: str, value: object
) -> None:
    """Whole numbers must be Python's own; numpy.int64 is refused."""
    assert terminal.order_send(market(**{field: value})) is None
    assert (-2, f'Invalid "{field}" argument') == terminal.last_error()


@pytest.mark.behaviour("1", "W")
def test_enums_and_booleans_are_ints(terminal: SimulatedTerminal) -> None:
    """IntEnum and bool pass as int."""

    class Type(enum.IntEnum):
        BUY = 0

    result = terminal.order_send(market(type=Type.BUY, action=True))

    assert result is not None
    assert 10009 == result.retcode


@pytest.mark.behaviour("1", "W", "T")
@pytest.mark.parametrize("field", ["magic", "position", "deviation", "order"])
def test_negative_number_is_a_system_error(
    terminal: SimulatedTerminal, field: str
) -> None:
    """A negative magic raises SystemError with an OverflowError behind it."""
    with pytest.raises(SystemError, match="exception set") as caught:
        terminal.order_send(market(**{field: -1}))
    assert isinstance(caught.value.__cause__, OverflowError)


@pytest.mark.behaviour("1", "W", "T")
@pytest.mark.parametrize(("field", "limit"), [("action", 2**32), ("magic", 2**64)])
def test_number_too_large_is_a_system_error(
    terminal: SimulatedTerminal, field: str, limit: int
) -> None:
    """What does not fit the field's bits raises SystemError."""
    with pytest.raises(SystemError, match="exception set"):
        terminal.order_send(market(**{field: limit}))


@pytest.mark.behaviour("1", "W", "T")
@pytest.mark.parametrize("field", ["comment", "symbol"])
def test_text_holds_29_units(terminal: SimulatedTerminal, field: str) -> None:
    """30 UTF-16 units are refused on this side, 29 are not."""
    terminal.order_send(market(**{field: "x" * 29}))
    assert 1 == terminal.last_error()[0]

    assert terminal.order_send(market(**{field: "x" * 30})) is None
    assert (-2, f'Invalid "{field}" argument') == terminal.last_error()


@pytest.mark.behaviour("1", "T")
def test_an_emoji_is_two_units(terminal: SimulatedTerminal) -> None:
    """The limit counts UTF-16 units, not characters."""
    assert 2 == utf16_length("🙂")
    assert terminal.order_send(market(comment="🙂" * 15)) is None
    assert terminal.order_send(market(comment="🙂" * 14)) is not None


@pytest.mark.behaviour("1", "W")
@pytest.mark.parametrize("name", ["order_send", "order_check"])
def test_request_is_one_dictionary_or_keywords(
    terminal: SimulatedTerminal, name: str
) -> None:
    """A positional dictionary together with keywords is refused."""
    function = getattr(terminal, name)

    assert function(**market()) is not None
    assert function(market()) is not None
    assert function(market(), magic=1) is None
    assert (-2, "Unnamed arguments not allowed") == terminal.last_error()


@pytest.mark.behaviour("1", "W")
@pytest.mark.parametrize("args", [([],), ("x",), ({}, {})])
def test_request_that_is_no_dictionary_is_refused(
    terminal: SimulatedTerminal, args: tuple[Any, ...]
) -> None:
    """Anything else than one dictionary is (-2, ...)."""
    assert terminal.order_send(*args) is None
    assert -2 == terminal.last_error()[0]


@pytest.mark.behaviour("9", "W")
def test_unknown_keys_are_ignored_and_missing_ones_are_zero(
    terminal: SimulatedTerminal,
) -> None:
    """A misspelt field is ignored; the echo shows the defaults."""
    result = terminal.order_send(market(stop_loss=1.09))

    assert result is not None
    assert 0.0 == result.request.sl
    assert "" == result.request.comment
    assert (0, 0, 0) == (
        result.request.magic,
        result.request.type_filling,
        result.request.position_by,
    )


@pytest.mark.behaviour("2", "W")
@pytest.mark.parametrize(
    ("named", "text"),
    [
        ({"login": "5"}, 'Invalid "login" argument'),
        ({"password": 1}, 'Invalid "password" argument'),
        ({"server": None}, 'Invalid "server" argument'),
        ({"timeout": 1.5}, 'Invalid "timeout" argument'),
        ({"portable": "yes"}, 'Invalid "portable" argument'),
        ({"path": "x" * 258}, 'Invalid "path" argument'),
        ({"password": "x" * 254}, 'Invalid "password" argument'),
    ],
)
def test_initialize_refuses_wrong_types(
    terminal: SimulatedTerminal, named: dict[str, Any], text: str
) -> None:
    """A login given as text is False with (-2, ...), never an exception."""
    assert terminal.initialize(**named) is False
    assert (-2, text) == terminal.last_error()


@pytest.mark.behaviour("2", "W")
def test_initialize_takes_one_path_and_ignores_unknown_keywords(
    terminal: SimulatedTerminal,
) -> None:
    """A typing error among the keywords passes unseen."""
    assert terminal.initialize("C:\\terminal64.exe", lgoin=9) is True
    assert terminal.initialize("a", "b") is False
    assert -2 == terminal.last_error()[0]


@pytest.mark.behaviour("2", "W")
def test_login_takes_login_password_server_in_this_order() -> None:
    """The built-in docstring has the order wrong."""
    terminal = SimulatedTerminal(login=5, password="secret", server="Demo")
    terminal.initialize(login=5, password="secret", server="Demo")

    assert terminal.login(5, "secret", "Demo") is True
    assert terminal.login(5, server="Demo", password="wrong") is False
    assert (-6, "Terminal: Authorization failed") == terminal.last_error()


@pytest.mark.behaviour("2", "W")
@pytest.mark.parametrize(
    "named",
    [
        {"login": 6, "password": "secret"},
        {"login": 5, "password": "wrong"},
        {"login": 5},
        {"login": 5, "password": "secret", "server": "Other"},
    ],
)
def test_wrong_account_is_not_authorised(named: dict[str, Any]) -> None:
    """A refused authorisation is (-6, ...), and there is no connection then."""
    terminal = SimulatedTerminal(login=5, password="secret")

    assert terminal.initialize(**{"password": "", **named}) is False
    assert (-6, "Terminal: Authorization failed") == terminal.last_error()
    assert terminal.account_info() is None


@pytest.mark.behaviour("1", "W", "T")
@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("copy_rates_from_pos", ("EURUSD", "H1", 0, 1)),
        ("copy_rates_from_pos", ("EURUSD", 1, 0, 1.5)),
        ("copy_rates_from", ("EURUSD", 1, NOON, "1")),
        ("order_calc_margin", (0, "EURUSD", "1", 1.1)),
        ("order_calc_profit", (0, "EURUSD", 0.1, None, 1.2)),
    ],
)
def test_wrong_type_in_a_parsed_argument_is_a_system_error(
    terminal: SimulatedTerminal, name: str, args: tuple[Any, ...]
) -> None:
    """Timeframe, count and prices of copy_* and order_calc_*: SystemError."""
    with pytest.raises(SystemError, match="exception set") as caught:
        getattr(terminal, name)(*args)
    assert isinstance(caught.value.__cause__, TypeError)


@pytest.mark.behaviour("1", "W")
def test_numpy_ints_are_fine_where_arguments_are_parsed(
    terminal: SimulatedTerminal,
) -> None:
    """Through __index__ numpy's ints pass as timeframe and count."""
    numbers: tuple[Any, ...] = (np.int32(1), np.int64(0), np.int8(1))

    rates = terminal.copy_rates_from_pos("EURUSD", *numbers)

    assert rates is not None
    assert 1 == len(rates)


@pytest.mark.behaviour("6", "W")
@pytest.mark.parametrize(
    "date", [np.int64(1768000000), np.datetime64("2026-01-15"), "2026-01-15", None]
)
def test_dates_are_numbers_or_datetimes(
    terminal: SimulatedTerminal, date: object
) -> None:
    """numpy.int64 and numpy.datetime64 are refused with -2."""
    assert terminal.copy_rates_from("EURUSD", 1, date, 1) is None
    assert -2 == terminal.last_error()[0]
    assert terminal.history_deals_get(date, NOON) is None
    assert -2 == terminal.last_error()[0]


@pytest.mark.behaviour("6", "W")
def test_date_may_be_a_float(terminal: SimulatedTerminal) -> None:
    """A float, also numpy's, is a date."""
    later = (NOON + timedelta(days=1)).timestamp()

    assert terminal.copy_rates_from("EURUSD", 1, np.float64(later), 1) is not None
    assert terminal.history_deals_total(1.0, later) == 1


@pytest.mark.behaviour("6", "W")
def test_naive_date_is_read_in_the_zone_of_this_machine(
    terminal: SimulatedTerminal,
) -> None:
    """datetime.timestamp() decides, as in the real module."""
    aware = datetime(2026, 1, 16, tzinfo=UTC)
    naive = aware.astimezone().replace(tzinfo=None)

    assert terminal.history_deals_get(1, aware) == terminal.history_deals_get(1, naive)


@pytest.mark.behaviour("6", "W")
def test_zero_is_the_beginning(terminal: SimulatedTerminal) -> None:
    """The widely used history_deals_get(0, ...) happens to work."""
    deals = terminal.history_deals_get(0, 2**31 - 1)

    assert deals is not None
    assert 1 == len(deals)


@pytest.mark.behaviour("6", "W")
def test_date_beyond_2038_wraps(terminal: SimulatedTerminal) -> None:
    """Dates are stored in 32 bits: the year 2050 lies before 1970."""
    far = int(datetime(2050, 1, 1, tzinfo=UTC).timestamp())

    assert () == terminal.history_deals_get(1, far)


@pytest.mark.behaviour("1", "W")
@pytest.mark.parametrize(
    ("args", "named"),
    [
        ((), {"date_from": 1, "date_to": 2}),
        ((1,), {}),
        ((1, 2, 3), {}),
        ((), {}),
        ((1,), {"ticket": 5}),
    ],
)
def test_history_takes_two_dates_or_ticket_or_position(
    terminal: SimulatedTerminal, args: tuple[Any, ...], named: dict[str, Any]
) -> None:
    """date_from= and date_to= are not understood: (-2, 'Invalid arguments')."""
    assert terminal.history_deals_get(*args, **named) is None
    assert (-2, "Invalid arguments") == terminal.last_error()
    assert terminal.history_orders_get(*args, **named) is None


@pytest.mark.behaviour("1", "W")
def test_ticket_wins_over_symbol_and_symbol_over_group(
    terminal: SimulatedTerminal,
) -> None:
    """The first of ticket, symbol, group that is there counts."""
    result = terminal.order_send(market())
    assert result is not None

    by_ticket = terminal.positions_get(symbol="GBPUSD", ticket=result.order)
    by_symbol = terminal.positions_get(group="GBP*", symbol="EURUSD")

    assert by_ticket is not None
    assert by_symbol is not None
    assert 1 == len(by_ticket) == len(by_symbol)
    assert () == terminal.positions_get(group="GBP*")


@pytest.mark.behaviour("1", "W")
def test_none_is_no_filter(terminal: SimulatedTerminal) -> None:
    """None is never accepted: positions_get(symbol=None) is None."""
    assert terminal.positions_get(symbol=None) is None
    assert (-2, 'Invalid "symbol" argument') == terminal.last_error()


@pytest.mark.behaviour("3", "W")
def test_symbols_get_is_false_for_a_bad_argument_and_none_without_connection(
    terminal: SimulatedTerminal,
) -> None:
    """False on a bad argument, None on an IPC error."""
    assert terminal.symbols_get(group=5) is False
    assert terminal.symbols_get("*USD*", "x") is False
    terminal.shutdown()
    assert terminal.symbols_get() is None


@pytest.mark.behaviour("5", "W")
@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ("*", {"EURUSD", "EURGBP", "GBPUSD"}),
        ("EUR*", {"EURUSD", "EURGBP"}),
        ("EURUSD", {"EURUSD"}),
        ("EUR", set()),
        ("eur*", set()),
        ("*,!*USD*", {"EURGBP"}),
        ("*,!EUR", {"EURUSD", "EURGBP", "GBPUSD"}),
        ("!EUR*", set()),
        ("!EUR*,*", {"GBPUSD"}),
        ("*USD,EURGBP", {"EURUSD", "EURGBP", "GBPUSD"}),
        ("E.RUSD", set()),
        ("", set()),
    ],
)
def test_group_is_a_list_of_masks(group: str, expected: set[str]) -> None:
    """Left to right, ``*`` only, case counts, a matching ``!mask`` ends it."""
    symbols = ("EURUSD", "EURGBP", "GBPUSD")

    assert expected == {name for name in symbols if in_group(group, name)}


@pytest.mark.behaviour("3", "W")
def test_last_error_is_reset_by_every_call_but_not_by_asking(
    terminal: SimulatedTerminal,
) -> None:
    """Each function sets (1, 'Success') at its entry."""
    terminal.symbol_info("NOSUCH")
    assert (-4, "Terminal: Not found") == terminal.last_error()
    assert (-4, "Terminal: Not found") == terminal.last_error()

    terminal.positions_total()
    assert (1, "Success") == terminal.last_error()


@pytest.mark.behaviour("3", "W")
def test_nothing_found_is_no_error(terminal: SimulatedTerminal) -> None:
    """No positions is () with (1, 'Success'), also for an unknown ticket."""
    for found in (
        terminal.positions_get(),
        terminal.positions_get(ticket=9),
        terminal.orders_get(symbol="EURUSD"),
        terminal.history_orders_get(1, 2),
        terminal.history_deals_get(ticket=9),
        terminal.history_orders_get(position=9),
    ):
        assert () == found
        assert (1, "Success") == terminal.last_error()


@pytest.mark.behaviour("3", "F")
def test_unknown_symbol_has_its_codes(terminal: SimulatedTerminal) -> None:
    """symbol_info: -4; copy_rates of a symbol unknown or not watched: -1."""
    assert terminal.symbol_info("NOSUCH") is None
    assert (-4, "Terminal: Not found") == terminal.last_error()
    assert terminal.symbol_info_tick("NOSUCH") is None
    assert (-4, "Terminal: Not found") == terminal.last_error()
    assert terminal.copy_ticks_range("NOSUCH", 1, 2, -1) is None
    assert (-4, "Terminal: Not found") == terminal.last_error()
    for symbol in ("NOSUCH", "GBPUSD"):
        assert terminal.copy_rates_from_pos(symbol, 1, 0, 1) is None
        assert (-1, "Terminal: Call failed") == terminal.last_error()


@pytest.mark.behaviour("2", "W")
def test_without_connection_every_call_fails_and_version_is_empty() -> None:
    """Before initialize: None or False and -10004; version is (0, 0, '')."""
    terminal = SimulatedTerminal()

    assert terminal.account_info() is None
    assert (-10004, "No IPC connection") == terminal.last_error()
    assert terminal.symbol_select("EURUSD") is False
    assert terminal.order_send(market()) is None
    assert (0, 0, "") == terminal.version()
    assert (-10004, "No IPC connection") == terminal.last_error()
    assert terminal.shutdown() is True
    assert (1, "Success") == terminal.last_error()


@pytest.mark.behaviour("2", "W")
def test_shutdown_only_lets_go(terminal: SimulatedTerminal) -> None:
    """The terminal keeps running: positions are there after the next initialize."""
    terminal.order_send(market())
    terminal.shutdown()
    terminal.initialize()

    assert 1 == terminal.positions_total()
