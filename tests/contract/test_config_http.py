"""The config server over real HTTP, with everything that can go wrong on the way."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.adapters.config_http import MAX_BODY, ConfigHttp, HttpTiming

TRADE = "/api/bot/trade-config/123456/"
STRATEGY = "/api/bot/strategy-config/123456/1/"
COMMANDS = "/api/bot/commands/123456/"


@pytest.fixture
def keys() -> dict[str, Any]:
    """The key file, as it were: its content and whether it can be read."""
    return {"key": "secret", "error": None}


@pytest.fixture
def make(
    api: Any, keys: dict[str, Any]
) -> Iterator[Callable[[HttpTiming], ConfigHttp]]:
    """Makes clients of the API, and closes them."""
    made: list[ConfigHttp] = []

    def api_key() -> str | None:
        if keys["error"]:
            raise keys["error"]
        key: str | None = keys["key"]
        return key

    def one(timing: HttpTiming) -> ConfigHttp:
        made.append(ConfigHttp(api.url + "/", api_key=api_key, timing=timing))
        return made[-1]

    yield one
    for client in made:
        client.close()


@pytest.fixture
def server(make: Callable[[HttpTiming], ConfigHttp]) -> ConfigHttp:
    """A client with time-outs that a busy machine keeps."""
    return make(HttpTiming(connect=20.0, read=20.0, total=40.0))


@pytest.fixture
def hasty(make: Callable[[HttpTiming], ConfigHttp]) -> ConfigHttp:
    """A client with short time-outs."""
    return make(HttpTiming(connect=1.0, read=0.5, total=1.0))


def test_the_three_paths(api: Any, server: ConfigHttp) -> None:
    """Each question goes to its path, with the key of the bot."""
    for path in (TRADE, STRATEGY, COMMANDS):
        api.answers[path] = api.json({"path": path})

    assert {"path": TRADE} == server.trade_config("123456").body
    assert {"path": STRATEGY} == server.strategy_config("123456", 1).body
    assert {"path": COMMANDS} == server.command("123456").body
    assert ["Api-Key secret"] * 3 == [
        headers["Authorization"] for _, headers in api.requests
    ]


def test_header_and_prefix_are_settings(api: Any) -> None:
    """Servers differ in how they take a key."""
    api.answers[TRADE] = api.json({})
    for header, prefix, sent in (
        ("X-Api-Key", "", "k"),
        ("Authorization", "Bearer", "Bearer k"),
    ):
        server = ConfigHttp(api.url, api_key=lambda: "k", header=header, prefix=prefix)
        server.trade_config("123456")
        server.close()

        assert sent == api.requests[-1][1][header]


def test_a_netrc_file_does_not_replace_the_key(
    api: Any, server: ConfigHttp, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password that the machine keeps for the host is not the bot's key."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password other\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    api.answers[TRADE] = api.json({})

    server.trade_config("123456")

    assert "Api-Key secret" == api.requests[-1][1]["Authorization"]


def test_without_a_key_none_is_sent(
    api: Any, server: ConfigHttp, keys: dict[str, Any]
) -> None:
    """The server says what it thinks of that."""
    keys["key"] = None
    api.answers[TRADE] = api.json({"detail": "no key"}, status=401)

    fetched = server.trade_config("123456")

    assert (401, "no key") == (fetched.status, fetched.detail)
    assert "Authorization" not in api.requests[-1][1]


def test_a_key_that_the_server_says_back_is_not_told(
    api: Any, server: ConfigHttp, keys: dict[str, Any]
) -> None:
    """What a server says is logged, and goes into the heartbeat."""
    keys["key"] = "k-123456"
    api.answers[TRADE] = api.json({"detail": "k-123456 is unknown"}, status=403)

    fetched = server.trade_config("123456")

    assert (403, "*** is unknown") == (fetched.status, fetched.detail)


def test_a_changed_key_is_seen_and_used(
    api: Any, server: ConfigHttp, keys: dict[str, Any]
) -> None:
    """A key file that is replaced counts without a restart."""
    api.answers[TRADE] = api.json({})
    server.trade_config("123456")
    assert not server.key_changed()
    keys["key"] = "new"
    assert server.key_changed()

    server.trade_config("123456")

    assert not server.key_changed()
    assert "Api-Key new" == api.requests[-1][1]["Authorization"]


def test_a_key_that_cannot_be_read_is_no_request(
    api: Any, server: ConfigHttp, keys: dict[str, Any]
) -> None:
    """Without the key there is nothing to ask with; the reason is told."""
    keys["error"] = RuntimeError("key file is gone")

    fetched = server.trade_config("123456")

    assert (0, "no API key can be had: key file is gone") == (
        fetched.status,
        fetched.detail,
    )
    assert not server.key_changed()
    assert [] == api.requests


def test_etag(api: Any, server: ConfigHttp) -> None:
    """A server that offers tags is asked for changes only."""
    api.answers[TRADE] = api.json({"version": 1}, ETag='"one"')
    server.trade_config("123456")
    api.answers[TRADE] = api.raw(b"", status=304)

    fetched = server.trade_config("123456")

    assert (304, {"version": 1}) == (fetched.status, fetched.body)
    assert '"one"' == api.requests[-1][1]["If-None-Match"]


def test_lkg_poison(api: Any, server: ConfigHttp) -> None:
    """Scenario lkg-poison: the tag of a body that did not come whole is not sent."""
    api.answers[TRADE] = api.json({"version": 1}, ETag='"one"')
    server.trade_config("123456")
    api.answers[TRADE] = api.truncated({"version": 2, "padding": "x" * 100})
    fetched = server.trade_config("123456")
    assert (0, None) == (fetched.status, fetched.body)

    server.trade_config("123456")

    assert '"one"' == api.requests[-1][1]["If-None-Match"]


def test_a_tag_that_is_offered_no_more_is_forgotten(
    api: Any, server: ConfigHttp
) -> None:
    """A body without a tag has none."""
    api.answers[TRADE] = api.json({"version": 1}, ETag='"one"')
    server.trade_config("123456")
    api.answers[TRADE] = api.json({"version": 2})
    server.trade_config("123456")
    server.trade_config("123456")

    assert "If-None-Match" not in api.requests[-1][1]


@pytest.mark.parametrize(
    "content",
    [
        b"<html>Welcome</html>",
        b"",
        b'{"version": 1',
        b'{"version": NaN}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_what_is_not_json_is_a_fault(
    api: Any, server: ConfigHttp, content: bytes
) -> None:
    """A status of 200 does not make a config of it."""
    api.answers[TRADE] = api.raw(content)

    fetched = server.trade_config("123456")

    assert (0, None, "the body is not JSON") == (
        fetched.status,
        fetched.body,
        fetched.detail,
    )


@pytest.mark.parametrize("headers", [False, True])
def test_slow_drip(api: Any, hasty: ConfigHttp, headers: bool) -> None:
    """Scenario slow-drip: a wall-clock deadline ends it, and the next one works."""
    api.answers[TRADE] = api.dripping(headers=headers)

    fetched = hasty.trade_config("123456")

    assert (0, "no whole answer in 1 s") == (fetched.status, fetched.detail)
    api.answers[TRADE] = api.json({"version": 1})
    assert {"version": 1} == hasty.trade_config("123456").body


def test_a_silent_server_is_left(api: Any, hasty: ConfigHttp) -> None:
    """Without a byte the read time-out ends it."""
    api.answers[TRADE] = api.silent()

    fetched = hasty.trade_config("123456")

    assert 0 == fetched.status
    assert "timed out" in fetched.detail or "no whole answer" in fetched.detail


def test_closing_ends_a_request_under_way(
    api: Any, server: ConfigHttp, eventually: Callable[..., Any]
) -> None:
    """A stop does not wait for a server that hangs."""
    slow = ConfigHttp(
        api.url,
        api_key=lambda: None,
        timing=HttpTiming(connect=1.0, read=60.0, total=60.0),
    )
    api.answers[TRADE] = api.silent()
    thread = threading.Thread(target=slow.trade_config, args=("123456",))
    thread.start()
    eventually(lambda: api.requests)

    slow.close()

    thread.join(10.0)
    assert not thread.is_alive()


@pytest.mark.parametrize("told", [True, False])
def test_a_body_over_a_mebibyte_is_a_fault(
    api: Any, server: ConfigHttp, told: bool
) -> None:
    """Neither a promised nor an unpromised flood is taken in."""
    content = b'"' + b"x" * MAX_BODY + b'"'
    headers = {} if told else {"Content_Length": "", "Connection": "close"}
    api.answers[TRADE] = api.raw(content, **headers)

    fetched = server.trade_config("123456")

    assert (0, None) == (fetched.status, fetched.body)
    assert str(MAX_BODY) in fetched.detail or "close" in fetched.detail.lower()


def test_the_largest_body_is_taken(api: Any, server: ConfigHttp) -> None:
    """The limit itself is still believed."""
    api.answers[TRADE] = api.raw(b'"' + b"x" * (MAX_BODY - 2) + b'"')

    assert 200 == server.trade_config("123456").status


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirect(api: Any, server: ConfigHttp, status: int) -> None:
    """Scenario redirect-tls: the key is not carried to another place."""
    api.answers[TRADE] = api.raw(b"", status=status, Location=f"{api.url}/elsewhere")

    fetched = server.trade_config("123456")

    assert status == fetched.status
    assert "/elsewhere" in fetched.detail
    assert [TRADE] == [path for path, _ in api.requests]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 429, 500, 502, 503])
def test_failures_carry_the_servers_words(
    api: Any, server: ConfigHttp, status: int
) -> None:
    """The seed's error body says why; a page of HTML says nothing."""
    api.answers[TRADE] = api.json({"status": "error", "detail": "because"}, status)
    fetched = server.trade_config("123456")
    assert (status, None, "because") == (fetched.status, fetched.body, fetched.detail)

    api.answers[TRADE] = api.raw(b"<html>", status)
    fetched = server.trade_config("123456")
    assert (status, None, "") == (fetched.status, fetched.body, fetched.detail)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry_After": "5"}, 5.0),
        ({"Retry_After": "999999"}, 3600.0),
        ({"Retry_After": "soon"}, None),
        ({"Retry_After": ""}, None),
        ({}, None),
    ],
)
def test_retry_after(
    api: Any, server: ConfigHttp, headers: dict[str, str], seconds: float | None
) -> None:
    """The server's wish is passed on, within reason."""
    api.answers[TRADE] = api.json({}, 429, **headers)

    assert seconds == server.trade_config("123456").retry_after


def test_retry_after_as_a_date(api: Any, server: ConfigHttp) -> None:
    """A date is held against the server's own clock, never ours."""

    def answer(request: Any) -> None:
        request.send_response_only(503)
        request.send_header("Date", "Mon, 05 Jan 2026 12:00:00 GMT")
        request.send_header("Retry-After", "Mon, 05 Jan 2026 12:00:30 GMT")
        request.send_header("Content-Length", "0")
        request.end_headers()

    api.answers[TRADE] = answer

    assert 30.0 == server.trade_config("123456").retry_after


def test_nobody_listens(free_port: int) -> None:
    """A refused connection is a value like any other, said without its wrapping."""
    server = ConfigHttp(f"http://127.0.0.1:{free_port}", api_key=lambda: "k")

    fetched = server.trade_config("123456")
    server.close()

    assert (0, None) == (fetched.status, fetched.body)
    assert "refused" in fetched.detail
    assert "Max retries" not in fetched.detail


@pytest.mark.parametrize("url", ["", "nowhere", "ftp://x", "http://"])
def test_an_address_that_is_none(url: str) -> None:
    """A wrong address is told as a failure of the request, not as a crash."""
    server = ConfigHttp(url, api_key=lambda: "k")

    fetched = server.trade_config("123456")
    server.close()

    assert 0 == fetched.status
    assert fetched.detail


def test_secrets(api: Any, server: ConfigHttp, free_port: int) -> None:
    """Scenario secrets: no failure tells the key."""
    api.answers[TRADE] = api.json({"detail": "no"}, 403)
    closed = ConfigHttp(f"http://127.0.0.1:{free_port}", api_key=lambda: "secret")

    for fetched in (server.trade_config("123456"), closed.trade_config("123456")):
        assert "secret" not in repr(fetched)
    closed.close()


def test_one_connection_serves_many_requests(api: Any, server: ConfigHttp) -> None:
    """A kept-alive connection is used again, also after failures."""
    ports: set[int] = set()

    def answer(request: Any) -> None:
        ports.add(request.client_address[1])
        api.json({})(request)

    api.answers[TRADE] = answer
    for _ in range(5):
        server.trade_config("123456")
        server.strategy_config("123456", 1)

    assert 1 == len(ports)


# -- TLS -------------------------------------------------------------------------------
@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for the loopback address that nobody vouches for, with its key."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("no openssl on this machine")
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1"
    subprocess.run(
        [
            *(program, *words.split()),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(path), "-out", str(path.with_suffix(".crt"))),
        ],
        check=True,
        capture_output=True,
    )
    path.write_text(path.read_text() + path.with_suffix(".crt").read_text())
    return path


@pytest.fixture
def secure(api: Any, certificate: Path) -> Any:
    """The API, over TLS."""
    api.secure(certificate)
    api.answers[TRADE] = api.json({"version": 1})
    return api


def test_a_certificate_that_nobody_vouches_for_is_refused(secure: Any) -> None:
    """Scenario redirect-tls: the key is not sent to an unknown server."""
    server = ConfigHttp(secure.url, api_key=lambda: "k")

    fetched = server.trade_config("123456")
    server.close()

    assert 0 == fetched.status
    assert "certificate" in fetched.detail.lower()
    assert [] == secure.requests


def test_a_trusted_certificate_is_taken(
    secure: Any, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whom the machine trusts, the runner trusts; the deadline works there, too."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.with_suffix(".crt")))
    timing = HttpTiming(connect=5.0, read=5.0, total=1.0)
    server = ConfigHttp(secure.url, api_key=lambda: "k", timing=timing)

    assert {"version": 1} == server.trade_config("123456").body
    secure.answers[TRADE] = secure.dripping(headers=False)
    fetched = server.trade_config("123456")
    assert (0, "no whole answer in 1 s") == (fetched.status, fetched.detail)
    secure.answers[TRADE] = secure.json({"version": 2})
    assert {"version": 2} == server.trade_config("123456").body
    server.close()
