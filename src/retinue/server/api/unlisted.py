"""Answers reads that are no operations of the API: their bytes and paths are somebody else's custom."""

from __future__ import annotations

from collections.abc import Callable

from django.db import Error
from django.http import HttpRequest, HttpResponse

from retinue.server.api import decided, errors, guard
from retinue.server.api.answers import problem_answer
from retinue.server.errors import Refused


def answered(
    request: HttpRequest, name: str, permission: str, made: Callable[[], HttpResponse]
) -> HttpResponse:
    """Answer what ``made`` returns to the holder of a token with ``permission``; ``name`` is for the log."""
    if request.method not in ("GET", "HEAD"):
        answer = problem_answer(request, "method_not_allowed_here")
        answer["Allow"] = "GET, HEAD"
        return answer
    try:
        call = guard.admit(request, name, (permission,), undecided=False, changes=False)
        with decided.logged(call):
            answer = made()
    except guard.NotAllowed as denied:
        return denied.answer
    except (Refused, Error) as error:
        return errors.answer(request, error)
    answer["Cache-Control"] = "no-store"
    answer["X-Content-Type-Options"] = "nosniff"
    return answer
