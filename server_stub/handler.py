"""HTTP on a socket: bytes to a request, an answer to bytes, limits on both."""

from __future__ import annotations

import contextlib
import logging
import socket
import socketserver
import sqlite3
import sys
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from server_stub.messages import Answer, ApiError, Request, Response

_log = logging.getLogger("mt5runner.config_server")

MAX_BODY = 1024 * 1024
"""Bytes that a request's body may have."""
IDLE_TIMEOUT = 75.0
"""Seconds without a byte before a connection is closed; above a bot's poll interval."""

# An answer on its way is still sent; Windows wakes a waiting reader only by the latter.
_NO_MORE = socket.SHUT_RDWR if sys.platform == "win32" else socket.SHUT_RD

Answering = Callable[[Request], Answer]
Announcing = Callable[[Answer], None]
Counting = Callable[[int], None]


class HttpServer(ThreadingHTTPServer):
    """Serves the API on a socket, one thread a connection.

    Args:
        host: Address to listen on.
        port: Port; 0 for any free one.
        answering: Answers a request.
        announcing: Told of each answer before it is sent.
        counting: Told of the status of each answer given without *answering*.

    Raises:
        OSError: If the address cannot be had.
    """

    daemon_threads = False
    block_on_close = True
    request_queue_size = 128
    # On Windows this would let two programs share the port.
    allow_reuse_address = sys.platform != "win32"

    def __init__(
        self,
        host: str,
        port: int,
        *,
        answering: Answering,
        announcing: Announcing,
        counting: Counting,
    ) -> None:
        self.answering = answering
        self.announcing = announcing
        self.counting = counting
        self._open: set[socket.socket] = set()
        self._opening = threading.Lock()
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Bind without asking DNS for this machine's name, which can take seconds."""
        host = str(self.server_address[0])
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = host, self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Note the connection, so that it can be ended, and serve it in a thread."""
        with self._opening:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection and close it."""
        with self._opening:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say in one line that a connection broke; clients come and go."""
        _log.debug("connection from %s broke", client_address, exc_info=True)

    def stop(self) -> None:
        """Stop serving, end every connection and wait for their threads."""
        self.shutdown()
        with self._opening:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(_NO_MORE)
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = IDLE_TIMEOUT
    # Headers and body leave in one write, at once: with Nagle's algorithm and two
    # writes a kept-alive connection manages 24 requests a second.
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        self._serve("GET")

    def do_HEAD(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def do_PATCH(self) -> None:
        self._serve("PATCH")

    def do_PUT(self) -> None:
        self._serve("PUT")

    def do_DELETE(self) -> None:
        self._serve("DELETE")

    def do_OPTIONS(self) -> None:
        self._serve("OPTIONS")

    def handle_expect_100(self) -> bool:
        """Let the client go on at once; the answer would wait in our buffer."""
        goes_on = super().handle_expect_100()
        self.wfile.flush()
        return goes_on

    def _serve(self, method: str) -> None:
        server = cast("HttpServer", self.server)
        try:
            body = self._body()
        except ApiError as error:
            # What was not read would be taken for the next request.
            self.close_connection = True
            server.counting(error.status)
            self._send(error.response())
            return
        request = Request(
            method=method,
            path=self.path.partition("?")[0],
            authorization=self.headers.get("Authorization"),
            if_none_match=self.headers.get("If-None-Match"),
            body=body,
        )
        try:
            answer = server.answering(request)
        except sqlite3.Error as error:
            _log.exception("the database failed at %s %s", method, request.path)
            failure = ApiError(503, f"the database failed, nothing was stored: {error}")
        except Exception:  # noqa: BLE001 - one bad request must not end the server
            _log.exception("failed at %s %s", method, request.path)
            failure = ApiError(500, "the server failed; its log says why")
        else:
            server.announcing(answer)
            self._send(answer.response)
            return
        server.counting(failure.status)
        self._send(failure.response())

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding"):
            raise ApiError(411, "send the body with a Content-Length, not in chunks")
        length = self.headers.get("Content-Length", "0")
        if not length.isascii() or not length.isdigit():
            raise ApiError(400, f"Content-Length: must be a number, got {length!r}")
        if int(length) > MAX_BODY:
            raise ApiError(413, f"a body may have at most {MAX_BODY} bytes")
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise ApiError(400, f"the body ended after {len(body)} of {length} bytes")
        return body

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.status != HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Type", response.content_type)
            self.send_header("Content-Length", str(len(response.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)

    def version_string(self) -> str:
        """Return the name for the Server header."""
        return "config-server-stub"

    def send_error(
        self, code: int, message: str | None = None, explain: str | None = None
    ) -> None:
        """Answer what the standard library refuses in JSON as everything else."""
        self.close_connection = True
        if self.request_version == "HTTP/0.9":
            # Not understood so far as to know it; 0.9 itself has no status line.
            self.request_version = "HTTP/1.0"
        detail = message or HTTPStatus(code).phrase
        cast("HttpServer", self.server).counting(code)
        self._send(ApiError(code, detail).response())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - inherited
        _log.debug("%s %s", self.address_string(), format % args)
