"""Answers: JSON, problems, and the form of instants."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse

from retinue import problem as problems
from retinue.decision import Denied, Reason

_encode = msgspec.json.encode


def json_answer(body: Any, status: int = 200) -> HttpResponse:
    """Return a JSON answer that no cache may keep."""
    answer = HttpResponse(_encode(body), status=status, content_type="application/json")
    answer["Cache-Control"] = "no-store"
    answer["X-Content-Type-Options"] = "nosniff"
    return answer


def problem_answer(
    request: HttpRequest,
    code: str,
    *,
    detail: str | None = None,
    field: str | None = None,
    required: tuple[str, ...] = (),
) -> HttpResponse:
    """Return the problem ``code`` for this request."""
    made = problems.problem(
        code, detail=detail, field=field, required=required, request_id=getattr(request, "retinue_id", None)
    )
    answer = _problem(made)
    if code in (Reason.SCHEME_NOT_ACCEPTED, Reason.TOKEN_MISSING):
        answer["WWW-Authenticate"] = problems.challenge(Reason(code))
    if made.status == 503:
        answer["Retry-After"] = str(problems.RETRY_AFTER_SECONDS)
    return answer


def denial_answer(request: HttpRequest, denied: Denied) -> HttpResponse:
    """Return a denial of the caller's own token, with the challenge that belongs to it."""
    answer = _problem(problems.problem_for(denied, getattr(request, "retinue_id", None)))
    for name, value in problems.headers_for(denied).items():
        answer[name] = value
    return answer


def _problem(made: problems.Problem) -> HttpResponse:
    answer = json_answer(made, made.status)
    answer["Content-Type"] = problems.MEDIA_TYPE
    return answer


def instant(at: datetime | None) -> str | None:
    """Return an instant as RFC 3339 in UTC with milliseconds."""
    return None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
