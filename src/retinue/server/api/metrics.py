"""``/metrics`` of the control plane, for whoever may read nodes: it names them, and tells how they are.

It is no operation of the API: its text is Prometheus', and where it stands is custom.
"""

from __future__ import annotations

from django.db import Error
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from retinue.server.api import decided, errors, guard
from retinue.server.api.answers import problem_answer
from retinue.server.errors import Refused
from retinue.server.nodes import measures

PERMISSION = "node:read"


@csrf_exempt
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer what is measured, to the holder of a token with ``node:read``."""
    if request.method not in ("GET", "HEAD"):
        answer = problem_answer(request, "method_not_allowed_here")
        answer["Allow"] = "GET, HEAD"
        return answer
    try:
        call = guard.admit(request, "get_metrics", (PERMISSION,), undecided=False, changes=False)
        with decided.logged(call):
            answer = HttpResponse(measures.exposition(), content_type=measures.MEDIA_TYPE)
    except guard.NotAllowed as denied:
        return denied.answer
    except (Refused, Error) as error:
        return errors.answer(request, error)
    answer["Cache-Control"] = "no-store"
    answer["X-Content-Type-Options"] = "nosniff"
    return answer
