"""What the recorder costs: time and bytes of a run, with it and without.

Run it with ``python benchmarks/recorder.py [BARS]``. A paper market is played as fast
as it goes, which no real one does: live the loop rests a fifth of a second a cycle.
"""

from __future__ import annotations

import csv
import itertools
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from runner.adapters.feeds.synthetic import SyntheticFeed

SYMBOLS = ("EURUSD", "XAUUSD")
ROUNDS = 3


def main() -> None:
    """Play the same bars by turns and print the figures."""
    bars = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        feed = write_bars(folder, bars)
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "server_stub", "--demo", "--port", "0"),
                *("--db", str(folder / "server.db"), "--redis-url="),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            line = server.stdout.readline() if server.stdout else ""
            found = re.search(r"http://\S+?:\d+", line)
            if found is None:
                sys.exit(f"the server did not start: {line}")
            measure(folder, feed, found[0], bars)
        finally:
            server.terminate()
            server.communicate()


def write_bars(folder: Path, count: int) -> str:
    """Write made bars, so many of all symbols together, and return the feed."""
    made = list(itertools.islice(SyntheticFeed(SYMBOLS).bars(), count))
    specs: list[str] = []
    for symbol in SYMBOLS:
        path = folder / f"{symbol}.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            names = "time,open,high,low,close,tick_volume,spread"
            writer.writerow(names.split(","))
            writer.writerows(
                [
                    *(bar.opens_at.isoformat(), bar.open, bar.high, bar.low),
                    *(bar.close, bar.tick_volume, bar.spread),
                ]
                for bar in made
                if bar.symbol == symbol
            )
        specs.append(f"{symbol}={path}")
    return "csv:" + ",".join(specs)


def measure(folder: Path, feed: str, address: str, bars: int) -> None:
    """Run by turns, and print."""
    seconds: dict[str, list[float]] = {"off": [], "on": []}
    size = 0
    for number, (mode, times) in itertools.product(range(ROUNDS), seconds.items()):
        state = folder / f"{mode}-{number}"
        flags = ["--journal", "off"] if mode == "off" else []
        began = time.perf_counter()
        run = subprocess.run(
            [
                *(sys.executable, "-m", "runner", "start", "--account", "123456"),
                *("--api-url", address, "--state-dir", str(state), "--feed", feed),
                *("--speed", "max", "--exit-when-feed-ends", *flags),
            ],
            env=os.environ | {"MT5RUNNER_API_KEY": "demo-key"},
            stderr=subprocess.PIPE,
            text=True,
            check=True,
        )
        told = re.search(r"bars in ([\d.]+) s", run.stderr)
        times.append(float(told[1]) if told else time.perf_counter() - began)
        size = sum(file.stat().st_size for file in state.rglob("*.gz")) or size
    off, on = (statistics.median(seconds[mode]) for mode in ("off", "on"))
    print(f"{bars} bars: {off:.1f} s without, {on:.1f} s with: {on / off:.2f} times")
    print(f"{size / bars * 10_000 / 1e6:.2f} MB per 10,000 bars")
    print(f"{(on - off) / bars * 1e6:.0f} microseconds a bar")


if __name__ == "__main__":
    main()
