"""``config-server-stub``: the config server on the command line."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import redis

from runner.wire.encoding import WireError, read_json
from server_stub.changes import RefusedError
from server_stub.redis_link import connect
from server_stub.seed import DEMO, DEMO_ACCOUNT, DEMO_ADMIN_KEY, DEMO_KEY, plant
from server_stub.server import HEARTBEAT_INTERVAL, StubServer
from server_stub.store import Store, StoreError

DONE, USAGE, UNREACHABLE = 0, 2, 4
ADMIN_KEY = "CONFIG_STUB_ADMIN_KEY"
_LONGEST_INTERVAL = 240.0
_PORTS = 65_535


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or Ctrl-C.

    Args:
        arguments: The command line without the program's name; None takes the real one.

    Returns:
        The exit code: 0 done, 2 usage or settings, 4 could not reach what it needs.
    """
    options = _parser().parse_args(arguments)
    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.INFO)
    try:
        store = Store(options.db or ":memory:")
    except StoreError as error:
        return _fail(USAGE, f"--db: {error}")
    try:
        return _serve(options, store)
    finally:
        store.close()


def _serve(options: argparse.Namespace, store: Store) -> int:
    try:
        _plant(options, store)
    except (OSError, WireError, RefusedError) as error:
        lines = error.errors if isinstance(error, RefusedError) else [str(error)]
        return _fail(USAGE, *(f"--seed {options.seed}: {line}" for line in lines))
    try:
        client = connect(options.redis_url) if options.redis_url else None
    except (ValueError, redis.RedisError) as error:
        return _fail(USAGE, f"--redis-url: {error}")
    admin_key = os.environ.get(ADMIN_KEY) or (DEMO_ADMIN_KEY if options.demo else None)
    server = StubServer(
        store=store,
        host=options.host,
        port=options.port,
        redis_client=client,
        heartbeat_interval=options.heartbeat_interval,
        admin_key=admin_key,
        extensions=not options.no_extensions,
    )
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), on_signal)
    try:
        server.start()
    except OSError as error:
        where = f"{options.host}:{options.port}"
        return _fail(UNREACHABLE, f"cannot listen on {where}: {error}; try --port 0")
    else:
        _introduce(options, server, admin_key)
        # On Windows a wait without an end cannot be interrupted by Ctrl-C.
        while not stop.wait(1.0):
            pass
        return DONE
    finally:
        server.stop()
        if client is not None:
            client.close()


def _plant(options: argparse.Namespace, store: Store) -> None:
    if options.demo:
        plant(store, DEMO)
    if options.seed is not None:
        plant(store, read_json("the file", Path(options.seed).read_bytes()))


def _introduce(
    options: argparse.Namespace, server: StubServer, admin_key: str | None
) -> None:
    print(f"config server listening on {server.address}", flush=True)
    if options.demo:
        shown = (
            DEMO_ADMIN_KEY if admin_key == DEMO_ADMIN_KEY else f"that of {ADMIN_KEY}"
        )
        print(f"demo: account {DEMO_ACCOUNT}, key {DEMO_KEY}, admin key {shown}")
    elif admin_key is None:
        print(f"administration is off: set {ADMIN_KEY} to a key of your choice")
    if not options.redis_url:
        print("no --redis-url: REST only, bots are not seen and learn by polling")
    if not options.db:
        print("no --db: nothing outlives this process")
    sys.stdout.flush()


def _fail(code: int, *lines: str) -> int:
    for line in lines:
        print(f"config-server-stub: {line}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="config-server-stub",
        description="A config server for local development: serves trade and strategy "
        "configs to bots, announces versions in Redis, shows a dashboard at /.",
        epilog=f"The administrator's key is taken from {ADMIN_KEY}. "
        "Exit codes: 0 done, 2 usage or settings, 4 the address cannot be had.",
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    add("--port", type=_port, default=8000, help="0 for any free one (%(default)s)")
    add("--db", metavar="FILE", help="sqlite3 database; in memory if left out")
    add(
        "--redis-url",
        metavar="URL",
        default=os.environ.get("REDIS_URL"),
        help="such as redis://localhost:6379/0; REST only if left out (REDIS_URL)",
    )
    add(
        "--seed",
        metavar="FILE",
        help='JSON {"accounts": [...], "strategies": [...], "calendar": [...]}; what '
        "the database has already stays as it is",
    )
    add("--demo", action="store_true", help="the protocol's own example to play with")
    add(
        "--heartbeat-interval",
        metavar="S",
        type=_interval,
        default=HEARTBEAT_INTERVAL,
        help="seconds between the server's heartbeats (%(default)g)",
    )
    add(
        "--no-extensions",
        action="store_true",
        help="speak only the original protocol: no wake-ups, no commands",
    )
    return parser


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > _PORTS:
        raise argparse.ArgumentTypeError(f"must be 0 to {_PORTS}, got {text!r}")
    return int(text)


def _interval(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= _LONGEST_INTERVAL:
        # The server's heartbeat lives 300 s; one may be lost.
        raise argparse.ArgumentTypeError(
            f"must be seconds above 0, at most {_LONGEST_INTERVAL:g}, got {text!r}"
        )
    return value


if __name__ == "__main__":
    sys.exit(main())
