"""The log as static tiles (c2sp.org/tlog-tiles), for tools that know them, and for whoever may read events.

They are no operations of the API: text and bytes are theirs, and where they stand is custom.
"""

from __future__ import annotations

from collections.abc import Callable

from django.db import Error
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from retinue.server.api import decided, errors, guard
from retinue.server.api.answers import problem_answer
from retinue.server.errors import NotFound, Refused
from retinue.server.ledger import proving

PERMISSION = "audit_log:read"


@csrf_exempt
def checkpoint(request: HttpRequest, log: str) -> HttpResponse:
    """Answer the signed note of a log."""

    def note() -> HttpResponse:
        found = proving.get(log)
        if not found.checkpoint:
            raise NotFound("checkpoint", log)
        return HttpResponse(found.checkpoint, content_type="text/plain; charset=utf-8")

    return _answered(request, "get_audit_log_checkpoint", note)


@csrf_exempt
def tile(request: HttpRequest, log: str, rest: str) -> HttpResponse:
    """Answer a tile, or a bundle of entries."""

    def data() -> HttpResponse:
        return HttpResponse(proving.tile(proving.get(log), rest), content_type="application/octet-stream")

    return _answered(request, "get_audit_log_tile", data)


def _answered(request: HttpRequest, name: str, made: Callable[[], HttpResponse]) -> HttpResponse:
    if request.method not in ("GET", "HEAD"):
        answer = problem_answer(request, "method_not_allowed_here")
        answer["Allow"] = "GET, HEAD"
        return answer
    try:
        call = guard.admit(request, name, (PERMISSION,), undecided=False, changes=False)
        with decided.logged(call):
            answer = made()
    except guard.NotAllowed as denied:
        return denied.answer
    except (Refused, Error) as error:
        return errors.answer(request, error)
    answer["Cache-Control"] = "no-store"
    answer["X-Content-Type-Options"] = "nosniff"
    return answer
