"""The server's own calendar (protocol, Calendar)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, cast

from plugins.news_pause.events import Calendar, CalendarError, from_rows
from plugins.news_pause.fetch import Get, Reply, failure, retry_after
from plugins.news_pause.source import Delivery, Visit
from runner import ApiAccess

_OK, _NOT_MODIFIED, _NOT_FOUND = 200, 304, 404
_EVERY = 300.0  # seconds
_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 1800.0  # seconds
_JITTER = 0.25
_MOST_DOUBLINGS = 16


class ServerCalendar:
    """Asks the server, with the bot's own key.

    Args:
        api: Where and with which headers.
        get: Asks for an address.
        wall: Wall-clock time, UTC-aware.
        random: Returns a number from 0 to 1.
    """

    def __init__(
        self,
        api: ApiAccess,
        *,
        get: Get,
        wall: Callable[[], datetime],
        random: Callable[[], float],
    ) -> None:
        self._api = api
        self._get = get
        self._wall = wall
        self._random = random
        self._tag = ""
        self._failures = 0
        self._problem = ""

    def visit(self) -> Visit:
        """Ask once."""
        try:
            reply = self._ask()
        except Exception as error:  # noqa: BLE001 - whatever a key's provider raises
            reply = Reply(status=0, detail=f"no API key can be had: {error}")
        calendar, problem = None, ""
        if reply.status == _OK:
            try:
                calendar = read_body(reply.body)
            except CalendarError as error:
                problem = str(error)
            else:
                self._tag = reply.headers.get("etag", "")
        elif reply.status == _NOT_FOUND:
            problem = "the server has no calendar"
        elif reply.status != _NOT_MODIFIED:
            problem = failure(reply)
        failed = bool(problem) and reply.status != _NOT_FOUND
        self._failures = self._failures + 1 if failed else 0
        is_news = calendar is not None or problem != self._problem
        self._problem = problem
        return Visit(
            self._pause(reply), Delivery(calendar, problem) if is_news else None
        )

    def _ask(self) -> Reply:
        headers = {"Accept": "application/json", **self._api.headers()}
        if self._tag:
            headers["If-None-Match"] = self._tag
        url = f"{self._api.url}/api/bot/calendar/{self._api.account}/"
        return self._get(url, headers)

    def _pause(self, reply: Reply) -> float:
        jitter = 1 + _JITTER * self._random()
        if not self._failures:
            return _EVERY * jitter
        factor: int = 1 << min(self._failures - 1, _MOST_DOUBLINGS)
        doubled = _FIRST_PAUSE * factor
        wish = retry_after(reply, self._wall())
        return min(max(doubled * jitter, wish), _LONGEST_PAUSE)


def read_body(body: bytes) -> Calendar:
    """Read the server's answer.

    Raises:
        CalendarError: If it is none.
    """
    try:
        document: Any = json.loads(body.decode())
    except (ValueError, RecursionError):
        raise CalendarError("the body is not JSON") from None
    if not isinstance(document, dict):
        raise CalendarError("the body is not a JSON object")
    return from_rows(cast("Mapping[str, Any]", document).get("events"), "$.events")
