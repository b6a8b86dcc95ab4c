"""An HTTP request and its answer as values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, cast

import attrs

from runner.wire.documents import ERROR
from runner.wire.encoding import WireError, read_json
from runner.wire.events import WakeUp

JSON = "application/json"
NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@attrs.frozen(slots=True, kw_only=True)
class Request:
    """What a client asks.

    Attributes:
        method: Upper case; a HEAD comes as GET.
        path: Without the query.
        authorization: The header of that name; None if there was none.
        if_none_match: The header of that name; None if there was none.
        body: The bytes sent; empty if none were.
    """

    method: str
    path: str
    authorization: str | None = attrs.field(default=None, repr=False)
    if_none_match: str | None = None
    body: bytes = attrs.field(default=b"", repr=False)

    def document(self) -> dict[str, Any]:
        """Return the body as a JSON object.

        Raises:
            ApiError: 400, if it is none.
        """
        try:
            value = read_json("body", self.body)
        except WireError:
            raise ApiError(400, "the body is not JSON") from None
        if not isinstance(value, dict):
            raise ApiError(400, "the body must be a JSON object")
        return cast("dict[str, Any]", value)


@attrs.frozen(slots=True, kw_only=True)
class Response:
    """What goes back.

    Attributes:
        status: HTTP status.
        body: Bytes; empty for a 304.
        content_type: Of the body.
        headers: Further headers.
    """

    status: int
    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = NO_HEADERS


@attrs.frozen(slots=True, kw_only=True)
class Answer:
    """A response, and what has to be announced before it is sent.

    Attributes:
        response: The response.
        wake_ups: What was changed and is committed; *account* None means every account.
    """

    response: Response
    wake_ups: tuple[WakeUp, ...] = ()


class ApiError(Exception):
    """A refusal: its HTTP status and words for a person.

    Attributes:
        status: HTTP status.
        detail: One sentence.
        errors: A line for every error, each with its path.
        headers: Further headers.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Sequence[str] = (),
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = headers

    def response(self) -> Response:
        """Return the JSON body that every refusal has."""
        document: dict[str, Any] = {"status": ERROR, "detail": self.detail}
        if self.errors:
            document["errors"] = list(self.errors)
        return json_response(document, status=self.status, headers=self.headers)


def json_response(
    document: Mapping[str, Any],
    *,
    status: int = 200,
    headers: Mapping[str, str] = NO_HEADERS,
) -> Response:
    """Return *document* as a JSON response."""
    body = json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
    return Response(status=status, body=body, headers=headers)
