"""What an idle paper account costs under the supervisor: memory and processor.

Run it with ``python benchmarks/idle_accounts.py [ACCOUNTS] [SECONDS]`` on Linux, with
a `redis-server` on the path. It starts one Redis, the config server and ``runner
start`` on paper accounts that follow the market and open nothing, waits until each
has sent a heartbeat, lets them settle, and then measures for SECONDS.

RSS counts memory that processes share in each of them; PSS divides it among them.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import redis

SETTLE = 20.0  # seconds
KEY = "key"


def main() -> None:
    """Start everything, measure, print the figures, stop everything."""
    accounts = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 60.0  # noqa: PLR2004
    names = [str(1000 + number) for number in range(accounts)]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(run_redis(folder))
        address = stack.enter_context(run_server(folder, url, names))
        supervisor = stack.enter_context(run_accounts(folder, url, address, names))
        workers = wait_for_heartbeats(url, names)
        print(f"{accounts} accounts run; settling for {SETTLE:.0f} s")
        time.sleep(SETTLE)
        before = {pid: processor_seconds(pid) for pid in (supervisor, *workers)}
        time.sleep(seconds)
        used = {pid: processor_seconds(pid) - before[pid] for pid in before}
        shares = [100 * used[pid] / seconds for pid in workers]
        report("idle account", [memory(pid) for pid in workers], shares)
        report("supervisor", [memory(supervisor)], [100 * used[supervisor] / seconds])


def report(
    what: str, sizes: Sequence[Mapping[str, float]], shares: list[float]
) -> None:
    """Print medians and the largest."""
    pss, rss = [size["Pss"] for size in sizes], [size["Rss"] for size in sizes]
    print(
        f"{what}: PSS {statistics.median(pss):.1f} MB (at most {max(pss):.1f}), "
        f"RSS {statistics.median(rss):.1f} MB (at most {max(rss):.1f}), "
        f"processor {statistics.median(shares):.2f} % of a core "
        f"(at most {max(shares):.2f} %)"
    )


def memory(pid: int) -> dict[str, float]:
    """Return PSS and RSS in megabytes (10^6 bytes)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()[1:]
    fields = (line.split() for line in lines)
    return {name.rstrip(":"): int(kib) * 1024 / 1e6 for name, kib, *_ in fields}


def processor_seconds(pid: int) -> float:
    """Return user and system time so far, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for_heartbeats(url: str, names: Sequence[str]) -> list[int]:
    """Wait until every account has sent one; return the processes."""
    deadline = time.monotonic() + 300
    with redis.Redis.from_url(url, decode_responses=True) as client:
        while True:
            pids = [client.hget(f"bot:heartbeat:{name}", "pid") for name in names]
            if all(pids):
                return [int(str(pid)) for pid in pids]
            if time.monotonic() > deadline:
                sys.exit(f"heartbeats after five minutes: {sum(map(bool, pids))}")
            time.sleep(0.5)


@contextlib.contextmanager
def run_redis(folder: Path) -> Iterator[str]:
    """Run a Redis of our own."""
    program = shutil.which("redis-server")
    if program is None:
        sys.exit("redis-server is not on the path")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    process = subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL)
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def run_server(folder: Path, url: str, names: Sequence[str]) -> Iterator[str]:
    """Run the config server with *names* on the demo's strategy."""
    from server_stub.seed import DEMO  # noqa: PLC0415 - of the server alone

    (account,) = DEMO["accounts"]
    accounts = [account | {"mt5_account_id": name, "api_key": KEY} for name in names]
    seed = folder / "seed.json"
    seed.write_text(json.dumps({**DEMO, "accounts": accounts}))
    words = ["-m", "server_stub", "--port", "0", "--db", str(folder / "server.db")]
    process = subprocess.Popen(
        [sys.executable, *words, "--seed", str(seed), "--redis-url", url],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        line = process.stdout.readline() if process.stdout else ""
        if "http://" not in line:
            sys.exit(f"the server did not start: {line}")
        yield "http://" + line.split("http://")[1].split()[0].strip("/")
    finally:
        process.terminate()
        process.communicate()


@contextlib.contextmanager
def run_accounts(
    folder: Path, url: str, address: str, names: Sequence[str]
) -> Iterator[int]:
    """Run the supervisor and yield its process; its log goes to a file."""
    config = folder / "fleet.toml"
    common = {"redis_url": url, "api_url": address, "state_dir": str(folder / "state")}
    lines = [f"{name} = '{value}'" for name, value in common.items()]
    lines += [f"[account.{name}]" for name in names]
    config.write_text("\n".join(lines))
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "runner", "start", "--config", str(config)],
            stderr=log,
            env=os.environ | {"MT5RUNNER_API_KEY": KEY},
        )
        try:
            yield process.pid
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
