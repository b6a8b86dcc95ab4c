"""A terminal that hangs: its own worker is killed, the others never notice."""

from __future__ import annotations

import json
import os
import re

import pytest

pytestmark = [
    pytest.mark.redis,
    pytest.mark.skipif(os.name == "nt", reason="a killed worker ends with -9"),
    pytest.mark.timeout(300),
]

ACCOUNTS = ("101", "102")
KEYS = {f"MT5RUNNER_API_KEY_{one}": f"key-{one}" for one in ACCOUNTS}
_FROZEN_AFTER = 10
HANGS = {"schedule": {"account_info": {"150": {"fault": "Hang"}}}}


def test_a_hung_terminal_costs_its_own_worker_and_nobody_else(
    bench, redis_url, control, helpers
):
    """It is killed within its bound and started again; the other one beats on."""
    seed = helpers.seed()
    (account,) = seed["accounts"]
    seed["accounts"] = [
        account | {"mt5_account_id": one, "api_key": f"key-{one}"} for one in ACCOUNTS
    ]
    bench.serve("--redis-url", redis_url, seed=seed)
    state = bench.folder / "state"
    plan = bench.folder / "hang.json"
    plan.write_text(json.dumps(HANGS))
    lines = [
        f'api_url = "{bench.address}"',
        f'redis_url = "{redis_url}"',
        f"state_dir = '{state}'",
        "heartbeat_interval = 1",
        f"frozen_after = {_FROZEN_AFTER}",
    ]
    for one in ACCOUNTS:
        words = ["-m", "runner", "terminal", "--account", one, "--speed", "60"]
        words += ["--faults", str(plan)] if one == "101" else []
        market = bench.start(*words, "--state-dir", str(state))
        market.wait_for("on port")
        port = re.search(r"on port (\d+);", market.text)
        assert port is not None
        lines += [f"[account.{one}]", f"paper_terminal = {port[1]}"]
    file = bench.folder / "fleet.toml"
    file.write_text("\n".join(lines) + "\n")
    supervisor = bench.start("-m", "runner", "start", "--config", str(file), **KEYS)

    def beat(one):
        return control.hgetall(f"bot:heartbeat:{one}")

    def pid(one):
        return int(beat(one).get("pid", 0))

    helpers.wait_until(
        lambda: all(map(pid, ACCOUNTS)), f"heartbeats\n{supervisor.text}"
    )
    before = {one: pid(one) for one in ACCOUNTS}
    seen: dict[str, set[str]] = {one: set() for one in ACCOUNTS}
    ticks: set[str] = set()

    def restarted():
        for one in ACCOUNTS:
            if pid(one) == before[one]:
                seen[one].add(beat(one)["timestamp"])
        ticks.add(beat("102").get("last_tick", ""))
        return pid("101") not in {0, before["101"]}

    helpers.wait_until(restarted, "a new process of 101", within=180)

    said = re.search(
        r"CRITICAL supervisor: 101: FROZEN: no sign of life for (\d+) s; killed",
        supervisor.text,
    )
    assert said is not None, supervisor.text
    assert _FROZEN_AFTER <= int(said[1]) < 2 * _FROZEN_AFTER
    assert before["102"] == pid("102")
    # While one hung for ten seconds the other went on, with the market's time.
    assert len(seen["102"]) > len(seen["101"])
    assert len(ticks) > len(seen["101"])
    assert "102: FROZEN" not in supervisor.text
    assert 0 == supervisor.stop(within=60)
