"""What is done about every answer to an order, over a scripted terminal."""

from __future__ import annotations

import logging
from collections import defaultdict, deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import attrs
import pytest

from runner.adapters.mt5 import MT5Adapter, MT5Settings
from runner.adapters.mt5.retcodes import RETCODES, Reaction
from runner.core.orders import Action, OrderRequest, OrderResult, Outcome, Side
from runner.ports import Login, UnavailableError

NOW = datetime(2026, 1, 14, 10, 0, tzinfo=UTC)
WALL_MS = round(NOW.timestamp() + 7200) * 1000
OPEN = OrderRequest(
    token="AAAAAAAAAA",
    magic=7,
    symbol="EURUSD",
    action=Action.OPEN,
    side=Side.BUY,
    volume=0.1,
    stop_loss=300,
    take_profit=600,
)
CLOSE = attrs.evolve(
    OPEN,
    token="CCCCCCCCCC",
    action=Action.CLOSE,
    side=Side.SELL,
    ticket=5,
    stop_loss=None,
    take_profit=None,
)
PROTECT = attrs.evolve(
    OPEN,
    token="PPPPPPPPPP",
    action=Action.PROTECT,
    volume=0.0,
    ticket=5,
    stop_loss=None,
    take_profit=None,
    stop_loss_price=1.095,
)
SUCCESS = (1, "Success")
Answer = Callable[["Scripted", dict[str, Any]], Any]


@attrs.define
class Hands:
    """A clock that waiting moves, and calls that take long."""

    time: float = 0.0
    waits: list[float] = attrs.field(factory=list[float])

    def now(self) -> datetime:
        """Return the date, and the time that went by."""
        return NOW + timedelta(seconds=self.time)

    def monotonic(self) -> float:
        """Return the time that went by."""
        return self.time

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.waits.append(seconds)
        self.time += seconds


class Scripted:
    """A terminal that answers orders as it is told, and holds what it is told."""

    def __init__(self, *answers: Answer | int) -> None:
        self.answers = deque(answers)
        self.sent: list[dict[str, Any]] = []
        self.failures: dict[str, deque[tuple[int, str]]] = defaultdict(deque)
        self.before: dict[str, Callable[[], None]] = {}
        self.error = SUCCESS
        self.account = SimpleNamespace(
            login=1, server="S", currency="USD", balance=100.0, equity=100.0,
            credit=0.0, margin=0.0, margin_free=100.0, leverage=100, margin_mode=2,
            trade_mode=0, trade_allowed=True, trade_expert=True,
        )  # fmt: skip
        self.terminal = SimpleNamespace(
            connected=True, trade_allowed=True, tradeapi_disabled=False, maxbars=100_000
        )
        self.info = SimpleNamespace(
            name="EURUSD", digits=5, point=0.00001, trade_tick_size=0.00001,
            trade_tick_value=1.0, trade_contract_size=100_000.0, volume_min=0.01,
            volume_max=100.0, volume_step=0.01, volume_limit=0.0, trade_stops_level=0,
            trade_freeze_level=0, trade_mode=4, trade_exemode=2, filling_mode=3,
            order_mode=127, expiration_mode=15,
            currency_base="EUR", currency_profit="USD", currency_margin="EUR",
        )  # fmt: skip
        self.tick: Any = make_tick()
        self.ticks: deque[Any] = deque()
        self.positions: list[Any] = []
        self.orders: list[Any] = []
        self.deals: list[Any] = []
        self.done: list[Any] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        answer = getattr(type(self), f"do_{name}")

        def call(*args: Any, **named: Any) -> Any:
            self.error = SUCCESS
            self.before.get(name, lambda: None)()
            if self.failures[name]:
                self.error = self.failures[name].popleft()
                return None
            return answer(self, *args, **named)

        return call

    def last_error(self) -> tuple[int, str]:
        """Return what the last call left."""
        return self.error

    def do_initialize(self, **named: Any) -> bool:
        return True

    def do_shutdown(self) -> bool:
        return True

    def do_account_info(self) -> Any:
        return self.account

    def do_terminal_info(self) -> Any:
        return self.terminal

    def do_symbol_info(self, name: str) -> Any:
        if name == "EURUSD":
            return self.info
        self.error = (-4, "Terminal: Not found")
        return None

    def do_symbols_get(self, group: str) -> Any:
        return ()

    def do_symbol_select(self, name: str, enable: bool) -> bool:
        return True

    def do_symbol_info_tick(self, name: str) -> Any:
        if self.ticks:
            self.tick = self.ticks.popleft()
        return self.tick

    def do_positions_get(self, ticket: int | None = None) -> Any:
        rows = self.positions
        return tuple(row for row in rows if ticket in (None, row.ticket))

    def do_orders_get(self) -> Any:
        return tuple(self.orders)

    def do_history_orders_get(self, first: int, last: int) -> Any:
        assert 0 < first < last < 2**31
        return tuple(self.done)

    def do_history_deals_get(
        self, *dates: int, ticket: int = 0, position: int = 0
    ) -> Any:
        if dates:
            assert 0 < dates[0] < dates[1] < 2**31
            return tuple(self.deals)
        key, value = ("ticket", ticket) if ticket else ("position_id", position)
        return tuple(deal for deal in self.deals if getattr(deal, key) == value)

    def do_order_send(self, request: dict[str, Any]) -> Any:
        self.sent.append(request)
        answer = self.answers.popleft()
        return make_answer(answer) if isinstance(answer, int) else answer(self, request)


def make_tick(bid: float = 1.1, ask: float = 1.10012, time_msc: int = WALL_MS) -> Any:
    """Return a quote."""
    return SimpleNamespace(time=time_msc // 1000, time_msc=time_msc, bid=bid, ask=ask)


def make_answer(retcode: int, **fields: Any) -> Any:
    """Return the answer to an order; of a refusal everything is 0."""
    empty = {"deal": 0, "order": 0, "volume": 0.0, "price": 0.0, "comment": "words"}
    return SimpleNamespace(**{"retcode": retcode, **empty, **fields})


def make_position(**fields: Any) -> Any:
    """Return a long position of 0.1 lots."""
    usual = {
        "ticket": 5, "identifier": 5, "symbol": "EURUSD", "type": 0, "volume": 0.1,
        "time_msc": WALL_MS, "price_open": 1.10012, "sl": 1.09712, "tp": 1.10612,
        "profit": 0.0, "swap": 0.0, "magic": 7, "comment": "AAAAAAAAAA",
    }  # fmt: skip
    return SimpleNamespace(**{**usual, **fields})


def make_deal(**fields: Any) -> Any:
    """Return the deal that opened the usual position."""
    usual = {
        "ticket": 9, "order": 5, "position_id": 5, "symbol": "EURUSD", "type": 0,
        "entry": 0, "reason": 3, "volume": 0.1, "price": 1.10012, "time_msc": WALL_MS,
        "profit": 0.0, "swap": 0.0, "commission": 0.0, "fee": 0.0, "magic": 7,
        "comment": "AAAAAAAAAA",
    }  # fmt: skip
    return SimpleNamespace(**{**usual, **fields})


def make_order(state: int, **fields: Any) -> Any:
    """Return an order of the usual token."""
    usual = {
        "ticket": 5, "position_id": 0, "symbol": "EURUSD", "type": 0, "state": state,
        "time_setup_msc": WALL_MS, "magic": 7, "comment": "AAAAAAAAAA",
    }  # fmt: skip
    return SimpleNamespace(**{**usual, **fields})


def executes(
    retcode: int = 10009, answered: dict[str, Any] | None = None, **position: Any
) -> Answer:
    """Return an answer that opens the usual position."""

    def answer(terminal: Scripted, request: dict[str, Any]) -> Any:
        opened = make_position(
            sl=request["sl"], tp=request["tp"], volume=request["volume"],
            price_open=request["price"],
        )  # fmt: skip
        opened.__dict__.update(position)
        terminal.positions.append(opened)
        terminal.deals.append(make_deal(volume=opened.volume, price=opened.price_open))
        fields = {
            "deal": 9,
            "order": 5,
            "volume": opened.volume,
            "price": opened.price_open,
        }
        return make_answer(retcode, **{**fields, **(answered or {})})

    return answer


def closes(retcode: int = 10009) -> Answer:
    """Return an answer that closes the usual position."""

    def answer(terminal: Scripted, request: dict[str, Any]) -> Any:
        terminal.positions.clear()
        deal = make_deal(
            ticket=10,
            entry=1,
            type=1,
            price=request["price"],
            comment=request["comment"],
        )
        terminal.deals.append(deal)
        return make_answer(retcode, deal=10, order=6, volume=request["volume"])

    return answer


def protects(retcode: int = 10009) -> Answer:
    """Return an answer that sets the levels of the usual position."""

    def answer(terminal: Scripted, request: dict[str, Any]) -> Any:
        terminal.positions[0].sl, terminal.positions[0].tp = (
            request["sl"],
            request["tp"],
        )
        return make_answer(retcode)

    return answer


@attrs.define
class Case:
    """An adapter over a scripted terminal."""

    terminal: Scripted
    clock: Hands
    adapter: MT5Adapter

    def send(self, request: OrderRequest = OPEN) -> OrderResult:
        """Send an order."""
        return self.adapter.send(request)


def case(*answers: Answer | int, **settings: Any) -> Case:
    """Return an adapter over a terminal that answers so, connected."""
    terminal: Any = Scripted(*answers)
    clock = Hands()
    adapter = MT5Adapter(terminal, clock, MT5Settings(is_live=False, **settings))
    adapter.connect(Login())
    return Case(terminal, clock, adapter)


# -- every return code -----------------------------------------------------------------
ENDS_AT_ONCE = {
    Reaction.AWAIT_QUOTE,  # the quote never changes here
    Reaction.REREAD,
    Reaction.LATER,
    Reaction.REFUSE,
    Reaction.HALT,
    Reaction.GONE,
}


@pytest.mark.parametrize("code", sorted(RETCODES))
@pytest.mark.parametrize(
    "request_", [OPEN, CLOSE, PROTECT], ids=["open", "close", "protect"]
)
def test_answer_given_for_ever_ends_as_its_rule_says(
    code: int, request_: OrderRequest
) -> None:
    """Whatever the answer, there is an end, within two seconds, and the right one."""
    setup = case(*[code] * 20)
    setup.terminal.positions = [make_position(comment="other")]
    if request_.action is Action.OPEN:
        setup.terminal.positions = []

    result = setup.send(request_)

    reaction = RETCODES[code].reaction
    sent = len(setup.terminal.sent)
    assert code == result.retcode
    assert sum(setup.clock.waits) < 2
    if reaction is Reaction.LOOK_UP:
        assert (Outcome.UNKNOWN, 1) == (result.outcome, sent)
    elif reaction is Reaction.READ_BACK:
        # Accepted, but never seen to be executed: that is not known.
        expected = Outcome.FILLED if request_ is PROTECT else Outcome.UNKNOWN
        assert (expected, 1) == (result.outcome, sent)
    elif reaction is Reaction.LOCKED and request_ is OPEN:
        assert (Outcome.UNKNOWN, 1) == (result.outcome, sent)
    elif reaction is Reaction.GONE and request_ is CLOSE:
        assert (Outcome.FILLED, 0.0, 1) == (result.outcome, result.volume, sent)
    else:
        assert Outcome.REJECTED is result.outcome
        assert RETCODES[code].meaning in result.message
        assert 1 == sent if reaction in ENDS_AT_ONCE else 1 < sent <= 4


@pytest.mark.parametrize(
    ("code", "request_", "success"),
    [
        (code, *sent)
        for code in (10004, 10020, 10024, 10028, 10015, 10016, 10030)
        for sent in ((OPEN, executes()), (CLOSE, closes()), (PROTECT, protects()))
        if (code, sent[0]) != (10028, OPEN)
    ],
)
def test_refusal_that_can_be_mended_is_mended(
    code: int, request_: OrderRequest, success: Answer
) -> None:
    """After a certain refusal the order goes out once more, and is carried out once."""
    setup = case(code, success)
    if request_ is not OPEN:
        setup.terminal.positions = [make_position(comment="other")]

    result = setup.send(request_)

    assert (Outcome.FILLED, 2) == (result.outcome, len(setup.terminal.sent))


@pytest.mark.parametrize("code", [10026, 10027, 10017])
def test_switched_off_trading_tells_a_person_what_to_do(code: int) -> None:
    """These three end only when somebody acts, so the message says how."""
    result = case(code).send()

    remedies = {
        10026: "ask the broker",
        10027: "Algo Trading",
        10017: "master password",
    }
    assert Outcome.REJECTED is result.outcome
    assert remedies[code] in result.message


def test_unlisted_code_is_unknown() -> None:
    """A code that nobody has heard of may mean anything."""
    result = case(10999).send()

    assert (Outcome.UNKNOWN, 10999) == (result.outcome, result.retcode)


# -- lost replies ----------------------------------------------------------------------
@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (1, Outcome.UNKNOWN),
        (-1, Outcome.UNKNOWN),
        (-2, Outcome.NOT_SENT),
        (-3, Outcome.UNKNOWN),
        (-4, Outcome.NOT_SENT),
        (-5, Outcome.UNKNOWN),
        (-6, Outcome.UNKNOWN),
        (-7, Outcome.UNKNOWN),
        (-8, Outcome.NOT_SENT),
        (-10000, Outcome.UNKNOWN),
        (-10001, Outcome.UNKNOWN),
        (-10002, Outcome.UNKNOWN),
        (-10003, Outcome.UNKNOWN),
        (-10004, Outcome.NOT_SENT),
        (-10005, Outcome.UNKNOWN),
    ],
)
def test_lost_reply_by_its_error_code(code: int, outcome: Outcome) -> None:
    """Only where the terminal proves it was an order not sent; it is never repeated."""
    setup = case()
    setup.terminal.failures["order_send"].append((code, "text of it"))

    result = setup.send()

    assert outcome is result.outcome
    assert f"order_send: text of it ({code})" in result.message
    assert not setup.terminal.answers


def test_python_shut_out_says_which_option() -> None:
    """The terminal's option that shuts Python out is named."""
    setup = case()
    setup.terminal.failures["order_send"].append((-8, "disabled"))

    assert "Disable algorithmic trading via external Python API" in setup.send().message


def test_reply_lost_after_executing_is_found_by_its_token() -> None:
    """The order was carried out, which only the look-up can tell."""

    def execute_and_lose(terminal: Scripted, request: dict[str, Any]) -> Any:
        executes()(terminal, request)
        terminal.error = (-10002, "IPC recv failed")

    setup = case(execute_and_lose)
    assert Outcome.UNKNOWN is setup.send().outcome
    setup.clock.wait(1)

    found = setup.adapter.find(OPEN)

    assert found is not None
    assert (Outcome.FILLED, 5, 0.1, 1.10012) == (
        found.outcome,
        found.ticket,
        found.volume,
        found.price,
    )


# -- before sending --------------------------------------------------------------------
@pytest.mark.parametrize(
    "call", ["account_info", "symbol_info", "symbol_info_tick", "symbol_select"]
)
def test_order_is_not_sent_when_its_preparation_fails(call: str) -> None:
    """Without account, rules or quote nothing goes out."""
    setup = case()
    setup.terminal.failures[call].append((-1, "Terminal: Call failed"))

    result = setup.send()

    assert Outcome.NOT_SENT is result.outcome
    assert f"{call}: Terminal: Call failed (-1)" in result.message
    assert not setup.terminal.sent


@pytest.mark.parametrize("tick", [None, make_tick(0.0, 0.0), make_tick(time_msc=0)])
def test_order_is_not_sent_without_a_quote(tick: Any) -> None:
    """A price of zero is no price."""
    setup = case()
    if tick is None:
        setup.terminal.failures["symbol_info_tick"].append((-4, "Not found"))
    else:
        setup.terminal.tick = tick

    result = setup.send()

    assert Outcome.NOT_SENT is result.outcome
    assert "there is no quote" in result.message


def test_order_is_not_sent_on_another_account() -> None:
    """A terminal that was switched to another account gets no order."""
    setup = case()
    setup.terminal.account.login = 2

    result = setup.send()

    assert Outcome.NOT_SENT is result.outcome
    assert "ANOTHER ACCOUNT: 2 on 'S' instead of 1 on 'S'" in result.message


def test_order_is_not_sent_without_a_link_to_the_server() -> None:
    """A terminal that has lost its broker is not given orders."""
    setup = case()
    setup.terminal.terminal.connected = False

    result = setup.send()

    assert Outcome.NOT_SENT is result.outcome
    assert "no link to its trade server" in result.message


def test_position_that_cannot_be_read_is_not_closed_blindly() -> None:
    """Closing needs the position as it is now."""
    setup = case()
    setup.terminal.failures["positions_get"].append((-1, "Terminal: Call failed"))

    assert Outcome.NOT_SENT is setup.send(CLOSE).outcome


@pytest.mark.parametrize("request_", [CLOSE, PROTECT])
def test_ticket_is_needed(request_: OrderRequest) -> None:
    """Closing or protecting nothing in particular is refused."""
    result = case().send(attrs.evolve(request_, ticket=None))

    assert (Outcome.NOT_SENT, True) == (result.outcome, "ticket" in result.message)


# -- trying again ----------------------------------------------------------------------
def test_resent_order_has_the_new_price_and_levels_from_it() -> None:
    """Stop and target move with the quote at which the order is really sent."""
    setup = case(10004, executes())
    setup.terminal.ticks.extend([make_tick(), make_tick(1.10005, 1.10017)])

    setup.send()

    assert [(1.10012, 1.09712), (1.10017, 1.09717)] == [
        (request["price"], request["sl"]) for request in setup.terminal.sent
    ]


def test_price_that_runs_away_is_not_followed() -> None:
    """An opening follows the price by its deviation at most."""
    setup = case(10004, deviation=20)
    setup.terminal.ticks.extend([make_tick(), make_tick(1.1003, 1.10042)])

    result = setup.send()

    assert (Outcome.REJECTED, 10004) == (result.outcome, result.retcode)
    assert (
        "the price ran away by 30 points, the deviation allowed is 20" in result.message
    )


def test_close_follows_any_price() -> None:
    """A position is not kept because the price ran away."""
    setup = case(10004, closes())
    setup.terminal.positions = [make_position()]
    setup.terminal.ticks.extend([make_tick(), make_tick(1.0, 1.00012)])

    assert Outcome.FILLED is setup.send(CLOSE).outcome


def test_price_off_waits_for_a_newer_quote() -> None:
    """Without prices the next quote is waited for, and used."""
    setup = case(10021, executes())
    newer = make_tick(1.10001, 1.10013, WALL_MS + 500)
    setup.terminal.ticks.extend([make_tick(), make_tick(), make_tick(), newer, newer])

    assert Outcome.FILLED is setup.send().outcome
    assert 1.10013 == setup.terminal.sent[1]["price"]
    assert setup.clock.waits


def test_slow_terminal_is_not_sent_an_old_decision_again() -> None:
    """When the calls themselves took long the order is not repeated."""

    def slowly(terminal: Scripted, request: dict[str, Any]) -> Any:
        setup.clock.time += 30
        return make_answer(10004)

    setup = case(slowly, executes())

    assert (Outcome.REJECTED, 1) == (setup.send().outcome, len(setup.terminal.sent))


def test_refused_filling_mode_is_remembered() -> None:
    """The mode that passed is the first to be tried next time."""
    setup = case(10030, executes(), executes())

    setup.send()
    setup.terminal.positions.clear()
    setup.send()

    assert [1, 0, 0] == [request["type_filling"] for request in setup.terminal.sent]


def test_refused_stop_is_moved_never_dropped() -> None:
    """The second try has its stop farther away, and the result tells."""
    setup = case(10016, executes())

    result = setup.send(attrs.evolve(OPEN, stop_loss=13, take_profit=None))

    assert [1.09999, 1.09987] == [request["sl"] for request in setup.terminal.sent]
    assert (1.09987, True) == (result.stop_loss, "stop loss moved" in result.message)


def test_stop_refused_twice_is_given_up() -> None:
    """There is one mend; an order without its stop is never sent."""
    setup = case(10016, 10016, executes())

    result = setup.send()

    assert (Outcome.REJECTED, 10016) == (result.outcome, result.retcode)
    assert all(request["sl"] for request in setup.terminal.sent)


def test_busy_server_is_asked_after_the_order_before_it_is_sent_again() -> None:
    """A locked request may be the very one, being carried out."""

    def lock_and_execute(terminal: Scripted, request: dict[str, Any]) -> Any:
        executes()(terminal, request)
        return make_answer(10028)

    setup = case(lock_and_execute)

    result = setup.send()

    assert (Outcome.FILLED, 1) == (result.outcome, len(setup.terminal.sent))


def test_locked_opening_is_never_sent_again() -> None:
    """It may be carried out seconds later, and then there would be two."""
    setup = case(10028, executes())

    result = setup.send()

    assert (Outcome.UNKNOWN, 10028) == (result.outcome, result.retcode)
    assert 1 == len(setup.terminal.sent)


def test_busy_server_that_cannot_be_asked_leaves_it_unknown() -> None:
    """Without the look-up nothing is sent again."""
    setup = case(10024)
    setup.terminal.failures["orders_get"].append((-1, "Terminal: Call failed"))

    result = setup.send()

    assert (Outcome.UNKNOWN, 10024) == (result.outcome, result.retcode)


# -- reading back ----------------------------------------------------------------------
@pytest.mark.parametrize("code", [10008, 10009, 10010])
def test_position_tells_what_was_filled(code: int) -> None:
    """Price, volume and levels are the position's, whatever the answer says."""
    answered = {"deal": 0, "volume": 0.1, "price": 0.0}
    setup = case(executes(code, answered, volume=0.06, price_open=1.10014))

    result = setup.send()

    assert (Outcome.FILLED, code, 0.06, 1.10014) == (
        result.outcome,
        result.retcode,
        result.volume,
        result.price,
    )


def test_execution_that_shows_later_is_waited_for() -> None:
    """An accepted order's position may come a moment after the answer."""
    setup = case(lambda terminal, request: make_answer(10008, order=5, volume=0.1))

    def show() -> None:
        if setup.clock.waits:
            setup.terminal.positions = [make_position()]

    setup.terminal.before["positions_get"] = show

    result = setup.send()

    assert (Outcome.FILLED, 0.1, 1.10012) == (
        result.outcome,
        result.volume,
        result.price,
    )


def test_position_that_is_gone_again_is_told_by_its_deal() -> None:
    """A stop may be hit before the position was ever seen."""

    def fill_and_stop(terminal: Scripted, request: dict[str, Any]) -> Any:
        executes(price_open=1.10013)(terminal, request)
        terminal.positions.clear()
        terminal.deals.append(make_deal(ticket=10, order=6, entry=1, type=1))
        return make_answer(10009, deal=9, order=5, volume=0.1)

    result = case(fill_and_stop).send()

    assert (Outcome.FILLED, 5, 0.1, 1.10013, 0.0) == (
        result.outcome,
        result.ticket,
        result.volume,
        result.price,
        result.stop_loss,
    )


@pytest.mark.parametrize(
    ("deal", "stop", "outcome"),
    [
        (9, None, Outcome.FILLED),
        (9, 300, Outcome.UNKNOWN),
        (0, None, Outcome.UNKNOWN),
        (0, 300, Outcome.UNKNOWN),
    ],
)
def test_failed_reading_back_hides_no_fill(
    deal: int, stop: float | None, outcome: Outcome
) -> None:
    """A deal's number proves the fill, but not that the stop stands."""
    setup = case(executes(answered={"deal": deal}))
    failures = setup.terminal.failures

    def fail(terminal: Scripted, request: dict[str, Any]) -> Any:
        failures["positions_get"].append((-1, "Terminal: Call failed"))
        return make_answer(10009, deal=deal, order=5, volume=0.1, price=1.10012)

    setup.terminal.answers = deque([fail])

    result = setup.send(attrs.evolve(OPEN, stop_loss=stop))

    assert outcome is result.outcome
    assert "could not be read back" in result.message


@pytest.mark.parametrize("shows", ["nothing", "the deal"])
def test_fill_that_does_not_show_in_time_is_looked_after_until_its_stop_stands(
    shows: str,
) -> None:
    """A broker that drops the stop and a terminal that is slow, both at once."""

    def fill(terminal: Scripted, request: dict[str, Any]) -> Any:
        terminal.deals += [make_deal()] if shows == "the deal" else []
        return make_answer(10009, deal=9, order=5, volume=0.1, price=1.10012)

    setup = case(fill, protects())

    assert Outcome.UNKNOWN is setup.send().outcome
    if shows == "the deal":
        with pytest.raises(UnavailableError, match="position 5 is open, but does not"):
            setup.adapter.find(OPEN)
    else:
        assert setup.adapter.find(OPEN) is None
    setup.terminal.positions = [make_position(sl=0.0, tp=0.0)]
    setup.terminal.deals = [make_deal()]
    found = setup.adapter.find(OPEN)

    assert found is not None
    assert (Outcome.FILLED, 1.09712) == (found.outcome, setup.terminal.positions[0].sl)


def test_fill_that_was_stopped_out_before_it_showed_is_done() -> None:
    """History shows both deals: there is nothing left to protect."""
    setup = case()
    setup.terminal.deals = [
        make_deal(),
        make_deal(ticket=10, order=6, entry=1, type=1, comment="[sl 1.09712]"),
    ]

    found = setup.adapter.find(OPEN)

    assert found is not None
    assert (Outcome.FILLED, 0.0) == (found.outcome, found.stop_loss)


def test_close_that_cannot_be_read_back_is_a_close_if_it_has_a_deal() -> None:
    """The close is done; what is left of the position is read next time."""
    setup = case()
    setup.terminal.positions = [make_position()]

    def fail(terminal: Scripted, request: dict[str, Any]) -> Any:
        closes()(terminal, request)
        terminal.failures["positions_get"].append((-1, "Terminal: Call failed"))
        return make_answer(10009, deal=10, volume=0.1, price=1.1)

    setup.terminal.answers = deque([fail])

    assert Outcome.FILLED is setup.send(CLOSE).outcome


def test_close_without_deal_number_is_told_by_what_is_left() -> None:
    """A position that shrank was closed by as much."""
    setup = case()
    setup.terminal.positions = [make_position(volume=0.3)]

    def shrink(terminal: Scripted, request: dict[str, Any]) -> Any:
        terminal.positions[0] = make_position(volume=0.2)
        return make_answer(10009, price=1.1)

    setup.terminal.answers = deque([shrink])

    result = setup.send(CLOSE)

    assert (Outcome.FILLED, 0.1, 1.1) == (result.outcome, result.volume, result.price)


def test_deal_that_shows_before_its_position_is_waited_for() -> None:
    """A fill is not taken for stopped out because the position comes later."""

    def fill(terminal: Scripted, request: dict[str, Any]) -> Any:
        terminal.deals.append(make_deal())
        return make_answer(10009, deal=9, order=5, volume=0.1, price=1.10012)

    setup = case(fill)

    def show() -> None:
        if setup.clock.waits:
            setup.terminal.positions = [make_position()]

    setup.terminal.before["positions_get"] = show

    assert 1.09712 == setup.send().stop_loss


def test_netting_order_that_adds_tells_its_own_fill() -> None:
    """Of a position that grew the order's own part is told, with the common levels."""

    def add(terminal: Scripted, request: dict[str, Any]) -> Any:
        terminal.positions = [
            make_position(ticket=3, identifier=3, volume=0.4, comment="other", sl=1.09)
        ]
        terminal.deals.append(make_deal(position_id=3, price=1.10012))
        return make_answer(10009, deal=9, order=5, volume=0.1)

    result = case(add).send()

    assert (3, 0.1, 1.10012, 1.09) == (
        result.ticket,
        result.volume,
        result.price,
        result.stop_loss,
    )


def test_netting_order_that_reduces_is_given_no_stop() -> None:
    """What is left is the opposite position, whose stop is not ours to set."""

    def reduce(terminal: Scripted, request: dict[str, Any]) -> Any:
        terminal.positions = [
            make_position(ticket=3, identifier=3, type=1, volume=0.2, sl=0.0)
        ]
        terminal.deals.append(make_deal(position_id=3, entry=1))
        return make_answer(10009, deal=9, order=5, volume=0.1)

    setup = case(reduce)

    result = setup.send()

    assert (Outcome.FILLED, 3, 0.1) == (result.outcome, result.ticket, result.volume)
    assert 1 == len(setup.terminal.sent)
    assert not setup.clock.waits


# -- a fill without its stop -----------------------------------------------------------
def test_missing_stop_is_added() -> None:
    """A position that came without its stop gets it at once."""
    setup = case(executes(sl=0.0, tp=0.0), protects())

    result = setup.send()

    assert (1.09712, 1.10612) == (result.stop_loss, result.take_profit)
    assert "filled without its stop, which was added" in result.message
    assert (6, 5, 1.09712, 1.10612) == tuple(
        setup.terminal.sent[1][key] for key in ("action", "position", "sl", "tp")
    )


@pytest.mark.parametrize(
    "answer",
    [10006, 10012, lambda terminal, request: make_answer(10009)],
    ids=["refused", "unknown", "accepted but not done"],
)
def test_missing_stop_that_cannot_be_added_is_cried_out(
    answer: Answer | int, caplog: pytest.LogCaptureFixture
) -> None:
    """The order is not done before its stop stands; result and log say so."""
    setup = case(executes(sl=0.0), answer)

    result = setup.send()

    assert (Outcome.UNKNOWN, 0.0) == (result.outcome, result.stop_loss)
    assert "POSITION 5 IS WITHOUT A STOP" in result.message
    assert "stop 1.09712 is tried again, or set it by hand" in result.message
    assert [logging.CRITICAL] == [record.levelno for record in caplog.records]
    assert sum(setup.clock.waits) < 2


def test_position_without_a_stop_asked_for_is_left_alone() -> None:
    """Nothing is added that was not asked for."""
    setup = case(executes())

    result = setup.send(attrs.evolve(OPEN, stop_loss=None))

    assert (Outcome.FILLED, 1) == (result.outcome, len(setup.terminal.sent))


def test_protection_that_does_not_stand_is_told() -> None:
    """What the terminal shows counts, not what it answered."""
    setup = case(10009)
    setup.terminal.positions = [make_position()]

    result = setup.send(PROTECT)

    assert (1.09712, 1.10612) == (result.stop_loss, result.take_profit)
    assert "the terminal shows other levels" in result.message


def test_protection_that_cannot_be_read_back_is_told_as_sent() -> None:
    """The terminal accepted it; that it could not be seen is said."""
    setup = case()
    setup.terminal.positions = [make_position()]

    def fail(terminal: Scripted, request: dict[str, Any]) -> Any:
        terminal.failures["positions_get"].append((-1, "Terminal: Call failed"))
        return make_answer(10009)

    setup.terminal.answers = deque([fail])

    result = setup.send(PROTECT)

    assert (Outcome.FILLED, 1.095) == (result.outcome, result.stop_loss)
    assert "could not be read back" in result.message


def test_position_that_closes_while_it_is_protected_is_told() -> None:
    """There is nothing left to look at."""
    setup = case()
    setup.terminal.positions = [make_position()]

    def close(terminal: Scripted, request: dict[str, Any]) -> Any:
        terminal.positions = []
        return make_answer(10009)

    setup.terminal.answers = deque([close])

    assert "closed meanwhile" in setup.send(PROTECT).message


@pytest.mark.parametrize(
    ("answered", "expected"),
    [({"volume": 0.1, "price": 1.10013}, (0.1, 1.10013)), ({}, (0.4, 1.10012))],
)
def test_netting_fill_without_a_deal_is_told_as_far_as_known(
    answered: dict[str, float], expected: tuple[float, float]
) -> None:
    """Without the deal the answer's figures count, and the position's without those."""

    def add(terminal: Scripted, request: dict[str, Any]) -> Any:
        terminal.positions = [make_position(ticket=3, identifier=3, volume=0.4)]
        return make_answer(10009, order=5, **answered)

    result = case(add).send()

    assert expected == (result.volume, result.price)


def test_quote_that_fails_while_it_is_waited_for_ends_the_tries() -> None:
    """Without quotes there is nothing to send at."""
    setup = case(10021)
    setup.terminal.ticks.append(make_tick())
    reads = iter([None, (-1, "Terminal: Call failed")])

    def fail() -> None:
        failure = next(reads, None)
        if failure is not None:
            setup.terminal.failures["symbol_info_tick"].append(failure)

    setup.terminal.before["symbol_info_tick"] = fail

    assert (Outcome.REJECTED, 10021) == (setup.send().outcome, 10021)


# -- looking up ------------------------------------------------------------------------
def test_working_order_is_not_told_yet() -> None:
    """An order that still works is neither filled nor gone."""
    setup = case()
    setup.terminal.orders = [make_order(1)]

    with pytest.raises(UnavailableError, match="order 5 is still working"):
        setup.adapter.find(OPEN)


@pytest.mark.parametrize(
    ("state", "word"), [(2, "cancelled"), (5, "rejected"), (6, "expired")]
)
def test_order_that_ended_without_a_deal_is_rejected(state: int, word: str) -> None:
    """History shows that the order came to nothing."""
    setup = case()
    setup.terminal.done = [make_order(state)]

    found = setup.adapter.find(OPEN)

    assert found is not None
    assert (Outcome.REJECTED, f"order 5 was {word}") == (found.outcome, found.message)


@pytest.mark.parametrize("state", [3, 4])
def test_filled_order_waits_for_its_deal(state: int) -> None:
    """A filled order without deals means that the history is not whole yet."""
    setup = case()
    setup.terminal.done = [make_order(state)]

    with pytest.raises(UnavailableError, match="its deal is not there yet"):
        setup.adapter.find(OPEN)


def test_position_is_found_before_its_deal_shows() -> None:
    """The position alone is proof enough."""
    setup = case()
    setup.terminal.positions = [make_position()]

    found = setup.adapter.find(OPEN)

    assert found is not None
    assert (Outcome.FILLED, 5, 0.1) == (found.outcome, found.ticket, found.volume)


def test_several_deals_are_added_up() -> None:
    """A fill in parts has the sum of the volumes and the average price."""
    setup = case()
    setup.terminal.positions = [make_position(volume=0.4)]
    setup.terminal.deals = [
        make_deal(volume=0.1, price=1.1),
        make_deal(ticket=10, volume=0.3, price=1.2),
    ]

    found = setup.adapter.find(OPEN)

    assert found is not None
    assert (0.4, 1.175) == (found.volume, found.price)


def test_account_switched_during_the_look_up_proves_nothing() -> None:
    """Readings of another account are no readings."""
    setup = case()
    setup.terminal.before["orders_get"] = lambda: setattr(
        setup.terminal.account, "login", 2
    )

    with pytest.raises(UnavailableError, match="ANOTHER ACCOUNT"):
        setup.adapter.find(OPEN)


@pytest.mark.parametrize("comment", ["", "AAAAA"])
def test_comment_that_the_broker_changed_is_matched_by_what_is_left(
    comment: str,
) -> None:
    """Magic, symbol and time tell, when the order was sent by this very process."""

    def execute_and_lose(terminal: Scripted, request: dict[str, Any]) -> Any:
        executes()(terminal, request)
        terminal.positions[0].comment = terminal.deals[0].comment = comment
        terminal.error = (-10002, "IPC recv failed")

    setup = case(execute_and_lose)
    setup.send()
    setup.clock.wait(1)

    found = setup.adapter.find(OPEN)

    assert found is not None
    assert (Outcome.FILLED, 5) == (found.outcome, found.ticket)


@pytest.mark.parametrize(
    "fields",
    [
        {"magic": 8},
        {"symbol": "GBPUSD"},
        {"time_msc": WALL_MS - 60_000},
        {"comment": "BBBBBBBBBB"},
    ],
)
def test_record_of_something_else_is_not_taken_for_the_order(
    fields: dict[str, Any],
) -> None:
    """Another strategy's, an older or another order's record is none of ours."""
    setup = case()
    setup.terminal.failures["order_send"].append((-10002, "IPC recv failed"))
    setup.send()
    setup.clock.wait(1)
    setup.terminal.positions = [make_position(**{"comment": "", **fields})]
    setup.terminal.deals = [make_deal(**{"comment": "", **fields})]

    assert setup.adapter.find(OPEN) is None


def test_exit_without_a_comment_is_not_added_to_the_entry() -> None:
    """Where comments are dropped, only entries count as the opening's deals."""

    def execute_and_lose(terminal: Scripted, request: dict[str, Any]) -> Any:
        executes()(terminal, request)
        terminal.positions.clear()
        terminal.deals = [
            make_deal(comment=""),
            make_deal(ticket=10, entry=1, type=1, price=1.09, comment=""),
        ]
        terminal.error = (-10002, "IPC recv failed")

    setup = case(execute_and_lose)
    setup.send()
    setup.clock.wait(1)

    found = setup.adapter.find(OPEN)

    assert found is not None
    assert (0.1, 1.10012) == (found.volume, found.price)


def test_close_whose_history_is_missing_is_not_told() -> None:
    """A position that is gone without a deal is not understood yet."""
    with pytest.raises(UnavailableError, match="its history is not there yet"):
        case().adapter.find(CLOSE)


def test_protection_of_a_closed_position_came_too_late() -> None:
    """There is nothing left to protect, which is certain."""
    found = case().adapter.find(PROTECT)

    assert found is not None
    assert (Outcome.REJECTED, "the position is closed") == (
        found.outcome,
        found.message,
    )


def test_a_neighbour_without_a_comment_is_not_waited_for() -> None:
    """A close just before, its comment dropped too, is not the opening's order."""
    setup = case()
    request = attrs.evolve(OPEN, placed_at=NOW)
    setup.terminal.done = [make_order(4, comment="", ticket=4)]
    setup.terminal.deals = [make_deal(comment="", order=4, entry=1, type=1)]

    assert setup.adapter.find(request) is None


@pytest.mark.parametrize("comment", ["", "AAAAA"])
def test_an_order_of_an_earlier_start_is_matched_by_magic_and_time(
    comment: str,
) -> None:
    """What was on disk says from when on: the process that sent it is gone."""
    request = attrs.evolve(OPEN, placed_at=NOW)
    setup = case()
    setup.terminal.positions = [make_position(comment=comment)]
    setup.terminal.deals = [make_deal(comment=comment)]

    found = setup.adapter.find(request)

    assert found is not None
    assert (Outcome.FILLED, 5) == (found.outcome, found.ticket)


def test_an_older_position_is_not_taken_for_the_order_of_an_earlier_start() -> None:
    """It was there before the order was approved."""
    request = attrs.evolve(OPEN, placed_at=NOW + timedelta(minutes=1))
    setup = case()
    setup.terminal.positions = [make_position(comment="")]
    setup.terminal.deals = [make_deal(comment="")]

    assert setup.adapter.find(request) is None


def test_a_stop_that_is_missing_at_the_look_up_is_added() -> None:
    """The runner was killed between the fill and its stop: the next start adds it."""
    setup = case(protects())
    setup.terminal.positions = [make_position(sl=0.0, tp=0.0)]
    setup.terminal.deals = [make_deal()]

    found = setup.adapter.find(OPEN)

    (sent,) = setup.terminal.sent
    assert (6, 5) == (sent["action"], sent["position"])
    assert found is not None
    assert (Outcome.FILLED, sent["sl"]) == (found.outcome, found.stop_loss)
    assert 1.09712 == sent["sl"]


def test_a_stop_that_cannot_be_added_at_the_look_up_leaves_it_unresolved() -> None:
    """Cried out once, tried again at the next look-up, done when it stands."""
    setup = case(10006, 10006, protects())
    setup.terminal.positions = [make_position(sl=0.0, tp=0.0)]
    setup.terminal.deals = [make_deal()]

    for _ in range(2):
        with pytest.raises(UnavailableError, match="POSITION 5 IS WITHOUT A STOP"):
            setup.adapter.find(OPEN)
    found = setup.adapter.find(OPEN)

    assert found is not None
    assert found.stop_loss


def test_a_bare_position_of_a_symbol_that_vanished_is_unresolved_and_no_crash() -> None:
    """Its stop cannot be computed; a person reads so, and it is tried again."""
    setup = case()
    request = attrs.evolve(OPEN, symbol="GONE")
    setup.terminal.positions = [make_position(sl=0.0, symbol="GONE")]
    setup.terminal.deals = [make_deal(symbol="GONE")]

    with pytest.raises(UnavailableError, match="GONE"):
        setup.adapter.find(request)


def test_a_server_that_minds_the_filling_of_a_stop_is_not_asked_another_way() -> None:
    """A change of levels has no filling mode that could be the next."""
    setup = case(10030)
    setup.terminal.positions = [make_position(sl=0.0, tp=0.0)]
    setup.terminal.deals = [make_deal()]

    with pytest.raises(UnavailableError, match="POSITION 5 IS WITHOUT A STOP"):
        setup.adapter.find(OPEN)
