"""Answers: JSON, problems, and the form of instants."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse

from retinue import problem as problems
from retinue.decision import NATIVE_TERMS, Denied, Reason, Terms

_encode = msgspec.json.encode
_REASONS = {reason.value: reason for reason in Reason}


def request_id(request: HttpRequest) -> str:
    """Return the id under which this request is logged; it was drawn by the intake."""
    found: str = getattr(request, "retinue_id", "")
    return found


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
    status: int | None = None,
    title: str | None = None,
    detail: str | None = None,
    field: str | None = None,
    required: tuple[str, ...] = (),
    retry_after: int = problems.RETRY_AFTER_SECONDS,
) -> HttpResponse:
    """Return the problem ``code`` for this request, with the challenge or the pause that belongs to it."""
    made = problems.problem(
        code,
        status=status,
        title=title,
        detail=detail,
        field=field,
        required=required,
        request_id=request_id(request),
    )
    answer = _problem(made)
    if code in _REASONS:
        answer["Retinue-Error"] = code
    told = _challenge(made)
    if told:
        answer["WWW-Authenticate"] = told
    if made.status in (429, 503):
        answer["Retry-After"] = str(retry_after)
    return answer


def _challenge(made: problems.Problem) -> str:
    if made.code in _REASONS:
        return problems.challenge(_REASONS[made.code], " ".join(made.required))
    if made.status == 403 and made.required:
        return problems.challenge(Reason.PERMISSION_MISSING, " ".join(made.required))
    return ""


def denial_answer(request: HttpRequest, denied: Denied) -> HttpResponse:
    """Return a denial of the caller's own token, with the challenge that belongs to it."""
    answer = _problem(problems.problem_for(denied, request_id(request)), denied.terms)
    for name, value in problems.headers_for(denied).items():
        answer[name] = value
    return answer


def _problem(made: problems.Problem, terms: Terms = NATIVE_TERMS) -> HttpResponse:
    media_type, body = problems.body_for(made, terms)
    answer = HttpResponse(body, status=made.status, content_type=media_type)
    answer["Cache-Control"] = "no-store"
    answer["X-Content-Type-Options"] = "nosniff"
    return answer


def instant(at: datetime | None) -> str | None:
    """Return an instant as RFC 3339 in UTC with milliseconds."""
    return None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
