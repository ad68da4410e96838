"""What is refused before anything is looked at: the shape of a request, its size, its path.

The server in front (granian) refuses broken HTTP; this middleware refuses what it lets pass. What is
announced too long is answered at once; of the API no body is read here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from retinue import problem as problems
from retinue.server.api import limits
from retinue.server.api.answers import problem_answer
from retinue.server.errors import Refused
from retinue.server.ids import new_id

MAX_HEADERS = 64
MAX_BODY = 64 << 10
#: Nodes ship their request log in batches, and hand over their journals; a relay tells who follows it. The
#: document of an organization has all of its accounts in it.
MAX_BODY_OF = {
    "/v1/feed/requests": 2 << 20,
    "/v1/feed/journal": 2 << 20,
    "/v1/feed/poll": 256 << 10,
    "/v1/configuration/plan": 8 << 20,
    "/v1/configuration/apply": 8 << 20,
    # A thousand tokens.
    "/v1/leaks/revoke": 256 << 10,
    "/v1/leaks/verify": 256 << 10,
    "/v1/leaks/github": 256 << 10,
}
MAX_URL = 8 << 10
#: Where errors have the form of OAuth 2.0.
OAUTH = frozenset({"/v1/oauth/token", "/v1/oauth/device"})

_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::[0-9]{1,5})?", re.ASCII)
_BAD_PATH = re.compile(r"//|(?:^|/)\.\.?(?:/|$)|\\|[\x00-\x1f\x7f]|%2f|%5c|%2e|%00", re.IGNORECASE)
_RAW_BAD_PATH = re.compile(r"%(?:2f|5c|00|0[0-9a-f]|1[0-9a-f]|7f)", re.IGNORECASE)
_TOKEN = re.compile(
    r"[a-z][a-z0-9]{1,9}(?:sa|pat|ing|node|boot|inv|acc)_[0-9A-Za-z]{12}_[0-9A-Za-z]", re.ASCII
)
#: What the framework itself answers, as a code of ours.
_PLAIN = {400: "bad_request", 404: "not_found", 405: "method_not_allowed_here", 500: "internal"}


class Intake:
    """Django middleware; outside of all that refuses, so that every answer carries ``Retinue-Request-Id``."""

    def __init__(self, answer: Callable[[HttpRequest], HttpResponse]) -> None:
        self._answer = answer

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.retinue_id = new_id("req")  # type: ignore[attr-defined]
        answer = _refusal(request) or _form_refusal(request)
        if answer is None:
            answer = self._answer(request)
            if request.path.startswith("/v1/") and answer.status_code >= 400:
                answer = _as_problem(request, answer)
        answer["Retinue-Request-Id"] = request.retinue_id  # type: ignore[attr-defined]
        return answer


def _as_problem(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
    """Give the framework's own refusals (unknown address, wrong method) the form of all others."""
    is_ours = "Retinue-Error" in answer or answer.get("Content-Type", "").startswith(problems.MEDIA_TYPE)
    is_ours |= request.path in OAUTH and answer.get("Content-Type", "") == "application/json"
    if is_ours or answer.status_code not in _PLAIN:
        return answer
    made = problem_answer(request, _PLAIN[answer.status_code])
    if "Allow" in answer:
        made["Allow"] = answer["Allow"]
    return made


def is_served(host: str) -> bool | None:
    """Tell whether a ``Host`` header names this installation; ``None`` if it names nothing."""
    found = _HOST.fullmatch(host)
    return None if found is None else found["name"].lower() in settings.ALLOWED_HOSTS


def _refusal(request: HttpRequest) -> HttpResponse | None:
    meta = request.META
    is_ours = is_served(meta.get("HTTP_HOST", ""))
    if is_ours is None:
        return problem_answer(request, "bad_request", detail="one Host header with a name or an address")
    if not is_ours:
        return problem_answer(request, "bad_request", detail="this host is not served here (RETINUE_HOSTS)")
    if "HTTP_TRANSFER_ENCODING" in meta:
        return problem_answer(
            request, "bad_request", detail="Transfer-Encoding is refused; send Content-Length"
        )
    if sum(1 for name in meta if name.startswith("HTTP_")) > MAX_HEADERS:
        return problem_answer(request, "headers_too_large", detail=f"at most {MAX_HEADERS} header fields")
    return _address_refusal(request, meta) or _length_refusal(request, meta)


def _address_refusal(request: HttpRequest, meta: dict[str, Any]) -> HttpResponse | None:
    query: str = meta.get("QUERY_STRING", "")
    if len(request.path) + len(query) > MAX_URL:
        return problem_answer(request, "uri_too_long", detail=f"at most {MAX_URL} characters")
    # Only some servers pass the address as it was sent; the decoded one is checked in any case.
    raw = str(meta.get("RAW_URI") or meta.get("REQUEST_URI") or "").partition("?")[0]
    if _BAD_PATH.search(request.path) or not request.path.startswith("/") or _RAW_BAD_PATH.search(raw):
        return problem_answer(request, "path_refused")
    if _TOKEN.search(query) or _TOKEN.search(request.path):
        return problem_answer(request, "scheme_not_accepted", detail="a token never stands in an address")
    return None


def _length_refusal(request: HttpRequest, meta: dict[str, Any]) -> HttpResponse | None:
    announced = meta.get("CONTENT_LENGTH") or "0"
    if not re.fullmatch(r"[0-9]{1,15}", announced, re.ASCII):
        return problem_answer(request, "bad_request", detail="Content-Length is not a number")
    most = MAX_BODY_OF.get(request.path, MAX_BODY)
    if int(announced) > most:
        return problem_answer(request, "too_large", detail=f"at most {most} bytes here")
    return None


def _form_refusal(request: HttpRequest) -> HttpResponse | None:
    """Read the body of a form, which strangers send; the API reads its own, once it knows who calls."""
    if request.path.startswith("/v1/") or request.META.get("CONTENT_LENGTH") in (None, "", "0"):
        return None
    try:
        limits.read_body(request, limits.FORMS, "")
    except Refused as refused:
        return problem_answer(request, refused.code, detail=refused.detail)
    return None
