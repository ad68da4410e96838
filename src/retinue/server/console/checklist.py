"""The checklist of the home page: from a person's first sign-in on, until it is done or put away."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from retinue.server.console.models import Checklist
from retinue.server.console.viewer import Viewer, page
from retinue.server.directory.queries import Login
from retinue.server.ledger.transaction import one_writer
from retinue.server.traffic.checklist import Step, steps

#: Who has not come further by then has another way; and what logs no longer keep would untick.
SHOWN = timedelta(days=30)
_SEES = frozenset({"audit_log:read", "request_log:read"})


def begin(login: Login, now: datetime) -> None:
    """Let a person's checklist begin, at the first sign-in; later ones change nothing."""
    if not Checklist.objects.filter(person=login.principal_id).exists():
        with one_writer():
            row = Checklist(person=login.principal_id, began_at=now)
            Checklist.objects.bulk_create([row], ignore_conflicts=True)


def of(viewer: Viewer, now: datetime) -> list[Step] | None:
    """Return the steps that a person is shown now; ``None`` if put away, done, or not theirs to see."""
    if not viewer.held >= _SEES:
        return None
    mine = Checklist.objects.filter(person=viewer.person.id, is_put_away=False, began_at__gt=now - SHOWN)
    since = mine.values_list("began_at", flat=True).first()
    if since is None:
        return None
    found = steps(viewer.organization.id, since)
    return None if all(step.is_done for step in found) else found


@require_POST
@page
def put_away(viewer: Viewer) -> HttpResponse:
    """Show the checklist to this person no more, in any browser."""
    with one_writer():
        Checklist.objects.update_or_create(
            person=viewer.person.id,
            defaults={"is_put_away": True},
            create_defaults={"is_put_away": True, "began_at": timezone.now()},
        )
    viewer.say(_("The checklist is put away."))
    return viewer.leave("/")
