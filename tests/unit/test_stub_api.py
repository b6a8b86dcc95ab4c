from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from runner.wire.events import WakeUp, WakeUpType
from server_stub.api import Api
from server_stub.messages import Answer, Request
from server_stub.observation import Observation, ObservedStatus, Snapshot
from server_stub.seed import DEMO, plant
from server_stub.store import Store

DATA = Path(__file__).parents[1] / "data/wire"
NOW = datetime(2025, 12, 20, 10, 30, tzinfo=UTC)
TRADE_PATH = "/api/bot/trade-config/123456/"
STRATEGY_PATH = "/api/bot/strategy-config/123456/1/"
COMMANDS_PATH = "/api/bot/commands/123456/"
ACCOUNT_PATH = "/api/admin/accounts/123456/"
STOP = {"action": "EMERGENCY_STOP", "reason": "wrong lot size"}


class Server:
    """The API over a store in memory, asked as an administrator or a bot."""

    def __init__(self, *, admin_key: str | None = "admin", extensions: bool = True):
        self.store = Store()
        plant(self.store, DEMO)
        plant(self.store, {"accounts": [{"mt5_account_id": "7", "api_key": "seven"}]})
        self.snapshot = Snapshot()
        self.api = Api(
            store=self.store,
            admin_key=admin_key,
            now=lambda: NOW,
            look=lambda: self.snapshot,
            extensions=extensions,
        )

    def ask(
        self,
        method: str,
        path: str,
        document: Any = None,
        *,
        key: str | None = "admin",
        tag: str | None = None,
    ) -> Answer:
        """Return the answer to one request."""
        return self.api.answer(
            Request(
                method=method,
                path=path,
                authorization=None if key is None else f"Api-Key {key}",
                if_none_match=tag,
                body=b"" if document is None else json.dumps(document).encode(),
            )
        )

    def get(self, path: str, key: str = "demo-key") -> tuple[int, Any]:
        """Return status and body of a GET by a bot."""
        return result(self.ask("GET", path, key=key))


def result(answer: Answer) -> tuple[int, Any]:
    """Return status and parsed body."""
    return answer.response.status, json.loads(answer.response.body)


@pytest.fixture
def server() -> Iterator[Server]:
    """The demo's server, with a second account."""
    made = Server()
    yield made
    made.store.close()


def test_a_bot_gets_the_seed_s_strategy_body(server: Server) -> None:
    """To the letter, as the sample has it."""
    body = json.loads((DATA / "strategy_config.json").read_text("utf-8"))

    assert (200, body) == server.get(STRATEGY_PATH)


def test_a_bot_gets_the_seed_s_trade_body(server: Server) -> None:
    """Every field of the sample and no other, in its order."""
    body = json.loads((DATA / "trade_config.json").read_text("utf-8"))

    status, found = server.get(TRADE_PATH)

    assert 200 == status
    assert list(body) == list(found)
    assert {k: type(v) for k, v in body.items()} == {
        k: type(v) for k, v in found.items()
    }


@pytest.mark.parametrize("path", [TRADE_PATH, STRATEGY_PATH, COMMANDS_PATH])
@pytest.mark.parametrize(
    ("key", "account", "status"),
    [
        ("demo-key", "123456", 200),
        (None, "123456", 401),
        ("wrong", "123456", 403),
        ("seven", "123456", 403),
        ("demo-key", "999", 404),
        ("wrong", "999", 403),
        (None, "999", 401),
        ("admin", "123456", 403),
    ],
)
def test_a_key_opens_its_own_account(
    server: Server, path: str, key: str | None, account: str, status: int
) -> None:
    """401 without a key, 403 with a wrong one, 404 for an account that is not there."""
    answer = server.ask("GET", path.replace("123456", account), key=key)

    assert status == answer.response.status
    if status != 200:
        _, body = result(answer)
        assert "error" == body["status"]
        assert body["detail"]


@pytest.mark.parametrize(
    "header", ["", "Bearer demo-key", "Api-Key", "Api-Key ", "demo-key", "Api-Key a b"]
)
def test_a_header_of_another_shape_is_no_key(server: Server, header: str) -> None:
    """The answer says what the header should look like."""
    request = Request(method="GET", path=TRADE_PATH, authorization=header)

    response = server.api.answer(request).response

    assert 401 == response.status
    assert {"WWW-Authenticate": "Api-Key"} == response.headers
    assert b"Authorization: Api-Key KEY" in response.body


def test_an_unknown_strategy_is_not_found(server: Server) -> None:
    """The detail names it."""
    status, body = server.get("/api/bot/strategy-config/123456/9/")

    assert 404 == status
    assert {"status": "error", "detail": "there is no strategy 9"} == body


def test_the_last_slash_may_be_left_out(server: Server) -> None:
    """And leading zeros do not make another account."""
    assert server.get(TRADE_PATH) == server.get("/api/bot/trade-config/0123456")


def test_an_unchanged_body_is_not_sent_again(server: Server) -> None:
    """304 with the same ETag; a changed body has another one."""
    first = server.ask("GET", TRADE_PATH, key="demo-key").response
    tag = first.headers["ETag"]

    again = server.ask("GET", TRADE_PATH, key="demo-key", tag=f'"x", W/{tag}').response
    server.ask("PATCH", ACCOUNT_PATH, {"risk_config": {"daily_dd_limit_percent": 4}})
    changed = server.ask("GET", TRADE_PATH, key="demo-key", tag=tag).response

    assert (304, b"", tag) == (again.status, again.body, again.headers["ETag"])
    assert 200 == changed.status
    assert tag != changed.headers["ETag"]


def test_a_patch_raises_the_version_and_wakes_the_bot(server: Server) -> None:
    """A change that the server's heartbeat carries wakes for both."""
    answer = server.ask("PATCH", ACCOUNT_PATH, {"bot_status": "PAUSED"})

    assert 200 == answer.response.status
    assert (
        WakeUp(type=WakeUpType.TRADE_CONFIG, account="123456", version=6),
        WakeUp(type=WakeUpType.SERVER_HEARTBEAT, account="123456"),
    ) == answer.wake_ups
    assert 6 == server.get(TRADE_PATH)[1]["version"]


def test_a_patch_without_a_change_wakes_nobody(server: Server) -> None:
    """And the version stays."""
    answer = server.ask("PATCH", ACCOUNT_PATH, {"bot_status": "ACTIVE"})

    assert () == answer.wake_ups
    assert 5 == result(answer)[1]["version"]


def test_the_account_s_status_is_told_without_a_version(server: Server) -> None:
    """The seed's list has no account_status; the heartbeat carries it."""
    answer = server.ask("PATCH", ACCOUNT_PATH, {"account_status": "INACTIVE"})

    assert (WakeUp(type=WakeUpType.SERVER_HEARTBEAT, account="123456"),) == (
        answer.wake_ups
    )
    assert 5 == server.get(TRADE_PATH)[1]["version"]


def test_a_strategy_s_change_wakes_every_account(server: Server) -> None:
    """Any account may run it."""
    answer = server.ask(
        "PATCH",
        "/api/admin/strategies/1/",
        {"parameters_by_symbol.XAUUSD.stop_loss": 120},
    )

    assert (WakeUp(type=WakeUpType.STRATEGY_CONFIG, strategy_id=1, version=4),) == (
        answer.wake_ups
    )


def test_a_refused_patch_stores_nothing(server: Server) -> None:
    """400 with every path; the good half of the PATCH is not stored either."""
    before = server.get(STRATEGY_PATH)
    sent = {"bot_status": "PAUSED", "parameters_by_symbol.XAUUSD.stop_loss": -5}

    answer = server.ask("PATCH", "/api/admin/strategies/1/", sent)

    assert (
        400,
        {
            "status": "error",
            "detail": "1 error; nothing was stored",
            "errors": ["$.parameters_by_symbol.XAUUSD.stop_loss: must be > 0, got -5"],
        },
    ) == result(answer)
    assert () == answer.wake_ups
    assert before == server.get(STRATEGY_PATH)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b'{"a": NaN}', b'{"a": 1e999}', b"[]", b"7", b'"x"']
)
def test_a_body_that_is_no_json_object_is_refused(server: Server, body: bytes) -> None:
    """400 with a body like every other refusal."""
    request = Request(
        method="PATCH", path=ACCOUNT_PATH, authorization="Api-Key admin", body=body
    )

    status, found = result(server.api.answer(request))

    assert 400 == status
    assert "JSON" in found["detail"]


def test_accounts_are_created_and_listed(server: Server) -> None:
    """A made-up key is shown once and opens the account."""
    status, made = result(
        server.ask("POST", "/api/admin/accounts/", {"mt5_account_id": 42})
    )
    _, listed = result(server.ask("GET", "/api/admin/accounts/"))

    assert 201 == status
    assert 200 == server.get("/api/bot/trade-config/42/", key=made["api_key"])[0]
    assert ["7", "42", "123456"] == [a["mt5_account_id"] for a in listed["accounts"]]
    assert "api_key" not in json.dumps(listed)


def test_a_given_key_is_not_sent_back(server: Server) -> None:
    """Whoever chose it knows it."""
    sent = {"mt5_account_id": "42", "api_key": "chosen"}
    _, made = result(server.ask("POST", "/api/admin/accounts/", sent))

    assert "api_key" not in made
    assert 200 == server.get("/api/bot/trade-config/42/", key="chosen")[0]


def test_a_key_can_be_replaced(server: Server) -> None:
    """The old one is refused at once, and no version rises for it."""
    _, body = result(server.ask("PATCH", ACCOUNT_PATH, {"api_key": "new"}))

    assert 5 == body["version"]
    assert 403 == server.get(TRADE_PATH, key="demo-key")[0]
    assert 200 == server.get(TRADE_PATH, key="new")[0]


def test_strategies_are_created_under_the_next_id(server: Server) -> None:
    """Or under the one asked for, once."""
    sent = {"bot_strategy_class": "Mine"}
    answer = server.ask("POST", "/api/admin/strategies/", sent)
    _, listed = result(server.ask("GET", "/api/admin/strategies/"))

    assert (201, 2) == (answer.response.status, result(answer)[1]["id"])
    assert 1 == len(answer.wake_ups)
    assert [1, 2] == [strategy["id"] for strategy in listed["strategies"]]
    assert 200 == server.get("/api/bot/strategy-config/123456/2/")[0]
    assert (
        409
        == server.ask(
            "POST", "/api/admin/strategies/", sent | {"id": 2}
        ).response.status
    )


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/admin/accounts/9/"),
        ("PATCH", "/api/admin/accounts/9/"),
        ("GET", "/api/admin/strategies/9/"),
        ("PATCH", "/api/admin/strategies/9/"),
        ("POST", "/api/admin/accounts/9/command/"),
        ("GET", "/api/admin/nothing/"),
        ("GET", "/api"),
        ("GET", "/../server_stub/store.py"),
        ("GET", "/dashboard.py"),
    ],
)
def test_what_is_not_there_is_not_found(server: Server, method: str, path: str) -> None:
    """404 with a body like every other refusal."""
    document = STOP if "command" in path else {}

    status, body = result(server.ask(method, path, document))

    assert 404 == status
    assert "error" == body["status"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", TRADE_PATH, "GET"),
        ("DELETE", ACCOUNT_PATH, "GET, PATCH"),
        ("PUT", "/api/admin/accounts/", "GET, POST"),
        ("GET", "/api/admin/command/", "POST"),
        ("POST", "/", "GET"),
        ("PATCH", "/metrics", "GET"),
    ],
)
def test_a_wrong_method_is_told_the_right_one(
    server: Server, method: str, path: str, allowed: str
) -> None:
    """405 with Allow."""
    response = server.ask(method, path).response

    assert (405, allowed) == (response.status, response.headers["Allow"])


@pytest.mark.parametrize("key", [None, "demo-key", "wrong"])
@pytest.mark.parametrize("path", [ACCOUNT_PATH, "/api/admin/fleet/"])
def test_administration_needs_the_admin_s_key(
    server: Server, path: str, key: str | None
) -> None:
    """A bot's key opens nothing there."""
    assert (401 if key is None else 403) == (
        server.ask("GET", path, key=key).response.status
    )


def test_without_an_admin_key_administration_is_off() -> None:
    """Refused with words that say how to turn it on."""
    server = Server(admin_key=None)
    status, body = result(server.ask("GET", "/api/admin/fleet/", key="None"))
    server.store.close()

    assert 403 == status
    assert "CONFIG_STUB_ADMIN_KEY" in body["detail"]


def test_a_command_is_numbered_stored_and_served(server: Server) -> None:
    """For the account's bot by REST; the fleet's wakes every account."""
    account = server.ask("POST", f"{ACCOUNT_PATH}command/", {"action": "PAUSE"})
    fleet = server.ask("POST", "/api/admin/command/", STOP)
    _, body = server.get(COMMANDS_PATH)

    assert (WakeUp(type=WakeUpType.COMMAND, account="123456"),) == account.wake_ups
    assert (WakeUp(type=WakeUpType.COMMAND),) == fleet.wake_ups
    assert ("PAUSE", 1) == (body["command"]["action"], body["command"]["seq"])
    assert body["fleet_command"] == {
        **STOP,
        "seq": 2,
        "issued_at": "2025-12-20T10:30:00Z",
        "issued_by": "admin",
    }


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (
            {"action": "STOP"},
            '$.action: must be RUN or PAUSE or FLATTEN or EMERGENCY_STOP, got "STOP"',
        ),
        ({}, "$.action: missing"),
        ({**STOP, "seq": 5}, "$.seq: unknown field"),
        ({**STOP, "reason": 5}, "$.reason: must be a text, got 5"),
    ],
)
def test_a_wrong_command_is_refused(
    server: Server, sent: dict[str, Any], error: str
) -> None:
    """It gets no number."""
    status, body = result(server.ask("POST", "/api/admin/command/", sent))

    assert 400 == status
    assert any(line.startswith(error) for line in body["errors"])
    assert server.store.command(None) is None


def test_a_server_that_speaks_only_the_seed() -> None:
    """No commands, no ETag; the seed's endpoints as ever."""
    server = Server(extensions=False)
    trade = server.ask("GET", TRADE_PATH, key="demo-key").response
    others = [
        server.ask("GET", COMMANDS_PATH, key="demo-key").response.status,
        server.ask("POST", "/api/admin/command/", STOP).response.status,
    ]
    server.store.close()

    assert 200 == trade.status
    assert {} == dict(trade.headers)
    assert [404, 404] == others


def test_the_fleet_shows_asked_and_applied(server: Server) -> None:
    """Versions wanted by the server, versions and errors that the bot reports."""
    heartbeat = json.loads((DATA / "bot_heartbeat_full.json").read_text("utf-8"))
    server.snapshot = Snapshot(
        redis="up",
        bots={
            "123456": Observation(
                status=ObservedStatus.PAUSED,
                since=NOW,
                last_seen=NOW,
                heartbeat=heartbeat,
                config_acks=json.loads((DATA / "config_acks.json").read_text("utf-8")),
                command_acks={"1": "{}"},
            )
        },
    )
    server.ask("POST", f"{ACCOUNT_PATH}command/", STOP)
    server.ask("POST", "/api/admin/command/", STOP)

    _, body = result(server.ask("GET", "/api/admin/fleet/"))
    other, bot = body["accounts"]

    assert "up" == body["redis"]
    assert ("123456", "PAUSED") == (bot["mt5_account_id"], bot["observed_status"])
    assert heartbeat == bot["heartbeat"]
    assert (5, 5) == (bot["trade_config_version"], bot["applied_trade_config_version"])
    assert ({"1": 3}, {"1": 3, "2": 9}) == (
        bot["strategy_versions"],
        bot["applied_strategy_versions"],
    )
    assert [] == bot["config_errors"]
    assert "refused" == bot["config_acks"]["strategy:1"]["state"]
    assert (True, False) == (
        bot["command_acknowledged"],
        bot["fleet_command_acknowledged"],
    )
    assert ("7", "NEVER_SEEN", {}) == (
        other["mt5_account_id"],
        other["observed_status"],
        other["heartbeat"],
    )


def test_the_fleet_of_bots_that_speak_only_the_seed(server: Server) -> None:
    """What a bot does not say is null; garbage of a bot does not break the page."""
    seed = json.loads((DATA / "bot_heartbeat_seed.json").read_text("utf-8"))
    server.snapshot = Snapshot(
        bots={
            "123456": Observation(heartbeat=seed, config_acks={"trade": "{"}),
            "7": Observation(
                heartbeat=dict.fromkeys(
                    ["trade_config_version", "strategy_versions", "config_errors"], "x"
                )
            ),
        }
    )

    _, body = result(server.ask("GET", "/api/admin/fleet/"))

    for bot in body["accounts"]:
        assert bot["applied_trade_config_version"] is None
        assert {} == bot["applied_strategy_versions"]
        assert [] == bot["config_errors"]
    assert {"trade": "{"} == body["accounts"][1]["config_acks"]


def test_metrics_are_prometheus_text(server: Server) -> None:
    """Families with help and type; no key is asked, so no money is shown."""
    server.get(TRADE_PATH)
    server.snapshot = Snapshot(
        redis="down", bots={"7": Observation(status=ObservedStatus.ACTIVE)}
    )

    response = server.ask("GET", "/metrics", key=None).response
    lines = response.body.decode().splitlines()

    assert response.content_type.startswith("text/plain; version=0.0.4")
    assert 'config_server_accounts{observed_status="NEVER_SEEN"} 1' in lines
    assert 'config_server_bot_up{mt5_account_id="7"} 1' in lines
    assert 'config_server_trade_config_version{mt5_account_id="123456"} 5' in lines
    assert 'config_server_strategy_config_version{strategy_id="1"} 3' in lines
    assert 'config_server_http_answers_total{status="200"} 1' in lines
    assert "config_server_redis_up 0" in lines
    assert not any("balance" in line for line in lines)


def test_the_dashboard_loads_nothing_from_elsewhere(server: Server) -> None:
    """One page, one style, one script, all of this server."""
    page = server.ask("GET", "/", key=None).response

    assert (200, "text/html; charset=utf-8") == (page.status, page.content_type)
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    for path in ("/dashboard.css", "/dashboard.js"):
        assert path.encode() in page.body
        file = server.ask("GET", path, key=None).response
        assert 200 == file.status
        assert b"http://" not in file.body
        assert b"https://" not in file.body
        assert b"innerHTML" not in file.body
