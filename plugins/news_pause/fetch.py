"""One HTTP request for a calendar. Every failure is a value; nothing is raised."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Protocol
from urllib.parse import urlsplit

import attrs
import requests

_MOST_BYTES = 4 * 1024 * 1024
_CHUNK = 4096
_WITHOUT_A_BYTE = 10.0  # seconds
_TOTAL = 60.0  # seconds
_SHOWN = 200


@attrs.frozen(slots=True, kw_only=True)
class Reply:
    """What came back.

    Attributes:
        status: HTTP status; 0 if no whole answer came.
        body: Its bytes.
        headers: By name in lower case.
        detail: Why there was no answer; empty if there was one.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    detail: str = ""


class Get(Protocol):
    """Asks for an address."""

    def __call__(self, url: str, headers: Mapping[str, str]) -> Reply:
        """Return what came back."""
        ...


def get(url: str, headers: Mapping[str, str]) -> Reply:
    """GET *url*; redirects are not followed, since the headers may carry a key."""
    try:
        with requests.get(
            url,
            headers={"Accept-Encoding": "identity", **headers},
            auth=_as_it_is,
            timeout=_WITHOUT_A_BYTE,
            allow_redirects=False,
            stream=True,
        ) as response:
            return Reply(
                status=response.status_code,
                body=_read(response),
                headers={name.lower(): text for name, text in response.headers.items()},
            )
    except (requests.RequestException, OSError, ValueError) as error:
        return Reply(status=0, detail=_told(error, url)[:_SHOWN])


def _told(error: BaseException, url: str) -> str:
    """Return what went wrong, without the query of *url*: a key may stand in it."""
    sent = getattr(getattr(error, "request", None), "url", None) or url
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner  # what the system said, without what libraries wrap around it
    text = f"{type(error).__name__}: {str(error) or 'none'}"
    for query in (urlsplit(url).query, urlsplit(sent).query):
        text = text.replace(query, "***") if query else text
    return text


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    # Given as `auth`, because requests would else put a netrc entry in its place.
    return request


def _read(response: requests.Response) -> bytes:
    until = time.monotonic() + _TOTAL
    content = bytearray()
    for chunk in response.iter_content(_CHUNK):
        content += chunk
        if len(content) > _MOST_BYTES:
            raise ValueError(f"a body of more than {_MOST_BYTES} bytes")
        if time.monotonic() > until:
            raise ValueError(f"no whole answer in {_TOTAL:g} s")
    length = response.headers.get("Content-Length", "")
    if length.isdigit() and len(content) != int(length):
        raise ValueError(f"a truncated body: {len(content)} of {length} bytes")
    return bytes(content)


def retry_after(reply: Reply, now: datetime) -> float:
    """Return how many seconds the answer asks to wait; 0 if it asks for none.

    Args:
        reply: The answer.
        now: Wall-clock time, UTC-aware, for an answer that names a date.
    """
    text = reply.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - now).total_seconds())
    except (TypeError, ValueError):
        return 0.0


def failure(reply: Reply) -> str:
    """Say in a few words what is wrong with an answer that is not 200 or 304."""
    if not reply.status:
        return f"no answer ({reply.detail})"
    place = reply.headers.get("location")
    return f"HTTP {reply.status}" + (
        f", redirected to {place[:_SHOWN]}" if place else ""
    )
