"""The config server over HTTP. Answers and failures are values; nothing is raised."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

import attrs
import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from runner.ports import Fetched
from runner.wire import keys
from runner.wire.encoding import WireError, read_json, read_json_object

MAX_BODY = 1024 * 1024
"""Bytes of a body that is still believed."""

_CHUNK = 16 * 1024
_SHOWN = 200
_MAX_RETRY_AFTER = 3600.0
_SHORTEST_KEY = 5  # characters; a shorter one stands in many words by chance


@attrs.frozen(kw_only=True)
class HttpTiming:
    """Time-outs in seconds.

    Attributes:
        connect: To connect.
        read: Without a byte.
        total: For the whole answer, on the wall clock: a server that sends one byte a
            second never runs into *read*.
    """

    connect: float = 3.0
    read: float = 5.0
    total: float = 10.0


class ConfigHttp:
    """GETs configs and commands with the bot's API key. For one thread at a time.

    Args:
        base_url: Address before ``/api/...``.
        api_key: Gives the key at each request, so that a changed one is seen; None for
            no key.
        header: Header that carries the key.
        prefix: Word before the key; empty for none.
        user_agent: How the runner names itself.
        timing: Time-outs.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: Callable[[], str | None],
        header: str = "Authorization",
        prefix: str = "Api-Key",
        user_agent: str = "mt5runner",
        timing: HttpTiming = HttpTiming(),
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._api_key = api_key
        self._header = header
        self._prefix = prefix
        self._timing = timing
        self._used_key: str | None = None
        self._known: dict[str, tuple[str, Any]] = {}
        self._deadline = _Deadline(timing.total)
        self._session = requests.Session()
        self._session.headers.update(
            {
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                "User-Agent": user_agent,
            }
        )
        adapter = _Adapter(self._deadline)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def trade_config(self, account: str) -> Fetched:
        """GET the account's trade config."""
        return self._get(keys.trade_config_path(account))

    def strategy_config(self, account: str, strategy_id: int) -> Fetched:
        """GET one strategy's config."""
        return self._get(keys.strategy_config_path(account, strategy_id))

    def command(self, account: str) -> Fetched:
        """GET the account's command, for when Redis is away."""
        return self._get(keys.commands_path(account))

    def key_changed(self) -> bool:
        """Say whether the API key is another than the last request carried."""
        try:
            return self._api_key() != self._used_key
        except Exception:  # noqa: BLE001 - such as a key file that is being replaced
            return False

    def close(self) -> None:
        """Close the connection, also under a request of another thread."""
        self._deadline.end()
        self._session.close()

    def _get(self, path: str) -> Fetched:
        try:
            self._used_key = self._api_key()
        except Exception as error:  # noqa: BLE001 - whatever its provider raises
            return Fetched(status=0, detail=f"no API key can be had: {error}")
        fetched = self._try(path)
        key = self._used_key or ""
        if len(key) < _SHORTEST_KEY or key not in fetched.detail:
            return fetched
        # It goes into the log and the heartbeat: some servers say a key back.
        return attrs.evolve(fetched, detail=fetched.detail.replace(key, "***"))

    def _try(self, path: str) -> Fetched:
        try:
            with self._deadline:
                return self._ask(path)
        except (requests.RequestException, OSError, ValueError) as error:
            if self._deadline.is_over:
                return Fetched(
                    status=0, detail=f"no whole answer in {self._timing.total:g} s"
                )
            return Fetched(status=0, detail=_reason(error))

    def _ask(self, path: str) -> Fetched:
        tag, known = self._known.get(path, ("", None))
        headers = {"If-None-Match": tag} if tag else {}
        with self._session.get(
            self._base_url + path,
            headers=headers,
            auth=self._authorize,
            timeout=(self._timing.connect, self._timing.read),
            allow_redirects=False,
            stream=True,
        ) as response:
            status = response.status_code
            if response.is_redirect:
                place = response.headers.get("Location", "")
                detail = (
                    f"redirected to {place[:_SHOWN]}, which is not followed: the API "
                    "key would go there; set the API's address to where it lives"
                )
                return Fetched(status=status, detail=detail)
            content = _read(response)
            retry_after = _retry_after(response)
            if status == requests.codes.ok:
                body = read_json("body", content)
                # Only now: the tag of a body that did not come whole would make the
                # server answer 304 to what we never had.
                self._known[path] = (response.headers.get("ETag", ""), body)
                return Fetched(status=status, body=body)
            if status == requests.codes.not_modified:
                return Fetched(status=status, body=known)
            return Fetched(
                status=status, detail=_detail(content), retry_after=retry_after
            )

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        # Given as `auth`, because requests would else put a netrc entry in its place.
        key = self._used_key
        if key:
            request.headers[self._header] = f"{self._prefix} {key}".strip()
        return request


class _Deadline:
    """Ends a request that takes too long by shutting its socket down.

    Time-outs of the libraries count between two bytes, and nothing else ends a blocked
    read from outside.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._timer: threading.Timer | None = None
        self.is_over = False

    def __enter__(self) -> None:
        self.is_over = False
        self._timer = threading.Timer(self._seconds, self.end)
        self._timer.daemon = True
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()
        self._timer = None

    def watch(self, connected: socket.socket) -> None:
        with self._lock:
            self._socket = connected
            if self.is_over:
                _shut(connected)

    def end(self) -> None:
        with self._lock:
            self.is_over = True
            if self._socket is not None:
                _shut(self._socket)


def _shut(connected: socket.socket) -> None:
    try:
        # Not the method of an SSL socket, which takes its session away from the thread
        # that is reading.
        socket.socket.shutdown(connected, socket.SHUT_RDWR)
    except OSError:
        return  # closed already, which is what was wanted


class _Adapter(HTTPAdapter):
    """Shows the deadline every socket that is connected."""

    def __init__(self, deadline: _Deadline) -> None:
        self._deadline = deadline
        super().__init__(pool_connections=1, pool_maxsize=1)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _pool_classes(self._deadline)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _pool_classes(self._deadline)
        return manager


def _pool_classes(deadline: _Deadline) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(HTTPConnection):
        def connect(self) -> None:
            super().connect()
            deadline.watch(self.sock)

    class Secure(HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            deadline.watch(self.sock)

    class PlainPool(HTTPConnectionPool):
        # urllib3's protocol of a connection is narrower than its own classes.
        ConnectionCls = Plain  # pyright: ignore[reportAssignmentType]

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure  # pyright: ignore[reportAssignmentType]

    return {"http": PlainPool, "https": SecurePool}


def _read(response: requests.Response) -> bytes:
    length = response.headers.get("Content-Length", "")
    if length.isdigit() and int(length) > MAX_BODY:
        raise ValueError(f"a body of {length} bytes, more than {MAX_BODY}")
    content = bytearray()
    for chunk in response.iter_content(_CHUNK):
        content += chunk
        if len(content) > MAX_BODY:
            raise ValueError(f"a body of more than {MAX_BODY} bytes")
    encoded = "Content-Encoding" in response.headers
    if length.isdigit() and not encoded and len(content) != int(length):
        raise ValueError(f"a truncated body: {len(content)} of {length} bytes")
    return bytes(content)


def _detail(content: bytes) -> str:
    try:
        detail = read_json_object("body", content).get("detail", "")
    except WireError:
        return ""
    return str(detail)[:_SHOWN]


def _retry_after(response: requests.Response) -> float | None:
    """Read the header: seconds, or a date to be held against the server's own clock."""
    text = response.headers.get("Retry-After", "").strip()
    if not text:
        return None
    try:
        seconds = float(text) if text.isdigit() else _until(response, text)
    except (TypeError, ValueError):
        return None
    return min(max(seconds, 0.0), _MAX_RETRY_AFTER)


def _until(response: requests.Response, text: str) -> float:
    here = parsedate_to_datetime(response.headers["Date"])
    return (parsedate_to_datetime(text) - here).total_seconds()


def _reason(error: Exception) -> str:
    if isinstance(error, WireError):
        return "the body is not JSON"
    cause = _cause(error)
    if isinstance(cause, OSError) and not isinstance(cause, requests.RequestException):
        return (cause.strerror or str(cause) or type(cause).__name__)[:_SHOWN]
    text = str(error) or type(error).__name__
    return f"{type(error).__name__}: {text[:_SHOWN]}"


def _cause(error: BaseException) -> BaseException:
    """Return what the operating system said, without what libraries wrap around it."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return error
