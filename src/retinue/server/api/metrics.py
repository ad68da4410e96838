"""``/metrics`` of the control plane, for whoever may read nodes: it names them, and tells how they are.

It is no operation of the API: its text is Prometheus', and where it stands is custom.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from retinue.server.api.unlisted import answered
from retinue.server.nodes import measures

PERMISSION = "node:read"


@csrf_exempt
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer what is measured, to the holder of a token with ``node:read``."""

    def exposition() -> HttpResponse:
        return HttpResponse(measures.exposition(), content_type=measures.MEDIA_TYPE)

    return answered(request, "get_metrics", PERMISSION, exposition)
