"""How many GETs a second the config server answers on one kept-alive connection.

Run it with ``python benchmarks/stub_gets.py [SECONDS]``. The client is the standard
library's, in a process of its own, so that the figure is the server's and not its own.
"""

from __future__ import annotations

import http.client
import re
import statistics
import subprocess
import sys
import time

PATHS = ("/api/bot/trade-config/123456/", "/api/bot/strategy-config/123456/1/")
HEADERS = {"Authorization": "Api-Key demo-key"}


def main() -> None:
    """Start the demo, ask for both configs in turn, print the figures."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    server = subprocess.Popen(
        [sys.executable, "-m", "server_stub", "--demo", "--port", "0", "--redis-url="],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        line = server.stdout.readline() if server.stdout else ""
        match = re.search(r"http://([^:]+):(\d+)", line)
        if match is None:
            sys.exit(f"the server did not start: {line}")
        measure(match[1], int(match[2]), seconds)
    finally:
        server.terminate()
        server.communicate()


def measure(host: str, port: int, seconds: float) -> None:
    """Ask for *seconds* and print rate and latency."""
    connection = http.client.HTTPConnection(host, port, timeout=10)
    latencies: list[float] = []
    start = time.perf_counter()
    while (begun := time.perf_counter()) - start < seconds:
        connection.request("GET", PATHS[len(latencies) % 2], headers=HEADERS)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:  # noqa: PLR2004 - HTTP's own number
            sys.exit(f"status {answer.status}")
        latencies.append(time.perf_counter() - begun)
    elapsed = time.perf_counter() - start
    connection.close()
    cuts = statistics.quantiles(latencies, n=100)
    print(
        f"{len(latencies) / elapsed:,.0f} GETs/s on one connection, "
        f"p50 {cuts[49] * 1000:.2f} ms, p99 {cuts[98] * 1000:.2f} ms"
    )


if __name__ == "__main__":
    main()
