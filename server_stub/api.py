"""The REST side as a function of the request: routing, keys, answers and refusals."""

from __future__ import annotations

import hmac
import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from server_stub import metrics
from server_stub.admin_api import AdminApi
from server_stub.bot_api import BotApi
from server_stub.changes import RefusedError
from server_stub.messages import Answer, ApiError, Request, Response
from server_stub.observation import Snapshot
from server_stub.pages import load_pages
from server_stub.store import Store

_ACCOUNT = "(?P<account>[0-9]{1,18})"
_STRATEGY = "(?P<strategy>[0-9]{1,18})"
_SCHEME = re.compile(r"api-key +(\S+) *", re.IGNORECASE)
_CHALLENGE = {"WWW-Authenticate": "Api-Key"}

_Handle = Callable[..., Answer]
_Route = tuple[re.Pattern[str], Mapping[str, _Handle]]


class Api:
    """Every endpoint. It keeps no state but the count of its answers.

    Args:
        store: Where everything is.
        admin_key: The administrator's key; None refuses administration.
        now: The server's clock.
        look: Reads what the bots report.
        extensions: Whether anything beyond the seed is spoken to bots.
    """

    def __init__(
        self,
        *,
        store: Store,
        admin_key: str | None,
        now: Callable[[], datetime],
        look: Callable[[], Snapshot],
        extensions: bool = True,
    ) -> None:
        self._store = store
        self._admin_key = admin_key
        self._look = look
        self._pages = load_pages()
        self._answers: Counter[int] = Counter()
        self._counting = threading.Lock()
        bot = BotApi(store=store, extensions=extensions)
        admin = AdminApi(store=store, now=now, look=look)
        self._bot_routes = _bot_routes(bot, extensions)
        self._admin_routes = _admin_routes(admin, extensions)

    def answer(self, request: Request) -> Answer:
        """Return the answer to *request*; refusals are answers too."""
        try:
            answer = self._route(request)
        except ApiError as error:
            answer = Answer(response=error.response())
        except RefusedError as error:
            count = len(error.errors)
            detail = f"{count} error{'s' * (count > 1)}; nothing was stored"
            refusal = ApiError(400, detail, errors=error.errors)
            answer = Answer(response=refusal.response())
        self.count(answer.response.status)
        return answer

    def count(self, status: int) -> None:
        """Count an answer given with *status*."""
        with self._counting:
            self._answers[status] += 1

    def _route(self, request: Request) -> Answer:
        if request.path in self._pages:
            _only_get(request)
            return Answer(response=self._pages[request.path])
        if request.path.rstrip("/") == "/metrics":
            _only_get(request)
            return Answer(response=self._metrics())
        for pattern, methods in self._bot_routes:
            if match := pattern.fullmatch(request.path):
                return self._for_bot(request, methods, match.groupdict())
        for pattern, methods in self._admin_routes:
            if match := pattern.fullmatch(request.path):
                handle = _handler(request, methods)
                self._check_admin(request)
                return handle(request, **match.groupdict())
        raise ApiError(404, f"there is nothing at {request.path}")

    def _for_bot(
        self, request: Request, methods: Mapping[str, _Handle], found: dict[str, Any]
    ) -> Answer:
        handle = _handler(request, methods)
        key = _key(request)
        account = str(int(found["account"]))
        if not self._store.opens(key, account):
            # A key of nobody's learns nothing about which accounts there are.
            if self._store.is_key(key) and self._store.account(account) is None:
                raise ApiError(404, f"there is no account {account}")
            raise ApiError(403, f"this key does not open account {account}")
        return handle(request, **{**found, "account": account})

    def _check_admin(self, request: Request) -> None:
        if self._admin_key is None:
            raise ApiError(
                403,
                "administration is off: start the server with "
                "CONFIG_STUB_ADMIN_KEY set to a key of your choice",
            )
        key = _key(request).encode()
        if not hmac.compare_digest(key, self._admin_key.encode()):
            raise ApiError(403, "this is not the administrator's key")

    def _metrics(self) -> Response:
        snapshot = self._look()
        with self._counting:
            answers = dict(self._answers)
        text = metrics.metrics_text(
            self._store.accounts(), self._store.strategies(), snapshot, answers
        )
        return Response(
            status=200, body=text.encode(), content_type=metrics.CONTENT_TYPE
        )


def _bot_routes(bot: BotApi, extensions: bool) -> list[_Route]:
    routes = [
        _route(f"/api/bot/trade-config/{_ACCOUNT}/", GET=bot.trade_config),
        _route(
            f"/api/bot/strategy-config/{_ACCOUNT}/{_STRATEGY}/",
            GET=bot.strategy_config,
        ),
    ]
    if extensions:
        routes += [
            _route(f"/api/bot/commands/{_ACCOUNT}/", GET=bot.commands),
            _route(f"/api/bot/calendar/{_ACCOUNT}/", GET=bot.calendar),
        ]
    return routes


def _admin_routes(admin: AdminApi, extensions: bool) -> list[_Route]:
    accounts, strategies = "/api/admin/accounts/", "/api/admin/strategies/"
    routes = [
        _route(accounts, GET=admin.accounts, POST=admin.create_account),
        _route(f"{accounts}{_ACCOUNT}/", GET=admin.account, PATCH=admin.edit_account),
        _route(strategies, GET=admin.strategies, POST=admin.create_strategy),
        _route(
            f"{strategies}{_STRATEGY}/", GET=admin.strategy, PATCH=admin.edit_strategy
        ),
        _route("/api/admin/fleet/", GET=admin.fleet),
    ]
    if extensions:
        routes += [
            _route(f"{accounts}{_ACCOUNT}/command/", POST=admin.command),
            _route("/api/admin/command/", POST=admin.command),
            _route(
                "/api/admin/calendar/", GET=admin.calendar, PUT=admin.replace_calendar
            ),
        ]
    return routes


def _route(path: str, **methods: _Handle) -> _Route:
    return re.compile(f"{path}?"), methods  # the last slash may be left out


def _handler(request: Request, methods: Mapping[str, _Handle]) -> _Handle:
    if request.method not in methods:
        allowed = ", ".join(methods)
        raise ApiError(
            405,
            f"{request.method} is not possible here, only {allowed}",
            headers={"Allow": allowed},
        )
    return methods[request.method]


def _only_get(request: Request) -> None:
    _handler(request, {"GET": lambda: Answer(response=Response(status=200, body=b""))})


def _key(request: Request) -> str:
    match = _SCHEME.fullmatch(request.authorization or "")
    if match is None:
        detail = "a key is needed: send the header Authorization: Api-Key KEY"
        raise ApiError(401, detail, headers=_CHALLENGE)
    return match[1]
