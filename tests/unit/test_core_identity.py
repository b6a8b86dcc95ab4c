from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.core.identity import magic_number, order_token


@given(st.text(max_size=20), st.integers(0, 10**9))
def test_a_magic_number_fits_the_terminal_and_never_changes(account, strategy_id):
    """It is positive, at most 31 bits, and the same at every start."""
    magic = magic_number(account, strategy_id)

    assert 0 < magic < 2**31
    assert magic == magic_number(account, strategy_id)


def test_magic_numbers_differ_between_strategies_and_accounts():
    """Ten thousand neighbours do not share a number."""
    made = {magic_number(str(100_000 + n // 10), n % 10) for n in range(10_000)}

    assert len(made) == 10_000


def test_order_tokens_are_short_and_unique_within_and_across_sessions():
    """Ten characters fit a comment of 29 beside the runner's own mark."""
    tokens = {order_token(session, n) for session in "ab" for n in range(5_000)}

    assert len(tokens) == 10_000
    assert {10} == {len(token) for token in tokens}
