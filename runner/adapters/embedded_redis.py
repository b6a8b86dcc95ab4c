"""A Redis inside this process, for `runner dev` on a machine that has none."""

from __future__ import annotations

import threading
from typing import Any, cast


class EmbeddedRedis:
    """fakeredis' server on a loopback port; real clients, `redis-cli` too, can use it.

    Args:
        port: TCP port; 0 takes a free one.
    """

    def __init__(self, port: int = 0) -> None:
        # Only `runner dev` pays for this import.
        from fakeredis import TcpFakeServer

        self._server = TcpFakeServer(("127.0.0.1", port))
        # Without this every pipelined cycle waits 40 ms for a delayed ACK.
        server = cast("Any", self._server)
        server.RequestHandlerClass = type(
            "Handler",
            (server.RequestHandlerClass,),
            {"disable_nagle_algorithm": True},
        )
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="mt5runner-redis", daemon=True
        )

    @property
    def url(self) -> str:
        """Where clients reach it."""
        return f"redis://127.0.0.1:{self._server.server_address[1]}/0"

    def start(self) -> None:
        """Serve in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)
