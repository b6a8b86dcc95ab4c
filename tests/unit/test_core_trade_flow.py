from __future__ import annotations

from datetime import UTC, datetime, timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.orders import Action, OrderRequest, OrderResult, Outcome, Side
from runner.core.trade_flow import (
    CERTAIN_AFTER,
    REMOVAL_CERTAIN_AFTER,
    Answered,
    Command,
    Found,
    NoTrace,
    OrderFlow,
    OutOfOrderError,
    Restarted,
    Stage,
    Stored,
    Unreadable,
)

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
REQUEST = OrderRequest(
    token="ABC", magic=7, symbol="EURUSD", action=Action.OPEN, side=Side.BUY, volume=0.1
)


def result(outcome: Outcome) -> OrderResult:
    return OrderResult(token="ABC", outcome=outcome)


def recorded() -> OrderFlow:
    return OrderFlow(request=REQUEST).receive(Stored())[0]


def test_an_order_is_sent_only_after_it_is_on_disk():
    """The command to send comes from the event that it was stored."""
    flow, command = OrderFlow(request=REQUEST).receive(Stored())

    assert (Stage.RECORDED, Command.SEND) == (flow.stage, command)


@pytest.mark.parametrize(
    "outcome", [Outcome.FILLED, Outcome.REJECTED, Outcome.NOT_SENT]
)
def test_a_clear_answer_ends_the_order(outcome):
    """A trustworthy answer is final and is forgotten on disk."""
    flow, command = recorded().receive(Answered(result(outcome), NOW))

    assert (Stage.DONE, Command.FORGET) == (flow.stage, command)
    assert result(outcome) == flow.result


def test_a_lost_reply_is_looked_up_and_never_sent_again():
    """An unknown outcome leads to a look-up."""
    flow, command = recorded().receive(Answered(result(Outcome.UNKNOWN), NOW))

    assert (Stage.UNKNOWN, Command.LOOK_UP) == (flow.stage, command)


def test_an_order_found_on_disk_at_start_is_looked_up():
    """After a crash nobody knows whether it was sent."""
    flow, command = recorded().receive(Restarted(NOW))

    assert (Stage.UNKNOWN, Command.LOOK_UP) == (flow.stage, command)


def test_an_order_without_trace_is_given_up_only_after_the_whole_search():
    """One second before the time is over it is still looked for."""
    flow, _ = recorded().receive(Answered(result(Outcome.UNKNOWN), NOW))

    early, command = flow.receive(NoTrace(NOW + CERTAIN_AFTER - timedelta(seconds=1)))
    assert (Stage.UNKNOWN, Command.LOOK_UP) == (early.stage, command)

    late, command = early.receive(NoTrace(NOW + CERTAIN_AFTER))
    assert (Stage.ABANDONED, Command.FORGET) == (late.stage, command)


def test_a_removal_without_trace_is_asked_for_again_soon():
    """To remove an order twice does no harm, and to let it wait may."""
    cancel = attrs.evolve(REQUEST, action=Action.CANCEL, ticket=5)
    flow = OrderFlow(request=cancel).receive(Stored())[0]
    flow = flow.receive(Answered(result(Outcome.UNKNOWN), NOW))[0]

    early, _ = flow.receive(NoTrace(NOW + REMOVAL_CERTAIN_AFTER - SECOND))
    assert Stage.UNKNOWN is early.stage
    late, command = early.receive(NoTrace(NOW + REMOVAL_CERTAIN_AFTER))
    assert (Stage.ABANDONED, Command.FORGET) == (late.stage, command)


def test_an_unreadable_look_up_starts_the_search_anew():
    """A search with a hole in it proves nothing."""
    flow, _ = recorded().receive(Answered(result(Outcome.UNKNOWN), NOW))

    flow, _ = flow.receive(Unreadable(NOW + timedelta(seconds=20)))
    flow, command = flow.receive(NoTrace(NOW + CERTAIN_AFTER))

    assert (Stage.UNKNOWN, Command.LOOK_UP) == (flow.stage, command)


def test_a_found_order_ends_with_what_was_found():
    """The look-up's result is the order's result."""
    flow, _ = recorded().receive(Restarted(NOW))

    flow, command = flow.receive(Found(result(Outcome.FILLED)))

    assert (Stage.DONE, Command.FORGET) == (flow.stage, command)
    assert result(Outcome.FILLED) == flow.result


EVENTS = [
    Stored(),
    Answered(result(Outcome.UNKNOWN), NOW),
    Answered(result(Outcome.FILLED), NOW),
    Restarted(NOW),
    Found(result(Outcome.FILLED)),
    NoTrace(NOW),
    NoTrace(NOW + CERTAIN_AFTER),
    Unreadable(NOW),
]


@given(st.lists(st.sampled_from(EVENTS), max_size=12))
def test_no_sequence_of_events_sends_an_order_twice(events):
    """Whatever happens in whatever order, the command to send comes at most once."""
    flow, sent = OrderFlow(request=REQUEST), 0
    for event in events:
        try:
            flow, command = flow.receive(event)
        except OutOfOrderError:
            continue
        sent += command is Command.SEND

    assert sent <= 1
