"""What is refused before anything is looked at: the shape of a request, its size, its path.

The server in front (granian) refuses broken HTTP; this middleware refuses what it lets pass. No body is
read here: what is announced too long is answered at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from retinue.server.api.answers import problem_answer
from retinue.server.ids import new_id

MOST_HEADERS = 64
MOST_BODY = 64 << 10
#: Nodes ship their request log in batches.
MOST_BODY_OF = {"/v1/feed/requests": 2 << 20}
MOST_URL = 8 << 10
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?", re.ASCII)
_BAD_PATH = re.compile(r"//|(?:^|/)\.\.?(?:/|$)|\\|[\x00-\x1f\x7f]|%2f|%5c|%2e|%00", re.IGNORECASE)


class Intake:
    """Django middleware; the outermost, so that every answer carries ``Retinue-Request-Id``."""

    def __init__(self, answer: Callable[[HttpRequest], HttpResponse]) -> None:
        self._answer = answer

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.retinue_id = new_id("req")  # type: ignore[attr-defined]
        answer = _refusal(request)
        if answer is None:
            answer = self._answer(request)
            if answer.status_code == 405 and request.path.startswith("/v1/"):
                answer = _wrong_method(request, answer)
        answer["Retinue-Request-Id"] = request.retinue_id  # type: ignore[attr-defined]
        return answer


def _wrong_method(request: HttpRequest, plain: HttpResponse) -> HttpResponse:
    """Turn the framework's plain 405 into a problem that keeps its ``Allow``."""
    allowed = plain.get("Allow", "")
    answer = problem_answer(request, "method_not_allowed_here", detail=f"allowed: {allowed}")
    answer["Allow"] = allowed
    return answer


def _refusal(request: HttpRequest) -> HttpResponse | None:
    meta = request.META
    host = meta.get("HTTP_HOST", "")
    if not _HOST.fullmatch(host):
        return problem_answer(request, "bad_request", detail="one Host header with a name or an address")
    if host.rpartition(":")[0] not in settings.ALLOWED_HOSTS and host not in settings.ALLOWED_HOSTS:
        return problem_answer(request, "bad_request", detail="this host is not served here (RETINUE_HOSTS)")
    if "HTTP_TRANSFER_ENCODING" in meta:
        return problem_answer(
            request, "bad_request", detail="Transfer-Encoding is not accepted; send Content-Length"
        )
    if sum(1 for name in meta if name.startswith("HTTP_")) > MOST_HEADERS:
        return problem_answer(request, "headers_too_large", detail=f"at most {MOST_HEADERS} header fields")
    query: str = meta.get("QUERY_STRING", "")
    if len(request.path) + len(query) > MOST_URL:
        return problem_answer(request, "uri_too_long")
    if _BAD_PATH.search(request.path) or not request.path.startswith("/"):
        return problem_answer(request, "path_refused")
    if re.search(r"(?:^|[=&])[a-z][a-z0-9]{1,9}(?:sa|pat|node|boot)_[0-9A-Za-z]{12}_", query):
        return problem_answer(request, "scheme_not_accepted", detail="a token never stands in an address")
    return _length_refusal(request, meta)


def _length_refusal(request: HttpRequest, meta: dict[str, Any]) -> HttpResponse | None:
    announced = meta.get("CONTENT_LENGTH") or "0"
    if not re.fullmatch(r"[0-9]{1,15}", announced, re.ASCII):
        return problem_answer(request, "bad_request", detail="Content-Length is not a number")
    most = MOST_BODY_OF.get(request.path, MOST_BODY)
    if int(announced) > most:
        answer = problem_answer(request, "too_large", detail=f"at most {most} bytes here")
        answer["Connection"] = "close"
        return answer
    return None
