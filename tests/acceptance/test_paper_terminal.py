"""A paper terminal of its own, and the runners that come and go on it."""

from __future__ import annotations

import os
import re
import signal
from typing import Any

import pytest

from runner.adapters.mt5_simulator.client import RemoteTerminal
from runner.adapters.mt5_simulator.pipe import key_file, read_key
from runner.wire.keys import lease

pytestmark = [
    pytest.mark.redis,
    pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL"),
]

PORT = re.compile(r"on port (\d+);")


def terminal(bench, *flags):
    """Start a terminal on the account of the demo; return it and its port."""
    words = ("-m", "runner", "terminal", "--account", "123456")
    process = bench.start(*words, "--state-dir", str(bench.folder / "state"), *flags)
    process.wait_for("on port")
    found = PORT.search(process.text)
    assert found is not None
    return process, found[1]


def beat(control):
    """Return the account's heartbeat."""
    return control.hgetall("bot:heartbeat:123456")


def test_an_account_outlives_the_runner_that_is_killed(
    bench, redis_url, control, helpers
):
    """What is open stays open, with its stop, and the next runner reports it."""
    bench.serve("--redis-url", redis_url)
    market, port = terminal(bench, "--speed", "0.001")
    flags = ("--paper-terminal", port, "--redis-url", redis_url)
    first = bench.run(*flags)
    helpers.wait_until(
        lambda: int(beat(control).get("pid", 0)) == first.process.pid,
        f"a heartbeat\n{first.text}",
    )
    by_hand: Any = RemoteTerminal(int(port), read_key(key_file(bench.folder / "state")))
    assert by_hand.initialize()
    assert by_hand.symbol_select("EURUSD")
    bid = by_hand.symbol_info_tick("EURUSD").bid
    stop = round(bid - 0.1, 5)
    answer = by_hand.order_send(
        {"action": 1, "symbol": "EURUSD", "volume": 0.1, "type": 0, "sl": stop}
    )
    assert answer.retcode == by_hand.TRADE_RETCODE_DONE, answer

    first.kill()
    control.delete(lease("123456"))
    second = bench.run(*flags)
    helpers.wait_until(
        lambda: int(beat(control).get("pid", 0)) == second.process.pid,
        f"a heartbeat of the second\n{second.text}",
    )

    held = {row.ticket: row.sl for row in by_hand.positions_get()}
    assert stop == held[answer.order]
    assert str(len(held)) == beat(control)["open_positions"]
    assert 0 == second.stop(within=60)
    assert market.process.poll() is None
    assert 0 == market.stop(within=60)


def test_a_terminal_that_is_gone_pauses_its_runner_and_ends_nothing(
    bench, redis_url, control, helpers
):
    """Every call fails; the account is unknown; nothing is opened."""
    bench.serve("--redis-url", redis_url)
    market, port = terminal(bench)
    runner = bench.run(
        "--paper-terminal",
        port,
        "--redis-url",
        redis_url,
        MT5RUNNER_HEARTBEAT_INTERVAL="1",
    )
    helpers.wait_until(lambda: beat(control), f"a heartbeat\n{runner.text}")

    market.process.send_signal(signal.SIGKILL)

    helpers.wait_until(
        lambda: "ACCOUNT_UNKNOWN" in beat(control).get("pause_reasons", ""),
        f"the reason\n{runner.text}",
    )
    assert runner.process.poll() is None
    assert 0 == runner.stop(within=60)
