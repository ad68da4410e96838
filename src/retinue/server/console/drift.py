"""How far copied permissions have drifted from what they were copied from: a part of an account's page."""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from retinue.server.console.viewer import Viewer, page


@require_safe
@page
def shown(viewer: Viewer, account_id: str) -> HttpResponse:
    """What only the origin gives, and what only the account has; nothing where nothing has drifted."""
    outcome = viewer.call("list_drift", {"account_id": account_id})
    return viewer.render("parts/drift.html", drifted=outcome.body["items"] if outcome.is_done else [])
