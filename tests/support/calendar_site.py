"""A website that serves a calendar, or refuses as the real one does."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HTML = b"<!DOCTYPE html><html><title>Request Denied</title></html>"


class Site:
    """What the website answers, and who asked.

    Attributes:
        status: Of every answer.
        body: Its bytes.
        headers: Its further headers.
        length: The Content-Length that is told; None tells the truth.
        asked: The headers of each request, by name in lower case.
        address: Where the calendar is.
    """

    def __init__(self, body: bytes) -> None:
        self.status, self.body = 200, body
        self.length: int | None = None
        self.headers: Mapping[str, str] = {}
        self.asked: list[dict[str, str]] = []
        self.address = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        self.asked.append(
            {name.lower(): text for name, text in handler.headers.items()}
        )
        tag = self.headers.get("ETag")
        unchanged = tag is not None and handler.headers.get("If-None-Match") == tag
        body = b"" if unchanged else self.body
        handler.send_response(304 if unchanged else self.status)
        for name, text in self.headers.items():
            handler.send_header(name, text)
        handler.send_header("Content-Length", str(self.length or len(body)))
        handler.end_headers()
        handler.wfile.write(body)


@contextmanager
def calendar_site(body: bytes) -> Iterator[Site]:
    """Serve *body* on a free port for as long as the context lasts."""
    site = Site(body)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.answer(self)

        def log_request(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    site.address = f"http://127.0.0.1:{server.server_address[1]}/week.json"
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
