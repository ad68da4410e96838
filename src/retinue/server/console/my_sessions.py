"""``/me/sessions/``: where one is signed in, and the end of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from retinue.server.console import sessions
from retinue.server.console.agents import named
from retinue.server.console.my_security import login_of
from retinue.server.console.store import digest
from retinue.server.console.viewer import Viewer, page
from retinue.server.directory.queries import BrowserSession


@dataclass(frozen=True, slots=True)
class Told:
    """A session as its person sees it."""

    id: str
    browser: str
    agent: str
    address: str
    opened_at: datetime | None
    seen_at: datetime | None
    is_present: bool


@require_safe
@page
def listed(viewer: Viewer) -> HttpResponse:
    """Every browser in which one is signed in, the present one first."""
    present = digest(viewer.request.session.session_key or "")
    rows = BrowserSession.objects.filter(login=login_of(viewer), expire_date__gt=timezone.now())
    found = [
        Told(
            row.session_key,
            named(row.agent),
            row.agent,
            row.address,
            row.opened_at,
            row.seen_at,
            row.session_key == present,
        )
        for row in rows.order_by("-seen_at")
        if not sessions.is_over(row.opened_at, row.seen_at)
    ]
    found.sort(key=lambda each: not each.is_present)
    return viewer.render("me/sessions.html", sessions=found, place="sessions")


@require_safe
@page
def left(viewer: Viewer) -> HttpResponse:
    """Say how many seconds the present session has. To ask is no activity, unless the query says ``stay``."""
    return HttpResponse(str(sessions.left(viewer.request)), content_type="text/plain")


@require_POST
@page
def end(viewer: Viewer) -> HttpResponse:
    """End one other session of one's own, or all others."""
    login = login_of(viewer)
    present = digest(viewer.request.session.session_key or "")
    rows = BrowserSession.objects.filter(login=login).exclude(session_key=present)
    if "id" in viewer.request.POST:
        rows = rows.filter(session_key=viewer.request.POST["id"])
    count = sessions.end(viewer.actor, login, rows)
    text = ngettext("%(n)d session ended.", "%(n)d sessions ended.", count) % {"n": count}
    viewer.say(text if count else _("There was none to end."))
    return viewer.leave("/me/sessions/")
