"""What can go wrong with a call: an answer that is a problem, an answer that is none, or no answer."""

from __future__ import annotations

import json
from typing import Any


class ClientError(Exception):
    """A call did not succeed."""


class Unreachable(ClientError):
    """Nobody answered: no connection, a broken one, or no answer in time."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"{url}: {why}")
        self.url = url
        self.why = why


class UnreadableAnswer(ClientError):
    """The answer is not what the API promises: another program, or another version, answered."""


class Problem(ClientError):
    """An error answer (RFC 9457).

    ``code`` is stable and for programs; ``field`` is the dotted path of what is wrong in the request;
    ``required`` are the permissions that were missing; ``request_id`` finds the request in the server's log.
    """

    def __init__(
        self,
        status: int,
        code: str,
        title: str = "",
        detail: str = "",
        field: str | None = None,
        required: tuple[str, ...] = (),
        request_id: str | None = None,
        documentation: str | None = None,
        retry_after: str | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {detail or title}")
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.field = field
        self.required = required
        self.request_id = request_id
        self.documentation = documentation
        self.retry_after = retry_after


def problem_from(status: int, headers: dict[str, str], body: bytes) -> Problem:
    """Read an error answer, also one that a proxy on the way made up (then ``code`` is ``http_<status>``)."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    known: dict[str, Any] = document if isinstance(document, dict) else {}
    required = known.get("required")
    elsewhere = f"it sends to {headers['location']}" if 300 <= status < 400 and "location" in headers else ""
    return Problem(
        status,
        # OAuth has names of its own (RFC 6749, 5.2).
        _text(known.get("code")) or _text(known.get("error")) or f"http_{status}",
        _text(known.get("title")),
        _text(known.get("detail")) or _text(known.get("error_description")) or elsewhere,
        _text(known.get("field")) or None,
        tuple(map(str, required if isinstance(required, list) else ())),
        _text(known.get("request_id")) or headers.get("retinue-request-id"),
        _text(known.get("type")) or None,
        headers.get("retry-after"),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
