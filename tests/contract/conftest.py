"""Servers with faults: an API that answers as it is told, a proxy before Redis."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

DEADLINE = 20.0


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Waits for a condition and returns what it returned; fails after a deadline."""

    def wait(condition: Callable[[], Any], within: float = DEADLINE) -> Any:
        until = time.monotonic() + within
        while not (value := condition()):
            assert time.monotonic() < until, f"not within {within:g} s"
            time.sleep(0.005)
        return value

    return wait


class _QuietServer(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A client that goes away is part of the tests."""


class FaultyApi:
    """An HTTP server that answers each path as it is told.

    Attributes:
        url: Its address.
        answers: Path to a function that writes the answer to a request.
        requests: Path and headers of every request.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.stopping = threading.Event()
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                api.requests.append((self.path, dict(self.headers.items())))
                answer = api.answers.get(self.path, api.json({}, status=404))
                with suppress(OSError):
                    answer(self)

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        self._server = _QuietServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}
        )
        self._thread.start()

    def secure(self, certificate: Path) -> None:
        """Speak TLS from now on."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        # The handshake belongs to the connection's own thread: a client that refuses
        # the certificate must not stop the server.
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self.url = self.url.replace("http://", "https://")

    def count(self, path: str) -> int:
        """How often *path* was asked for."""
        return sum(asked == path for asked, _ in self.requests)

    def close(self) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @staticmethod
    def raw(
        content: bytes, status: int = 200, **headers: str
    ) -> Callable[[BaseHTTPRequestHandler], None]:
        """Answer with *content*."""

        def answer(request: BaseHTTPRequestHandler) -> None:
            request.send_response(status)
            for name, value in headers.items():
                request.send_header(name.replace("_", "-"), value)
            if "Content_Length" not in headers:
                request.send_header("Content-Length", str(len(content)))
            request.end_headers()
            request.wfile.write(content)

        return answer

    @staticmethod
    def json(
        value: Any, status: int = 200, **headers: str
    ) -> Callable[[BaseHTTPRequestHandler], None]:
        """Answer with *value* as JSON."""
        return FaultyApi.raw(json.dumps(value).encode(), status, **headers)

    def truncated(self, value: Any) -> Callable[[BaseHTTPRequestHandler], None]:
        """Promise a whole body with a new ETag, send its half and close."""
        content = json.dumps(value).encode()

        def answer(request: BaseHTTPRequestHandler) -> None:
            request.send_response(200)
            request.send_header("Content-Length", str(len(content)))
            request.send_header("ETag", '"poison"')
            request.end_headers()
            request.wfile.write(content[: len(content) // 2])
            request.close_connection = True

        return answer

    def dripping(
        self, *, headers: bool, every: float = 0.05
    ) -> Callable[[BaseHTTPRequestHandler], None]:
        """Send one byte after another, for ever."""

        def answer(request: BaseHTTPRequestHandler) -> None:
            if not headers:
                request.send_response(200)
                request.send_header("Content-Length", "100000")
                request.end_headers()
            else:
                request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not self.stopping.wait(every):
                request.wfile.write(b"x")
                request.wfile.flush()

        return answer

    def silent(self) -> Callable[[BaseHTTPRequestHandler], None]:
        """Never answer."""

        def answer(request: BaseHTTPRequestHandler) -> None:
            self.stopping.wait()
            request.close_connection = True

        return answer


@pytest.fixture
def api() -> Iterator[FaultyApi]:
    """An HTTP server of this test's own."""
    server = FaultyApi()
    yield server
    server.close()


class FaultyLink:
    """A TCP proxy whose faults can be switched while connections stand.

    Attributes:
        url: Redis address through the proxy.
        mode: ``pass``, ``blackhole`` (swallow both ways), ``drop_reply`` (let the
            server act, lose its answer and close) or ``close`` (close at once).
        accepted: Connections made so far.
        requests: Packets that clients sent so far.
    """

    def __init__(self, target_url: str) -> None:
        self._target = urlsplit(target_url)
        self.mode = "pass"
        self.accepted = 0
        self.requests = 0
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._is_open = True
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.02)
        port = self._listener.getsockname()[1]
        self.url = f"redis://127.0.0.1:{port}{self._target.path}"
        self._spawn(self._accept)

    def _spawn(self, target: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while self._is_open:
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            self.accepted += 1
            if self.mode == "close":
                client.close()
                continue
            upstream = None
            if self.mode != "blackhole":
                place = (self._target.hostname or "", self._target.port or 0)
                upstream = socket.create_connection(place)
            with self._lock:
                self._sockets += [client, upstream] if upstream else [client]
            self._spawn(self._pump, client, upstream, False)
            if upstream is not None:
                self._spawn(self._pump, upstream, client, True)

    def _pump(
        self, source: socket.socket, sink: socket.socket | None, is_reply: bool
    ) -> None:
        try:
            while data := source.recv(65536):
                self.requests += not is_reply
                if self.mode == "drop_reply" and is_reply:
                    break
                if self.mode != "blackhole" and sink is not None:
                    sink.sendall(data)
        except OSError:
            pass
        for one in (source, sink):
            if one is not None:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        """Close every connection that stands."""
        with self._lock:
            for one in self._sockets:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._is_open = False
        self._threads[0].join()
        self.cut()
        for thread in self._threads:
            thread.join()
        for one in self._sockets:
            one.close()
        self._listener.close()


@pytest.fixture
def faulty_redis(redis_url: str) -> Iterator[FaultyLink]:
    """A proxy before the real redis-server."""
    proxy = FaultyLink(redis_url)
    yield proxy
    proxy.close()
