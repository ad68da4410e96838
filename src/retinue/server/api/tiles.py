"""The log as static tiles (c2sp.org/tlog-tiles), for tools that know them, and for whoever may read events.

They are no operations of the API: text and bytes are theirs, and where they stand is custom.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from retinue.server.api.unlisted import answered
from retinue.server.errors import NotFound
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

    return answered(request, "get_audit_log_checkpoint", PERMISSION, note)


@csrf_exempt
def tile(request: HttpRequest, log: str, rest: str) -> HttpResponse:
    """Answer a tile, or a bundle of entries."""

    def data() -> HttpResponse:
        return HttpResponse(proving.tile(proving.get(log), rest), content_type="application/octet-stream")

    return answered(request, "get_audit_log_tile", PERMISSION, data)
