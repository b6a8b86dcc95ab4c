"""The server as one object: database, HTTP, Redis and the thread that keeps it true."""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime

from server_stub import clock
from server_stub.api import Api
from server_stub.handler import HttpServer
from server_stub.messages import Answer
from server_stub.observation import Snapshot
from server_stub.publisher import Publisher
from server_stub.redis_link import RedisClient, RedisLink
from server_stub.store import Store
from server_stub.watch import Watch

_log = logging.getLogger("mt5runner.config_server")

LOOK_INTERVAL = 1.0
"""Seconds between two looks at the bots' heartbeats."""
HEARTBEAT_INTERVAL = 30.0
"""Seconds between two heartbeats of the server (seed, Bot Flow)."""


class StubServer:
    """A config server that runs in this process until :meth:`stop`.

    It owns neither *store* nor *redis_client*: whoever made them closes them, after
    :meth:`stop`.

    Args:
        store: Where everything is.
        host: Address to listen on.
        port: Port; 0 for any free one.
        redis_client: Connection to Redis, best one of
            :func:`server_stub.redis_link.connect`; None for REST alone.
        heartbeat_interval: Seconds between two heartbeats of the server.
        admin_key: The administrator's key; None refuses administration.
        extensions: Whether anything beyond the seed is spoken to bots.
        now: The clock.
    """

    def __init__(
        self,
        *,
        store: Store,
        host: str = "127.0.0.1",
        port: int = 0,
        redis_client: RedisClient | None = None,
        heartbeat_interval: float = HEARTBEAT_INTERVAL,
        admin_key: str | None = None,
        extensions: bool = True,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self._host = host
        self._port = port
        self._interval = heartbeat_interval
        self._publisher: Publisher | None = None
        self._watch: Watch | None = None
        if redis_client is not None:
            link = RedisLink(redis_client)
            self._watch = Watch(store=store, link=link, now=now)
            self._publisher = Publisher(
                store=store, link=link, now=now, extensions=extensions
            )
        self._api = Api(
            store=store,
            admin_key=admin_key,
            now=now,
            look=self._latest,
            extensions=extensions,
        )
        self._http: HttpServer | None = None
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()

    @property
    def address(self) -> str:
        """The base URL, without a slash at the end; known once it was started."""
        if self._http is None:
            raise RuntimeError("the server was not started")
        host, port = self._http.server_address[:2]
        return f"http://{host!s}:{port}"

    def start(self) -> None:
        """Listen, publish everything once, and serve in threads of its own.

        Raises:
            OSError: If the address cannot be had.
        """
        self._http = HttpServer(
            self._host,
            self._port,
            answering=self._api.answer,
            announcing=self._announce,
            counting=self._api.count,
        )
        self._run("http", functools.partial(self._http.serve_forever, 0.1))
        if self._publisher is not None and self._watch is not None:
            self._publisher.sweep(self._watch.look())
            keep = functools.partial(self._keep, self._watch, self._publisher)
            self._run("keeper", keep)

    def stop(self) -> None:
        """Stop serving and wait until every thread has ended; may be called again."""
        self._stopping.set()
        if self._http is not None and self._threads:
            self._http.stop()
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _run(self, name: str, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, name=f"mt5runner-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _keep(self, watch: Watch, publisher: Publisher) -> None:
        due = time.monotonic() + self._interval
        is_failing = False
        pause = min(LOOK_INTERVAL, self._interval)
        took = 0.0
        while not self._stopping.wait(max(pause, took)):
            begun = time.monotonic()
            try:
                snapshot = watch.look()
                if time.monotonic() >= due or publisher.owes or watch.has_lost_keys:
                    publisher.sweep(snapshot)
                    due = time.monotonic() + self._interval
                is_failing = False
            except Exception:  # noqa: BLE001 - without this thread no heartbeats
                if not is_failing:
                    _log.exception("keeping Redis up to date failed; it is retried")
                is_failing = True
            # However large the fleet, half of the time is left for requests.
            took = time.monotonic() - begun

    def _announce(self, answer: Answer) -> None:
        if self._publisher is not None:
            self._publisher.announce(answer.wake_ups)

    def _latest(self) -> Snapshot:
        return Snapshot() if self._watch is None else self._watch.latest()
