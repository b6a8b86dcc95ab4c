"""What follows when a strategy fails."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.core.failures import (
    DEFAULT_POLICY,
    HEALTHY,
    FailurePolicy,
    Health,
    HealthState,
)

NOW = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)


def _failed(times: int, policy: FailurePolicy = DEFAULT_POLICY) -> Health:
    health = HEALTHY
    for _ in range(times):
        health = health.failed("on_bar EURUSD", "ValueError: no", NOW, policy)
    return health


def test_a_healthy_strategy_may_run() -> None:
    """Nothing keeps a strategy that never failed from being called."""
    assert HEALTHY.may_run(NOW)
    assert HealthState.RUNNING is HEALTHY.state


def test_the_first_failure_pauses_for_the_first_pause() -> None:
    """It is called again when the pause is over, and not a moment before."""
    health = _failed(1)

    assert HealthState.PAUSED is health.state
    assert not health.may_run(NOW + timedelta(seconds=29, microseconds=999_999))
    assert health.may_run(NOW + timedelta(seconds=30))


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 30), (2, 60), (3, 120), (4, 240)]
)
def test_each_further_failure_doubles_the_pause(failures: int, seconds: int) -> None:
    """The back-off grows with the number of failures in a row."""
    assert NOW + timedelta(seconds=seconds) == _failed(failures).retry_at


def test_too_many_failures_in_a_row_disable() -> None:
    """A disabled strategy is never called again, and does not come back by itself."""
    health = _failed(5)

    assert HealthState.DISABLED is health.state
    assert health.retry_at is None
    assert not health.may_run(NOW + timedelta(days=365))
    assert HealthState.DISABLED is _failed(6).state
    assert health == health.succeeded("on_bar EURUSD")


def test_a_success_where_it_failed_clears_the_record() -> None:
    """Failures in a row are counted, not failures in all."""
    assert HEALTHY == _failed(4).succeeded("on_bar EURUSD")


@pytest.mark.parametrize("where", ["on_tick EURUSD", "on_bar XAUUSD"])
def test_a_success_elsewhere_clears_nothing(where: str) -> None:
    """A strategy that fails on each bar of a symbol is not saved by anything else."""
    health = _failed(2)

    assert health == health.succeeded(where)


def test_a_limit_below_one_is_refused() -> None:
    """A policy that disables before the first failure makes no sense."""
    with pytest.raises(ValueError, match="limit"):
        FailurePolicy(limit=0)


@given(
    limit=st.integers(1, 200),
    failures=st.integers(1, 250),
    first=st.integers(1, 3600),
    longest=st.integers(1, 86_400),
)
def test_pauses_grow_up_to_the_longest_until_disabled(
    limit: int, failures: int, first: int, longest: int
) -> None:
    """No number of failures makes a pause shorter, too long, or an error."""
    policy = FailurePolicy(
        limit=limit,
        first_pause=timedelta(seconds=first),
        longest_pause=timedelta(seconds=longest),
    )
    before, health = _failed(failures - 1, policy), _failed(failures, policy)

    assert (failures >= limit) == (health.state is HealthState.DISABLED)
    assert failures == health.failures
    if health.retry_at is not None:
        assert NOW < health.retry_at <= NOW + timedelta(seconds=longest)
        assert before.retry_at is None or before.retry_at <= health.retry_at
