from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from server_stub.handler import MAX_BODY
from server_stub.seed import DEMO, plant
from server_stub.server import StubServer
from server_stub.store import Store

DATA = Path(__file__).parents[1] / "data/wire"
ADMIN = {"Authorization": "Api-Key admin"}
BOT = {"Authorization": "Api-Key demo-key"}
TRADE_PATH = "/api/bot/trade-config/123456/"
STRATEGY_PATH = "/api/bot/strategy-config/123456/1/"
TIMEOUT = 10


@pytest.fixture
def server() -> Iterator[StubServer]:
    """The demo's server on a free port, without Redis."""
    store = Store()
    plant(store, DEMO)
    made = StubServer(store=store, admin_key="admin")
    made.start()
    yield made
    made.stop()
    store.close()


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """One kept-alive client."""
    with requests.Session() as made:
        made.trust_env = False
        yield made


def test_the_seed_s_bodies_over_a_socket(
    server: StubServer, session: requests.Session
) -> None:
    """Status, content type and the bodies of the samples."""
    strategy = session.get(server.address + STRATEGY_PATH, headers=BOT, timeout=TIMEOUT)
    trade = session.get(server.address + TRADE_PATH, headers=BOT, timeout=TIMEOUT)

    assert (200, "application/json") == (
        strategy.status_code,
        strategy.headers["Content-Type"],
    )
    assert json.loads((DATA / "strategy_config.json").read_text("utf-8")) == (
        strategy.json()
    )
    assert json.loads((DATA / "trade_config.json").read_text("utf-8")).keys() == (
        trade.json().keys()
    )


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status"),
    [
        ("GET", TRADE_PATH, {}, None, 401),
        ("GET", TRADE_PATH, {"Authorization": "Api-Key wrong"}, None, 403),
        ("GET", "/api/bot/trade-config/9/", BOT, None, 404),
        ("GET", "/api/bot/strategy-config/123456/9/", BOT, None, 404),
        ("GET", "/nothing", {}, None, 404),
        ("POST", TRADE_PATH, BOT, b"{}", 405),
        ("PUT", TRADE_PATH, BOT, b"{}", 405),
        ("DELETE", TRADE_PATH, BOT, None, 405),
        ("OPTIONS", TRADE_PATH, BOT, None, 405),
        ("BREW", TRADE_PATH, BOT, None, 501),
        ("PATCH", "/api/admin/accounts/123456/", ADMIN, b"{bad", 400),
        ("PATCH", "/api/admin/accounts/123456/", ADMIN, b"", 400),
        ("PATCH", "/api/admin/accounts/123456/", ADMIN, b'{"bot_status": 1}', 400),
        ("PATCH", "/api/admin/accounts/123456/", BOT, b"{}", 403),
    ],
)
def test_every_refusal_has_one_shape(
    server: StubServer,
    session: requests.Session,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes | None,
    status: int,
) -> None:
    """JSON with status and detail, whatever was wrong, and the connection goes on."""
    answer = session.request(
        method, server.address + path, headers=headers, data=body, timeout=TIMEOUT
    )
    after = session.get(server.address + TRADE_PATH, headers=BOT, timeout=TIMEOUT)

    assert status == answer.status_code
    assert "application/json" == answer.headers["Content-Type"]
    assert "error" == answer.json()["status"]
    assert answer.json()["detail"]
    assert 200 == after.status_code


def test_an_unchanged_body_is_not_sent_again(
    server: StubServer, session: requests.Session
) -> None:
    """304 without a body on the same connection."""
    url = server.address + TRADE_PATH
    first = session.get(url, headers=BOT, timeout=TIMEOUT)

    tagged = BOT | {"If-None-Match": first.headers["ETag"]}
    second = session.get(url, headers=tagged, timeout=TIMEOUT)
    third = session.get(url, headers=BOT, timeout=TIMEOUT)

    assert (304, b"") == (second.status_code, second.content)
    assert first.json() == third.json()


def test_a_head_has_the_headers_and_no_body(
    server: StubServer, session: requests.Session
) -> None:
    """Its length is that of the body which a GET would bring."""
    url = server.address + TRADE_PATH
    get = session.get(url, headers=BOT, timeout=TIMEOUT)

    head = session.head(url, headers=BOT, timeout=TIMEOUT)

    assert b"" == head.content
    assert str(len(get.content)) == head.headers["Content-Length"]


def raw(server: StubServer, request: bytes) -> bytes:
    """Send bytes as they are and return all that comes until the end."""
    host, port = server.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=TIMEOUT) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


HEAD = b"PATCH /api/admin/accounts/123456/ HTTP/1.1\r\nAuthorization: Api-Key admin\r\n"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 505),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", 431),
        (HEAD + b"Content-Length: 1048577\r\n\r\n", 413),
        (HEAD + b"Content-Length: -1\r\n\r\n", 400),
        (HEAD + b"Content-Length: ten\r\n\r\n", 400),
        (HEAD + b"Content-Length: 10\r\n\r\n{}", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 411),
    ],
)
def test_what_is_no_request_is_refused_in_json(
    server: StubServer, request_: bytes, status: int
) -> None:
    """And the connection is closed: what follows cannot be told from a body."""
    answer = raw(server, request_)
    head, _, body = answer.partition(b"\r\n\r\n")

    assert str(status).encode() in head.splitlines()[0]
    assert b"Connection: close" in head
    assert "error" == json.loads(body)["status"]


def test_a_body_may_have_a_megabyte(server: StubServer) -> None:
    """The limit itself is read, and refused for what it says."""
    body = b'{"x": "' + b"x" * (MAX_BODY - 9) + b'"}'
    length = f"Content-Length: {len(body)}\r\n\r\n".encode()

    answer = raw(server, HEAD + length + body)

    assert b" 400 " in answer.splitlines()[0]
    assert b"unknown field" in answer


def test_a_client_that_asks_first_is_told_to_go_on(server: StubServer) -> None:
    """Expect: 100-continue is answered before the body comes."""
    host, port = server.address.removeprefix("http://").split(":")
    body = b'{"bot_status": "PAUSED"}'
    length = f"Content-Length: {len(body)}\r\n".encode()
    with socket.create_connection((host, int(port)), timeout=TIMEOUT) as connection:
        connection.sendall(HEAD + length + b"Expect: 100-continue\r\n\r\n")
        first = connection.recv(1024)
        connection.sendall(body)
        second = connection.recv(65536)

    assert first.startswith(b"HTTP/1.1 100")
    assert second.startswith(b"HTTP/1.1 200")


def test_fifty_concurrent_patches_use_each_version_once(server: StubServer) -> None:
    """No version is skipped, and none is answered to two writers."""
    versions: list[int] = []
    host, port = server.address.removeprefix("http://").split(":")

    def write(index: int) -> None:
        connection = http.client.HTTPConnection(host, int(port), timeout=TIMEOUT)
        sent = json.dumps({"parameters_by_symbol.XAUUSD.stop_loss": 1000 + index})
        connection.request("PATCH", "/api/admin/strategies/1/", sent, ADMIN)
        versions.append(json.loads(connection.getresponse().read())["version"])
        connection.close()

    threads = [threading.Thread(target=write, args=(i,)) for i in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert list(range(4, 54)) == sorted(versions)


def test_a_failing_database_is_an_answer(server: StubServer) -> None:
    """503 in the usual shape; the server goes on."""
    store = Store()
    broken = StubServer(store=store, admin_key="admin")
    broken.start()
    store.close()
    answer = requests.get(broken.address + TRADE_PATH, headers=BOT, timeout=TIMEOUT)
    page = requests.get(broken.address + "/", timeout=TIMEOUT)
    broken.stop()

    assert 503 == answer.status_code
    assert "the database failed" in answer.json()["detail"]
    assert 200 == page.status_code


def test_stopping_ends_open_connections(
    server: StubServer, session: requests.Session
) -> None:
    """A kept-alive client does not hold the server up, and stop may be called again."""
    url = server.address + TRADE_PATH
    session.get(url, headers=BOT, timeout=TIMEOUT)

    server.stop()
    server.stop()

    with pytest.raises(requests.ConnectionError):
        session.get(url, headers=BOT, timeout=TIMEOUT)


def test_a_port_that_is_taken_is_an_error(server: StubServer) -> None:
    """Two servers do not share an address."""
    store = Store()
    port = int(server.address.rpartition(":")[2])
    second = StubServer(store=store, port=port)

    with pytest.raises(OSError, match=r"in use|permitted|denied"):
        second.start()
    second.stop()
    store.close()


def test_without_redis_the_fleet_says_so(
    server: StubServer, session: requests.Session
) -> None:
    """REST works; nobody is seen."""
    url = server.address + "/api/admin/fleet/"
    body: Any = session.get(url, headers=ADMIN, timeout=TIMEOUT).json()

    assert "none" == body["redis"]
    assert ["NEVER_SEEN"] == [bot["observed_status"] for bot in body["accounts"]]
