"""What a bot may ask (seed, API Endpoints; protocol, Extensions)."""

from __future__ import annotations

import hashlib
from typing import Any

import attrs

from runner.wire.commands import commands_body
from runner.wire.documents import SUCCESS
from server_stub.messages import Answer, ApiError, Request, Response, json_response
from server_stub.store import Store


@attrs.frozen(slots=True, kw_only=True)
class BotApi:
    """The bot's endpoints, after its key was checked.

    Attributes:
        store: Where the documents are.
        extensions: Whether anything beyond the seed is spoken.
    """

    store: Store
    extensions: bool

    def trade_config(self, request: Request, account: str) -> Answer:
        """Answer with the account's trade config (seed, endpoint 1)."""
        record = self.store.account(account)
        if record is None:
            raise ApiError(404, f"there is no account {account}")
        return self._conditional(request, record.body(), record.version)

    def strategy_config(self, request: Request, account: str, strategy: str) -> Answer:
        """Answer with one strategy's config (seed, endpoint 2)."""
        record = self.store.strategy(int(strategy))
        if record is None:
            raise ApiError(404, f"there is no strategy {strategy}")
        return self._conditional(request, record.body(), record.version)

    def commands(self, request: Request, account: str) -> Answer:
        """Answer with the account's and the fleet's command."""
        body = commands_body(self.store.command(account), self.store.command(None))
        return Answer(response=json_response(body))

    def calendar(self, request: Request, account: str) -> Answer:
        """Answer with the calendar of scheduled news, which all accounts share."""
        events = self.store.calendar()
        if not events:
            raise ApiError(404, "there is no calendar")
        body = {"status": SUCCESS, "events": events}
        return self._conditional(request, body, len(events))

    def _conditional(
        self, request: Request, body: dict[str, Any], version: int
    ) -> Answer:
        response = json_response(body)
        if not self.extensions:
            return Answer(response=response)
        # The version alone would not do: risk_config changes without raising it.
        digest = hashlib.sha256(response.body).hexdigest()[:16]
        tag = f'"{version}-{digest}"'
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        if tag in _tags(request.if_none_match):
            unchanged = Response(status=304, body=b"", headers=headers)
            return Answer(response=unchanged)
        return Answer(response=attrs.evolve(response, headers=headers))


def _tags(header: str | None) -> list[str]:
    return [tag.strip().removeprefix("W/") for tag in (header or "").split(",")]
